"""Prints a result in az's output formats."""

from __future__ import annotations

import json
from typing import Any

from localcloud.az.errors import NotCarriedOut, UsageError


def check_query(query: str | None) -> None:
    """Refuse an expression that is no JMESPath before anything is carried out, as az does."""
    if query is None:
        return
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        jmespath.compile(query)
    except JMESPathError as error:
        raise UsageError(f"argument --query: invalid jmespath_type value: {query!r} ({error})") from None


def render(result: Any, form: str, query: str | None) -> str:
    """The text for standard output, with its last newline; empty if there is nothing to print."""
    if query is not None and result is not None:
        import jmespath

        result = jmespath.search(query, result)
    if form == "none" or (result is None and query is None):
        return ""
    if form == "tsv":
        return "".join(_tsv_row(item) + "\n" for item in (result if isinstance(result, list) else [result]))
    if form == "table":
        return _table(result)
    if form == "json":
        return json.dumps(result, indent=2, ensure_ascii=False) + "\n"
    raise NotCarriedOut(f"--output {form}")


def _tsv_row(item: Any) -> str:
    if isinstance(item, dict):
        return "\t".join(_tsv_cell(value) for value in item.values())
    if isinstance(item, list):
        return "\t".join(_tsv_cell(value) for value in item)
    if isinstance(item, bool):
        return str(item).lower()
    return "" if item is None else str(item)


def _tsv_cell(value: Any) -> str:
    if isinstance(value, dict):
        return ""
    return str(len(value)) if isinstance(value, list) else str(value)


def _table(result: Any) -> str:
    rows = [_table_row(item) for item in (result if isinstance(result, list) else [result]) if item is not None]
    if not rows:
        return ""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [columns, ["-" * len(name) for name in columns]]
    lines += [[row.get(name, "") for name in columns] for row in rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    lines[1] = ["-" * width for width in widths]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "".join(line.rstrip() + "\n" for line in padded)


def _table_row(item: Any) -> dict[str, str]:
    """Only what fits a cell: az leaves out whatever has parts of its own."""
    if not isinstance(item, dict):
        return {"Result": str(item)}
    return {
        name[:1].upper() + name[1:]: "" if value is None else str(value)
        for name, value in item.items()
        if not isinstance(value, dict | list)
    }
