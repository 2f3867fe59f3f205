"""Holds the bodies of all resources in ``infra/`` against Azure's published types.

``python -m tools.bicep.types --definitions DIR`` with DIR a checkout of ``Azure/bicep-types-az`` (or its folder
``generated``). Named are: a type or api-version that is not known, a property that is not known, one that is
required and missing, one that is read-only and set, a value of the wrong kind or out of its range or list, and a
resource in a template of a scope that it can't be deployed to. What can't be judged before a deployment is counted.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tools.bicep.definitions import READ_ONLY, REQUIRED, Definition, Definitions
from tools.bicep.evaluate import Evaluator, Inside, Outcome, Scoped, Unknown
from tools.bicep.model import BicepFile, Resource
from tools.bicep.reader import read

ROOT: Final = Path(__file__).resolve().parent.parent.parent
# Bicep's own words in a body, and what the declaration's head already says.
_BICEP: Final = {"parent", "scope", "dependsOn"}
_HEAD: Final = {"id", "type", "apiVersion"}
_SIMPLE: Final = {"StringType": "string", "IntegerType": "int", "BooleanType": "bool"}


@dataclass
class Report:
    """``findings`` are wrong; ``judged`` counts the values held against a type, ``open`` names those that can't be."""

    findings: list[str] = field(default_factory=list)
    resources: set[str] = field(default_factory=set)
    judged: int = 0
    open: list[str] = field(default_factory=list)


