"""The sweep's look at pipelines: what would make the next run fail, at a rhythm of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.diagnosis.diagnose import diagnose_pipeline
from shared.evidence.model import Look
from shared.findings.builder import Occasion
from shared.monitor import Monitor
from shared.recorder import Recorded
from shared.records.transfer import Pipeline
from shared.sinks.rhythms import Rhythms
from shared.sweep_budget import ReadBudget
from shared.sweep_facts import SweepFacts

# Tokens, policies and firewalls change by hand: an hour is soon enough, and a failed run is diagnosed at once.
EVERY: Final = timedelta(hours=1)
_AT_ONCE: Final = 8


class PipelineSweep:
    """Looks at each pipeline once an hour. ``done`` were looked at by now or are not due, ``looked_at`` the former."""

    def __init__(self, monitor: Monitor, facts: SweepFacts, now: datetime) -> None:
        self._monitor = monitor
        self._facts = facts
        self._now = now
        self._rhythms = Rhythms(monitor.state, "pipelines")
        self.done = self.looked_at = 0

    async def load(self) -> None:
        """Reads when each pipeline was looked at."""
        await self._rhythms.load()

    async def sweep(
        self, pipelines: Sequence[Pipeline], occasion: Occasion, budget: ReadBudget, limit: float | None
    ) -> AsyncIterator[Recorded]:
        """Looks at those that are due, several at once. After ``limit`` seconds no other look begins.

        What is left is still due in the next sweep, and what was done is not. A look that raises ends the others.
        """
        due = [pipeline for pipeline in pipelines if self._is_due(pipeline)]
        self.done += len(pipelines) - len(due)
        began = time.monotonic()
        waiting = iter(due)
        looks: set[asyncio.Task[Recorded]] = set()
        try:
            while True:
                while len(looks) < _AT_ONCE and (limit is None or time.monotonic() - began < limit):
                    pipeline = next(waiting, None)
                    if pipeline is None:
                        break
                    looks.add(asyncio.create_task(self._look_in_budget(pipeline, occasion, budget)))
                if not looks:
                    return
                ended, looks = await asyncio.wait(looks, return_when=asyncio.FIRST_COMPLETED)
                for look in ended:
                    recorded = look.result()
                    self.done += 1
                    self.looked_at += 1
                    yield recorded
        finally:
            for look in looks:
                look.cancel()
            await asyncio.gather(*looks, return_exceptions=True)

    async def look(self, pipeline: Pipeline, occasion: Occasion) -> Recorded:
        """Looks at a pipeline if it is due, and writes down what is wrong."""
        return await self._look(pipeline, occasion) if self._is_due(pipeline) else Recorded()

    def _is_due(self, pipeline: Pipeline) -> bool:
        return self._rhythms.is_due(pipeline.id, EVERY, self._now)

    async def _look_in_budget(self, pipeline: Pipeline, occasion: Occasion, budget: ReadBudget) -> Recorded:
        await budget.wait()
        return await self._look(pipeline, occasion)

    async def _look(self, pipeline: Pipeline, occasion: Occasion) -> Recorded:
        evidence = await self._monitor.gatherer.known_pipeline(pipeline, Look.PIPELINE, after=self._now)
        diagnosis = diagnose_pipeline(evidence)
        recorded = await self._monitor.recorder.record([diagnosis], occasion)
        self._facts.add_findings(recorded.findings)
        self._facts.add_look(diagnosis)
        await self._rhythms.note(pipeline.id, self._now)
        return recorded
