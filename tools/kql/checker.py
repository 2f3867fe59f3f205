"""Calls `check.mjs`, which holds KQL against Microsoft's parser, for many queries in one Node process.

    >>> [checked] = check_queries({"typo": "AcrTransferFindings_CL | take one"})
    >>> print(*checked.errors)
    line 1, column 31: KS142 The name 'one' does not refer to any known column, table, variable or function.

Workbook tokens such as `{TimeRange}` are no KQL: fill them first.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("check.mjs")
COLUMNS = Path(__file__).parents[2] / "shared" / "findings" / "columns.json"
# A batch of hundreds takes ten seconds, and on a machine with much else to do a multiple of that.
TIMEOUT_SECONDS = 180


class CheckerUnavailableError(Exception):
    """Node or the parser's package is missing; `make` installs the latter."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that queries may read. Column types as in a table's schema or a stream's."""

    name: str
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Function:
    """A stored function (a saved search with a function alias) that queries may call."""

    name: str
    body: str
    parameters: str = "()"
    """As KQL declares them: `(lookback:timespan=7d)`."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    code: str
    message: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {f'{self.code} {self.message}'.strip()}"


@dataclass(frozen=True, slots=True)
class CheckedQuery:
    """What the parser says of one query. `columns` are (name, type); types are Kusto's, so `bool`."""

    name: str
    errors: tuple[Diagnostic, ...]
    warnings: tuple[Diagnostic, ...]
    columns: tuple[tuple[str, str], ...] = ()


def findings_table() -> Table:
    """The table of findings, with its columns as the product has them."""
    described = json.loads(COLUMNS.read_text("utf-8"))
    return Table(described["table"], {column["name"]: column["type"] for column in described["columns"]})


def check_queries(
    queries: Mapping[str, str], *, tables: Sequence[Table] = (), functions: Sequence[Function] = ()
) -> list[CheckedQuery]:
    """Check queries (text by name) over the findings' table, further `tables` and stored `functions`.

    Mistakes inside a function's body don't show here: `check_functions` finds those.
    """
    return [_checked(answer) for answer in _run(queries, tables, functions)["queries"]]


def check_functions(functions: Sequence[Function], *, tables: Sequence[Table] = ()) -> list[CheckedQuery]:
    """Check the bodies of stored functions, which may call each other. Lines count within the body."""
    return [_checked(answer) for answer in _run({}, tables, functions)["functions"]]


def _run(queries: Mapping[str, str], tables: Sequence[Table], functions: Sequence[Function]) -> Any:
    node = shutil.which("node")
    if node is None:
        raise CheckerUnavailableError("Node 20 or later is needed to check KQL, and there is no `node`")
    request = {
        "tables": [
            {
                "name": table.name,
                "columns": [{"name": name, "type": kind} for name, kind in table.columns.items()],
            }
            for table in (findings_table(), *tables)
        ],
        "functions": [asdict(function) for function in functions],
        "queries": [{"name": name, "query": query} for name, query in queries.items()],
    }
    return json.loads(_answered(node, json.dumps(request)))


@lru_cache(maxsize=8)
def _answered(node: str, request: str) -> str:
    """The checker's answer as JSON. Kept: starting the parser takes longer than a batch, and a batch is asked again."""
    finished = subprocess.run(
        [node, str(SCRIPT)],
        input=request,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if finished.returncode != 0:
        if "Cannot find module" in finished.stderr:
            raise CheckerUnavailableError("@kusto/language-service-next is not installed: run `make .make/node`")
        raise RuntimeError(f"the KQL checker failed: {finished.stderr.strip()}")
    return finished.stdout


def _checked(answer: Mapping[str, Any]) -> CheckedQuery:
    found: dict[str, list[Diagnostic]] = {"Error": [], "Warning": []}
    for entry in answer["diagnostics"]:
        diagnostic = Diagnostic(entry["code"], entry["message"], entry["line"], entry["column"])
        # Suggestions and hints are for an editor.
        found.setdefault(entry["severity"], []).append(diagnostic)
    columns = tuple((column["name"], column["type"]) for column in answer.get("columns", ()))
    return CheckedQuery(answer["name"], tuple(found["Error"]), tuple(found["Warning"]), columns)
