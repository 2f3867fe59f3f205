"""``az keyvault``: the vault through ARM, its secrets through its own host."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from localcloud.az.commands import shapes
from localcloud.az.directory import resolved
from localcloud.az.errors import AzError, NotThere
from localcloud.az.requests import VAULT_API, Cloud, Refused
from localcloud.az.sign_in import VAULTS
from localcloud.az.syntax import moment

DATA_API = "7.4"
_VAULTS = "Microsoft.KeyVault/vaults"


def show(cloud: Cloud, options: Namespace) -> Any:
    if not options.vault_name:
        raise AzError("Please specify --name or --hsm-name.")
    return _vault(cloud, options)


def update(cloud: Cloud, options: Namespace) -> Any:
    def change(properties: dict[str, Any]) -> None:
        rules = properties.setdefault("networkAcls", {})
        if options.bypass:
            rules["bypass"] = options.bypass
        if options.default_action:
            rules["defaultAction"] = options.default_action
        if options.public_network_access:
            properties["publicNetworkAccess"] = options.public_network_access
        if options.enable_rbac_authorization is not None:
            properties["enableRbacAuthorization"] = options.enable_rbac_authorization

    return _write(cloud, options, change)


def set_policy(cloud: Cloud, options: Namespace) -> Any:
    """az replaces the rights of the kind that is given, and keeps the others."""
    given = [who for who in (options.object_id, options.spn, options.upn) if who]
    if len(given) != 1:
        raise AzError("Please specify only one of --object-id, --spn, or --upn.")
    object_id = options.object_id or resolved(cloud, given[0])[0]

    def change(properties: dict[str, Any]) -> None:
        if properties.get("enableRbacAuthorization"):
            raise AzError("Cannot set policies to a vault with '--enable-rbac-authorization' specified")
        policies = properties.setdefault("accessPolicies", [])
        tenant = properties["tenantId"]
        for policy in policies:
            if policy["objectId"].lower() == object_id.lower() and policy["tenantId"] == tenant:
                break
        else:
            policy = {"tenantId": tenant, "objectId": object_id, "permissions": {}}
            policies.append(policy)
        if options.secret_permissions is not None:
            policy["permissions"]["secrets"] = list(dict.fromkeys(options.secret_permissions))

    return _write(cloud, options, change)


def recover(cloud: Cloud, options: Namespace) -> Any:
    name = options.vault_name or ""
    listed = f"/subscriptions/{cloud.subscription_id}/providers/Microsoft.KeyVault/deletedVaults"
    deleted = next((one for one in cloud.arm_list(listed, VAULT_API) if one["name"].lower() == name.lower()), None)
    if deleted is None:
        raise AzError(f"No deleted Vault or HSM was found with name {name}")
    sent = {"tenantId": cloud.sign_in.tenant_id, "createMode": "recover"}
    body = {"location": deleted["properties"]["location"], "properties": sent}
    return cloud.arm("PUT", deleted["properties"]["vaultId"], VAULT_API, body)


def secret_set(cloud: Cloud, options: Namespace) -> Any:
    if options.value is None:
        raise AzError("incorrect usage: [Required] --value VALUE | --file PATH")
    body: dict[str, Any] = {"value": options.value, "attributes": _attributes(options)}
    if options.disabled is not None:
        body["attributes"]["enabled"] = not options.disabled
    if options.content_type is not None:
        body["contentType"] = options.content_type
    return shapes.secret(_secrets(cloud, "PUT", options, "", body), value=True)


def secret_show(cloud: Cloud, options: Namespace) -> Any:
    version = f"/{options.version}" if options.version else ""
    return shapes.secret(_or_not_there(lambda: _secrets(cloud, "GET", options, version)), value=True)


def secret_set_attributes(cloud: Cloud, options: Namespace) -> Any:
    body: dict[str, Any] = {"attributes": _attributes(options)}
    if options.enabled is not None:
        body["attributes"]["enabled"] = options.enabled
    if options.content_type is not None:
        body["contentType"] = options.content_type
    return shapes.secret(_secrets(cloud, "PATCH", options, f"/{options.version or ''}", body), value=True)


def secret_list_versions(cloud: Cloud, options: Namespace) -> Any:
    listed = _secrets(cloud, "GET", options, "/versions")["value"]
    return [shapes.secret(one, value=False) for one in listed]


def secret_recover(cloud: Cloud, options: Namespace) -> Any:
    url = f"{_host(options)}/deletedsecrets/{quote(_name(options))}/recover"
    return shapes.secret(cloud.json("POST", url, VAULTS, DATA_API, {}), value=True)


def _attributes(options: Namespace) -> dict[str, Any]:
    given = {"exp": options.expires_on, "nbf": options.not_before}
    return {name: int(moment(word).timestamp()) for name, word in given.items() if word is not None}


def _secrets(cloud: Cloud, method: str, options: Namespace, rest: str, body: Any = None) -> Any:
    return cloud.json(method, f"{_host(options)}/secrets/{quote(_name(options))}{rest}", VAULTS, DATA_API, body)


def _host(options: Namespace) -> str:
    if not options.vault_base_url:
        raise AzError("Please specify --vault-name.")
    return f"https://{options.vault_base_url.lower()}.vault.azure.net"


def _name(options: Namespace) -> str:
    if not options.name:
        raise AzError("Please specify --name.")
    return str(options.name)


def _vault(cloud: Cloud, options: Namespace) -> Any:
    def read() -> Any:
        resource_id = cloud.resource_id(_VAULTS, options.vault_name, options.resource_group_name, VAULT_API)
        return cloud.arm("GET", resource_id, VAULT_API)

    return _or_not_there(read)


def _write(cloud: Cloud, options: Namespace, change: Callable[[dict[str, Any]], None]) -> Any:
    vault = _vault(cloud, options)
    change(vault["properties"])
    body = {name: vault[name] for name in ("location", "tags", "properties") if name in vault}
    return cloud.arm("PUT", vault["id"], VAULT_API, body)


def _or_not_there(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Refused as refusal:
        if refusal.status == 404:
            raise NotThere(str(refusal)) from None
        raise
