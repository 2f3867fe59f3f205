"""Role assignments: what an identity may do at a scope, group membership included."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from shared.azure.arm import ArmReader
from shared.cache import Cache
from shared.records.access import Assignment, Grant, Permission
from shared.records.json_fields import Json, objects, text, texts

ROLE_VERSIONS: Final = ("2022-04-01", "2018-07-01")


class AccessReader:
    """Reads role assignments and definitions at a scope."""

    def __init__(self, arm: ArmReader) -> None:
        self._arm = arm
        # The same few roles stand behind many assignments. A custom one can be rewritten at any time, so that
        # none is kept for longer than the other settings.
        self._definitions: Cache[Json] = Cache()

    async def grants(self, scope: str, principal_id: str) -> tuple[Grant, ...]:
        """The roles that ``principal_id`` holds at ``scope`` or above, itself or through a group."""
        return await self.grants_of(await self.assignments(scope, principal_id))

    async def assignments(self, scope: str, principal_id: str) -> tuple[Assignment, ...]:
        """The assignments that count for ``principal_id`` at ``scope``, without what their roles allow.

        ``assignedTo()`` follows groups; ``atScope()`` leaves out what is granted further down.
        """
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments"
        assignments = await self._arm.everything(
            path, ROLE_VERSIONS, **{"$filter": f"atScope() and assignedTo('{principal_id}')"}
        )
        return tuple(Assignment.from_json(assignment) for assignment in assignments)

    async def grants_of(
        self, assignments: Iterable[Assignment], read_after: datetime | None = None
    ) -> tuple[Grant, ...]:
        """The assignments with what their roles allow, read after ``read_after``."""
        return tuple(await asyncio.gather(*(self._grant(assignment, read_after) for assignment in assignments)))

    async def _grant(self, assignment: Assignment, read_after: datetime | None) -> Grant:
        definition = await self._definition(assignment.role_id, read_after)
        return Grant(
            role_name=text(definition, "properties", "roleName"),
            scope=assignment.scope,
            conditional=assignment.conditional,
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

    async def _definition(self, role_id: str, read_after: datetime | None) -> Json:
        return await self._definitions.get(
            role_id.lower(), lambda: self._arm.get(role_id, ROLE_VERSIONS), read_after=read_after
        )
