"""JSON: one document on standard output, and nothing else there.

``findings`` are rows as the Log Analytics table has them. Every document but a list of rules, a page and an
answer has ``exitCode``; where a command could not do its work at all, ``error`` says why.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from acrtm.doctor.checks import Check, Examined
from acrtm.exits import Problem
from acrtm.looked import Card, Looked
from acrtm.output import Writer
from acrtm.pages import sections
from acrtm.replayed import Replayed
from acrtm.terminal import clean
from embedded.result import QueryResult
from shared.findings.builder import help_uri
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Rule
from shared.times import iso


class JsonWriter(Writer):
    """Prints JSON documents."""

    def looked(self, looked: Looked) -> None:
        """``findings``, ``passed``, ``notChecked``, ``leftOut`` and ``exitCode``; of a sweep its numbers as well."""
        document: dict[str, Any] = {
            "findings": [finding.to_row() for finding in looked.findings],
            "passed": [entry for card in looked.cards for entry in _passed(card)],
            "notChecked": [entry for card in looked.cards for entry in _not_checked(card)],
            "leftOut": [entry for card in looked.cards for entry in _left_out(card)],
        }
        if looked.sweep:
            document["sweep"] = dict(looked.sweep)
        _print({**document, "exitCode": int(looked.exit_code)})

    def replayed(self, replayed: Replayed) -> None:
        """``events`` with what became of each, ``counts``, ``findings`` and ``exitCode``."""
        events = [
            {
                "where": clean(fate.where),
                "eventId": clean(fate.event_id),
                "subject": clean(fate.subject),
                "became": str(fate.became),
                "taken": fate.became.taken,
                "words": clean(fate.words),
                "findings": len(fate.findings),
            }
            for fate in replayed.fates
        ]
        findings = [finding.to_row() for finding in replayed.looked.findings]
        code = int(replayed.exit_code)
        _print({"events": events, "counts": replayed.counts, "findings": findings, "exitCode": code})

    def checked(self, _check: Check, /) -> None:
        """Nothing yet: there is one document, at the end."""

    def examined(self, examined: Examined) -> None:
        """``checks`` with how each ended, ``counts`` and ``exitCode``."""
        checks = [
            {
                "area": check.area,
                "name": clean(check.name),
                "ending": str(check.ending),
                "words": clean(check.words),
                "remedy": clean(check.remedy),
                "command": clean(check.command),
            }
            for check in examined.checks
        ]
        _print({"checks": checks, "counts": dict(examined.counts), "exitCode": int(examined.exit_code)})

    def rules(self, rules: Sequence[Rule]) -> None:
        """``rules``, each with what its table shows."""
        _print({"rules": [_rule(rule) for rule in rules]})

    def page(self, rule: Rule) -> None:
        """The rule, and its page by headings."""
        page = [{"heading": heading, "text": text} for heading, text in sections(rule)]
        _print({**_rule(rule), "page": page})

    def answer(self, result: QueryResult) -> None:
        """``columns`` with their Kusto types, and ``rows`` by name."""
        columns = [{"name": name, "type": kind} for name, kind in result.columns]
        rows = [{name: _plain(value) for name, value in row.items()} for row in result.dicts()]
        _print({"columns": columns, "rows": rows})

    def problem(self, problem: Problem) -> None:
        """A document that holds no answer but says why; people read the same on standard error."""
        super().problem(problem)
        error = {"message": clean(problem.what), "remedy": clean(problem.remedy), "command": clean(problem.command)}
        _print({"error": error, "exitCode": int(problem.code)})


def _print(document: dict[str, Any]) -> None:
    # In ASCII, so that no terminal and no encoding makes anything else of it.
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def _rule(rule: Rule) -> dict[str, str]:
    return {
        "id": rule.id,
        "name": rule.name,
        "area": str(rule.area),
        "severity": rule.severity.label,
        "subject": str(rule.subject),
        "modes": rule.modes,
        "title": rule.title,
        "helpUri": help_uri(rule.id),
    }


def _named(rule_id: str) -> str:
    rule = CATALOGUE.get(rule_id)
    return rule.name if rule else ""


def _passed(card: Card) -> list[dict[str, str]]:
    return [{"ruleId": rule, "ruleName": _named(rule), "subject": clean(card.subject)} for rule in card.passed]


def _not_checked(card: Card) -> list[dict[str, Any]]:
    return [
        {
            "rules": list(end.rules),
            "subject": clean(card.subject),
            "target": clean(end.target),
            "right": clean(end.right),
            "reason": clean(end.reason),
        }
        for end in card.all_open_ends
    ]


def _left_out(card: Card) -> list[dict[str, Any]]:
    return [
        {"rules": list(left.rules), "subject": clean(card.subject), "reason": clean(left.reason)}
        for left in card.left_out
    ]


def _plain(value: object) -> object:
    """Kusto's values as JSON has them: times in ISO 8601, spans in seconds, numbers that JSON lacks as null."""
    match value:
        case datetime():
            return iso(value)
        case timedelta():
            return value.total_seconds()
        case float() if value != value or value in (float("inf"), float("-inf")):
            return None
        case None | bool() | int() | float() | str() | list() | dict():
            return value
        case _:
            return str(value)
