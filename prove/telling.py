"""Whether the alerts of a world are those that its rows ask for: each condition once, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from prove.stage import Row

_MEDIUM: Final = 2
_OPENED: Final = "AcrTransfer.Finding.Opened"
_RESOLVED: Final = "AcrTransfer.Finding.Resolved"
Alert = dict[str, Any]


def to_be_told(row: Row) -> bool:
    """Whether the contract asks for an alert of what a row says; of a run that is its root cause alone."""
    if row["State"] != "Open" or row["Outcome"] not in {"Fail", "Warn"} or row["SeverityRank"] < _MEDIUM:
        return False
    if row["Confidence"] == "Possible":
        return False
    return bool(row["Role"] == "RootCause" if row["RunName"] else row["Role"] != "Contributing")


def untold(rows: Sequence[Row], published: Sequence[Alert]) -> list[str]:
    """The keys of conditions that are open, are to be told, and were not."""
    told = {alert["data"]["FindingKey"] for alert in published if alert["type"] == _OPENED}
    ended = _ended(rows)
    return sorted({row["FindingKey"] for row in rows if to_be_told(row)} - told - ended)


def alert_holes(rows: Sequence[Row], published: Sequence[Alert]) -> list[str]:
    """A sentence for each alert that is missing, is there twice, or has no reason."""
    names = {row["FindingKey"]: row["RuleId"] for row in rows}
    holes = [f"nobody was told of {names[key]}" for key in untold(rows, published)]
    asked, ended = {row["FindingKey"] for row in rows if to_be_told(row)}, _ended(rows)
    ids: dict[tuple[str, str], set[str]] = {}
    for alert in published:
        ids.setdefault((alert["type"], alert["data"]["FindingKey"]), set()).add(alert["id"])
    for (kind, key), distinct in ids.items():
        rule = names.get(key, "what no row says")
        if len(distinct) > 1:
            holes.append(f"{len(distinct)} alerts of one condition of {rule}")
        if kind == _OPENED and key not in asked:
            holes.append(f"an alert of {rule} without a reason")
        if kind == _RESOLVED and key not in ended:
            holes.append(f"{rule} is told to be over and is not")
    return holes


def _ended(rows: Sequence[Row]) -> set[str]:
    last = {row["FindingKey"]: row["State"] for row in rows}
    return {key for key, state in last.items() if state == "Resolved"}
