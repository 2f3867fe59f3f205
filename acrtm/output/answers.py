"""The answer to a query: a table, or record by record where so many columns don't fit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from acrtm.severity import severity_style
from acrtm.terminal import clean, one_line
from embedded.result import QueryResult

_NARROWEST: Final = 14


def print_answer(out: Console, result: QueryResult) -> None:
    """Prints the answer."""
    if not result.rows:
        out.print(Text("No rows."))
        return
    if out.is_terminal and len(result.columns) > 1 and len(result.columns) * _NARROWEST > out.width:
        _records(out, result)
    elif out.is_terminal:
        _table(out, result)
    else:
        _lines(out, result)
    if out.is_terminal:
        out.print(Text("1 row" if len(result.rows) == 1 else f"{len(result.rows)} rows", style="dim"))


def _table(out: Console, result: QueryResult) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name, kind in result.columns:
        number = kind in {"int", "long", "real", "decimal"}
        table.add_column(Text(one_line(name)), overflow="fold", justify="right" if number else "left")
    for row in result.rows:
        table.add_row(*(_cell(name, value) for (name, _), value in zip(result.columns, row, strict=True)))
    out.print(table)


def _records(out: Console, result: QueryResult) -> None:
    for number, row in enumerate(result.rows, start=1):
        out.print(Text(f"row {number}", style="bold"))
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for (name, _), value in zip(result.columns, row, strict=True):
            if value not in ("", None):
                grid.add_row(Text(one_line(name)), _cell(name, value))
        out.print(Padding(grid, (0, 0, 0, 2)))


def _lines(out: Console, result: QueryResult) -> None:
    """Tab-separated, with the names first."""
    rows: list[Sequence[str]] = [[name for name, _ in result.columns]]
    rows += [[_words(value) for value in row] for row in result.rows]
    for row in rows:
        # Past Rich, which turns tabs into blanks.
        out.file.write("\t".join(one_line(cell) for cell in row) + "\n")


def _cell(name: str, value: Any) -> Text:
    words = _words(value)
    return Text(clean(words), style=severity_style(words) if name == "Severity" else "")


def _words(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}Z"
        case list() | dict():
            return json.dumps(value, ensure_ascii=False)
        case float():
            return f"{value:g}"
        case _:
            return str(value)
