"""What becomes of a run: diagnosed once, and again as long as something had to be left out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.diagnosis.diagnose import Diagnosis, Result, diagnose_run
from shared.errors import MonitorError
from shared.evidence.gather import Gatherer
from shared.evidence.model import Look
from shared.findings.builder import FindingBuilder, Occasion
from shared.findings.finding import Finding, Row
from shared.recorder import OTHER_CAUSE, RUN_FAILED, SUCCEEDED_SINCE, Recorded, Recorder
from shared.records.transfer import PipelineRun, RunOutcome
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Outcome, warned
from shared.rules.run import RESUBMITTED_AFTER
from shared.sinks.condition_records import ends_with_a_success
from shared.sinks.run_marks import Claim, OpenEnd, RunMark, RunMarks

log = logging.getLogger(__name__)

# A right that is missing is granted by hand, and a role takes half an hour to spread.
LOOK_AGAIN_AFTER: Final = timedelta(minutes=30)
# Then what was left out stays out; the condition that names what is missing lasts on its own.
OPEN_FOR: Final = timedelta(days=1)


class EndedRuns:
    """Looks at runs and writes down what is found, each start of a run once."""

    def __init__(self, gatherer: Gatherer, recorder: Recorder, marks: RunMarks) -> None:
        self._gatherer = gatherer
        self._recorder = recorder
        self._marks = marks

    async def look(self, run: PipelineRun, occasion: Occasion, written_at: datetime | None) -> Recorded:
        """Diagnoses a run that is over and was not diagnosed yet; remembers one that is not over."""
        now = datetime.now(UTC)
        if run.outcome is RunOutcome.NOT_OVER:
            await self._marks.remember(run, now)
            diagnosis = diagnose_run(await self._gatherer.run(run))
            return await self._recorder.record([diagnosis], occasion, run.began) if diagnosis.results else Recorded()
        if run.outcome is RunOutcome.SUCCEEDED and run.began is not None:
            return await self._succeeded_run(run, occasion, written_at)
        claim = await self._marks.claim(run, now)
        if isinstance(claim, RunMark):
            return await self._known_already(run, claim, occasion, written_at)
        try:
            diagnosis = diagnose_run(await self._gatherer.run(run))
            findings = await self._recorder.build([diagnosis], occasion, claim.began)
            cause = _row_of(diagnosis.root_cause.rule.id, findings) if diagnosis.root_cause else None
            open_end = _open_end(diagnosis, occasion, run, claim.first_seen)
            earlier = claim.earlier
            if earlier is not None and open_end is not None and _says_nothing_new(open_end, cause, earlier):
                late = await self._known_already(run, earlier, occasion, written_at)
                await self._marks.finish(claim, run, open_end=open_end, cause=cause)
                return replace(late, standing=open_end.gaps)
            why = OTHER_CAUSE
            if claim.is_followed:
                # Nothing is wrong with it any more that a success ends, so none of that is opened or told again.
                why = SUCCEEDED_SINCE
                findings = [(finding, tell) for finding, tell in findings if not ends_with_a_success(finding)]
            claim = await self._marks.intend(claim, run, cause, _row_of(RUN_FAILED, findings))
            recorded = await self._recorder.write(findings)
            recorded = await self._recorder.take_back(claim.causes, recorded, diagnosis.evidence.now, why)
            await self._marks.finish(claim, run, open_end=open_end, cause=cause)
            if earlier is not None and earlier.is_left_open:
                # It was diagnosed before, so a late write is one that did nothing, whatever this look has added.
                late = await self._known_already(run, earlier, occasion, written_at)
                recorded = replace(recorded, findings=recorded.findings + late.findings)
        except BaseException:
            await self._give_back(claim, run)
            raise
        return replace(recorded, closed=_closed(earlier, diagnosis, occasion))

    async def _succeeded_run(self, run: PipelineRun, occasion: Occasion, written_at: datetime | None) -> Recorded:
        diagnosis = diagnose_run(await self._gatherer.run(run))
        now = diagnosis.evidence.now
        open_end = _open_end(diagnosis, occasion, run, now)
        earlier = None
        if open_end is not None or _opens_something(diagnosis):
            # What a success told of, a partial one for example, may have been resolved since, and a redelivery would
            # open it again. Where there is no more than the success itself, its row may come twice: it has one id.
            earlier = await self._marks.read(run)
            if earlier is not None and earlier.is_done:
                return await self._known_already(run, earlier, occasion, written_at)
        if earlier is not None and open_end is not None and _says_nothing_new(open_end, None, earlier):
            recorded = Recorded(standing=open_end.gaps)
        else:
            recorded = await self._recorder.record([diagnosis], occasion, run.began)
        earlier = await self._marks.settle(run, now, open_end)
        if earlier is not None and (earlier.is_done or earlier.is_left_open):
            # It was diagnosed before, so a late write is one that did nothing, whatever this look has added.
            late = await self._known_already(run, earlier, occasion, written_at)
            recorded = replace(recorded, findings=recorded.findings + late.findings)
        return replace(recorded, closed=_closed(earlier, diagnosis, occasion))

    async def _give_back(self, claim: Claim, run: PipelineRun) -> None:
        try:
            # On its own feet: the handler may just have run out of time.
            await asyncio.wait_for(asyncio.shield(self._marks.release(claim, run)), 2)
        except (MonitorError, TimeoutError):
            log.warning("The claim on run %s could not be given back and will expire", run.name)

    async def _known_already(
        self, run: PipelineRun, mark: RunMark, occasion: Occasion, written_at: datetime | None
    ) -> Recorded:
        """A redelivery says nothing new; a late write of the same properties is one that did nothing."""
        if written_at is None or run.finish_time is None or written_at - run.finish_time <= RESUBMITTED_AFTER:
            return Recorded()
        evidence = replace(
            self._gatherer.blank(Look.OTHER_RUN, run.registry_id),
            run=run,
            direction=run.direction,
            event_time=written_at,
            diagnosed_until=run.finish_time,
        )
        rule = CATALOGUE["ACRT105"]
        diagnosis = Diagnosis(evidence, (Result(rule, warned(writtenAt=written_at)),))
        return await self._recorder.record([diagnosis], occasion, mark.began)


def may_be_of(run: PipelineRun, written_at: datetime | None) -> bool:
    """Whether a write that was reported at this moment may have made this run, or started it anew.

    A write that fails after its run has been over for a while, or before the run was there, is another one's: it left
    no run of its own. Five minutes are the contract's bound for a late write; the clocks of two services lie within.
    """
    if written_at is None:
        return True
    over_before = run.finish_time is not None and written_at - run.finish_time > RESUBMITTED_AFTER
    began_later = run.began is not None and run.began - written_at > RESUBMITTED_AFTER
    return not (over_before or began_later)


def _open_end(diagnosis: Diagnosis, occasion: Occasion, run: PipelineRun, first_seen: datetime) -> OpenEnd | None:
    """What is to be looked at again; ``None`` if nothing was left out, or if the run is too old by now."""
    now = diagnosis.evidence.now
    if not diagnosis.open_rules or now - ended_at(run, first_seen) > OPEN_FOR:
        return None
    passing = any(missing.passing for missing in diagnosis.open_rules)
    return OpenEnd(
        gaps=frozenset(FindingBuilder(diagnosis, occasion).gaps()),
        rules=frozenset(rule.id for rules in diagnosis.open_rules.values() for rule in rules),
        look_again_at=None if passing else now + LOOK_AGAIN_AFTER,
    )


def _opens_something(diagnosis: Diagnosis) -> bool:
    return any(result.verdict.outcome in {Outcome.FAIL, Outcome.WARN} for result in diagnosis.results)


def ended_at(run: PipelineRun, otherwise: datetime) -> datetime:
    """When a run that is over ended, as far as it says."""
    return run.finish_time or run.modified_at or run.began or otherwise


def _closed(earlier: RunMark | None, diagnosis: Diagnosis, occasion: Occasion) -> frozenset[str]:
    return earlier.gaps - frozenset(FindingBuilder(diagnosis, occasion).gaps()) if earlier is not None else frozenset()


def _says_nothing_new(open_end: OpenEnd, cause: Row | None, earlier: RunMark) -> bool:
    """Whether the rows of the earlier look still say all that is known."""
    known = {row["FindingId"] for row in earlier.causes}
    return open_end.is_as_before(earlier) and known == ({cause["FindingId"]} if cause is not None else set())


def _row_of(rule_id: str, findings: Sequence[tuple[Finding, bool]]) -> Row | None:
    """A rule's row as the mark keeps it, so that a later look can take it back, or the sweep say that it is over."""
    return next((finding.to_row() for finding, _ in findings if finding.rule_id == rule_id), None)
