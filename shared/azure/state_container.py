"""The container of the monitor's own records: small JSON blobs, written under conditions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

from azure.core import AsyncPipelineClient, MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy, HeadersPolicy, UserAgentPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.storage.blob import ContentSettings
from azure.storage.blob.aio import ContainerClient

from shared.azure.blobs import API_VERSION, blob_service
from shared.azure.connection import BoundedRetry, Connection
from shared.azure.failures import asking, code_of, for_status
from shared.azure.state_listing import LABEL, PAGE_SIZE, Entry, read_page
from shared.version import MONITOR_VERSION

SERVICE: Final = "State store"
WRITE_RIGHT: Final = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"
_JSON: Final = ContentSettings(content_type="application/json")
_NOT_THERE: Final = frozenset({"BlobNotFound", "ContainerNotFound", "ResourceNotFound"})
_CHANGED: Final = frozenset({"BlobAlreadyExists", "ConditionNotMet", "UnauthorizedBlobOverwrite"})


class StateContainer:
    """Records by key in one container, which is made when it turns out to be missing.

    Every method raises a :class:`~shared.errors.ServiceError` if the container can't be used.
    """

    def __init__(self, connection: Connection, container_url: str) -> None:
        self._connection = connection
        parts = urlsplit(container_url)
        self._host = parts.netloc
        self._container = parts.path.strip("/")
        self._client: ContainerClient | None = None
        self._pipeline: AsyncPipelineClient[HttpRequest, AsyncHttpResponse] | None = None

    async def read(self, key: str) -> tuple[dict[str, Any], str] | None:
        """The record and its ETag, or ``None``."""
        # Not the blob client's download: that is a stream, and one that is refused or broken off keeps its
        # connection until it is collected. A record is small and is read in one piece.
        request = HttpRequest("GET", f"https://{self._host}/{self._container}/{quote(key)}")
        async with asking(SERVICE, self._address(key), WRITE_RIGHT):
            response = await self._reader().send_request(request)
            if not _is_there(response, key):
                return None
            record = json.loads(response.text("utf-8"))
            if not isinstance(record, dict):
                raise ValueError("the record is no JSON object")  # noqa: TRY004 - read as an unusable answer
            return record, response.headers["etag"]

    async def write(self, key: str, record: Mapping[str, Any], label: str, etag: str | None) -> str | None:
        """Creates a record, or with ``etag`` replaces that form of it: the new ETag, ``None`` if somebody was first."""
        conditions: dict[str, Any] = {"metadata": {LABEL: label}} if label else {}
        if etag is not None:
            conditions.update(etag=etag, match_condition=MatchConditions.IfNotModified)
        body = json.dumps(record, separators=(",", ":")).encode()
        async with asking(SERVICE, self._address(key), WRITE_RIGHT):
            try:
                return await self._upload(key, body, overwrite=etag is not None, **conditions)
            except HttpResponseError as refusal:
                if code_of(refusal) != "ContainerNotFound":
                    raise
            await self._make_container()
            return await self._upload(key, body, overwrite=etag is not None, **conditions)

    async def delete(self, key: str, etag: str) -> bool:
        """Removes the form that ``etag`` names; ``False`` if it has changed."""
        async with asking(SERVICE, self._address(key), WRITE_RIGHT):
            try:
                await self._opened().delete_blob(key, etag=etag, match_condition=MatchConditions.IfNotModified)
            except HttpResponseError as refusal:
                if code_of(refusal) in _NOT_THERE:
                    return True
                if code_of(refusal) in _CHANGED:
                    return False
                raise
            return True

    async def page(self, prefix: str, marker: str = "") -> tuple[list[Entry], str]:
        """One page of what begins with ``prefix``, in the order of the keys, and the marker of the next or ``""``."""
        listing = {"restype": "container", "comp": "list", "include": "metadata", "maxresults": str(PAGE_SIZE)}
        wanted = {name: value for name, value in (("prefix", prefix), ("marker", marker)) if value}
        request = HttpRequest("GET", f"https://{self._host}/{self._container}", params={**listing, **wanted})
        async with asking(SERVICE, self._address(prefix), WRITE_RIGHT):
            response = await self._reader().send_request(request)
            return read_page(response.content) if _is_there(response, self._container) else ([], "")

    async def _upload(self, key: str, body: bytes, **conditions: Any) -> str | None:
        client = self._opened().get_blob_client(key)
        try:
            answer = await client.upload_blob(body, length=len(body), content_settings=_JSON, **conditions)
        except HttpResponseError as refusal:
            # Only Storage's own words count: a bare 409 is a failure.
            if code_of(refusal) in _CHANGED:
                return None
            raise
        return str(answer["etag"])

    async def _make_container(self) -> None:
        try:
            await self._opened().create_container()
        except ResourceExistsError:
            return

    def _address(self, key: str) -> str:
        return f"{self._host}/{self._container}/{key}"

    def _opened(self) -> ContainerClient:
        if self._client is None:
            self._client = blob_service(self._connection, self._host).get_container_client(self._container)
        return self._client

    def _reader(self) -> AsyncPipelineClient[HttpRequest, AsyncHttpResponse]:
        if self._pipeline is None:
            connection = self._connection
            self._pipeline = AsyncPipelineClient(
                f"https://{self._host}",
                transport=connection.transport(),
                policies=[
                    HeadersPolicy({"x-ms-version": API_VERSION}),
                    UserAgentPolicy(f"acr-transfer-monitor/{MONITOR_VERSION}"),
                    BoundedRetry(),
                    AsyncBearerTokenCredentialPolicy(connection.credential, connection.cloud.storage_scope),
                ],
            )
        return self._pipeline


def _is_there(response: AsyncHttpResponse, target: str) -> bool:
    """Whether there is something to read; raises a ``ServiceError`` for an answer that leaves it open."""
    code = response.headers.get("x-ms-error-code", "")
    if code in _NOT_THERE:
        return False
    if response.status_code != 200:
        raise for_status(SERVICE, target, response.status_code, code, response.reason)
    return True
