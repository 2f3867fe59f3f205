"""From a diagnosis to findings: names, keys and words for every result that is worth a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from shared.diagnosis.diagnose import RUN_ROWS, Diagnosis, Result, Role
from shared.evidence.model import Evidence
from shared.evidence.pieces import Unavailable
from shared.findings.finding import Finding, State, finding_id, finding_key
from shared.records.storage import Blob
from shared.redaction import redact
from shared.resource_ids import parse_resource_id
from shared.rules.catalogue import CANNOT_CHECK, CATALOGUE
from shared.rules.model import MENDED, Confidence, Description, Outcome, Rule, Severity, Subject
from shared.rules.vault_secret import expiry_date
from shared.sas_token import SasToken
from shared.times import iso

HELP: Final = "https://github.com/acr-transfer-monitor/acr-transfer-monitor/blob/main/docs/rules/{rule}.md"
_NEVER_OPEN: Final = frozenset({"ACRT100", "ACRT102", "ACRT105", "ACRT106", "ACRT902", "ACRT903", "ACRT904", "ACRT510"})


class TriggeredBy(StrEnum):
    """What made the monitor look."""

    RUN_EVENT = "PipelineRunEvent"
    BLOB_EVENT = "BlobEvent"
    SWEEP = "Sweep"
    CLI = "Cli"


@dataclass(frozen=True, slots=True)
class Occasion:
    """What led here, for the row; it is never part of an id."""

    triggered_by: TriggeredBy
    event_id: str = ""
    correlation_id: str = ""


def help_uri(rule_id: str) -> str:
    """The page of a rule."""
    return HELP.format(rule=rule_id)


def moment_of(began: datetime | None) -> str:
    """A run's own moment, as it goes into ids."""
    return iso(began) or ""


class FindingBuilder:
    """Builds the findings of one diagnosis.

    ``began`` is the run's own moment as the state store chose it. Findings that are neither about a run's
    diagnosis nor about a blob take the moment at which their condition opened, which ``opened_at`` gives by
    the condition's key; what is missing there opens now.
    """

    def __init__(
        self,
        diagnosis: Diagnosis,
        occasion: Occasion,
        *,
        began: datetime | None = None,
        opened_at: Mapping[str, datetime] | None = None,
    ) -> None:
        self._diagnosis = diagnosis
        self._evidence = diagnosis.evidence
        self._occasion = occasion
        self._began = began
        self._opened_at = opened_at or {}

    def findings(self) -> list[Finding]:
        """All findings, the root cause first, what could not be checked last."""
        found = [self._of_result(result) for result in self._diagnosis.results]
        return found + [self._cannot_check(*item) for item in self._by_target().items()]

    def conditions(self) -> list[str]:
        """The keys of the conditions whose opening has to be known before the findings can be built."""
        keys = [
            finding_key(result.rule.id, subject_of(result.rule, self._evidence))
            for result in self._diagnosis.results
            if self._moment_is_opening(result.rule)
        ]
        return keys + self.gaps()

    def gaps(self) -> list[str]:
        """The keys of the conditions that say what could not be checked."""
        return [finding_key(CANNOT_CHECK, _target_subject(*target)) for target in self._by_target()]

    def _moment_is_opening(self, rule: Rule) -> bool:
        return self._evidence.run is None and rule.subject is not Subject.BLOB

    def _of_result(self, result: Result) -> Finding:
        rule, verdict, evidence = result.rule, result.verdict, self._evidence
        subject = subject_of(rule, evidence)
        key = finding_key(rule.id, subject)
        words = _as_of_now(rule.describe(evidence, verdict.facts), verdict.facts)
        severity = rule.severity if verdict.severity is None else verdict.severity
        facts: dict[str, object] = dict(verdict.facts)
        if result.role is Role.ROOT_CAUSE:
            facts["basis"] = result.basis
        if rule.id in RUN_ROWS or result.role is Role.ROOT_CAUSE:
            facts |= self._looked_at()
        return self._finding(
            rule,
            finding_id=finding_id(rule.id, self._occurrence(subject), self._moment(rule, key)),
            finding_key=key,
            severity=severity.label,
            severity_rank=int(severity),
            outcome=str(verdict.outcome),
            state=_state(rule, verdict.outcome, severity),
            role=str(result.role),
            confidence=str(verdict.confidence),
            summary=words.summary,
            recommendation=words.recommendation,
            fix_command=words.fix_command,
            verify_command=words.verify_command,
            expires_on=verdict.expires_on or self._expiry(rule),
            evidence=facts,
        )

    def _cannot_check(self, target: tuple[str, str], reason: tuple[Unavailable, tuple[Rule, ...]]) -> Finding:
        rule = CATALOGUE[CANNOT_CHECK]
        missing, rules = reason
        subject = _target_subject(*target)
        key = finding_key(rule.id, subject)
        facts: dict[str, object] = {
            "target": missing.target or "the service",
            "right": missing.right,
            "reason": missing.reason,
            "rules": [r.id for r in rules],
            "passing": missing.passing,
            "principal": self._evidence.monitor_client_id,
        }
        words = rule.describe(self._evidence, facts)
        return self._finding(
            rule,
            finding_id=finding_id(rule.id, subject, iso(self._opened_at.get(key, self._evidence.now)) or ""),
            finding_key=key,
            severity=rule.severity.label,
            severity_rank=int(rule.severity),
            outcome=str(Outcome.UNKNOWN),
            state=State.OPEN,
            role=str(Role.OBSERVATION),
            confidence=str(Confidence.CONFIRMED),
            summary=words.summary,
            recommendation=words.recommendation,
            fix_command=words.fix_command,
            verify_command=words.verify_command,
            evidence=facts,
        )

    def _by_target(self) -> dict[tuple[str, str], tuple[Unavailable, tuple[Rule, ...]]]:
        """What was left open, by target and missing right: that is the condition, whoever ran into it."""
        grouped: dict[tuple[str, str], tuple[Unavailable, tuple[Rule, ...]]] = {}
        blob = str(self._evidence.blob_address)
        for missing, rules in self._diagnosis.open_rules.items():
            # Of all targets only a blob's name tells upper from lower case.
            target = missing.target if missing.target == blob else missing.target.lower()
            key = (target, missing.right.lower())
            first, before = grouped.get(key, (missing, ()))
            grouped[key] = (first, tuple(dict.fromkeys((*before, *rules))))
        return grouped

    def _occurrence(self, subject: str) -> str:
        """Rows of a run's diagnosis are the run's, whatever their rule is about."""
        run = self._evidence.run
        return run.id.lower() if run is not None else subject

    def _moment(self, rule: Rule, key: str) -> str:
        evidence = self._evidence
        if evidence.run is not None:
            return moment_of(self._began or evidence.run.began)
        if rule.subject is Subject.BLOB:
            return evidence.blob.etag if isinstance(evidence.blob, Blob) else ""
        return iso(self._opened_at.get(key, evidence.now)) or ""

    def _expiry(self, rule: Rule) -> datetime | None:
        """When the credential ends, on every row about it, so that a query can plot it."""
        evidence = self._evidence
        if rule.area not in {"Sas", "KeyVault"}:
            return None
        if isinstance(evidence.sas, SasToken):
            return evidence.sas.expires_on
        return expiry_date(evidence)

    def _looked_at(self) -> dict[str, object]:
        diagnosis = self._diagnosis
        looked: dict[str, object] = {
            "passed": [rule.id for rule in diagnosis.passed],
            "notChecked": sorted({rule.id for rules in diagnosis.open_rules.values() for rule in rules}),
        }
        if self._evidence.message.claims:
            looked["messageNames"] = [list(claim.rules) for claim in self._evidence.message.claims]
        return looked

    def _finding(self, rule: Rule, **fields: object) -> Finding:
        return Finding(**{**subject_fields(self._evidence, self._occasion), **rule_fields(rule), **fields})  # type: ignore[arg-type]


