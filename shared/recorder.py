"""Writes down what a look found: rows first, then conditions and alerts, then the mark that it is done.

Of what no run's mark remembers (a pipeline, a blob, the monitor itself) the condition's record is made before the row,
and told of after it: a row that is stored as the process dies, of a fault that is repaired before the next look, would
stay open for ever, and nobody would have heard of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from shared.diagnosis.diagnose import Diagnosis, Role
from shared.evidence.model import Look
from shared.findings.builder import FindingBuilder, Occasion
from shared.findings.finding import Finding, Row, State
from shared.mutes import apply_mutes, as_muted, mark_of, muted_by, row_muted_by
from shared.rules.catalogue import CANNOT_CHECK
from shared.rules.model import Confidence, Outcome, Severity
from shared.settings import Mute
from shared.sinks.condition_records import Telling, Told, resolved_row, telling_of
from shared.sinks.conditions import Conditions
from shared.sinks.logs import FindingLog
from shared.times import iso

# Its condition is the run's own mark, which stands in the state store anyway.
RUN_FAILED: Final = "ACRT101"
# Why a run's row is written once more, as resolved.
OTHER_CAUSE: Final = "a later look at the run names another cause"
SUCCEEDED_SINCE: Final = "a later run of the pipeline succeeded"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was written for one look: the findings, and the ids of the alerts that went out with them.

    ``standing`` are keys of conditions that were met once more and had nothing new to be written, ``closed`` those
    that an earlier look at the same run had met and this one has not.
    """

    findings: tuple[Finding, ...] = ()
    alerts: tuple[str, ...] = field(default=())
    standing: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()


class Recorder:
    """Turns diagnoses into findings and writes them. Raises :class:`~shared.errors.NotStored`."""

    def __init__(self, log: FindingLog, conditions: Conditions, mutes: Sequence[Mute] = ()) -> None:
        self._log = log
        self._conditions = conditions
        self._mutes = tuple(mutes)

    async def build(
        self, diagnoses: Sequence[Diagnosis], occasion: Occasion, began: datetime | None = None
    ) -> list[tuple[Finding, bool]]:
        """The findings of the diagnoses, each with whether it is one to be told."""
        keys = [key for d in diagnoses for key in FindingBuilder(d, occasion, began=began).conditions()]
        opened = await self._conditions.opened_at(keys)
        built = []
        for diagnosis in diagnoses:
            findings = FindingBuilder(diagnosis, occasion, began=began, opened_at=opened).findings()
            built += [(finding, is_told(finding, diagnosis.evidence.look)) for finding in findings]
        return built

    async def record(
        self, diagnoses: Sequence[Diagnosis], occasion: Occasion, began: datetime | None = None
    ) -> Recorded:
        """Stores the findings of the diagnoses, opens their conditions and publishes what is new."""
        return await self.write(await self.build(diagnoses, occasion, began))

    async def write(self, findings: Sequence[tuple[Finding, bool]]) -> Recorded:
        """Stores findings that are built already; the flag says whether one is to be told."""
        rows = tuple(apply_mutes(finding, self._mutes) for finding, _ in findings)
        told = [self._told(row, tell) for row, (_, tell) in zip(rows, findings, strict=True) if _has_condition(row)]
        reserved = await self._conditions.reserve([one for one in told if not one.finding.run_id])
        await self._log.write(rows)
        return Recorded(rows, tuple(await self._conditions.open(told, reserved)))

    async def write_rows(self, rows: Sequence[Row]) -> None:
        """Stores rows that were findings before: resolved, or heard of again."""
        await self._log.write_rows(rows)

    async def take_back(
        self, causes: Sequence[Row], recorded: Recorded, moment: datetime, why: str = OTHER_CAUSE
    ) -> Recorded:
        """Writes a run's root causes once more, as resolved, if they are not among what the later look has recorded.

        A condition that another run has opened or failed on stays open: that run may have it still.
        """
        found = {finding.finding_id for finding in recorded.findings}
        alerts: list[str] = []
        for cause in causes:
            if cause["FindingId"] not in found:
                alerts += await self._take_back(cause, moment, why)
        return replace(recorded, alerts=(*recorded.alerts, *alerts))

    async def _take_back(self, cause: Row, moment: datetime, why: str) -> list[str]:
        key, finding = str(cause["FindingKey"]), str(cause["FindingId"])
        row = resolved_row({"row": cause}, moment, why)
        mute = row_muted_by(cause, self._mutes, moment)
        stored = await self._conditions.opened_by(key, finding)
        if stored is None:
            # The last word about a condition that stays open has to be that it is.
            still = await self._conditions.open_row(key, but=finding)
            again = [] if still is None else [{**still, "TimeGenerated": iso(moment + timedelta(milliseconds=1))}]
            await self.write_rows([row, *(as_muted(each, mute) if mute else each for each in again)])
            return []
        await self.write_rows([row])
        told = telling_of(stored.record) is Telling.PUBLISHED and mute is None
        alerts = await self._conditions.publish_resolved([row] if told else [])
        await self._conditions.close(stored)
        return alerts

    def _told(self, finding: Finding, tell: bool) -> Told:
        if finding.state is State.MUTED:
            mute = muted_by(replace(finding, state=State.OPEN), self._mutes, finding.time_generated)
            return Told(
                finding,
                Telling.MUTED,
                mute.until if mute else None,
                mark_of(mute) if mute else "",
                tell_when_unmuted=tell,
            )
        if finding.rule_id == CANNOT_CHECK:
            # Told only once it has lasted: roles take half an hour to spread.
            return Told(finding, Telling.LATER)
        return Told(finding, Telling.PENDING if tell else Telling.NONE)


def _has_condition(finding: Finding) -> bool:
    return finding.state in {State.OPEN, State.MUTED} and finding.rule_id != RUN_FAILED


def is_told(finding: Finding, look: Look) -> bool:
    """Whether a finding becomes an alert: of a failed run its root cause alone, elsewhere what nothing explains."""
    if finding.state is not State.OPEN or finding.severity_rank < Severity.MEDIUM:
        return False
    if finding.outcome not in {Outcome.FAIL, Outcome.WARN} or finding.confidence == Confidence.POSSIBLE:
        return False
    if look is Look.FAILED_RUN:
        return finding.role == Role.ROOT_CAUSE
    return finding.role != Role.CONTRIBUTING
