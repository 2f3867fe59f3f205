"""OCSF 1.3 Detection Findings, one JSON object a line, for security lakes.

Source: Open Cybersecurity Schema Framework 1.3.0, class ``detection_finding`` (2004). What the class has no
place for stands under ``unmapped``.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from acrtm.looked import Looked
from acrtm.output import Writer
from shared.findings.finding import Finding
from shared.version import MONITOR_VERSION

_CREATE: Final = 1
_CLASS: Final = 2004
_SEVERITIES: Final = {"Info": 1, "Low": 2, "Medium": 3, "High": 4, "Critical": 5}
_SEVERITY_NAMES: Final = {"Info": "Informational"}
_CONFIDENCES: Final = {"Possible": 1, "Likely": 2, "Confirmed": 3}
_STATUSES: Final = {"Open": (1, "New"), "Resolved": (4, "Resolved"), "Muted": (3, "Suppressed")}
_OTHER: Final = (99, "Other")


class OcsfWriter(Writer):
    """Prints one object a line."""

    def looked(self, looked: Looked) -> None:
        """Every finding as a Detection Finding."""
        for finding in looked.findings:
            sys.stdout.write(json.dumps(_detection(finding)) + "\n")


def _detection(finding: Finding) -> dict[str, Any]:
    row = finding.row
    milliseconds = int(finding.time_generated.timestamp() * 1000)
    status_id, status = _STATUSES.get(row["State"], _OTHER)
    return {
        "activity_id": _CREATE,
        "category_uid": 2,
        "class_uid": _CLASS,
        "type_uid": _CLASS * 100 + _CREATE,
        "time": milliseconds,
        "message": row["Summary"],
        "severity_id": _SEVERITIES[row["Severity"]],
        "severity": _SEVERITY_NAMES.get(row["Severity"], row["Severity"]),
        "status_id": status_id,
        "status": status,
        "status_detail": row["Outcome"],
        "confidence_id": _CONFIDENCES[row["Confidence"]],
        "metadata": {
            "version": "1.3.0",
            "product": {
                "name": "ACR Transfer Monitor",
                "vendor_name": "acr-transfer-monitor",
                "version": MONITOR_VERSION,
            },
            "correlation_uid": row["CorrelationId"] or row["FindingKey"],
        },
        "finding_info": {
            "uid": row["FindingId"],
            "title": f"{row['RuleId']} {row['RuleName']}",
            "desc": row["Summary"],
            "created_time": milliseconds,
            "src_url": row["HelpUri"],
            "types": [row["Area"], row["Role"]],
            "analytic": {"type_id": 1, "type": "Rule", "uid": row["RuleId"], "name": row["RuleName"]},
        },
        "remediation": {"desc": row["Recommendation"], "references": [row["HelpUri"]]},
        "resources": _resources(row),
        "unmapped": {
            name: row[name] for name in ("FindingKey", "FixCommand", "VerifyCommand", "ErrorMessage", "Evidence")
        },
    }


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
