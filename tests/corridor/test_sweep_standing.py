"""What lasts is said again twice a day, so that an alert rule that looks back two days goes on seeing it."""

from __future__ import annotations

from datetime import timedelta

from tests.corridor.conftest import Corridor
from tests.corridor.time_travel import conditions_opened, forget_rhythms, rows_of


async def run_that_failed(corridor: Corridor) -> None:
    """It is looked at once, and no look at its pipeline finds the cause again."""
    await corridor.run_event(await corridor.export("asking", "app/missing:1.0"))


async def test_a_failed_run_is_said_again_as_it_was(corridor: Corridor) -> None:
    await run_that_failed(corridor)
    [first] = rows_of(corridor, "ACRT601")
    await conditions_opened(corridor, timedelta(days=9))
    await corridor.sweep()
    [_, again] = rows_of(corridor, "ACRT601")
    assert again["TimeGenerated"] > first["TimeGenerated"]
    assert {**again, "TimeGenerated": ""} == {**first, "TimeGenerated": ""}
    assert (again["State"], again["Role"]) == ("Open", "RootCause")


async def test_it_is_said_twice_a_day_and_not_by_every_sweep(corridor: Corridor) -> None:
    await run_that_failed(corridor)
    await conditions_opened(corridor, timedelta(days=9))
    for _ in range(3):
        await corridor.sweep()
    assert len(rows_of(corridor, "ACRT601")) == 2
    await forget_rhythms(corridor)
    await corridor.sweep()
    assert len(rows_of(corridor, "ACRT601")) == 3


async def test_what_has_just_opened_is_not_said_twice(corridor: Corridor) -> None:
    await run_that_failed(corridor)
    await corridor.sweep()
    assert len(rows_of(corridor, "ACRT601")) == 1


async def test_what_this_sweep_has_resolved_does_not_come_back(corridor: Corridor) -> None:
    await run_that_failed(corridor)
    await conditions_opened(corridor, timedelta(days=9))
    await corridor.export("later")
    await corridor.sweep()
    assert [row["State"] for row in rows_of(corridor, "ACRT601")] == ["Open", "Resolved"]
