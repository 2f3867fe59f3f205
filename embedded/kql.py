"""KQL to DuckDB through duckdb-kql, with one clear error for whatever can't be answered.

duckdb-kql refuses what it can't translate. What is left to this module is where it would answer differently
from Log Analytics without a word: a name in the wrong case (DuckDB folds case, Kusto doesn't).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from embedded.errors import QueryError
from embedded.result import QueryResult, from_duckdb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

_LITERAL = re.compile(r"'(?:[^']|'')*'")
_IDENTIFIER = re.compile(r'"((?:[^"]|"")+)"')
_DEFINITION = re.compile(r'(?P<before>"[^"]*")? AS "(?P<name>(?:[^"]|"")+)"')
_COMMAND = re.compile(r"(?:\s|//[^\n]*\n)*\.")

# DuckDB says of a column that is not there what it took the name for instead: each clause has words of its own.
_NO_COLUMN = (
    re.compile(r'Binder Error: Referenced column "([^"]+)" not found'),
    re.compile(r'Binder Error: Column "([^"]+)" referenced that exists in the SELECT clause'),
    re.compile(r'Binder Error: Alias with name ""([^"]+)"" exists, but aliases cannot be used'),
    re.compile(r'Binder Error: Column "([^"]+)" in EXCLUDE list not found'),
    re.compile(r'Binder Error: (?:Table|Values list) "[^"]*" does not have a column named "([^"]+)"'),
)

# A moment that no query means: it stands in a translation for the one that the query is asked as of.
_SOME_TIME = datetime(1677, 9, 21, 0, 12, 44, 123457)  # noqa: DTZ001 - in UTC, as DuckDB's TIMESTAMP

_OPERATORS = {
    "MakeSeriesOperator": "make-series",
    "MvApplyOperator": "mv-apply",
    "ProjectReorderOperator": "project-reorder",
    "ProjectKeepOperator": "project-keep",
    "SerializeOperator": "serialize",
    "SearchOperator": "search",
    "EvaluateOperator": "evaluate",
}


def answer(
    connection: duckdb.DuckDBPyConnection,
    kql: str,
    *,
    now: datetime | None,
    schema: Mapping[str, Sequence[str]],
    functions: Sequence[str],
) -> QueryResult:
    """Answer `kql` on `connection`, whose tables are `schema`. Everything that fails is a QueryError."""
    import duckdb
    import duckdb_kql
    from duckdb_kql.types import kusto_type

    text = _Text(kql)
    if _COMMAND.match(kql):
        raise QueryError("management commands (a leading dot) are no queries; Log Analytics has none either")
    try:
        tables = tuple((name, tuple(columns)) for name, columns in sorted(schema.items()))
        sql, bound = _translated(kql, tables, tuple(functions))
        _check_case(sql, schema, text)
        moment = (_aware(now) or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None)
        parameters = {name: moment if value == _SOME_TIME else value for name, value in bound.items()}
        # Not `connection.sql`, which binds twice, to know the columns and to run: a third of the time.
        answered = connection.execute(sql, parameters)
        columns = answered.description or []
        types = [kusto_type(column[1]) for column in columns]
        return from_duckdb([column[0] for column in columns], types, answered.fetchall())
    except duckdb_kql.KqlError as error:
        raise _from_translation(error, text) from error
    except duckdb.Error as error:
        raise _from_execution(error, schema, text) from error
    except RecursionError as error:
        raise QueryError("the query is nested too deeply") from error


@lru_cache(maxsize=1024)
def _translated(
    kql: str, tables: tuple[tuple[str, tuple[str, ...]], ...], functions: tuple[str, ...]
) -> tuple[str, dict[str, Any]]:
    """The SQL and its parameters, with the moment of the query as :data:`_SOME_TIME`.

    Kept, since parsing takes longer than answering: a page asks the same questions again and again, each time as of
    another moment, and the moment is no part of the SQL.
    """
    import duckdb_kql

    sql = duckdb_kql.to_sql(
        kql,
        schema={name: list(columns) for name, columns in tables},
        allow_write=False,
        query_now=_SOME_TIME,
        functions=list(functions),
    )
    return str(sql), dict(sql.parameters)


@dataclass(frozen=True, slots=True)
class _Text:
    """The query's text, to find where a name stands when the tool at fault doesn't say."""

    kql: str

    def line_of(self, word: str) -> int | None:
        match = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", self.kql)
        return None if match is None else self.kql.count("\n", 0, match.start()) + 1


def _aware(now: datetime | None) -> datetime | None:
    return now.replace(tzinfo=UTC) if now is not None and now.tzinfo is None else now


def _check_case(sql: str, schema: Mapping[str, Sequence[str]], text: _Text) -> None:
    """Refuse a name that DuckDB would resolve only because it folds case.

    duckdb-kql quotes every name, so the SQL shows all of them: one is known as a table's column, or because
    the query itself makes it (`<expression> AS "name"`). `"n" AS "n"` is a read that keeps its name.
    """
    bare = _LITERAL.sub("''", sql)
    known = {name for table, columns in schema.items() for name in (table, *columns)}
    for match in _DEFINITION.finditer(bare):
        if match["before"] != f'"{match["name"]}"':
            known.add(match["name"])
    spellings = {name.casefold(): name for name in known}
    for name in dict.fromkeys(_IDENTIFIER.findall(bare)):
        meant = spellings.get(name.casefold())
        if meant is not None and name not in known:
            raise QueryError(
                f"there is no {name!r}, but {meant!r}: names are case-sensitive in KQL",
                line=text.line_of(name),
            )


def _from_translation(error: Exception, text: _Text) -> QueryError:
    import duckdb_kql

    if isinstance(error, duckdb_kql.KqlSyntaxError) and error.diagnostics:
        first = error.diagnostics[0]
        return QueryError(
            f"syntax error: {_shortened(first.message)}", line=first.span.line, column=first.span.column + 1
        )
    if isinstance(error, duckdb_kql.KqlUnsupportedError):
        kind, _, name = error.construct.rpartition(":")
        name = _OPERATORS.get(name, name)
        problem = f"{kind} {name!r}".strip() + " is not supported by the embedded store"
        if error.hint and "in this wave" not in error.hint:
            problem += f" ({_shortened(error.hint)})"
        if name in _OPERATORS.values():
            problem += "; Log Analytics has it"
        if error.span is not None:
            return QueryError(problem, line=error.span.line, column=error.span.column + 1)
        return QueryError(problem, line=text.line_of(name))
    if isinstance(error, duckdb_kql.KqlSchemaError):
        hint = f": {_shortened(error.hint)}" if error.hint else ""
        return QueryError(f"{error.name!r} doesn't fit the table's columns{hint}", line=text.line_of(error.name))
    return QueryError(_shortened(str(error)))


def _from_execution(error: Exception, schema: Mapping[str, Sequence[str]], text: _Text) -> QueryError:
    message = str(error)
    column = next(filter(None, (pattern.match(message) for pattern in _NO_COLUMN)), None)
    if column is not None:
        return QueryError(f"there is no column {column[1]!r} here", line=text.line_of(column[1]))
    table = re.search(r"Table with name (\S+) does not exist", message)
    if table is not None:
        return QueryError(
            f"there is no table {table[1]!r}: the embedded store holds {', '.join(schema)} only; "
            "a Log Analytics workspace may have more",
            line=text.line_of(table[1]),
        )
    operands = re.search(r"No function matches the given name and argument types '([^']+)'", message)
    if operands is not None:
        return QueryError(f"the types don't fit: {operands[1]}")
    return QueryError(_shortened(message.partition("\n")[0]))


def _shortened(message: str) -> str:
    # ANTLR lists every token that it would have taken, dozens of them; nobody reads that.
    message = re.sub(r"\s*expecting \{.*", "", message, flags=re.DOTALL)
    return message if len(message) <= 300 else message[:299] + "…"
