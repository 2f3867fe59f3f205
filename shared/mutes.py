"""Mutes: findings that somebody has chosen not to hear of until a day that they named.

A muted finding is still written, with ``State = Muted`` and the reason, so that nobody takes silence for health.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from fnmatch import fnmatchcase

from shared.findings.finding import Finding, Row, State, digest
from shared.settings import Mute
from shared.times import iso


def muted_by(finding: Finding, mutes: Iterable[Mute], now: datetime) -> Mute | None:
    """The mute that lasts longest among those that match the finding and have not ended."""
    matching = [mute for mute in mutes if mute.until > now and matches(mute, finding)]
    return max(matching, key=lambda mute: mute.until, default=None)


def row_muted_by(row: Row, mutes: Iterable[Mute], now: datetime) -> Mute | None:
    """The same for the row of a finding."""
    matching = [mute for mute in mutes if mute.until > now and _matches(mute, row)]
    return max(matching, key=lambda mute: mute.until, default=None)


def as_muted(row: Row, mute: Mute) -> Row:
    """The row of a finding that was open before somebody muted it."""
    evidence = row.get("Evidence")
    known = evidence if isinstance(evidence, Mapping) else {}
    reason = {"mutedUntil": iso(mute.until), "muteReason": mute.reason}
    return {**row, "State": str(State.MUTED), "Evidence": {**known, **reason}}


def mark_of(mute: Mute) -> str:
    """What tells this mute from others and from what it was before somebody changed it."""
    fields = (mute.rule, mute.registry, mute.pipeline, mute.blob, mute.reason)
    return digest(*fields, mute.until.isoformat())[:16]


def matches(mute: Mute, finding: Finding) -> bool:
    """Whether every pattern that the mute gives fits the finding. Case does not count."""
    names = {
        "RuleId": finding.rule_id,
        "RuleName": finding.rule_name,
        "RegistryId": finding.registry_id,
        "RegistryName": finding.registry_name,
        "PipelineId": finding.pipeline_id,
        "PipelineName": finding.pipeline_name,
        "ContainerName": finding.container_name,
        "BlobName": finding.blob_name,
    }
    return _matches(mute, names)


def _matches(mute: Mute, row: Mapping[str, object]) -> bool:
    blob = f"{row.get('ContainerName')}/{row['BlobName']}" if row.get("BlobName") else ""
    wanted = (
        (mute.rule, ("RuleId", "RuleName")),
        (mute.registry, ("RegistryId", "RegistryName")),
        (mute.pipeline, ("PipelineId", "PipelineName")),
    )
    fit = all(not pattern or any(_fits(pattern, str(row.get(n) or "")) for n in names) for pattern, names in wanted)
    return fit and (not mute.blob or _fits(mute.blob, blob))


def _fits(pattern: str, name: str) -> bool:
    # A bracket stands for itself: blobs have them in their names, and a mute is copied from there.
    return bool(name) and fnmatchcase(name.lower(), pattern.lower().replace("[", "[[]"))


def apply_mutes(finding: Finding, mutes: Iterable[Mute]) -> Finding:
    """The finding as it is written: muted, with the reason in its evidence, or as it was."""
    if finding.state is not State.OPEN:
        return finding
    mute = muted_by(finding, mutes, finding.time_generated)
    if mute is None:
        return finding
    evidence = {**finding.evidence, "mutedUntil": mute.until, "muteReason": mute.reason}
    return replace(finding, state=State.MUTED, evidence=evidence)
