"""What an expression can come out as: every way that it may, and nothing that it can't."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.bicep import Value, parse
from tools.bicep.evaluate import Evaluator, Outcome, Unknown

_DECLARED = (
    "type T = {\n  size: int\n  name: string?\n  inner: U?\n}\ntype U = {\n  colour: 'red' | 'blue'\n}\n"
    "param text string\nparam flag bool\nparam choice 'a' | 'b'\nparam maybe ('a' | 'b')?\n"
    "param t T\nparam list string[]\n"
    "var fixed = 'a'\nvar table = { a: 'one', b: 'two' }\n"
)


def _outcomes(expression: str, parameters: dict[str, Value] | None = None) -> list[Outcome]:
    file = parse(f"{_DECLARED}var x = {expression}\n")
    return Evaluator(file, parameters).outcomes(file.variables["x"].value)


@pytest.mark.parametrize(
    ("expression", "ways"),
    [
        ("'a'", ["a"]),
        ("fixed", ["a"]),
        ("'${fixed}-${choice}'", ["a-a", "a-b"]),
        ("'${text}-b'", [Unknown("string")]),
        ("text", [Unknown("string")]),
        ("maybe", ["a", "b", None]),
        ("maybe ?? 'c'", ["a", "b", "c"]),
        ("choice ?? 'c'", ["a", "b"]),
        ("text ?? 'c'", [Unknown("string"), "c"]),
        ("flag ? 1 : 2", [1, 2]),
        ("fixed == 'a' ? 1 : 2", [1]),
        ("fixed != 'a' ? 1 : 2", [2]),
        ("choice == 'a' ? 1 : 2", [1, 2]),
        ("!(fixed == 'a')", [False]),
        ("fixed == 'a' && choice == 'b'", [False, True]),
        ("flag && fixed == 'a'", [Unknown("bool")]),
        ("table[choice]", ["one", "two"]),
        ("table.a", ["one"]),
        ("table.?none", [None]),
        ("t.size", [Unknown("int")]),
        ("t.?name", [Unknown("string"), None]),
        ("t.?inner.?colour", ["red", "blue", None]),
        ("empty('') ? 1 : 2", [1]),
        ("empty(text) ? 1 : 2", [1, 2]),
        ("contains(table, 'a')", [True]),
        ("contains('abc', text)", [Unknown("bool")]),
        ("min(3, 2)", [2]),
        ("string(3)", ["3"]),
        ("guid(text)", [Unknown("string")]),
        ("split(text, ',')", [Unknown("array")]),
        ("somethingNew(text)", [Unknown()]),
        ("resourceGroup().location", [Unknown()]),
    ],
)
def test_every_way_is_followed(expression: str, ways: list[Outcome]) -> None:
    found = _outcomes(expression)
    assert len(found) == len(ways)
    assert all(way in found for way in ways)


@pytest.mark.parametrize(
    ("expression", "whole"),
    [
        ("[for i in ['a', 'b']: { n: i }]", [{"n": "a"}, {"n": "b"}]),
        ("[for (i, k) in ['a', 'b']: '${i}${k}']", ["a0", "b1"]),
        ("[for i in list: { n: i }]", [{"n": Unknown("string")}]),
        ("map([{ n: 1 }], i => i.n)", [1]),
        ("concat([1], [2])", [1, 2]),
        ("concat([1], list)", [1, Unknown()]),
        ("union({ a: 1, b: 1 }, { b: 2 })", {"a": 1, "b": 2}),
        ("items({ b: 1, a: 2 })", [{"key": "a", "value": 2}, {"key": "b", "value": 1}]),
        ("{ a: flag ? 1 : 2, b: fixed }", {"a": Unknown(), "b": "a"}),
        ("union(any({ b: 2 }), { a: 1 })", {"a": 1}),
    ],
)
def test_objects_and_lists_are_opened_to_the_bottom(expression: str, whole: Outcome) -> None:
    file = parse(f"{_DECLARED}var x = {expression}\n")
    assert Evaluator(file).all(file.variables["x"].value) == whole


def test_a_fixed_parameter_is_what_it_is() -> None:
    assert _outcomes("choice == 'a' ? 1 : 2", {"choice": "b"}) == [2]
    assert _outcomes("t.?inner.?colour ?? 'none'", {"t": {"size": 1}}) == ["none"]


def test_a_file_is_loaded_from_beside_the_template(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text('{"a": [1, 2]}', "utf-8")
    file = parse("var x = loadJsonContent('data.json').a[1]\n", tmp_path / "m.bicep")
    assert Evaluator(file).outcomes(file.variables["x"].value) == [2]


def test_too_many_ways_say_nothing() -> None:
    assert _outcomes("'${choice}${choice}${choice}${choice}${choice}${choice}${choice}'") == [Unknown()]
