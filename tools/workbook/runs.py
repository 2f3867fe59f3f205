"""The second tab: the runs, how they ended and why."""

from __future__ import annotations

from tools.workbook import columns
from tools.workbook.blocks import Block, chart, grid, group, is_set, query
from tools.workbook.finding import finding_details
from tools.workbook.queries import query_text

_RESULT_COLORS = {"Succeeded": "green", "Failed": "redBright", "Partial": "orange", "Canceled": "gray"}
_NO_RUNS = "No run ended in this time, or none was seen. See Monitor health for whether anybody looked."


def runs() -> list[Block]:
    """The items of the tab."""
    return [_runs(), _run_findings(), finding_details("RunFinding"), _over_time(), _success_rate(), _time_to_finding()]


def _runs() -> Block:
    shown = grid(
        [
            columns.time("Ended"), columns.run_status("Status"), columns.linked("Cause", "HelpUri"),
            columns.whole_text("CauseSummary", "30%"), *columns.hidden("FixCommand", "HelpUri", "RunId"),
        ],
        {
            "RegistryName": "Registry", "PipelineName": "Pipeline", "RunName": "Run",
            "SourceTriggered": "Source trigger", "BlobName": "Blob", "TriggeredBy": "Found by", "Cause": "Root cause",
            "CauseSummary": "What happened",
        },
        rows=1000,
    )  # fmt: skip
    return query(
        "runs", query_text("runs", ranged="lookback"), title="Runs, the newest first. Click one to see what was found.",
        no_data=_NO_RUNS, shown_as=shown, exports={"Run": "RunId"},
    )  # fmt: skip


def _run_findings() -> Block:
    kql = query_text("workbook/run-findings", given={"run": '"{Run}"'}, chosen=())
    shown = grid(
        [
            columns.severity(), columns.state(), columns.linked("RuleName", "HelpUri"),
            columns.whole_text("Summary", "45%"), columns.time("LastSeen"),
            *columns.hidden("HelpUri", "Rank", "FindingKey"),
        ],
        {"RuleId": "Rule", "RuleName": "Name", "Summary": "What was found", "LastSeen": "Last seen"},
        searchable=False,
    )  # fmt: skip
    found = query(
        "run findings", kql, title="Found for the chosen run, the root cause first. Click one for its fix.",
        no_data="Nothing is stored about this run any more.", shown_as=shown, exports={"RunFinding": "FindingKey"},
    )  # fmt: skip
    return group("chosen run", [found], when=[is_set("Run")])


def _over_time() -> Block:
    kql = query_text("workbook/runs-over-time", ranged="lookback", given={"grain": "{TimeRange:grain}"})
    shown = chart("barchart", "Time", "Runs", "Result", _RESULT_COLORS)
    return query("runs over time", kql, title="Runs over time, by result", no_data=_NO_RUNS, shown_as=shown)


def _success_rate() -> Block:
    shown = grid(
        [columns.run_status("LastStatus"), columns.time("LastEnded")],
        {
            "RegistryName": "Registry", "PipelineName": "Pipeline", "SuccessPercent": "Success (%)",
            "MedianMinutes": "Median (minutes)", "LongestMinutes": "Longest (minutes)", "LastRun": "Last run",
            "LastEnded": "Last ended", "LastStatus": "Last result",
        },
    )  # fmt: skip
    return query(
        "success rate", query_text("success-rate", ranged="lookback"), title="Success and duration by pipeline",
        no_data=_NO_RUNS, shown_as=shown,
    )  # fmt: skip


def _time_to_finding() -> Block:
    shown = grid(
        [],
        {
            "FoundBy": "Found by", "FailedRuns": "Failed runs", "MedianMinutes": "Median (minutes)",
            "Percentile95Minutes": "95 % within (minutes)", "LongestMinutes": "Longest (minutes)",
            "LongestRun": "Longest run",
        },
        searchable=False,
    )  # fmt: skip
    return query(
        "time to finding", query_text("time-to-finding", ranged="lookback"), title="From a failure to its finding",
        no_data="No run failed in this time.", shown_as=shown,
    )  # fmt: skip
