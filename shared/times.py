"""Times as Azure's services write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

# RFC 3339 with any number of fractional digits (ARM writes seven), seconds and even the time optional
# (SAS tokens), an offset or Z. Bounded, so that no text makes it slow.
_RFC3339: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2})(:\d{2})?(?:\.(\d{1,12}))?\s?([Zz]|[+-]\d{2}:?\d{2})?)?"
)


def _in_utc(moment: datetime) -> datetime:
    # At both ends of the calendar an offset leads out of it, which raises OverflowError.
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def parse_time(text: object) -> datetime | None:
    """The time in ``text`` as an aware UTC datetime, or ``None`` if it is none.

    A time without an offset is UTC, which is how every Azure service means it.
    """
    if isinstance(text, datetime):
        try:
            return _in_utc(text)
        except OverflowError:
            return None
    if not isinstance(text, str):
        return None
    match = _RFC3339.fullmatch(text.strip())
    if match is None:
        return None
    day, minute, second, fraction, offset = match.groups()
    zone = "+00:00" if not offset or offset in "Zz" else offset
    iso = f"{day}T{minute or '00:00'}{second or ':00'}.{(fraction or '0')[:6].ljust(6, '0')}{zone}"
    try:
        return datetime.fromisoformat(iso).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def parse_http_date(text: str) -> datetime | None:
    """The time in an HTTP date such as ``Thu, 13 Jun 2019 16:18:07 GMT``, or ``None``."""
    try:
        return _in_utc(parsedate_to_datetime(text.strip()))
    except (ValueError, TypeError, OverflowError):
        return None


def parse_epoch(value: object) -> datetime | None:
    """The time in seconds since 1970, as Key Vault writes its dates, or ``None``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def is_since_write(moment: datetime | None, last_modified: datetime | None) -> bool:
    """Whether what happened at ``moment`` may have met what was written at ``last_modified``.

    Storage gives Last-Modified in whole seconds, so both are compared in those: the same second counts. What is not
    known counts too, as it is no reason to think of an earlier form of the blob.
    """
    if moment is None or last_modified is None:
        return True
    return moment.replace(microsecond=0) >= last_modified.replace(microsecond=0)


def iso(moment: datetime | None) -> str | None:
    """``2026-11-23T10:00:00.123456Z``, the one way in which the monitor writes a time."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
