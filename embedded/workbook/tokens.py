"""Tokens such as {Registry} and {TimeRange:grain} in KQL and in text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from embedded.workbook.values import Value

_TOKEN = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?::([A-Za-z0-9_.$]*))?\}")


class TokenError(ValueError):
    """A token asks for a form that its parameter's value doesn't have."""


def fill(text: str, values: Mapping[str, Value], *, now: datetime, kql: bool = True) -> str:
    """`text` with the values in the places of their tokens. A name that no parameter has stays as it stands.

    `now` is the end of a relative time range; `kql` says whether the text is a query or is to be read by people.
    """

    def value_of(match: re.Match[str]) -> str:
        name, option = match[1], match[2] or ""
        if name not in values:
            return match[0]
        filled = values[name].format(option, kql=kql, now=now)
        if filled is None:
            raise TokenError(f"{match[0]}: the parameter {name} has no form {option!r}")
        return filled

    # One pass: what a value holds is never looked at for tokens again.
    return _TOKEN.sub(value_of, text)


def tokens(text: str) -> set[str]:
    """The names that stand in tokens of `text`."""
    return {match[1] for match in _TOKEN.finditer(text)}
