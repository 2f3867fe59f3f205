"""The monitor's own memory: small JSON records, each a blob of its own.

Everything that must hold between two processes rests on two guarantees of Blob Storage: a record is created
by exactly one writer (``If-None-Match: *``), and replaced only by the one who saw its latest form
(``If-Match``). An in-memory twin serves tests and the command line.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from shared.azure.connection import Connection
from shared.azure.state_container import StateContainer
from shared.azure.state_listing import Entry
from shared.errors import NotStored, ServiceError

Record = Mapping[str, Any]


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
        self._container = StateContainer(connection, container_url)

    async def create(self, key: str, record: Record, label: str = "") -> str | None:
        """See :class:`StateStore`."""
        with _storing("written"):
            return await self._container.write(key, record, label, None)

    async def read(self, key: str) -> Stored | None:
        """See :class:`StateStore`."""
        with _storing("read"):
            found = await self._container.read(key)
        return Stored(key, *found) if found else None

    async def replace(self, key: str, record: Record, etag: str, label: str = "") -> str | None:
        """See :class:`StateStore`."""
        with _storing("written"):
            return await self._container.write(key, record, label, etag)

    async def delete(self, key: str, etag: str) -> bool:
        """See :class:`StateStore`."""
        with _storing("deleted"):
            return await self._container.delete(key, etag)

    async def entries(self, prefix: str) -> AsyncIterator[Entry]:
        """See :class:`StateStore`."""
        marker, more = "", True
        while more:
            with _storing("listed"):
                entries, marker = await self._container.page(prefix, marker)
            for entry in entries:
                yield entry
            more = bool(marker)


@contextmanager
def _storing(what: str) -> Iterator[None]:
    try:
        yield
    except ServiceError as error:
        raise NotStored(f"the monitor's state could not be {what}: {error}") from None


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
