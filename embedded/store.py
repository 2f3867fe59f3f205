"""The store itself: one table of findings in a DuckDB file that several processes share.

DuckDB lets one process write or many read, never both at once. So nobody keeps the file open: every call
opens it, does its work and closes it, and waits a bounded time while another process has it.

    demo    open─append─close          open─append─close
    query                  open─read─close
    view           (waits) open─read─close

All methods are plain functions and safe from any thread: an async caller uses `asyncio.to_thread`.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from embedded.columns import Table, findings_table, stored_row
from embedded.errors import QueryError, StoreBusyError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb

    from embedded.result import QueryResult

MEMORY = ":memory:"
PATIENCE_SECONDS = 10.0

# A query reads the findings and nothing else: no files, no network, no variables of the calling program.
_CONFIGURATION = {"enable_external_access": "false", "python_enable_replacements": "false", "threads": "2"}
# How DuckDB says that another process has the file: on Linux and macOS, on Windows.
_LOCKED = ("Could not set lock", "being used by another process")
# DuckDB's time for one JSON document grows faster than the document.
_ROWS_PER_INSERT = 200

# POSIX file locks belong to the process, so they can't tell two threads apart. A lock for each file does.
_file_locks: defaultdict[Path, threading.RLock] = defaultdict(threading.RLock)
_file_locks_guard = threading.Lock()


def default_path() -> Path:
    """Where the findings are kept unless told otherwise: `ACRTM_STORE`, else below the current folder."""
    return Path(os.environ.get("ACRTM_STORE") or Path(".acrtm") / "findings.duckdb")


class EmbeddedStore:
    """Findings in DuckDB, asked in KQL. Made with `EmbeddedStore.open`."""

    def __init__(self, path: Path | None, patience: float) -> None:
        self.path = path
        self._patience = patience
        self._table = findings_table()
        self._memory: duckdb.DuckDBPyConnection | None = None
        if path is None:
            self._lock = threading.RLock()
        else:
            with _file_locks_guard:
                self._lock = _file_locks[path.resolve()]

    @classmethod
    def open(cls, path: str | Path | None = None, *, patience: float = PATIENCE_SECONDS) -> Self:
        """The store at `path` (default `default_path()`), made if it is missing, or one in `":memory:"`.

        `patience` is how many seconds a call waits while other processes hold the file.
        """
        import duckdb

        where = default_path() if path is None else path
        if str(where) == MEMORY:
            store = cls(None, patience)
            store._memory = duckdb.connect(MEMORY, config=dict(_CONFIGURATION))
            store._bring_up_to_date()
            return store
        file = Path(where).absolute()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{file.parent} can't be made: {error.strerror}") from error
        store = cls(file, patience)
        store._bring_up_to_date()
        return store

    def append(self, rows: Sequence[Mapping[str, object]]) -> int:
        """Store rows as the stream carries them (ISO times, `dynamic` as JSON values), all or none.

        Returns their number. RowError names the column that is unknown or of the wrong type.
        """
        stored = [stored_row(self._table, row) for row in rows]
        if not stored:
            return 0
        names = ", ".join(_quoted(column.name) for column in self._table.columns)
        shape = json.dumps([{column.name: column.duckdb_type for column in self._table.columns}])
        statement = (
            f"INSERT INTO {_quoted(self._table.name)} ({names}) "
            f"SELECT unnest(from_json(?::JSON, {_literal(shape)}), max_depth := 2)"
        )
        with self._connection(write=True) as connection:
            connection.begin()
            for start in range(0, len(stored), _ROWS_PER_INSERT):
                connection.execute(statement, [json.dumps(stored[start : start + _ROWS_PER_INSERT])])
            connection.commit()
        return len(stored)

    def query(
        self,
        kql: str,
        now: datetime | None = None,
        *,
        functions: Sequence[str] = (),
        between: tuple[datetime, datetime] | None = None,
    ) -> QueryResult:
        """Answer a KQL query; QueryError says what is wrong with it.

        `now` is the time that `now()` and `ago()` stand for. `functions` are stored functions that the query
        may call, each as `function Name(lookback:timespan=7d) { ... }`. `between` limits the query to rows of that
        time, as the time range beside a query does in Log Analytics.
        """
        with self.reading() as reader:
            return reader.query(kql, now, functions=functions, between=between)

    @contextmanager
    def reading(self) -> Iterator[StoreReader]:
        """Several questions to one state of the findings: whoever writes waits until the block ends."""
        with self._connection(write=False) as connection:
            yield StoreReader(connection, self._table)

    def count(self) -> int:
        """How many rows are stored."""
        with self._connection(write=False) as connection:
            row = connection.execute(f"SELECT count(*) FROM {_quoted(self._table.name)}").fetchone()  # noqa: S608
        return int(row[0]) if row else 0

    def newest(self) -> datetime | None:
        """The `TimeGenerated` of the newest row, in UTC."""
        with self.reading() as reader:
            return reader.newest()

    def close(self) -> None:
        """Let go of a store in memory. A file is closed after every call anyway."""
        with self._lock:
            if self._memory is not None:
                self._memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _bring_up_to_date(self) -> None:
        """Make the table, or add the columns that a file from an older version lacks."""
        if self.path is not None and self.path.exists():
            # Most often there is nothing to do, and then nobody who reads has to wait for us.
            with self._connection(write=False) as connection:
                if not self._missing(connection):
                    return
        with self._connection(write=True) as connection:
            table = _quoted(self._table.name)
            missing = self._missing(connection)
            if missing == self._columns_as_sql():
                connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(missing)})")
                return
            for column in missing:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {column}")

    def _columns_as_sql(self) -> list[str]:
        # A row from before the column existed reads as Log Analytics would read it: '' for a string.
        return [
            f"{_quoted(column.name)} {column.duckdb_type}" + (" DEFAULT ''" if column.type == "string" else "")
            for column in self._table.columns
        ]

    def _missing(self, connection: duckdb.DuckDBPyConnection) -> list[str]:
        there = set(_tables(connection).get(self._table.name, ()))
        described = zip(self._table.columns, self._columns_as_sql(), strict=True)
        return [sql for column, sql in described if column.name not in there]

    @contextmanager
    def _connection(self, *, write: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        import duckdb

        deadline = time.monotonic() + self._patience
        if not self._lock.acquire(timeout=self._patience):
            raise StoreBusyError(f"the findings in {self.path or MEMORY} stayed in use for {self._patience:g} s")
        try:
            if self._memory is not None:
                with self._memory.cursor() as connection:
                    connection.execute("SET TimeZone='UTC'")
                    yield connection
                return
            with self._opened(write=write, deadline=deadline) as connection:
                connection.execute("SET TimeZone='UTC'")
                yield connection
        except duckdb.Error as error:
            raise StoreError(f"the findings in {self.path or MEMORY} can't be used: {_first_line(error)}") from error
        finally:
            self._lock.release()

    def _opened(self, *, write: bool, deadline: float) -> duckdb.DuckDBPyConnection:
        import duckdb

        while True:
            try:
                return duckdb.connect(str(self.path), read_only=not write, config=dict(_CONFIGURATION))
            except duckdb.IOException as error:
                if not any(words in str(error) for words in _LOCKED):
                    raise
                # Jitter, so that two processes that wait for each other don't keep meeting.
                pause = random.uniform(0.005, 0.05)  # noqa: S311 - no secret
                if time.monotonic() + pause > deadline:
                    raise StoreBusyError(
                        f"another process kept the findings in {self.path} locked for {self._patience:g} s"
                    ) from error
                time.sleep(pause)


class StoreReader:
    """Answers questions over one open connection. Made by `EmbeddedStore.reading`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, table: Table) -> None:
        self._connection = connection
        self._table = table
        self._schema = _tables(connection)
        self._limited = False

    def query(
        self,
        kql: str,
        now: datetime | None = None,
        *,
        functions: Sequence[str] = (),
        between: tuple[datetime, datetime] | None = None,
    ) -> QueryResult:
        """See `EmbeddedStore.query`."""
        from embedded.kql import answer

        if not kql.strip():
            raise QueryError("the query is empty")
        self._limit(between)
        return answer(self._connection, kql, now=now, schema=self._schema, functions=functions)

    def interrupt(self) -> None:
        """End what is being asked, from any thread: it raises QueryError. Nothing happens if nothing is asked."""
        self._connection.interrupt()

    def newest(self) -> datetime | None:
        """See `EmbeddedStore.newest`."""
        self._limit(None)
        # Fetched to the end: an answer that is only begun keeps the connection from the next question.
        [(moment,)] = self._connection.execute(
            f'SELECT max("TimeGenerated") FROM {_quoted(self._table.name)}'  # noqa: S608
        ).fetchall()
        return moment.replace(tzinfo=UTC) if isinstance(moment, datetime) else None

    def _limit(self, between: tuple[datetime, datetime] | None) -> None:
        """Put a view in front of the table, for this connection alone, that shows rows of that time only."""
        table = _quoted(self._table.name)
        if self._limited:
            self._connection.execute(f"DROP VIEW temp.{table}")
            self._limited = False
        if between is None:
            return
        [(database,)] = self._connection.execute("SELECT current_database()").fetchall()
        moments = [_literal(moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ")) for moment in between]
        self._connection.execute(
            f"CREATE TEMP VIEW {table} AS SELECT * FROM {_quoted(database)}.main.{table} "  # noqa: S608 - our own names
            f'WHERE "TimeGenerated" BETWEEN {moments[0]}::TIMESTAMP AND {moments[1]}::TIMESTAMP'
        )
        self._limited = True


def _tables(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    tables: dict[str, list[str]] = {}
    for table, column in connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal ORDER BY table_name, column_index"
    ).fetchall():
        tables.setdefault(table, []).append(column)
    return tables


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
