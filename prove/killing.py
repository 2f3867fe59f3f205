"""``python -m prove.killing``: events duplicated, reordered, delayed and handled at once, and the app killed over them.

A schedule is one world with everything that happens in it, made up by Hypothesis: runs fail and succeed, things break
and are repaired, blobs land, writes are rejected. Their events reach a real process of the app, some of them several
times, in any order and at once; the process is killed (``kill -9``) at a write of its choice and another takes over.
In the end everything is delivered, the timer goes on, and what was said is held against what was true.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from prove.killing_machine import Stage, Tally, play

# What the product promises is that many random schedules without a fault.
SCHEDULES: Final = 200


def summary(tally: Tally, seconds: float, number: int | None) -> str:
    """The figures of a run."""
    chosen = "at random" if number is None else f"from seed {number}"
    return (
        f"{tally.schedules} schedules {chosen} in {seconds:.0f} s: {tally.kills} kills, {tally.deliveries} deliveries "
        f"({tally.repeated} of them repeated), {tally.raised} raised and delivered again, {tally.sweeps} sweeps, "
        f"{tally.runs} runs, {tally.alerts} alerts"
    )


def told_of(failure: BaseException) -> Iterator[str]:
    """What went wrong, with the schedule. A failure that did not come again holds the first one."""
    yield "".join(traceback.format_exception_only(failure))
    if failure.__cause__ is not None:
        yield from told_of(failure.__cause__)
    if isinstance(failure, BaseExceptionGroup):
        for error in failure.exceptions:
            yield from told_of(error)


def main() -> int:
    """Plays the schedules and prints what they did; 1 if one of them went wrong, with the shortest that does."""
    words = argparse.ArgumentParser(prog="python -m prove.killing", description="Kills the app at random points.")
    words.add_argument("--schedules", type=int, default=SCHEDULES, help="how many")
    words.add_argument("--seed", type=int, default=None, help="the same schedules again")
    words.add_argument("--as-found", action="store_true", help="show a failing schedule without shortening it")
    wanted = words.parse_args()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    began = time.monotonic()
    failure: BaseException | None = None
    with (
        Stage.open() as stage,
        Progress(*columns, console=Console(stderr=True), transient=True) as progress,
    ):
        task = progress.add_task("schedules", total=wanted.schedules)

        def told(tally: Tally) -> None:
            progress.update(task, completed=tally.schedules, description=f"{tally.kills} kills")

        stage.told = told
        try:
            play(stage, wanted.schedules, number=wanted.seed, shrink=not wanted.as_found)
        except KeyboardInterrupt:
            print(summary(stage.tally, time.monotonic() - began, wanted.seed))
            print("interrupted: all of these went well")
            return 130
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what was looked for
            failure = error
    print(summary(stage.tally, time.monotonic() - began, wanted.seed))
    if failure is not None:
        print(*told_of(failure), sep="\n")
        return 1
    print("each run has one root cause, each condition was told once, nothing is lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
