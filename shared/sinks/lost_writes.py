"""Writes that were rejected and left nothing to read. The activity log tells why, some minutes later.

::

                    expect                   finish: the log has told, or a day is over
      (no record) ──────────▶ waiting ─────────────────────────────────────────────▶ done ──two days──▶ (deleted)

One record for each write, by its resource and its correlation id. It is written after the rejection's finding is
stored. Where the log can't be asked at all, it is given up after two days. A ``done`` record stays for as long as the
event may be delivered again, so that a late delivery does not bring the first, poorer cause back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from shared.azure.state_listing import Entry
from shared.findings.finding import digest
from shared.sinks.state_store import StateStore, Stored
from shared.times import iso, parse_time

PREFIX: Final = "lost/"
REJECTED: Final = "ACRT110"
_CURSOR: Final = "sweep/lost-writes.json"
LOOKED_UP_FOR: Final = timedelta(days=1)
# Event Grid delivers for a day; twice that is safe.
KEPT_FOR: Final = timedelta(days=2)


class LookUp(StrEnum):
    """See the picture above."""

    WAITING = "waiting"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class LostRecord:
    """What is remembered of a rejected write."""

    resource_id: str
    correlation_id: str
    written_at: datetime
    event_id: str
    pipeline_id: str
    stored: Stored

    @property
    def stands(self) -> bool:
        """Whether nothing but the rejection itself is known, yet or for good."""
        record = self.stored.record
        return record.get("state") == LookUp.WAITING or record.get("rootCause") == REJECTED

    @classmethod
    def of(cls, stored: Stored) -> LostRecord | None:
        """Reads a record; ``None`` if it makes no sense."""
        record = stored.record
        written = parse_time(record.get("writtenAt"))
        resource_id = str(record.get("resourceId") or "")
        if written is None or not resource_id:
            return None
        return cls(
            resource_id=resource_id,
            correlation_id=str(record.get("correlationId") or ""),
            written_at=written,
            event_id=str(record.get("eventId") or ""),
            pipeline_id=str(record.get("pipelineId") or ""),
            stored=stored,
        )


class LostWrites:
    """The records of all rejected writes."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    async def is_done(self, resource_id: str, correlation_id: str) -> bool:
        """Whether the log has told of this write already, or was given up."""
        stored = await self._store.read(_key(resource_id, correlation_id))
        return stored is not None and stored.record.get("state") == LookUp.DONE

    async def expect(
        self, resource_id: str, correlation_id: str, written_at: datetime, event_id: str, pipeline_id: str = ""
    ) -> None:
        """Remembers that the log is to be asked about a write. What is remembered already stays as it is."""
        record = {
            "state": str(LookUp.WAITING),
            "resourceId": resource_id,
            "correlationId": correlation_id,
            "writtenAt": iso(written_at),
            "eventId": event_id,
            "pipelineId": pipeline_id,
        }
        await self._store.create(_key(resource_id, correlation_id), record, _label(record))

    async def waiting(self, now: datetime, most: int) -> list[LostRecord]:
        """Writes that the log is to be asked about, ``most`` of them, going on where the last call has stopped.

        Records that have served their time are deleted.
        """
        keys = [entry.key async for entry in self._store.entries(PREFIX) if not _is_kept(entry, now)]
        stopped = await self._store.read(_CURSOR)
        first = str(stopped.record.get("next") or "") if stopped is not None else ""
        turn = [key for key in keys if key >= first] + [key for key in keys if key < first]
        found: list[LostRecord] = []
        upcoming = ""
        for key in turn:
            if len(found) == most:
                upcoming = key
                break
            record = await self._waiting(key)
            if record is not None:
                found.append(record)
        if upcoming != first:
            await self._stop_before(upcoming, stopped)
        return found

    async def later(self, resource_id: str, correlation_id: str, written_at: datetime) -> LostRecord | None:
        """The next write of the same resource, if there is one for which the rejection itself stands so far."""
        own = _key(resource_id, correlation_id)
        found: list[LostRecord] = []
        async for entry in self._store.entries(PREFIX):
            about = entry.label.split("|")[2:]
            # Labels were shorter once.
            if entry.key == own or about not in ([], [_short(resource_id)]):
                continue
            stored = await self._store.read(entry.key)
            record = LostRecord.of(stored) if stored is not None else None
            if record is not None and record.resource_id.lower() == resource_id.lower() and record.stands:
                found.append(record)
        return min((r for r in found if r.written_at >= written_at), key=lambda r: r.written_at, default=None)

    async def _waiting(self, key: str) -> LostRecord | None:
        """The record if the log is still to be asked; one that is done, or makes no sense, is deleted."""
        stored = await self._store.read(key)
        if stored is None:
            return None
        record = LostRecord.of(stored)
        if record is None or stored.record.get("state") == LookUp.DONE:
            await self._store.delete(stored.key, stored.etag)
            return None
        return record

    async def _stop_before(self, key: str, stopped: Stored | None) -> None:
        """Losing this to another sweep does no harm: the writes that it has asked about are asked about again."""
        if stopped is None:
            await self._store.create(_CURSOR, {"next": key})
        else:
            await self._store.replace(_CURSOR, {"next": key}, stopped.etag)

    async def finish(self, record: LostRecord, rule_id: str) -> None:
        """Notes that the log has told, or is asked no more; ``rule_id`` is the root cause that stands, if any does."""
        done: dict[str, Any] = {**record.stored.record, "state": str(LookUp.DONE), "rootCause": rule_id}
        # Lost only to another sweep that has found the same.
        await self._store.replace(record.stored.key, done, record.stored.etag, _label(done))


def _is_kept(entry: Entry, now: datetime) -> bool:
    """Whether a write is done with, and its record has not served its time."""
    state, written = [*entry.label.split("|"), ""][:2]
    moment = parse_time(written)
    return state == LookUp.DONE and moment is not None and now - moment < KEPT_FOR


def _key(resource_id: str, correlation_id: str) -> str:
    return f"{PREFIX}{digest(resource_id.lower(), correlation_id.lower())}.json"


def _label(record: dict[str, Any]) -> str:
    return f"{record['state']}|{record['writtenAt']}|{_short(str(record['resourceId']))}"


def _short(resource_id: str) -> str:
    """What a label has room for of a resource id."""
    return digest(resource_id.lower())[:12]
