"""The first tab: is anybody looking, what is open, what to do about it."""

from __future__ import annotations

from tools.workbook import columns
from tools.workbook.blocks import Block, chart, grid, query, text, tile
from tools.workbook.finding import finding_details
from tools.workbook.queries import query_text

_TILE_FAILED = "This number could not be read. It is not zero: check the access to the workspace."
SEVERITY_COLORS = {"Critical": "redDark", "High": "redBright", "Medium": "orange", "Low": "yellow", "Info": "gray"}


def overview() -> list[Block]:
    """The items of the tab."""
    return [
        *(_tile(name, ranged) for name, ranged in _TILES.items()),
        text("next step", _NEXT_STEP),
        _open_findings(),
        finding_details("OpenFinding"),
        _findings_over_time(),
        _causes(),
    ]


_TILES = {"tile-monitor": "", "tile-open-findings": "", "tile-failed-runs": "lookback", "tile-next-expiry": ""}
_NEXT_STEP = (
    "**What to do now:** start at the top of this list and click a row. Its evidence, its fix command and how to "
    "verify open below. What is open stays in the list whatever the time range says."
)


def _tile(name: str, ranged: str) -> Block:
    shown = tile(
        columns.plain("Title"), columns.big_number("Value"), columns.status(), columns.plain("Detail"),
    )  # fmt: skip
    kql = query_text(f"workbook/{name}", ranged=ranged)
    return query(name, kql, title="", no_data=_TILE_FAILED, shown_as=shown, width=25, size=4)


def _open_findings() -> Block:
    shown = grid(
        [
            columns.severity(), columns.linked("RuleName", "HelpUri"), columns.whole_text("Summary", "32%"),
            columns.whole_text("Recommendation", "24%"), columns.time("FirstSeen"),
            *columns.hidden(
                "SeverityRank", "Area", "Role", "Direction", "RunName", "ContainerName", "BlobName", "FixCommand",
                "VerifyCommand", "HelpUri", "LastSeen", "Evidence", "FindingKey",
            ),
        ],
        {
            "RuleId": "Rule", "RuleName": "Name", "RegistryName": "Registry", "PipelineName": "Pipeline",
            "Summary": "What happened", "Recommendation": "What to do", "FirstSeen": "Since",
            "OpenHours": "Open (hours)",
        },
        rows=1000,
    )  # fmt: skip
    return query(
        "open findings", query_text("open-findings"), title="Open findings, the worst first",
        no_data="No open finding is stored for this choice. That is good news only if the tile Minutes since the "
        "monitor reported is green: without a heartbeat nobody has looked.",
        shown_as=shown, exports={"OpenFinding": "FindingKey"},
    )  # fmt: skip


def _findings_over_time() -> Block:
    kql = query_text("workbook/findings-over-time", ranged="shown", given={"grain": "{TimeRange:grain}"})
    return query(
        "findings over time", kql, title="New findings over time, by severity",
        no_data="No finding was made in this time. See Monitor health for whether anybody looked.",
        shown_as=chart("barchart", "Time", "Findings", "Severity", SEVERITY_COLORS), width=50,
    )  # fmt: skip


def _causes() -> Block:
    kql = query_text("failed-runs-by-cause", ranged="lookback")
    shown = grid(
        [
            columns.whole_text("LastSummary", "45%"), columns.time("LastSeen"),
            *columns.hidden("Area", "Pipelines", "Confirmed", "LastRun"),
        ],
        {
            "RuleId": "Rule", "RuleName": "Cause", "FailedRuns": "Failed runs", "LastSeen": "Last",
            "LastSummary": "What happened last",
        },
        searchable=False,
    )  # fmt: skip
    return query(
        "failed runs by cause", kql, title="What made runs fail, the most frequent first",
        no_data="No failed run was diagnosed in this time.", shown_as=shown, width=50,
    )  # fmt: skip
