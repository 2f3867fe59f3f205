"""The queries that are deployed: ``infra/queries`` and, for alert rules, ``infra/queries/alerts``.

A file begins with comment lines that say what it is for, then declares what may be set (``let lookback = 30d;``),
and reads its table on a line of its own, so that a workbook can put a filter behind it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.kql.checker import Table

FOLDER: Final = Path(__file__).parents[2] / "infra" / "queries"
ALERTS: Final = FOLDER / "alerts"
FINDINGS: Final = "AcrTransferFindings_CL"
# What the deployment puts in the place of each.
PLACEHOLDERS: Final = {"__APP_INSIGHTS_ID__": "/component", "__DCR_ID__": "/rule"}
# The columns that alert rules use of tables that are Azure's own. Source: Azure Monitor's table reference.
APP_REQUESTS: Final = Table(
    "AppRequests",
    {
        "TimeGenerated": "datetime", "OperationName": "string", "OperationId": "string", "Success": "bool",
        "ResultCode": "string", "DurationMs": "real", "_ResourceId": "string",
    },
)  # fmt: skip
DCR_LOG_ERRORS: Final = Table(
    "DCRLogErrors",
    {
        "TimeGenerated": "datetime", "OperationName": "string", "InputStreamId": "string", "Message": "string",
        "_ResourceId": "string",
    },
)  # fmt: skip
AZURES_TABLES: Final = (APP_REQUESTS, DCR_LOG_ERRORS)

_DECLARATION: Final = re.compile(r"^let (\w+) = (.+);$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ShippedQuery:
    """One file. ``text`` has its placeholders filled."""

    name: str
    text: str

    @property
    def purpose(self) -> str:
        """The first sentence or sentences: its first comment line."""
        return self.text.partition("\n")[0].removeprefix("// ")

    @property
    def declarations(self) -> Mapping[str, str]:
        """What may be set, with its default."""
        return dict(_DECLARATION.findall(self.text))

    @property
    def table(self) -> str:
        """The table that it reads."""
        return next(line for line in self.text.splitlines() if re.fullmatch(r"\w+", line))


def shipped(folder: Path = FOLDER) -> dict[str, ShippedQuery]:
    """The queries of a folder by name."""
    return {path.stem: ShippedQuery(path.stem, _filled(path)) for path in sorted(folder.glob("*.kql"))}


def _filled(path: Path) -> str:
    text = path.read_text("utf-8")
    for placeholder, value in PLACEHOLDERS.items():
        text = text.replace(placeholder, value)
    return text
