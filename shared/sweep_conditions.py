"""What becomes of open conditions: resolved, told at last, or heard of again after a mute.

What a condition's end rests on was learnt by the sweep before (:mod:`shared.sweep_facts`). Only where what it is about
seems to be gone, or where nothing else looks at its blob, that is asked for (:mod:`shared.sweep_targets`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from shared.addresses import BlobAddress
from shared.azure.registries import listed_subscription
from shared.errors import MonitorError, NotStored
from shared.findings.finding import Row, State
from shared.monitor import Monitor
from shared.mutes import as_muted, mark_of, row_muted_by
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Subject
from shared.settings import Mute
from shared.sinks.alerts import Alert, AlertKind
from shared.sinks.condition_records import (
    Condition,
    Telling,
    fails_runs,
    is_orphaned,
    is_seen_by_a_blob,
    last_failed,
    resolved_row,
    row_of,
)
from shared.sinks.conditions import TOLD_LATER_AFTER
from shared.sinks.state_store import Stored
from shared.sweep_facts import SweepFacts
from shared.sweep_reach import CANNOT_CHECK, is_about_artifacts
from shared.sweep_runs import STUCK
from shared.sweep_targets import BLOB_MISSING, Targets, is_kept_from_blob, target_of
from shared.sweep_touched import Touched
from shared.times import iso, parse_time

# Records that are held at a time, and read at a time.
_TOGETHER: Final = 32
_AT_ONCE: Final = 8


class ConditionSweep:
    """Goes through all open conditions once. ``left`` is the number of those that it had no time for."""

    def __init__(self, monitor: Monitor, facts: SweepFacts, now: datetime, *, watches_all: bool = True) -> None:
        self._targets = Targets(monitor, facts, now, watches_all=watches_all)
        self._monitor = monitor
        self._facts = facts
        self._now = now
        self._mutes = {mark_of(mute) for mute in monitor.settings.mutes}
        self._looks = asyncio.Lock()
        self._topic_is_down = False
        self._failure: MonitorError | None = None
        self.resolved = 0
        self.left = 0
        self.published: list[str] = []

    async def tell(self) -> None:
        """Tells what waits to be told. It needs nothing that a sweep learns, so it does not wait for that either."""
        everything = await self._monitor.conditions.everything()
        waiting = [c for c in everything if c.telling is Telling.PENDING and self._is_due(c)]
        for start in range(0, len(waiting), _TOGETHER):
            await self._tell(waiting[start : start + _TOGETHER])
            if self._topic_is_down:
                break

    async def _tell(self, batch: Sequence[Condition]) -> None:
        tell: list[Stored] = []

        async def one(condition: Condition) -> None:
            stored = await self._monitor.conditions.read(condition)
            if stored is not None and stored.record.get("alert") == Telling.PENDING:
                tell.append(stored)

        await self._each(one, batch)
        await self._publish(tell)
        if self._failure is not None:
            raise self._failure

    async def sweep(self, seconds: float | None = None) -> None:
        """Resolves, tells and unmutes, for about so long. Raises :class:`~shared.errors.NotStored`.

        What a batch has found is stored and told before the next one is read, so whatever ends the sweep, the next
        one goes on. Each begins at another condition.
        """
        until = None if seconds is None else time.monotonic() + seconds
        everything = await self._monitor.conditions.everything()
        at = int(self._now.timestamp()) % len(everything) if everything else 0
        waiting = await self._targets.in_turn(everything[at:] + everything[:at])
        touched = Touched(self._facts) if waiting else None
        batch: list[Condition] = []
        for number, condition in enumerate(waiting):
            if touched is not None and self._is_worth_reading(condition, touched):
                batch.append(condition)
            if len(batch) == _TOGETHER:
                await self._settle(batch)
                batch = []
                if until is not None and time.monotonic() > until:
                    self.left = len(waiting) - number - 1
                    return
        await self._settle(batch)

    def _is_worth_reading(self, condition: Condition, touched: Touched) -> bool:
        if self._is_due(condition) and condition.telling is not Telling.PENDING:
            return True
        if condition.finding_key in self._facts.unhealthy:
            return False
        return touched.may_have_ended(condition) or self._targets.may_be_over(condition)

    async def _settle(self, batch: Sequence[Condition]) -> None:
        """Reads these conditions, and does with them what is to be done."""
        gone: list[tuple[Stored, Row]] = []
        tell: list[Stored] = []

        async def one(condition: Condition) -> None:
            stored = await self._monitor.conditions.read(condition)
            if stored is None:
                return
            why = await self._why_gone(stored, condition.finding_key)
            if why:
                gone.extend((known, resolved_row(known.record, self._now, why)) for known in await self._told(stored))
            elif not self._is_due(condition):
                return
            elif condition.telling is Telling.MUTED:
                tell.extend(await self._unmuted(stored))
            elif condition.telling is Telling.LATER:
                tell.append(stored)

        await self._each(one, batch)
        await self._resolve(gone)
        await self._publish(tell)
        if self._failure is not None:
            raise self._failure

    async def _why_gone(self, stored: Stored, key: str) -> str:
        why = resolved_because(stored.record, key, self._facts, self._now)
        if why or key in self._facts.unhealthy:
            return why
        async with self._looks:
            # One after the other: many conditions are about the same thing, which is asked for once.
            return await self._targets.why_over(stored.record, key)

    async def _each(self, work: Callable[[Condition], Awaitable[None]], conditions: Sequence[Condition]) -> None:
        """Some at once. One that fails keeps nobody from the others; the caller raises that, with these done."""
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(condition: Condition) -> None:
            async with turns:
                try:
                    await work(condition)
                except MonitorError as error:
                    self._failure = self._failure or error

        async with asyncio.TaskGroup() as tasks:
            for condition in conditions:
                tasks.create_task(one(condition))

    async def _publish(self, tell: Sequence[Stored]) -> None:
        """Tells of these; of none while the topic is known to be down, as each attempt takes its time."""
        tell = await self._not_muted(tell)
        if not tell or self._topic_is_down or not self._monitor.conditions.has_topic:
            return
        told = await self._monitor.conditions.publish(tell)
        self._topic_is_down = not told
        self.published += told

    async def _not_muted(self, tell: Sequence[Stored]) -> list[Stored]:
        """Those that no mute fits. The others were found before somebody muted them, and wait until that has ended."""
        waiting, rows = [], []
        for stored in tell:
            row = row_of(stored.record)
            mute = self._mute_of(row)
            if mute is None:
                waiting.append(stored)
            elif await self._monitor.conditions.mute(stored, mute.until, mark_of(mute)):
                rows.append(as_muted(row, mute) | {"TimeGenerated": iso(self._now)})
        if rows:
            await self._monitor.recorder.write_rows(rows)
        return waiting

    def _mute_of(self, row: Row) -> Mute | None:
        return row_muted_by(row, self._monitor.settings.mutes, self._now)

    def _is_due(self, condition: Condition) -> bool:
        """Whether it is time to tell of it, or to hear of it again."""
        opened = condition.opened_at
        match condition.telling:
            case Telling.PENDING:
                # Whoever opened it a moment ago is about to tell it.
                return is_orphaned(opened, self._now)
            case Telling.LATER:
                return opened is None or self._now - opened >= TOLD_LATER_AFTER
            case Telling.MUTED:
                lifted = condition.muted_by not in self._mutes
                return lifted or condition.muted_until is None or condition.muted_until <= self._now
            case _:
                return False

    async def _unmuted(self, stored: Stored) -> list[Stored]:
        """The mute has ended or is lifted: the finding is written once more, open, and told if it is to be told."""
        conditions = self._monitor.conditions
        mute = self._mute_of(row_of(stored.record))
        if mute is not None:
            # Somebody has prolonged it since, or it is muted by another one now.
            await conditions.mute_until(stored, mute.until, mark_of(mute))
            return []
        row = _without_mute(row_of(stored.record)) | {"State": str(State.OPEN), "TimeGenerated": iso(self._now)}
        await self._monitor.recorder.write_rows([row])
        telling = Telling.PENDING if stored.record.get("tellWhenUnmuted") else Telling.NONE
        if stored.record.get("ruleId") == CANNOT_CHECK:
            telling = Telling.LATER
        changed = await conditions.change(stored, telling, row)
        return [changed] if changed is not None and telling is Telling.PENDING else []

    async def _told(self, stored: Stored) -> list[Stored]:
        """The record of a condition that is gone. Whoever was to be told of it is told that it was there at all."""
        if stored.record.get("alert") != Telling.PENDING:
            return [stored]
        if not self._monitor.conditions.has_topic or self._mute_of(row_of(stored.record)) is not None:
            # There is none any more, or nobody wants to hear of it.
            return [stored]
        told = None if self._topic_is_down else await self._monitor.conditions.told_now(stored)
        if told is None:
            # The topic is down: the next sweep tells both.
            self._topic_is_down = True
            return []
        self.published.append(Alert(AlertKind.OPENED, row_of(told.record)).id)
        return [told]

    async def _resolve(self, gone: Sequence[tuple[Stored, Row]]) -> None:
        if self._topic_is_down:
            gone = [item for item in gone if not self._is_told(item[0])]
        if not gone:
            return
        await self._monitor.recorder.write_rows([row for _, row in gone])
        told = [item for item in gone if self._is_told(item[0])]
        try:
            self.published += await self._monitor.conditions.publish_resolved([row for _, row in told])
        except NotStored:
            # The records stay, and the next sweep tells it with the same ids.
            self._topic_is_down = True
            gone = [item for item in gone if item not in told]
        turns = asyncio.Semaphore(_AT_ONCE)

        async def close(stored: Stored) -> Stored | None:
            async with turns:
                return await self._monitor.conditions.close(stored)

        again = await asyncio.gather(*(close(stored) for stored, _ in gone))
        self.resolved += len(gone)
        await self._open_again([stored for stored in again if stored is not None])

    def _is_told(self, stored: Stored) -> bool:
        """Whether somebody has heard of it, and is to hear of its end."""
        return stored.record.get("alert") == Telling.PUBLISHED and self._mute_of(row_of(stored.record)) is None

    async def _open_again(self, again: Sequence[Stored]) -> None:
        """A run has failed on them while they were resolved: its row has to be the last word, and it is told."""
        if not again:
            return
        moment = iso(datetime.now(UTC))
        rows = [{**row_of(stored.record), "TimeGenerated": moment} for stored in again]
        mutes = [self._mute_of(row) for row in rows]
        await self._monitor.recorder.write_rows(
            [row if mute is None else as_muted(row, mute) for row, mute in zip(rows, mutes, strict=True)]
        )
        await self._publish([stored for stored in again if stored.record.get("alert") == Telling.PENDING])


def resolved_because(record: Mapping[str, Any], key: str, facts: SweepFacts, began: datetime) -> str:
    """Why a condition is gone, empty if it is not known to be. ``began`` is when the sweep did, so before any look."""
    if key in facts.unhealthy:
        return ""
    row = row_of(record)
    rule = CATALOGUE.get(str(record.get("ruleId")))
    opened = parse_time(record.get("openedAt"))
    if rule is None or rule.subject is Subject.MONITOR:
        return _path_is_open(row, key, facts)
    # What an event has opened since, or met once more, may be younger than the look.
    before_look = all(moment <= began for moment in _met(record))
    if key in facts.healthy and before_look:
        return "a later look finds it gone"
    if is_seen_by_a_blob(rule):
        return _blob_is_settled(row, facts)
    pipeline = str(row.get("PipelineId") or "")
    if before_look and _rests_on_secret(row) and pipeline in facts.renewed_secrets:
        return "the secret has a later expiry date"
    if not fails_runs(rule):
        # Only a look ends it, as runs succeed all the same.
        return ""
    run = str(row.get("RunId") or "")
    if rule.id == STUCK and run in facts.open_runs:
        # It hangs, whatever others do.
        return ""
    since = last_failed(record) or opened
    # Of a write that left no run only a later run of its name may tell the pipeline.
    success = facts.last_success.get(pipeline or facts.failed_runs.get(run, ""))
    if success is not None and since is not None and success > since:
        return "a later run of the pipeline succeeded"
    again = facts.succeeded_runs.get(run)
    if again is not None and since is not None and again > since:
        return "the run was written again and succeeded"
    if again is not None and rule.id == STUCK:
        return "the run has succeeded after all"
    return ""


def _met(record: Mapping[str, Any]) -> Iterator[datetime]:
    """When the condition is known to have been there: a run may have begun before a look and failed after it."""
    latest = row_of({"row": record.get("lastRow")})
    moments = (parse_time(record.get("openedAt")), last_failed(record), parse_time(latest.get("TimeGenerated")))
    return (moment for moment in moments if moment is not None)


def _without_mute(row: Row) -> Row:
    evidence = row.get("Evidence")
    if not isinstance(evidence, Mapping):
        return row
    return {**row, "Evidence": {k: v for k, v in evidence.items() if k not in {"mutedUntil", "muteReason"}}}


def _rests_on_secret(row: Row) -> bool:
    """Whether only the secret's expiry date said so; then its date alone can also end it."""
    evidence = row.get("Evidence")
    return isinstance(evidence, Mapping) and evidence.get("fromSecret") is True


