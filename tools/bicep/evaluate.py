"""What a Bicep expression can come out as, as far as it can be told before a deployment.

Not an evaluator of all of Bicep: of a condition that nobody can decide both branches are followed, and what only
the deployment knows is :class:`Unknown`. Objects and lists are opened one level at a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Final, TypeAlias

from tools.bicep.model import (
    BicepFile,
    Call,
    Choice,
    Condition,
    Expression,
    Interpolation,
    Lambda,
    Loop,
    Member,
    Name,
    Operation,
    Type,
    Value,
)
from tools.bicep.reader import read


@dataclass(frozen=True)
class Unknown:
    """Known by the deployment only. ``kind`` is string, int, bool, array or object, empty if not even that is known.

    ``item`` is the type of an array's items as it is declared.
    """

    kind: str = ""
    item: str = ""


@dataclass(frozen=True)
class Ways:
    """Several outcomes in one place of an object."""

    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True)
class Scoped:
    """A value, and what the names of loops and lambdas around it stand for."""

    value: Value
    names: Mapping[str, Inside] = field(default_factory=dict)


Inside: TypeAlias = "Outcome | Scoped | Ways"
Outcome: TypeAlias = "str | int | bool | list[Inside] | dict[str, Inside] | Unknown | None"

_STRINGS: Final = (
    "format guid join replace resourceId subscriptionResourceId tenantResourceId substring toLower toUpper "
    "trim uniqueString uri extensionResourceId loadTextContent newGuid utcNow dateTimeAdd"
)
_KINDS: Final = {
    **dict.fromkeys(_STRINGS.split(), "string"),
    **dict.fromkeys(("contains", "empty", "startsWith", "endsWith", "bool"), "bool"),
    **dict.fromkeys(("length", "int", "max", "min", "indexOf"), "int"),
    **dict.fromkeys(("split", "range", "items", "filter", "map", "concat", "array", "flatten", "objectKeys"), "array"),
    **dict.fromkeys(("union", "toObject", "object", "loadJsonContent"), "object"),
}
_TYPES: Final = {"string": "string", "int": "int", "bool": "bool", "object": "object", "array": "array"}
_ENOUGH: Final = 64  # more ways than this of one value say no more than "unknown"


class Evaluator:
    """Follows the names of one file. ``parameters`` fixes some of them; the others may be anything that they allow."""

    def __init__(self, file: BicepFile, parameters: Mapping[str, Value] | None = None) -> None:
        self._file = file
        self._parameters = parameters or {}

    def outcomes(self, of: Value | Scoped) -> list[Outcome]:
        """All ways that the value can come out, its inside still unopened."""
        scoped = of if isinstance(of, Scoped) else Scoped(of)
        value = scoped.value
        if isinstance(value, list):
            return [[Scoped(item, scoped.names) for item in value]]
        if isinstance(value, dict):
            return [{key: Scoped(item, scoped.names) for key, item in value.items()}]
        if not isinstance(value, Expression):
            return [value]
        follow = self._FOLLOW.get(type(value))
        found: list[Outcome] = follow(self, value, scoped.names) if follow else [Unknown()]
        return found if len(found) <= _ENOUGH else [Unknown()]

    def inside(self, of: Inside) -> list[Outcome]:
        """The same for what stands in an object or a list that is opened already."""
        if isinstance(of, Ways):
            return list(of.outcomes)
        return self.outcomes(of) if isinstance(of, Scoped) else [of]

    def all(self, of: Value | Scoped) -> Outcome:
        """The one way it comes out, opened to the bottom; :class:`Unknown` where there are several."""
        return self._opened(self.outcomes(of))

    def _opened(self, outcomes: list[Outcome]) -> Outcome:
        if len(outcomes) != 1:
            return Unknown()
        [only] = outcomes
        if isinstance(only, list):
            return [self._opened(self.inside(item)) for item in only]
        if isinstance(only, dict):
            return {key: self._opened(self.inside(item)) for key, item in only.items()}
        return only

    def _name(self, value: Name, names: Mapping[str, Inside]) -> list[Outcome]:
        if value.name in names:
            return self.inside(names[value.name])
        if value.name in self._file.variables:
            return self.outcomes(self._file.variables[value.name].value)
        if value.name in self._parameters:
            return self.outcomes(self._parameters[value.name])
        parameter = self._file.parameters.get(value.name)
        if parameter is None:
            return [Unknown()]
        return _distinct([*self._typed(parameter.type), *([None] if parameter.default is None else [])])

    def _typed(self, type_: Type) -> list[Outcome]:
        """What a value of a declared type may be: an object with its properties, a literal of a choice, any string."""
        nothing: list[Outcome] = [None] if type_.optional else []
        text = type_.text.removesuffix("?").strip("()")
        if type_.literals:
            return [*(way for literal in type_.literals for way in self.outcomes(literal)), *nothing]
        if type_.properties:
            inside: dict[str, Inside] = {n: Ways(tuple(self._typed(p.type))) for n, p in type_.properties.items()}
            return [inside, *nothing]
        if text in self._types:
            return [*self._typed(self._types[text]), *nothing]
        if text.endswith("[]"):
            return [Unknown("array", item=text.removesuffix("[]")), *nothing]
        return [Unknown(_TYPES.get(text, "")), *nothing]

    @cached_property
    def _types(self) -> dict[str, Type]:
        """The types that this file declares, and those of the files that it imports from."""
        imported = [read(self._file.path.parent / source) for source in sorted(set(self._file.imports.values()))]
        return {name: found.type for file in (*imported, self._file) for name, found in file.types.items()}

    def _interpolation(self, value: Interpolation, names: Mapping[str, Inside]) -> list[Outcome]:
        ways: list[Outcome] = []
        for pieces in product(*(self.outcomes(Scoped(piece, names)) for piece in value.pieces)):
            known = all(isinstance(piece, str | int) for piece in pieces)
            ways.append("".join(map(str, pieces)) if known else Unknown("string"))
        return _distinct(ways)

    def _choice(self, value: Choice, names: Mapping[str, Inside]) -> list[Outcome]:
        ways = []
        for condition in self.outcomes(Scoped(value.condition, names)):
            if condition is not False:
                ways += self.outcomes(Scoped(value.yes, names))
            if condition is not True:
                ways += self.outcomes(Scoped(value.no, names))
        return _distinct(ways)

    def _operation(self, value: Operation, names: Mapping[str, Inside]) -> list[Outcome]:
        sides = [self.outcomes(Scoped(operand, names)) for operand in value.operands]
        if value.operator == "??":
            left, right = sides
            may_be_null = any(way is None or isinstance(way, Unknown) for way in left)
            return _distinct([*(way for way in left if way is not None), *(right if may_be_null else [])])
        if value.operator == "!":
            return _distinct([not way if isinstance(way, bool) else Unknown("bool") for way in sides[0]])
        if value.operator in {"==", "!="}:
            pairs = list(product(*sides))
            if all(isinstance(side, str | int | None) for pair in pairs for side in pair):
                return _distinct([(left == right) is (value.operator == "==") for left, right in pairs])
        if value.operator in {"&&", "||"} and all(isinstance(way, bool) for side in sides for way in side):
            join = all if value.operator == "&&" else any
            return _distinct([join(map(bool, pair)) for pair in product(*sides)])
        return [Unknown("int" if value.operator in {"+", "-", "*", "/", "%"} else "bool")]

    def _member(self, value: Member, names: Mapping[str, Inside]) -> list[Outcome]:
        ways: list[Outcome] = []
        keys: list[Outcome] = (
            self.outcomes(Scoped(value.name, names)) if isinstance(value.name, Expression) else [value.name]  # type: ignore[list-item]
        )
        for owner, key in product(self.outcomes(Scoped(value.of, names)), keys):
            if isinstance(owner, list) and isinstance(key, int) and key < len(owner):
                ways += self.inside(owner[key])
            elif isinstance(owner, dict) and isinstance(key, str) and (key in owner or not _open_ended(owner)):
                ways += self.inside(owner.get(key))
            elif owner is None:
                ways.append(None)
            else:
                ways.append(Unknown("string" if key in {"id", "name"} and isinstance(value.of, Name) else ""))
        return _distinct(ways)

    def _loop(self, value: Loop, names: Mapping[str, Inside]) -> list[Outcome]:
        return self._each(self.outcomes(Scoped(value.source, names)), value.variables, value.body, names)

    def _each(
        self, sources: list[Outcome], variables: tuple[str, ...], body: Value, names: Mapping[str, Inside]
    ) -> list[Outcome]:
        """A list for each way that the source can come out: the body for every item of it."""
        ways: list[Outcome] = []
        for source in sources:
            known = isinstance(source, list)
            item = source.item if isinstance(source, Unknown) else ""
            anything: list[Inside] = [Ways(tuple(self._typed(Type(item))))]
            rows: list[Inside] = []
            for index, row in enumerate(source if isinstance(source, list) else anything):
                bound: dict[str, Inside] = {variables[0]: row}
                bound.update(dict.fromkeys(variables[1:], index if known else Unknown("int")))
                rows.append(Scoped(body, {**names, **bound}))
            ways.append(rows)
        return ways

    def _condition(self, value: Condition, names: Mapping[str, Inside]) -> list[Outcome]:
        return self.outcomes(Scoped(value.body, names))

    def _call(self, value: Call, names: Mapping[str, Inside]) -> list[Outcome]:
        function = value.function.removeprefix("sys.").removeprefix("az.")
        arguments = [self.outcomes(Scoped(argument, names)) for argument in value.arguments if not _is_lambda(argument)]
        if function == "loadJsonContent":
            file = self._file.path.parent / str(value.arguments[0])
            return [json.loads(file.read_text("utf-8"))]
        if function == "map" and isinstance(value.arguments[1], Lambda):
            return self._each(arguments[0], value.arguments[1].variables, value.arguments[1].body, names)
        if function == "filter":
            # Which items stay is left open: each of them may.
            return arguments[0]
        if function in _FUNCTIONS:
            return _distinct([_FUNCTIONS[function](ways) for ways in product(*arguments)])
        return [Unknown(_KINDS.get(function, ""))]

    _FOLLOW: Final[Mapping[type[Expression], Callable[..., list[Outcome]]]] = {
        Name: _name,
        Interpolation: _interpolation,
        Choice: _choice,
        Operation: _operation,
        Member: _member,
        Loop: _loop,
        Condition: _condition,
        Call: _call,
    }


def _is_lambda(value: Value) -> bool:
    return isinstance(value, Lambda)


def _distinct(ways: list[Outcome]) -> list[Outcome]:
    seen: list[Outcome] = []
    for way in ways:
        if not any(type(way) is type(other) and way == other for other in seen):
            seen.append(way)
    return seen


def _open_ended(of: dict[str, Inside]) -> bool:
    """Whether a key of it is put together, so that nobody can say which keys it has."""
    return any("${" in key for key in of)


def _union(ways: tuple[Outcome, ...]) -> Outcome:
    # Bicep also merges objects inside the objects; here the last one stands for all of them.
    if all(isinstance(way, dict) for way in ways):
        return {key: item for way in ways if isinstance(way, dict) for key, item in way.items()}
    if all(isinstance(way, list) for way in ways):
        return [item for way in ways if isinstance(way, list) for item in way]
    return Unknown(next((kind for kind in map(_kind, ways) if kind), ""))


def _any(ways: tuple[Outcome, ...]) -> Outcome:
    # What is in it is for the service alone. Of an object that it is joined with, the rest can still be judged.
    return {} if all(isinstance(way, dict) for way in ways) else Unknown()


def _concat(ways: tuple[Outcome, ...]) -> Outcome:
    if all(isinstance(way, str) for way in ways):
        return "".join(str(way) for way in ways)
    # What is known of the list is kept, so that it can be judged.
    if any(isinstance(way, list) for way in ways):
        return [item for way in ways for item in (way if isinstance(way, list) else [Unknown()])]
    return Unknown(next((kind for kind in map(_kind, ways) if kind), ""))


def _items(ways: tuple[Outcome, ...]) -> Outcome:
    [of] = ways
    if not isinstance(of, dict):
        return Unknown("array")
    return [{"key": key, "value": of[key]} for key in sorted(of, key=str.lower)]


def _empty(ways: tuple[Outcome, ...]) -> Outcome:
    [of] = ways
    return Unknown("bool") if isinstance(of, Unknown) else of in ("", None) or of in ([], {})


def _contains(ways: tuple[Outcome, ...]) -> Outcome:
    where, what = ways
    if isinstance(where, str | dict) and isinstance(what, str):
        return what in where
    return Unknown("bool")


def _string(ways: tuple[Outcome, ...]) -> Outcome:
    [of] = ways
    return str(of) if isinstance(of, str | int) else Unknown("string")


def _extreme(of: Callable[..., int]) -> Callable[[tuple[Outcome, ...]], Outcome]:
    def pick(ways: tuple[Outcome, ...]) -> Outcome:
        return of(ways) if all(isinstance(way, int) for way in ways) else Unknown("int")

    return pick


def _kind(way: Outcome) -> str:
    if isinstance(way, Unknown):
        return way.kind
    return {str: "string", bool: "bool", int: "int", list: "array", dict: "object"}.get(type(way), "")


_FUNCTIONS: Final[Mapping[str, Callable[[tuple[Outcome, ...]], Outcome]]] = {
    "any": _any,
    "union": _union,
    "concat": _concat,
    "items": _items,
    "empty": _empty,
    "contains": _contains,
    "string": _string,
    "min": _extreme(min),
    "max": _extreme(max),
}
