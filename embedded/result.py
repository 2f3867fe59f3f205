"""The answer to a query, in Kusto's types and in plain Python values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Columns as (name, Kusto type) and the rows.

    Values: `datetime` is an aware datetime in UTC, `timespan` a timedelta, `dynamic` what its JSON holds,
    `bool`, `int`, `long`, `real` and `string` the Python type of that kind. A missing value is None, except
    that a stored string is never missing, as in Log Analytics.
    """

    columns: list[tuple[str, str]]
    rows: list[tuple[Any, ...]]

    def dicts(self) -> list[dict[str, Any]]:
        """The rows by column name."""
        names = [name for name, _ in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]


def from_duckdb(names: Sequence[str], kusto_types: Sequence[str], rows: Iterable[Sequence[Any]]) -> QueryResult:
    """A result out of what DuckDB answered."""
    readers = [_READERS.get(kind, _as_is) for kind in kusto_types]
    return QueryResult(
        columns=list(zip(names, kusto_types, strict=True)),
        rows=[tuple(read(value) for read, value in zip(readers, row, strict=True)) for row in rows],
    )


def _as_is(value: Any) -> Any:
    return value


def _utc(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def _from_json(value: Any) -> Any:
    # DuckDB hands JSON over as text, and lists and structs as Python's own.
    return json.loads(value) if isinstance(value, str) else value


_READERS = {"datetime": _utc, "dynamic": _from_json}