def main() -> int:
    """Checks and prints. Returns 1 if anything is wrong, 2 if there is nothing to check against."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--definitions", type=Path, required=True, help="a checkout of Azure/bicep-types-az")
    parser.add_argument("--verbose", action="store_true", help="also name what is known, and what can't be judged")
    parser.add_argument("files", type=Path, nargs="*", help="Bicep files; all below infra/ if none is named")
    arguments = parser.parse_args()
    definitions = Definitions(arguments.definitions)
    if not definitions:
        print(f"no types.json below {arguments.definitions}", file=sys.stderr)
        return 2
    files = arguments.files or sorted((ROOT / "infra").rglob("*.bicep"))
    report = check([read(file) for file in files], definitions)
    for finding in report.findings:
        print(finding)
    if arguments.verbose:
        for resource in sorted(report.resources):
            print(f"known: {resource}")
        for place in report.open:
            print(f"open: {place}")
    print(
        f"{len(files)} files, {len(report.resources)} resource types: {report.judged} values judged, "
        f"{len(report.open)} known only to the deployment, {len(report.findings)} wrong"
    )
    return 1 if report.findings else 0


def check(files: Iterable[BicepFile], definitions: Definitions) -> Report:
    """All resources of the files, those that are only referred to included."""
    report = Report()
    for file in files:
        for resource in file.resources.values():
            _Check(file, resource, definitions, report).run()
    return report


class _Check:
    """One resource against its type."""

    def __init__(self, file: BicepFile, resource: Resource, definitions: Definitions, report: Report) -> None:
        self._file = file
        self._resource = resource
        self._definitions = definitions
        self._report = report
        self._evaluator = Evaluator(file)

    def run(self) -> None:
        resource = self._resource
        definition = self._definitions.resource(resource.type, resource.version)
        if definition is None:
            versions = ", ".join(self._definitions.versions(resource.type)) or "none"
            self._wrong("", f"{resource.type}@{resource.version} is not known; known versions: {versions}")
            return
        self._report.resources.add(f"{definition.name}@{resource.version}")
        if resource.existing:
            return
        if not (resource.nested_in or {"scope", "parent"} & set(resource.body)):
            if not definition.deploys_to(self._file.target_scope):
                self._wrong("", f"{resource.type} can't be deployed to a {self._file.target_scope}")
        elif "scope" in resource.body and not definition.deploys_to("extension"):
            self._wrong("scope", f"{resource.type} is no extension of another resource")
        for body in self._bodies():
            self._object({k: v for k, v in body.items() if k not in _BICEP}, definition.body, "", given=_HEAD)

    def _bodies(self) -> Iterator[dict[str, Inside]]:
        """The body once for each way that a loop around it goes."""
        pending: list[Inside] = [Scoped(self._resource.value)]
        while pending:
            for way in self._evaluator.inside(pending.pop()):
                if isinstance(way, list):
                    pending += way
                elif isinstance(way, dict):
                    yield way
                else:
                    self._open("")

    def _value(self, value: Inside, type_: Definition, path: str, *, required: bool) -> None:
        for way in self._evaluator.inside(value):
            if way is None:
                if required:
                    self._wrong(path, "is required and may be null")
            else:
                self._one(way, type_, path)

    def _one(self, way: Outcome, type_: Definition, path: str) -> None:
        if type_.kind == "AnyType":
            self._report.judged += 1
        elif isinstance(way, Unknown):
            self._unknown(way, type_, path)
        elif type_.kind == "UnionType":
            self._union(way, type_, path)
        elif isinstance(way, dict):
            self._object(way, type_, path)
        elif isinstance(way, list):
            self._array(way, type_, path)
        else:
            self._simple(way, type_, path)

    def _unknown(self, way: Unknown, type_: Definition, path: str) -> None:
        kinds = _kinds(type_)
        if not way.kind or (type_.kind == "UnionType" and way.kind not in kinds) or "StringLiteralType" in kinds:
            self._open(path)
        elif way.kind not in kinds:
            self._wrong(path, f"expected {_shown(type_)}, got some {way.kind}")
        else:
            self._report.judged += 1

    def _union(self, way: Outcome, type_: Definition, path: str) -> None:
        """At least one member has to accept it."""
        for member in type_.members:
            attempt = _Check(self._file, self._resource, self._definitions, Report())
            attempt._one(way, member, path)
            if not attempt._report.findings:
                self._report.judged += 1
                return
        self._wrong(path, f"expected {_shown(type_)}, got {way!r}")

    def _object(self, body: dict[str, Inside], type_: Definition, path: str, given: Iterable[str] = ()) -> None:
        if type_.kind == "DiscriminatedObjectType":
            chosen = self._variant(body, type_, path)
            if chosen is None:
                return
            properties, additional = {**type_.properties, **chosen.properties}, chosen.additional
        elif type_.kind == "ObjectType":
            properties, additional = type_.properties, type_.additional
        else:
            self._wrong(path, f"expected {_shown(type_)}, got an object")
            return
        for name, value in body.items():
            here = f"{path}.{name}".lstrip(".")
            if name in properties:
                property_, flags = properties[name]
                if flags & READ_ONLY:
                    self._wrong(here, "is read-only")
                elif not (name == "name" and not path and self._is_nested_name(value)):
                    self._value(value, property_, here, required=bool(flags & REQUIRED))
            elif additional is not None:
                self._value(value, additional, here, required=False)
            else:
                near = [known for known in properties if known.lower() == name.lower()]
                self._wrong(here, f"is not known{f'; there is {near[0]}' if near else ''}")
        for name, (_, flags) in properties.items():
            if flags & REQUIRED and not flags & READ_ONLY and name not in body and name not in given:
                self._wrong(f"{path}.{name}".lstrip("."), "is required and missing")

    def _is_nested_name(self, value: Inside) -> bool:
        """A child without ``parent`` is named ``parent/child``, which the type of its name knows nothing of."""
        return any(isinstance(way, str) and "/" in way for way in self._evaluator.inside(value))

    def _variant(self, body: dict[str, Inside], type_: Definition, path: str) -> Definition | None:
        key = type_.raw["discriminator"]
        for way in self._evaluator.inside(body.get(key)):
            if isinstance(way, str) and type_.variant(way):
                return type_.variant(way)
            if isinstance(way, Unknown):
                self._open(f"{path}.{key}".lstrip("."))
            else:
                self._wrong(f"{path}.{key}".lstrip("."), f"expected one of {', '.join(type_.variants)}, got {way!r}")
        return None

    def _array(self, items: list[Inside], type_: Definition, path: str) -> None:
        if type_.kind != "ArrayType":
            self._wrong(path, f"expected {_shown(type_)}, got an array")
            return
        if len(items) < type_.raw.get("minLength", 0) or len(items) > type_.raw.get("maxLength", len(items)):
            self._wrong(path, f"{len(items)} items are too few or too many")
        for item in items:
            self._value(item, type_.items, f"{path}[]", required=True)

    def _simple(self, way: str | int | bool | None, type_: Definition, path: str) -> None:
        self._report.judged += 1
        raw = type_.raw
        if type_.kind == "StringLiteralType":
            if way != raw["value"]:
                self._wrong(path, f"expected {_shown(type_)}, got {way!r}")
        elif _SIMPLE.get(type_.kind) != {str: "string", bool: "bool", int: "int"}[type(way)]:
            self._wrong(path, f"expected {_shown(type_)}, got {way!r}")
        elif isinstance(way, str):
            if not raw.get("minLength", 0) <= len(way) <= raw.get("maxLength", len(way)):
                self._wrong(path, f"{way!r} is too short or too long")
            elif "pattern" in raw and not re.search(raw["pattern"], way):
                self._wrong(path, f"{way!r} does not match {raw['pattern']}")
        elif not raw.get("minValue", way) <= way <= raw.get("maxValue", way):
            self._wrong(path, f"{way!r} is out of range")

    def _open(self, path: str) -> None:
        self._report.open.append(self._place(path))

    def _wrong(self, path: str, what: str) -> None:
        finding = f"{self._place(path)}: {what}"
        if finding not in self._report.findings:
            self._report.findings.append(finding)

    def _place(self, path: str) -> str:
        return f"{self._file.path}:{self._resource.line}: {self._resource.name}{f'.{path}' if path else ''}"


def _kinds(type_: Definition) -> set[str]:
    """The kinds of values that a type takes; StringLiteralType is one of its own, as not every string will do."""
    if type_.kind == "UnionType":
        kinds = {kind for member in type_.members for kind in _kinds(member)}
        return kinds - {"StringLiteralType"} if "string" in kinds else kinds
    if type_.kind == "AnyType":
        return {"string", "int", "bool", "array", "object"}
    return {
        _SIMPLE.get(type_.kind)
        or {"ArrayType": "array", "StringLiteralType": "StringLiteralType"}.get(type_.kind, "object")
    }


def _shown(type_: Definition) -> str:
    if type_.kind == "UnionType":
        return " | ".join(_shown(member) for member in type_.members)
    return repr(type_.raw["value"]) if type_.kind == "StringLiteralType" else type_.kind.removesuffix("Type").lower()


if __name__ == "__main__":
    sys.exit(main())
