"""The columns, as the one file lists them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_FILE: Final = Path(__file__).with_name("columns.json")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: ``type`` is a stream type (string, int, real, boolean, dynamic, datetime)."""

    name: str
    type: str
    description: str
    attribute: str
    """The field of :class:`shared.findings.finding.Finding` that fills it: ``BlobETag`` is ``blob_etag``."""


@cache
def columns() -> tuple[Column, ...]:
    """All columns in their order."""
    listed = json.loads(_FILE.read_text("utf-8"))["columns"]
    return tuple(Column(**column, attribute=_attribute(column["name"])) for column in listed)


def _attribute(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


@cache
def schema_version() -> str:
    """The version of the list."""
    return str(json.loads(_FILE.read_text("utf-8"))["schemaVersion"])
