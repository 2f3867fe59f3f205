"""Where a sweep that ran out of time has stopped, so that the next one begins there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shared.errors import NotStored
from shared.sinks.state_store import StateStore, Stored

_KEY: Final = "sweep/cursor.json"


class Cursor:
    """The registry that the next sweep begins with."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._stored: Stored | None = None

    async def rotated(self, registries: Sequence[str]) -> tuple[str, ...]:
        """The registries, beginning with the one that the last sweep did not reach."""
        self._stored = await self._store.read(_KEY)
        first = str(self._stored.record.get("next") or "") if self._stored is not None else ""
        if first not in registries:
            return tuple(registries)
        at = list(registries).index(first)
        return (*registries[at:], *registries[:at])

    async def stop_before(self, registry_id: str) -> None:
        """Remembers the first registry that was not reached; empty if all were."""
        before = str(self._stored.record.get("next") or "") if self._stored is not None else ""
        if registry_id == before:
            return
        record = {"next": registry_id}
        try:
            if self._stored is None:
                await self._store.create(_KEY, record)
            else:
                await self._store.replace(_KEY, record, self._stored.etag)
        except NotStored:
            # The next sweep begins at the front, as this one did.
            return
