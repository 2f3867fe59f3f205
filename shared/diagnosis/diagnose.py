"""From evidence to a diagnosis: every rule that the look asks for, and what follows from them together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from shared.diagnosis.causes import in_order_of_use, root_cause, ruled_out
from shared.evidence.model import Evidence, Look
from shared.evidence.pieces import Unavailable
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import MENDED, Confidence, Outcome, Rule, Severity, Verdict, failed, passed, unknown

SOURCE_TRIGGER_READY: Final = "ACRT510"
NOT_IMPORTED: Final = "ACRT507"
COPY_INCOMPLETE: Final = "ACRT702"
# A failed run's rows about itself; they stand beside its root cause and are never one.
RUN_ROWS: Final = frozenset({"ACRT100", "ACRT101", "ACRT102", "ACRT103"})
# Where one rule explains others on the same subject, only the explaining one is raised.
EXPLAINS: Final[Mapping[str, frozenset[str]]] = {
    "ACRT305": frozenset({"ACRT502"}),
    "ACRT351": frozenset({"ACRT502"}),
    "ACRT701": frozenset({"ACRT505", "ACRT506"}),
    "ACRT702": frozenset({"ACRT509"}),
    "ACRT603": frozenset({"ACRT103"}),
}


class Role(StrEnum):
    """What a finding is to its diagnosis."""

    ROOT_CAUSE = "RootCause"
    CONTRIBUTING = "Contributing"
    OBSERVATION = "Observation"


@dataclass(frozen=True, slots=True)
class Result:
    """One rule's verdict and the part that it plays."""

    rule: Rule
    verdict: Verdict
    role: Role = Role.OBSERVATION
    basis: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What one look concluded.

    ``results`` are the failures, warnings and statements worth a row, the root cause first. ``passed`` and
    ``open_rules`` are what was looked at and found well, and what could not be looked at, by reason;
    ``not_applicable`` are the rules of the look for which the question did not arise.
    """

    evidence: Evidence
    results: tuple[Result, ...]
    passed: tuple[Rule, ...] = ()
    open_rules: Mapping[Unavailable, tuple[Rule, ...]] = field(default_factory=dict)
    not_applicable: tuple[Rule, ...] = ()

    @property
    def root_cause(self) -> Result | None:
        """The root cause, if this is the diagnosis of a failure."""
        return next((result for result in self.results if result.role is Role.ROOT_CAUSE), None)


# A failed run is told from its cause; elsewhere what explains comes before what it explains.
_ORDER: Final = {
    True: (Role.ROOT_CAUSE, Role.CONTRIBUTING, Role.OBSERVATION),
    False: (Role.ROOT_CAUSE, Role.OBSERVATION, Role.CONTRIBUTING),
}
_RULES_OF_LOOK: Final = {look: tuple(r for r in CATALOGUE.values() if look in r.looks) for look in Look}


def ask_rules(evidence: Evidence) -> dict[str, Verdict]:
    """The verdict of every rule of the look for which the question arises, by id."""
    verdicts = {rule.id: rule(evidence) for rule in _RULES_OF_LOOK[evidence.look]}
    return {rule_id: verdict for rule_id, verdict in verdicts.items() if verdict.outcome is not Outcome.NOT_APPLICABLE}


def diagnose_run(evidence: Evidence) -> Diagnosis:
    """The diagnosis of a run. A failed run has exactly one root cause."""
    verdicts = ask_rules(evidence)
    if evidence.look is not Look.FAILED_RUN:
        return _diagnosis(evidence, verdicts, {})
    cause = root_cause(evidence, verdicts)
    known = verdicts.get(cause.rule.id)
    if known is None or known.outcome is not Outcome.FAIL:
        # Only the text names it, so there are no facts but those of the text.
        facts: dict[str, object] = {"ruledOut": ruled_out(verdicts)} if cause.rule.id == "ACRT199" else {}
        if known is not None and known.outcome is Outcome.PASS:
            facts[MENDED] = True
        expired = evidence.message.times[1] if cause.rule.id == "ACRT301" else None
        known = Verdict(Outcome.FAIL, facts, cause.confidence, expires_on=expired)
    verdicts[cause.rule.id] = replace(known, confidence=cause.confidence)
    roles = {
        rule_id: Role.CONTRIBUTING if verdict.outcome is Outcome.FAIL and rule_id not in RUN_ROWS else Role.OBSERVATION
        for rule_id, verdict in verdicts.items()
    }
    roles[cause.rule.id] = Role.ROOT_CAUSE
    return _diagnosis(evidence, verdicts, roles, {cause.rule.id: cause.basis})


def diagnose_rejected_write(evidence: Evidence) -> Diagnosis:
    """The diagnosis of a write that left no run: the activity log's cause, or the rejection itself."""
    verdicts = ask_rules(evidence)
    claims = [claim for claim in evidence.message.claims if claim.decides and claim.rules[0] in CATALOGUE]
    cause = CATALOGUE[claims[0].rules[0]] if claims else CATALOGUE["ACRT110"]
    if claims:
        verdicts.setdefault(cause.id, failed(confidence=Confidence.LIKELY))
    basis = f"the activity log ('{claims[0].phrase}')" if claims else "the rejection itself"
    return _diagnosis(evidence, verdicts, {cause.id: Role.ROOT_CAUSE}, {cause.id: basis})


