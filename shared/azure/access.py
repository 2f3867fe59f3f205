"""Role assignments: what an identity may do at a scope, group membership included."""

from __future__ import annotations

from typing import Final

from shared.azure.arm import ArmReader
from shared.records.access import Grant, Permission
from shared.records.json_fields import Json, mapping, objects, text, texts

ROLE_VERSIONS: Final = ("2022-04-01", "2018-07-01")


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
                    actions=texts(block, "actions") or (),
                    not_actions=texts(block, "notActions") or (),
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
