"""The sweep's looks at pipelines: several at once, within what ARM gives, and never all of the sweep's time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from shared import sweep
from shared.findings.builder import Occasion, TriggeredBy
from shared.recorder import Recorded
from shared.records.transfer import Pipeline
from shared.sweep_budget import AT_ONCE, PER_SECOND, ReadBudget
from shared.sweep_facts import SweepFacts
from shared.sweep_pipelines import PipelineSweep
from tests.corridor.conftest import Corridor
from tests.corridor.time_travel import rows_of

OCCASION = Occasion(TriggeredBy.SWEEP)


def more_pipelines(corridor: Corridor, count: int) -> None:
    """Export pipelines beside the two that there are."""
    for number in range(count):
        uri = f"https://contosoexport.blob.core.windows.net/more{number}"
        corridor.cloud.world.add_export_pipeline(corridor.scenario.source, f"more{number}", uri)


async def looks(corridor: Corridor) -> tuple[PipelineSweep, tuple[Pipeline, ...]]:
    """The step, and what it is to look at."""
    pipelines, _ = await corridor.monitor.gatherer.lookups.all_pipelines()
    step = PipelineSweep(corridor.monitor, SweepFacts(), datetime.now(UTC))
    await step.load()
    return step, pipelines


async def test_eight_pipelines_are_looked_at_at_once_and_no_more(
    corridor: Corridor, monkeypatch: pytest.MonkeyPatch
) -> None:
    more_pipelines(corridor, 15)
    step, pipelines = await looks(corridor)
    eight_are_there = asyncio.Event()
    under_way = most = 0

    async def look(_self: PipelineSweep, _pipeline: Pipeline, _occasion: Occasion) -> Recorded:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == 8:
            eight_are_there.set()
        await eight_are_there.wait()
        under_way -= 1
        return Recorded()

    monkeypatch.setattr(PipelineSweep, "_look", look)
    async with asyncio.timeout(60):
        async for _ in step.sweep(pipelines, OCCASION, ReadBudget(corridor.monitor.azure.arm), None):
            pass
    assert (most, step.done, step.looked_at) == (8, 17, 17)


async def test_what_a_sweep_has_no_time_for_is_left_to_the_next(
    corridor: Corridor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "PIPELINE_SECONDS", 0.0)
    first = await corridor.sweep()
    assert (first.pipelines_looked_at, first.pipelines_left, first.problems) == (0, 2, [])
    evidence = rows_of(corridor, "ACRT903")[-1]["Evidence"]
    assert (evidence["pipelinesLookedAt"], evidence["pipelinesLeft"]) == (0, 2)
    monkeypatch.undo()
    second, third = await corridor.sweep(), await corridor.sweep()
    assert (second.pipelines_looked_at, second.pipelines_left) == (2, 0)
    assert (third.pipelines_looked_at, third.pipelines_left) == (0, 0)


async def test_a_look_that_can_not_be_stored_ends_the_step_and_no_task_is_left(
    corridor: Corridor, monkeypatch: pytest.MonkeyPatch
) -> None:
    more_pipelines(corridor, 4)
    step, pipelines = await looks(corridor)
    cancelled = 0

    async def look(_self: PipelineSweep, pipeline: Pipeline, _occasion: Occasion) -> Recorded:
        nonlocal cancelled
        if pipeline.name == "more0":
            raise LookupError("not stored")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled += 1
            raise
        return Recorded()

    monkeypatch.setattr(PipelineSweep, "_look", look)
    with pytest.raises(LookupError):
        async for _ in step.sweep(pipelines, OCCASION, ReadBudget(corridor.monitor.azure.arm), None):
            pass
    assert cancelled == 5


async def test_reads_are_paced_by_what_arm_refills(corridor: Corridor) -> None:
    moments = [100.0]
    arm = corridor.monitor.azure.arm
    arm.reads = 1_000
    budget = ReadBudget(arm, lambda: moments[0])
    arm.reads += AT_ONCE
    assert budget.seconds_to_wait() == 0
    arm.reads += 600
    assert budget.seconds_to_wait() == pytest.approx(600 / PER_SECOND)
    moments[0] += 10
    assert budget.seconds_to_wait() == pytest.approx(600 / PER_SECOND - 10)
    moments[0] += 20
    assert budget.seconds_to_wait() == 0
    await budget.wait()
