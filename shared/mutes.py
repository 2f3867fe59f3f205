"""Mutes: findings that somebody has chosen not to hear of until a day that they named.

A muted finding is still written, with ``State = Muted`` and the reason, so that nobody takes silence for health.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from fnmatch import fnmatchcase

from shared.findings.finding import Finding, State
from shared.settings import Mute


def muted_by(finding: Finding, mutes: Iterable[Mute], now: datetime) -> Mute | None:
    """The mute that lasts longest among those that match the finding and have not ended."""
    matching = [mute for mute in mutes if mute.until > now and matches(mute, finding)]
    return max(matching, key=lambda mute: mute.until, default=None)


def matches(mute: Mute, finding: Finding) -> bool:
    """Whether every pattern that the mute gives fits the finding. Case does not count."""
    blob = f"{finding.container_name}/{finding.blob_name}" if finding.blob_name else ""
    wanted = (
        (mute.rule, (finding.rule_id, finding.rule_name)),
        (mute.registry, (finding.registry_id, finding.registry_name)),
        (mute.pipeline, (finding.pipeline_id, finding.pipeline_name)),
        (mute.blob, (blob,)),
    )
    return all(not pattern or any(_fits(pattern, name) for name in names) for pattern, names in wanted)


def _fits(pattern: str, name: str) -> bool:
    return bool(name) and fnmatchcase(name.lower(), pattern.lower())


def apply_mutes(finding: Finding, mutes: Iterable[Mute]) -> Finding:
    """The finding as it is written: muted, with the reason in its evidence, or as it was."""
    if finding.state is not State.OPEN:
        return finding
    mute = muted_by(finding, mutes, finding.time_generated)
    if mute is None:
        return finding
    evidence = {**finding.evidence, "mutedUntil": mute.until, "muteReason": mute.reason}
    return replace(finding, state=State.MUTED, evidence=evidence)
