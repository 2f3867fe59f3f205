"""The sweep's look at the runs of a registry.

One listing of the state shows every run that is known, so a known run costs no read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from shared import ended_runs
from shared.diagnosis.diagnose import Diagnosis, Result
from shared.ended_runs import ended_at
from shared.errors import AlreadyInProgress, MonitorError, NotStored
from shared.evidence.message import read_message
from shared.evidence.model import Look
from shared.findings.builder import FindingBuilder, Occasion
from shared.findings.finding import State
from shared.monitor import Monitor
from shared.recorder import Recorded
from shared.records.transfer import PipelineRun, RunOutcome
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Outcome
from shared.sinks.rhythms import Rhythms
from shared.sinks.run_marks import MarkState, RunMark, mark_of_label, run_key, run_prefix
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
        """Diagnoses what is to be diagnosed, page by page; then resolves failed runs that a success has followed."""
        known = {entry.key: entry async for entry in self._monitor.state.entries(run_prefix(registry_id))}
        failed: list[PipelineRun] = []
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
                    failed.append(run)
                if self._wants_a_look(run, mark):
                    yield await self._look(run, occasion)
        yield await self._resolve(failed, occasion)
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

    async def _resolve(self, failed: list[PipelineRun], occasion: Occasion) -> Recorded:
        """The rows of failed runs whose pipeline has succeeded since."""
        over = [run for run in failed if self._succeeded_since(run)][:_MOST_RESOLVED]
        findings = []
        for run in over:
            evidence = replace(
                self._monitor.gatherer.blank(Look.FAILED_RUN, run.registry_id),
                run=run,
                direction=run.direction,
                message=read_message(run.error_message),
            )
            rule = CATALOGUE["ACRT101"]
            built = FindingBuilder(Diagnosis(evidence, (Result(rule, rule(evidence)),)), occasion, began=run.began)
            findings += [replace(f, state=State.RESOLVED, outcome=str(Outcome.PASS)) for f in built.findings()]
        if findings:
            await self._monitor.recorder.write([(finding, False) for finding in findings])
        for run in over:
            await self._monitor.marks.resolve(run, given_up=self._is_given_up(run))
        self.resolved += len(over)
        return Recorded(tuple(findings))

    def _is_told(self, mark: RunMark, run: PipelineRun) -> bool:
        """Whether its row is written, and not yet that it is resolved."""
        return mark.state in {MarkState.DONE, MarkState.OPEN} and mark.is_about(run)

    def _is_given_up(self, run: PipelineRun) -> bool:
        """Whether what was left open stays so; a run that says no time at all is ended by the look itself."""
        return self._now - ended_at(run, self._now) > ended_runs.OPEN_FOR

    def _succeeded_since(self, run: PipelineRun) -> bool:
        success = self._facts.last_success.get(run.pipeline_id.lower())
        return success is not None and run.began is not None and success > run.began
