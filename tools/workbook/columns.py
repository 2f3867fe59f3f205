"""How columns of grids and parts of tiles are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

Block = dict[str, Any]

_TEXT, _HIDDEN, _TIME, _LINK, _BIG, _THRESHOLDS = 1, 5, 6, 7, 12, 18

# The icon comes first and the word stays: colour alone tells not everybody something.
_SEVERITY: Final = {"Critical": "Sev0", "High": "Sev1", "Medium": "Sev2", "Low": "Sev3", "Info": "Sev4"}
_STATUS: Final = {"fine": "success", "look": "warning", "act now": "error"}
_RUN: Final = {"succeeded": "success", "failed": "failed", "partial": "warning", "canceled": "cancelled"}
_BLOB: Final = {"Expected": "pending", "Blocked": "failed", "Overdue": "error", "Muted": "disabled"}
_STATE: Final = {"Open": "error", "Resolved": "success", "Muted": "disabled", "Info": "info"}


def severity(column: str = "Severity") -> Block:
    return _icons(column, _SEVERITY, "unknown")


def status(column: str = "Status") -> Block:
    """Of a tile: fine, look, act now. Whatever else it says is not known."""
    return _icons(column, _STATUS, "unknown")


def run_status(column: str) -> Block:
    return _icons(column, _RUN, "unknown")


def blob_status(column: str) -> Block:
    return _icons(column, _BLOB, "unknown")


def state(column: str = "State") -> Block:
    return _icons(column, _STATE, "unknown")


def days_left(column: str, warn: int) -> Block:
    """Fewer than 3 days: act; fewer than `warn`: look."""
    grid = [("<", "3", "error"), ("<", str(warn), "warning"), ("Default", None, "info")]
    return _thresholds(column, grid)


def hidden(*columns: str) -> Sequence[Block]:
    """For ids that a click needs and nobody reads."""
    return [{"columnMatch": column, "formatter": _HIDDEN} for column in columns]


def whole_text(column: str, width: str) -> Block:
    """A long text: cut in the grid, whole in a pane after a click."""
    options = {"linkTarget": "CellDetails", "linkIsContextBlade": True, "customColumnWidthSetting": width}
    return {"columnMatch": column, "formatter": _TEXT, "formatOptions": options}


def details(column: str, label: str) -> Block:
    options = {"linkTarget": "CellDetails", "linkLabel": label, "linkIsContextBlade": True}
    return {"columnMatch": column, "formatter": _LINK, "formatOptions": options}


def linked(column: str, address: str) -> Block:
    """A text that opens the address in the column `address`."""
    options = {"linkColumn": address, "linkTarget": "Url"}
    return {"columnMatch": column, "formatter": _TEXT, "formatOptions": options}


def time(column: str) -> Block:
    return {"columnMatch": column, "formatter": _TIME}


def plain(column: str) -> Block:
    return {"columnMatch": column, "formatter": _TEXT}


def big_number(column: str) -> Block:
    numbers = {
        "unit": 0,
        "options": {"style": "decimal", "maximumFractionDigits": 1},
        "emptyValCustomText": "-",
    }
    return {"columnMatch": column, "formatter": _BIG, "numberFormat": numbers}


def _icons(column: str, icons: Mapping[str, str], other: str) -> Block:
    return _thresholds(column, [*(("==", value, icon) for value, icon in icons.items()), ("Default", None, other)])


def _thresholds(column: str, grid: Sequence[tuple[str, str | None, str]]) -> Block:
    lines = [
        {"operator": operator, "thresholdValue": value, "representation": icon, "text": "{0}{1}"}
        for operator, value, icon in grid
    ]
    options = {"thresholdsOptions": "icons", "thresholdsGrid": lines}
    return {"columnMatch": column, "formatter": _THRESHOLDS, "formatOptions": options}
