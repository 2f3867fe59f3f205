"""Values as the page gets them: JSON that says what it is, never markup."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any, Final

from acrtm.terminal import clean
from shared.times import iso

# Log Analytics shows long texts cut as well; the whole value stays in the store.
_LONGEST_TEXT: Final = 20_000


def cell(value: Any) -> Any:
    """A value of a result: times in ISO 8601, spans in seconds, numbers that JSON lacks as null."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case datetime():
            return iso(value)
        case timedelta():
            return value.total_seconds()
        case list():
            return [cell(entry) for entry in value]
        case dict():
            return {clean(str(name)): cell(entry) for name, entry in value.items()}
        case _:
            return _text(str(value))


def _text(text: str) -> str:
    text = clean(text)
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
