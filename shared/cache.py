"""A small cache for settings that many events ask about: pipelines, registries, vaults, accounts.

An entry lives for a short, stated time, and one load serves everybody who asks meanwhile. Who diagnoses a
failure can insist on what was read after it: a vault policy read before the run failed proves nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Generic, TypeVar

KEEP_FOR: Final = timedelta(minutes=2)
_MOST_ENTRIES: Final = 5_000

Value = TypeVar("Value")


@dataclass(slots=True)
class _Entry(Generic[Value]):
    asked_at: datetime
    answer: asyncio.Future[Value]


class Cache(Generic[Value]):
    """Answers by key. Failures are never kept."""

    def __init__(self, keep_for: timedelta = KEEP_FOR) -> None:
        self._keep_for = keep_for
        self._entries: dict[Hashable, _Entry[Value]] = {}

    async def get(
        self, key: Hashable, load: Callable[[], Awaitable[Value]], *, read_after: datetime | None = None
    ) -> Value:
        """The answer for ``key``, loaded with ``load`` unless one is young enough.

        With ``read_after`` an answer that was asked for before that moment is not used.
        """
        now = datetime.now(UTC)
        entry = self._entries.get(key)
        if entry is None or entry.asked_at < now - self._keep_for or (read_after and entry.asked_at < read_after):
            entry = _Entry(now, asyncio.ensure_future(_as_coroutine(load)))
            # Taken out first, so that the entries stand in the order in which they were asked for.
            self._entries.pop(key, None)
            self._make_room(now)
            self._entries[key] = entry
            entry.answer.add_done_callback(lambda done: self._forget_failure(key, done))
        # Shielded: the one who asked first may run out of time while others still wait for the answer.
        return await asyncio.shield(entry.answer)

    def _forget_failure(self, key: Hashable, done: asyncio.Future[Value]) -> None:
        if done.cancelled() or done.exception() is not None:
            entry = self._entries.get(key)
            if entry is not None and entry.answer is done:
                del self._entries[key]

    def _make_room(self, now: datetime) -> None:
        """Lets go of what has expired, and of the oldest where there is too much."""
        while self._entries:
            oldest = next(iter(self._entries))
            expired = self._entries[oldest].asked_at < now - self._keep_for
            if not expired and len(self._entries) < _MOST_ENTRIES:
                return
            del self._entries[oldest]


async def _as_coroutine(load: Callable[[], Awaitable[Value]]) -> Value:
    return await load()
