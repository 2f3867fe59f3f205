"""Progress on standard error: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from acrtm.terminal import console

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

_SECONDS_BETWEEN_LINES: Final = 2.0


class Progress(Protocol):
    """Something to call with what is counted, how many are done, and of how many."""

    def __call__(self, what: str, done: int, of: int) -> None:
        """Shows how much is done."""

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Makes room for lines on standard output meanwhile."""
        yield


@contextmanager
def shown_progress(first: str) -> Iterator[Progress]:
    """Progress of one command; ``first`` is counted first."""
    err = console(stderr=True)
    if not err.is_terminal:
        yield _Lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, TimeElapsedColumn(), console=err, transient=True) as bars:
        yield _Bars(bars, first)


class _Bars:
    """A bar for each part."""

    def __init__(self, bars: Bars, first: str) -> None:
        self._bars = bars
        self._tasks = {first: bars.add_task(first, total=None)}

    def __call__(self, what: str, done: int, of: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=of)
        self._bars.update(self._tasks[what], completed=done, total=of)

    @contextmanager
    def aside(self) -> Iterator[None]:
        # Both streams end on one screen, where a line would begin behind the bar. In a pipe it meets no bar.
        if not sys.stdout.isatty():
            yield
            return
        self._bars.stop()
        try:
            yield
        finally:
            self._bars.start()


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

    @contextmanager
    def aside(self) -> Iterator[None]:
        yield
