"""The sweep's look at pipelines: what would make the next run fail, at a rhythm of its own."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from shared.diagnosis.diagnose import diagnose_pipeline
from shared.evidence.model import Look
from shared.findings.builder import Occasion
from shared.monitor import Monitor
from shared.recorder import Recorded
from shared.records.transfer import Pipeline
from shared.sinks.rhythms import Rhythms
from shared.sweep_facts import SweepFacts

# Tokens, policies and firewalls change by hand: an hour is soon enough, and a failed run is diagnosed at once.
EVERY: Final = timedelta(hours=1)


class PipelineSweep:
    """Looks at each pipeline once an hour."""

    def __init__(self, monitor: Monitor, facts: SweepFacts, now: datetime) -> None:
        self._monitor = monitor
        self._facts = facts
        self._now = now
        self._rhythms = Rhythms(monitor.state, "pipelines")

    async def load(self) -> None:
        """Reads when each pipeline was looked at."""
        await self._rhythms.load()

    async def look(self, pipeline: Pipeline, occasion: Occasion) -> Recorded:
        """Looks at a pipeline if it is due, and writes down what is wrong."""
        if not self._rhythms.is_due(pipeline.id, EVERY, self._now):
            return Recorded()
        evidence = await self._monitor.gatherer.known_pipeline(pipeline, Look.PIPELINE, after=self._now)
        diagnosis = diagnose_pipeline(evidence)
        recorded = await self._monitor.recorder.record([diagnosis], occasion)
        self._facts.add_findings(recorded.findings)
        self._facts.add_look(diagnosis)
        await self._rhythms.note(pipeline.id, self._now)
        return recorded
