"""One card for one look: what happened, the cause, what was looked at, the fix, how to verify, what to read."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.text import Text

from acrtm.looked import CANNOT_CHECK, Card
from acrtm.output.pieces import (
    checklist,
    command,
    heading,
    headline,
    pairs,
    paragraph,
    repair_of_open_end,
    title_of,
)
from acrtm.terminal import one_line
from shared.diagnosis.diagnose import RUN_ROWS
from shared.findings.finding import Finding
from shared.rules.model import Outcome

_LONGEST_MESSAGE: Final = 600
# As much of a message tells whether a summary quotes it.
_QUOTED: Final = 60
_WRONG: Final = frozenset({str(Outcome.FAIL), str(Outcome.WARN)})


def print_card(out: Console, card: Card) -> None:
    """Prints the card."""
    headline(out, card.title)
    pairs(out, card.facts)
    rows = [finding for finding in card.findings if finding.rule_id in RUN_ROWS]
    cause = card.root_cause
    others = [finding for finding in card.findings if finding not in rows and finding is not cause]
    wrong = [finding for finding in others if finding.outcome in _WRONG]
    _what_happened(out, card, rows)
    lesser = [finding for finding in wrong if finding.role == "Contributing"]
    wrong = [finding for finding in wrong if finding.role != "Contributing"]
    if cause is not None:
        _root_cause(out, cause)
    if wrong:
        heading(out, "Also found" if cause or rows else "Found")
        for number, finding in enumerate(_worst_first(wrong)):
            if number:
                out.print()
            _finding(out, finding)
    _contributing(out, lesser, "Contributing causes" if cause else "Follows from that")
    _statements(out, [f for f in others if f.outcome not in _WRONG and f.rule_id != CANNOT_CHECK])
    if not rows and not wrong and not lesser and cause is None:
        _nothing_found(out, card)
    _looked_at(out, card)
    _missing_rights(out, card)
    if cause is not None:
        _repair(out, cause)


def _what_happened(out: Console, card: Card, rows: list[Finding]) -> None:
    if not rows:
        return
    heading(out, "What happened")
    for row in rows:
        paragraph(out, row.summary)
    message = one_line(card.said)
    if message and not any(message[:_QUOTED] in one_line(row.summary) for row in rows):
        shown = message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}…"
        paragraph(out, f"The service said: {shown}", style="dim")
    if len(message) > _LONGEST_MESSAGE:
        paragraph(out, "The whole message: --output json, ErrorMessage", style="dim")


def _root_cause(out: Console, cause: Finding) -> None:
    heading(out, "Root cause")
    out.print(Text("  ").append_text(title_of(cause)))
    paragraph(out, cause.summary)
    basis = str(cause.evidence.get("basis") or "")
    if basis:
        paragraph(out, f"Rests on: {basis}.", style="dim")


def _contributing(out: Console, contributing: list[Finding], words: str) -> None:
    if not contributing:
        return
    heading(out, words)
    for number, finding in enumerate(_worst_first(contributing)):
        if number:
            out.print()
        out.print(Text("  ").append_text(title_of(finding)))
        paragraph(out, finding.summary)
        paragraph(out, f"More: acrtm explain {finding.rule_id}", style="dim")


def _statements(out: Console, statements: list[Finding]) -> None:
    if not statements:
        return
    heading(out, "Expected")
    for finding in statements:
        paragraph(out, finding.summary)
        paragraph(out, finding.recommendation, style="dim")


def _nothing_found(out: Console, card: Card) -> None:
    heading(out, "Found")
    if card.passed:
        open_ends = " What could not be checked is below." if card.all_open_ends else ""
        paragraph(out, f"Nothing wrong in what was checked.{open_ends}", style="" if open_ends else "green")
    else:
        paragraph(out, "Nothing could be checked.", style="yellow")


def _looked_at(out: Console, card: Card) -> None:
    failed = [f for f in card.findings if f.outcome in _WRONG and f.rule_id not in RUN_ROWS]
    open_ends = card.all_open_ends
    if not (failed or card.passed or open_ends or card.left_out):
        return
    heading(out, "Looked at")
    checklist(out, failed, card.passed, open_ends, card.left_out)


def _missing_rights(out: Console, card: Card) -> None:
    """What to grant, so that the next look sees more."""
    missing = [finding for finding in card.findings if finding.rule_id == CANNOT_CHECK]
    if not missing:
        return
    heading(out, "To check the rest")
    if any(finding.evidence.get("right") for finding in missing):
        paragraph(out, "The monitor's identity is here whoever you are logged in as: az account show", style="dim")
    for finding in missing:
        repair_of_open_end(out, finding)


def _repair(out: Console, cause: Finding) -> None:
    heading(out, "How to fix")
    paragraph(out, cause.recommendation)
    if cause.fix_command:
        command(out, cause.fix_command)
    if cause.verify_command:
        heading(out, "How to verify")
        command(out, cause.verify_command)
    heading(out, "Read")
    command(out, f"acrtm explain {cause.rule_id}")
    out.print(Text(f"  {cause.help_uri}"), soft_wrap=True)


def _finding(out: Console, finding: Finding) -> None:
    """A finding with its own way out, where several stand side by side."""
    out.print(Text("  ").append_text(title_of(finding)))
    paragraph(out, finding.summary)
    paragraph(out, finding.recommendation)
    if finding.fix_command:
        paragraph(out, "Fix:", style="dim")
        command(out, finding.fix_command)
    if finding.verify_command:
        paragraph(out, "Verify:", style="dim")
        command(out, finding.verify_command)
    out.print(Text(f"  {finding.help_uri}", style="dim"), soft_wrap=True)


def _worst_first(findings: list[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: (-finding.severity_rank, finding.rule_id))
