"""Progress on standard error: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from acrtm.terminal import console

Progress = Callable[[str, int, int], None]

_SECONDS_BETWEEN_LINES: Final = 2.0


@contextmanager
def shown_progress(first: str) -> Iterator[Progress]:
    """Something to call with what is counted, how many are done, and of how many; ``first`` is counted first."""
    err = console(stderr=True)
    if not err.is_terminal:
        yield _Lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, TimeElapsedColumn(), console=err, transient=True) as bars:
        tasks = {first: bars.add_task(first, total=None)}

        def show(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=of)
            bars.update(tasks[what], completed=done, total=of)

        yield show


class _Lines:
    """Progress for a log: the end of each part, and what lies between at most every two seconds."""

    def __init__(self) -> None:
        self._err = console(stderr=True)
        self._last = time.monotonic()

    def __call__(self, what: str, done: int, of: int) -> None:
        now = time.monotonic()
        if done < of and now - self._last < _SECONDS_BETWEEN_LINES:
            return
        self._last = now
        self._err.print(f"{what}: {done} of {of}", soft_wrap=True)
