"""The workbook's JSON: what Azure takes, what the model reads, and that its parts fit each other."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from embedded.workbook import (
    AxisChart,
    Condition,
    Grid,
    Group,
    Item,
    Links,
    Parameter,
    ParameterKind,
    Query,
    Text,
    Tiles,
    UnknownItem,
    read_workbook,
    tokens,
)
from shared.rules.model import Area, Severity
from tools.workbook import WORKBOOK, workbook_json
from tools.workbook.queries import query_text

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / WORKBOOK).read_text("utf-8")
RAW: dict[str, Any] = json.loads(TEXT)
WORKBOOK_READ = read_workbook(TEXT)
ITEMS = list(WORKBOOK_READ.walk())
QUERIES = [item for item, _ in ITEMS if isinstance(item, Query)]
PLACEHOLDER = "__WORKSPACE_ID__"

# The keys that Azure's published description of workbooks and its gallery's workbooks have, for what is used here.
ITEM_KEYS = {"type", "content", "name", "customWidth", "conditionalVisibility", "conditionalVisibilities"}
LOGS_KEYS = {"queryType", "resourceType", "crossComponentResources"}
CONTENT_KEYS = {
    1: {"json", "style"},
    3: LOGS_KEYS | {
        "version", "query", "size", "title", "noDataMessage", "timeContext", "timeContextFromParameter",
        "exportedParameters", "visualization", "showExportToExcel", "gridSettings", "tileSettings", "chartSettings",
        "textSettings",
    },
    9: LOGS_KEYS | {"version", "parameters", "style"},
    11: {"version", "style", "links"},
    12: {"version", "groupType", "loadType", "title", "items"},
}  # fmt: skip
VERSIONS = {3: "KqlItem/1.0", 9: "KqlParameterItem/1.0", 11: "LinkItem/1.0", 12: "NotebookGroup/1.0"}
SETTINGS = {"table": "gridSettings", "tiles": "tileSettings", "barchart": "chartSettings", "card": "textSettings"}


def raw_items(parent: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in parent["items"]:
        yield item
        if item["type"] == 12:
            yield from raw_items(item["content"])


def parameters() -> dict[str, Parameter]:
    return {parameter.name: parameter for parameter in WORKBOOK_READ.parameters()}


@cache
def settable() -> frozenset[str]:
    """Every parameter: of the strip, of tabs, of clicked rows."""
    names = set(parameters())
    for item, _ in ITEMS:
        if isinstance(item, Links):
            names |= {link.parameter for link in item.links}
        elif isinstance(item, Query):
            names |= {export.parameter for export in item.exports}
    return frozenset(names)


def test_the_file_is_what_the_code_makes() -> None:
    assert workbook_json() == TEXT


def test_it_fits_into_a_bicep_file() -> None:
    # loadTextContent takes 131,072 characters.
    assert len(TEXT) < 128_000
    assert TEXT.isascii()


def test_the_root() -> None:
    assert RAW.keys() == {"version", "items", "fallbackResourceIds", "$schema"}
    assert RAW["version"] == "Notebook/1.0"
    assert RAW["fallbackResourceIds"] == [PLACEHOLDER]


def test_the_workspace_stands_in_two_places_and_nowhere_else() -> None:
    assert TEXT.count(PLACEHOLDER) == 2
    assert parameters()["Workspace"].default == PLACEHOLDER
    assert parameters()["Workspace"].hidden
    assert "/subscriptions/" not in TEXT


@pytest.mark.parametrize("item", list(raw_items(RAW)), ids=lambda item: item["name"])
def test_an_item_has_the_keys_that_azure_knows(item: dict[str, Any]) -> None:
    kind, content = item["type"], item["content"]
    assert item.keys() <= ITEM_KEYS
    assert content.keys() <= CONTENT_KEYS[kind]
    assert content.get("version") == VERSIONS.get(kind)
    if kind == 3:
        assert content.keys() & set(SETTINGS.values()) == {SETTINGS[content["visualization"]]}
    if kind in {3, 9}:
        assert content["queryType"] == 0
        assert content["resourceType"] == "microsoft.operationalinsights/workspaces"
        assert content["crossComponentResources"] == ["{Workspace}"]


def test_names_and_ids_are_each_given_once() -> None:
    names = [item.name for item, _ in ITEMS]
    assert all(names)
    assert len(set(names)) == len(names)
    ids = [
        entry["id"]
        for item in raw_items(RAW)
        for entry in (*item["content"].get("parameters", ()), *item["content"].get("links", ()))
    ]
    assert len({uuid.UUID(one) for one in ids}) == len(ids)


@pytest.mark.parametrize("item", [item for item, _ in ITEMS], ids=lambda item: item.name)
def test_everything_is_understood_by_the_model(item: Item) -> None:
    assert not isinstance(item, UnknownItem)
    assert item.unread == ()


def test_parameters_are_understood_by_the_model() -> None:
    assert {parameter.name: parameter.unread for parameter in parameters().values()} == dict.fromkeys(parameters(), ())


def test_the_strip_of_parameters_comes_first() -> None:
    assert [(p.name, p.kind, p.hidden) for p in parameters().values()] == [
        ("Workspace", ParameterKind.RESOURCE, True), ("TimeRange", ParameterKind.TIME_RANGE, False),
        ("Registry", ParameterKind.DROPDOWN, False), ("Pipeline", ParameterKind.DROPDOWN, False),
        ("MonitorState", ParameterKind.TEXT, True),
    ]  # fmt: skip
    assert ITEMS[0][0].name == "parameters"
    assert "{Registry}" in parameters()["Pipeline"].kql


def test_each_tab_has_its_group() -> None:
    [tabs] = [item for item, _ in ITEMS if isinstance(item, Links)]
    assert [link.label for link in tabs.links] == [
        "Overview", "Runs", "Source trigger", "Credentials", "Monitor health",
    ]  # fmt: skip
    conditions = [item.conditions for item in WORKBOOK_READ.items if isinstance(item, Group)]
    assert conditions == [(Condition(link.parameter, True, link.value),) for link in tabs.links]


def test_every_token_and_condition_names_a_parameter() -> None:
    texts = [item.markdown for item, _ in ITEMS if isinstance(item, Text)]
    texts += [text for query in QUERIES for text in (query.kql, query.title, query.no_data)]
    texts += [parameter.kql for parameter in parameters().values()]
    assert set().union(*(tokens(text) for text in texts)) <= settable()
    assert {one.parameter for _, conditions in ITEMS for one in conditions} <= settable()


def test_every_click_leads_to_something() -> None:
    exported = {export.parameter for query in QUERIES for export in query.exports}
    asked = set().union(*(tokens(query.kql) for query in QUERIES))
    shown = {one.parameter for _, conditions in ITEMS for one in conditions if not one.equal}
    assert exported <= asked
    assert exported == shown


def test_what_a_click_puts_into_a_query_cannot_end_its_literal() -> None:
    """Keys are hexadecimal, and a run's id is an Azure resource id."""
    clicked = {export.column for query in QUERIES for export in query.exports}
    assert clicked == {"FindingKey", "RunId"}


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_query_says_what_no_data_means(query: Query) -> None:
    assert len(query.no_data) > 15
    assert not re.search(r"\b(all is (well|fine)|no problems?|healthy)\b", query.no_data.lower())


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_query_and_its_time_agree(query: Query) -> None:
    """Log Analytics limits a query to the time of the item, whatever the query itself asks for."""
    [lookback] = re.findall(r"^let lookback = (\d+)d;$", query.kql, re.MULTILINE) or [0]
    assert query.time_span == timedelta(days=90)
    assert int(lookback) <= 90
    assert query.time_parameter == ("TimeRange" if "TimeGenerated {TimeRange}" in query.kql else "")
    assert bool(lookback) != bool(query.time_parameter)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_the_drop_downs_narrow_every_query_but_those_of_a_clicked_row(query: Query) -> None:
    of_a_click = tokens(query.kql) & {export.parameter for other in QUERIES for export in other.exports}
    assert (tokens(query.kql) >= {"Registry", "Pipeline"}) != bool(of_a_click)


