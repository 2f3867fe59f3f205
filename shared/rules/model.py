"""What a rule is: a pure function of evidence, a description in words, and a page, under one stable id.

The catalogue is the one list of rules; docs, look-up tables and the command line are made from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final

from shared.evidence.model import Evidence, Look
from shared.evidence.pieces import Unavailable
from shared.records.transfer import Pipeline


class Area(StrEnum):
    """The part of a transfer that a rule is about."""

    RUN = "Run"
    KEY_VAULT = "KeyVault"
    SAS = "Sas"
    MANAGED_IDENTITY = "ManagedIdentity"
    STORAGE = "Storage"
    SOURCE_TRIGGER = "SourceTrigger"
    ARTIFACTS = "Artifacts"
    COPY = "Copy"
    MONITOR = "Monitor"


class Severity(IntEnum):
    """How much it matters; the number is the row's ``SeverityRank``."""

    INFO = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def label(self) -> str:
        """``High``, as the row's ``Severity`` says it."""
        return self.name.capitalize()


class Outcome(StrEnum):
    """What a rule found."""

    FAIL = "Fail"
    WARN = "Warn"
    PASS = "Pass"  # noqa: S105 - an outcome, no secret
    UNKNOWN = "Unknown"
    NOT_APPLICABLE = "NotApplicable"


class Confidence(StrEnum):
    """What a verdict rests on: a live check, the error's text, or less."""

    CONFIRMED = "Confirmed"
    LIKELY = "Likely"
    POSSIBLE = "Possible"


class Subject(StrEnum):
    """What a finding is about; it is part of the finding's key."""

    RUN = "run"
    PIPELINE = "pipeline"
    BLOB = "blob"
    MONITOR = "monitor"


class Step(IntEnum):
    """The steps of a transfer in the order in which the service takes them: the first that fails is the cause."""

    PIPELINE = 1
    VAULT = 2
    TOKEN = 3
    NETWORK = 4
    CONTAINER = 5
    BLOB = 6
    ARTIFACTS = 7
    AFTERWARDS = 8


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule found, and the facts that it rests on.

    ``missing`` says what kept an ``UNKNOWN`` from being more. ``severity`` overrides the rule's own.
    """

    outcome: Outcome
    facts: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    confidence: Confidence = Confidence.CONFIRMED
    missing: Unavailable | None = None
    severity: Severity | None = None
    expires_on: datetime | None = None


_PASSED: Final = Verdict(Outcome.PASS)
_NOT_APPLICABLE: Final = Verdict(Outcome.NOT_APPLICABLE)


def passed(**facts: object) -> Verdict:
    """The check was carried out and all is well."""
    return Verdict(Outcome.PASS, facts) if facts else _PASSED


def failed(
    *,
    confidence: Confidence = Confidence.CONFIRMED,
    severity: Severity | None = None,
    expires_on: datetime | None = None,
    **facts: object,
) -> Verdict:
    """The check found a fault."""
    return Verdict(Outcome.FAIL, facts, confidence, severity=severity, expires_on=expires_on)


def warned(
    *,
    confidence: Confidence = Confidence.CONFIRMED,
    severity: Severity | None = None,
    expires_on: datetime | None = None,
    **facts: object,
) -> Verdict:
    """Nothing is broken yet, or what is found is no cause by itself."""
    return Verdict(Outcome.WARN, facts, confidence, severity=severity, expires_on=expires_on)


def unknown(missing: Unavailable, **facts: object) -> Verdict:
    """The check could not be carried out, and why. It is never a pass."""
    return Verdict(Outcome.UNKNOWN, facts, missing=missing)


def not_applicable() -> Verdict:
    """The question does not arise here."""
    return _NOT_APPLICABLE


@dataclass(frozen=True, slots=True)
class Description:
    """A verdict in words. ``summary`` is one sentence that names the resources.

    Commands are made with :func:`shared.rules.commands.shell`, so that they can be pasted; they are empty
    where none is safe.
    """

    summary: str
    recommendation: str
    fix_command: str = ""
    verify_command: str = ""


# The fact of a root cause that a look now finds in order: it was mended after the run had failed.
MENDED: Final = "mendedSince"

Check = Callable[[Evidence], Verdict]
Describe = Callable[[Evidence, Mapping[str, object]], Description]
Applies = Callable[[Evidence], bool]

HEADINGS: Final = (
    "What it checks",
    "Why it matters",
    "How we know",
    "How to fix",
    "What can make it wrong",
    "References",
)

_LOOKS_OF_SUBJECT: Final = {
    Subject.RUN: frozenset({Look.FAILED_RUN}),
    Subject.PIPELINE: frozenset({Look.FAILED_RUN, Look.BLOB, Look.PIPELINE}),
    Subject.BLOB: frozenset({Look.BLOB}),
    Subject.MONITOR: frozenset[Look](),
}


class Rule:
    """One rule. Call it with evidence to get its verdict."""

    def __init__(
        self,
        check: Check,
        rule_id: str,
        name: str,
        *,
        area: Area,
        severity: Severity,
        subject: Subject,
        step: Step,
        looks: frozenset[Look],
        applies: Applies | None,
        causes: bool,
    ) -> None:
        self.id = rule_id
        self.name = name
        self.area = area
        self.severity = severity
        self.subject = subject
        self.step = step
        self.looks = looks
        self.causes = causes
        self.page = (check.__doc__ or "").strip()
        self._check = check
        self._applies = applies
        self._describe: Describe | None = None

    @property
    def title(self) -> str:
        """The first line of the page: what holds when the rule passes."""
        return self.page.partition("\n")[0].rstrip(".")

    @property
    def modes(self) -> str:
        """``SasToken``, ``ManagedIdentity`` or ``both``."""
        return _MODES.get(self._applies, "both") if self._applies else "both"

    def __call__(self, evidence: Evidence) -> Verdict:
        """The verdict, ``NOT_APPLICABLE`` where the question does not arise."""
        if evidence.look not in self.looks or (self._applies is not None and not self._applies(evidence)):
            return _NOT_APPLICABLE
        return self._check(evidence)

    def described_by(self, describe: Describe) -> Describe:
        """Decorator: the function that puts a verdict's facts into words."""
        self._describe = describe
        return describe

    def describe(self, evidence: Evidence, facts: Mapping[str, object]) -> Description:
        """The verdict in words. ``facts`` may be empty where only the error's text names the rule."""
        if self._describe is None:
            raise NotImplementedError(f"{self.id} has no description")
        return self._describe(evidence, facts)

    def __repr__(self) -> str:
        return f"<Rule {self.id} {self.name}>"


