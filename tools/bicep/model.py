"""A Bicep file as values: what is declared, and the expressions in it.

Literals are plain Python: ``str``, ``int``, ``bool``, ``None``, ``list`` and ``dict`` (a key with an
interpolation is kept as it is written, ``${…}`` included). Everything else is one of the small classes here.
:func:`walk` visits a value and all that it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias, Union

Value: TypeAlias = Union[str, int, bool, list["Value"], dict[str, "Value"], "Expression", None]


@dataclass(frozen=True)
class Expression:
    """Something that only the deployment knows the value of. ``text`` is its source."""

    text: str

    def parts(self) -> tuple[Value, ...]:
        """The values directly inside."""
        return ()


@dataclass(frozen=True)
class Name(Expression):
    """A parameter, variable, resource, module, or loop variable by its name."""

    name: str


@dataclass(frozen=True)
class Interpolation(Expression):
    """A string with expressions in it: ``pieces`` are its texts and values in order."""

    pieces: tuple[Value, ...]

    def parts(self) -> tuple[Value, ...]:
        return self.pieces


@dataclass(frozen=True)
class Call(Expression):
    """A function call, ``function`` as it is written (``az.resourceGroup``, ``storage.listKeys``)."""

    function: str
    target: Value
    arguments: tuple[Value, ...]

    def parts(self) -> tuple[Value, ...]:
        return (self.target, *self.arguments)


@dataclass(frozen=True)
class Member(Expression):
    """``of.name``, ``of.?name``, ``of::name`` or ``of[index]`` (then ``name`` is the index)."""

    of: Value
    name: Value

    def parts(self) -> tuple[Value, ...]:
        return (self.of, self.name) if isinstance(self.name, Expression) else (self.of,)


@dataclass(frozen=True)
class Operation(Expression):
    """A unary or binary operation."""

    operator: str
    operands: tuple[Value, ...]

    def parts(self) -> tuple[Value, ...]:
        return self.operands


@dataclass(frozen=True)
class Choice(Expression):
    """``condition ? yes : no``."""

    condition: Value
    yes: Value
    no: Value

    def parts(self) -> tuple[Value, ...]:
        return (self.condition, self.yes, self.no)


@dataclass(frozen=True)
class Loop(Expression):
    """``[for variables in source: body]``."""

    variables: tuple[str, ...]
    source: Value
    body: Value

    def parts(self) -> tuple[Value, ...]:
        return (self.source, self.body)


@dataclass(frozen=True)
class Condition(Expression):
    """``if (condition) body`` in front of a resource or module."""

    condition: Value
    body: Value

    def parts(self) -> tuple[Value, ...]:
        return (self.condition, self.body)


@dataclass(frozen=True)
class Lambda(Expression):
    """``(variables) => body``."""

    variables: tuple[str, ...]
    body: Value

    def parts(self) -> tuple[Value, ...]:
        return (self.body,)


@dataclass(frozen=True)
class Type:
    """The type of a parameter, an output or a property: ``literals`` if it is a choice of literals.

    ``properties`` are those of an object type, ``optional`` that ``?`` stands behind it.
    """

    text: str
    optional: bool = False
    literals: tuple[Value, ...] = ()
    properties: Mapping[str, Property] = field(default_factory=dict)


@dataclass(frozen=True)
class Declaration:
    """What every declaration has. ``decorators`` maps a decorator's name to its arguments."""

    name: str
    decorators: Mapping[str, tuple[Value, ...]]
    line: int

    @property
    def description(self) -> str:
        """The text of ``@description``, or nothing."""
        arguments = self.decorators.get("description") or self.decorators.get("sys.description") or ("",)
        return arguments[0] if isinstance(arguments[0], str) else ""


class Required:
    """In place of the default of a parameter that has none."""


REQUIRED: Final = Required()


@dataclass(frozen=True)
class Property(Declaration):
    """A property of an object type."""

    type: Type


