"""Registries and pipelines, as the registry service writes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from localcloud.world import AccessMode, Direction, IdentityKind, Pipeline, Registry, Run, World
from localcloud.world.behaviour import MANAGED_IDENTITY_SINCE
from localcloud.world.clock import seven_digits

REGISTRY_TYPE = "Microsoft.ContainerRegistry/registries"


def registry_json(registry: Registry) -> dict[str, Any]:
    return {
        "type": REGISTRY_TYPE,
        "id": registry.id,
        "name": registry.name,
        "location": registry.location,
        "tags": {},
        "sku": {"name": registry.sku, "tier": registry.sku},
        "systemData": system_data("transfer.admin@contoso.example", "User", registry.created),
        "properties": {
            "loginServer": registry.login_server,
            "creationDate": seven_digits(registry.created).replace("+00:00", "Z"),
            "provisioningState": registry.provisioning_state,
            "adminUserEnabled": False,
            "policies": {
                "quarantinePolicy": {"status": "disabled"},
                "trustPolicy": {"type": "Notary", "status": "disabled"},
                "retentionPolicy": {"days": 7, "status": "disabled"},
                "exportPolicy": {"status": registry.export_policy},
            },
            "publicNetworkAccess": registry.public_network_access,
            "networkRuleBypassOptions": "AzureServices",
            "networkRuleSet": {"defaultAction": registry.default_action, "ipRules": []},
            "privateEndpointConnections": [],
            "zoneRedundancy": "Disabled",
            "anonymousPullEnabled": False,
            "roleAssignmentMode": registry.role_assignment_mode,
        },
    }


def pipeline_json(world: World, pipeline: Pipeline, api_version: str) -> dict[str, Any]:
    end: dict[str, Any] = {"type": "AzureStorageBlobContainer", "uri": pipeline.container_url}
    end |= storage_access(pipeline, api_version)
    properties: dict[str, Any] = {}
    if pipeline.direction is Direction.EXPORT:
        properties["target"] = end
    else:
        properties["source"] = end
        status = "Enabled" if pipeline.trigger_enabled else "Disabled"
        properties["trigger"] = {"sourceTrigger": {"status": status}}
    if pipeline.options:
        properties["options"] = list(pipeline.options)
    properties["provisioningState"] = pipeline.provisioning_state
    return {
        "type": f"{REGISTRY_TYPE}/{pipeline.direction}",
        **_identity(world, pipeline),
        "id": pipeline.id,
        "name": pipeline.name,
        "systemData": system_data(pipeline.created_by, "User", pipeline.created, pipeline.modified),
        "properties": properties,
    }


def storage_access(pipeline: Pipeline, api_version: str) -> dict[str, Any]:
    """Versions before managed identities know nothing of a mode, and have no vault to show for it."""
    access: dict[str, Any] = {}
    if pipeline.secret_uri:
        access["keyVaultUri"] = pipeline.secret_uri
    if api_version >= MANAGED_IDENTITY_SINCE:
        access["storageAccessMode"] = str(pipeline.access_mode)
    return access


def _identity(world: World, pipeline: Pipeline) -> dict[str, Any]:
    principal = pipeline.identity
    if principal is None or pipeline.identity_kind is IdentityKind.NONE:
        return {}
    if pipeline.identity_kind is IdentityKind.SYSTEM:
        return {
            "identity": {
                "principalId": principal.id,
                "tenantId": world.tenant_id,
                "type": str(pipeline.identity_kind),
            }
        }
    # The service gives user-assigned identities back with another casing than it was given.
    key = (principal.resource_id or "").replace("/resourceGroups/", "/resourcegroups/")
    assigned = {key: {"principalId": principal.id, "clientId": principal.client_id}}
    return {"identity": {"type": str(pipeline.identity_kind), "userAssignedIdentities": assigned}}


def run_json(run: Run, api_version: str) -> dict[str, Any]:
    properties: dict[str, Any] = {"provisioningState": run.provisioning_state, "request": run.request}
    if run.response:
        response = dict(run.response)
        for end in ("source", "target"):
            if end in response and api_version < MANAGED_IDENTITY_SINCE:
                response[end] = {name: value for name, value in response[end].items() if name != "storageAccessMode"}
        properties["response"] = response
    if run.force_update_tag is not None:
        properties["forceUpdateTag"] = run.force_update_tag
    return {
        "type": f"{REGISTRY_TYPE}/pipelineRuns",
        "id": run.id,
        "name": run.name,
        "systemData": system_data(run.created_by, run.created_by_type, run.created, run.modified),
        "properties": properties,
    }


def system_data(by: str, kind: str, created: datetime, modified: datetime | None = None) -> dict[str, str]:
    return {
        "createdBy": by,
        "createdByType": kind,
        "createdAt": seven_digits(created),
        "lastModifiedBy": by,
        "lastModifiedByType": kind,
        "lastModifiedAt": seven_digits(modified or created),
    }


def mode_of(secret_uri: str | None) -> AccessMode:
    return AccessMode.SAS_TOKEN if secret_uri else AccessMode.MANAGED_IDENTITY
