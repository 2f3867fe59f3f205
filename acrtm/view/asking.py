"""What the page sends, read and checked: choices of parameters, and queries of the query tab."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from embedded.workbook import TimeRange
from shared.times import parse_time

_LONGEST_QUERY: Final = 100_000
_MOST_VALUES: Final = 1_000
_LONGEST_VALUE: Final = 4_000
_LONGEST_RANGE: Final = timedelta(days=3_650)


class BadRequest(ValueError):
    """The page has sent something that makes no sense; the message says what."""


def chosen_in(body: object) -> dict[str, Any]:
    """The choices in ``{"chosen": {name: text | [text] | {"milliseconds": n} | {"first": …, "last": …}}}``."""
    given = body.get("chosen") if isinstance(body, Mapping) else None
    if not isinstance(given, Mapping) or len(given) > _MOST_VALUES:
        raise BadRequest("'chosen' has to be an object")
    return {str(name): _value(str(name), value) for name, value in given.items()}


def _value(name: str, value: object) -> str | list[str] | TimeRange:
    if isinstance(value, str) and len(value) <= _LONGEST_VALUE:
        return value
    if isinstance(value, list) and len(value) <= _MOST_VALUES:
        texts = [one for one in value if isinstance(one, str) and len(one) <= _LONGEST_VALUE]
        if len(texts) == len(value):
            return texts
    if isinstance(value, Mapping):
        return _time_range(name, value)
    raise BadRequest(f"'{name}' has to be a text, a list of texts or a time range")


def _time_range(name: str, value: Mapping[Any, Any]) -> TimeRange:
    milliseconds = value.get("milliseconds")
    if isinstance(milliseconds, int) and not isinstance(milliseconds, bool) and milliseconds > 0:
        if milliseconds <= _LONGEST_RANGE / timedelta(milliseconds=1):
            return TimeRange(timedelta(milliseconds=milliseconds))
        raise BadRequest(f"'{name}' is too long a time")
    first, last = parse_time(value.get("first")), parse_time(value.get("last"))
    if first is None or last is None:
        raise BadRequest(f"'{name}' has to be a time range: milliseconds, or first and last in ISO 8601")
    try:
        return TimeRange.between(first, last)
    except ValueError as error:
        raise BadRequest(f"'{name}': {error}") from None


def query_in(body: object) -> str:
    """The query in ``{"kql": "…"}``."""
    kql = body.get("kql") if isinstance(body, Mapping) else None
    if not isinstance(kql, str):
        raise BadRequest("'kql' has to be a text")
    if len(kql) > _LONGEST_QUERY:
        raise BadRequest("the query is too long")
    return kql
