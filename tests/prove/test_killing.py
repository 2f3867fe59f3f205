"""A few schedules of the kill test, and one that kills at every write; ``make prove`` plays hundreds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from localcloud.world import MessageStyle
from prove.killing import told_of
from prove.killing_app import clock_ahead
from prove.killing_gate import Kill
from prove.killing_machine import Schedule, Stage, play
from prove.killing_world import Kind, Trouble

# Claim, cause, rows, root cause's condition, alert, told, done: a failed run writes no more often than that.
WRITES = 8


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage.open() as opened:
        yield opened


def test_a_few_random_schedules_lose_nothing_and_say_nothing_twice(stage: Stage) -> None:
    play(stage, 2, number=2)
    assert stage.tally.kills
    assert stage.tally.deliveries
    assert stage.tally.alerts


@pytest.mark.parametrize("at", [3, 5])
def test_a_kill_and_a_repair_leave_one_root_cause(stage: Stage, at: int) -> None:
    """Which of them counts depends on what was there to be seen; two may never stand side by side."""
    schedule = type("Schedule", (Schedule,), {"stage": stage})()
    schedule.world_begins(style=MessageStyle.BARE, broken={Trouble.FIREWALL})
    schedule.run_ends(kind=Kind.EXPORT, number=1)
    before = stage.tally.kills
    schedule.die_over_the_last(kill=Kill(at, applied=True))
    assert stage.tally.kills == before + 1
    schedule.break_or_repair(trouble=Trouble.FIREWALL)
    schedule.teardown()


def test_the_clock_is_put_ahead_and_goes_on() -> None:
    real = datetime.now(UTC)
    with clock_ahead(timedelta(hours=1)) as clock:
        assert timedelta(minutes=59) < datetime.now(UTC) - real < timedelta(hours=2)
        clock.shift(timedelta(days=1))
        assert datetime.now(UTC) - real > timedelta(days=1)
    assert datetime.now(UTC) - real < timedelta(minutes=59)


def test_what_is_told_of_a_failure_holds_the_first_one() -> None:
    first = AssertionError("ACRT201 opened, and nobody was told")
    first.add_note("state.teardown()")
    told = "\n".join(told_of(ExceptionGroup("did not come again", [first])))
    assert "did not come again" in told
    assert "nobody was told\nstate.teardown()" in told
