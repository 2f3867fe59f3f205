"""Queries held against Microsoft's KQL parser: names, types and the columns that they return."""

from tools.kql.checker import (
    CheckedQuery,
    CheckerUnavailableError,
    Diagnostic,
    Function,
    Table,
    check_functions,
    check_queries,
    findings_table,
)

__all__ = [
    "CheckedQuery",
    "CheckerUnavailableError",
    "Diagnostic",
    "Function",
    "Table",
    "check_functions",
    "check_queries",
    "findings_table",
]
