"""``python -m prove.matrix``: every dependency fails in every way, and nothing is lost, false, late or leaked.

A cell is one world. While the fault holds towards the monitor alone, events come in or a sweep runs; then the fault
ends, what was raised comes again, a sweep runs, and another one half an hour later. The words of the table::

    ok     found and told although the dependency failed
    again  raised, and right when it came again; of a sweep: it could not be stored, and the next one did it
    later  said to be open, or kept, and completed by a later sweep
    said   a refusal that lasts left it open for good, and ACRT901 says so
    gone   the service itself said that the run or the blob is gone, and that was believed

Each cell answers, or is a hole: was an event lost, was a pass false, did it take too long, did anything leak?
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from localcloud import Azurite
from localcloud.service import Fault, Origin
from prove.cells import DEPENDENCIES, FAULTS, Dependency, Door, action_of
from prove.judging import Cell, Moment, judge
from prove.limits import TimeLimits, limits, nobody_is_publishing
from prove.stage import BARE_BLOB, GOOD_BLOB, SWEPT_RUN, TOLD_RUN, LaterSweep, LogCapture, Stage, staged
from prove.table import head, holes, summary, table
from shared.errors import AlreadyInProgress, MonitorError, TransientError
from shared.events import PlatformEvent
from shared.sweep import Sweep

# Worlds side by side, each lane with one Azurite for all its cells; most of the time is waited for, not worked.
LANES: Final = 4
_QUICK_LANES: Final = 2
# In the quick matrix each dependency meets this many faults, another selection for each.
_QUICK_FAULTS: Final = 3
# A dependency that was not asked proves nothing.
_ATTEMPTS: Final = 3
Told = Callable[[Cell], None]


def all_cells() -> list[Cell]:
    """Every dependency with every fault."""
    return [Cell(dependency, fault) for dependency in DEPENDENCIES for fault in FAULTS]


def diagonal(dependencies: Sequence[Dependency] = DEPENDENCIES, each: int = 1) -> list[Cell]:
    """``each`` faults for every dependency, shifted by one from row to row, so that every fault occurs."""
    step = len(FAULTS) // each
    return [
        Cell(dependency, FAULTS[(row + number * step) % len(FAULTS)])
        for row, dependency in enumerate(dependencies)
        for number in range(each)
    ]


async def play(cells: Sequence[Cell], allowed: TimeLimits, lanes: int = LANES, told: Told = lambda _cell: None) -> None:
    """Plays all cells, ``lanes`` at a time."""
    waiting = list(reversed(cells))
    async with asyncio.TaskGroup() as tasks:
        for _ in range(min(lanes, len(cells))):
            tasks.create_task(_lane(waiting, allowed, told))


async def _lane(waiting: list[Cell], allowed: TimeLimits, told: Told) -> None:
    async with Azurite.start() as azurite:
        while waiting:
            cell = waiting.pop()
            await play_cell(azurite, cell, allowed)
            told(cell)


async def play_cell(azurite: Azurite, cell: Cell, allowed: TimeLimits) -> None:
    """One world, one fault, one judgement; again in a new world if the dependency was not asked."""
    for _ in range(_ATTEMPTS):
        try:
            await _attempt(azurite, cell, allowed)
        except Exception as error:  # noqa: BLE001 - whatever escapes is a hole of this cell, and the others go on
            cell.holes.append(f"{type(error).__name__}: {str(error)[:300]}")
        if cell.hits:
            return
        # A machine that is busy with other things may use up the look-ups' time before it comes to this one.
        cell.forget("the dependency was not asked")


async def _attempt(azurite: Azurite, cell: Cell, allowed: TimeLimits) -> None:
    dependency = cell.dependency
    async with staged(azurite, dependency.trouble) as stage:
        events = await _come_in(stage, dependency.door)
        before, looks = len(stage.rows), len(stage.looks)
        token = stage.cloud.sas(stage.scenario.export_account.name, "transfer", "rwla")
        fault = Fault(dependency.service, dependency.match, action_of(cell.fault, token), origin=Origin.MONITOR)
        stage.cloud.faults.append(fault)
        raised = await _while_it_fails(cell, stage, events, allowed)
        moment = partial(Moment, before, list(stage.rows), stage.looks[looks:], list(stage.topic.published))
        stage.cloud.faults.clear()
        kept = moment(await stage.waiting())
        for event in raised:
            await _again(cell, stage, event, allowed)
        with nobody_is_publishing():
            await Sweep(stage.monitor).run()
        await LaterSweep(stage.monitor).run()
        await judge(cell, stage, fault, kept)


async def _come_in(stage: Stage, door: Door) -> list[PlatformEvent]:
    """What has happened in this world before the dependency fails."""
    if door is Door.RUN:
        return [await stage.fail(TOLD_RUN)]
    events = [await stage.land(name) for name in (GOOD_BLOB, BARE_BLOB)]
    if door is Door.BLOB:
        return events
    # The sweep finds an untold run and two blobs, beside a condition that is open already.
    await stage.monitor.run_event(await stage.fail(TOLD_RUN))
    await stage.fail(SWEPT_RUN)
    await stage.begin_anew()
    return []


async def _deliver(stage: Stage, event: PlatformEvent, door: Door) -> None:
    await (stage.monitor.run_event if door is Door.RUN else stage.monitor.blob_event)(event)


async def _while_it_fails(
    cell: Cell, stage: Stage, events: Sequence[PlatformEvent], allowed: TimeLimits
) -> list[PlatformEvent]:
    """The events that were raised."""
    door = cell.dependency.door
    if door is Door.SWEEP:
        async with _timed(cell, allowed.sweep):
            try:
                await Sweep(stage.monitor).run()
            except MonitorError as error:
                stage.log(error)
                cell.raised = {SWEPT_RUN, GOOD_BLOB, BARE_BLOB}
        return []
    raised = []
    for event in events:
        async with _timed(cell, allowed.handler):
            try:
                await _deliver(stage, event, door)
            except TransientError as error:
                stage.log(error)
                cell.raised.add(event.subject.rpartition("/")[2])
                raised.append(event)
    return raised


@asynccontextmanager
async def _timed(cell: Cell, limit: float) -> AsyncIterator[None]:
    """Notes how long the block takes, and a hole if that is too long."""
    began = time.monotonic()
    yield
    seconds = time.monotonic() - began
    cell.seconds = max(cell.seconds, seconds)
    if seconds > limit:
        cell.holes.append(f"took {seconds:.1f} s of {limit:g}")


async def _again(cell: Cell, stage: Stage, event: PlatformEvent, allowed: TimeLimits) -> None:
    """As Event Grid does it: until it is taken, for longer than a lost claim lasts."""
    until = time.monotonic() + allowed.claim + 5
    while True:
        try:
            await _deliver(stage, event, cell.dependency.door)
            return
        except AlreadyInProgress as error:
            if time.monotonic() > until:
                cell.holes.append(f"still raised when all was well again: {error}")
                return
            await asyncio.sleep(1)


@contextmanager
def captured_log() -> Iterator[None]:
    """Everything that is logged is kept for its cell, at every level."""
    root = logging.getLogger()
    capture, level = LogCapture(), root.level
    root.addHandler(capture)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.removeHandler(capture)
        root.setLevel(level)


def main() -> int:
    """Plays the matrix and prints it; 1 if it has a hole."""
    words = argparse.ArgumentParser(prog="python -m prove.matrix", description="Fails every dependency in every way.")
    words.add_argument("--quick", action="store_true", help="shorter time limits and a part of the cells")
    words.add_argument("--short", action="store_true", help="shorter time limits, all cells")
    words.add_argument("--only", default="", help="rows whose name holds this text")
    words.add_argument("--fault", default="", choices=("", *FAULTS), help="one column alone")
    words.add_argument("--lanes", type=int, default=0, help="how many worlds side by side")
    wanted = words.parse_args()
    cells = diagonal(each=_QUICK_FAULTS) if wanted.quick else all_cells()
    cells = [c for c in cells if wanted.only in c.dependency.label and wanted.fault in {"", c.fault}]
    if not cells:
        words.error(f"no such cell: --only '{wanted.only}' --fault '{wanted.fault}'")
    short = wanted.quick or wanted.short
    lanes = wanted.lanes or (_QUICK_LANES if short else LANES)
    columns = (TextColumn("{task.description:32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        captured_log(),
        limits(short=short) as allowed,
        Progress(*columns, console=Console(stderr=True), transient=True) as progress,
    ):
        task = progress.add_task("starting", total=len(cells))

        def told(cell: Cell) -> None:
            progress.update(task, advance=1, description=cell.dependency.label)

        began = time.monotonic()
        asyncio.run(play(cells, allowed, lanes, told))
    print(head(allowed, short=short))
    print(table(cells))
    print(summary(cells, time.monotonic() - began))
    return 1 if holes(cells) else 0


if __name__ == "__main__":
    sys.exit(main())
