"""Writes that left nothing to read: rejected by ARM, or deleted before anybody could look.

::

      event ─ ACRT110, its own root cause ─ remember ┄┄┄ sweep ─ the log tells ─┬─ another cause: that one,
                                                            │                  │  and ACRT110 as Resolved
                                                            └─ not yet: again  └─ none: ACRT110 with the text

Every row about one write has the same ids, made of the rule, the resource and the correlation id.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from shared.azure.activity_log import READ_RIGHT, ActivityLogReader, LoggedFailure, can_be_looked_up
from shared.diagnosis.diagnose import Diagnosis, Result, diagnose_rejected_write
from shared.errors import NotStored, PermanentError, ServiceError
from shared.events import PipelineRejected, RunWritten, WriteResult
from shared.evidence.gather import Gatherer
from shared.evidence.message import read_message
from shared.evidence.model import Evidence, Look, LostWrite
from shared.evidence.pieces import Unavailable
from shared.findings.builder import Occasion, TriggeredBy
from shared.findings.finding import Finding, State, finding_id, finding_key
from shared.recorder import Recorded, Recorder
from shared.records.transfer import Direction
from shared.resource_ids import ResourceId, parse_resource_id
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import warned
from shared.sinks.condition_records import Telling, condition_key, telling_of
from shared.sinks.conditions import Conditions
from shared.sinks.lost_writes import LOOKED_UP_FOR, REJECTED, LostRecord, LostWrites
from shared.sinks.state_store import StateStore
from shared.times import iso

GONE: Final = "ACRT106"
# What the log tells; they stay open while it can't be read.
_TOLD_BY_LOG: Final = ("ACRT111", "ACRT112")
# Each part is bounded, and none can hold the slash that ends it.
_PIPELINE: Final = re.compile(
    r"/subscriptions/[^/\s'\"]{1,64}/resourceGroups/[^/\s'\"]{1,128}/providers/Microsoft\.ContainerRegistry/"
    r"registries/[A-Za-z0-9]{1,64}/(?:ex|im)portPipelines/[A-Za-z0-9-]{1,64}",
    re.IGNORECASE,
)
_DIRECTIONS: Final = {"exportpipelines": Direction.EXPORT, "importpipelines": Direction.IMPORT}


@dataclass(frozen=True, slots=True)
class Write:
    """A write of a run or a pipeline; ``moment`` tells it from others where it has no correlation id.

    ``pipeline_id`` is the pipeline of a run as far as it is known. No event says it: it is that of another run of the
    same name, or the one that ARM's answer names.
    """

    resource: ResourceId
    correlation_id: str
    time: datetime | None
    rejected: bool
    pipeline_id: str = ""

    @property
    def moment(self) -> str:
        """What tells this write from another one of the same resource."""
        return self.correlation_id or (self.time.isoformat() if self.time else "")

    @classmethod
    def of_run(cls, written: RunWritten, pipeline_id: str = "") -> Write:
        """The write of a run that is not there, or is not this write's."""
        rejected = written.result is WriteResult.FAILURE
        return cls(written.run_id, written.correlation_id, written.time, rejected, pipeline_id.lower())

    @classmethod
    def of_record(cls, record: LostRecord) -> Write:
        """The write that the log is to be asked about."""
        resource = parse_resource_id(record.resource_id)
        return cls(resource, record.correlation_id, record.written_at, rejected=True, pipeline_id=record.pipeline_id)

    @classmethod
    def of_pipeline(cls, written: PipelineRejected) -> Write:
        """The write of a pipeline that was rejected."""
        return cls(written.pipeline_id, written.correlation_id, written.time, rejected=True)


