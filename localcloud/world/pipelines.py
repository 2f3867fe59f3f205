"""Export and import pipelines and their runs."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from localcloud.world.access import Principal
from localcloud.world.clock import now


class Direction(StrEnum):
    """The value is the collection's name in a resource id."""

    EXPORT = "exportPipelines"
    IMPORT = "importPipelines"


class IdentityKind(StrEnum):
    """Spelt as the service gives it back, whatever was sent."""

    SYSTEM = "systemAssigned"
    USER = "userAssigned"
    NONE = "none"


class AccessMode(StrEnum):
    SAS_TOKEN = "SasToken"
    MANAGED_IDENTITY = "ManagedIdentity"


@dataclass(slots=True)
class Pipeline:
    name: str
    id: str
    direction: Direction
    container_url: str
    secret_uri: str | None
    access_mode: AccessMode = AccessMode.SAS_TOKEN
    identity_kind: IdentityKind = IdentityKind.SYSTEM
    identity: Principal | None = None
    options: list[str] = field(default_factory=list)
    trigger_enabled: bool = True
    """Import pipelines only."""
    provisioning_state: str = "Succeeded"
    created_by: str = "transfer.admin@contoso.example"
    created: datetime = field(default_factory=now)
    modified: datetime = field(default_factory=now)
    seen_blobs: set[tuple[str, str]] = field(default_factory=set)
    """Name and ETag of every blob that the source trigger has taken up."""

    def has(self, option: str) -> bool:
        return option.casefold() in {known.casefold() for known in self.options}


@dataclass(slots=True)
class Run:
    """A run; ``request`` and ``response`` are the JSON that the service gives back."""

    name: str
    id: str
    request: dict[str, Any]
    force_update_tag: str | None = None
    provisioning_state: str = "Creating"
    response: dict[str, Any] = field(default_factory=dict)
    correlation_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    operation_id: str = field(default_factory=lambda: f"pipelineruns-{uuid.uuid4()}")
    created_by: str = ""
    created_by_type: str = "User"
    created: datetime = field(default_factory=now)
    modified: datetime = field(default_factory=now)

    @property
    def over(self) -> bool:
        return self.provisioning_state in {"Succeeded", "Failed", "Canceled"}

    @property
    def error_message(self) -> str | None:
        message = self.response.get("pipelineRunErrorMessage")
        return None if message is None else str(message)
