"""The activity log: what ARM remembers of each write, also of one that left no resource."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from localcloud.world.clock import now


@dataclass(slots=True)
class ActivityEntry:
    resource_id: str
    operation: str
    status: str
    """``Started``, ``Accepted``, ``Succeeded``, ``Failed`` or ``Canceled``."""
    correlation_id: str
    subscription_id: str
    caller: str
    claims: dict[str, str] = field(default_factory=dict)
    status_code: str = ""
    error: dict[str, Any] | None = None
    """ARM's ``{"code", "message"}``."""
    timestamp: datetime = field(default_factory=now)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
