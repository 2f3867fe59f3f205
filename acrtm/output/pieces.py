"""The pieces that cards are made of."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule as Line
from rich.table import Table
from rich.text import Text

from acrtm.looked import LeftOut, OpenEnd
from acrtm.severity import severity_style
from acrtm.terminal import clean, one_line
from shared.findings.finding import Finding, State
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import MENDED

_SURE: Final = {"Confirmed": "confirmed by a live check", "Possible": "possible, not confirmed"}


def headline(out: Console, title: str) -> None:
    """What the card is about."""
    text = Text(one_line(title), style="bold")
    if out.is_terminal:
        out.print(Line(text, align="left", style="dim"))
    else:
        out.print(text, soft_wrap=True)


def heading(out: Console, text: str) -> None:
    """The beginning of a section."""
    out.print()
    out.print(Text(text, style="bold"))


def paragraph(out: Console, text: str, style: str = "", indent: int = 2) -> None:
    """Text of anybody, wrapped."""
    if text.strip():
        out.print(Padding(Text(clean(text).strip(), style=style), (0, 0, 0, indent)))


def command(out: Console, text: str) -> None:
    """A command as it is to be pasted: never wrapped by us, with nothing around it."""
    out.print(Text(f"  {clean(text).strip()}", style="bold cyan"), soft_wrap=True)


def repair_of_open_end(out: Console, finding: Finding) -> None:
    """What to grant; where it may work in a moment, who looks by hand has to look again by hand."""
    if finding.evidence.get("passing"):
        paragraph(out, "It may work in a moment: run the command again.")
        return
    paragraph(out, finding.recommendation)
    if finding.fix_command:
        command(out, finding.fix_command)


def pairs(out: Console, facts: tuple[tuple[str, str], ...]) -> None:
    """Names and values, one below the other."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts:
        grid.add_row(Text(name), Text(one_line(value)))
    out.print(Padding(grid, (0, 0, 0, 2)))


def sure(finding: Finding) -> str:
    """How sure a finding is, in words."""
    return _SURE.get(finding.confidence, finding.confidence.lower())


def title_of(finding: Finding) -> Text:
    """``High  ACRT301 sas-expired  (confirmed by a live check)``."""
    label = Text(one_line(finding.severity), style=severity_style(finding.severity))
    title = Text.assemble(label, "  ", (f"{finding.rule_id} {finding.rule_name}", "bold"), f"  ({sure(finding)})")
    if finding.state is State.MUTED:
        reason = one_line(str(finding.evidence.get("muteReason") or ""))
        title.append(f"  muted: {reason}" if reason else "  muted", style="dim")
    return title


def checklist(
    out: Console,
    failed: list[Finding],
    passed: tuple[str, ...],
    open_ends: tuple[OpenEnd, ...],
    left_out: tuple[LeftOut, ...],
) -> None:
    """What was looked at: failed, failed then and passed now, passed, could not be checked, left out."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for finding in failed:
        mended = finding.evidence.get(MENDED)
        word = Text("mended", style="green") if mended else Text("failed", style=severity_style(finding.severity))
        grid.add_row(word, Text(finding.rule_id), Text(finding.rule_name))
    for rule_id in passed:
        rule = CATALOGUE.get(rule_id)
        grid.add_row(Text("passed", style="green"), Text(rule_id), Text(rule.title if rule else ""))
    for end in open_ends:
        _undecided(grid, "unknown", "yellow", end.rules, end.reason)
    for left in left_out:
        _undecided(grid, "left out", "dim", left.rules, left.reason)
    out.print(Padding(grid, (0, 0, 0, 2)))


def _undecided(grid: Table, word: str, style: str, rules: tuple[str, ...], reason: str) -> None:
    several = f" ({', '.join(rules)})" if len(rules) > 1 else ""
    alone = rules[0] if len(rules) == 1 else f"{len(rules)} rules" if rules else ""
    grid.add_row(Text(word, style=style), Text(alone), Text(f"{one_line(reason)}{several}"))
