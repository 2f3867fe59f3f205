"""Plays the labelled scenarios and says how often the monitor is right: ``python -m tools.scenarios [PATTERN]``.

Exit code 0 only if every scenario comes out as labelled and none that is healthy raises anything.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import queue
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from localcloud import Azurite, LocalCloud
from tests.scenarios.loading import ScenarioFile, all_scenarios
from tests.scenarios.operations import ScenarioError
from tests.scenarios.playing import Played, play, problems

# A scenario's number and what came of it: what the monitor wrote, or how playing it went wrong.
Done: TypeAlias = "multiprocessing.Queue[tuple[int, Played | str]]"
# Azurite may have to start first; no scenario takes more than a second or two.
_PATIENCE: Final = 60.0
_AT_ONCE: Final = 2


class BrokenScenario(Exception):
    """A scenario, or the cloud that it is played in, is broken itself."""


@dataclass(frozen=True, slots=True)
class Result:
    """One scenario, and how the monitor did."""

    scenario: ScenarioFile
    played: Played
    wrong: tuple[str, ...]

    @property
    def has_root_cause(self) -> bool:
        """Whether there is a root cause to be found."""
        return bool(self.scenario.expect.root_cause)

    @property
    def root_cause_right(self) -> bool:
        """Whether it was found."""
        return self.played.root_cause == self.scenario.expect.root_cause

    @property
    def false_alarm(self) -> bool:
        """Whether a healthy scenario raised something."""
        return self.scenario.expect.healthy and bool(self.played.false_alarms or self.played.alerts)


async def play_in_turn(numbered: Sequence[tuple[int, ScenarioFile]], done: Done) -> None:
    """Plays scenarios one after the other, each in a fresh world on one Azurite."""
    async with Azurite.start() as azurite:
        for number, scenario in numbered:
            try:
                async with LocalCloud.start(azurite) as cloud:
                    done.put((number, await play(scenario, cloud)))
            except Exception:  # noqa: BLE001 - whatever it is, it is said beside the scenario's name
                done.put((number, traceback.format_exc()))


def _worker(numbered: Sequence[tuple[int, ScenarioFile]], done: Done) -> None:
    logging.disable(logging.WARNING)
    asyncio.run(play_in_turn(numbered, done))


def play_all(scenarios: Sequence[ScenarioFile], progress: Progress, jobs: int) -> list[Result]:
    """Plays the scenarios in as many processes, and gives the results in the order of the scenarios."""
    bar = progress.add_task("scenarios", total=len(scenarios))
    context = multiprocessing.get_context("spawn")
    done: Done = context.Queue()
    numbered = list(enumerate(scenarios))
    workers = [context.Process(target=_worker, args=(numbered[job::jobs], done), daemon=True) for job in range(jobs)]
    for worker in workers:
        worker.start()
    played: dict[int, Played] = {}
    while len(played) < len(scenarios):
        try:
            number, outcome = done.get(timeout=_PATIENCE)
        except queue.Empty:
            raise BrokenScenario(f"no scenario ended within {_PATIENCE:g} s") from None
        if isinstance(outcome, str):
            raise BrokenScenario(f"{scenarios[number].name} can't be played:\n{outcome}")
        played[number] = outcome
        progress.update(bar, advance=1, description=scenarios[number].name)
    for worker in workers:
        worker.join()
    return [Result(s, played[number], tuple(problems(s, played[number]))) for number, s in numbered]


def confusion(results: Sequence[Result]) -> Table:
    """What was to be found against what was found; a row says how often each label was taken for which."""
    table = Table(title="Labelled and found", title_justify="left")
    for heading in ("labelled", "scenarios", "found", "taken for"):
        table.add_column(heading, justify="right" if heading in {"scenarios", "found"} else "left")
    pairs = Counter((result.scenario.label, result.played.label) for result in results)
    for label in sorted({label for label, _ in pairs}):
        found = {other: count for (given, other), count in pairs.items() if given == label}
        others = ", ".join(f"{other} x{count}" for other, count in sorted(found.items()) if other != label)
        table.add_row(label, str(sum(found.values())), str(found.get(label, 0)), others, style="red" if others else "")
    return table


def report(results: Sequence[Result], console: Console, seconds: float) -> bool:
    """Prints the figures. Whether everything is right."""
    console.print(confusion(results))
    caused = [result for result in results if result.has_root_cause]
    healthy = [result for result in results if result.scenario.expect.healthy]
    texts = [result for result in results if result.scenario.sets_message]
    right = sum(result.root_cause_right for result in caused)
    wrong = [result for result in results if result.wrong]
    alarms = [result for result in healthy if result.false_alarm]
    console.print(f"root cause right    {right} of {len(caused)}{_percent(right, len(caused))}")
    console.print(f"false alarms        {len(alarms)} in {len(healthy)} healthy scenarios")
    whole = len(results) - len(wrong)
    console.print(f"right in everything {whole} of {len(results)}{_percent(whole, len(results))}")
    console.print(f"                    {len(texts)} of them set a run's message, in {seconds:.0f} s")
    for result in wrong:
        console.print(f"\n[red]{result.scenario.name}[/]: {result.scenario.about}", highlight=False)
        for sentence in result.wrong:
            console.print(f"  {sentence}", highlight=False, markup=False, soft_wrap=True)
    return not wrong


def _percent(part: int, whole: int) -> str:
    return f" ({part / whole:.1%})" if whole else ""


def main(patterns: Sequence[str]) -> int:
    """Plays the scenarios whose name a pattern matches, or all."""
    logging.disable(logging.WARNING)
    console = Console()
    try:
        scenarios = [s for s in all_scenarios() if not patterns or any(fnmatchcase(s.name, p) for p in patterns)]
    except ScenarioError as error:
        console.print(str(error), style="red", markup=False)
        return 2
    if not scenarios:
        console.print(f"no scenario matches {', '.join(patterns)}", style="red", markup=False)
        return 2
    columns = (TextColumn("{task.description:<48}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    began = time.monotonic()
    with Progress(*columns, console=console, transient=True) as progress:
        try:
            results = play_all(scenarios, progress, min(_AT_ONCE, os.cpu_count() or 1, len(scenarios)))
        except BrokenScenario as broken:
            console.print(str(broken), style="red", markup=False)
            return 2
    return 0 if report(results, console, time.monotonic() - began) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
