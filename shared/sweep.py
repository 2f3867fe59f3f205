"""The sweep: finds what no event told.

In this order: alerts that wait to be published; the runs of every registry (those that ended and were not diagnosed,
those that are not over or stuck, diagnoses that were left open), pipelines at their own rhythm (tokens, policies,
firewalls), blobs in the containers that import pipelines watch, and last the conditions, which are resolved, told or
heard of again by what was learnt before; those that last are said again twice a day. Then the heartbeat is written,
also when part of it failed.

The budget of ARM: per registry one page of runs and one of each kind of pipeline, unless there are more; per
pipeline and hour about ten reads; a run that is known costs none. Reads refill at 25 a second per identity, and
looks at pipelines wait for that (:mod:`shared.sweep_budget`).
What does not fit into :data:`SWEEP_SECONDS` is taken up by the next sweep, beginning where this one stopped.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from shared.addresses import ContainerAddress, read_container_address
from shared.errors import AlreadyInProgress, Gone, MonitorError, NotStored, ServiceError
from shared.evidence.pieces import Missing, Unavailable
from shared.findings.builder import Occasion, TriggeredBy
from shared.monitor import Monitor
from shared.recorder import Recorded
from shared.records.transfer import Direction, Pipeline
from shared.sinks.cursor import Cursor
from shared.sweep_blobs import BlobSweep
from shared.sweep_budget import ReadBudget
from shared.sweep_cleaning import CleaningSweep
from shared.sweep_conditions import ConditionSweep
from shared.sweep_facts import SweepFacts
from shared.sweep_lost_writes import sweep_lost_writes
from shared.sweep_pipelines import PipelineSweep
from shared.sweep_reach import sweep_reach
from shared.sweep_runs import RunSweep
from shared.sweep_standing import say_what_stands
from shared.times import iso
from shared.version import MONITOR_VERSION

log = logging.getLogger(__name__)

# The host ends a function after five minutes; what is left is taken up by the next sweep.
SWEEP_SECONDS: Final = 240.0
# Of which pipelines may have this much, so that a first sweep over hundreds of them still gets to blobs and alerts.
PIPELINE_SECONDS: Final = 120.0
# And conditions this much, so that with thousands of them what stands is still said, and old records are cleaned.
CONDITION_SECONDS: Final = 60.0
_AT_ONCE: Final = 8

Progress = Callable[[str, int, int], None]
Step = Callable[[Occasion], Awaitable[None]]


@dataclass(slots=True)
class SweepReport:
    """What one sweep did; ``problems`` are sentences, and any of them makes the heartbeat say so."""

    started: datetime
    registries: int = 0
    runs_seen: int = 0
    runs_diagnosed: int = 0
    runs_open: int = 0
    pipelines_looked_at: int = 0
    pipelines_left: int = 0
    findings: int = 0
    alerts: int = 0
    resolved: int = 0
    arm_reads: int = 0
    seconds: float = 0.0
    finished: bool = True
    oldest_expectation: datetime | None = None
    cleaned: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def add(self, recorded: Recorded) -> None:
        """Counts what was written."""
        self.findings += len(recorded.findings)
        self.alerts += len(recorded.alerts)

    def facts(self) -> dict[str, object]:
        """The report as the heartbeat's evidence."""
        return {
            "started": iso(self.started),
            "seconds": round(self.seconds, 3),
            "registries": self.registries,
            "runsSeen": self.runs_seen,
            "runsDiagnosed": self.runs_diagnosed,
            "runsNotOver": self.runs_open,
            "pipelinesLookedAt": self.pipelines_looked_at,
            "pipelinesLeft": self.pipelines_left,
            "findings": self.findings,
            "alerts": self.alerts,
            "resolved": self.resolved,
            "armReads": self.arm_reads,
            "oldestOpenExpectation": iso(self.oldest_expectation),
            "cleaned": {kind: count for kind, count in sorted(self.cleaned.items()) if count},
            "finished": self.finished,
            "problems": self.problems[:20],
            "monitorVersion": MONITOR_VERSION,
        }


