"""The reader of Bicep files: what it makes of each construct that ``infra/`` uses."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.bicep import (
    BicepError,
    Call,
    Choice,
    Condition,
    Interpolation,
    Lambda,
    Loop,
    Member,
    Name,
    Operation,
    Value,
    parse,
    walk,
)


def _value(expression: str) -> Value:
    return parse(f"var x = {expression}\n").variables["x"].value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("'a'", "a"),
        (r"'it\'s \${no} \\ \u{41}\n'", "it's ${no} \\ A\n"),
        ("'''\nfirst\n'second' ${no}\n'''", "first\n'second' ${no}\n"),
        ("-3", -3),
        ("true", True),
        ("null", None),
        ("[\n  1\n  'b'\n]", [1, "b"]),
        ("{\n  a: 1\n  'b-c': { d: [] }\n}", {"a": 1, "b-c": {"d": []}}),
        ("(1)", 1),
        ("{\n  // why\n  a: 1 // because\n}", {"a": 1}),
    ],
)
def test_literals_are_plain_values(expression: str, value: Value) -> None:
    assert _value(expression) == value


def test_expressions_keep_their_parts() -> None:
    interpolation = _value("'a${b}c'")
    assert isinstance(interpolation, Interpolation)
    assert [piece if isinstance(piece, str) else piece.text for piece in interpolation.parts() if piece] == [  # type: ignore[union-attr]
        "a",
        "b",
        "c",
    ]
    call = _value("storage.listKeys('x')")
    assert isinstance(call, Call)
    assert (call.function, call.arguments) == ("storage.listKeys", ("x",))
    member = _value("a.?b::c[0]")
    assert isinstance(member, Member)
    assert member.name == 0
    choice = _value("a == 'b' ? 1 : !c")
    assert isinstance(choice, Choice)
    assert isinstance(choice.condition, Operation)
    assert choice.condition.operator == "=="
    function = _value("map(a, (b, c) => b)")
    assert isinstance(function, Call)
    assert isinstance(function.arguments[1], Lambda)
    assert function.arguments[1].variables == ("b", "c")
    assert {part.name for part in walk(function) if isinstance(part, Name)} == {"a", "b"}


def _shape(value: Value) -> str:
    """The expression with every binding in brackets."""
    match value:
        case Choice():
            return f"[{_shape(value.condition)} ? {_shape(value.yes)} : {_shape(value.no)}]"
        case Operation():
            return f"[{f' {value.operator} '.join(map(_shape, value.operands))}]"
        case Lambda():
            return f"[{' '.join(value.variables)} => {_shape(value.body)}]"
        case Member():
            return f"{_shape(value.of)}.{_shape(value.name)}"
        case Call():
            return f"{_shape(value.target)}.{value.function}()"
        case Name():
            return value.name
        case _:
            return str(value)


@pytest.mark.parametrize(
    ("expression", "shape"),
    [
        ("a ? b : c.d", "[a ? b : c.d]"),
        ("a ? b : c.d.e[0]", "[a ? b : c.d.e.0]"),
        ("a ? b : c::d.e", "[a ? b : c.d.e]"),
        ("(a ? b : c).d", "[a ? b : c].d"),
        ("a ? b : (c ? d : e).f", "[a ? b : [c ? d : e].f]"),
        ("a ? b : c ? d : e.f", "[a ? b : [c ? d : e.f]]"),
        ("a ? b : c.d == 1", "[a ? b : [c.d == 1]]"),
        ("a ? b : c.d ? e : f", "[a ? b : [c.d ? e : f]]"),
        ("a ? b : c.d(1)", "[a ? b : c.c.d()]"),
        ("a == b.c", "[a == b.c]"),
        ("a || b.c == 1", "[a || [b.c == 1]]"),
        ("a == b.c || d", "[[a == b.c] || d]"),
        ("(a || b).c == d", "[[a || b].c == d]"),
        ("a ?? b.c", "[a ?? b.c]"),
        ("a ?? b.c ?? d", "[[a ?? b.c] ?? d]"),
        ("!a.b", "[a.b]"),
        ("!a.b && c", "[[a.b] && c]"),
    ],
)
def test_what_binds_tighter_is_bound_first(expression: str, shape: str) -> None:
    assert _shape(_value(expression)) == shape


def test_a_lambda_holds_all_that_follows() -> None:
    call = _value("map(a, b => b.c == 1 ? b.d : e.f)")
    assert isinstance(call, Call)
    assert _shape(call.arguments[1]) == "[b => [[b.c == 1] ? b.d : e.f]]"


def test_loops_and_conditions_stand_around_a_body() -> None:
    file = parse("module m 'a.bicep' = [for (item, index) in items: if (index > 0) {\n  params: { p: item }\n}]\n")
    module = file.modules["m"]
    assert isinstance(module.value, Loop)
    assert module.value.variables == ("item", "index")
    assert isinstance(module.value.body, Condition)
    assert module.conditional
    assert module.path == "a.bicep"
    assert list(module.params) == ["p"]


def test_a_parameter_has_type_default_and_decorators() -> None:
    file = parse(
        "@description('Which.')\n@minLength(3)\nparam a string\n"
        "@allowed([\n  'x'\n  'y'\n])\nparam b string = 'x'\n"
        "param c ('p' | 'q' | 'r')?\n"
    )
    a, b, c = file.parameters.values()
    assert (a.description, a.decorators["minLength"], a.required) == ("Which.", (3,), True)
    assert (b.type.literals, b.default, b.required) == (("x", "y"), "x", False)
    assert (c.type.literals, c.type.optional, c.required) == (("p", "q", "r"), True, False)


def test_the_properties_of_a_type_have_descriptions() -> None:
    file = parse("@export()\ntype T = {\n  @description('One.')\n  one: string\n  two: int?\n}\n")
    properties = file.types["T"].type.properties
    assert [(name, p.description, p.type.optional) for name, p in properties.items()] == [
        ("one", "One.", False),
        ("two", "", True),
    ]


def test_a_nested_resource_takes_type_and_version_from_its_parent() -> None:
    file = parse(
        "resource a 'N.S/as@2020-01-01' = {\n  name: 'a'\n  @description('d')\n  resource b 'bs' = {\n    name: 'b'\n"
        "    resource c 'cs@2021-01-01' existing = {\n      name: 'c'\n    }\n  }\n}\n"
    )
    b, c = file.resources["b"], file.resources["c"]
    assert (b.type, b.version, b.nested_in, b.description) == ("N.S/as/bs", "2020-01-01", "a", "d")
    assert (c.type, c.version, c.nested_in, c.existing) == ("N.S/as/bs/cs", "2021-01-01", "b", True)
    assert file.resources["a"].body == {"name": "a"}


def test_loaded_files_are_found_beside_the_file() -> None:
    file = parse(
        "var a = loadJsonContent('../x.json').columns\nvar b = [loadTextContent('q/y.kql')]\n", Path("/i/m/a.bicep")
    )
    assert sorted(file.loads()) == [Path("/i/m/q/y.kql"), Path("/i/x.json")]


@pytest.mark.parametrize(
    "again", ["param a int\n", "var a = 1\n", "resource a 'N.S/as@2020-01-01' = {}\n", "module a 'm.bicep' = {}\n"]
)
def test_a_name_is_declared_once(again: str) -> None:
    with pytest.raises(BicepError, match="a is declared twice"):
        parse(f"param a string\n{again}")
    assert parse("param a string\noutput a string = a\n").outputs["a"].value == Name("a", "a")


def test_a_function_binds_its_parameters() -> None:
    function = parse("func f(a string, b int) string => '${a}${b}'\n").functions["f"]
    assert isinstance(function, Lambda)
    assert function.variables == ("a", "b")


_LITERALS: st.SearchStrategy[Value] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def _written(value: Value) -> str:
    """The value as Bicep source, every character of a string escaped that isn't a plain letter or digit."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            plain = (c if c.isascii() and c.isalnum() else f"\\u{{{ord(c):x}}}" for c in value)
            return f"'{''.join(plain)}'"
        case list():
            return "".join(["[", *(f"\n{_written(item)}" for item in value), "\n]"])
        case dict():
            return "".join(["{", *(f"\n{_written(key)}: {_written(item)}" for key, item in value.items()), "\n}"])
    return str(value)


@given(_LITERALS)
def test_any_literal_is_read_as_it_was_written(value: Value) -> None:
    assert _value(_written(value)) == value


@pytest.mark.parametrize(
    "source",
    [
        "param = 3\n",
        "resource a 'b@c' = {\n",
        "var x = {\n  ...y\n}\n",
        "output x string = y.z!\n",
        "assert a = true\n",
    ],
)
def test_what_is_not_understood_is_an_error_with_its_place(source: str) -> None:
    with pytest.raises(BicepError, match=r"snippet\.bicep:\d+: "):
        parse(source)
