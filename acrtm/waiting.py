"""A line on standard error while a command thinks, gone as soon as there is something to say.

It begins before Azure's SDK is imported, which takes longer than most answers. On a terminal it is a spinner with the
time; elsewhere a single line, and only if the answer takes longer than people like to wait without a word.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

SILENT_SECONDS: Final = 2.0

_end: Callable[[], None] | None = None


@contextmanager
def waiting(words: str) -> Iterator[None]:
    """Shows ``words`` until the block or :func:`end_waiting` ends it."""
    global _end  # noqa: PLW0603 - a process has one standard error, and one thing at a time is said on it
    _end = _spinner(words) if sys.stderr.isatty() else _line(words)
    try:
        yield
    finally:
        end_waiting()


def end_waiting() -> None:
    """Takes the line away; called by whoever prints next."""
    global _end  # noqa: PLW0603
    if _end is not None:
        _end()
        _end = None


def _spinner(words: str) -> Callable[[], None]:
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from acrtm.terminal import console, one_line

    shown = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=console(stderr=True),
        transient=True,
    )
    shown.add_task(one_line(words), total=None)
    shown.start()
    return shown.stop


def _line(words: str) -> Callable[[], None]:
    def say() -> None:
        from acrtm.terminal import one_line

        sys.stderr.write(f"{one_line(words)}\n")

    timer = threading.Timer(SILENT_SECONDS, say)
    timer.daemon = True
    timer.start()
    return timer.cancel
