"""The third tab: blobs that wait for the source trigger, which itself says nothing."""

from __future__ import annotations

from tools.workbook import columns
from tools.workbook.blocks import Block, chart, grid, group, is_set, query, text
from tools.workbook.finding import finding_details
from tools.workbook.queries import query_text

# A blob may have any name, so it is looked up by the key of a finding about it and never put into the query itself.
# A key without rows must not mean every blob, as an empty name does.
_BLOB = (
    'coalesce(toscalar(AcrTransferFindings_CL | where FindingKey == "{Blob}" | top 1 by TimeGenerated desc '
    '| project strcat(ContainerName, "/", BlobName)), "(gone)")'
)


def source_trigger() -> list[Block]:
    """The items of the tab."""
    return [
        text("source trigger", _ABOUT),
        _waiting(),
        _time_line(),
        _trigger_findings(),
        finding_details("TriggerFinding"),
        _imports(),
    ]


_ABOUT = (
    "The source trigger of an import pipeline takes up blobs by itself, and says nothing when it doesn't. The monitor "
    "looks at each blob when it lands and again when its import is overdue."
)


def _waiting() -> Block:
    shown = grid(
        [
            columns.blob_status("Status"), columns.severity(), columns.time("BlobLastModified"),
            columns.whole_text("Summary", "30%"), columns.whole_text("FixCommand", "12%"),
            *columns.hidden("LastSeen", "FindingKey"),
        ],
        {
            "RegistryName": "Registry", "PipelineName": "Pipeline", "StorageAccount": "Account",
            "ContainerName": "Container", "BlobName": "Blob", "BlobLastModified": "Landed",
            "WaitingHours": "Waits (hours)", "RuleId": "Rule", "RuleName": "Name",
            "Summary": "What keeps it", "FixCommand": "Fix",
        },
        rows=1000,
    )  # fmt: skip
    return query(
        "blobs waiting", query_text("blobs-waiting"),
        title="Blobs that wait for their import, the longest wait first. Click one for its time line.",
        no_data="No blob is known to wait. Blobs in containers that the monitor can't list are not known: see Monitor "
        "health.",
        shown_as=shown, exports={"Blob": "FindingKey"},
    )  # fmt: skip


def _time_line() -> Block:
    kql = query_text("transfer-timeline", given={"blob": _BLOB}, chosen=())
    shown = grid(
        [
            columns.time("Time"), columns.severity(), columns.state(), columns.whole_text("Summary", "35%"),
            columns.time("BlobLastModified"), *columns.hidden("StorageAccount"),
        ],
        {
            "RuleId": "Rule", "RuleName": "Name", "RegistryName": "Registry", "PipelineName": "Pipeline",
            "RunName": "Run", "TriggeredBy": "Found by", "ContainerName": "Container",
            "BlobName": "Blob", "BlobLastModified": "Landed",
        },
        searchable=False,
    )  # fmt: skip
    line = query(
        "blob time line", kql, title="Time line of the chosen blob",
        no_data="Nothing happened to this blob in the last 30 days.", shown_as=shown,
    )  # fmt: skip
    return group("chosen blob", [line], when=[is_set("Blob")])


def _trigger_findings() -> Block:
    kql = query_text("open-findings", then='| where Area in ("SourceTrigger", "Copy")')
    shown = grid(
        [
            columns.severity(), columns.linked("RuleName", "HelpUri"), columns.whole_text("Summary", "35%"),
            columns.time("FirstSeen"),
            *columns.hidden(
                "SeverityRank", "Area", "Role", "Direction", "RunName", "Recommendation", "FixCommand", "VerifyCommand",
                "HelpUri", "LastSeen", "Evidence", "FindingKey",
            ),
        ],
        {
            "RuleId": "Rule", "RuleName": "Name", "RegistryName": "Registry", "PipelineName": "Pipeline",
            "ContainerName": "Container", "BlobName": "Blob", "Summary": "What happened", "FirstSeen": "Since",
            "OpenHours": "Open (hours)",
        },
    )  # fmt: skip
    return query(
        "trigger findings", kql, title="Open findings about blobs and copies. Click one for its fix.",
        no_data="Nothing is open about blobs or copies, as far as the monitor can see.",
        shown_as=shown, exports={"TriggerFinding": "FindingKey"},
    )  # fmt: skip


def _imports() -> Block:
    kql = query_text("workbook/trigger-imports", ranged="lookback", given={"grain": "{TimeRange:grain}"})
    shown = chart(
        "barchart", "Time", "Imports", "Started", {"by the source trigger": "blue", "by hand": "gray"},
    )  # fmt: skip
    return query(
        "imports over time", kql, title="Imports over time, by what started them",
        no_data="No import ended in this time, or none was seen.", shown_as=shown,
    )  # fmt: skip
