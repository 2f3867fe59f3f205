"""Key vaults and the attributes of their secrets.

Sources: ARM ``Microsoft.KeyVault/vaults`` and ``vaults/secrets`` (never the value), REST "Get Secret".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.records.json_fields import Json, flag, integer, mapping, objects, text, texts
from shared.times import parse_epoch


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Who may do what with a vault's secrets; permissions are in lower case."""

    tenant_id: str
    object_id: str
    secrets: frozenset[str]


@dataclass(frozen=True, slots=True)
class Vault:
    """A vault's settings as far as a pipeline's access depends on them."""

    id: str
    name: str
    tenant_id: str
    uses_rbac: bool
    access_policies: tuple[AccessPolicy, ...]
    public_network_access: str
    default_action: str
    bypass: str

    @property
    def network_is_closed(self) -> bool:
        """Whether ACR is kept out: it is a trusted service for Key Vault, so the bypass lets it in."""
        closed = self.public_network_access.lower() == "disabled" or self.default_action.lower() == "deny"
        # An absent bypass is the service's default, AzureServices.
        return closed and "azureservices" not in (self.bypass.lower() or "azureservices")

    @property
    def in_perimeter(self) -> bool:
        """Whether a network security perimeter decides who gets in, whatever the vault's own rules say."""
        return self.public_network_access.lower() == "securedbyperimeter"

    def policies_reading(self) -> tuple[AccessPolicy, ...]:
        """The access policies that give Get on secrets."""
        return tuple(policy for policy in self.access_policies if policy.secrets & {"get", "all"})

    def may_admit_by_group(self, principals: tuple[str, ...]) -> bool:
        """Whether nothing admits the principals by name, and an access policy may be one for a group of theirs."""
        if self.uses_rbac:
            return False
        named = {principal.lower() for principal in principals}
        reading = self.policies_reading()
        return bool(reading) and all(policy.object_id not in named for policy in reading)

    @classmethod
    def from_json(cls, source: Json) -> Vault:
        """Reads ARM's ``vaults``."""
        properties = mapping(source, "properties")
        return cls(
            id=text(source, "id").lower(),
            name=text(source, "name"),
            tenant_id=text(properties, "tenantId").lower(),
            uses_rbac=flag(properties, "enableRbacAuthorization") is True,
            access_policies=tuple(
                AccessPolicy(
                    tenant_id=text(policy, "tenantId").lower(),
                    object_id=text(policy, "objectId").lower(),
                    secrets=frozenset(right.lower() for right in texts(policy, "permissions", "secrets") or ()),
                )
                for policy in objects(properties, "accessPolicies")
            ),
            public_network_access=text(properties, "publicNetworkAccess"),
            default_action=text(properties, "networkAcls", "defaultAction"),
            bypass=text(properties, "networkAcls", "bypass"),
        )


@dataclass(frozen=True, slots=True)
class SecretAttributes:
    """What may be known of a secret without its value. ``version`` is the newest one's."""

    name: str
    version: str
    enabled: bool
    expires_on: datetime | None
    created: datetime | None
    updated: datetime | None

    @classmethod
    def from_json(cls, source: Json) -> SecretAttributes:
        """Reads ARM's ``vaults/secrets`` (seconds since 1970)."""
        properties = mapping(source, "properties")
        attributes = mapping(properties, "attributes")
        versioned = text(properties, "secretUriWithVersion").rstrip("/").rpartition("/")[2]
        return cls(
            name=text(source, "name").rpartition("/")[2],
            version=versioned,
            enabled=flag(attributes, "enabled") is not False,
            expires_on=parse_epoch(integer(attributes, "exp")),
            created=parse_epoch(integer(attributes, "created")),
            updated=parse_epoch(integer(attributes, "updated")),
        )
