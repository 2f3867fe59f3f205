"""The findings on this machine: one DuckDB file, asked in KQL like the Log Analytics table."""

from embedded.errors import EmbeddedError, QueryError, RowError, StoreBusyError, StoreError
from embedded.result import QueryResult
from embedded.store import EmbeddedStore, default_path

__all__ = [
    "EmbeddedError",
    "EmbeddedStore",
    "QueryError",
    "QueryResult",
    "RowError",
    "StoreBusyError",
    "StoreError",
    "default_path",
]
