"""Times as Azure writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)


def seven_digits(moment: datetime) -> str:
    """``2026-01-20T15:50:45.8114356+00:00``: the registry service writes 100 ns ticks."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}{moment.microsecond % 10}+00:00"


def zulu(moment: datetime) -> str:
    """``2026-01-20T15:50:45.8114356Z``"""
    return seven_digits(moment).replace("+00:00", "Z")


def http_date(moment: datetime) -> str:
    """``Tue, 20 Jan 2026 15:50:45 GMT``, whatever the locale."""
    utc = moment.astimezone(UTC)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[utc.weekday()]
    month = (
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    )[utc.month - 1]  # fmt: skip
    return f"{day}, {utc.day:02d} {month} {utc.year} {utc:%H:%M:%S} GMT"