def diagnose_pipeline(evidence: Evidence) -> Diagnosis:
    """Everything that would make a pipeline's next run fail."""
    verdicts = ask_rules(evidence)
    return _diagnosis(evidence, verdicts, {})


def diagnose_blob(evidences: Iterable[Evidence]) -> tuple[Diagnosis, ...]:
    """One diagnosis for each import pipeline that watches the blob's container, or a single one without any.

    What is about the blob itself is said once, in the first of them.
    """
    diagnoses: list[Diagnosis] = []
    for evidence in evidences:
        verdicts = ask_rules(evidence)
        _compose_source_trigger(evidence, verdicts)
        if diagnoses:
            said = {r.rule.id for d in diagnoses for r in d.results if r.rule.subject == "blob"}
            verdicts = {rule_id: verdict for rule_id, verdict in verdicts.items() if rule_id not in said}
        diagnoses.append(_diagnosis(evidence, verdicts, {}))
    return tuple(diagnoses)


def _compose_source_trigger(evidence: Evidence, verdicts: dict[str, Verdict]) -> None:
    """``ACRT510`` passes only if every prerequisite was judged; ``ACRT507`` only speaks where they hold."""
    pipeline = evidence.known_pipeline
    unmet = [
        rule_id
        for rule_id, verdict in verdicts.items()
        if (verdict.outcome is Outcome.FAIL or (verdict.outcome is Outcome.WARN and rule_id == COPY_INCOMPLETE))
        # What is only possible is told to nobody, so it must not silence what is.
        and verdict.confidence is not Confidence.POSSIBLE
        and rule_id != NOT_IMPORTED
        and CATALOGUE[rule_id].severity >= Severity.MEDIUM
    ]
    if unmet:
        verdicts.pop(NOT_IMPORTED, None)
    overdue = NOT_IMPORTED in verdicts and verdicts[NOT_IMPORTED].outcome is Outcome.FAIL
    if unmet or overdue:
        return
    if pipeline is None or not pipeline.source_trigger_enabled or evidence.already_imported:
        return
    arrived = evidence.waiting_since or evidence.now
    expected_by = arrived + evidence.limits.import_grace
    unjudged = [rule_id for rule_id, verdict in verdicts.items() if _is_open(verdict)]
    if unjudged:
        reason = Unavailable("not every prerequisite could be judged", by_choice=True)
        verdicts[SOURCE_TRIGGER_READY] = unknown(reason, expectedBy=expected_by, unjudged=unjudged)
    else:
        verdicts[SOURCE_TRIGGER_READY] = passed(expectedBy=expected_by, unjudged=[])


def _is_open(verdict: Verdict) -> bool:
    return verdict.outcome is Outcome.UNKNOWN or (
        verdict.outcome is Outcome.FAIL and verdict.confidence is Confidence.POSSIBLE
    )


def _diagnosis(
    evidence: Evidence,
    verdicts: Mapping[str, Verdict],
    roles: Mapping[str, Role],
    bases: Mapping[str, str] | None = None,
) -> Diagnosis:
    explained = {
        other
        for rule_id, others in EXPLAINS.items()
        if rule_id in verdicts and verdicts[rule_id].outcome in {Outcome.FAIL, Outcome.WARN}
        for other in others
    }
    results: list[Result] = []
    well: list[Rule] = []
    open_rules: dict[Unavailable, tuple[Rule, ...]] = {}
    for rule in in_order_of_use(verdicts):
        verdict = verdicts[rule.id]
        if verdict.outcome is Outcome.PASS and not _worth_a_row(rule):
            well.append(rule)
            continue
        missing = verdict.missing
        if verdict.outcome is Outcome.UNKNOWN and missing is not None and not _worth_a_row(rule):
            if not missing.by_choice:
                open_rules[missing] = (*open_rules.get(missing, ()), rule)
            continue
        role = roles.get(rule.id, Role.OBSERVATION)
        if rule.id in explained and role is Role.OBSERVATION:
            role = Role.CONTRIBUTING
        results.append(Result(rule, verdict, role, (bases or {}).get(rule.id, "")))
    results.sort(key=lambda result: _ORDER[evidence.look is Look.FAILED_RUN].index(result.role))
    absent = tuple(rule for rule in _RULES_OF_LOOK[evidence.look] if rule.id not in verdicts)
    return Diagnosis(evidence, tuple(results), tuple(well), open_rules, absent)


def _worth_a_row(rule: Rule) -> bool:
    """Statements that are rows although nothing is wrong."""
    return rule.id in RUN_ROWS or rule.id == SOURCE_TRIGGER_READY
