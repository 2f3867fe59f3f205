"""The sweep's look at the runs of a registry.

One listing of the state shows every run that is known, so a known run costs no read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from shared import ended_runs
from shared.azure.state_listing import Entry
from shared.diagnosis.diagnose import Diagnosis, Result
from shared.ended_runs import ended_at
from shared.errors import AlreadyInProgress, MonitorError, NotStored
from shared.evidence.message import read_message
from shared.evidence.model import Look
from shared.findings.builder import FindingBuilder, Occasion
from shared.findings.finding import Row
from shared.monitor import Monitor
from shared.recorder import RUN_FAILED, SUCCEEDED_SINCE, Recorded
from shared.records.transfer import PipelineRun, RunOutcome
from shared.rules.catalogue import CATALOGUE
from shared.sinks.condition_records import resolved_row, short
from shared.sinks.rhythms import Rhythms
from shared.sinks.run_marks import MarkState, RunMark, keeps_failure, mark_of_label, run_key, run_prefix
from shared.sinks.state_store import Stored
from shared.sweep_cleaning import is_old_mark
from shared.sweep_facts import SweepFacts

STUCK: Final = "ACRT104"
# Resolved rows for failed runs, in one sweep: after a long outage there may be thousands.
_MOST_RESOLVED: Final = 200
# A run that was told to be stuck is looked at again at this rhythm; that it has ended shows in the list.
STUCK_AGAIN: Final = timedelta(hours=1)


class RunSweep:
    """Sweeps the runs of one registry; the counters say what it found."""

    def __init__(self, monitor: Monitor, facts: SweepFacts, now: datetime) -> None:
        self._monitor = monitor
        self._facts = facts
        self._now = now
        self.seen = self.diagnosed = self.not_over = self.resolved = 0
        self.problems: list[str] = []
        self._stuck = Rhythms(monitor.state, "stuck")
        self._stuck_is_read = False

    async def sweep(self, registry_id: str, occasion: Occasion) -> AsyncIterator[Recorded]:
        """Diagnoses what is to be diagnosed, page by page; then resolves failures that a success has followed."""
        known = {entry.key: entry async for entry in self._monitor.state.entries(run_prefix(registry_id))}
        told: dict[str, PipelineRun] = {}
        listed: set[str] = set()
        async for page in self._monitor.azure.registries.run_pages(registry_id):
            if not self._stuck_is_read and any(run.outcome is RunOutcome.NOT_OVER for run in page):
                await self._stuck.load()
                self._stuck_is_read = True
            for run in page:
                self.seen += 1
                self._facts.add_run(run, self._monitor.settings.cloud)
                key = run_key(run.id, registry_id)
                listed.add(key)
                mark = mark_of_label(known[key].label) if key in known else None
                if run.outcome is RunOutcome.FAILED and mark is not None and self._is_told(mark, run):
                    told[key] = run
                if self._wants_a_look(run, mark):
                    yield await self._look(run, occasion)
        await self._resolve(known.values(), told, occasion)
        # The list is whole, so what is left over is of runs that were deleted.
        left = (entry for key, entry in known.items() if key not in listed)
        self._facts.unlisted_marks += [entry for entry in left if is_old_mark(self._monitor, entry, self._now)]

    def _wants_a_look(self, run: PipelineRun, mark: RunMark | None) -> bool:
        """Whether a run is worth a look: not done yet, and not from long before the monitor."""
        about_it = mark if mark is not None and mark.is_about(run) else None
        if run.outcome is RunOutcome.NOT_OVER:
            self.not_over += 1
            stuck = run.began is not None and self._now - run.began > self._monitor.settings.run_stuck_after
            return about_it is None or (stuck and self._stuck.is_due(run.id, STUCK_AGAIN, self._now))
        ended = run.finish_time or run.modified_at or run.began
        young = ended is None or self._now - ended <= self._monitor.settings.sweep_lookback
        if about_it is None:
            return young
        if about_it.is_done or (about_it.state is MarkState.PENDING and not young):
            return False
        if about_it.is_left_open:
            due = about_it.look_again_at is None or about_it.look_again_at <= self._now
            return due and not self._is_given_up(run)
        return about_it.claimed_until is None or about_it.claimed_until <= self._now

    async def _look(self, run: PipelineRun, occasion: Occasion) -> Recorded:
        try:
            recorded = await self._monitor.ended_run(run, occasion)
        except AlreadyInProgress:
            return Recorded()
        except NotStored:
            raise
        except MonitorError as error:
            self.problems.append(f"run {run.name}: {error}")
            return Recorded()
        if run.outcome is not RunOutcome.NOT_OVER:
            self.diagnosed += 1
        elif any(finding.rule_id == STUCK for finding in recorded.findings):
            await self._stuck.note(run.id, self._now)
        self._facts.add_findings(recorded.findings)
        self._facts.unhealthy |= recorded.standing
        self._facts.healthy |= recorded.closed
        return recorded

    async def _resolve(self, known: Iterable[Entry], told: Mapping[str, PipelineRun], occasion: Occasion) -> None:
        """Writes the rows of failures whose pipeline has succeeded since, also of runs that were deleted or ran anew.

        ``told`` are the listed runs whose own failure is told, by the keys of their marks.
        """
        successes = {short(pipeline): moment for pipeline, moment in self._facts.last_success.items()}
        over = (entry.key for entry in known if self._may_be_over(entry, told.get(entry.key), successes))
        ended: list[tuple[Stored, Row]] = []
        for key in islice(over, _MOST_RESOLVED):
            stored = await self._monitor.state.read(key)
            if stored is None:
                continue
            row = self._ended_row(stored, told.get(key), successes, occasion)
            if row is not None:
                ended.append((stored, resolved_row({"row": row}, datetime.now(UTC), SUCCEEDED_SINCE)))
        if ended:
            await self._monitor.recorder.write_rows([row for _, row in ended])
        for stored, _ in ended:
            run = told.get(stored.key)
            # A run that is not listed any more, or has run anew, can't be looked at again.
            await self._monitor.marks.resolve(stored, given_up=run is None or self._is_given_up(run))
        self.resolved += len(ended)

    def _may_be_over(self, entry: Entry, run: PipelineRun | None, successes: Mapping[str, datetime]) -> bool:
        if not keeps_failure(entry.label):
            # It was told before marks kept their failures.
            return run is not None and self._succeeded_since(run)
        mark = mark_of_label(entry.label)
        return mark is not None and mark.is_over(successes)

    def _ended_row(
        self, stored: Stored, run: PipelineRun | None, successes: Mapping[str, datetime], occasion: Occasion
    ) -> Row | None:
        """The row that says of the run that it failed, if that is over; the mark may have changed since the listing."""
        mark = RunMark.of(stored)
        if mark.is_claimed(self._now):
            # Who is at it writes the mark next, in the form that it knows.
            return None
        if mark.failure is not None:
            return mark.failure if mark.is_over(successes) else None
        if run is None or not self._is_told(mark, run):
            return None
        return self._rebuilt_row(run, occasion)

    def _rebuilt_row(self, run: PipelineRun, occasion: Occasion) -> Row | None:
        """The row of a failure that an older version told, whose mark does not keep it."""
        evidence = replace(
            self._monitor.gatherer.blank(Look.FAILED_RUN, run.registry_id),
            run=run,
            direction=run.direction,
            message=read_message(run.error_message),
        )
        rule = CATALOGUE[RUN_FAILED]
        diagnosis = Diagnosis(evidence, (Result(rule, rule(evidence)),))
        return next((f.to_row() for f in FindingBuilder(diagnosis, occasion, began=run.began).findings()), None)

    def _is_told(self, mark: RunMark, run: PipelineRun) -> bool:
        """Whether its row is written, and not yet that it is resolved."""
        return mark.state in {MarkState.DONE, MarkState.OPEN} and mark.is_about(run)

    def _is_given_up(self, run: PipelineRun) -> bool:
        """Whether what was left open stays so; a run that says no time at all is ended by the look itself."""
        return self._now - ended_at(run, self._now) > ended_runs.OPEN_FOR

    def _succeeded_since(self, run: PipelineRun) -> bool:
        success = self._facts.last_success.get(run.pipeline_id.lower())
        return success is not None and run.began is not None and success > run.began
