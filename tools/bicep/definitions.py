"""Azure's published types, from a checkout of ``Azure/bicep-types-az`` (the user's: it is not part of this project).

``generated/<group>/<provider>/<api-version>/types.json`` is a list of types that refer to each other by index.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

REQUIRED: Final = 1
READ_ONLY: Final = 2
_SCOPES: Final = {"tenant": 1, "managementGroup": 2, "subscription": 4, "resourceGroup": 8, "extension": 16}


@dataclass(frozen=True)
class Definition:
    """One type of a ``types.json``, by its raw description."""

    raw: Mapping[str, Any]
    _all: list[Mapping[str, Any]]

    @property
    def kind(self) -> str:
        """ObjectType, UnionType, StringType, and so on."""
        return str(self.raw["$type"])

    def at(self, reference: Mapping[str, str]) -> Definition:
        """What a reference leads to."""
        return Definition(self._all[int(reference["$ref"].rsplit("/", 1)[1])], self._all)

    @property
    def properties(self) -> dict[str, tuple[Definition, int]]:
        """The properties of an object with their flags."""
        listed = self.raw.get("properties") or self.raw.get("baseProperties") or {}
        return {name: (self.at(item["type"]), item.get("flags", 0)) for name, item in listed.items()}

    @property
    def additional(self) -> Definition | None:
        """The type of further properties, if an object may have any."""
        reference = self.raw.get("additionalProperties")
        return self.at(reference) if reference else None

    @property
    def items(self) -> Definition:
        """The type of an array's items."""
        return self.at(self.raw["itemType"])

    @property
    def members(self) -> list[Definition]:
        """The types of a union."""
        return [self.at(reference) for reference in self.raw["elements"]]

    def variant(self, name: str) -> Definition | None:
        """The object that a discriminator's value chooses."""
        reference = self.raw["elements"].get(name)
        return self.at(reference) if reference else None

    @property
    def variants(self) -> list[str]:
        """The values of a discriminator."""
        return sorted(self.raw["elements"])


@dataclass(frozen=True)
class ResourceDefinition:
    """A resource type at one api-version."""

    name: str
    body: Definition
    scopes: int

    def deploys_to(self, scope: str) -> bool:
        """Whether it can be deployed at a target scope, or ``extension``: on another resource."""
        return bool(self.scopes & _SCOPES[scope])


class Definitions:
    """The types in a folder. Files are read when a type of theirs is asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[tuple[str, str], dict[str, ResourceDefinition]] = {}

    @cached_property
    def _files(self) -> dict[tuple[str, str], list[Path]]:
        found: dict[tuple[str, str], list[Path]] = {}
        for file in sorted(self._folder.rglob("types.json")):
            found.setdefault((file.parent.parent.name.lower(), file.parent.name.lower()), []).append(file)
        return found

    def __bool__(self) -> bool:
        return bool(self._files)

    def resource(self, type_: str, version: str) -> ResourceDefinition | None:
        """The definition of a resource type at an api-version, if there is one."""
        key = (type_.split("/", maxsplit=1)[0].lower(), version.lower())
        if key not in self._read:
            self._read[key] = {name: found for file in self._files.get(key, []) for name, found in _resources(file)}
        return self._read[key].get(type_.lower())

    def versions(self, type_: str) -> list[str]:
        """The api-versions that know a resource type."""
        provider = type_.split("/", maxsplit=1)[0].lower()
        return [version for name, version in sorted(self._files) if name == provider and self.resource(type_, version)]


def _resources(file: Path) -> list[tuple[str, ResourceDefinition]]:
    types = json.loads(file.read_text("utf-8"))
    found = []
    for raw in types:
        if raw["$type"] != "ResourceType":
            continue
        name = raw["name"].split("@")[0]
        # Older checkouts say scopeType where newer ones tell reading from writing.
        scopes = int(raw.get("writableScopes", raw.get("scopeType", 0)))
        found.append((name.lower(), ResourceDefinition(name, Definition(raw, types).at(raw["body"]), scopes)))
    return found
