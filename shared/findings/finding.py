"""One finding, and the row that it becomes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

from shared.findings.columns import columns, schema_version
from shared.redaction import redact
from shared.times import iso
from shared.version import MONITOR_VERSION

# Log Analytics cuts a field at 64 KB without a word; we cut earlier and say so.
LONGEST_TEXT: Final = 16 * 1024
CUT_MARK: Final = " … [cut]"

Row = dict[str, Any]


class State(StrEnum):
    """What a finding is to those who wait for it to go away."""

    OPEN = "Open"
    RESOLVED = "Resolved"
    MUTED = "Muted"
    INFO = "Info"


@dataclass(frozen=True)
class Finding:
    """One row before it is written. Times are aware, texts may be of any length, empty means unknown."""

    time_generated: datetime
    finding_id: str
    finding_key: str
    rule_id: str
    rule_name: str
    area: str
    severity: str
    severity_rank: int
    outcome: str
    state: State
    role: str
    confidence: str
    triggered_by: str
    summary: str
    recommendation: str = ""
    fix_command: str = ""
    verify_command: str = ""
    help_uri: str = ""
    direction: str = ""
    registry_id: str = ""
    registry_name: str = ""
    pipeline_id: str = ""
    pipeline_name: str = ""
    run_id: str = ""
    run_name: str = ""
    run_status: str = ""
    run_start_time: datetime | None = None
    run_finish_time: datetime | None = None
    source_triggered: bool | None = None
    storage_access_mode: str = ""
    storage_account: str = ""
    container_name: str = ""
    blob_name: str = ""
    blob_etag: str = ""
    blob_last_modified: datetime | None = None
    key_vault_name: str = ""
    secret_name: str = ""
    expires_on: datetime | None = None
    error_message: str = ""
    evidence: Mapping[str, object] = field(default_factory=dict)
    event_id: str = ""
    correlation_id: str = ""
    monitor_version: str = MONITOR_VERSION
    schema_version: str = field(default_factory=schema_version)

    @property
    def days_to_expiry(self) -> float | None:
        """Days until :attr:`expires_on`, negative once it has passed."""
        if self.expires_on is None:
            return None
        return round((self.expires_on - self.time_generated).total_seconds() / 86_400, 3)

    @cached_property
    def row(self) -> Row:
        """The row, in the order of the columns, with every text free of secrets and cut to length."""
        return {column.name: _cell(getattr(self, column.attribute)) for column in columns()}

    def to_row(self) -> Row:
        """A copy of the row, to change or to keep."""
        return dict(self.row)


def _cell(value: object) -> object:
    match value:
        case str():
            return shortened(redact(str(value))) if value else ""
        case datetime():
            return iso(value)
        case Mapping():
            return _dynamic(value)
        case _:
            return value


def shortened(text: str) -> str:
    """``text`` at no more than :data:`LONGEST_TEXT` bytes of UTF-8, marked where it was cut."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= LONGEST_TEXT:
        return raw.decode("utf-8") if not text.isascii() else text
    return raw[: LONGEST_TEXT - len(CUT_MARK.encode())].decode("utf-8", "ignore") + CUT_MARK


def _dynamic(evidence: Mapping[str, object]) -> Mapping[str, object]:
    plain = {str(name): plain_value(value) for name, value in evidence.items() if value is not None}
    if len(json.dumps(plain)) <= LONGEST_TEXT:
        return plain
    # The longest facts go first: they are lists of names and copies of other people's texts.
    by_length = sorted(plain, key=lambda name: len(json.dumps(plain[name])), reverse=True)
    for name in by_length:
        plain[name] = "[cut]"
        if len(json.dumps(plain)) <= LONGEST_TEXT:
            return plain
    return {"cut": True}


def plain_value(value: object) -> object:
    """``value`` as JSON has it, texts redacted."""
    match value:
        case float() if not math.isfinite(value):
            # JSON has no such number, and one of them would keep the whole body from being taken.
            return str(value)
        case None | bool() | int() | float():
            return value
        case datetime():
            return iso(value)
        case Mapping():
            return {str(name): plain_value(item) for name, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain_value(item) for item in value]
        case _:
            return redact(str(value))[:2_000]


def digest(*parts: str) -> str:
    """A short name for ``parts``: the same parts give the same 32 hexadecimal digits."""
    # A length before each part, so that no two lists of parts run together into the same text.
    joined = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(joined.encode("utf-8", "replace")).hexdigest()[:32]


def finding_key(rule_id: str, subject: str) -> str:
    """The key of a condition: the rule and what it is about. Case counts, as in the names of blobs."""
    return digest(rule_id, subject)


def finding_id(rule_id: str, subject: str, moment: str) -> str:
    """The id of an occurrence: the rule, what it is about, and the run's start, the blob's ETag or the opening."""
    return digest(rule_id, subject, moment)
