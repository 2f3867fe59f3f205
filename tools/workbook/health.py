"""The fifth tab: whether the monitor itself works, and what it can't see."""

from __future__ import annotations

from tools.workbook import columns
from tools.workbook.blocks import Block, chart, grid, query
from tools.workbook.finding import finding_details
from tools.workbook.queries import query_text

_NO_SWEEP = "no heartbeat seen: the monitor isn't running or not deployed. All other tabs show the past."


def health() -> list[Block]:
    """The items of the tab."""
    return [
        _health(),
        _cannot_check(),
        finding_details("MonitorFinding"),
        _sweeps("sweeps", "Sweeps", "Sweeps over time: a gap is a time in which nobody looked", "blue"),
        _sweeps("sweep seconds", "LongestSeconds", "Longest sweep (seconds)", "orange"),
        _mutes(),
    ]


def _health() -> Block:
    shown = grid(
        [
            columns.time("LastSeen"), columns.state(), columns.whole_text("Summary", "40%"),
            columns.whole_text("Recommendation", "20%"), columns.details("Evidence", "Facts"),
            *columns.hidden("IsHeartbeat"),
        ],
        {
            "RuleId": "Rule", "RuleName": "Name", "LastSeen": "Last seen", "MinutesAgo": "Minutes ago",
            "MonitorVersion": "Version", "Recommendation": "What to do",
        },
        searchable=False,
    )  # fmt: skip
    return query(
        "monitor health", query_text("monitor-health"), title="What the monitor said of itself in the last day",
        no_data=_NO_SWEEP, shown_as=shown,
    )  # fmt: skip


def _cannot_check() -> Block:
    kql = query_text("open-findings", then='| where Area == "Monitor"')
    shown = grid(
        [
            columns.severity(), columns.linked("RuleName", "HelpUri"), columns.whole_text("Summary", "35%"),
            columns.whole_text("Recommendation", "25%"), columns.time("FirstSeen"),
            *columns.hidden(
                "SeverityRank", "Area", "Role", "Confidence", "Direction", "RunName", "ContainerName", "BlobName",
                "FixCommand", "VerifyCommand", "HelpUri", "LastSeen", "Evidence", "FindingKey",
            ),
        ],
        {
            "RuleId": "Rule", "RuleName": "Name", "RegistryName": "Registry", "PipelineName": "Pipeline",
            "Summary": "What can't be checked", "Recommendation": "What to do", "FirstSeen": "Since",
            "OpenHours": "Open (hours)",
        },
    )  # fmt: skip
    return query(
        "cannot check", kql, title="What the monitor can't check. Click one for the right that is missing.",
        no_data="Nothing is reported that the monitor can't check. Without a heartbeat above this says nothing.",
        shown_as=shown, exports={"MonitorFinding": "FindingKey"},
    )  # fmt: skip


def _sweeps(name: str, column: str, title: str, color: str) -> Block:
    kql = query_text("workbook/sweeps", ranged="lookback", given={"grain": "{TimeRange:grain}"})
    shown = chart("barchart", "Time", column, "", {column: color})
    return query(name, kql, title=title, no_data=_NO_SWEEP, shown_as=shown, width=50)


def _mutes() -> Block:
    shown = grid(
        [
            columns.time("MutedUntil"), columns.severity(), columns.whole_text("Summary", "30%"),
            columns.time("LastSeen"), *columns.hidden("FindingKey"),
        ],
        {
            "MutedUntil": "Muted until", "DaysLeft": "Days left", "RuleId": "Rule", "RuleName": "Name",
            "RegistryName": "Registry", "PipelineName": "Pipeline", "ContainerName": "Container", "BlobName": "Blob",
            "LastSeen": "Last seen",
        },
    )  # fmt: skip
    return query(
        "mutes", query_text("mute-list"), title="Muted: open, but nobody is told",
        no_data="Nothing is muted.", shown_as=shown,
    )  # fmt: skip
