"""Writes of what pipelines lean on: vaults, storage accounts, registries and role assignments.

Only settings of what is there: these routes are for repairs, and the world itself is built in Python.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from localcloud.arm.authorization import assignment_json
from localcloud.arm.lookups import REGISTRY, SUBSCRIPTION, account_of, registry_of, vault_of
from localcloud.arm.reads import ACCOUNT, VAULT
from localcloud.arm.registries import REGISTRY_TYPE, registry_json
from localcloud.arm.requests import ArmError, ArmRequest, Route, page
from localcloud.arm.resources import account_json, vault_json
from localcloud.arm.runs import read_properties
from localcloud.world import AccessPolicy, NetworkRules, Vault, World
from localcloud.world.clock import seven_digits

ASSIGNMENT = "{scope*}/providers/Microsoft.Authorization/roleAssignments/{assignment}"


async def _put_vault(request: ArmRequest) -> web.Response:
    properties = await read_properties(request)
    if properties.get("createMode") == "recover":
        return web.json_response(vault_json(_recovered(request)))
    vault = vault_of(request)
    if "accessPolicies" in properties:
        vault.access_policies = [
            AccessPolicy(
                str(policy["objectId"]),
                str(policy["tenantId"]),
                [str(right) for right in policy["permissions"].get("secrets") or []],
            )
            for policy in properties["accessPolicies"]
        ]
    vault.rbac = bool(properties.get("enableRbacAuthorization", vault.rbac))
    _set_network(vault.network, properties)
    return web.json_response(vault_json(vault))


def _recovered(request: ArmRequest) -> Vault:
    world, name = request.world, request["vault"].casefold()
    if name not in world.deleted_vaults:
        raise ArmError(404, "DeletedVaultNotFound", f"There is no deleted vault '{request['vault']}' to recover.")
    vault = world.deleted_vaults.pop(name)
    world.vaults[name] = vault
    return vault


async def _list_deleted_vaults(request: ArmRequest) -> web.Response:
    mine = request["subscription"].casefold()
    deleted = [
        {
            "id": f"/subscriptions/{vault.subscription_id}/providers/Microsoft.KeyVault/locations/{vault.location}"
            f"/deletedVaults/{vault.name}",
            "name": vault.name,
            "type": "Microsoft.KeyVault/deletedVaults",
            "properties": {"vaultId": vault.id, "location": vault.location},
        }
        for vault in request.world.deleted_vaults.values()
        if vault.subscription_id.casefold() == mine
    ]
    return page(request, deleted)


async def _patch_account(request: ArmRequest) -> web.Response:
    account, properties = account_of(request), await read_properties(request)
    _set_network(account.network, properties)
    if "allowSharedKeyAccess" in properties:
        account.allow_shared_key_access = properties["allowSharedKeyAccess"]
    return web.json_response(account_json(account))


async def _list_keys(request: ArmRequest) -> web.Response:
    account = account_of(request)
    keys = [
        {
            "keyName": f"key{number}",
            "value": value,
            "permissions": "FULL",
            "creationTime": seven_digits(account.key_created[number]).replace("+00:00", "Z"),
        }
        for number, value in sorted(account.keys.items())
    ]
    return web.json_response({"keys": keys})


async def _patch_registry(request: ArmRequest) -> web.Response:
    registry, body = registry_of(request), await request.http.json()
    registry.sku = str((body.get("sku") or {}).get("name") or registry.sku)
    properties: dict[str, Any] = body.get("properties") or {}
    policies = properties.get("policies") or {}
    registry.export_policy = str((policies.get("exportPolicy") or {}).get("status") or registry.export_policy)
    registry.public_network_access = str(properties.get("publicNetworkAccess") or registry.public_network_access)
    rules = properties.get("networkRuleSet") or {}
    registry.default_action = str(rules.get("defaultAction") or registry.default_action)
    return web.json_response(registry_json(registry))


async def _put_assignment(request: ArmRequest) -> web.Response:
    properties, access = await read_properties(request), request.world.access
    try:
        role = access.definition(str(properties["roleDefinitionId"]).rpartition("/")[2])
        principal_id = str(properties["principalId"])
    except KeyError as error:
        raise ArmError(400, "InvalidRoleAssignmentRequest", f"The role assignment is not valid: {error}.") from None
    scope = request["scope"]
    for known in access.assignments:
        same_scope = known.scope.casefold().rstrip("/") == scope.casefold().rstrip("/")
        if known.role is role and known.principal_id == principal_id and same_scope:
            raise ArmError(
                409,
                "RoleAssignmentExists",
                f"The role assignment already exists. The ID of the conflicting role assignment is {known.id}.",
            )
    assignment = access.assign(
        principal_id,
        role,
        scope,
        condition=properties.get("condition"),
        principal_type=str(properties.get("principalType") or "User"),
    )
    assignment.id = request["assignment"]
    return web.json_response(assignment_json(assignment, request), status=201)


def _set_network(network: NetworkRules, properties: dict[str, Any]) -> None:
    if properties.get("publicNetworkAccess"):
        network.public_network_access = str(properties["publicNetworkAccess"])
    rules = properties.get("networkAcls") or {}
    network.default_action = str(rules.get("defaultAction") or network.default_action)
    network.bypass = str(rules.get("bypass") or network.bypass)


def _registry_versions(world: World) -> list[str]:
    return world.behaviour.registry_api_versions


def routes() -> list[Route]:
    writes_assignment = "Microsoft.Authorization/roleAssignments/write"
    deleted = SUBSCRIPTION + "/providers/Microsoft.KeyVault/deletedVaults"
    list_keys = "Microsoft.Storage/storageAccounts/listKeys/action"
    return [
        Route("PUT", VAULT, _put_vault, "Microsoft.KeyVault/vaults/write"),
        Route("GET", deleted, _list_deleted_vaults, "Microsoft.KeyVault/deletedVaults/read"),
        Route("PATCH", ACCOUNT, _patch_account, "Microsoft.Storage/storageAccounts/write"),
        Route("POST", ACCOUNT + "/listKeys", _list_keys, list_keys),
        Route("PATCH", REGISTRY, _patch_registry, f"{REGISTRY_TYPE}/write", _registry_versions),
        Route("PUT", ASSIGNMENT, _put_assignment, writes_assignment),
    ]
