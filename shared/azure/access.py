"""Role assignments: what an identity may do at a scope, group membership included."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from shared.azure.arm import ArmReader
from shared.records.json_fields import Json, mapping, objects, text, texts

ROLE_VERSIONS: Final = ("2022-04-01", "2018-07-01")


@dataclass(frozen=True, slots=True)
class Permission:
    """One permission block of a role definition; patterns may hold ``*``."""

    data_actions: tuple[str, ...]
    not_data_actions: tuple[str, ...]

    def allows(self, action: str) -> bool:
        """Whether the block grants the data action."""
        granted = any(_pattern(pattern).fullmatch(action) for pattern in self.data_actions)
        return granted and not any(_pattern(pattern).fullmatch(action) for pattern in self.not_data_actions)


@dataclass(frozen=True, slots=True)
class Grant:
    """One role assignment of an identity, with what its role allows.

    ``conditional`` assignments depend on attributes that can't be judged from here.
    """

    role_name: str
    scope: str
    conditional: bool
    permissions: tuple[Permission, ...]

    def allows(self, action: str) -> bool:
        """Whether the role grants the data action (its condition aside)."""
        return any(permission.allows(action) for permission in self.permissions)


class AccessReader:
    """Reads role assignments and definitions at a scope."""

    def __init__(self, arm: ArmReader) -> None:
        self._arm = arm
        self._definitions: dict[str, Json] = {}

    async def grants(self, scope: str, principal_id: str) -> tuple[Grant, ...]:
        """The roles that ``principal_id`` holds at ``scope`` or above, itself or through a group.

        ``assignedTo()`` follows groups; ``atScope()`` leaves out what is granted further down.
        """
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments"
        assignments = await self._arm.everything(
            path, ROLE_VERSIONS, **{"$filter": f"atScope() and assignedTo('{principal_id}')"}
        )
        return tuple([await self._grant(assignment) for assignment in assignments])

    async def _grant(self, assignment: Json) -> Grant:
        properties = mapping(assignment, "properties")
        definition = await self._definition(text(properties, "roleDefinitionId"))
        return Grant(
            role_name=text(definition, "properties", "roleName"),
            scope=text(properties, "scope"),
            conditional=bool(text(properties, "condition")),
            permissions=tuple(
                Permission(
                    data_actions=texts(block, "dataActions") or (),
                    not_data_actions=texts(block, "notDataActions") or (),
                )
                for block in objects(definition, "properties", "permissions")
            ),
        )

    async def _definition(self, definition_id: str) -> Json:
        # A role's definition hardly ever changes; a process lives for hours at most.
        key = definition_id.lower()
        if key not in self._definitions:
            self._definitions[key] = await self._arm.get(definition_id, ROLE_VERSIONS)
        return self._definitions[key]


@lru_cache(maxsize=512)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.IGNORECASE | re.DOTALL)
