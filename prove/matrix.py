"""``python -m prove.matrix``: every dependency fails in every way, and nothing is lost, false, late or leaked.

A cell is one world. While the fault holds towards the monitor alone, an event comes in; then the fault ends, the
event comes again if it was raised, and a sweep runs. The words of the table::

    ok     stored although the dependency failed      again  raised, and right when it came again
    later  completed by the sweep                     said   a finding says what could not be checked
    gone   the service said that it is gone, and that is what was found
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from localcloud import Azurite
from localcloud.service import Fault, Origin
from prove.cells import DEPENDENCIES, FAULTS, Dependency, Door, action_of
from prove.judging import Cell, judge
from prove.limits import TimeLimits, limits, nobody_is_publishing
from prove.stage import BARE_BLOB, GOOD_BLOB, SWEPT_RUN, TOLD_RUN, LogCapture, Stage, staged
from shared.errors import AlreadyInProgress, MonitorError, TransientError
from shared.events import PlatformEvent
from shared.sweep import Sweep

# Worlds side by side, each lane with one Azurite for all its cells; most of the time is waited for, not worked.
LANES: Final = 4
_QUICK_LANES: Final = 2
# In the quick matrix each dependency meets this many faults, another selection for each.
_QUICK_FAULTS: Final = 3
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
    """One world, one fault, one judgement."""
    dependency = cell.dependency
    try:
        async with staged(azurite, dependency.trouble) as stage:
            events = await _come_in(stage, dependency.door)
            before = len(stage.rows)
            token = stage.cloud.sas(stage.scenario.export_account.name, "transfer", "rwla")
            fault = Fault(dependency.service, dependency.match, action_of(cell.fault, token), origin=Origin.MONITOR)
            stage.cloud.faults.append(fault)
            raised = await _while_it_holds(cell, stage, events, allowed)
            during = len(stage.rows)
            stage.cloud.faults.clear()
            for event in raised:
                await _again(cell, stage, event, allowed)
            with nobody_is_publishing():
                await Sweep(stage.monitor).run()
            await judge(cell, stage, fault, before, during)
    except Exception as error:  # noqa: BLE001 - whatever escapes is a hole of this cell, and the others go on
        cell.holes.append(f"{type(error).__name__}: {str(error)[:300]}")


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


async def _while_it_holds(
    cell: Cell, stage: Stage, events: Sequence[PlatformEvent], allowed: TimeLimits
) -> list[PlatformEvent]:
    """The events that were raised."""
    door = cell.dependency.door
    if door is Door.SWEEP:
        began = time.monotonic()
        try:
            await Sweep(stage.monitor).run()
        except MonitorError:
            cell.word = "again"
        cell.seconds = time.monotonic() - began
        return []
    raised = []
    for event in events:
        began = time.monotonic()
        try:
            await _deliver(stage, event, door)
        except TransientError:
            raised.append(event)
            cell.word = "again"
        seconds = time.monotonic() - began
        cell.seconds = max(cell.seconds, seconds)
    if cell.seconds > allowed.handler:
        cell.holes.append(f"took {cell.seconds:.1f} s of {allowed.handler:g}")
    return raised


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


# --- the table ----------------------------------------------------------------------------------------------


def table(cells: Sequence[Cell]) -> str:
    """A row for each dependency, a column for each fault; what was not played is a dot."""
    by_place = {(cell.dependency.label, cell.fault): cell for cell in cells}
    labels = list(dict.fromkeys(cell.dependency.label for cell in cells))
    width = max(map(len, labels))
    lines = [" " * width + "".join(f"{fault:>7}" for fault in FAULTS) + "  longest"]
    for label in labels:
        row = [by_place.get((label, fault)) for fault in FAULTS]
        longest = max(cell.seconds for cell in row if cell is not None)
        words = "".join(f"{cell.shown if cell is not None else '·':>7}" for cell in row)
        lines.append(f"{label:{width}}{words}{longest:7.1f} s")
    return "\n".join(lines)


def holes(cells: Sequence[Cell]) -> list[str]:
    """A sentence for each hole."""
    return [f"{cell.dependency.label}, {cell.fault}: {hole}" for cell in cells for hole in cell.holes]


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
    words.add_argument("--lanes", type=int, default=0, help="how many worlds side by side")
    wanted = words.parse_args()
    cells = diagonal(each=_QUICK_FAULTS) if wanted.quick else all_cells()
    cells = [cell for cell in cells if wanted.only in cell.dependency.label]
    if not cells:
        words.error(f"no row's name holds '{wanted.only}'")
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

        asyncio.run(play(cells, allowed, lanes, told))
    print(table(cells))
    found = holes(cells)
    print(f"\n{len(cells)} cells, {len(found)} holes")
    for hole in found:
        print(f"  {hole}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
