"""Key vaults and their secrets."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime

from localcloud.world.clock import now
from localcloud.world.network import NetworkRules


@dataclass(slots=True)
class SecretVersion:
    value: str = field(repr=False)
    version: str = field(default_factory=lambda: uuid.uuid4().hex)
    enabled: bool = True
    not_before: datetime | None = None
    expires: datetime | None = None
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    content_type: str | None = None
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class AccessPolicy:
    object_id: str
    tenant_id: str
    secrets: list[str]


@dataclass(slots=True)
class Vault:
    name: str
    id: str
    subscription_id: str
    resource_group: str
    tenant_id: str
    location: str = "eastus"
    rbac: bool = False
    access_policies: list[AccessPolicy] = field(default_factory=list)
    network: NetworkRules = field(default_factory=NetworkRules)
    secrets: dict[str, list[SecretVersion]] = field(default_factory=dict)
    """Lower-case name to versions, the newest last."""
    deleted_secrets: dict[str, list[SecretVersion]] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return f"{self.name.lower()}.vault.azure.net"

    def secret_uri(self, name: str, version: str | None = None) -> str:
        return f"https://{self.host}/secrets/{name}" + (f"/{version}" if version else "")

    def set_secret(
        self,
        name: str,
        value: str,
        *,
        expires: datetime | None = None,
        not_before: datetime | None = None,
        enabled: bool = True,
        created: datetime | None = None,
        content_type: str | None = None,
    ) -> SecretVersion:
        """Add a version, which becomes the newest."""
        moment = created or now()
        version = SecretVersion(
            value,
            enabled=enabled,
            not_before=not_before,
            expires=expires,
            created=moment,
            updated=moment,
            content_type=content_type,
        )
        self.secrets.setdefault(name.casefold(), []).append(version)
        return version

    def secret(self, name: str, version: str | None = None) -> SecretVersion | None:
        """The newest version, or the one that is named."""
        versions = self.secrets.get(name.casefold(), [])
        if version is None:
            return versions[-1] if versions else None
        return next((known for known in versions if known.version == version), None)

    def delete_secret(self, name: str) -> None:
        """Soft-delete: it can be recovered, and can't be read."""
        self.deleted_secrets[name.casefold()] = self.secrets.pop(name.casefold())

    def policy_allows(self, principal_ids: set[str], permission: str, tenant_id: str) -> bool:
        return any(
            policy.object_id in principal_ids
            and policy.tenant_id == tenant_id
            and {permission, "all"} & {granted.casefold() for granted in policy.secrets}
            for policy in self.access_policies
        )
