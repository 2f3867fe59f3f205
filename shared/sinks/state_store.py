"""The monitor's own memory: small JSON records, each a blob of its own.

Everything that must hold between two processes rests on two guarantees of Blob Storage: a record is created
by exactly one writer (``If-None-Match: *``), and replaced only by the one who saw its latest form
(``If-Match``). An in-memory twin serves tests and the command line.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol
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
from shared.errors import NotStored, ServiceError
from shared.sinks.state_listing import LABEL, PAGE_SIZE, Entry, read_page
from shared.version import MONITOR_VERSION

Record = Mapping[str, Any]

_JSON: Final = ContentSettings(content_type="application/json")
_SERVICE: Final = "State store"
_NOT_THERE: Final = frozenset({"BlobNotFound", "ContainerNotFound", "ResourceNotFound"})
_CHANGED: Final = frozenset({"BlobAlreadyExists", "ConditionNotMet", "UnauthorizedBlobOverwrite"})
_DONE: Final = {"read": "read", "write": "written", "delete": "deleted", "list": "listed"}


@dataclass(frozen=True, slots=True)
class Stored:
    """A record as it was read; ``etag`` is what a replacement has to match."""

    key: str
    record: Record
    etag: str


class StateStore(Protocol):
    """Records by key. Every method raises :class:`~shared.errors.NotStored` if the store can't be used.

    A record's ``label`` is what a listing shows of it, so that a thousand known records need no read each.
    """

    async def create(self, key: str, record: Record, label: str = "") -> str | None:
        """Writes a record that isn't there yet and gives its ETag; ``None`` if there is one."""

    async def read(self, key: str) -> Stored | None:
        """The record, or ``None``."""

    async def replace(self, key: str, record: Record, etag: str, label: str = "") -> str | None:
        """Writes over the form that ``etag`` names and gives the new ETag; ``None`` if it has changed."""

    async def delete(self, key: str, etag: str) -> bool:
        """Removes the form that ``etag`` names; ``False`` if it has changed."""

    def entries(self, prefix: str) -> AsyncIterator[Entry]:
        """What begins with ``prefix``, in the order of the keys."""