class RejectedWrites:
    """Tells of such writes, first by the event alone and later with what the activity log holds."""

    def __init__(self, gatherer: Gatherer, recorder: Recorder, conditions: Conditions, state: StateStore) -> None:
        self._gatherer = gatherer
        self._recorder = recorder
        self._conditions = conditions
        self._state = state
        self.records = LostWrites(state)

    async def told(self, write: Write, occasion: Occasion) -> Recorded:
        """What the event alone says. Raises :class:`~shared.errors.NotStored`."""
        evidence = self._evidence(write, None)
        resource_id = str(write.resource)
        if not write.rejected:
            gone = Diagnosis(evidence, (Result(CATALOGUE[GONE], warned()),))
            return await self._recorder.write(await self._built(gone, write, occasion))
        looked_up = can_be_looked_up(write.correlation_id)
        if looked_up and await self.records.is_done(resource_id, write.correlation_id):
            return Recorded()
        findings = await self._built(diagnose_rejected_write(evidence), write, occasion)
        recorded = await self._recorder.write(findings)
        if looked_up:
            written_at = write.time or datetime.now(UTC)
            await self.records.expect(
                resource_id, write.correlation_id, written_at, occasion.event_id, write.pipeline_id
            )
        return recorded

    async def look_up(
        self, record: LostRecord, log: ActivityLogReader, occasion: Occasion, pipeline_id: str = ""
    ) -> Recorded:
        """Asks the log about one write and stores what it says; ``pipeline_id`` is that of a later run of the name.

        Raises :class:`~shared.errors.NotStored`, and :class:`~shared.errors.TransientError` if the log can't be had.
        """
        write = Write.of_record(record)
        write = replace(write, pipeline_id=write.pipeline_id or pipeline_id.lower())
        occasion = replace(occasion, event_id=record.event_id, correlation_id=record.correlation_id)
        subscription = write.resource.subscription
        failure: LoggedFailure | None = None
        recorded = Recorded()
        try:
            failure = await log.failure(subscription, record.correlation_id, record.resource_id, record.written_at)
        except PermanentError as error:
            recorded = await self._cannot_read_log(error, write, occasion)
        given_up = datetime.now(UTC) - record.written_at > LOOKED_UP_FOR
        if failure is not None:
            write = replace(write, pipeline_id=write.pipeline_id or pipeline_named(failure.text, write.resource))
            evidence = self._evidence(write, failure)
            diagnosis = diagnose_rejected_write(evidence)
            cause = diagnosis.root_cause
            found = cause is not None and cause.rule.id != REJECTED
            # A deployment's entry comes before the write's own, which may say more.
            if found or failure.own or given_up:
                recorded = await self._replace_cause(diagnosis, write, occasion)
                await self.records.finish(record, cause.rule.id if cause is not None else REJECTED)
                return recorded
        if given_up:
            await self.records.finish(record, REJECTED)
        return recorded

    async def take_back(self, record: LostRecord, occasion: Occasion) -> Recorded:
        """The write has left a run after all, which was not to be seen when its event came: it was not rejected."""
        write = Write.of_record(record)
        occasion = replace(occasion, event_id=record.event_id, correlation_id=record.correlation_id)
        recorded = await self._resolved(write, occasion)
        await self.records.finish(record, "")
        return recorded

    async def _resolved(
        self, write: Write, occasion: Occasion, causes: Sequence[tuple[Finding, bool]] = ()
    ) -> Recorded:
        """Stores ``causes``, and the rejection once more as resolved."""
        first = await self._built(diagnose_rejected_write(self._evidence(write, None)), write, occasion)
        resolved = [replace(finding, state=State.RESOLVED) for finding, _ in first if finding.rule_id == REJECTED]
        recorded = await self._recorder.write([*causes, *((finding, False) for finding in resolved)])
        alerts = [alert for finding in resolved for alert in await self._close(finding, write)]
        return Recorded(recorded.findings, (*recorded.alerts, *alerts))

    async def _replace_cause(self, diagnosis: Diagnosis, write: Write, occasion: Occasion) -> Recorded:
        """Stores the cause that the log names, and the rejection once more as resolved if it is another one."""
        cause = diagnosis.root_cause
        built = await self._built(diagnosis, write, occasion)
        if cause is None or cause.rule.id == REJECTED:
            return await self._recorder.write(built)
        causes = [(finding, told) for finding, told in built if finding.rule_id != REJECTED]
        return await self._resolved(write, occasion, causes)

    async def _close(self, finding: Finding, write: Write) -> list[str]:
        """Closes the condition, unless another write of the same resource has it still."""
        key = finding.finding_key
        later = None
        if write.time is not None:
            later = await self.records.later(str(write.resource), write.correlation_id, write.time)
        stored = await self._conditions.opened_by(key, finding.finding_id)
        if stored is None or later is not None:
            await self._stays_open(key, finding.finding_id, later)
            return []
        told = telling_of(stored.record) is Telling.PUBLISHED
        alerts = await self._conditions.publish_resolved([finding.to_row()]) if told else []
        await self._conditions.close(stored)
        return alerts

    async def _stays_open(self, key: str, finding: str, later: LostRecord | None) -> None:
        """The last word about a condition that stays open has to be that it is: from now on, the ``later`` write's."""
        row = await self._conditions.open_row(key)
        if row is None:
            return
        if later is None or row.get("FindingId") != finding:
            await self._recorder.write_rows([{**row, "TimeGenerated": iso(datetime.now(UTC))}])
            return
        occasion = Occasion(TriggeredBy.RUN_EVENT, later.event_id, later.correlation_id)
        write = Write.of_record(later)
        built = await self._built(diagnose_rejected_write(self._evidence(write, None)), write, occasion)
        recorded = await self._recorder.write([(one, told) for one, told in built if one.rule_id == REJECTED])
        stored = await self._state.read(condition_key(key))
        [its] = recorded.findings
        if stored is None or await self._conditions.change(stored, telling_of(stored.record), its.to_row()) is None:
            raise NotStored(f"the condition {key} changed while it was handed on")

    async def _cannot_read_log(self, error: PermanentError, write: Write, occasion: Occasion) -> Recorded:
        if not isinstance(error, ServiceError):
            raise error
        missing = Unavailable(str(error), f"/subscriptions/{write.resource.subscription}", READ_RIGHT)
        rules = tuple(CATALOGUE[rule_id] for rule_id in _TOLD_BY_LOG)
        evidence = self._gatherer.blank(Look.OTHER_RUN, str(write.resource.parent))
        return await self._recorder.record([Diagnosis(evidence, (), (), {missing: rules})], occasion)

    def _evidence(self, write: Write, failure: LoggedFailure | None) -> Evidence:
        is_run = write.resource.types[-1] == "pipelineruns"
        pipeline_id = write.pipeline_id if is_run else str(write.resource)
        lost = LostWrite(
            write.rejected,
            write.correlation_id,
            code=failure.code if failure else "",
            text=failure.text if failure else "",
            run_name=write.resource.name if is_run else "",
            pipeline_id=pipeline_id,
        )
        return replace(
            self._gatherer.blank(Look.OTHER_RUN, str(write.resource.parent)),
            direction=_DIRECTIONS.get(pipeline_id.rpartition("/")[0].rpartition("/")[2]),
            message=read_message(lost.text),
            lost_write=lost,
            event_time=write.time,
        )

    async def _built(self, diagnosis: Diagnosis, write: Write, occasion: Occasion) -> list[tuple[Finding, bool]]:
        built = await self._recorder.build([diagnosis], occasion)
        text = diagnosis.evidence.message.text
        return [(replace(finding, **_of_write(finding, write), error_message=text), told) for finding, told in built]


def pipeline_named(text: str, run: ResourceId) -> str:
    """The one pipeline of the run's own registry that ARM's answer names; empty if there is none, or several."""
    named = {match.group().lower() for match in _PIPELINE.finditer(text)}
    own = {name for name in named if name.startswith(f"{run.parent}/")}
    return own.pop() if len(own) == 1 else ""


def _of_write(finding: Finding, write: Write) -> dict[str, Any]:
    """A write that left nothing is told apart by its correlation id, whatever happens to the name later."""
    resource_id = str(write.resource)
    is_run = write.resource.types[-1] == "pipelineruns"
    return {
        "run_id": resource_id if is_run else "",
        "run_name": write.resource.name if is_run else "",
        "pipeline_id": write.pipeline_id if is_run else resource_id,
        "pipeline_name": write.pipeline_id.rpartition("/")[2] if is_run else write.resource.name,
        "registry_name": write.resource.names[0],
        # There is no run whose start would tell which successes are later.
        "evidence": {**finding.evidence, "writtenAt": write.time},
        "finding_id": finding_id(finding.rule_id, resource_id, write.moment),
        "finding_key": finding_key(finding.rule_id, resource_id),
    }
