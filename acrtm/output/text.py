"""Text for people: cards for looks, tables for lists, a page for a rule."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from acrtm.doctor.checks import Check, Examined
from acrtm.looked import Looked
from acrtm.output import Writer
from acrtm.output.answers import print_answer
from acrtm.output.cards import print_card
from acrtm.output.examinations import print_check, print_remedies
from acrtm.output.sweeps import print_sweep
from acrtm.pages import sections
from acrtm.replayed import Fate, Replayed
from acrtm.severity import severity_style
from acrtm.terminal import console, one_line
from embedded.result import QueryResult
from shared.findings.builder import help_uri
from shared.rules.model import Rule

_LITERAL: Final = re.compile(r"``([^`]+)``|:\w+:`~?([^`]+)`")
_MODES: Final = {"SasToken": "SAS", "ManagedIdentity": "identity", "both": "both"}


class TextWriter(Writer):
    """Prints text that fits the terminal."""

    def looked(self, looked: Looked) -> None:
        """A card for each look; of a sweep its numbers and what it found, each condition once."""
        with _printed() as out:
            self._cards(out, looked)

    def _cards(self, out: Console, looked: Looked) -> None:
        for number, card in enumerate(looked.cards):
            if number:
                out.print()
            if looked.sweep:
                print_sweep(out, card)
            else:
                print_card(out, card)

    def became(self, fate: Fate) -> None:
        """A line for the event."""
        style = "" if fate.became.taken else "red"
        name = one_line(fate.subject.rsplit("/", 1)[-1] or fate.event_id or fate.where)
        words = f"  {one_line(fate.words)}" if fate.words else ""
        with _printed() as out:
            out.print(Text.assemble((f"{fate.became:<20}", style), name, (words, "dim")), soft_wrap=True)

    def replayed(self, replayed: Replayed) -> None:
        """How many became what, and those that were not taken once more; each was told before."""
        with _printed() as out:
            if not replayed.fates:
                out.print(f"There are no events in {one_line(replayed.source)}.", soft_wrap=True)
                return
            out.print()
            out.print(", ".join(f"{count} {became}" for became, count in replayed.counts.items()), soft_wrap=True)
            left = [fate for fate in replayed.fates if not fate.became.taken]
            if left:
                out.print(Text(f"Not taken, replay again: {len(left)}", style="bold"))
                for fate in left:
                    out.print(Text(f"  {one_line(fate.where)}"), soft_wrap=True)

    def checked(self, check: Check) -> None:
        """A line; what is to be done about it stands at the end."""
        print_check(console(), check)

    def examined(self, examined: Examined) -> None:
        """What is to be done, and how many checks ended how."""
        with _printed() as out:
            print_remedies(out, examined)

    def rules(self, rules: Sequence[Rule]) -> None:
        """The catalogue as a table."""
        with _printed() as out:
            _rules(out, rules)

    def page(self, rule: Rule) -> None:
        """The page of one rule."""
        with _printed() as out:
            _page(out, rule)

    def answer(self, result: QueryResult) -> None:
        """The answer to a query as a table, or record by record where the columns don't fit."""
        print_answer(console(), result)


@contextmanager
def _printed() -> Iterator[Console]:
    """The console; what goes into a pipe loses the blanks with which Rich fills its lines."""
    out = console()
    if out.is_terminal:
        yield out
        return
    with out.capture() as captured:
        yield out
    out.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
    # Whoever follows the pipe sees it now, and not when the command ends.
    out.file.flush()


def _rules(out: Console, rules: Sequence[Rule]) -> None:
    if not rules:
        out.print("No rule is like that.")
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in ("Rule", "Severity", "For"):
        table.add_column(heading, no_wrap=True)
    table.add_column("Holds when all is well", ratio=1)
    for rule in rules:
        severity = Text(rule.severity.label, style=severity_style(rule.severity.label))
        title = Text(rule.title).append(f"\n{rule.name} · {rule.area}", style="dim")
        table.add_row(rule.id, severity, _MODES[rule.modes], title)
    out.print(table)
    out.print(Text(f"{len(rules)} rules. One rule's page: acrtm explain {rules[0].id}", style="dim"))


def _page(out: Console, rule: Rule) -> None:
    out.print(Text.assemble((rule.id, "bold"), "  ", (rule.name, "bold"), f"\n{rule.title}."))
    modes = {"both": "SAS tokens and managed identities"}.get(rule.modes, _MODES[rule.modes] + " only")
    severity = (rule.severity.label, severity_style(rule.severity.label))
    out.print(Text.assemble(severity, f" · {rule.area} · about the {rule.subject} · for {modes}"))
    for heading, text in sections(rule):
        out.print()
        if heading:
            out.print(Text(heading, style="bold"))
        _paragraphs(out, text)
    out.print()
    out.print(Text(help_uri(rule.id), style="underline"), soft_wrap=True)


def _paragraphs(out: Console, text: str) -> None:
    for paragraph in text.split("\n"):
        shown = Text()
        end = 0
        for literal in _LITERAL.finditer(paragraph):
            shown.append(paragraph[end : literal.start()])
            shown.append(literal[1] or literal[2], style="cyan")
            end = literal.end()
        shown.append(paragraph[end:])
        out.print(Padding(shown, (0, 0, 0, 2)))