@dataclass(frozen=True)
class Parameter(Declaration):
    """``param``. ``default`` is :data:`REQUIRED` where there is none."""

    type: Type
    default: Value | Required

    @property
    def required(self) -> bool:
        """Whether a caller has to give a value."""
        return isinstance(self.default, Required) and not self.type.optional


@dataclass(frozen=True)
class Variable(Declaration):
    """``var``."""

    value: Value


@dataclass(frozen=True)
class Output(Declaration):
    """``output``."""

    type: Type
    value: Value


@dataclass(frozen=True)
class TypeDeclaration(Declaration):
    """``type``."""

    type: Type


@dataclass(frozen=True)
class _Deployed(Declaration):
    """``value`` is the whole right side, ``body`` the object in it without loop and condition."""

    value: Value

    @property
    def body(self) -> dict[str, Value]:
        inner = self.value
        while isinstance(inner, Loop | Condition):
            inner = inner.body
        return inner if isinstance(inner, dict) else {}

    @property
    def conditional(self) -> bool:
        """Whether an ``if`` stands before it."""
        inner = self.value
        while isinstance(inner, Loop):
            inner = inner.body
        return isinstance(inner, Condition)


@dataclass(frozen=True)
class Resource(_Deployed):
    """``resource``: ``type`` and ``version`` of a nested one are joined with its parent's."""

    type: str
    version: str
    existing: bool
    nested_in: str = ""


@dataclass(frozen=True)
class Module(_Deployed):
    """``module``: ``path`` as it is written, relative to the file."""

    path: str

    @property
    def params(self) -> dict[str, Value]:
        """What it hands over."""
        given = self.body.get("params", {})
        return given if isinstance(given, dict) else {}


@dataclass(frozen=True)
class BicepFile:
    """A whole file. Declarations are found by their symbolic names."""

    path: Path
    target_scope: str
    imports: Mapping[str, str]
    parameters: Mapping[str, Parameter]
    variables: Mapping[str, Variable]
    types: Mapping[str, TypeDeclaration]
    resources: Mapping[str, Resource]
    modules: Mapping[str, Module]
    outputs: Mapping[str, Output]
    functions: Mapping[str, Value]

    def values(self) -> Iterator[Value]:
        """The values of all declarations: whatever the file does is in one of them."""
        for parameter in self.parameters.values():
            if not isinstance(parameter.default, Required):
                yield parameter.default
        yield from self.functions.values()
        for declared in (self.variables, self.resources, self.modules, self.outputs):
            yield from (item.value for item in declared.values())

    def calls(self, function: str) -> list[Call]:
        """The calls of a function, wherever they stand."""
        return [
            part
            for value in self.values()
            for part in walk(value)
            if isinstance(part, Call) and part.function == function
        ]

    def loads(self) -> list[Path]:
        """The files that ``loadTextContent``, ``loadJsonContent`` and their like read."""
        return [
            (self.path.parent / str(call.arguments[0])).resolve()
            for function in ("loadTextContent", "loadJsonContent", "loadYamlContent", "loadFileAsBase64")
            for call in self.calls(function)
        ]

    def names_used(self) -> set[str]:
        """Every name that an expression mentions."""
        parts = [part for value in self.values() for part in walk(value)]
        keys = [key for part in parts if isinstance(part, dict) for key in part]
        return {part.name for part in parts if isinstance(part, Name)} | {n for key in keys for n in names_in_key(key)}


def names_in_key(key: str) -> set[str]:
    """The names that an object's key begins its interpolations with."""
    return set(re.findall(r"\$\{\s*(\w+)", key))


def walk(value: Value) -> Iterator[Value]:
    """The value and everything inside it, outermost first."""
    yield value
    inner: Iterator[Value] | tuple[Value, ...]
    if isinstance(value, list):
        inner = iter(value)
    elif isinstance(value, dict):
        inner = iter(value.values())
    elif isinstance(value, Expression):
        inner = value.parts()
    else:
        return
    for part in inner:
        yield from walk(part)
