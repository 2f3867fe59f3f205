"""What can go wrong with the embedded store.

EmbeddedError
├── StoreError           the file can't be used (no rights, no DuckDB file, disk full): say so and stop
│   └── StoreBusyError   other processes held the file for longer than the store's patience: try again
├── RowError             a row doesn't fit the table: a mistake in the program that made the row
└── QueryError           the KQL can't be answered: show the message to whoever wrote the query
"""

from __future__ import annotations


class EmbeddedError(Exception):
    """Anything that the embedded store raises."""


class StoreError(EmbeddedError):
    """The store's file can't be used."""


class StoreBusyError(StoreError):
    """The store's file stayed locked by other processes."""


class RowError(EmbeddedError, ValueError):
    """A row has a column that the table lacks, or a value of the wrong type."""


class QueryError(EmbeddedError):
    """A KQL query that can't be answered. `line` and `column` count from 1 and may be unknown."""

    def __init__(self, problem: str, *, line: int | None = None, column: int | None = None) -> None:
        self.problem = problem
        self.line = line
        self.column = column
        where = "" if line is None else f"line {line}: " if column is None else f"line {line}, column {column}: "
        super().__init__(where + problem)
