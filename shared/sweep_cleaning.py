"""What the sweep forgets, so that the state does not grow with every run and blob that there ever was.

========================  ======================================================================================
what                      forgotten
========================  ======================================================================================
mark of a run             when its registry's list no longer names the run (or is no longer swept), and nothing
                          was written to it for :func:`marks_kept_for`. A run that is listed keeps its mark for
                          ever: without it a run that says no end, or is written again, would look new.
expectation               when the blob is imported or gone; or when for a day no import pipeline has read its
                          container any more (:mod:`shared.sweep_blobs`)
write that left no run    two days after it (:mod:`shared.sinks.lost_writes`)
rhythm of a look          two days after the last look: it was due again long before
condition                 never by age: it ends by being resolved, and then its record is deleted
========================  ======================================================================================

Marks that no list names any more are known to each sweep from what it reads anyway. Everything else that has to be
listed for this alone is gone through once a day, area by area, for the first time a day after the first sweep. A sweep
that has deleted :data:`MOST` stops, and the next one goes on there. A record is deleted only in the form in which it
was seen, so what somebody writes meanwhile stays, and two sweeps at once do no harm.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.azure.state_listing import Entry
from shared.monitor import Monitor
from shared.sinks.rhythms import KINDS, rhythm_prefix
from shared.sinks.run_marks import run_prefix
from shared.sinks.state_store import Stored
from shared.sweep_facts import SweepFacts
from shared.times import iso, parse_time

EVERY: Final = timedelta(days=1)
# Deletions in one sweep.
MOST: Final = 1_000
_AT_ONCE: Final = 8
# Event Grid delivers an event for a day after it was sent; as much again is the margin.
_DELIVERED_FOR: Final = timedelta(days=1)
_MARGIN: Final = timedelta(days=1)
RHYTHMS_KEPT_FOR: Final = timedelta(days=2)
_CURSOR: Final = "sweep/cleaning.json"
_RUNS: Final = "runs"
# Registries by the first digit of their key, so that one area is a part of all marks.
_AREAS: Final = (*((_RUNS, f"runs/{digit:x}") for digit in range(16)), *(("rhythms", rhythm_prefix(k)) for k in KINDS))


def marks_kept_for(monitor: Monitor) -> timedelta:
    """How long a mark is kept after its last write, once no list names its run.

    As long as the sweep takes up runs that ended within the look-back, and an event about one may come again. What
    is older is left alone even if its registry is swept again one day.
    """
    return monitor.settings.sweep_lookback + _DELIVERED_FOR + _MARGIN


class CleaningSweep:
    """Forgets what has served its time; ``counts`` says how much of what."""

    def __init__(self, monitor: Monitor, facts: SweepFacts, now: datetime) -> None:
        self._monitor = monitor
        self._facts = facts
        self._now = now
        self._tried = 0
        self.counts: Counter[str] = Counter()

    async def sweep(self) -> None:
        """Cleans up to :data:`MOST` records. Raises :class:`~shared.errors.NotStored`."""
        await self._forget(_RUNS, self._facts.unlisted_marks)
        cursor = await self._monitor.state.read(_CURSOR)
        if cursor is None:
            # The first sweep of all: nothing can be old enough yet.
            await self._monitor.state.create(_CURSOR, {"next": 0, "roundBegan": iso(self._now)})
            return
        area = _area_of(cursor)
        began = parse_time(cursor.record.get("roundBegan"))
        if area == 0:
            if began is not None and self._now - began < EVERY:
                return
            began = self._now
        while area < len(_AREAS) and not self._is_enough:
            kind, prefix = _AREAS[area]
            await self._forget(kind, [entry async for entry in self._old(kind, prefix)])
            area += not self._is_enough
        record = {"next": area % len(_AREAS), "roundBegan": iso(began)}
        await self._monitor.state.replace(_CURSOR, record, cursor.etag)

    @property
    def _is_enough(self) -> bool:
        return self._tried >= MOST

    async def _old(self, kind: str, prefix: str) -> AsyncIterator[Entry]:
        """The entries of an area that have served their time."""
        async for entry in self._monitor.state.entries(prefix):
            if kind == _RUNS:
                old = self._is_of_nobody(entry) and is_old_mark(self._monitor, entry, self._now)
            else:
                old = self._now - (parse_time(entry.label) or entry.written) > RHYTHMS_KEPT_FOR
            if old:
                yield entry

    def _is_of_nobody(self, entry: Entry) -> bool:
        """Whether its registry is swept no more, or gone; ``False`` where that is not known."""
        facts = self._facts
        if not facts.knows_all_registries:
            return False
        swept = (r for r in facts.monitored_registries or () if r not in facts.gone_registries)
        return not entry.key.startswith(tuple(run_prefix(r) for r in swept))

    async def _forget(self, kind: str, entries: Sequence[Entry]) -> None:
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(entry: Entry) -> None:
            async with turns:
                self.counts[kind] += await self._monitor.state.delete(entry.key, entry.etag)

        now = entries[: MOST - self._tried]
        self._tried += len(now)
        await asyncio.gather(*(one(entry) for entry in now))


def is_old_mark(monitor: Monitor, entry: Entry, now: datetime) -> bool:
    """Whether nothing was written to a run's mark for so long that it may be forgotten, if no list names the run."""
    return now - entry.written > marks_kept_for(monitor)


def _area_of(cursor: Stored) -> int:
    area = cursor.record.get("next")
    return area if isinstance(area, int) and 0 <= area < len(_AREAS) else 0
