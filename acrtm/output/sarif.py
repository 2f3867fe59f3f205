"""SARIF 2.1.0, for code-scanning views and the tools that read them.

Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0". What could not be checked is a
result of kind ``open``: never left out, and never a pass.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from acrtm.exits import Problem
from acrtm.looked import Card, Looked, OpenEnd
from acrtm.output import Writer
from acrtm.terminal import clean
from shared.findings.builder import help_uri
from shared.findings.finding import Finding
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Rule, Severity
from shared.version import MONITOR_VERSION

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
# Only a failure has a level; SARIF wants "none" for every other kind.
_KINDS: Final = {"Fail": "fail", "Warn": "fail", "Pass": "pass", "Unknown": "open"}


class SarifWriter(Writer):
    """Prints one SARIF log with one run."""

    def looked(self, looked: Looked) -> None:
        """The findings and what was left open as results, the rules that they name as the driver's rules."""
        ends = [(card, end) for card in looked.cards for end in card.open_ends]
        named = list(dict.fromkeys([f.rule_id for f in looked.findings] + [r for _, end in ends for r in end.rules]))
        results = [_result(finding, named.index(finding.rule_id)) for finding in looked.findings]
        results += [_left_open(rule, named.index(rule), card, end) for card, end in ends for rule in end.rules]
        invocation: dict[str, Any] = {"executionSuccessful": True, "exitCode": int(looked.exit_code)}
        # A result needs a rule. An error among these is how a log says that its results may not be all (appendix I).
        loose = [_error(f"Could not be checked: {end.reason}") for _, end in ends if not end.rules]
        if loose:
            invocation["toolExecutionNotifications"] = loose
        _print(invocation, named, {"results": results})

    def problem(self, problem: Problem) -> None:
        """A log that says why there are no results: an empty list of them would read as an all-clear."""
        super().problem(problem)
        words = "\n".join(part for part in (problem.what, problem.remedy, problem.command) if part)
        _print(
            {
                "executionSuccessful": False,
                "exitCode": int(problem.code),
                "toolExecutionNotifications": [_error(words)],
            }
        )


def _print(invocation: dict[str, Any], rules: Sequence[str] = (), results: Mapping[str, Any] | None = None) -> None:
    driver = {"name": "acrtm", "version": MONITOR_VERSION, "rules": [_rule(CATALOGUE[rule]) for rule in rules]}
    run = {"tool": {"driver": driver}, "invocations": [invocation], **(results or {})}
    sys.stdout.write(json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n")


def _error(words: str) -> dict[str, Any]:
    return {"level": "error", "message": {"text": clean(words)}}


def _level(severity: Severity) -> str:
    if severity >= Severity.HIGH:
        return "error"
    return "warning" if severity is Severity.MEDIUM else "note"


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": f"{rule.title}."},
        "helpUri": help_uri(rule.id),
        "defaultConfiguration": {"level": _level(rule.severity)},
    }


def _result(finding: Finding, index: int) -> dict[str, Any]:
    row = finding.row
    kind = _KINDS.get(row["Outcome"], "review")
    if row["State"] == "Info" and kind != "open":
        kind = "informational"
    return {
        "ruleId": row["RuleId"],
        "ruleIndex": index,
        "kind": kind,
        "level": _level(Severity(row["SeverityRank"])) if kind == "fail" else "none",
        "message": {"text": f"{row['Summary']} {row['Recommendation']}".strip()},
        "locations": _locations(_places(row)),
        "partialFingerprints": {"findingKey/v1": row["FindingKey"]},
        "properties": {
            name: row[name] for name in ("FindingId", "Role", "Confidence", "FixCommand", "VerifyCommand", "Evidence")
        },
    }


def _left_open(rule_id: str, index: int, card: Card, end: OpenEnd) -> dict[str, Any]:
    return {
        "ruleId": rule_id,
        "ruleIndex": index,
        "kind": "open",
        "level": "none",
        "message": {"text": clean(f"Could not be checked: {end.reason}")},
        "locations": _locations([clean(card.subject), clean(end.target)]),
        "properties": {"Right": clean(end.right)},
    }


def _locations(places: Sequence[str]) -> list[dict[str, Any]]:
    named = [place for place in dict.fromkeys(places) if place] or ["acr-transfer-monitor"]
    return [{"logicalLocations": [{"fullyQualifiedName": place} for place in named]}]


def _places(row: dict[str, Any]) -> list[str]:
    blob = "/".join((row["StorageAccount"], row["ContainerName"], row["BlobName"])) if row["BlobName"] else ""
    return [row["RunId"], row["PipelineId"], blob, row["RegistryId"]]
