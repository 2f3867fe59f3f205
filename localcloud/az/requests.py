"""What commands ask of the local cloud's services, and how a refusal reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from localcloud.az.errors import AzError, NotCarriedOut
from localcloud.az.sign_in import ARM, SignIn
from localcloud.az.wire import Answer, ask

REGISTRY_API = "2025-04-01"
PIPELINE_API = "2025-06-01-preview"
VAULT_API = "2023-07-01"
STORAGE_API = "2024-01-01"
ROLE_API = "2022-04-01"


class Refused(AzError):
    """The cloud's answer is an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"({code}) {message}" if code else message)
        self.status = status
        self.code = code


class Cloud:
    """The cloud as the one sees it who has signed in."""

    def __init__(self, sign_in: SignIn, subscription_id: str = "") -> None:
        self.sign_in = sign_in
        self.subscription_id = subscription_id or sign_in.subscription_id

    def send(
        self,
        method: str,
        url: str,
        *,
        audience: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        allowed: tuple[int, ...] = (),
    ) -> Answer:
        """One request; ``url`` is encoded already, and without an audience no token goes along."""
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise AzError(f"'{url.partition('?')[0]}' is no https address.")
        sent = {"User-Agent": "AZURECLI", **self.sign_in.headers, **(headers or {})}
        if audience is not None:
            sent["Authorization"] = f"Bearer {self.sign_in.tokens[audience]}"
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        answer = ask(self.sign_in, method, parts.hostname, target, sent, body)
        if answer.status >= 400 and answer.status not in allowed:
            raise _refusal(answer)
        return answer

    def json(self, method: str, url: str, audience: str, version: str, body: Any = None, **parameters: str) -> Any:
        """A request that gives and takes JSON."""
        query = urlencode({"api-version": version, **parameters}, safe="$'()/:,")
        data = None if body is None else json.dumps(body).encode()
        headers = {} if data is None else {"Content-Type": "application/json"}
        answer = self.send(method, f"{url}?{query}", audience=audience, headers=headers, body=data)
        return document_of(answer)

    def arm(self, method: str, resource_id: str, version: str, body: Any = None, **parameters: str) -> Any:
        """A request to Azure Resource Manager."""
        return self.json(method, f"{ARM}{resource_id}", ARM, version, body, **parameters)

    def arm_list(self, resource_id: str, version: str, **parameters: str) -> list[Any]:
        """Every item of a list, over all its pages."""
        page = self.arm("GET", resource_id, version, **parameters)
        items: list[Any] = page["value"]
        while page.get("nextLink"):
            page = document_of(self.send("GET", page["nextLink"], audience=ARM))
            items += page["value"]
        return items

    def named(self, resource_type: str, name: str, version: str) -> Any:
        """The resource of this name in the subscription: az looks it up where no resource group is given."""
        listed = self.arm_list(f"/subscriptions/{self.subscription_id}/providers/{resource_type}", version)
        for resource in listed:
            if resource["name"].lower() == name.lower():
                return resource
        where = f"not found within subscription '{self.subscription_id}'"
        raise Refused(404, "ResourceNotFound", f"The Resource '{resource_type}/{name}' {where}.")

    def resource_id(self, resource_type: str, name: str, group: str | None, version: str) -> str:
        """The id of a resource, whose group has to be looked up where it isn't given."""
        if not group:
            return str(self.named(resource_type, name, version)["id"])
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{group}/providers/{resource_type}/{name}"


def document_of(answer: Answer) -> Any:
    """The JSON of an answer, an empty object where there is none."""
    return json.loads(answer.body) if answer.body else {}


def _refusal(answer: Answer) -> AzError:
    text = answer.body.decode("utf-8", "replace")
    code = answer.headers.get("x-ms-error-code", "")
    message = text
    try:
        document = json.loads(text)
        error = document["error"] if "error" in document else document["errors"][0]  # a registry has several
        code, message = str(error["code"]), str(error["message"])
    except (ValueError, KeyError, TypeError, IndexError):
        if "<Message>" in text:
            message = text.partition("<Message>")[2].partition("</Message>")[0]
    if answer.status == 501 or code == "InvalidResourceType":
        return NotCarriedOut(message or "the request")
    return Refused(answer.status, code, message or f"The service answered {answer.status}.")
