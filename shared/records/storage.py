"""Storage accounts, containers and blobs.

Sources: ARM ``Microsoft.Storage/storageAccounts`` and ``blobServices/containers``; REST "Get Blob
Properties".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.addresses import BlobAddress
from shared.records.json_fields import Json, flag, mapping, objects, text
from shared.times import parse_time


@dataclass(frozen=True, slots=True)
class StorageAccount:
    """A storage account's settings as far as a transfer depends on them."""

    id: str
    name: str
    kind: str
    provisioning_state: str
    status_of_primary: str
    allow_shared_key_access: bool
    public_network_access: str
    default_action: str
    bypass: str
    network_rules: int
    key_created: tuple[datetime, ...]

    @property
    def network_is_closed(self) -> bool:
        """Whether ACR is kept out: it is no trusted service for Storage, so the bypass does not help."""
        return self.public_network_access.lower() == "disabled" or self.default_action.lower() == "deny"

    @property
    def in_perimeter(self) -> bool:
        """Whether a network security perimeter decides who gets in, whatever the account's own rules say."""
        return self.public_network_access.lower() == "securedbyperimeter"

    @classmethod
    def from_json(cls, source: Json) -> StorageAccount:
        """Reads ARM's ``storageAccounts``. ``allowSharedKeyAccess`` that is not there means allowed."""
        properties = mapping(source, "properties")
        rules = mapping(properties, "networkAcls")
        created = (
            parse_time(text(properties, "keyCreationTime", "key1")),
            parse_time(text(properties, "keyCreationTime", "key2")),
        )
        return cls(
            id=text(source, "id").lower(),
            name=text(source, "name"),
            kind=text(source, "kind"),
            provisioning_state=text(properties, "provisioningState"),
            status_of_primary=text(properties, "statusOfPrimary"),
            allow_shared_key_access=flag(properties, "allowSharedKeyAccess") is not False,
            public_network_access=text(properties, "publicNetworkAccess"),
            default_action=text(rules, "defaultAction"),
            bypass=text(rules, "bypass"),
            network_rules=len(objects(rules, "ipRules")) + len(objects(rules, "virtualNetworkRules")),
            key_created=tuple(moment for moment in created if moment is not None),
        )


@dataclass(frozen=True, slots=True)
class Container:
    """A blob container as ARM shows it."""

    name: str
    deleted: bool
    has_immutability_policy: bool
    has_legal_hold: bool

    @classmethod
    def from_json(cls, source: Json) -> Container:
        """Reads ARM's ``blobServices/containers``."""
        properties = mapping(source, "properties")
        return cls(
            name=text(source, "name"),
            deleted=flag(properties, "deleted") is True,
            has_immutability_policy=flag(properties, "hasImmutabilityPolicy") is True,
            has_legal_hold=flag(properties, "hasLegalHold") is True,
        )


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob's properties; never its content.

    ``metadata`` keys are in lower case, values as stored. ``content_md5`` is 16 bytes or what was stored
    instead, ``None`` if there is none. ``etag`` has no quotation marks. ``holds_known`` says whether legal holds and
    immutability were to be seen, which a listing may leave out.
    """

    address: BlobAddress
    etag: str
    last_modified: datetime | None
    created: datetime | None
    size: int
    blob_type: str
    content_md5: bytes | None
    metadata: dict[str, str]
    tier: str
    archive_status: str
    lease_state: str
    lease_status: str
    copy_status: str
    copy_description: str
    immutable_until: datetime | None
    legal_hold: bool
    content_type: str
    holds_known: bool = True

    @property
    def is_directory(self) -> bool:
        """Whether it stands for a directory, as a hierarchical namespace lists each one among the blobs."""
        return self.metadata.get("hdi_isfolder", "").lower() == "true"
