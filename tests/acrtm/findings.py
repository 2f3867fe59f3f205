"""Findings for tests that need no look."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from shared.findings.finding import Finding, State


def finding(**changes: Any) -> Finding:
    """An open root cause of severity High."""
    fields: dict[str, Any] = {
        "time_generated": datetime(2026, 11, 23, 10, tzinfo=UTC),
        "finding_id": "a" * 32,
        "finding_key": "b" * 32,
        "rule_id": "ACRT301",
        "rule_name": "sas-expired",
        "area": "Sas",
        "severity": "High",
        "severity_rank": 3,
        "outcome": "Fail",
        "state": State.OPEN,
        "role": "RootCause",
        "confidence": "Confirmed",
        "triggered_by": "Cli",
        "summary": "The SAS token expired.",
        "recommendation": "Sign a new one.",
        "fix_command": "az storage container generate-sas --name transfer",
        "verify_command": "az storage blob list",
        "help_uri": "https://example.org/ACRT301.md",
        "evidence": {"basis": "a live check"},
    }
    return Finding(**{**fields, **changes})


def cannot_check(**changes: Any) -> Finding:
    """Something that could not be checked."""
    facts = {"reason": "ARM answered 403", "target": "/subscriptions/s", "right": "read", "rules": ["ACRT115"]}
    return finding(
        rule_id="ACRT901",
        rule_name="cannot-check",
        severity="Medium",
        severity_rank=2,
        outcome="Unknown",
        role="Observation",
        summary="Could not look.",
        recommendation="Give it the role Reader.",
        evidence=facts,
        **changes,
    )
