"""SARIF 2.1.0, for code-scanning views and the tools that read them.

Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0". What could not be checked is a
result of kind ``open``: never left out, and never a pass.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from acrtm.looked import Looked
from acrtm.output import Writer
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
        """The findings as results, the rules that they name as the driver's rules."""
        named = list(dict.fromkeys(finding.rule_id for finding in looked.findings))
        driver = {
            "name": "acrtm",
            "version": MONITOR_VERSION,
            "rules": [_rule(CATALOGUE[rule_id]) for rule_id in named],
        }
        run = {
            "tool": {"driver": driver},
            "invocations": [{"executionSuccessful": True, "exitCode": int(looked.exit_code)}],
            "results": [_result(finding, named.index(finding.rule_id)) for finding in looked.findings],
        }
        sys.stdout.write(json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n")


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
    kind = "informational" if row["State"] == "Info" else _KINDS.get(row["Outcome"], "review")
    return {
        "ruleId": row["RuleId"],
        "ruleIndex": index,
        "kind": kind,
        "level": _level(Severity(row["SeverityRank"])) if kind == "fail" else "none",
        "message": {"text": f"{row['Summary']} {row['Recommendation']}".strip()},
        "locations": [{"logicalLocations": [{"fullyQualifiedName": place} for place in _places(row)]}],
        "partialFingerprints": {"findingKey/v1": row["FindingKey"]},
        "properties": {
            name: row[name] for name in ("FindingId", "Role", "Confidence", "FixCommand", "VerifyCommand", "Evidence")
        },
    }


def _places(row: dict[str, Any]) -> list[str]:
    blob = "/".join((row["StorageAccount"], row["ContainerName"], row["BlobName"])) if row["BlobName"] else ""
    places = [place for place in (row["RunId"], row["PipelineId"], blob, row["RegistryId"]) if place]
    return places or ["acr-transfer-monitor"]
