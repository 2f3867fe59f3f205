"""The table of findings: its columns, read from the one list, and the values that fit them.

The Logs Ingestion fake and the store share these checks, so a row that the fake takes is a row that the
store can keep.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from embedded.errors import RowError
from shared.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DUCKDB_TYPES = {
    "boolean": "BOOLEAN",
    "datetime": "TIMESTAMP",  # without a zone, in UTC: what duckdb-kql's datetime functions work on
    "dynamic": "JSON",
    "int": "INTEGER",
    "long": "BIGINT",
    "real": "DOUBLE",
    "string": "VARCHAR",
}


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str

    @property
    def duckdb_type(self) -> str:
        return DUCKDB_TYPES[self.type]


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    stream: str
    columns: tuple[Column, ...]


@cache
def findings_table() -> Table:
    """The findings' table as `shared/findings/columns.json` describes it."""
    described = json.loads((files("shared") / "findings" / "columns.json").read_text("utf-8"))
    columns = tuple(Column(column["name"], column["type"]) for column in described["columns"])
    return Table(described["table"], described["stream"], columns)


def stored_value(column: Column, value: object) -> Any:
    """`value`, as a stream carries it, in the form that the store keeps; RowError if it doesn't fit."""
    if value is None:
        # Log Analytics knows no null string: a missing one reads as '' there, and has to here.
        return "" if column.type == "string" else None
    try:
        return _CONVERTERS[column.type](value)
    except ValueError as error:
        raise RowError(f"{column.name}: {error}") from error


def stored_row(table: Table, row: Mapping[str, object]) -> dict[str, Any]:
    """A whole row in stored form. A column that the table lacks is an error, not a silent loss."""
    unknown = row.keys() - {column.name for column in table.columns}
    if unknown:
        raise RowError(f"{table.name} has no column {', '.join(sorted(map(repr, unknown)))}")
    return {column.name: stored_value(column, row.get(column.name)) for column in table.columns}


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _mismatch("a boolean", value)


def _datetime(value: object) -> str:
    moment = parse_time(value) if isinstance(value, str) else None
    if moment is None:
        raise _mismatch("an ISO 8601 time", value)
    return moment.replace(tzinfo=None).isoformat(" ")


def _integer(bits: int) -> Callable[[object], int]:
    limit = 1 << (bits - 1)

    def convert(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and -limit <= value < limit:
            return value
        raise _mismatch(f"a whole number of {bits} bits", value)

    return convert


def _real(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            raise _mismatch("a number", value) from None
        if math.isfinite(number):
            return number
    raise _mismatch("a number", value)


def _string(value: object) -> str:
    if isinstance(value, str):
        # A lone surrogate is valid in JSON's escapes and in no database: kept readable instead of lost.
        return value.encode("utf-8", "replace").decode("utf-8")
    raise _mismatch("a string", value)


def _dynamic(value: object) -> object:
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        return json.loads(text.encode("utf-8", "replace"))
    except (TypeError, ValueError, RecursionError):
        raise _mismatch("a JSON value", value) from None


def _mismatch(wanted: str, value: object) -> ValueError:
    # The value itself stays out of the message: nobody has looked at it for secrets yet.
    return ValueError(f"{wanted} is wanted, not a value of type {type(value).__name__}")


_CONVERTERS: dict[str, Callable[[object], object]] = {
    "boolean": _boolean,
    "datetime": _datetime,
    "dynamic": _dynamic,
    "int": _integer(32),
    "long": _integer(64),
    "real": _real,
    "string": _string,
}
