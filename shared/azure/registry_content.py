"""What lies in a registry, asked of the registry itself: manifests, layers, tags and names. Never a layer's content.

The registry has tokens of its own: the monitor's Entra token is exchanged for a refresh token, and that for an
access token for one repository. Both exchanges are the library's; they go to the host that is asked.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from azure.containerregistry import ArtifactTagOrder
from azure.containerregistry.aio import ContainerRegistryClient
from azure.core.async_paging import AsyncItemPaged
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy, UserAgentPolicy
from azure.core.rest import AsyncHttpResponse

from shared.azure.connection import BoundedRetry, Connection
from shared.azure.failures import asking, for_status
from shared.azure.registry_host import SERVICE, RegistryHost
from shared.errors import Unreachable, UntrustedAddress
from shared.records.json_fields import mapping, objects, text
from shared.records.manifests import Manifest
from shared.version import MONITOR_VERSION

# The library asks for a new refresh token while it has a good one, and keeps a dying one for good (1.2.0). A
# client is therefore given up long before its token's three hours are over.
_CLIENT_SECONDS: Final = 1_800.0
_PAGE: Final = 100
# Names are only read to suggest close ones: so many tell enough.
MOST_NAMES: Final = 500


class _OneHost(AsyncHTTPPolicy[Any, Any]):
    """Stands before the wire: no link of a list and no redirect takes a token anywhere else."""

    def __init__(self, host: str) -> None:
        super().__init__()
        self._host = host

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Sends the request if it is for the one host."""
        parts = urlsplit(request.http_request.url)
        if parts.scheme != "https" or (parts.hostname or "").lower() != self._host:
            raise UntrustedAddress(SERVICE, self._host, "a link leads to another host")
        return await self.next.send(request)


class _KeptTokens(AsyncHTTPPolicy[Any, Any]):
    """Sends the access token of an earlier answer along with the next request for the same repository.

    The library asks without a token each time, and needs three more requests to get one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._tokens: dict[str, str] = {}

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Sends the request with the kept token; a token that has ended is challenged and replaced."""
        sent = request.http_request
        scope = _scope_of(urlsplit(sent.url).path)
        if scope and scope in self._tokens:
            sent.headers["Authorization"] = self._tokens[scope]
        answer = await self.next.send(request)
        if scope and answer.http_response.status_code < 400 and "Authorization" in sent.headers:
            self._tokens[scope] = sent.headers["Authorization"]
        return answer


def _scope_of(path: str) -> str:
    """The part of a path that one token is for; empty for the exchange itself."""
    if path.startswith("/v2/"):
        return path.rsplit("/", 2)[0]
    return path.rsplit("/", 1)[0] if path.startswith("/acr/v1/") else ""


class RegistryContentReader:
    """Asks registries. Every method raises a :class:`~shared.errors.ServiceError` whose target is the host."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._clients: dict[str, tuple[float, ContainerRegistryClient]] = {}

    async def manifest(self, place: RegistryHost, repository: str, reference: str) -> Manifest:
        """A manifest by its tag or digest; :class:`~shared.errors.Gone` has the registry's code."""
        async with _asking(place, place.pull_right):
            result = await self._client(place).get_manifest(repository, reference)
        return Manifest.from_json(mapping(result.manifest), str(result.digest))

    async def has_layer(self, place: RegistryHost, repository: str, digest: str) -> bool:
        """Whether the registry holds a layer's content itself."""
        async with _asking(place, place.pull_right):
            # There is no public call for it; the answer may be a redirect to the content, which is not followed.
            blobs = self._client(place)._client.container_registry_blob
            try:
                await blobs.check_blob_exists(repository, digest)
            except ResourceNotFoundError:
                return False
            return True

    async def tags(self, place: RegistryHost, repository: str) -> tuple[str, ...]:
        """The tags of a repository, those that moved last first, :data:`MOST_NAMES` at most."""
        newest = ArtifactTagOrder.LAST_UPDATED_ON_DESCENDING
        async with _asking(place, place.pull_right):
            listed = self._client(place).list_tag_properties(repository, order_by=newest, results_per_page=_PAGE)
            return tuple([tag.name for tag in await _first(listed)])

    async def repositories(self, place: RegistryHost) -> tuple[str, ...]:
        """The names of repositories, :data:`MOST_NAMES` at most."""
        async with _asking(place, place.list_right):
            return tuple(await _first(self._client(place).list_repository_names(results_per_page=_PAGE)))

    def _client(self, place: RegistryHost) -> ContainerRegistryClient:
        now = time.monotonic()
        made, client = self._clients.get(place.host, (0.0, None))
        if client is None or now - made > _CLIENT_SECONDS:
            connection = self._connection
            client = ContainerRegistryClient(
                f"https://{place.host}",
                connection.credential,
                audience=connection.cloud.registry_audience.rstrip("/"),
                transport=connection.transport(),
                retry_policy=BoundedRetry(),
                user_agent_policy=UserAgentPolicy(f"acr-transfer-monitor/{MONITOR_VERSION}"),
                permit_redirects=False,
                per_call_policies=[_KeptTokens()],
                per_retry_policies=[_OneHost(place.host)],
            )
            self._clients[place.host] = (now, client)
        return client


@asynccontextmanager
async def _asking(place: RegistryHost, right: str) -> AsyncIterator[None]:
    async with asking(SERVICE, place.host, right, named_by_others=True):
        try:
            yield
        except HttpResponseError as refusal:
            if refusal.status_code is None:
                raise
            code, message = await _said(refusal)
            raise for_status(SERVICE, place.host, refusal.status_code, code, message, right) from None
        except (LookupError, TypeError, AttributeError) as error:
            # The library reads headers, challenges and claims as if nothing could be missing.
            detail = f"the answer can't be read ({type(error).__name__})"
            raise Unreachable(SERVICE, place.host, detail, right=right) from None


async def _said(refusal: HttpResponseError) -> tuple[str, str]:
    """Code and text of ``{"errors": [{"code", "message"}]}``; the client has not read a streamed body yet."""
    response: Any = refusal.response
    try:
        raw = await response.read() if isinstance(response, AsyncHttpResponse) else response.body()
        answer = json.loads(raw)
    except ValueError:
        answer = {}
    errors = objects(answer, "errors")
    first: Mapping[str, Any] = errors[0] if errors else {}
    return text(first, "code"), text(first, "message") or refusal.message


async def _first(listed: AsyncItemPaged[Any]) -> list[Any]:
    """The items of the first pages."""
    found: list[Any] = []
    async for page in listed.by_page():
        found += [item async for item in page]
        if len(found) >= MOST_NAMES:
            break
    return found[:MOST_NAMES]
