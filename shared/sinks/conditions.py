"""Conditions: what is wrong until it is resolved, and whether somebody was told. One record for each.

::

                    open                      publish                    resolve: a row, and an alert
      (no record) ────────▶ open, pending ───────────▶ open, published ───────────────▶ (record deleted)
                     │            │  topic down: stays pending,
                     │            └─▶ the sweep publishes it
                     ├────▶ open, later      (ACRT901: told once it has lasted for an hour)
                     ├────▶ muted            (told when the mute has ended, or is lifted)
                     │      open, pending or later ──a mute fits by now──▶ muted
                     └────▶ open, none       (Low, Possible, contributing: written, never told)

      open ──another run failed on it──▶ open, and the record knows when that run began, with its row
           ──at the moment at which it is being resolved──▶ open, pending, with that row: an occurrence of its own

What was told before it was muted stays published: its rows say that it is muted while it is, and no alert says
meanwhile that it is resolved.

A success resolves a condition only if it began after the last failure on it, not after the first.

The alert is decided by who creates the record, so a redelivered event raises no second one. It is published
from the record, so after a crash it goes out again with the same id. The record of a resolved condition is
deleted last, for the same reason.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from shared.errors import NotStored
from shared.findings.finding import Finding, Row
from shared.sinks.alerts import Alert, AlertKind, AlertSink
from shared.sinks.condition_records import (
    PREFIX,
    Condition,
    Telling,
    Told,
    condition_key,
    condition_of,
    ends_with_a_success,
    failed_later,
    is_orphaned,
    label,
    last_failed,
    record_of,
    row_of,
    telling_of,
)
from shared.sinks.shared_uploads import SharedUploads
from shared.sinks.state_store import StateStore, Stored
from shared.times import iso, parse_time

TOLD_LATER_AFTER: Final = timedelta(hours=1)
# Of a write that somebody else's is ahead of; in one process such writes are shared already.
_ATTEMPTS: Final = 5

# What the rows of a newer finding may still change: never back, and never from told to untold.
_UPGRADES: Final[Mapping[Telling, frozenset[Telling]]] = {
    Telling.NONE: frozenset({Telling.PENDING, Telling.LATER}),
    Telling.LATER: frozenset({Telling.PENDING}),
}


class Conditions:
    """The records of all open conditions. ``sink`` is ``None`` where no topic is set."""

    def __init__(self, store: StateStore, sink: AlertSink | None) -> None:
        self._store = store
        self._sink = sink
        # Fifty runs that fail on one dead token at the same moment would fight for one record.
        self._failures = SharedUploads(self._note_failures)
        self._too_late: set[bytes] = set()

    @property
    def has_topic(self) -> bool:
        """Whether anybody can be told."""
        return self._sink is not None

    async def opened_at(self, keys: Iterable[str]) -> dict[str, datetime]:
        """When each condition opened, for those that are open."""
        wanted = list(dict.fromkeys(keys))
        stored = await asyncio.gather(*(self._store.read(condition_key(key)) for key in wanted))
        opened = {
            key: parse_time(record.record.get("openedAt"))
            for key, record in zip(wanted, stored, strict=True)
            if record is not None
        }
        return {key: moment for key, moment in opened.items() if moment is not None}

    async def reserve(self, findings: Sequence[Told]) -> dict[str, Stored]:
        """Writes the records of those conditions that are not open yet, by the condition's key, and tells nobody.

        For findings that no run's mark remembers, before their rows are stored; :meth:`open` tells of them afterwards.
        """
        made = await asyncio.gather(*(self._create(told) for told in findings))
        return {told.finding.finding_key: stored for told, stored in zip(findings, made, strict=True) if stored}

    async def open(self, findings: Sequence[Told], reserved: Mapping[str, Stored] | None = None) -> list[str]:
        """Opens the findings' conditions and publishes those that are new. Gives the ids that were published."""
        there = reserved or {}
        opened = [there[key] for told in findings if (key := told.finding.finding_key) in there]
        others = [told for told in findings if told.finding.finding_key not in there]
        opened += [stored for stored in await asyncio.gather(*map(self._open, others)) if stored is not None]
        return await self.publish([stored for stored in opened if telling_of(stored.record) is Telling.PENDING])

    async def _create(self, told: Told) -> Stored | None:
        """The record, unless there is one."""
        key, record = condition_key(told.finding.finding_key), record_of(told, self._allowed(told.telling))
        etag = await self._store.create(key, record, label(record))
        return Stored(key, record, etag) if etag is not None else None

    def _allowed(self, telling: Telling) -> Telling:
        """Without a topic nobody can be told."""
        return Telling.NONE if self._sink is None and telling is not Telling.MUTED else telling

    async def _open(self, told: Told) -> Stored | None:
        """The record that was made, or whose alert is still to be published, if any."""
        for _ in range(_ATTEMPTS):
            try:
                return await self._open_or_note(told)
            except _Vanished:
                # It was closed at this moment, so this finding opens it anew.
                continue
        raise NotStored(f"the condition {told.finding.finding_key} vanished again and again while it was read")

    async def _open_or_note(self, told: Told) -> Stored | None:
        finding, telling = told.finding, self._allowed(told.telling)
        created = await self._create(told)
        if created is not None:
            return created
        if telling is Telling.NONE and not ends_with_a_success(finding):
            return None
        key = condition_key(finding.finding_key)
        stored = await self._store.read(key)
        if stored is None:
            raise _Vanished
        noted = await self._note(finding, stored)
        known = telling_of(stored.record)
        if known is Telling.PENDING:
            # Whoever created it a moment ago is about to publish it; only an orphan is taken over. One that is muted
            # by now is the sweep's.
            wanted = telling is not Telling.MUTED and is_orphaned(
                parse_time(stored.record.get("openedAt")), finding.time_generated
            )
        else:
            wanted = telling in _UPGRADES.get(known, frozenset())
        if telling is Telling.NONE or not wanted:
            return None
        if noted:
            stored = await self._store.read(key)
            if stored is None:
                raise _Vanished
        if known is Telling.PENDING:
            return stored
        # It was known, but nothing to be told: a contributing cause that has become the root cause.
        record = record_of(told, telling)
        record["openedAt"] = stored.record.get("openedAt") or record["openedAt"]
        record["lastFailed"] = iso(last_failed(stored.record))
        etag = await self._store.replace(key, record, stored.etag, label(record))
        if etag is None:
            raise NotStored(f"the condition {finding.finding_key} changed while it was read")
        return Stored(key, record, etag) if telling is Telling.PENDING else None

    async def _note(self, finding: Finding, stored: Stored) -> bool:
        """Whether the record had to learn that a later run has failed on the condition, which it has then."""
        if not ends_with_a_success(finding) or not failed_later(finding.run_start_time, stored.record):
            return False
        content = {"key": stored.key, "at": iso(finding.run_start_time), "row": finding.to_row()}
        note = json.dumps(content).encode()
        await self._failures.add([note])
        if note in self._too_late:
            self._too_late.discard(note)
            raise _Vanished
        return True

    async def _note_failures(self, notes: Sequence[bytes]) -> None:
        by_key: dict[str, list[tuple[dict[str, Any], bytes]]] = {}
        for note in notes:
            content = json.loads(note)
            by_key.setdefault(content["key"], []).append((content, note))
        for key, there in zip(by_key, await asyncio.gather(*map(self._note_latest, by_key.values())), strict=True):
            if not there:
                self._too_late |= {note for _, note in by_key[key]}

    async def _note_latest(self, notes: Sequence[tuple[Mapping[str, Any], bytes]]) -> bool:
        """Writes down the latest of these failures; ``False`` if the condition was closed before."""
        latest = max((content for content, _ in notes), key=lambda content: str(content["at"]))
        for _ in range(_ATTEMPTS):
            stored = await self._store.read(latest["key"])
            if stored is None:
                return False
            if not failed_later(parse_time(latest["at"]), stored.record):
                return True
            record = {**stored.record, "lastFailed": latest["at"], "lastRow": latest["row"]}
            if await self._store.replace(stored.key, record, stored.etag, label(record)) is not None:
                return True
        raise NotStored(f"the condition {latest['key']} changed each time while it was written")

    async def publish(self, pending: Sequence[Stored]) -> list[str]:
        """Publishes the alerts of records; where the topic is down they stay pending."""
        if not pending or self._sink is None:
            return []
        alerts = [Alert(AlertKind.OPENED, row_of(stored.record)) for stored in pending]
        try:
            await self._sink.publish(alerts)
        except NotStored:
            return []
        await asyncio.gather(*(self._mark_published(stored) for stored in pending))
        return [alert.id for alert in alerts]

    async def _mark_published(self, stored: Stored) -> None:
        """Another run's failure may have been noted meanwhile; that must not send the alert a second time."""
        told = row_of(stored.record).get("FindingId")
        for _ in range(_ATTEMPTS):
            if await self.change(stored, Telling.PUBLISHED) is not None:
                return
            changed = await self._store.read(stored.key)
            if changed is None or telling_of(changed.record) is not Telling.PENDING:
                return
            if row_of(changed.record).get("FindingId") != told:
                return
            stored = changed

    async def change(self, stored: Stored, telling: Telling, row: Row | None = None) -> Stored | None:
        """Writes another telling, and perhaps a newer row; ``None`` if somebody else was first."""
        record = {**stored.record, "alert": str(telling)}
        if row is not None:
            record["row"] = row
        if telling is not Telling.MUTED:
            record |= {"mutedUntil": None, "mutedBy": ""}
        etag = await self._store.replace(stored.key, record, stored.etag, label(record))
        return Stored(stored.key, record, etag) if etag is not None else None

    async def mute(self, stored: Stored, until: datetime, muted_by: str) -> bool:
        """Keeps an alert that was not published yet until the mute has ended; ``False`` if somebody else was first."""
        record = {**stored.record, "alert": str(Telling.MUTED), "tellWhenUnmuted": True}
        record |= {"mutedUntil": iso(until), "mutedBy": muted_by}
        return await self._store.replace(stored.key, record, stored.etag, label(record)) is not None

    async def mute_until(self, stored: Stored, until: datetime, muted_by: str) -> None:
        """Writes another end of the mute, or another mute. Losing this to somebody else does no harm."""
        record = {**stored.record, "mutedUntil": iso(until), "mutedBy": muted_by}
        await self._store.replace(stored.key, record, stored.etag, label(record))

    async def everything(self) -> list[Condition]:
        """All open conditions, from one listing."""
        return [
            condition async for entry in self._store.entries(PREFIX) if (condition := condition_of(entry)) is not None
        ]

    async def read(self, condition: Condition) -> Stored | None:
        """The whole record of a condition."""
        return await self._store.read(condition.entry.key)

    async def opened_by(self, finding_key: str, finding_id: str) -> Stored | None:
        """The record of an open condition, if it was this finding that opened it and no later run has failed on it."""
        stored = await self._store.read(condition_key(finding_key))
        if stored is None or row_of(stored.record).get("FindingId") != finding_id:
            return None
        return stored if not stored.record.get("lastRow") else None

    async def open_row(self, finding_key: str, *, but: str = "") -> Row | None:
        """The latest row of a condition that is open, other than that of the finding ``but``, which is taken back."""
        stored = await self._store.read(condition_key(finding_key))
        if stored is None:
            return None
        latest = row_of({"row": stored.record.get("lastRow")})
        return latest if latest and latest.get("FindingId") != but else row_of(stored.record)

    async def told_now(self, pending: Stored) -> Stored | None:
        """The record once its alert is published that was still to be; ``None`` if the topic is down."""
        await self.publish([pending])
        stored = await self._store.read(pending.key)
        return stored if stored is not None and telling_of(stored.record) is Telling.PUBLISHED else None

    async def publish_resolved(self, rows: Sequence[Row]) -> list[str]:
        """Tells that conditions are gone. Raises :class:`~shared.errors.NotStored` if the topic is down."""
        if not rows or self._sink is None:
            return []
        alerts = [Alert(AlertKind.RESOLVED, row) for row in rows]
        await self._sink.publish(alerts)
        return [alert.id for alert in alerts]

    async def close(self, stored: Stored) -> Stored | None:
        """Deletes the record of a condition that is gone and, if it had to be, told to be gone.

        If a run has failed on it meanwhile, it is open again, as that run's: gives the record as it is then.
        """
        if await self._store.delete(stored.key, stored.etag):
            return None
        changed = await self._store.read(stored.key)
        row = changed.record.get("lastRow") if changed is not None else None
        if changed is None or not isinstance(row, Mapping) or last_failed(changed.record) == last_failed(stored.record):
            # Another sweep has changed it, and what that one or the next finds counts.
            return None
        telling = telling_of(changed.record)
        record = {
            **changed.record,
            "alert": str(Telling.PENDING if telling is Telling.PUBLISHED else telling),
            "openedAt": row.get("TimeGenerated"),
            "row": dict(row),
            "lastRow": None,
        }
        etag = await self._store.replace(changed.key, record, changed.etag, label(record))
        return Stored(changed.key, record, etag) if etag is not None else None


class _Vanished(Exception):
    """The record was there when it was to be created, and not when it was to be read."""
