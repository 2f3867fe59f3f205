"""Names the one root cause of a failed run.

What decides, in this order:

1. a code, phrase or time in the run's message that stands for a single cause: it speaks of the moment of the
   failure, whatever a look says now;
2. where the message leaves a choice (``403 Forbidden``), the first of its candidates that the live evidence
   finds broken, in the order in which the service takes its steps; what was only possible is likely then;
3. where the message says nothing, the first step that the live evidence finds broken, of the service that
   the message speaks of; what is only possible is no root cause by itself;
4. what the message usually means, unless the live evidence has just seen that it does not hold;
5. the only candidate that could not be ruled out;
6. the first broken step of the message's service, although the message points elsewhere;
7. what the message usually means, although it does not hold any more: somebody may have mended it since;
8. otherwise nothing is known: ``ACRT199``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.evidence.message import Claim
from shared.evidence.model import Evidence
from shared.evidence.phrases import Service
from shared.records.transfer import Direction, StorageAccessMode
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Confidence, Outcome, Rule, Step, Verdict

CAUSE_UNKNOWN: Final = "ACRT199"

_STEPS_OF_SERVICE: Final[Mapping[Service, frozenset[Step]]] = {
    Service.KEY_VAULT: frozenset({Step.VAULT}),
    Service.STORAGE: frozenset({Step.TOKEN, Step.NETWORK, Step.CONTAINER, Step.BLOB}),
    Service.REGISTRY: frozenset({Step.PIPELINE, Step.ARTIFACTS}),
    Service.ARM: frozenset({Step.PIPELINE}),
    Service.IDENTITY: frozenset({Step.PIPELINE, Step.VAULT}),
}
# Whatever service has refused: it was asked as the pipeline's identity.
_NEEDED_BY_ALL: Final = frozenset({"ACRT209"})
# A vault is found by its name, asks who is there, then from where, then for the right, and only then for the secret.
_AT_THE_VAULT: Final = ("ACRT205", "ACRT207", "ACRT210", "ACRT202", "ACRT201", "ACRT204", "ACRT203")


def _place(rule: Rule) -> tuple[int, int, str]:
    at_the_vault = _AT_THE_VAULT.index(rule.id) if rule.id in _AT_THE_VAULT else len(_AT_THE_VAULT)
    return (rule.step, at_the_vault, rule.id)


_IN_ORDER: Final = sorted(CATALOGUE.values(), key=_place)
_REFUSALS: Final = frozenset({401, 403})
# These two name each other's storage access mode.
_SAS_ONLY: Final = frozenset(i for i in CATALOGUE if i.startswith(("ACRT20", "ACRT21", "ACRT30", "ACRT31")))
_IDENTITY_ONLY: Final = frozenset({"ACRT351"})
_BOTH_MODES: Final = frozenset({"ACRT209"})
_EXPORT_ONLY: Final = frozenset({"ACRT116", "ACRT403", "ACRT408", "ACRT601", "ACRT602", "ACRT605"})
_IMPORT_ONLY: Final = frozenset({"ACRT402", "ACRT404", "ACRT606", "ACRT406"})


@dataclass(frozen=True, slots=True)
class RootCause:
    """The rule that names the cause, how sure that is, and what it rests on."""

    rule: Rule
    confidence: Confidence
    basis: str


def root_cause(evidence: Evidence, verdicts: Mapping[str, Verdict]) -> RootCause:
    """The one root cause of a failed run, ``ACRT199`` if nothing names one."""
    broken = _broken(verdicts)
    claims = [possible for claim in evidence.message.claims if (possible := _possible(claim, evidence))]
    seen = _first_broken(evidence, [r for r in broken if verdicts[r.id].confidence is not Confidence.POSSIBLE])
    return (
        _decided(claims, verdicts)
        or _chosen(claims, broken, verdicts)
        or (None if claims else _seen(seen, verdicts, "a live check; the message names no cause"))
        or _usual(claims, verdicts)
        or _left(claims, verdicts)
        or _seen(seen, verdicts, "a live check; the causes that the message names were ruled out")
        or _mended(claims)
        # Not "possible": nobody is called for that, and a run has failed.
        or RootCause(CATALOGUE[CAUSE_UNKNOWN], Confidence.LIKELY, "nothing in the message or the live evidence")
    )


def _decided(claims: Sequence[Claim], verdicts: Mapping[str, Verdict]) -> RootCause | None:
    for claim in claims:
        if claim.decides:
            return _named_by_message(CATALOGUE[claim.rules[0]], verdicts, claim)
    return None


def _chosen(claims: Sequence[Claim], broken: Sequence[Rule], verdicts: Mapping[str, Verdict]) -> RootCause | None:
    """A candidate of the message that is broken. A hint and a message that fits it are likely together."""
    for claim in claims:
        for rule in broken:
            if rule.id in claim.rules:
                confidence = verdicts[rule.id].confidence
                sure = Confidence.LIKELY if confidence is Confidence.POSSIBLE else confidence
                return RootCause(rule, sure, f"the message ('{claim.phrase}') and a live check")
    return None


def _usual(claims: Sequence[Claim], verdicts: Mapping[str, Verdict]) -> RootCause | None:
    for claim in claims:
        usual = CATALOGUE.get(claim.usual)
        if usual is not None and _outcome(verdicts, usual.id) is not Outcome.PASS:
            return RootCause(usual, Confidence.LIKELY, f"what the message ('{claim.phrase}') usually means")
    return None


def _left(claims: Sequence[Claim], verdicts: Mapping[str, Verdict]) -> RootCause | None:
    for claim in claims:
        left = [rule_id for rule_id in claim.rules if _outcome(verdicts, rule_id) is Outcome.UNKNOWN]
        ruled_out = [rule_id for rule_id in claim.rules if _outcome(verdicts, rule_id) is Outcome.PASS]
        if len(left) == 1 and ruled_out and left[0] in CATALOGUE:
            basis = f"the message ('{claim.phrase}') after {', '.join(ruled_out)} were ruled out"
            return RootCause(CATALOGUE[left[0]], Confidence.LIKELY, basis)
    return None


def _mended(claims: Sequence[Claim]) -> RootCause | None:
    for claim in claims:
        if claim.usual in CATALOGUE:
            basis = f"what the message ('{claim.phrase}') usually means; it has been mended since"
            return RootCause(CATALOGUE[claim.usual], Confidence.LIKELY, basis)
    return None


def _broken(verdicts: Mapping[str, Verdict]) -> list[Rule]:
    """The causes that fail, in the order of use; what is only possible stands behind what was seen."""
    failing = [r for r in in_order_of_use(verdicts) if r.causes and verdicts[r.id].outcome is Outcome.FAIL]
    return sorted(failing, key=lambda rule: verdicts[rule.id].confidence is Confidence.POSSIBLE)


def in_order_of_use(rule_ids: Iterable[str]) -> list[Rule]:
    """The rules in the order in which the service takes its steps, by id where a step has no order of its own."""
    wanted = frozenset(rule_ids)
    return [rule for rule in _IN_ORDER if rule.id in wanted]


def ruled_out(verdicts: Mapping[str, Verdict]) -> list[str]:
    """The causes that a live look has excluded."""
    return [r.id for r in in_order_of_use(verdicts) if r.causes and verdicts[r.id].outcome is Outcome.PASS]


def _possible(claim: Claim, evidence: Evidence) -> Claim | None:
    """The claim without the causes that this kind of run can't have; ``None`` if none is left."""
    rules = tuple(rule_id for rule_id in claim.rules if rule_id in CATALOGUE and _fits(rule_id, evidence))
    if not rules:
        return None
    # Where the kind of run leaves one of several, that is certain.
    narrowed = len(rules) == 1 < len(claim.rules)
    return Claim(rules, claim.usual if claim.usual in rules and not narrowed else "", claim.phrase)