class BlobStateStore:
    """Records in a container. The container is made when it turns out to be missing."""

    def __init__(self, connection: Connection, container_url: str) -> None:
        self._connection = connection
        parts = urlsplit(container_url)
        self._host = parts.netloc
        self._container = parts.path.strip("/")
        self._client: ContainerClient | None = None
        self._pipeline: AsyncPipelineClient[HttpRequest, AsyncHttpResponse] | None = None
        self.requests = 0

    async def create(self, key: str, record: Record, label: str = "") -> str | None:
        """See :class:`StateStore`."""
        return await self._put(key, record, label, overwrite=False)

    async def read(self, key: str) -> Stored | None:
        """See :class:`StateStore`."""
        # Not the blob client's download: that is a stream, and one that is refused or broken off keeps its
        # connection until it is collected. A record is small and is read in one piece.
        request = HttpRequest("GET", f"https://{self._host}/{self._container}/{quote(key)}")
        async with self._storing(key, "read"):
            self.requests += 1
            response = await self._reader().send_request(request)
            code = response.headers.get("x-ms-error-code", "")
            if code in _NOT_THERE:
                return None
            if response.status_code != 200:
                raise for_status(_SERVICE, key, response.status_code, code, response.reason)
            record = json.loads(response.text("utf-8"))
            if not isinstance(record, dict):
                raise ValueError("the record is no JSON object")  # noqa: TRY004 - read as an unusable answer
            return Stored(key, record, response.headers["etag"])

    async def replace(self, key: str, record: Record, etag: str, label: str = "") -> str | None:
        """See :class:`StateStore`."""
        unchanged = MatchConditions.IfNotModified
        return await self._put(key, record, label, overwrite=True, etag=etag, match_condition=unchanged)

    async def delete(self, key: str, etag: str) -> bool:
        """See :class:`StateStore`."""
        async with self._storing(key, "delete"):
            try:
                self.requests += 1
                await self._opened().delete_blob(key, etag=etag, match_condition=MatchConditions.IfNotModified)
            except HttpResponseError as refusal:
                if code_of(refusal) in _NOT_THERE:
                    return True
                if code_of(refusal) in _CHANGED:
                    return False
                raise
            return True

    async def entries(self, prefix: str) -> AsyncIterator[Entry]:
        """See :class:`StateStore`."""
        marker = ""
        while True:
            parameters = {"prefix": prefix, "marker": marker}
            page = await self._page({name: value for name, value in parameters.items() if value})
            if page is None:
                return
            entries, marker = page
            for entry in entries:
                yield entry
            if not marker:
                return

    async def _page(self, parameters: Mapping[str, str]) -> tuple[list[Entry], str] | None:
        """One page of the listing and the marker of the next; ``None`` without a container."""
        listing = {"restype": "container", "comp": "list", "include": "metadata", "maxresults": str(PAGE_SIZE)}
        request = HttpRequest("GET", f"https://{self._host}/{self._container}", params={**listing, **parameters})
        async with self._storing(parameters.get("prefix", ""), "list"):
            self.requests += 1
            response = await self._reader().send_request(request)
            code = response.headers.get("x-ms-error-code", "")
            if code in _NOT_THERE:
                return None
            if response.status_code != 200:
                raise for_status(_SERVICE, self._container, response.status_code, code, response.reason)
            return read_page(response.content)

    async def _put(self, key: str, record: Record, label: str, **conditions: Any) -> str | None:
        if label:
            conditions["metadata"] = {LABEL: label}
        body = json.dumps(record, separators=(",", ":")).encode()
        async with self._storing(key, "write"):
            try:
                return await self._upload(key, body, conditions)
            except HttpResponseError as refusal:
                if code_of(refusal) != "ContainerNotFound":
                    raise
            await self._make_container()
            return await self._upload(key, body, conditions)

    async def _upload(self, key: str, body: bytes, conditions: Mapping[str, Any]) -> str | None:
        """The new ETag, or ``None`` if somebody was there before."""
        self.requests += 1
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
            self.requests += 1
            await self._opened().create_container()
        except ResourceExistsError:
            return

    @asynccontextmanager
    async def _storing(self, key: str, what: str) -> AsyncIterator[None]:
        right = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"
        try:
            async with asking(_SERVICE, f"{self._host}/{self._container}/{key}", right):
                yield
        except ServiceError as error:
            raise NotStored(f"the monitor's state could not be {_DONE[what]}: {error}") from None

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


class MemoryStateStore:
    """The twin without a container: the same guarantees inside one process."""

    def __init__(self) -> None:
        self._records: dict[str, tuple[str, int, Entry]] = {}
        self._writes = 0

    async def create(self, key: str, record: Record, label: str = "") -> str | None:
        """See :class:`StateStore`."""
        return None if key in self._records else self._write(key, record, label)

    async def read(self, key: str) -> Stored | None:
        """See :class:`StateStore`."""
        if key not in self._records:
            return None
        body, version, _ = self._records[key]
        return Stored(key, json.loads(body), str(version))

    async def replace(self, key: str, record: Record, etag: str, label: str = "") -> str | None:
        """See :class:`StateStore`."""
        return self._write(key, record, label) if self._is(key, etag) else None

    async def delete(self, key: str, etag: str) -> bool:
        """See :class:`StateStore`."""
        if key in self._records and not self._is(key, etag):
            return False
        self._records.pop(key, None)
        return True

    async def entries(self, prefix: str) -> AsyncIterator[Entry]:
        """See :class:`StateStore`."""
        for key in sorted(self._records):
            if key.startswith(prefix):
                yield self._records[key][2]

    def _is(self, key: str, etag: str) -> bool:
        return key in self._records and str(self._records[key][1]) == etag

    def _write(self, key: str, record: Record, label: str) -> str:
        self._writes += 1
        self._records[key] = (json.dumps(record), self._writes, Entry(key, label, datetime.now(UTC), str(self._writes)))
        return str(self._writes)