def _path_is_open(row: Row, key: str, facts: SweepFacts) -> str:
    """What the monitor could not check is gone when a whole look does not run into it any more."""
    if key in facts.healthy:
        return "a later look at the run was not kept from it"
    if is_about_artifacts(row) or is_kept_from_blob(row):
        return ""
    pipeline, registry = str(row.get("PipelineId") or ""), row.get("RegistryId")
    subscription = listed_subscription(target_of(row))
    if subscription:
        # Whatever pipeline or blob it was that ran into it, only the list itself tells.
        looked = subscription in facts.listed_subscriptions
    elif pipeline:
        looked = pipeline in facts.looked_pipelines
    elif registry:
        looked = registry in facts.swept_registries
    else:
        looked = _is_about_pipelines(row) and facts.knows_all_pipelines
    return "a later look was not kept from it" if looked else ""


def _is_about_pipelines(row: Row) -> bool:
    """Whether a blob came while a registry's pipelines could not be listed."""
    return target_of(row).startswith("/subscriptions/")


def _blob_is_settled(row: Row, facts: SweepFacts) -> str:
    address = BlobAddress(*(str(row.get(name) or "") for name in ("StorageAccount", "ContainerName", "BlobName")))
    # Where the blob is what was missed, its being gone is no end of that.
    if str(address) in facts.gone_blobs and row.get("RuleId") != BLOB_MISSING:
        return "the blob is gone"
    run = facts.run_after([str(row.get("PipelineId") or "")], address, parse_time(row.get("BlobLastModified")))
    return "a run that succeeded names the blob" if run is not None and run.succeeded else ""
