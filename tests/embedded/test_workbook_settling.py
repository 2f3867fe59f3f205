"""From what a reader chose to the values of all parameters, and to what is shown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from embedded.workbook import (
    Choice,
    Chosen,
    Condition,
    Option,
    Plain,
    Settled,
    TimeRange,
    Value,
    is_visible,
    read_workbook,
    settle,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def dropdown(name: str, query: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name, "type": 2, "multiSelect": True, "quote": "'", "query": query, "defaultValue": "value::all",
        "typeSettings": {"additionalResourceOptions": ["value::all"], "selectAllValue": "*"}, **more,
    }  # fmt: skip


WORKBOOK = read_workbook(
    json.dumps(
        {
            "version": "Notebook/1.0",
            "items": [
                {
                    "type": 9,
                    "content": {
                        "parameters": [
                            {"name": "Span", "type": 4, "value": {"durationMs": 604800000}},
                            {"name": "Day", "type": 4},
                            dropdown("Registry", "registries {Span}"),
                            dropdown("Pipeline", "pipelines {Registry}"),
                            dropdown("One", "registries", multiSelect=False, defaultValue="b"),
                            dropdown("None", "registries", defaultValue=None),
                            {"name": "State", "type": 1, "query": "state {tab}"},
                            {"name": "Note", "type": 1, "value": "as saved"},
                        ]
                    },
                },
                {
                    "type": 11,
                    "content": {
                        "style": "tabs",
                        "links": [
                            {"cellValue": "tab", "linkTarget": "parameter", "subTarget": "first"},
                            {"cellValue": "tab", "linkTarget": "parameter", "subTarget": "second"},
                        ],
                    },
                },
                {
                    "type": 3,
                    "content": {
                        "query": "T",
                        "exportedParameters": [
                            {"fieldName": "Key", "parameterName": "Finding"},
                            {"fieldName": "Key", "parameterName": "Fallback", "defaultValue": "nobody"},
                        ],
                    },
                },
            ],
        }
    )
)
ANSWERS: dict[str, Sequence[Mapping[str, Any]]] = {
    "registries > ago(7d)": [{"R": "a", "L": "Hub"}, {"R": "b", "L": "Edge"}],
    "registries > ago(1h)": [],
    "registries": [{"R": "a"}, {"R": "b"}],
    "pipelines '*'": [{"P": "in"}, {"P": "out"}],
    "pipelines 'b'": [{"P": "in"}],
    "pipelines 'a','b'": [{"P": "in"}, {"P": "out"}],
    "state first": [{"S": "alive"}],
    "state second": [],
}


def settled(chosen: Chosen) -> Settled:
    return settle(WORKBOOK, chosen, ANSWERS.__getitem__, now=NOW)


def text(settled: Settled, name: str) -> str | None:
    return settled.values[name].format("", kql=True, now=NOW)


def test_at_first() -> None:
    first = settled({})
    assert {name: text(first, name) for name in first.values} == {
        "Span": "> ago(7d)", "Day": "> ago(1d)", "Registry": "'*'", "Pipeline": "'*'", "One": "'b'", "None": "",
        "State": "alive", "Note": "as saved", "tab": "first", "Finding": "", "Fallback": "nobody",
    }  # fmt: skip
    assert first.options["Registry"] == (Option("a", "Hub"), Option("b", "Edge"))
    assert first.options["One"] == (Option("a", "a"), Option("b", "b"))


@pytest.mark.parametrize(
    ("chosen", "name", "value"),
    [
        ({"Registry": ["b"]}, "Registry", "'b'"),
        ({"Registry": ["b"]}, "Pipeline", "'*'"),
        ({"Registry": "b", "Pipeline": ["in", "out"]}, "Pipeline", "'in'"),
        ({"Registry": ["b", "a"], "Pipeline": ["out"]}, "Pipeline", "'out'"),
        ({"Registry": ["gone"]}, "Registry", "'*'"),
        ({"Registry": "value::all"}, "Registry", "'*'"),
        ({"One": ["a", "b"]}, "One", "'a'"),
        ({"Span": TimeRange(timedelta(hours=1))}, "Span", "> ago(1h)"),
        ({"Span": TimeRange(timedelta(hours=1))}, "Registry", "'*'"),
        ({"Finding": "f1"}, "Finding", "f1"),
        ({"tab": "second"}, "tab", "second"),
        ({"tab": "second", "State": "from outside"}, "State", "from outside"),
    ],
)
def test_what_is_chosen(chosen: Chosen, name: str, value: str) -> None:
    assert text(settled(chosen), name) == value


def test_what_all_is_without_a_word_for_it() -> None:
    content = {"parameters": [dropdown("R", "registries", typeSettings={"additionalResourceOptions": ["value::all"]})]}
    workbook = read_workbook(
        json.dumps({"version": "Notebook/1.0", "items": [{"type": 9, "content": content}]})
    )  # fmt: skip
    values = settle(workbook, {}, ANSWERS.__getitem__, now=NOW).values
    assert values["R"] == Choice((("a", "a"), ("b", "b")), quote="'")


@pytest.mark.parametrize(
    ("conditions", "shown"),
    [
        ((), True),
        ((Condition("tab", True, "runs"),), True),
        ((Condition("tab", False, "runs"),), False),
        ((Condition("finding", False, ""),), False),
        ((Condition("nobody", False, ""),), False),
        ((Condition("nobody", True, ""),), True),
        ((Condition("tab", True, "runs"), Condition("all", True, "*")), True),
        ((Condition("tab", True, "runs"), Condition("all", True, "a")), False),
    ],
)
def test_what_is_shown(conditions: tuple[Condition, ...], shown: bool) -> None:
    values: dict[str, Value] = {"tab": Plain("runs"), "finding": Plain(""), "all": Choice((("a", "a"),), all_value="*")}
    assert is_visible(conditions, values) is shown
