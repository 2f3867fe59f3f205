"""OCSF 1.3 Detection Findings, one JSON object a line, for security lakes.

Source: Open Cybersecurity Schema Framework 1.3.0, class ``detection_finding`` (2004). What the class has no
place for stands under ``unmapped``.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any, Final

from acrtm.looked import Card, Looked, OpenEnd
from acrtm.output import Writer
from acrtm.terminal import clean
from shared.findings.finding import Finding, digest
from shared.rules.catalogue import CATALOGUE
from shared.version import MONITOR_VERSION

_CREATE: Final = 1
_CLASS: Final = 2004
_SEVERITIES: Final = {"Info": 1, "Low": 2, "Medium": 3, "High": 4, "Critical": 5}
_SEVERITY_NAMES: Final = {"Info": "Informational"}
_CONFIDENCES: Final = {"Possible": 1, "Likely": 2, "Confirmed": 3}
_STATUSES: Final = {"Open": (1, "New"), "Resolved": (4, "Resolved"), "Muted": (3, "Suppressed")}
_OTHER: Final = (99, "Other")
_UNKNOWN: Final = (0, "Unknown")


class OcsfWriter(Writer):
    """Prints one object a line."""

    def looked(self, looked: Looked) -> None:
        """Every finding as a Detection Finding, and everything that was left open as one of unknown status."""
        found = [_detection(finding) for finding in looked.findings]
        now = datetime.now(UTC)
        found += [_left_open(card, end, now) for card in looked.cards for end in card.open_ends]
        for each in found:
            sys.stdout.write(json.dumps(each) + "\n")


def _detection(finding: Finding) -> dict[str, Any]:
    row = finding.row
    status_id, status = _STATUSES.get(row["State"], _OTHER)
    if (row["State"], row["Outcome"]) == ("Info", "Unknown"):
        status_id, status = _UNKNOWN
    return {
        **_head(finding.time_generated, row["CorrelationId"] or row["FindingKey"]),
        "message": row["Summary"],
        "severity_id": _SEVERITIES[row["Severity"]],
        "severity": _SEVERITY_NAMES.get(row["Severity"], row["Severity"]),
        "status_id": status_id,
        "status": status,
        "status_detail": row["Outcome"],
        "confidence_id": _CONFIDENCES[row["Confidence"]],
        "finding_info": {
            "uid": row["FindingId"],
            "title": f"{row['RuleId']} {row['RuleName']}",
            "desc": row["Summary"],
            "created_time": _milliseconds(finding.time_generated),
            "src_url": row["HelpUri"],
            "types": [row["Area"], row["Role"]],
            "analytic": _analytic(row["RuleId"], row["RuleName"]),
        },
        "remediation": {"desc": row["Recommendation"], "references": [row["HelpUri"]]},
        "resources": _resources(row),
        "unmapped": {
            name: row[name] for name in ("FindingKey", "FixCommand", "VerifyCommand", "ErrorMessage", "Evidence")
        },
    }


def _left_open(card: Card, end: OpenEnd, now: datetime) -> dict[str, Any]:
    words = clean(f"Could not be checked: {end.reason}")
    subject, target, right = clean(card.subject), clean(end.target), clean(end.right)
    # The same for the same thing, whenever it is looked at.
    uid = digest(subject, target, right, words, *end.rules)
    return {
        **_head(now, uid),
        "message": words,
        "severity_id": _UNKNOWN[0],
        "severity": _UNKNOWN[1],
        "status_id": _UNKNOWN[0],
        "status": _UNKNOWN[1],
        "status_detail": "Unknown",
        "finding_info": {
            "uid": uid,
            "title": f"Could not be checked: {clean(card.title)}",
            "desc": words,
            "created_time": _milliseconds(now),
            "related_analytics": [_analytic(rule, CATALOGUE[rule].name) for rule in end.rules],
        },
        "resources": [{"uid": place, "name": place} for place in dict.fromkeys((subject, target)) if place],
        "unmapped": {"Rules": list(end.rules), "Target": target, "Right": right},
    }


def _head(moment: datetime, correlation: str) -> dict[str, Any]:
    return {
        "activity_id": _CREATE,
        "category_uid": 2,
        "class_uid": _CLASS,
        "type_uid": _CLASS * 100 + _CREATE,
        "time": _milliseconds(moment),
        "metadata": {
            "version": "1.3.0",
            "product": {
                "name": "ACR Transfer Monitor",
                "vendor_name": "acr-transfer-monitor",
                "version": MONITOR_VERSION,
            },
            "correlation_uid": correlation,
        },
    }


def _analytic(rule_id: str, name: str) -> dict[str, Any]:
    return {"type_id": 1, "type": "Rule", "uid": rule_id, "name": name}


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _resources(row: dict[str, Any]) -> list[dict[str, str]]:
    found = [
        ("Registry", row["RegistryId"], row["RegistryName"]),
        ("Pipeline", row["PipelineId"], row["PipelineName"]),
        ("PipelineRun", row["RunId"], row["RunName"]),
    ]
    resources = [{"type": kind, "uid": uid, "name": name} for kind, uid, name in found if uid]
    if row["BlobName"]:
        uid = "/".join((row["StorageAccount"], row["ContainerName"], row["BlobName"]))
        resources.append({"type": "Blob", "uid": uid, "name": row["BlobName"]})
    return resources
