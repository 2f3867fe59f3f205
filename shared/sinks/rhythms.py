"""When something was last looked at that has a slower rhythm than the sweep: one record for each.

A listing shows them all, so that nothing has to be read to know what is due.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from shared.azure.state_listing import Entry
from shared.errors import NotStored
from shared.findings.finding import digest
from shared.sinks.state_store import StateStore
from shared.times import iso, parse_time

PREFIX: Final = "rhythms/"
# What has a rhythm.
KINDS: Final = ("pipelines", "containers", "blobs", "reach", "stuck", "standing", "targets")


def rhythm_prefix(kind: str) -> str:
    """Where the records of one kind of look stand."""
    return f"{PREFIX}{kind}/"


class Rhythms:
    """The records of one kind of look, read once for a sweep."""

    def __init__(self, store: StateStore, kind: str) -> None:
        self._store = store
        self._prefix = rhythm_prefix(kind)
        self._known: dict[str, Entry] = {}

    async def load(self) -> None:
        """Reads the list of all records."""
        self._known = {entry.key: entry async for entry in self._store.entries(self._prefix)}

    def is_due(self, what: str, every: timedelta, now: datetime) -> bool:
        """Whether ``what`` was not looked at for ``every``."""
        last = self.last(what)
        return last is None or now - last >= every

    def last(self, what: str) -> datetime | None:
        """When ``what`` was last looked at, as far as the list told."""
        entry = self._known.get(self._key(what))
        return parse_time(entry.label) if entry is not None else None

    async def note(self, what: str, now: datetime) -> None:
        """Remembers that ``what`` was looked at. Losing this to another sweep does no harm."""
        key = self._key(what)
        label = iso(now) or ""
        record = {"what": what, "at": label}
        try:
            entry = self._known.get(key)
            if entry is None:
                await self._store.create(key, record, label)
            else:
                await self._store.replace(key, record, entry.etag, label)
        except NotStored:
            # Then it is looked at once more; what was found is stored.
            return

    def _key(self, what: str) -> str:
        return f"{self._prefix}{digest(what)}.json"
