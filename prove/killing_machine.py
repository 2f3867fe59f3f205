"""Random schedules: what happens in the world, what is delivered when and how often, and when the app is killed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Final

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from localcloud import Azurite
from localcloud.world import MessageStyle
from prove.killing_app import clock_ahead
from prove.killing_gate import Kill
from prove.killing_judge import faults
from prove.killing_process import Answers, Process, Processes
from prove.killing_world import Event, Kind, StagedWorld, Trouble

STEPS: Final = 16
# Longer than a claim lasts (60 s), and than a pending alert is left to whoever opened its condition.
_CLAIM_IS_OVER: Final = 65.0
_BLOB_IS_YOUNGER: Final = 2.0
# Pipelines are looked at hourly.
_LOOK_IS_DUE: Final = 3_660.0
_ROUNDS_UNTIL_TAKEN: Final = 8


_PICKS: Final = st.lists(st.integers(0, 30), min_size=1, max_size=6)


@dataclass(slots=True)
class Tally:
    """What all schedules together have done."""

    schedules: int = 0
    kills: int = 0
    deliveries: int = 0
    repeated: int = 0
    sweeps: int = 0
    runs: int = 0
    raised: int = 0
    alerts: int = 0


class Stage:
    """What all schedules share: the emulator, the processes and the loop they live on."""

    def __init__(self, runner: asyncio.Runner, azurite: Azurite, processes: Processes) -> None:
        self.runner = runner
        self.azurite = azurite
        self.processes = processes
        self.tally = Tally()
        self.told: Callable[[Tally], None] = lambda _tally: None

    @classmethod
    @contextlib.contextmanager
    def open(cls) -> Iterator[Stage]:
        """A stage, until the end of the block."""
        # Its own loop, which leaves the one of whoever calls this alone.
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            stack = contextlib.AsyncExitStack()
            try:
                azurite = runner.run(stack.enter_async_context(Azurite.start()))
                processes = runner.run(stack.enter_async_context(Processes.open()))
                yield cls(runner, azurite, processes)
            finally:
                runner.run(stack.aclose())


class Schedule(RuleBasedStateMachine):
    """One schedule. The rules make up what happens; the end delivers what is left, sweeps, and judges."""

    stage: ClassVar[Stage]

    def __init__(self) -> None:
        super().__init__()
        self._run = self.stage.runner.run
        self._tally = self.stage.tally
        self._stack = contextlib.AsyncExitStack()
        self._clock = self._stack.enter_context(clock_ahead(timedelta()))
        self._ahead = 0.0
        self._wrong: list[str] = []
        self._world: StagedWorld = self._run(self._stack.enter_async_context(StagedWorld.open(self.stage.azurite)))
        self._app: Process = self._run(self._start())

    # --- the world ------------------------------------------------------------------------------------------

    @initialize(style=st.sampled_from(MessageStyle), broken=st.sets(st.sampled_from(Trouble)))
    def world_begins(self, style: MessageStyle, broken: set[Trouble]) -> None:
        """How much the service keeps of what it was refused with, and what is broken from the start."""
        self._world.cloud.world.behaviour.message_style = style
        for trouble in sorted(broken):
            self._world.turn(trouble)

    @rule(kind=st.sampled_from(Kind), number=st.integers(0, 2))
    def run_ends(self, kind: Kind, number: int) -> None:
        """A run is started, perhaps anew, and ends."""
        self._tally.runs += 1
        self._run(self._world.run(kind, number))

    @rule(trouble=st.sampled_from(Trouble))
    def break_or_repair(self, trouble: Trouble) -> None:
        """What works breaks, what is broken is repaired."""
        self._world.turn(trouble)

    @rule()
    def write_is_rejected(self) -> None:
        """ARM refuses the write of a run."""
        self._run(self._world.reject())

    @rule(number=st.integers(0, 1), good=st.booleans(), imported=st.booleans())
    def blob_lands(self, number: int, good: bool, imported: bool) -> None:
        """A blob lands, perhaps over another; perhaps the source trigger imports it, of which no event tells."""
        # Storage tells a blob's age in whole seconds.
        self._shift(_BLOB_IS_YOUNGER)
        self._run(self._world.land(number, good=good))
        if imported:
            self._run(self._world.trigger())

    @rule(seconds=st.sampled_from([5.0, _CLAIM_IS_OVER, 200.0]))
    def time_passes(self, seconds: float) -> None:
        """Nothing happens for a while."""
        self._shift(seconds)

    # --- deliveries -----------------------------------------------------------------------------------------

    @precondition(lambda self: self._world.events)
    @rule(picks=_PICKS, sweep=st.booleans())
    def deliver(self, picks: list[int], sweep: bool) -> None:
        """Events in any order, some of them twice or long after they were taken, all at once."""
        self._run(self._work(self._picked(picks), sweep=sweep))

    @precondition(lambda self: self._world.events)
    @rule(picks=_PICKS, sweep=st.booleans(), kill=st.builds(Kill, at=st.integers(1, 25), applied=st.booleans()))
    def deliver_and_die(self, picks: list[int], sweep: bool, kill: Kill) -> None:
        """The same, and the process is killed over it."""
        self._run(self._work(self._picked(picks), sweep=sweep, kill=kill))

    @precondition(lambda self: self._world.events)
    @rule(kill=st.builds(Kill, at=st.integers(1, 8), applied=st.booleans()))
    def die_over_the_last(self, kill: Kill) -> None:
        """The youngest event is delivered alone, and the process is killed over it."""
        self._run(self._work(self._world.events[-1:], sweep=False, kill=kill))

    @rule(kill=st.none() | st.builds(Kill, at=st.integers(1, 15), applied=st.booleans()))
    def sweep(self, kill: Kill | None) -> None:
        """The timer, and perhaps the process is killed over it."""
        self._run(self._work([], sweep=True, kill=kill))

    def _picked(self, picks: list[int]) -> list[Event]:
        events = self._world.events
        return [events[pick % len(events)] for pick in picks]

    async def _work(self, events: list[Event], *, sweep: bool, kill: Kill | None = None) -> Answers:
        self._tally.deliveries += len(events)
        self._tally.repeated += len(events) - len({id(event) for event in events if not event.taken})
        self._tally.sweeps += sweep
        self._world.gate.kill_at(kill)
        answers = await self._app.work([event.delivery for event in events], sweep=sweep)
        for number, event in enumerate(events):
            event.taken |= number in answers.taken
        self._tally.raised += len(answers.raised)
        self._wrong += answers.unforeseen
        if kill is not None:
            # Who did not write so often is killed when it is done.
            self._app.kill()
            self._tally.kills += 1
            await self._app.ended()
            await self._world.gate.idle()
            self._app = await self._start()
        elif answers.killed:
            raise RuntimeError("the app has ended by itself")
        return answers

    async def _start(self) -> Process:
        app = await self.stage.processes.start(self._world.cloud, self._ahead)
        self._world.gate.let_in(app.number, app.kill)
        return app

    def _shift(self, seconds: float) -> None:
        self._ahead += seconds
        self._clock.shift(timedelta(seconds=seconds))
        self._app.shift(seconds)

    # --- the end --------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Event Grid delivers what is left, the timer goes on, and then it is judged."""
        try:
            self._deliver_the_rest()
            wrong = [*self._wrong, *faults(self._world.truth)]
            self._tally.schedules += 1
            self._tally.alerts += sum("type" in said for said in self._world.truth.said)
            self.stage.told(self._tally)
        finally:
            self._app.kill()
            self._run(self._app.ended())
            self._run(self._stack.aclose())
        assert not wrong, "\n".join(wrong)

    def _deliver_the_rest(self) -> None:
        for _ in range(_ROUNDS_UNTIL_TAKEN):
            self._shift(_CLAIM_IS_OVER)
            left = [event for event in self._world.events if not event.taken]
            answers = self._run(self._work(left, sweep=not left))
            if not left:
                break
        else:
            self._wrong.append(f"{len(left)} events were never taken: {answers.raised}")
        for seconds in (_LOOK_IS_DUE, _CLAIM_IS_OVER):
            self._shift(seconds)
            self._run(self._work([], sweep=True))


def play(stage: Stage, schedules: int, *, number: int | None = None, shrink: bool = True) -> None:
    """Plays that many random schedules. Raises what was found wrong, with the shortest schedule that shows it."""
    machine: Any = type("Schedule", (Schedule,), {"stage": stage})
    if number is not None:
        machine = seed(number)(machine)
    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=schedules,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )
