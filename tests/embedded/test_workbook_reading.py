"""A workbook's JSON becomes typed items, and what isn't understood is named instead of dropped."""

from __future__ import annotations

import contextlib
import copy
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.workbook import (
    AxisChart,
    Card,
    Column,
    Condition,
    Export,
    Formatter,
    Grid,
    Group,
    Item,
    Link,
    Links,
    Parameter,
    ParameterKind,
    Parameters,
    Query,
    SortBy,
    Text,
    Threshold,
    Tiles,
    UnknownItem,
    WorkbookError,
    read_workbook,
)


def read(*items: dict[str, Any]) -> tuple[Item, ...]:
    return read_workbook(json.dumps({"version": "Notebook/1.0", "items": items})).items


def query(**content: Any) -> Query:
    [item] = read({"type": 3, "name": "q", "content": {"version": "KqlItem/1.0", "query": "T", **content}})
    assert isinstance(item, Query)
    return item


def test_a_text() -> None:
    [item] = read(
        {
            "type": 1, "name": "hello", "content": {"json": "# Hi", "style": "error"}, "customWidth": "25",
            "conditionalVisibility": {"parameterName": "State", "comparison": "isEqualTo", "value": "never"},
            "styleSettings": {"margin": "0"},
        }
    )  # fmt: skip
    expected = Text(
        name="hello", markdown="# Hi", style="error", width=25, conditions=(Condition("State", True, "never"),)
    )
    assert item == expected


def test_groups_and_what_their_items_depend_on() -> None:
    inner = {
        "type": 1, "content": {"json": "x"},
        "conditionalVisibilities": [
            {"parameterName": "A", "comparison": "isNotEqualTo"},
            {"parameterName": "B", "comparison": "isEqualTo", "value": "1"},
        ],
    }  # fmt: skip
    group = {
        "type": 12, "name": "g", "content": {"version": "NotebookGroup/1.0", "groupType": "editable", "items": [inner]},
        "conditionalVisibility": {"parameterName": "Tab", "comparison": "isEqualTo", "value": "runs"},
    }  # fmt: skip
    workbook = read_workbook(json.dumps({"version": "Notebook/1.0", "items": [group]}))
    outer = Condition("Tab", True, "runs")
    (first, first_needs), (second, second_needs) = workbook.walk()
    assert isinstance(first, Group)
    assert (first.name, first_needs) == ("g", (outer,))
    assert isinstance(second, Text)
    assert second_needs == (outer, Condition("A", False, ""), Condition("B", True, "1"))


def test_parameters() -> None:
    [strip] = read(
        {
            "type": 9,
            "content": {
                "version": "KqlParameterItem/1.0",
                "style": "pills",
                "parameters": [
                    {
                        "id": "1", "version": "KqlParameterItem/1.0", "name": "Span", "type": 4, "isRequired": True,
                        "typeSettings": {"selectableValues": [{"durationMs": 3600000}], "allowCustom": True},
                        "value": {"durationMs": 3600000},
                    },
                    {
                        "name": "Registry", "label": "The registry", "type": 2, "multiSelect": True, "quote": "'",
                        "query": "T | distinct R", "value": ["value::all"], "isHiddenWhenLocked": True,
                        "typeSettings": {"additionalResourceOptions": ["value::all"], "selectAllValue": "*"},
                    },
                    {"name": "Plain", "type": 1, "defaultValue": "x", "jsonData": "[]"},
                ],
            },
        }
    )  # fmt: skip
    assert isinstance(strip, Parameters)
    assert strip.parameters == (
        Parameter(
            name="Span", kind=ParameterKind.TIME_RANGE, label="Span", required=True, default="3600000",
            durations=(timedelta(hours=1),), allows_custom=True,
        ),
        Parameter(
            name="Registry", kind=ParameterKind.DROPDOWN, label="The registry", multiple=True, quote="'",
            kql="T | distinct R", offers_all=True, all_value="*", default="value::all", hidden=True,
        ),
        Parameter(name="Plain", kind=ParameterKind.TEXT, label="Plain", default="x", unread=("jsonData",)),
    )  # fmt: skip


def test_tabs_and_links() -> None:
    [item] = read(
        {
            "type": 11,
            "content": {
                "version": "LinkItem/1.0",
                "style": "tabs",
                "links": [
                    {"cellValue": "tab", "linkTarget": "parameter", "linkLabel": "Runs", "subTarget": "runs"},
                    {"cellValue": "https://x.example", "linkTarget": "Url", "linkLabel": "Help", "workbookContext": {}},
                ],
            },
        }
    )
    assert isinstance(item, Links)
    assert item.links == (Link("Runs", "parameter", "tab", "runs"), Link("Help", "Url", "https://x.example", ""))
    assert (item.style, item.unread) == ("tabs", ("content.links[1].workbookContext",))


def test_a_query_with_its_time_and_exports() -> None:
    item = query(
        title="Runs", noDataMessage="none", size=1, timeContext={"durationMs": 86400000},
        timeContextFromParameter="TimeRange", showExportToExcel=True, noDataMessageStyle=3,
        exportedParameters=[{"fieldName": "Id", "parameterName": "Run", "parameterType": 1}],
    )  # fmt: skip
    assert (item.kql, item.title, item.no_data, item.size) == ("T", "Runs", "none", 1)
    assert (item.time_parameter, item.time_span) == ("TimeRange", timedelta(days=1))
    assert item.exports == (Export("Id", "Run"),)
    assert item.exports_to_excel
    assert item.unread == ("content.noDataMessageStyle",)
    assert item.shown_as == Grid()


def test_the_older_way_to_export_one_column() -> None:
    item = query(exportFieldName="Id", exportParameterName="Run", exportDefaultValue="none")
    assert item.exports == (Export("Id", "Run", "none"),)


def test_a_grid() -> None:
    item = query(
        visualization="table",
        gridSettings={
            "filter": True,
            "rowLimit": 1000,
            "formatters": [
                {
                    "columnMatch": "Severity",
                    "formatter": 18,
                    "formatOptions": {
                        "thresholdsOptions": "icons",
                        "thresholdsGrid": [
                            {"operator": "==", "thresholdValue": "High", "representation": "Sev1", "text": "{0}{1}"},
                            {"operator": "Default", "thresholdValue": None, "representation": "info", "text": "{0}"},
                        ],
                    },
                },
                {
                    "columnMatch": "Rule", "formatter": 1, "tooltipFormat": {"tooltip": "t"},
                    "formatOptions": {"linkTarget": "Url", "linkColumn": "HelpUri", "customColumnWidthSetting": "30%"},
                },
                {"columnMatch": "Id", "formatter": 5},
            ],
            "labelSettings": [{"columnId": "Rule", "label": "The rule"}],
            "sortBy": [{"itemKey": "Rule", "sortOrder": 2}],
        },
    )  # fmt: skip
    thresholds = (Threshold("==", "High", "Sev1", "{0}{1}"), Threshold("Default", "", "info", "{0}"))
    assert item.shown_as == Grid(
        columns=(
            Column("Severity", Formatter.THRESHOLDS, thresholds),
            Column("Rule", Formatter.TEXT, link_target="Url", link_column="HelpUri", width="30%"),
            Column("Id", Formatter.HIDDEN),
        ),
        labels={"Rule": "The rule"},
        row_limit=1000,
        filter=True,
        sort=(SortBy("Rule", descending=True),),
    )
    assert item.unread == ("Rule.tooltipFormat",)


def test_tiles_a_chart_and_a_card() -> None:
    tiles = query(
        visualization="tiles",
        tileSettings={
            "titleContent": {"columnMatch": "Title", "formatter": 1},
            "leftContent": {"columnMatch": "N", "formatter": 12, "numberFormat": {"emptyValCustomText": "?"}},
            "showBorder": True, "size": "full",
        },
    )  # fmt: skip
    assert tiles.shown_as == Tiles(
        title=Column("Title", Formatter.TEXT), left=Column("N", Formatter.BIG_NUMBER, empty_text="?"),
        border=True, size="full",
    )  # fmt: skip
    chart = query(
        visualization="barchart",
        chartSettings={
            "xAxis": "Time", "yAxis": ["Runs"], "group": "Result", "showLegend": False,
            "seriesLabelSettings": [{"seriesName": "Failed", "color": "red", "label": "Broken"}],
        },
    )  # fmt: skip
    assert chart.shown_as == AxisChart(
        kind="barchart", x="Time", y=("Runs",), group="Result", legend=False, colors={"Failed": "red"},
        labels={"Failed": "Broken"},
    )  # fmt: skip
    assert query(visualization="card", textSettings={"style": "editor"}).shown_as == Card("editor")


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ({"type": 10, "content": {}}, "items of type 10"),
        ({"type": 3, "content": {"query": "x", "queryType": 1}}, "queries of type 1"),
        ({"type": 3, "content": {"query": "x", "visualization": "map"}}, "'map' is not drawn"),
    ],
)
def test_what_is_not_known_stays_there_with_its_reason(item: dict[str, Any], why: str) -> None:
    [unknown] = read({"name": "odd", **item})
    assert isinstance(unknown, UnknownItem)
    assert unknown.name == "odd"
    assert why in unknown.why


