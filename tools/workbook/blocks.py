"""The blocks that the workbook is built from, as the JSON of Azure Workbooks has them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

Block = dict[str, Any]

_LOGS: Final = "microsoft.operationalinsights/workspaces"
_WORKSPACE: Final = ["{Workspace}"]
DAY: Final = 86_400_000
"""Milliseconds."""
STATE_DAYS: Final = 90
"""How far back rows are read to know what is open now; the queries' own lookback for that."""
_NAMESPACE: Final = uuid.UUID("8f1e6b0a-3a0f-4c39-9d6e-5d5a4f2b7c11")


def text(name: str, markdown: str, *, style: str = "", when: Sequence[Block] = ()) -> Block:
    """Markdown; `style` is info, success, warning or error."""
    content: Block = {"json": markdown}
    if style:
        content["style"] = style
    return {"type": 1, "content": content, **_conditions(when), "name": name}


def equals(parameter: str, value: str) -> Block:
    return {"parameterName": parameter, "comparison": "isEqualTo", "value": value}


def is_set(parameter: str) -> Block:
    return {"parameterName": parameter, "comparison": "isNotEqualTo", "value": ""}


def group(name: str, items: Sequence[Block], *, when: Sequence[Block] = (), title: str = "") -> Block:
    """Items that are shown together."""
    content: Block = {"version": "NotebookGroup/1.0", "groupType": "editable", "loadType": "always"}
    if title:
        content["title"] = title
    return {"type": 12, "content": {**content, "items": list(items)}, **_conditions(when), "name": name}


def tabs(name: str, parameter: str, labels: Mapping[str, str]) -> Block:
    """One tab for each value (with its label) of `parameter`."""
    links = [
        {
            "id": _id(f"{name}.{value}"),
            "cellValue": parameter,
            "linkTarget": "parameter",
            "linkLabel": label,
            "subTarget": value,
            "style": "link",
        }
        for value, label in labels.items()
    ]
    return {"type": 11, "content": {"version": "LinkItem/1.0", "style": "tabs", "links": links}, "name": name}


def parameter_strip(name: str, parameters: Sequence[Block]) -> Block:
    content = {
        "version": "KqlParameterItem/1.0",
        "crossComponentResources": _WORKSPACE,
        "parameters": list(parameters),
        "style": "pills",
        "queryType": 0,
        "resourceType": _LOGS,
    }
    return {"type": 9, "content": content, "name": name}


def workspace_parameter(placeholder: str) -> Block:
    """The workspace that all queries ask: not for readers to change, since it is where the findings are."""
    return {
        **_parameter("Workspace", 5, "Workspace"),
        "isRequired": True,
        "isHiddenWhenLocked": True,
        "value": placeholder,
        "typeSettings": {"resourceTypeFilter": {_LOGS: True}, "additionalResourceOptions": []},
    }


def time_parameter(name: str, label: str, days: Sequence[float], default: float) -> Block:
    spans = [{"durationMs": int(one * DAY)} for one in days]
    return {
        **_parameter(name, 4, label),
        "isRequired": True,
        "typeSettings": {"selectableValues": spans, "allowCustom": True},
        "value": {"durationMs": int(default * DAY)},
    }


def dropdown(name: str, label: str, kql: str, description: str) -> Block:
    """Several may be chosen; all at first."""
    return {
        **_parameter(name, 2, label),
        "description": description,
        "multiSelect": True,
        "quote": "'",
        "delimiter": ",",
        "query": kql,
        **_state_source(),
        "typeSettings": {"additionalResourceOptions": ["value::all"], "selectAllValue": "*", "showDefault": False},
        "defaultValue": "value::all",
        "value": ["value::all"],
    }


def hidden_parameter(name: str, kql: str) -> Block:
    """A text that a query gives, for conditions; nobody sees it."""
    return {**_parameter(name, 1, name), "isHiddenWhenLocked": True, "query": kql, **_state_source()}


def query(
    name: str,
    kql: str,
    *,
    title: str,
    no_data: str,
    shown_as: Block,
    width: int = 100,
    size: int = 0,
    exports: Mapping[str, str] | None = None,
) -> Block:
    """A query over the findings, shown as `grid`, `tile`, `chart` or `card` say.

    A query that has the time range in it is limited to it, any other to the days that tell what is open.
    `exports` are parameters that a click on a row sets, with their columns.
    """
    content: Block = {"version": "KqlItem/1.0", "query": kql, "size": size, "title": title, "noDataMessage": no_data}
    time: Block = {"timeContext": {"durationMs": STATE_DAYS * DAY}}
    if "TimeGenerated {TimeRange}" in kql:
        time["timeContextFromParameter"] = "TimeRange"
    content |= time
    if exports:
        content["exportedParameters"] = [
            {"fieldName": column, "parameterName": parameter, "parameterType": 1}
            for parameter, column in exports.items()
        ]
    content |= {"queryType": 0, "resourceType": _LOGS, "crossComponentResources": _WORKSPACE, **shown_as}
    item: Block = {"type": 3, "content": content}
    if width != 100:
        item["customWidth"] = str(width)
    return {**item, "name": name}


def grid(
    columns: Sequence[Block], labels: Mapping[str, str], *, rows: int = 250, searchable: bool = True, excel: bool = True
) -> Block:
    """A table. `columns` come from `tools.workbook.columns`, `labels` are headings for columns."""
    return {
        "showExportToExcel": excel,
        "visualization": "table",
        "gridSettings": {
            "formatters": list(columns),
            "rowLimit": rows,
            "filter": searchable,
            "labelSettings": [{"columnId": column, "label": label} for column, label in labels.items()],
        },
    }


def chart(kind: str, x: str, y: str, group_by: str, colors: Mapping[str, str]) -> Block:
    """A chart of `y` over `x` with one series for each value of `group_by` (empty: one alone)."""
    settings: Block = {"xAxis": x, "yAxis": [y], "showLegend": True}
    if group_by:
        settings["group"] = group_by
    settings["seriesLabelSettings"] = [{"seriesName": series, "color": color} for series, color in colors.items()]
    return {"visualization": kind, "chartSettings": settings}


def card(style: str) -> Block:
    """The first cell as text; the style `editor` shows it as code that can be marked and copied."""
    return {"visualization": "card", "textSettings": {"style": style}}


def tile(title: Block, left: Block, subtitle: Block, secondary: Block) -> Block:
    settings = {
        "titleContent": title,
        "leftContent": left,
        "subtitleContent": subtitle,
        "secondaryContent": secondary,
        "showBorder": True,
        "size": "full",
    }
    return {"visualization": "tiles", "tileSettings": settings}


def _parameter(name: str, kind: int, label: str) -> Block:
    return {"id": _id(name), "version": "KqlParameterItem/1.0", "name": name, "label": label, "type": kind}


def _state_source() -> Block:
    return {
        "crossComponentResources": _WORKSPACE,
        "timeContext": {"durationMs": STATE_DAYS * DAY},
        "queryType": 0,
        "resourceType": _LOGS,
    }


def _id(name: str) -> str:
    """Azure wants a GUID; the same one at each generation."""
    return str(uuid.uuid5(_NAMESPACE, name))


def _conditions(when: Sequence[Block]) -> Block:
    if not when:
        return {}
    return {"conditionalVisibility": when[0]} if len(when) == 1 else {"conditionalVisibilities": list(when)}
