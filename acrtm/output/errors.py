"""Errors on standard error: what went wrong, what to do, and a command to paste."""

from __future__ import annotations

from acrtm.exits import Problem
from acrtm.terminal import clean, console


def print_problem(problem: Problem) -> None:
    """Prints a problem."""
    from rich.text import Text

    err = console(stderr=True)
    err.print(Text.assemble(("error: ", "bold red"), clean(problem.what)), soft_wrap=True)
    if problem.remedy:
        err.print(Text(clean(problem.remedy)), soft_wrap=True)
    if problem.command:
        err.print(Text(f"  {clean(problem.command)}", style="bold"), soft_wrap=True)
