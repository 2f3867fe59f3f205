"""Role assignments and what they allow.

Source: ARM ``Microsoft.Authorization``; a data action is granted by a block whose ``dataActions`` match it and
whose ``notDataActions`` do not, an action of the control plane likewise by ``actions`` and ``notActions``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from shared.records.json_fields import Json, mapping, text


@dataclass(frozen=True, slots=True)
class Permission:
    """One permission block of a role definition; patterns may hold ``*``."""

    data_actions: tuple[str, ...]
    not_data_actions: tuple[str, ...]
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()

    def allows(self, action: str, *, data: bool = True) -> bool:
        """Whether the block grants the action, a data action unless ``data`` is false."""
        granting = self.data_actions if data else self.actions
        refusing = self.not_data_actions if data else self.not_actions
        return _matches(granting, action) and not _matches(refusing, action)


@dataclass(frozen=True, slots=True)
class Assignment:
    """One role assignment; ``role_id`` is where the role's definition stands.

    ``conditional`` assignments depend on attributes that can't be judged from here.
    """

    role_id: str
    scope: str
    conditional: bool

    @classmethod
    def from_json(cls, source: Json) -> Assignment:
        """Reads ARM's ``roleAssignments``."""
        properties = mapping(source, "properties")
        return cls(
            role_id=text(properties, "roleDefinitionId"),
            scope=text(properties, "scope"),
            conditional=bool(text(properties, "condition")),
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """One role assignment of an identity, with what its role allows."""

    role_name: str
    scope: str
    conditional: bool
    permissions: tuple[Permission, ...]

    def allows(self, action: str, *, data: bool = True) -> bool:
        """Whether the role grants the action (its condition aside), a data action unless ``data`` is false."""
        return any(permission.allows(action, data=data) for permission in self.permissions)


def _matches(patterns: tuple[str, ...], action: str) -> bool:
    return any(_pattern(pattern).fullmatch(action) for pattern in patterns)


@lru_cache(maxsize=512)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.IGNORECASE | re.DOTALL)
