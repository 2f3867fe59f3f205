"""Azure Resource Manager, read only, through the management client's ``send_request``.

No stable version of the SDK has the pipeline operations with ``storageAccessMode``, and sovereign clouds lag
behind the previews, so resources are read as JSON at an api-version of our choice. The pipeline of policies
is our own: it follows no redirects, registers no resource providers and logs nothing.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from azure.core.pipeline.policies import RequestIdPolicy, UserAgentPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.mgmt.containerregistry.aio import ContainerRegistryManagementClient
from azure.mgmt.core.policies import AsyncARMChallengeAuthenticationPolicy

from shared.addresses import require_trusted_host
from shared.azure.connection import BoundedRetry, Connection
from shared.azure.failures import asking, for_status
from shared.errors import Gone, Refused, Unreachable
from shared.records.json_fields import Json, mapping, objects, text
from shared.version import MONITOR_VERSION

SERVICE: Final = "ARM"
# The client wants a subscription although send_request never uses it.
_ANY_SUBSCRIPTION: Final = "00000000-0000-0000-0000-000000000000"
_UNKNOWN_VERSION_CODES: Final = frozenset(
    {
        "invalidapiversionparameter",
        "noregisteredproviderfound",
        "invalidresourcetype",
        "unsupportedapiversion",
    }
)


class ArmReader:
    """GETs of ARM resources. ``reads`` counts every request that was sent, for the ARM budget."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._endpoint = connection.cloud.arm_endpoint.rstrip("/")
        self._client: ContainerRegistryManagementClient | None = None
        self._working_versions: dict[tuple[str, ...], str] = {}
        self.reads = 0

    async def get(self, path: str, versions: tuple[str, ...], **parameters: str) -> Json:
        """The JSON at ``path``.

        ``versions`` are api-versions, the wanted one first; an older one is taken, and remembered, where the
        cloud doesn't know the newer. Raises a :class:`~shared.errors.ServiceError`.
        """
        known = self._working_versions.get(versions)
        for version in (known,) if known else versions:
            url = f"{self._endpoint}{path}"
            try:
                answer = await self._send(url, path, {"api-version": version, **parameters})
            except (Refused, Gone) as refusal:
                if refusal.code.lower() not in _UNKNOWN_VERSION_CODES or version == versions[-1]:
                    raise
                continue
            if len(versions) > 1:
                self._working_versions[versions] = version
            return answer
        raise Unreachable(SERVICE, path, "no api-version was given")

    async def pages(self, path: str, versions: tuple[str, ...], **parameters: str) -> AsyncIterator[tuple[Json, ...]]:
        """The pages of a list, following ``nextLink`` on ARM's own host only."""
        page = await self.get(path, versions, **parameters)
        host = urlsplit(self._endpoint).hostname or ""
        while True:
            if not isinstance(page.get("value"), list):
                # Read as "nothing there", a page without a list would be a false all-clear.
                raise Unreachable(SERVICE, path, "the answer holds no list")
            yield objects(page, "value")
            next_link = text(page, "nextLink")
            if not next_link:
                return
            require_trusted_host(next_link, host, SERVICE)
            page = await self._send(next_link, path, {})

    async def everything(self, path: str, versions: tuple[str, ...], **parameters: str) -> tuple[Json, ...]:
        """All items of a list that is known to be short."""
        return tuple([item async for page in self.pages(path, versions, **parameters) for item in page])

    async def _send(self, url: str, path: str, parameters: Mapping[str, str]) -> Json:
        request = HttpRequest("GET", url, params=dict(parameters), headers={"Accept": "application/json"})
        async with asking(SERVICE, path, "read"):
            self.reads += 1
            response: AsyncHttpResponse = await self._opened().send_request(request)
            body = response.text()
        return _read(path, response.status_code, body)

    def _opened(self) -> ContainerRegistryManagementClient:
        if self._client is None:
            connection = self._connection
            self._client = ContainerRegistryManagementClient(
                connection.credential,
                _ANY_SUBSCRIPTION,
                base_url=self._endpoint,
                credential_scopes=[connection.cloud.arm_scope],
                transport=connection.transport(),
                policies=[
                    RequestIdPolicy(),
                    UserAgentPolicy(f"acr-transfer-monitor/{MONITOR_VERSION}"),
                    BoundedRetry(),
                    AsyncARMChallengeAuthenticationPolicy(connection.credential, connection.cloud.arm_scope),
                ],
            )
        return self._client


def _read(path: str, status: int, body: str) -> Json:
    try:
        answer: Any = json.loads(body) if body else {}
    except ValueError:
        if status < 400:
            raise Unreachable(SERVICE, path, "the answer is no JSON", status=status) from None
        answer = {}
    if status >= 400:
        error = mapping(answer, "error") or mapping(answer)
        raise for_status(SERVICE, path, status, text(error, "code"), text(error, "message") or body, "read")
    if status != 200 or not isinstance(answer, Mapping) or not answer:
        raise Unreachable(SERVICE, path, "the answer is no JSON object", status=status)
    return answer
