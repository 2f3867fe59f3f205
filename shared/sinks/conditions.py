"""Conditions: what is wrong until it is resolved, and whether somebody was told. One record for each.

::

                    open                       publish                  resolve
      (no record) ────────▶ open, alert pending ───────▶ open, published ───────▶ (record deleted)
                     │            │  topic down: stays pending,
                     │            └─▶ the sweep publishes it
                     └────▶ open, alert none        (Low, Possible, contributing: written, never said)

The alert is decided by who creates the record, so a redelivered event raises no second one. It is published
from the record, so after a crash it goes out again with the same id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from shared.errors import NotStored
from shared.findings.finding import Finding, Row
from shared.sinks.alerts import Alert, AlertKind, AlertSink
from shared.sinks.state_store import StateStore, Stored
from shared.times import iso, parse_time

PREFIX: Final = "conditions/"
PENDING: Final = "pending"
PUBLISHED: Final = "published"
NONE: Final = "none"
ORPHANED_AFTER: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Told:
    """A finding whose condition is open, and whether it is to be published."""

    finding: Finding
    alert: bool


def condition_key(finding_key: str) -> str:
    """Where the record of a condition stands."""
    return f"{PREFIX}{finding_key}.json"


class Conditions:
    """The records of all open conditions. ``sink`` is ``None`` where no topic is set."""

    def __init__(self, store: StateStore, sink: AlertSink | None) -> None:
        self._store = store
        self._sink = sink

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

    async def open(self, findings: Sequence[Told]) -> list[str]:
        """Opens the findings' conditions and publishes those that are new. Gives the ids that were published."""
        opened = await asyncio.gather(*(self._open(told) for told in findings))
        return await self.publish([record for record in opened if record is not None])

    async def _open(self, told: Told) -> Stored | None:
        """The record whose alert is still to be published, if any."""
        finding = told.finding
        key = condition_key(finding.finding_key)
        alert = PENDING if told.alert and self._sink is not None else NONE
        record = _record(finding, alert)
        etag = await self._store.create(key, record, label(record))
        if etag is not None:
            return Stored(key, record, etag) if alert == PENDING else None
        if alert == NONE:
            return None
        stored = await self._store.read(key)
        if stored is None:
            raise NotStored(f"the condition {finding.finding_key} vanished while it was read")
        if stored.record.get("alert") == PENDING:
            # Whoever created it a moment ago is about to publish it; only an orphan is taken over.
            opened = parse_time(stored.record.get("openedAt"))
            return stored if opened is None or finding.time_generated - opened > ORPHANED_AFTER else None
        if stored.record.get("alert") == PUBLISHED:
            return None
        # It was known, but nothing to be told: a contributing cause that has become the root cause.
        record["openedAt"] = stored.record.get("openedAt") or record["openedAt"]
        etag = await self._store.replace(key, record, stored.etag, label(record))
        if etag is None:
            raise NotStored(f"the condition {finding.finding_key} changed while it was read")
        return Stored(key, record, etag)

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
        record = {**stored.record, "alert": PUBLISHED}
        # Lost to somebody who published the same alert, with the same id, at the same moment.
        await self._store.replace(stored.key, record, stored.etag, label(record))


def _record(finding: Finding, alert: str) -> dict[str, Any]:
    return {
        "findingKey": finding.finding_key,
        "ruleId": finding.rule_id,
        "openedAt": iso(finding.time_generated),
        "alert": alert,
        "row": finding.to_row(),
    }


def row_of(record: Mapping[str, Any]) -> Row:
    """The row with which the condition opened."""
    row = record.get("row")
    return dict(row) if isinstance(row, Mapping) else {}


def label(record: Mapping[str, Any]) -> str:
    """What a listing shows of a condition."""
    return f"{record.get('alert', '')}|{record.get('ruleId', '')}"
