"""The check of resource bodies against published types, on types made up in the published form."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tools.bicep import parse
from tools.bicep.definitions import Definitions
from tools.bicep.types import Report, check, main

_TYPES = [
    {"$type": "StringType", "minLength": 3, "maxLength": 5, "pattern": "^[a-z]+$"},
    {"$type": "StringType"},
    {"$type": "StringLiteralType", "value": "red"},
    {"$type": "StringLiteralType", "value": "blue"},
    {"$type": "UnionType", "elements": [{"$ref": "#/2"}, {"$ref": "#/3"}]},
    {"$type": "IntegerType", "minValue": 1, "maxValue": 9},
    {"$type": "BooleanType"},
    {
        "$type": "ObjectType",
        "properties": {
            "colour": {"type": {"$ref": "#/4"}, "flags": 1},
            "count": {"type": {"$ref": "#/5"}, "flags": 0},
            "on": {"type": {"$ref": "#/6"}, "flags": 0},
            "state": {"type": {"$ref": "#/1"}, "flags": 2},
            "list": {"type": {"$ref": "#/8"}, "flags": 0},
            "open": {"type": {"$ref": "#/9"}, "flags": 0},
            "any": {"type": {"$ref": "#/10"}, "flags": 0},
            "one": {"type": {"$ref": "#/11"}, "flags": 0},
            "word": {"type": {"$ref": "#/14"}, "flags": 0},
        },
    },
    {"$type": "ArrayType", "itemType": {"$ref": "#/1"}, "minLength": 1},
    {"$type": "ObjectType", "properties": {}, "additionalProperties": {"$ref": "#/5"}},
    {"$type": "AnyType"},
    {
        "$type": "DiscriminatedObjectType",
        "discriminator": "kind",
        "baseProperties": {"note": {"type": {"$ref": "#/1"}, "flags": 0}},
        "elements": {"A": {"$ref": "#/12"}},
    },
    {
        "$type": "ObjectType",
        "properties": {
            "kind": {"type": {"$ref": "#/13"}, "flags": 1},
            "a": {"type": {"$ref": "#/5"}, "flags": 1},
        },
    },
    {"$type": "StringLiteralType", "value": "A"},
    {"$type": "UnionType", "elements": [{"$ref": "#/2"}, {"$ref": "#/1"}]},
    {
        "$type": "ObjectType",
        "properties": {
            "id": {"type": {"$ref": "#/1"}, "flags": 10},
            "name": {"type": {"$ref": "#/0"}, "flags": 9},
            "type": {"type": {"$ref": "#/1"}, "flags": 10},
            "location": {"type": {"$ref": "#/1"}, "flags": 1},
            "properties": {"type": {"$ref": "#/7"}, "flags": 0},
        },
    },
    {"$type": "ResourceType", "name": "N.S/things@2020-01-01", "body": {"$ref": "#/15"}, "writableScopes": 8},
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "generated" / "group_0" / "n.s" / "2020-01-01"
    place.mkdir(parents=True)
    (place / "types.json").write_text(json.dumps(_TYPES), "utf-8")
    return tmp_path


def _check(folder: Path, source: str) -> Report:
    return check([parse(source)], Definitions(folder))


def _thing(properties: str, head: str = "", before: str = "") -> str:
    return (
        f"{before}resource a 'N.S/things@2020-01-01' = {{\n  name: 'abc'\n  location: 'here'\n{head}"
        f"  properties: {properties}\n}}\n"
    )


@pytest.mark.parametrize(
    "properties",
    [
        "{ colour: 'red' }",
        "{ colour: 'blue', count: 9, on: true, list: ['x'], open: { p: 1 }, any: [{}], word: 'other' }",
        "{ colour: 'red', one: { kind: 'A', a: 1, note: 'n' } }",
        "{ colour: 'red', count: null }",
        "union({ colour: 'red' }, { count: 2 })",
        "{ colour: 'red', list: concat(['x'], map([{ n: 'y' }], i => i.n)) }",
        "{ colour: 'red', open: { '${'k'}': 3 } }",
    ],
)
def test_a_right_body_is_right(folder: Path, properties: str) -> None:
    report = _check(folder, _thing(properties))
    assert report.findings == []
    assert report.resources == {"N.S/things@2020-01-01"}
    assert report.judged >= 3


@pytest.mark.parametrize(
    ("properties", "wrong"),
    [
        ("{}", "properties.colour: is required and missing"),
        ("{ colour: null }", "properties.colour: is required and may be null"),
        ("{ colour: 'green' }", "properties.colour: expected 'red' | 'blue', got 'green'"),
        ("{ Colour: 'red', colour: 'red' }", "properties.Colour: is not known; there is colour"),
        ("{ colour: 'red', state: 'x' }", "properties.state: is read-only"),
        ("{ colour: 'red', count: '3' }", "properties.count: expected integer"),
        ("{ colour: 'red', count: 10 }", "properties.count: 10 is out of range"),
        ("{ colour: 'red', count: true }", "properties.count: expected integer"),
        ("{ colour: 'red', on: 'true' }", "properties.on: expected boolean"),
        ("{ colour: 'red', list: 'x' }", "properties.list: expected array"),
        ("{ colour: 'red', list: [] }", "properties.list: 0 items"),
        ("{ colour: 'red', list: [1] }", "properties.list[]: expected string"),
        ("{ colour: 'red', open: { p: 'x' } }", "properties.open.p: expected integer"),
        ("{ colour: 'red', one: { kind: 'B' } }", "properties.one.kind: expected one of A"),
        ("{ colour: 'red', one: { kind: 'A' } }", "properties.one.a: is required and missing"),
        ("{ colour: 'red', one: { kind: 'A', a: 1, b: 2 } }", "properties.one.b: is not known"),
        ("{ colour: 'red', on: {} }", "properties.on: expected boolean, got an object"),
        ("[]", "properties: expected object, got an array"),
    ],
)
def test_each_mistake_is_named_with_its_place(folder: Path, properties: str, wrong: str) -> None:
    [finding] = _check(folder, _thing(properties)).findings
    assert f"snippet.bicep:1: a.{wrong}" in finding


@pytest.mark.parametrize(
    ("before", "properties"),
    [
        ("param p bool\n", "{ colour: p ? 'red' : 'green' }"),
        ("param p 'red' | 'green'\n", "{ colour: p }"),
        ("@allowed(['red', 'green'])\nparam p string\n", "{ colour: p }"),
        ("var v = { red: 'green' }\nparam p string\n", "{ colour: v.red }"),
        ("", "union({ colour: 'red' }, { colour: 'green' })"),
        ("type T = {\n  colour: 'red' | 'green'\n}\nparam p T\n", "{ colour: p.colour }"),
        ("param p ('red' | 'green')?\n", "{ colour: p ?? 'red' }"),
    ],
)
def test_every_way_that_a_value_can_come_out_is_judged(folder: Path, before: str, properties: str) -> None:
    [finding] = _check(folder, _thing(properties, before=before)).findings
    assert "got 'green'" in finding


def test_every_item_of_a_loop_is_judged(folder: Path) -> None:
    source = (
        "resource a 'N.S/things@2020-01-01' = [for c in ['red', 'green']: {\n  name: 'abc'\n  location: 'here'\n"
        "  properties: { colour: c }\n}]\n"
    )
    [finding] = _check(folder, source).findings
    assert "got 'green'" in finding


def test_what_only_the_deployment_knows_is_counted_and_not_called_right(folder: Path) -> None:
    report = _check(folder, _thing("{ colour: p, count: p.x }", before="param p string\n"))
    assert report.findings == []
    assert [place.split(".")[-1] for place in report.open] == ["colour", "count"]


def test_an_unknown_value_of_the_wrong_kind_is_wrong(folder: Path) -> None:
    [finding] = _check(folder, _thing("{ colour: 'red', on: p }", before="param p string\n")).findings
    assert "expected boolean, got some string" in finding


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("resource a 'N.S/things@2021-01-01' = {}\n", "is not known; known versions: 2020-01-01"),
        ("resource a 'N.S/others@2020-01-01' existing = {\n  name: 'x'\n}\n", "is not known; known versions: none"),
        (_thing("{ colour: 'red' }", "  Tags: {}\n"), "a.Tags: is not known"),
        (_thing("{ colour: 'red' }", before="targetScope = 'subscription'\n"), "can't be deployed to a subscription"),
        (_thing("{ colour: 'red' }", "  scope: other\n"), "is no extension"),
        (_thing("{ colour: 'red' }").replace("  location: 'here'\n", ""), "a.location: is required and missing"),
        (_thing("{ colour: 'red' }").replace("'abc'", "'ABC'"), "does not match"),
        (_thing("{ colour: 'red' }").replace("'abc'", "'abcdef'"), "too long"),
    ],
)
def test_type_version_scope_and_head_are_judged(folder: Path, source: str, wrong: str) -> None:
    findings = _check(folder, source).findings
    assert any(wrong in finding for finding in findings)


def test_the_command_fails_where_something_is_wrong_and_where_there_is_nothing_to_check_against(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.bicep"
    for source, code in ((_thing("{ colour: 'red' }"), 0), (_thing("{}"), 1)):
        file.write_text(source, "utf-8")
        monkeypatch.setattr(sys, "argv", ["types", "--definitions", str(folder), str(file)])
        assert main() == code
    assert "properties.colour: is required and missing" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["types", "--definitions", str(tmp_path / "none"), str(file)])
    assert main() == 2
