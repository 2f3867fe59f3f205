"""The whole workbook: the strip of parameters, the warnings, the tabs."""

from __future__ import annotations

import json
from typing import Final

from tools.workbook.blocks import (
    Block,
    dropdown,
    equals,
    group,
    hidden_parameter,
    parameter_strip,
    tabs,
    text,
    time_parameter,
    workspace_parameter,
)
from tools.workbook.credentials import credentials
from tools.workbook.health import health
from tools.workbook.overview import overview
from tools.workbook.queries import query_text
from tools.workbook.runs import runs
from tools.workbook.source_trigger import source_trigger

WORKBOOK: Final = "infra/workbooks/acr-transfer.workbook.json"
_WORKSPACE: Final = "__WORKSPACE_ID__"
_SCHEMA: Final = "https://github.com/Microsoft/Application-Insights-Workbooks/blob/master/schema/workbook.json"

_TABS: Final = {
    "overview": ("Overview", overview),
    "runs": ("Runs", runs),
    "trigger": ("Source trigger", source_trigger),
    "credentials": ("Credentials", credentials),
    "health": ("Monitor health", health),
}
_NEVER: Final = (
    "**No heartbeat seen: the monitor isn't running or not deployed.** Nothing on this page says that all is well. "
    "`acrtm doctor` names what is missing; a first deployment takes up to 15 minutes until its first rows are here."
)
_SILENT: Final = (
    "**The monitor is silent: its last heartbeat is over an hour old.** What is shown is the past; what broke since "
    "then is not known. Look at the function app's log, or run `acrtm doctor`."
)
_HELP: Final = (
    "**How to read this.** A *finding* is one rule's verdict on a run, a pipeline, a blob or the monitor; it is *open* "
    "until a later look finds it gone. Of each failed run one finding is the *root cause*. *Confirmed*: a live check "
    "saw it. *Likely*: the error text says so. *Possible*: it can't be excluded. *Unknown* is never *fine*: the right "
    "or path that is missing stands under Monitor health. A registry or pipeline that is chosen above narrows every "
    "list; what names none, as the monitor's own findings, stays."
)


def workbook_json() -> str:
    """The text of the workbook's file."""
    items: list[Block] = [
        parameter_strip(
            "parameters",
            [
                workspace_parameter(_WORKSPACE),
                time_parameter("TimeRange", "Time range", (1 / 24, 1, 2, 7, 14, 30, 90), default=7),
                dropdown(
                    "Registry", "Registry", query_text("workbook/registries", chosen=()),
                    "The registries that findings speak of",
                ),
                dropdown(
                    "Pipeline", "Pipeline", query_text("workbook/pipelines", chosen=("Registry",)),
                    "The pipelines of the chosen registries",
                ),
                hidden_parameter("MonitorState", query_text("workbook/monitor-state", chosen=())),
            ],
        ),
        text("no heartbeat", _NEVER, style="error", when=[equals("MonitorState", "never")]),
        text("silent", _SILENT, style="warning", when=[equals("MonitorState", "silent")]),
        tabs("tabs", "selectedTab", {value: label for value, (label, _) in _TABS.items()}),
        *(group(label, build(), when=[equals("selectedTab", value)]) for value, (label, build) in _TABS.items()),
        text("how to read", _HELP),
    ]  # fmt: skip
    workbook = {"version": "Notebook/1.0", "items": items, "fallbackResourceIds": [_WORKSPACE], "$schema": _SCHEMA}
    return _lines(workbook) + "\n"


def _lines(block: Block) -> str:
    """JSON with a line for each item: short, since a Bicep file can't hold more than 131,072 characters, and readable
    where it changes."""
    items = block.get("items")
    if items is not None:
        rest = {key: value for key, value in block.items() if key != "items"}
        return f'{_compact(rest)[:-1]},"items":[\n' + ",\n".join(_lines(item) for item in items) + "\n]}"
    content = block.get("content")
    if isinstance(content, dict) and "items" in content:
        rest = {key: value for key, value in block.items() if key != "content"}
        return f'{_compact(rest)[:-1]},"content":{_lines(content)}}}'
    return _compact(block)


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)
