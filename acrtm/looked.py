"""What a command has looked at and found, before anybody prints it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from acrtm.exits import ExitCode
from acrtm.learnt import Learnt
from shared.diagnosis.diagnose import EXPLAINS, RUN_ROWS, Diagnosis, Role, ask_rules
from shared.evidence.pieces import NOT_ASKED
from shared.findings.finding import Finding, State
from shared.rules.model import Outcome, Severity

CANNOT_CHECK: Final = "ACRT901"
SOURCE_TRIGGER_READY: Final = "ACRT510"


@dataclass(frozen=True, slots=True)
class OpenEnd:
    """Something that could not be checked: why, on what, with which right missing, and the rules left open."""

    reason: str
    target: str = ""
    right: str = ""
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Rules that were left out by choice of the settings, which is no fault and no pass either."""

    reason: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """One look: its subject, what is known of it in pairs, and what came of it.

    ``closer`` are the commands that look closer at single findings, by their key: only a sweep has them.
    """

    title: str
    subject: str
    facts: tuple[tuple[str, str], ...] = ()
    said: str = ""
    findings: tuple[Finding, ...] = ()
    passed: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    open_ends: tuple[OpenEnd, ...] = ()
    closer: Mapping[str, str] = field(default_factory=dict)

    @property
    def root_cause(self) -> Finding | None:
        """The root cause, if this is a failed run's card."""
        return next((finding for finding in self.findings if finding.role == "RootCause"), None)

    @property
    def all_open_ends(self) -> tuple[OpenEnd, ...]:
        """What could not be checked, as findings say it and as the look itself does."""
        return (*open_ends_of(self.findings), *self.open_ends)


@dataclass(frozen=True, slots=True)
class Looked:
    """Everything that one command found out. ``sweep`` are the facts of a sweep, else empty.

    ``learnt`` is what says of conditions that were found before whether they are over.
    """

    cards: tuple[Card, ...] = ()
    sweep: Mapping[str, object] = field(default_factory=dict)
    learnt: Learnt = field(default_factory=Learnt)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of all cards."""
        return tuple(finding for card in self.cards for finding in card.findings)

    @property
    def exit_code(self) -> ExitCode:
        """3 for faults, else 4 for open ends, else 0."""
        muted = [finding for finding in self.findings if finding.state is State.MUTED]
        if any(is_fault(finding) and not goes_with(finding, muted) for finding in self.findings):
            return ExitCode.FINDINGS
        unknown = any(finding.outcome == Outcome.UNKNOWN for finding in self.findings)
        return ExitCode.NOT_CHECKED if unknown or any(card.all_open_ends for card in self.cards) else ExitCode.OK


def is_fault(finding: Finding) -> bool:
    """Whether a finding is wrong enough for the command to end with 3."""
    wrong = finding.outcome in {Outcome.FAIL, Outcome.WARN}
    return finding.state is State.OPEN and wrong and finding.severity_rank >= Severity.MEDIUM


def goes_with(finding: Finding, causes: Iterable[Finding]) -> bool:
    """Whether the finding only says what follows from one of ``causes``.

    That a run failed is told by its root cause: whoever mutes that one has muted both. So has who mutes what explains
    a finding.
    """
    return any(_follows(finding, cause) for cause in causes)


def _follows(finding: Finding, cause: Finding) -> bool:
    if finding.rule_id in RUN_ROWS and cause.role == Role.ROOT_CAUSE:
        return bool(finding.run_id) and finding.run_id == cause.run_id
    explained = finding.role == Role.CONTRIBUTING and finding.rule_id in EXPLAINS.get(cause.rule_id, ())
    return explained and _subject(finding) == _subject(cause)


def _subject(finding: Finding) -> tuple[str, ...]:
    return (finding.run_id, finding.pipeline_id, finding.storage_account, finding.container_name, finding.blob_name)


def open_ends_of(findings: Iterable[Finding]) -> tuple[OpenEnd, ...]:
    """What findings say that could not be checked."""
    return tuple(_open_end(finding) for finding in findings if finding.rule_id == CANNOT_CHECK)


def _open_end(finding: Finding) -> OpenEnd:
    facts = finding.evidence
    rules = facts.get("rules")
    return OpenEnd(
        str(facts.get("reason") or finding.summary),
        str(facts.get("target") or ""),
        str(facts.get("right") or ""),
        tuple(str(rule) for rule in rules) if isinstance(rules, list | tuple) else (),
    )


def left_out_of(diagnosis: Diagnosis) -> tuple[LeftOut, ...]:
    """What the settings left out (``SAS_INSPECTION``); the diagnosis itself only keeps what is missing."""
    by_reason: dict[str, list[str]] = {}
    for rule_id, verdict in ask_rules(diagnosis.evidence).items():
        missing = verdict.missing
        if missing is None or not missing.by_choice or missing == NOT_ASKED or rule_id == SOURCE_TRIGGER_READY:
            continue
        by_reason.setdefault(missing.reason, []).append(rule_id)
    return tuple(LeftOut(reason, tuple(rules)) for reason, rules in by_reason.items())
