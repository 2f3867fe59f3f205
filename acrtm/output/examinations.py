"""What the doctor found, for people: a line for each check, and then what is to be done."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.text import Text

from acrtm.doctor.checks import Check, Ending, Examined
from acrtm.output.pieces import command, heading, paragraph
from acrtm.terminal import one_line

_STYLES: Final = {Ending.WELL: "green", Ending.WRONG: "red", Ending.UNKNOWN: "yellow", Ending.LEFT_OUT: "dim"}


def print_check(out: Console, check: Check) -> None:
    """``well       Tokens     Storage: https://…``; a right that is missing is told in whole further down."""
    words = one_line(check.words)
    line = Text.assemble(
        (f"{check.ending:<9} ", _STYLES[check.ending]), (f"{check.area}: ", "dim"), one_line(check.name)
    )
    if words:
        line.append(f"  {words}", style="" if check.ending in {Ending.WRONG, Ending.UNKNOWN} else "dim")
    out.print(line, soft_wrap=not out.is_terminal)


def print_remedies(out: Console, examined: Examined) -> None:
    """Each remedy once, with the checks that it is for."""
    wanted: dict[tuple[str, str], list[Check]] = {}
    for check in examined.checks:
        if check.ending is not Ending.WELL and (check.remedy or check.command):
            wanted.setdefault((check.remedy, check.command), []).append(check)
    if wanted:
        heading(out, "What to do")
    for (remedy, text), checks in wanted.items():
        out.print()
        paragraph(out, f"{checks[0].area}: {', '.join(dict.fromkeys(check.name for check in checks))}", style="bold")
        paragraph(out, remedy)
        if text:
            command(out, text)
    for check in examined.checks:
        if check.ending is Ending.WELL and check.command:
            heading(out, f"To see it: {check.name}")
            command(out, check.command)
    out.print()
    out.print(", ".join(f"{count} {ending}" for ending, count in examined.counts.items() if count))
    if any(check.area in {"Registries", "Pipelines"} for check in examined.checks):
        words = (
            "Looked at with the rights of whoever is logged in here (az account show). The app has its own identity's."
        )
        paragraph(out, words, style="dim", indent=0)