def _kind(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__


def _silent(_what: str, _done: int, _of: int) -> None:
    """No progress is shown."""


class Sweep:
    """One sweep. ``progress`` is told what is being done, how much of it is done, and how much there is."""

    def __init__(self, monitor: Monitor, progress: Progress = _silent) -> None:
        self._monitor = monitor
        self._progress = progress
        self._report = SweepReport(datetime.now(UTC))
        self._facts = SweepFacts()
        self._pipelines: list[Pipeline] = []
        self._budget = ReadBudget(monitor.azure.arm)

    @property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """Those that it has listed."""
        return tuple(self._pipelines)

    @property
    def facts(self) -> SweepFacts:
        """What it has learnt on its way."""
        return self._facts

    async def run(self, triggered_by: TriggeredBy = TriggeredBy.SWEEP) -> SweepReport:
        """Sweeps everything and writes the heartbeat. Raises if that can't be stored, and what nobody foresaw.

        On the command line there is no deadline: no next sweep would go on, and whoever waits can end it.
        """
        report = self._report
        limit = None if triggered_by is TriggeredBy.CLI else SWEEP_SECONDS
        occasion = Occasion(triggered_by)
        began = time.monotonic()
        reads_before = self._monitor.azure.arm.reads
        try:
            async with asyncio.timeout(limit):
                for step in self._steps():
                    await self._attempt(step, occasion)
        except TimeoutError:
            report.finished = False
            report.problems.append(f"not finished within {limit:g} s; the next sweep goes on")
        except Exception as error:
            report.finished = False
            # Its kind alone: its text may hold anything.
            report.problems.insert(0, f"the sweep fell over: {_kind(error)}")
            await self._say(occasion, began, reads_before)
            raise
        await self._say(occasion, began, reads_before)
        return report

    async def _say(self, occasion: Occasion, began: float, reads_before: int) -> None:
        """Writes the heartbeat."""
        report, monitor = self._report, self._monitor
        report.seconds = time.monotonic() - began
        report.arm_reads = monitor.azure.arm.reads - reads_before
        report.oldest_expectation = self._facts.oldest_expectation
        heartbeat = monitor.statement("ACRT903", iso(report.started) or "", occasion, report.facts())
        await monitor.recorder.write([(heartbeat, False)])

    def _steps(self) -> tuple[Step, ...]:
        return (
            self._alerts,
            self._registries,
            self._lost_writes,
            self._look_at_pipelines,
            self._look_at_blobs,
            self._reach,
            self._conditions,
            self._standing,
            self._clean,
        )

    async def _attempt(self, step: Step, occasion: Occasion) -> None:
        """A step that fails is said in the heartbeat, and the others are taken all the same."""
        try:
            await step(occasion)
        except MonitorError as error:
            self._report.finished = False
            self._report.problems.append(str(error))

    async def _registries(self, occasion: Occasion) -> None:
        registries = await self._monitor.gatherer.lookups.monitored_registries()
        self._report.registries = len(registries.known)
        self._facts.add_registries(registries)
        for missing in registries.unlisted:
            self._report.problems.append(missing.reason)
            await self._keep_gap(self._monitor.cannot_list_registries(missing, occasion))
        cursor = Cursor(self._monitor.state)
        waiting = list(await cursor.rotated(registries.known))
        turns = asyncio.Semaphore(_AT_ONCE)
        left = set(waiting)

        async def one(registry_id: str) -> None:
            async with turns:
                try:
                    await self._registry(registry_id, occasion)
                except MonitorError as error:
                    await self._note(error, registry_id, occasion)
                left.discard(registry_id)
                self._progress("registries", len(waiting) - len(left), len(waiting))

        try:
            async with asyncio.TaskGroup() as tasks:
                for registry_id in waiting:
                    tasks.create_task(one(registry_id))
        finally:
            await cursor.stop_before(next((registry for registry in waiting if registry in left), ""))

    async def _registry(self, registry_id: str, occasion: Occasion) -> None:
        """Its pipelines and their containers are looked at also where the runs can't be listed."""
        failure = await self._runs(registry_id, occasion)
        if not isinstance(failure, Gone):
            await self._list_pipelines(registry_id, occasion)
        if failure is not None:
            raise failure
        self._facts.swept_registries.add(registry_id)

    async def _runs(self, registry_id: str, occasion: Occasion) -> ServiceError | None:
        """Why the runs can't be listed, if they can't."""
        runs = RunSweep(self._monitor, self._facts, self._report.started)
        try:
            async for recorded in runs.sweep(registry_id, occasion):
                self._report.add(recorded)
        except ServiceError as error:
            self._facts.unlisted_runs[registry_id] = Unavailable.because(error)
            if isinstance(error, Gone):
                self._facts.gone_registries.add(registry_id)
            return error
        finally:
            self._report.runs_seen += runs.seen
            self._report.runs_diagnosed += runs.diagnosed
            self._report.runs_open += runs.not_over
            self._report.resolved += runs.resolved
            self._report.problems += runs.problems
        return None

    async def _list_pipelines(self, registry_id: str, occasion: Occasion) -> None:
        listed = 0
        for direction in Direction:
            found = await self._monitor.gatherer.lookups.pipelines_of(
                registry_id, direction, after=self._report.started
            )
            if isinstance(found, tuple):
                self._learn_pipelines(found)
                listed += 1
            else:
                await self._cannot_list_pipelines(found, registry_id, occasion)
        if listed == len(Direction):
            self._facts.unlisted_pipelines.discard(registry_id)

    def _learn_pipelines(self, listed: tuple[Pipeline, ...]) -> None:
        self._pipelines += listed
        self._facts.listed_pipelines |= {pipeline.id for pipeline in listed}
        places = (read_container_address(pipeline.container_uri, self._monitor.settings.cloud) for pipeline in listed)
        self._facts.accounts |= {place.account for place in places if isinstance(place, ContainerAddress)}

    async def _cannot_list_pipelines(self, found: Missing | Unavailable, registry_id: str, occasion: Occasion) -> None:
        """The registry's runs were read a moment ago, so that its pipelines are not there is no answer either."""
        if isinstance(found, Missing):
            right = "Microsoft.ContainerRegistry/registries/read"
            found = Unavailable(f"the pipelines of {found.what} are not there ({found.code})", registry_id, right)
        self._facts.why_unlisted[registry_id] = found
        self._report.problems.append(found.reason)
        recorded = await self._monitor.cannot_list_pipelines(found, registry_id, occasion)
        self._facts.add_findings(recorded.findings)
        self._report.add(recorded)

    async def _lost_writes(self, occasion: Occasion) -> None:
        recorded = await sweep_lost_writes(self._monitor, occasion, self._report.started, self._report.problems)
        self._facts.add_findings(recorded.findings)
        self._report.add(recorded)

    async def _look_at_pipelines(self, occasion: Occasion) -> None:
        looks = PipelineSweep(self._monitor, self._facts, self._report.started)
        await looks.load()
        limit = None if occasion.triggered_by is TriggeredBy.CLI else PIPELINE_SECONDS
        async for recorded in looks.sweep(self._pipelines, occasion, self._budget, limit):
            self._report.add(recorded)
            self._progress("pipelines", looks.done, len(self._pipelines))
        self._report.pipelines_looked_at = looks.looked_at
        self._report.pipelines_left = len(self._pipelines) - looks.done

    async def _look_at_blobs(self, occasion: Occasion) -> None:
        blobs = BlobSweep(self._monitor, self._facts, self._report.started)
        await blobs.load()
        try:
            self._report.add(await blobs.sweep(self._pipelines, occasion))
        finally:
            self._report.cleaned["expectations"] += blobs.forgotten
            self._report.problems += blobs.problems

    async def _reach(self, _occasion: Occasion) -> None:
        await sweep_reach(self._monitor, self._facts, self._report.started)

    async def _alerts(self, _occasion: Occasion) -> None:
        conditions = ConditionSweep(self._monitor, self._facts, self._report.started)
        try:
            await conditions.tell()
        finally:
            self._report.alerts += len(conditions.published)

    async def _conditions(self, occasion: Occasion) -> None:
        by_hand = occasion.triggered_by is TriggeredBy.CLI
        conditions = ConditionSweep(self._monitor, self._facts, self._report.started, watches_all=not by_hand)
        try:
            await conditions.sweep(None if by_hand else CONDITION_SECONDS)
        finally:
            self._report.resolved += conditions.resolved
            self._report.alerts += len(conditions.published)
        if conditions.left:
            self._report.problems.append(f"{conditions.left} conditions were left to the next sweep")

    async def _standing(self, _occasion: Occasion) -> None:
        await say_what_stands(self._monitor, self._facts, self._report.started)

    async def _clean(self, _occasion: Occasion) -> None:
        cleaning = CleaningSweep(self._monitor, self._facts, self._report.started)
        try:
            await cleaning.sweep()
        finally:
            self._report.cleaned += cleaning.counts

    async def _note(self, error: MonitorError, registry_id: str, occasion: Occasion) -> None:
        """A registry that can't be swept is said, and the others are swept all the same."""
        self._report.problems.append(str(error))
        if isinstance(error, NotStored | AlreadyInProgress) or not isinstance(error, ServiceError):
            return
        await self._keep_gap(self._monitor.cannot_check(Unavailable.because(error), registry_id, occasion))

    async def _keep_gap(self, recording: Awaitable[Recorded]) -> None:
        """Writes down what could not be looked at. That this fails keeps the sweep from nothing."""
        try:
            recorded = await recording
            self._facts.add_findings(recorded.findings)
            self._report.add(recorded)
        except MonitorError as unstored:
            log.warning("What could not be checked could not be stored either: %s", unstored)
