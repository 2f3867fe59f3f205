"""What a sweep found: each condition once, the worst first, with the command that looks closer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rich.console import Console
from rich.text import Text

from acrtm.looked import CANNOT_CHECK, Card, open_ends_of
from acrtm.output.pieces import command, heading, headline, pairs, paragraph, repair_of_open_end, title_of
from acrtm.terminal import one_line
from shared.diagnosis.diagnose import RUN_ROWS
from shared.findings.finding import Finding, State

_MOST_NAMES: Final = 5


def print_sweep(out: Console, card: Card) -> None:
    """Prints the sweep's numbers, its findings, and what it could not check."""
    headline(out, card.title)
    pairs(out, card.facts)
    conditions = _conditions(card.findings)
    heading(out, "Found")
    if not conditions:
        words = "Nothing wrong in what was checked." if card.all_open_ends else "Nothing wrong."
        paragraph(out, words, style="" if card.all_open_ends else "green")
    for number, same in enumerate(conditions):
        if number:
            out.print()
        _condition(out, card, same)
    muted = {finding.finding_key for finding in card.findings if finding.state is State.MUTED}
    if muted:
        out.print()
        paragraph(out, f"{len(muted)} more, muted by MUTES" if conditions else f"{len(muted)} muted by MUTES", "dim")
    _not_checked(out, card)


def _conditions(findings: tuple[Finding, ...]) -> list[list[Finding]]:
    """Open findings by condition, without those that a root cause stands for and what could not be checked."""
    by_key: dict[str, list[Finding]] = {}
    causes = {finding.run_id: finding.state for finding in findings if finding.role == "RootCause"}
    for finding in findings:
        wrong = finding.state is State.OPEN and finding.outcome in {"Fail", "Warn"}
        if wrong and not _is_told_by_another(finding, causes):
            by_key.setdefault(finding.finding_key, []).append(finding)
    return sorted(by_key.values(), key=lambda same: (-same[0].severity_rank, same[0].rule_id, same[0].finding_key))


def _is_told_by_another(finding: Finding, causes: Mapping[str, State]) -> bool:
    """Whether a root cause stands for it, by the run's, or what explains it."""
    if finding.rule_id in RUN_ROWS and finding.run_id in causes:
        return True
    # What adds to a cause that is muted is not muted with it, and would be told by nothing.
    return finding.role == "Contributing" and causes.get(finding.run_id) is not State.MUTED


def _condition(out: Console, card: Card, same: list[Finding]) -> None:
    first = same[0]
    out.print(Text("  ").append_text(title_of(first)))
    paragraph(out, first.summary)
    runs = list(dict.fromkeys(one_line(finding.run_name) for finding in same if finding.run_name))
    if len(runs) > 1:
        more = f" and {len(runs) - _MOST_NAMES} more" if len(runs) > _MOST_NAMES else ""
        paragraph(out, f"{len(runs)} runs: {', '.join(runs[:_MOST_NAMES])}{more}", style="dim")
    closer = card.closer.get(first.finding_key)
    if closer:
        command(out, closer)


def _not_checked(out: Console, card: Card) -> None:
    """What was left open, once for each target and missing right, however many runs ran into it."""
    if not card.all_open_ends:
        return
    heading(out, "Could not be checked")
    for end in card.open_ends:
        paragraph(out, end.reason, style="yellow")
    said = {end.reason for end in card.open_ends}
    for first in {f.finding_key: f for f in reversed(card.findings) if f.rule_id == CANNOT_CHECK}.values():
        (end,) = open_ends_of([first])
        if end.reason not in said:
            paragraph(out, first.summary, style="yellow")
        repair_of_open_end(out, first)