def test_items_of_a_line_fill_it() -> None:
    def lines(items: tuple[Item, ...]) -> Iterator[int]:
        filled = 0
        for item in items:
            filled += item.width
            if filled >= 100:
                yield filled
                filled = 0
        yield filled or 100

    for item, _ in ITEMS:
        if isinstance(item, Group):
            assert set(lines(item.items)) == {100}, item.name


def test_icons_know_every_word_that_a_finding_may_have() -> None:
    severities = {severity.label for severity in Severity}
    for query in QUERIES:
        shown = query.shown_as
        if isinstance(shown, AxisChart) and shown.group == "Severity":
            assert set(shown.colors) == severities
        if isinstance(shown, Grid):
            for column in shown.columns:
                words = {threshold.value for threshold in column.thresholds if threshold.operator == "=="}
                if column.name == "Severity":
                    assert words == severities
                if column.name == "State":
                    assert words == {"Open", "Resolved", "Muted", "Info"}
                if column.thresholds:
                    assert column.thresholds[-1].operator == "Default"


def test_areas_that_a_tab_asks_for_exist() -> None:
    asked = re.findall(r"\bArea in \(([^)]*)\)", TEXT.replace('\\"', '"'))
    asked += re.findall(r"\bArea == (\"\w+\")", TEXT.replace('\\"', '"'))
    areas = {area for one in asked for area in re.findall(r'"(\w+)"', one)}
    assert {"Sas", "SourceTrigger", "Monitor"} <= areas <= {str(area) for area in Area}


def test_tiles_say_in_a_word_what_the_number_means() -> None:
    tiles = [query for query in QUERIES if isinstance(query.shown_as, Tiles)]
    assert [query.width for query in tiles] == [25, 25, 25, 25]
    for query in tiles:
        said = set(re.findall(r'"(fine|look|act now|unknown)"', query.kql))
        assert {"fine", "unknown"} < said


def test_a_query_file_that_does_not_fit_is_an_error_and_not_an_unfiltered_query() -> None:
    with pytest.raises(ValueError, match=r"open-findings\.kql has nothing like .*blob"):
        query_text("open-findings", given={"blob": '"x"'})
    with pytest.raises(ValueError, match="nothing like"):
        query_text("open-findings", ranged="shown")
