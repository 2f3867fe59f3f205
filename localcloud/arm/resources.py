"""Vaults, secrets and storage accounts, as ARM shows them: settings, and never a value or a key."""

from __future__ import annotations

from typing import Any

from localcloud.service import Origin
from localcloud.world import NetworkRules, SecretVersion, StorageAccount, Vault
from localcloud.world.clock import seven_digits


def vault_json(vault: Vault) -> dict[str, Any]:
    return {
        "id": vault.id,
        "name": vault.name,
        "type": "Microsoft.KeyVault/vaults",
        "location": vault.location,
        "tags": {},
        "properties": {
            "sku": {"family": "A", "name": "standard"},
            "tenantId": vault.tenant_id,
            "accessPolicies": [
                {
                    "tenantId": policy.tenant_id,
                    "objectId": policy.object_id,
                    "permissions": {"keys": [], "secrets": list(policy.secrets), "certificates": []},
                }
                for policy in vault.access_policies
            ],
            "enabledForDeployment": False,
            "enableSoftDelete": True,
            "softDeleteRetentionInDays": 90,
            "enableRbacAuthorization": vault.rbac,
            "vaultUri": f"https://{vault.host}/",
            "provisioningState": "Succeeded",
            "publicNetworkAccess": vault.network.public_network_access,
            "networkAcls": _network_json(vault.network),
            **_private_endpoints(vault.id, vault.network),
        },
    }


def secret_json(vault: Vault, name: str, version: SecretVersion) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "enabled": version.enabled,
        "created": int(version.created.timestamp()),
        "updated": int(version.updated.timestamp()),
    }
    if version.expires is not None:
        attributes["exp"] = int(version.expires.timestamp())
    if version.not_before is not None:
        attributes["nbf"] = int(version.not_before.timestamp())
    properties: dict[str, Any] = {
        "attributes": attributes,
        "secretUri": vault.secret_uri(name),
        "secretUriWithVersion": vault.secret_uri(name, version.version),
    }
    if version.content_type is not None:
        properties["contentType"] = version.content_type
    return {
        "id": f"{vault.id}/secrets/{name}",
        "name": name,
        "type": "Microsoft.KeyVault/vaults/secrets",
        "location": vault.location,
        "tags": dict(version.tags),
        "properties": properties,
    }


def account_json(account: StorageAccount) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "keyCreationTime": {
            f"key{number}": seven_digits(created).replace("+00:00", "Z")
            for number, created in account.key_created.items()
        },
        "allowBlobPublicAccess": account.allow_blob_public_access,
        "publicNetworkAccess": account.network.public_network_access,
        "networkAcls": {**_network_json(account.network), "resourceAccessRules": []},
        "minimumTlsVersion": "TLS1_2",
        "supportsHttpsTrafficOnly": True,
        "isHnsEnabled": account.hierarchical_namespace,
        "accessTier": "Hot",
        "provisioningState": "Succeeded",
        "creationTime": seven_digits(account.created).replace("+00:00", "Z"),
        "primaryEndpoints": {"blob": f"{account.url}/"},
        "primaryLocation": account.location,
        "statusOfPrimary": "unavailable" if account.disabled else "available",
        **_private_endpoints(account.id, account.network),
    }
    if account.allow_shared_key_access is not None:
        properties["allowSharedKeyAccess"] = account.allow_shared_key_access
    return {
        "id": account.id,
        "name": account.name,
        "type": "Microsoft.Storage/storageAccounts",
        "location": account.location,
        "tags": {},
        "kind": account.kind,
        "sku": {"name": account.sku, "tier": account.sku.partition("_")[0]},
        "properties": properties,
    }


def _network_json(network: NetworkRules) -> dict[str, Any]:
    return {
        "bypass": network.bypass,
        "defaultAction": network.default_action,
        "ipRules": [{"value": rule, "action": "Allow"} for rule in network.ip_rules],
        "virtualNetworkRules": [],
    }


def _private_endpoints(resource_id: str, network: NetworkRules) -> dict[str, Any]:
    # The operator's way in is how tests build the world, and no part of it.
    if Origin.MONITOR not in network.private_endpoints:
        return {"privateEndpointConnections": []}
    connection = {
        "id": f"{resource_id}/privateEndpointConnections/monitor",
        "properties": {
            "privateLinkServiceConnectionState": {"status": "Approved"},
            "provisioningState": "Succeeded",
        },
    }
    return {"privateEndpointConnections": [connection]}
