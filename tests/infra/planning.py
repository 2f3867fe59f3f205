"""What a deployment of a Bicep file would ask for, given its parameters: the resources with scope and body.

Only the part of the language that stage two and the roles use is worked out: expressions, loops, conditions,
scopes, modules. It stands in for a compiler where a test wants to know what follows from a list of ids.
Values that only Azure knows (an identity, a region) are texts that say what they are.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tools.bicep import (
    BicepFile,
    Call,
    Choice,
    Condition,
    Interpolation,
    Lambda,
    Loop,
    Member,
    Module,
    Name,
    Operation,
    Resource,
    Value,
    read,
)
from tools.bicep.model import Required

_GUIDS: Final = uuid.UUID("5d1ff0a6-9d4b-4a86-8c2b-0b9f6f6f1c11")


@dataclass(frozen=True)
class Scope:
    """Where a file is deployed to; without a group it is the subscription."""

    subscription: str
    group: str = ""

    @property
    def id(self) -> str:
        subscription = f"/subscriptions/{self.subscription}"
        return f"{subscription}/resourceGroups/{self.group}" if self.group else subscription


@dataclass(frozen=True)
class Planned:
    """One resource that is made. ``scope`` is the id of what it is about or lies in."""

    symbol: str
    type: str
    name: str
    id: str
    scope: str
    body: Mapping[str, Any]
    file: str


@dataclass(frozen=True)
class _Reference:
    """A resource or a module as an expression sees it."""

    id: str
    name: str
    outputs: Mapping[str, Any] = field(default_factory=dict)

    def member(self, name: str) -> Any:
        known = {
            "id": self.id,
            "name": self.name,
            "outputs": self.outputs,
            "location": f"location of {self.id}",
            "identity": {"principalId": f"identity of {self.id}"},
        }
        return known[name]


def plan(path: Path, parameters: Mapping[str, Any], scope: Scope) -> list[Planned]:
    """The resources that a deployment of ``path`` makes, its modules' included. Raises :class:`KeyError`
    for a parameter that is missing or unknown."""
    return _Plan(read(path), parameters, scope).resources


def outputs(path: Path, parameters: Mapping[str, Any], scope: Scope) -> Mapping[str, Any]:
    """What such a deployment says at its end."""
    return _Plan(read(path), parameters, scope).outputs


class _Plan:
    """One file with its parameters."""

    def __init__(self, file: BicepFile, parameters: Mapping[str, Any], scope: Scope) -> None:
        unknown = parameters.keys() - file.parameters.keys()
        if unknown:
            raise KeyError(f"{file.path.name} has no parameter {sorted(unknown)}")
        self._file = file
        self._given = parameters
        self._scope = scope
        self._known: dict[str, Any] = {}
        self.resources: list[Planned] = []
        for symbol in (*file.resources, *file.modules):
            self._named(symbol)
        self.outputs = {name: self._value(output.value, {}) for name, output in file.outputs.items()}

    # --- declarations ---------------------------------------------------------------------------------------

    def _named(self, name: str) -> Any:
        if name not in self._known:
            self._known[name] = self._worked_out(name)
        return self._known[name]

    def _worked_out(self, name: str) -> Any:
        file = self._file
        if name in file.parameters:
            default = file.parameters[name].default
            if name in self._given:
                return self._given[name]
            if isinstance(default, Required):
                raise KeyError(f"{file.path.name} wants the parameter {name}")
            return self._value(default, {})
        if name in file.variables:
            return self._value(file.variables[name].value, {})
        if name in file.resources:
            return self._deployed(file.resources[name], file.resources[name].value, {}, made=True)
        return self._deployed(file.modules[name], file.modules[name].value, {}, made=True)

    def _deployed(self, what: Resource | Module, value: Value, local: Mapping[str, Any], *, made: bool) -> Any:
        if isinstance(value, Loop):
            items = self._value(value.source, local)
            return [
                self._deployed(
                    what, value.body, {**local, **dict(zip(value.variables, (item, i), strict=False))}, made=made
                )
                for i, item in enumerate(items)
            ]
        if isinstance(value, Condition):
            return self._deployed(what, value.body, local, made=made and bool(self._value(value.condition, local)))
        assert isinstance(value, dict)
        if isinstance(what, Module):
            return self._module(what, value, local) if made else _Reference("", "")
        return self._resource(what, value, local, made=made and not what.existing)

    def _module(self, module: Module, body: Mapping[str, Value], local: Mapping[str, Any]) -> _Reference:
        scope = self._value(body["scope"], local) if "scope" in body else self._scope
        given = {name: self._value(value, local) for name, value in module.params.items()}
        inner = _Plan(read(self._file.path.parent / module.path), given, scope)
        self.resources += inner.resources
        return _Reference("", str(self._value(body["name"], local)), inner.outputs)

    def _resource(
        self, what: Resource, body: Mapping[str, Value], local: Mapping[str, Any], *, made: bool
    ) -> _Reference:
        name = str(self._value(body["name"], local))
        parent = self._named(what.nested_in) if what.nested_in else self._value(body.get("parent"), local)
        scope = self._value(body["scope"], local) if "scope" in body else self._scope
        if parent is not None:
            place, identity = parent.id, f"{parent.id}/{what.type.rpartition('/')[2]}/{name}"
        else:
            place, identity = scope.id, f"{scope.id}/providers/{what.type}/{name}"
        if made:
            content = {key: self._value(value, local) for key, value in body.items() if key not in _NOT_BODY}
            self.resources.append(Planned(what.name, what.type, name, identity, place, content, self._file.path.name))
        return _Reference(identity, name)

    # --- expressions ----------------------------------------------------------------------------------------

    def _value(self, value: Value, local: Mapping[str, Any]) -> Any:
        match value:
            case list():
                return [self._value(item, local) for item in value]
            case dict():
                return {key: self._value(item, local) for key, item in value.items()}
            case Name(name=name):
                return local[name] if name in local else self._named(name)
            case Interpolation(pieces=pieces):
                return "".join(str(self._value(piece, local)) for piece in pieces)
            case Choice(condition=condition, yes=yes, no=no):
                return self._value(yes if self._value(condition, local) else no, local)
            case Loop(variables=variables, source=source, body=body):
                items = enumerate(self._value(source, local))
                return [self._value(body, {**local, **dict(zip(variables, (x, i), strict=False))}) for i, x in items]
            case Member():
                return self._member(value, local)
            case Operation(operator=operator, operands=operands):
                return _OPERATORS[operator](*(lambda part=part: self._value(part, local) for part in operands))
            case Call(function=function, arguments=arguments):
                return self._call(function, [self._argument(argument, local) for argument in arguments])
        return value

    def _argument(self, value: Value, local: Mapping[str, Any]) -> Any:
        if not isinstance(value, Lambda):
            return self._value(value, local)
        return lambda *given: self._value(value.body, {**local, **dict(zip(value.variables, given, strict=False))})

    def _member(self, value: Member, local: Mapping[str, Any]) -> Any:
        if "::" in value.text.rpartition(".")[2] or f"::{value.name}" in value.text:
            return self._named(str(value.name))
        of, name = self._value(value.of, local), self._value(value.name, local)
        if of is None and f".?{name}" in value.text:
            return None
        if isinstance(of, _Reference):
            return of.member(name)
        if isinstance(of, Scope):
            return {"id": of.id, "subscriptionId": of.subscription}[name]
        return of.get(name) if f".?{name}" in value.text else of[name]

    def _call(self, function: str, arguments: list[Any]) -> Any:
        if function == "subscription":
            return Scope(self._scope.subscription)
        if function == "resourceGroup":
            return self._scope if not arguments else Scope(*((self._scope.subscription, *arguments)[-2:]))
        if function == "subscriptionResourceId":
            kind, name = arguments
            return f"/subscriptions/{self._scope.subscription}/providers/{kind}/{name}"
        if function == "loadJsonContent":
            return json.loads((self._file.path.parent / arguments[0]).read_text("utf-8"))
        return _FUNCTIONS[function](*arguments)


_NOT_BODY: Final = frozenset({"name", "parent", "scope", "dependsOn"})


def _hashed(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:13]


def _union(*lists: list[Any]) -> list[Any]:
    return list(dict.fromkeys(item for items in lists for item in items))


_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "concat": lambda *lists: [item for items in lists for item in items],
    "contains": lambda items, item: item in items,
    "empty": lambda value: not value,
    "filter": lambda items, keep: [item for item in items if keep(item)],
    "first": lambda items: items[0] if items else None,
    "guid": lambda *parts: str(uuid.uuid5(_GUIDS, "\n".join(parts))),
    "join": lambda items, separator: separator.join(items),
    "last": lambda items: items[-1],
    "length": len,
    "map": lambda items, make: [make(item) for item in items],
    "split": lambda text, separator: text.split(separator),
    "startsWith": lambda text, start: text.lower().startswith(start.lower()),
    "take": lambda items, count: items[:count],
    "toLower": str.lower,
    "trim": str.strip,
    "union": _union,
    "uniqueString": _hashed,
}


def _or_else(value: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
    known = value()
    return otherwise() if known is None else known


# The operands are worked out only where they count, as Azure Resource Manager does it.
_OPERATORS: Final[Mapping[str, Callable[..., Any]]] = {
    "==": lambda a, b: a() == b(),
    "!=": lambda a, b: a() != b(),
    ">": lambda a, b: a() > b(),
    "&&": lambda a, b: a() and b(),
    "||": lambda a, b: a() or b(),
    "!": lambda a: not a(),
    "??": _or_else,
}


def role_of(assignment: Planned) -> str:
    """The GUID of the role that an assignment gives."""
    return str(assignment.body["properties"]["roleDefinitionId"]).rpartition("/")[2]
