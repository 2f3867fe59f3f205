"""The record of a condition: what stands in it, and what a listing shows of it without its being read.

A label holds the telling, the rule, moments and digests of what the condition is about, so that a sweep over some
thousand open conditions reads only those that may be over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from shared.azure.state_listing import Entry
from shared.evidence.model import Look
from shared.findings.finding import Finding, Row, State, digest
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Outcome, Rule, Subject
from shared.times import iso, parse_time

PREFIX: Final = "conditions/"
ORPHANED_AFTER: Final = timedelta(seconds=60)


class Telling(StrEnum):
    """Whether somebody is to be told of a condition, and was."""

    PENDING = "pending"
    PUBLISHED = "published"
    LATER = "later"
    MUTED = "muted"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Told:
    """A finding whose condition is open, and whether it is to be published."""

    finding: Finding
    telling: Telling
    muted_until: datetime | None = None
    muted_by: str = ""
    tell_when_unmuted: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """An open condition as a listing shows it; ``registry``, ``pipeline`` and ``run`` as :func:`short` has them.

    ``run``, ``blob`` and ``failed_at`` are ``None`` where an earlier version wrote the label, which left them out.
    """

    entry: Entry
    telling: Telling
    rule_id: str
    opened_at: datetime | None
    muted_until: datetime | None
    muted_by: str
    registry: str
    pipeline: str
    run: str | None = None
    blob: str | None = None
    failed_at: str | None = None

    @property
    def finding_key(self) -> str:
        """The key of its findings."""
        return self.entry.key.removeprefix(PREFIX).removesuffix(".json")


def is_orphaned(opened_at: datetime | None, now: datetime) -> bool:
    """Whether nobody can be about to publish a pending alert any more."""
    return opened_at is None or now - opened_at > ORPHANED_AFTER


def condition_key(finding_key: str) -> str:
    """Where the record of a condition stands."""
    return f"{PREFIX}{finding_key}.json"


def last_failed(record: Mapping[str, Any]) -> datetime | None:
    """When the last run began that is known to have failed on the condition, or its write that left no run."""
    row = row_of(record)
    evidence = row.get("Evidence")
    written = evidence.get("writtenAt") if isinstance(evidence, Mapping) else None
    moments = (parse_time(value) for value in (row.get("RunStartTime"), record.get("lastFailed"), written))
    return max((moment for moment in moments if moment is not None), default=None)


def ends_with_a_success(finding: Finding) -> bool:
    """Whether it is a run's, and of a kind that a later success of its pipeline resolves."""
    rule = CATALOGUE.get(finding.rule_id)
    return finding.run_start_time is not None and rule is not None and fails_runs(rule)


def fails_runs(rule: Rule) -> bool:
    """Whether a run's success says that it is over; a token that ends soon, say, lets runs succeed until then."""
    return rule.subject is Subject.RUN or (rule.subject is Subject.PIPELINE and rule.causes)


def is_seen_by_a_blob(rule: Rule) -> bool:
    """Whether only a look at a blob tells whether it is over; an import by hand leaves none to look at."""
    return rule.subject is Subject.BLOB or (rule.subject is Subject.PIPELINE and rule.looks == {Look.BLOB})


def failed_later(began: datetime | None, record: Mapping[str, Any]) -> bool:
    known = last_failed(record)
    return began is not None and (known is None or began > known)


def record_of(told: Told, telling: Telling) -> dict[str, Any]:
    finding = told.finding
    return {
        "findingKey": finding.finding_key,
        "ruleId": finding.rule_id,
        "openedAt": iso(finding.time_generated),
        "alert": str(telling),
        "mutedUntil": iso(told.muted_until),
        "mutedBy": told.muted_by,
        "tellWhenUnmuted": told.tell_when_unmuted,
        "row": finding.to_row(),
    }


def row_of(record: Mapping[str, Any]) -> Row:
    """The row with which the condition opened."""
    row = record.get("row")
    return dict(row) if isinstance(row, Mapping) else {}


def resolved_row(record: Mapping[str, Any], moment: datetime, why: str) -> Row:
    """The row that says of a condition that it is gone."""
    row = row_of(record)
    evidence = row.get("Evidence")
    return {
        **row,
        "TimeGenerated": iso(moment),
        "State": str(State.RESOLVED),
        "Outcome": str(Outcome.PASS),
        "Evidence": {**(evidence if isinstance(evidence, Mapping) else {}), "resolvedBecause": why},
    }


def telling_of(record: Mapping[str, Any]) -> Telling:
    """The telling of a record; what makes no sense reads as nothing to tell."""
    try:
        return Telling(str(record.get("alert")))
    except ValueError:
        return Telling.NONE


def label(record: Mapping[str, Any]) -> str:
    """What a listing shows of a condition."""
    fields = [str(record.get(name) or "") for name in ("alert", "ruleId", "openedAt", "mutedUntil", "mutedBy")]
    row = row_of(record)
    ids = [short(str(row.get(name) or "")) for name in ("RegistryId", "PipelineId", "RunId")]
    return "|".join([*fields, *ids, short_name(str(row.get("BlobName") or "")), iso(last_failed(record)) or ""])


def short(resource_id: str) -> str:
    """What a label has room for of a resource id; empty stays empty."""
    return digest(resource_id.lower())[:12] if resource_id else ""


def short_name(name: str) -> str:
    """The same of a name in which case counts."""
    return digest(name)[:12] if name else ""


def condition_of(entry: Entry) -> Condition | None:
    """A condition as far as its label tells."""
    parts = entry.label.split("|")
    if len(parts) not in {7, 10}:
        return None
    telling = telling_of({"alert": parts[0]})
    return Condition(entry, telling, parts[1], parse_time(parts[2]), parse_time(parts[3]), *parts[4:])
