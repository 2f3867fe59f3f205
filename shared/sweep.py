"""The sweep: finds what no event told.

It lists the runs of every monitored registry, diagnoses those that ended and were not diagnosed yet, takes up
what was left open, publishes alerts that could not go out, and writes the heartbeat, also when part of it
failed. Known runs cost no read of their own: one listing of the state shows them all.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from shared.errors import AlreadyInProgress, MonitorError, NotStored, ServiceError
from shared.evidence.pieces import Unavailable
from shared.findings.builder import Occasion, TriggeredBy
from shared.monitor import Monitor
from shared.records.transfer import PipelineRun, RunOutcome
from shared.sinks.conditions import Telling
from shared.sinks.run_marks import MarkState, RunMark, mark_of_label, run_key, run_prefix
from shared.times import iso
from shared.version import MONITOR_VERSION

log = logging.getLogger(__name__)

# The host ends a function after five minutes; what is left is taken up by the next sweep.
SWEEP_SECONDS: Final = 240.0
_AT_ONCE: Final = 8

Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class SweepReport:
    """What one sweep did; ``problems`` are sentences, and any of them makes the heartbeat say so."""

    started: datetime
    registries: int = 0
    runs_seen: int = 0
    runs_diagnosed: int = 0
    runs_open: int = 0
    findings: int = 0
    alerts: int = 0
    arm_reads: int = 0
    seconds: float = 0.0
    finished: bool = True
    problems: list[str] = field(default_factory=list)

    def facts(self) -> dict[str, object]:
        """The report as the heartbeat's evidence."""
        return {
            "started": iso(self.started),
            "seconds": round(self.seconds, 3),
            "registries": self.registries,
            "runsSeen": self.runs_seen,
            "runsDiagnosed": self.runs_diagnosed,
            "runsNotOver": self.runs_open,
            "findings": self.findings,
            "alerts": self.alerts,
            "armReads": self.arm_reads,
            "finished": self.finished,
            "problems": self.problems[:20],
            "monitorVersion": MONITOR_VERSION,
        }


def _silent(_what: str, _done: int, _of: int) -> None:
    """No progress is shown."""


class Sweep:
    """One sweep. ``progress`` is told what is being done, how much of it is done, and how much there is."""

    def __init__(self, monitor: Monitor, progress: Progress = _silent) -> None:
        self._monitor = monitor
        self._progress = progress
        self._report = SweepReport(datetime.now(UTC))

    async def run(self, triggered_by: TriggeredBy = TriggeredBy.SWEEP) -> SweepReport:
        """Sweeps all registries and writes the heartbeat. Raises only if the heartbeat can't be stored."""
        report, monitor = self._report, self._monitor
        began = time.monotonic()
        reads_before = monitor.azure.arm.reads
        try:
            async with asyncio.timeout(SWEEP_SECONDS):
                await self._all_registries(Occasion(triggered_by))
                await self._publish_pending()
        except TimeoutError:
            report.finished = False
            report.problems.append(f"not finished within {SWEEP_SECONDS:g} s; the next sweep goes on")
        except MonitorError as error:
            report.finished = False
            report.problems.append(str(error))
        report.seconds = time.monotonic() - began
        report.arm_reads = monitor.azure.arm.reads - reads_before
        heartbeat = monitor.statement("ACRT903", iso(report.started) or "", Occasion(triggered_by), report.facts())
        await monitor.recorder.write([(heartbeat, False)])
        return report

    async def _all_registries(self, occasion: Occasion) -> None:
        registries = await self._monitor.gatherer.lookups.monitored_registries()
        self._report.registries = len(registries)
        turns = asyncio.Semaphore(_AT_ONCE)
        done = 0

        async def one(registry_id: str) -> None:
            nonlocal done
            async with turns:
                try:
                    await self._registry(registry_id, occasion)
                except MonitorError as error:
                    await self._note(error, registry_id, occasion)
                done += 1
                self._progress("registries", done, len(registries))

        async with asyncio.TaskGroup() as tasks:
            for registry_id in registries:
                tasks.create_task(one(registry_id))

    async def _registry(self, registry_id: str, occasion: Occasion) -> None:
        known = {
            entry.key: mark
            async for entry in self._monitor.state.entries(run_prefix(registry_id))
            if (mark := mark_of_label(entry.label)) is not None
        }
        async for page in self._monitor.azure.registries.run_pages(registry_id):
            for run in page:
                self._report.runs_seen += 1
                mark = known.get(run_key(run.id, registry_id))
                if self._wants_a_look(run, mark):
                    await self._look(run, occasion)

    def _wants_a_look(self, run: PipelineRun, mark: RunMark | None) -> bool:
        """Whether a run is worth a look: not done yet, and not from long before the monitor."""
        now = self._report.started
        about_it = mark if mark is not None and mark.is_about(run) else None
        if run.outcome is RunOutcome.NOT_OVER:
            self._report.runs_open += 1
            stuck = run.began is not None and now - run.began > self._monitor.settings.run_stuck_after
            return about_it is None or stuck
        if about_it is not None:
            held = about_it.claimed_until is not None and about_it.claimed_until > now
            return about_it.state is not MarkState.DONE and not held
        ended = run.finish_time or run.modified_at or run.began
        return ended is None or now - ended <= self._monitor.settings.sweep_lookback

    async def _look(self, run: PipelineRun, occasion: Occasion) -> None:
        try:
            recorded = await self._monitor.ended_run(run, occasion)
        except AlreadyInProgress:
            return
        except NotStored:
            raise
        except MonitorError as error:
            self._report.problems.append(f"run {run.name}: {error}")
            return
        if run.outcome is not RunOutcome.NOT_OVER:
            self._report.runs_diagnosed += 1
        self._report.findings += len(recorded.findings)
        self._report.alerts += len(recorded.alerts)

    async def _note(self, error: MonitorError, registry_id: str, occasion: Occasion) -> None:
        """A registry that can't be swept is said, and the others are swept all the same."""
        self._report.problems.append(str(error))
        if isinstance(error, NotStored) or not isinstance(error, ServiceError):
            return
        missing = Unavailable.because(error)
        try:
            await self._monitor.cannot_check(missing, registry_id, occasion)
        except MonitorError as unstored:
            log.warning("What could not be checked could not be stored either: %s", unstored)

    async def _publish_pending(self) -> None:
        """Alerts that could not go out when their condition opened."""
        conditions = self._monitor.conditions
        pending = [known for known in await conditions.everything() if known.telling is Telling.PENDING]
        stored = [record for known in pending if (record := await conditions.read(known)) is not None]
        self._report.alerts += len(await conditions.publish(stored))