_CATALOGUE: Final[dict[str, Rule]] = {}
_ID: Final = re.compile(r"ACRT\d{3}")


def rule(
    rule_id: str,
    name: str,
    *,
    area: Area,
    severity: Severity,
    subject: Subject,
    step: Step,
    looks: frozenset[Look] | None = None,
    applies: Applies | None = None,
    causes: bool = True,
) -> Callable[[Check], Rule]:
    """Decorator: enters a check into the catalogue. Its docstring is the rule's page.

    ``looks`` default to those of the subject. ``causes`` is false for what is never a run's root cause.
    """

    def enter(check: Check) -> Rule:
        if not _ID.fullmatch(rule_id) or rule_id in _CATALOGUE:
            raise ValueError(f"{rule_id} is no new rule id")
        entered = Rule(
            check,
            rule_id,
            name,
            area=area,
            severity=severity,
            subject=subject,
            step=step,
            looks=_LOOKS_OF_SUBJECT[subject] if looks is None else looks,
            applies=applies,
            causes=causes,
        )
        _CATALOGUE[rule_id] = entered
        return entered

    return enter


def entered_rules() -> Mapping[str, Rule]:
    """Every rule that has been entered so far, by id. Use :data:`shared.rules.catalogue.CATALOGUE`."""
    return MappingProxyType(_CATALOGUE)


def uses_sas(evidence: Evidence) -> bool:
    """The pipeline gets at storage by a SAS token (assumed where the pipeline could not be read)."""
    pipeline = evidence.pipeline
    return pipeline.uses_sas if isinstance(pipeline, Pipeline) else evidence.secret_address is not None


def uses_managed_identity(evidence: Evidence) -> bool:
    """The pipeline gets at storage by its managed identity."""
    pipeline = evidence.pipeline
    return isinstance(pipeline, Pipeline) and not pipeline.uses_sas


_MODES: Final[Mapping[Applies, str]] = {uses_sas: "SasToken", uses_managed_identity: "ManagedIdentity"}
