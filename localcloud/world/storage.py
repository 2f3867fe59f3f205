"""Storage accounts as ARM and the front see them; their blobs are Azurite's."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from localcloud.world.clock import now
from localcloud.world.network import NetworkRules


@dataclass(slots=True)
class BlobAppearance:
    """What the front shows of a blob instead of what Azurite says, until the blob is written again."""

    last_modified: datetime | None = None
    headers: dict[str, str] = field(default_factory=dict)
    """Response headers such as ``x-ms-copy-status``, shown in listings under their XML name too."""


@dataclass(slots=True)
class StorageAccount:
    name: str
    id: str
    subscription_id: str
    resource_group: str
    keys: dict[int, str] = field(repr=False)
    azurite_keys: dict[int, str] = field(repr=False)
    """Azurite keeps its keys for life; the front translates once the world's keys have been rotated."""
    location: str = "eastus"
    kind: str = "StorageV2"
    sku: str = "Standard_LRS"
    allow_shared_key_access: bool | None = None
    """Absent means allowed."""
    allow_blob_public_access: bool = False
    network: NetworkRules = field(default_factory=NetworkRules)
    key_created: dict[int, datetime] = field(default_factory=dict)
    disabled: bool = False
    hierarchical_namespace: bool = False
    raises_events: bool = True
    """An event subscription is on it; general-purpose v1 accounts (kind ``Storage``) never raise any."""
    appearances: dict[tuple[str, str], BlobAppearance] = field(default_factory=dict)
    """By container and blob name."""
    created: datetime = field(default_factory=lambda: now() - timedelta(days=400))

    @property
    def host(self) -> str:
        return f"{self.name}.blob.core.windows.net"

    @property
    def url(self) -> str:
        return f"https://{self.host}"

    def container_id(self, container: str) -> str:
        return f"{self.id}/blobServices/default/containers/{container}"

    def rotate_key(self, number: int) -> str:
        """Make a new key; every token signed with the old one is dead."""
        self.keys[number] = new_account_key()
        self.key_created[number] = now()
        return self.keys[number]


def new_account_key() -> str:
    return base64.b64encode(secrets.token_bytes(64)).decode()
