"""Findings of two registries, as the product writes them, for the workbook's queries to be asked about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
Row = dict[str, Any]

_EXPORT = {"RegistryName": "hub", "PipelineName": "out", "PipelineId": "/hub/out", "Direction": "Export"}
_IMPORT = {"RegistryName": "edge", "PipelineName": "in", "PipelineId": "/edge/in", "Direction": "Import"}
_RUN_RULES = {
    "ACRT100": ("run-succeeded", "Info", 0),
    "ACRT101": ("run-failed", "High", 3),
}


def ago(**span: float) -> str:
    return (NOW - timedelta(**span)).isoformat()


def row(rule: str, name: str, area: str, severity: str, rank: int, *facts: Row, key: str, **span: float) -> Row:
    """One row `span` ago. `key` is its condition, and its occurrence unless `facts` name another one."""
    merged: Row = {
        "TimeGenerated": ago(**span), "FindingKey": key, "FindingId": key, "RuleId": rule, "RuleName": name,
        "Area": area, "Severity": severity, "SeverityRank": rank, "State": "Open", "Outcome": "Fail",
        "Role": "Observation", "Confidence": "Confirmed", "Summary": f"about {key}", "TriggeredBy": "Sweep",
        "HelpUri": f"https://help.example/{rule}",
    }  # fmt: skip
    for part in facts:
        merged |= part
    return merged


def run(name: str, pipeline: Row, *, ended: float, minutes: float = 10, triggered: bool = False) -> Row:
    """What rows of a run have that ended `ended` hours ago."""
    return {
        **pipeline, "RunId": f"/runs/{name}", "RunName": name, "SourceTriggered": triggered,
        "RunStartTime": ago(hours=ended, minutes=minutes), "RunFinishTime": ago(hours=ended),
    }  # fmt: skip


def run_row(rule: str, about: Row, **span: float) -> Row:
    name, severity, rank = _RUN_RULES[rule]
    state = "Info" if rule == "ACRT100" else "Open"
    return row(rule, name, "Run", severity, rank, about, {"State": state}, key=f"{name} {about['RunName']}", **span)


def heartbeat(name: str, seconds: float, **span: float) -> Row:
    facts: Row = {
        "State": "Info", "Outcome": "Pass", "FindingId": name, "Evidence": {"seconds": seconds, "armReads": 6},
    }  # fmt: skip
    return row("ACRT903", "heartbeat", "Monitor", "Info", 0, facts, key="heartbeat", **span)


_TOKEN = {"KeyVaultName": "vault", "SecretName": "token", "ExpiresOn": ago(hours=30)}
_EXPORT_1, _EXPORT_2 = run("export1", _EXPORT, ended=28), run("export2", _EXPORT, ended=26, minutes=20)
_IMPORT_1 = run("import_1", _IMPORT, ended=25, triggered=True)
_OLD = run("old", _EXPORT, ended=24 * 20)
HEARTBEATS = [heartbeat("sweep 1", 2.5, minutes=70), heartbeat("sweep 2", 1.5, minutes=5)]
FINDINGS = [
    run_row("ACRT101", _EXPORT_1, hours=27.9),
    row(
        "ACRT301", "sas-expired", "Sas", "High", 3, _EXPORT_1, _TOKEN,
        {
            "Role": "RootCause", "Recommendation": "Sign a new token.", "FixCommand": "az fix 'it'",
            "VerifyCommand": "az verify", "ErrorMessage": "403 <script>alert(1)</script>", "CorrelationId": "c-1",
            "Evidence": {"expiredOn": "yesterday", "passed": ["ACRT201"]},
        },
        key="token", hours=27.9,
    ),
    # A condition that stays open is written again twice a day.
    row("ACRT301", "sas-expired", "Sas", "High", 3, _EXPORT_1, _TOKEN, {
        "Role": "RootCause", "Recommendation": "Sign a new token.", "FixCommand": "az fix 'it'",
        "VerifyCommand": "az verify", "ErrorMessage": "403 <script>alert(1)</script>", "CorrelationId": "c-1",
        "Evidence": {"expiredOn": "yesterday", "passed": ["ACRT201"]},
    }, key="token", hours=15.9),
    run_row("ACRT100", _EXPORT_2, hours=25.9),
    run_row("ACRT100", _IMPORT_1, hours=24.9),
    run_row("ACRT101", _OLD, days=20),
    row(
        "ACRT405", "storage-network-blocked", "Storage", "High", 3, _OLD, {"Role": "RootCause"}, key="network", days=20,
    ),
    row(
        "ACRT405", "storage-network-blocked", "Storage", "High", 3, _OLD, {"Role": "RootCause", "State": "Resolved"},
        key="network", days=19,
    ),
    row(
        "ACRT507", "blob-not-imported", "SourceTrigger", "High", 3, _IMPORT,
        {
            "StorageAccount": "account", "ContainerName": "transfer", "BlobName": "it's \"odd\".tar",
            "BlobLastModified": ago(hours=3),
        },
        key="blob", hours=2,
    ),
    row(
        "ACRT208", "secret-expiry-unset", "KeyVault", "Low", 1, _IMPORT, {"State": "Muted", "Evidence": {
            "mutedUntil": ago(days=-10), "muteReason": "known",
        }}, key="muted", hours=4,
    ),
    row(
        "ACRT901", "cannot-check", "Monitor", "Medium", 2, {"Outcome": "Unknown", "Recommendation": "Grant Reader."},
        key="blind", hours=6,
    ),
]  # fmt: skip
