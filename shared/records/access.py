"""Role assignments and what they allow.

Source: ARM ``Microsoft.Authorization``; an action is granted by a block whose ``dataActions`` match it and
whose ``notDataActions`` do not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache


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


@lru_cache(maxsize=512)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.IGNORECASE | re.DOTALL)