def _nested(depth: int) -> dict[str, Any]:
    item: dict[str, Any] = {"type": 1, "content": {"json": "x"}}
    for _ in range(depth):
        item = {"type": 12, "content": {"items": [item]}}
    return item


@pytest.mark.parametrize(
    ("items", "says"),
    [
        (["x"], r"workbook.items\[0\]: an object is wanted"),
        ([{"content": {}}], r"workbook.items\[0\].type: a whole number is wanted"),
        ([{"type": 1, "content": []}], r"items\[0\].content: an object is wanted"),
        ([{"type": 1, "content": {"json": 1}}], r"items\[0\].content.json: a text is wanted"),
        ([{"type": 1, "content": {"json": ""}, "customWidth": "wide"}], "customWidth: a percentage"),
        ([{"type": 1, "content": {"json": ""}, "customWidth": "0"}], "customWidth: a percentage"),
        ([{"type": 9, "content": {"parameters": [{"type": 1}]}}], r"parameters\[0\].name: a text is wanted"),
        ([{"type": 9, "content": {"parameters": [{"type": 99, "name": "x"}]}}], "parameters of type 99 are not read"),
        ([{"type": 3, "content": {"query": "x", "timeContext": {"durationMs": -1}}}], "milliseconds are wanted"),
        ([{"type": 1, "content": {"json": ""}, "conditionalVisibility": {"comparison": "x"}}], "isEqualTo or"),
        (
            [{"type": 3, "content": {"query": "", "gridSettings": {"formatters": [{"formatter": 99}]}}}],
            "the formatter 99 is not read",
        ),
        ([_nested(25)], "nested more than 20 deep"),
        ("x", "workbook.items: a list is wanted"),
    ],
)
def test_the_error_names_the_place(items: Any, says: str) -> None:
    with pytest.raises(WorkbookError, match=says):
        read_workbook(json.dumps({"version": "Notebook/1.0", "items": items}))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "workbook: an object"),
        ("{}", "workbook.version: a text is wanted"),
        ('{"version": "Notebook/9"}', "'Notebook/1.0' is wanted, not 'Notebook/9'"),
    ],
)
def test_a_text_that_is_no_workbook_is_refused(text: str, says: str) -> None:
    with pytest.raises(WorkbookError, match=says):
        read_workbook(text)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["value::all", "table", "25"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_WHOLE: dict[str, Any] = {
    "version": "Notebook/1.0",
    "items": [
        {"type": 9, "content": {"parameters": [{"name": "P", "type": 2, "value": ["a"], "typeSettings": {}}]}},
        {
            "type": 12, "content": {
                "items": [
                    {
                        "type": 3, "name": "q", "customWidth": "50", "conditionalVisibility": {
                            "parameterName": "P", "comparison": "isEqualTo", "value": "x"
                        },
                        "content": {
                            "query": "T", "visualization": "tiles", "timeContext": {"durationMs": 1},
                            "tileSettings": {"titleContent": {"columnMatch": "x", "formatter": 1, "formatOptions": {}}},
                        },
                    }
                ]
            },
        },
    ],
}  # fmt: skip


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [path, *(place for key, inner in value.items() for place in _places(inner, (*path, key)))]
    if isinstance(value, list):
        return [path, *(place for key, inner in enumerate(value) for place in _places(inner, (*path, key)))]
    return [path]


@given(place=st.sampled_from(_places(_WHOLE)[1:]), value=_JSON)
def test_whatever_stands_somewhere_is_read_or_refused(place: tuple[Any, ...], value: Any) -> None:
    workbook = copy.deepcopy(_WHOLE)
    parent: Any = workbook
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    with contextlib.suppress(WorkbookError):
        assert read_workbook(json.dumps(workbook)).items is not None