def _fits(rule_id: str, evidence: Evidence) -> bool:
    mode = evidence.access_mode
    if mode is StorageAccessMode.MANAGED_IDENTITY and rule_id in _SAS_ONLY - _BOTH_MODES:
        return False
    if mode is StorageAccessMode.SAS_TOKEN and rule_id in _IDENTITY_ONLY:
        return False
    if evidence.direction is Direction.EXPORT and rule_id in _IMPORT_ONLY:
        return False
    return not (evidence.direction is Direction.IMPORT and rule_id in _EXPORT_ONLY)


def _named_by_message(rule: Rule, verdicts: Mapping[str, Verdict], claim: Claim) -> RootCause:
    verdict = verdicts.get(rule.id)
    if verdict is not None and verdict.outcome is Outcome.FAIL and verdict.confidence is not Confidence.POSSIBLE:
        return RootCause(rule, Confidence.CONFIRMED, f"the message ('{claim.phrase}') and a live check")
    mended = "; it has been mended since" if _outcome(verdicts, rule.id) is Outcome.PASS else ""
    return RootCause(rule, Confidence.LIKELY, f"the message ('{claim.phrase}'){mended}")


def _first_broken(evidence: Evidence, broken: list[Rule]) -> Rule | None:
    service = evidence.message.service
    if evidence.message.claims and _REFUSALS.intersection(evidence.message.statuses):
        # Who is refused is not told how the blob is: a conflict with it has another status.
        broken = [rule for rule in broken if rule.step is not Step.BLOB]
    if service is None:
        return broken[0] if broken else None
    steps = _STEPS_OF_SERVICE[service]
    return next((rule for rule in broken if rule.step in steps or rule.id in _NEEDED_BY_ALL), None)


def _seen(rule: Rule | None, verdicts: Mapping[str, Verdict], basis: str) -> RootCause | None:
    return None if rule is None else RootCause(rule, verdicts[rule.id].confidence, basis)


def _outcome(verdicts: Mapping[str, Verdict], rule_id: str) -> Outcome:
    verdict = verdicts.get(rule_id)
    return verdict.outcome if verdict is not None else Outcome.UNKNOWN
