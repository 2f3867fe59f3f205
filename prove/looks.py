"""Which checks were carried out, and whether one passed that could not be: every rule's own reading is watched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from shared.diagnosis.diagnose import SOURCE_TRIGGER_READY, Diagnosis
from shared.evidence.model import Evidence, Malformed
from shared.evidence.pieces import Missing, Unavailable
from shared.findings.builder import Occasion
from shared.findings.finding import Finding
from shared.monitor import Monitor
from shared.rules.model import Outcome, Rule

_FIELDS: Final = frozenset(field.name for field in fields(Evidence))
# What else proves that a check passed where another piece that it reads is lost; each of them does alone.
_PROVED_BY: Final[Mapping[str, frozenset[str]]] = {
    # The run itself tells the direction.
    "ACRT116": frozenset({"registry"}),
    "ACRT601": frozenset({"artifacts"}),
    # Enabled by its attributes. It is there by them too, or because its value was read.
    "ACRT203": frozenset({"secret"}),
    "ACRT204": frozenset({"secret", "sas"}),
    # An address without a version is always the newest.
    "ACRT206": frozenset({"secret", "secret_address"}),
    # The token's own fields say it; Storage's answer to it could only have said that it is worse.
    "ACRT302": frozenset({"sas"}),
    "ACRT305": frozenset({"sas"}),
    "ACRT306": frozenset({"sas"}),
    "ACRT308": frozenset({"sas"}),
    "ACRT309": frozenset({"sas"}),
    "ACRT310": frozenset({"sas"}),
    "ACRT502": frozenset({"sas"}),
    "ACRT312": frozenset({"account", "sas"}),
    # ARM has it, or Storage answered from within it.
    "ACRT401": frozenset({"container", "probe", "blob"}),
    "ACRT407": frozenset({"account", "probe", "blob"}),
    # One of the container's readers has its trigger on.
    "ACRT501": frozenset({"watchers"}),
    "ACRT508": frozenset({"watchers"}),
    # A blob that has no fault needs no run to have been imported by.
    **dict.fromkeys(("ACRT406", "ACRT409", "ACRT503", "ACRT504", "ACRT505"), frozenset({"blob"})),
    **dict.fromkeys(("ACRT506", "ACRT509", "ACRT701", "ACRT702"), frozenset({"blob"})),
}
_READ: Final[ContextVar[set[str] | None]] = ContextVar("read", default=None)


class _WatchedEvidence(Evidence):
    """Evidence that notes which of its fields are read."""

    def __getattribute__(self, name: str) -> Any:
        read = _READ.get()
        if read is not None and name in _FIELDS:
            read.add(name)
        return object.__getattribute__(self, name)


def watch(monitor: Monitor, looks: list[Diagnosis]) -> None:
    """Every diagnosis that the monitor is about to write down is kept in ``looks`` too."""
    build = monitor.recorder.build

    async def watched(
        diagnoses: Sequence[Diagnosis], occasion: Occasion, began: datetime | None = None
    ) -> list[tuple[Finding, bool]]:
        looks.extend(diagnoses)
        return await build(diagnoses, occasion, began)

    monitor.recorder.build = watched  # type: ignore[method-assign]


def pieces_read(rule: Rule, evidence: Evidence) -> frozenset[str]:
    """The fields of the evidence that a rule's verdict rests on."""
    watched = _WatchedEvidence(**{name: getattr(evidence, name) for name in _FIELDS})
    read: set[str] = set()
    token = _READ.set(read)
    try:
        rule(watched)
    finally:
        _READ.reset(token)
    return frozenset(read)


def is_proved(rule: Rule, evidence: Evidence, lost: frozenset[str]) -> bool:
    """Whether something that was not ``lost`` proves alone that the check passed."""
    others = (getattr(evidence, name) for name in _PROVED_BY.get(rule.id, frozenset()) - lost)
    return any(other and not isinstance(other, Missing | Unavailable | Malformed) for other in others)


def false_passes(looks: Iterable[Diagnosis], lost: frozenset[str]) -> list[str]:
    """A sentence for each check that passed on a piece of the evidence that was ``lost``, and on nothing else."""
    found: dict[str, None] = {}
    for look in looks:
        stated = [result.rule for result in look.results if result.verdict.outcome is Outcome.PASS]
        for rule in (*look.passed, *stated):
            # ACRT510 is composed of the verdicts of others, which are looked at themselves.
            rested = pieces_read(rule, look.evidence) & lost if rule.id != SOURCE_TRIGGER_READY else frozenset()
            if rested and not is_proved(rule, look.evidence, lost):
                found[f"{rule.id} passed in a look at a {look.evidence.look.name}, resting on {sorted(rested)}"] = None
    return list(found)
