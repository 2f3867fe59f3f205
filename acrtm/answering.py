"""What all commands have in common: whatever goes wrong is said in the format that was asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from acrtm.output import Writer, writer
from acrtm.problems import problem_of, unexpected
from acrtm.waiting import end_waiting


@contextmanager
def answering(output: str) -> Iterator[Writer]:
    """A writer of the format; an error in the block is printed by it, and ends the command with its code."""
    out = writer(output)
    try:
        yield out
    except BrokenPipeError:
        # A pipe that was closed is Typer's to deal with.
        raise
    except Exception as error:
        end_waiting()
        if os.environ.get("ACRTM_TRACEBACK"):
            raise
        problem = problem_of(error) or unexpected(error)
        out.problem(problem)
        raise typer.Exit(int(problem.code)) from None
