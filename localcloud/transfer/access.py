"""How the registry service reaches the vault and the storage account, as the pipeline's identity."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from localcloud.core import Core
from localcloud.service import Origin
from localcloud.transfer.failures import Misconfigured, Refused, Step, Unreachable
from localcloud.world import AccessMode, Pipeline

USER_AGENT = "AzureContainerRegistry-Transfer/1.0"
STORAGE_VERSION = "2024-11-04"
VAULT_VERSION = "7.4"
TIMEOUT = aiohttp.ClientTimeout(total=100)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_SHOWN_HEADERS = ("x-ms-request-id", "x-ms-error-code", "x-ms-version", "Date", "Content-Type")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes


class ServiceClient:
    """Requests from the registry service's own network, whose refusals become failures of the run."""

    def __init__(self, core: Core) -> None:
        self.core = core

    async def send(
        self,
        step: Step,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        data: bytes | None = None,
        *,
        allowed: tuple[int, ...] = (),
    ) -> Answer:
        session = self.core.session(Origin.REGISTRY_SERVICE)
        sent = {"User-Agent": USER_AGENT, **headers}
        try:
            async with session.request(
                method,
                url,
                headers=sent,
                data=None if data is None else io.BytesIO(data),
                timeout=TIMEOUT,
                allow_redirects=False,
            ) as answer:
                body = await answer.read()
        except aiohttp.ClientConnectorDNSError:
            raise Unreachable(step, url.host or "", "Name or service not known") from None
        except aiohttp.ClientConnectionError:
            raise Unreachable(step, url.host or "", "Connection reset by peer") from None
        except (aiohttp.ClientError, TimeoutError):
            raise Unreachable(step, url.host or "", "The operation was canceled") from None
        if answer.status < 300 or answer.status in allowed:
            return Answer(answer.status, answer.headers, body)
        text = body.decode("utf-8", "replace")
        raise Refused(
            step,
            answer.status,
            answer.reason or "",
            answer.headers.get("x-ms-error-code") or _json_code(text),
            text,
            {name: answer.headers[name] for name in _SHOWN_HEADERS if name in answer.headers},
        )

    async def secret(self, pipeline: Pipeline) -> str:
        """The value of the pipeline's secret, fetched as its identity."""
        url = _secret_url(pipeline.secret_uri or "")
        if pipeline.identity is None:
            raise Misconfigured(Step.VAULT, "The pipeline has no managed identity.")
        challenge = await self.send(Step.VAULT, "GET", url, {}, allowed=(401,))
        asked = dict(_CHALLENGE.findall(challenge.headers.get("WWW-Authenticate", "")))
        token, _ = self.core.tokens.issue(pipeline.identity, asked.get("resource", ""))
        answer = await self.send(Step.VAULT, "GET", url, {"Authorization": f"Bearer {token}"})
        return str(json.loads(answer.body)["value"])

    async def container(self, pipeline: Pipeline) -> ContainerAccess:
        """The pipeline's container with the token out of the vault, or with its own identity's token."""
        parts = urlsplit(pipeline.container_url)
        if parts.scheme != "https" or not parts.hostname or not parts.path.strip("/"):
            raise Misconfigured(Step.STORAGE, f"Invalid container URI '{pipeline.container_url}'.")
        base = f"https://{parts.hostname}/{parts.path.strip('/')}"
        if pipeline.access_mode is AccessMode.SAS_TOKEN:
            token = (await self.secret(pipeline)).strip().removeprefix("?")
            # Whatever the secret holds becomes the query; storage is the one to say that it is no token.
            return ContainerAccess(self, base, query=quote(token, safe="=&%/+:,"))
        if pipeline.identity is None:
            raise Misconfigured(Step.STORAGE, "The pipeline has no managed identity.")
        return ContainerAccess(self, base, self.core.bearer(pipeline.identity, "https://storage.azure.com"))


@dataclass(slots=True)
class ContainerAccess:
    client: ServiceClient
    base: str
    authorization: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: str = field(default="", repr=False)

    async def list(self, prefix: str = "") -> bytes:
        """The listing, with metadata. It is one page: the local cloud's containers are small."""
        query = f"restype=container&comp=list&include=metadata&prefix={quote(prefix, safe='')}"
        return (await self._send("GET", self._url("", query))).body

    async def get(self, name: str) -> Answer:
        return await self._send("GET", self._url(name))

    async def head(self, name: str) -> Answer:
        return await self._send("HEAD", self._url(name))

    async def put(self, name: str, data: bytes, headers: Mapping[str, str]) -> Answer:
        return await self._send("PUT", self._url(name), {"x-ms-blob-type": "BlockBlob", **headers}, data)

    async def delete(self, name: str) -> Answer:
        return await self._send("DELETE", self._url(name))

    def uri(self, name: str) -> str:
        """Without the token."""
        return f"{self.base}/{quote(name)}"

    def _url(self, name: str, query: str = "") -> URL:
        path = self.uri(name) if name else self.base
        parameters = "&".join(part for part in (query, self.query) if part)
        return URL(f"{path}?{parameters}" if parameters else path, encoded=True)

    async def _send(
        self, method: str, url: URL, headers: Mapping[str, str] | None = None, data: bytes | None = None
    ) -> Answer:
        sent = {"x-ms-version": STORAGE_VERSION, **self.authorization, **(headers or {})}
        return await self.client.send(Step.STORAGE, method, url, sent, data)


def _secret_url(uri: str) -> URL:
    parts = urlsplit(uri)
    if parts.scheme != "https" or not parts.hostname or not parts.path.startswith("/secrets/"):
        raise Misconfigured(Step.VAULT, f"Invalid Key Vault secret URI '{uri}'.")
    return URL(f"https://{parts.hostname}{parts.path}?api-version={VAULT_VERSION}", encoded=True)


def _json_code(body: str) -> str | None:
    try:
        return str(json.loads(body)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return None
