"""The sweep's look at rejected writes, whose reason stands in the activity log some minutes after the event."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final

from shared.ended_runs import may_be_of
from shared.errors import MonitorError, PermanentError
from shared.findings.builder import Occasion
from shared.findings.finding import Finding
from shared.monitor import Monitor
from shared.recorder import Recorded
from shared.records.transfer import PipelineRun
from shared.sinks.lost_writes import LOOKED_UP_FOR, REJECTED, LostRecord

# A deployment that fails a hundred times an hour is looked at over several sweeps, each write in its turn.
MOST_AT_A_TIME: Final = 100
_AT_ONCE: Final = 4
# The log is asked for a day, and for another one if it could not be asked; then the first cause stands.
GIVEN_UP_AFTER: Final = 2 * LOOKED_UP_FOR


async def sweep_lost_writes(monitor: Monitor, occasion: Occasion, now: datetime, problems: list[str]) -> Recorded:
    """Asks the log about every write that waits. What can't be had or stored is a problem; the next sweep asks again.

    Raises :class:`~shared.errors.NotStored` if the state store can't be used at all.
    """
    turns = asyncio.Semaphore(_AT_ONCE)
    findings: list[Finding] = []
    alerts: list[str] = []

    async def one(record: LostRecord) -> None:
        async with turns:
            try:
                run = await _run_of_that_name(monitor, record)
                if run is not None and _is_its_own(run, record):
                    recorded = await monitor.rejected_writes.take_back(record, occasion)
                else:
                    pipeline_id = run.pipeline_id if run is not None else ""
                    log = monitor.azure.activity_log
                    recorded = await monitor.rejected_writes.look_up(record, log, occasion, pipeline_id)
            except MonitorError as error:
                problems.append(str(error))
                if now - record.written_at > GIVEN_UP_AFTER:
                    await monitor.rejected_writes.records.finish(record, REJECTED)
                return
        findings.extend(recorded.findings)
        alerts.extend(recorded.alerts)

    async def in_turn(records: list[LostRecord]) -> None:
        # Writes of one name have one condition, which the one hands on to the next.
        for record in records:
            await one(record)

    by_name: dict[str, list[LostRecord]] = {}
    for record in await monitor.rejected_writes.records.waiting(now, MOST_AT_A_TIME):
        by_name.setdefault(record.resource_id.lower(), []).append(record)
    await asyncio.gather(*(in_turn(records) for records in by_name.values()))
    return Recorded(tuple(findings), tuple(alerts))


async def _run_of_that_name(monitor: Monitor, record: LostRecord) -> PipelineRun | None:
    if not record.resource_id.lower().rpartition("/")[0].endswith("/pipelineruns"):
        return None
    try:
        return await monitor.azure.registries.run(record.resource_id)
    except PermanentError:
        return None


def _is_its_own(run: PipelineRun, record: LostRecord) -> bool:
    """Whether the write has left this run: one that began before the event, and none that was over long before it.

    A run that was not to be seen for a moment is diagnosed as any other; the log would name its cause a second time.
    """
    began_before = run.began is not None and run.began <= record.written_at
    return began_before and may_be_of(run, record.written_at)
