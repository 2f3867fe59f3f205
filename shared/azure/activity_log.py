"""The activity log: what ARM answered to a write that left nothing behind.

Only what the answer says is read. The log also holds the caller, the caller's claims and address; those are not
asked for. An entry follows its write by some minutes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.azure.arm import ArmReader
from shared.records.json_fields import Json, mapping, text
from shared.redaction import redact
from shared.times import iso

LOG_VERSIONS: Final = ("2015-04-01",)
READ_RIGHT: Final = "Microsoft.Insights/eventtypes/values/read"
_SELECT: Final = "correlationId,eventTimestamp,operationName,properties,resourceId,status,subStatus"
# Clocks differ a little, and an event is younger than the write that it tells of.
_BEFORE: Final = timedelta(hours=1)
_CORRELATION_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
_MOST_PAGES: Final = 5
_DEEPEST: Final = 8
_MOST_TEXTS: Final = 20
_LONGEST: Final = 8_000
# Codes that only say that something inside has failed.
_WRAPPERS: Final = frozenset(
    {"", "deploymentfailed", "invalidtemplatedeployment", "resourcedeploymentfailure", "multipleerrorsoccurred"}
)
# ARM names a person by its sign-in name; the object id behind it is enough to find whom to help.
_CLIENT: Final = re.compile(r"(\bclient\s{1,3}')([^'\n]{1,300})(')", re.IGNORECASE)
_GUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LoggedFailure:
    """Why a write failed. ``own`` says that the entry is about the resource itself, not about its deployment."""

    code: str
    text: str
    own: bool


def can_be_looked_up(correlation_id: str) -> bool:
    """Whether the id may be put into a filter."""
    return _CORRELATION_ID.fullmatch(correlation_id) is not None


class ActivityLogReader:
    """Asks the log of a subscription. It takes a right on the subscription itself, and is empty without it."""

    def __init__(self, arm: ArmReader) -> None:
        self._arm = arm

    async def failure(
        self, subscription: str, correlation_id: str, resource_id: str, since: datetime
    ) -> LoggedFailure | None:
        """Why the write of ``resource_id`` failed; ``None`` while the log does not say.

        Raises a :class:`~shared.errors.ServiceError`.
        """
        begin, end = iso(since - _BEFORE), iso(datetime.now(UTC) + _BEFORE)
        path = f"/subscriptions/{subscription}/providers/Microsoft.Insights/eventtypes/management/values"
        wanted = f"eventTimestamp ge '{begin}' and eventTimestamp le '{end}' and correlationId eq '{correlation_id}'"
        found: LoggedFailure | None = None
        seen = 0
        async for page in self._arm.pages(path, LOG_VERSIONS, **{"$filter": wanted, "$select": _SELECT}):
            for entry in page:
                failure = _failure(entry, resource_id)
                if failure is not None and (found is None or (failure.own and not found.own)):
                    found = failure
            seen += 1
            if (found is not None and found.own) or seen >= _MOST_PAGES:
                break
        return found


def _failure(entry: Json, resource_id: str) -> LoggedFailure | None:
    if text(entry, "status", "value").lower() != "failed":
        return None
    said = read_status_message(mapping(entry, "properties").get("statusMessage"))
    if said is None:
        return None
    return LoggedFailure(*said, own=text(entry, "resourceId").lower().rstrip("/") == resource_id.lower())


def read_status_message(raw: object) -> tuple[str, str] | None:
    """Code and text of a ``statusMessage``; ``None`` if it says nothing.

    It is JSON in a text, errors hold errors in ``details``, and a message may be JSON in a text again. The code is
    the first that says more than that something inside has failed; the text has one line for each error.
    """
    said = list(dict.fromkeys(_errors(raw, 0)))[:_MOST_TEXTS]
    if not said:
        return None
    code = next((code for code, _ in said if code.lower() not in _WRAPPERS), said[0][0])
    lines = [": ".join(part for part in pair if part) for pair in said]
    return code[:200], _without_names(redact("\n".join(lines)))[:_LONGEST]


def _errors(value: object, depth: int) -> Iterator[tuple[str, str]]:
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        inside = _json(value)
        if inside is not None:
            yield from _errors(inside, depth + 1)
        elif value.strip():
            yield ("", " ".join(value.split()))
    elif isinstance(value, list):
        for item in value[:_MOST_TEXTS]:
            yield from _errors(item, depth + 1)
    elif isinstance(value, dict):
        yield from _error(value, depth)


def _error(value: Json, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value.get("error"), dict | str):
        yield from _errors(value["error"], depth + 1)
        return
    code, message = text(value, "code") or text(value, "Code"), text(value, "message") or text(value, "Message")
    nested = _json(message)
    if code or (message and nested is None):
        yield (code, "" if nested is not None else " ".join(message.split()))
    if nested is not None:
        yield from _errors(nested, depth + 1)
    if "details" in value:
        yield from _errors(value["details"], depth + 1)


def _json(value: str) -> object | None:
    if not value.lstrip().startswith(("{", "[")):
        return None
    try:
        inside: object = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return inside


def _without_names(value: str) -> str:
    return _CLIENT.sub(lambda m: m.group() if _GUID.fullmatch(m.group(2)) else f"{m.group(1)}…{m.group(3)}", value)