def subject_of(rule: Rule, evidence: Evidence) -> str:
    """What a finding of ``rule`` would be about: the run, the pipeline, the blob, or what of them is known.

    Azure gives one resource id in several cases, so ids are in lower case here; a blob's name is as it is.
    """
    names = evidence.names
    run = evidence.run.id if evidence.run else ""
    match rule.subject:
        case Subject.RUN:
            return (run or names.pipeline_id or evidence.registry_id).lower()
        case Subject.PIPELINE:
            return (names.pipeline_id or run or evidence.registry_id).lower()
        case Subject.BLOB:
            return str(evidence.blob_address) if evidence.blob_address else (run or names.pipeline_id).lower()
        case Subject.MONITOR:
            return "monitor"


def _state(rule: Rule, outcome: Outcome, severity: Severity) -> State:
    never_open = rule.id in _NEVER_OPEN or severity is Severity.INFO or outcome is Outcome.PASS
    return State.INFO if never_open else State.OPEN


def _target_subject(target: str, right: str) -> str:
    return f"{target}|{right}"


def _as_of_now(words: Description, facts: Mapping[str, object]) -> Description:
    """The words, with what the live evidence says of a cause that only the run's message names."""
    if not facts.get(MENDED):
        return words
    return replace(
        words,
        summary=f"{words.summary} A look now finds this in order.",
        recommendation="It was mended after the run had failed: submit the run again. If it fails as before: "
        + words.recommendation,
    )


def rule_fields(rule: Rule) -> dict[str, object]:
    """The columns that the rule itself fills."""
    return {"rule_id": rule.id, "rule_name": rule.name, "area": str(rule.area), "help_uri": help_uri(rule.id)}


def subject_fields(evidence: Evidence, occasion: Occasion) -> dict[str, object]:
    """The columns that say what was looked at, and on what occasion."""
    names, run, pipeline = evidence.names, evidence.run, evidence.known_pipeline
    blob = evidence.blob if isinstance(evidence.blob, Blob) else None
    direction = pipeline.direction if pipeline else evidence.direction
    mode = evidence.access_mode
    lost = evidence.lost_write
    return {
        "time_generated": evidence.now,
        "triggered_by": str(occasion.triggered_by),
        "event_id": occasion.event_id,
        "correlation_id": occasion.correlation_id or (lost.correlation_id if lost else ""),
        "direction": str(direction or ""),
        "registry_id": evidence.registry_id,
        "registry_name": parse_resource_id(evidence.registry_id).name if evidence.registry_id else "",
        "pipeline_id": names.pipeline_id,
        "pipeline_name": names.pipeline,
        "run_id": run.id if run else "",
        "run_name": run.name if run else "",
        "run_status": (run.status or run.provisioning_state) if run else "",
        "run_start_time": run.began if run else None,
        "run_finish_time": run.finish_time if run else None,
        "source_triggered": run.source_triggered if run else None,
        "storage_access_mode": str(mode or ""),
        "storage_account": names.account,
        "container_name": names.container,
        "blob_name": names.blob,
        "blob_etag": blob.etag if blob else "",
        "blob_last_modified": blob.last_modified if blob else None,
        "key_vault_name": names.vault,
        "secret_name": names.secret,
        "error_message": redact(run.error_message) if run else "",
    }
