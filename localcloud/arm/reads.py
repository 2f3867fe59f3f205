"""GETs of registries, pipelines, runs, vaults, storage accounts and subscriptions."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from localcloud.arm.lookups import (
    GROUP,
    REGISTRY,
    SUBSCRIPTION,
    account_of,
    in_subscription,
    pipeline_of,
    registry_of,
    run_of,
    vault_of,
)
from localcloud.arm.registries import REGISTRY_TYPE, pipeline_json, registry_json, run_json
from localcloud.arm.requests import ArmError, ArmRequest, Route, page
from localcloud.arm.resources import account_json, secret_json, vault_json
from localcloud.blobs.azurite_client import AzuriteClient
from localcloud.keyvault import secret_not_found
from localcloud.world import Direction, World

VAULT = GROUP + "/providers/Microsoft.KeyVault/vaults/{vault}"
ACCOUNT = GROUP + "/providers/Microsoft.Storage/storageAccounts/{account}"
CONTAINER = ACCOUNT + "/blobServices/default/containers/{container}"


def _registry_versions(world: World) -> list[str]:
    return world.behaviour.registry_api_versions


def _pipeline_versions(world: World) -> list[str]:
    return world.behaviour.pipeline_api_versions


async def _get_subscription(request: ArmRequest) -> web.Response:
    identifier = request["subscription"]
    name = request.world.subscriptions.get(identifier)
    if name is None:
        raise ArmError(404, "SubscriptionNotFound", f"The subscription '{identifier}' could not be found.")
    return web.json_response(
        {
            "id": f"/subscriptions/{identifier}",
            "subscriptionId": identifier,
            "tenantId": request.world.tenant_id,
            "displayName": name,
            "state": "Enabled",
        }
    )


async def _get_registry(request: ArmRequest) -> web.Response:
    return web.json_response(registry_json(registry_of(request)))


async def _list_registries(request: ArmRequest) -> web.Response:
    readable = in_subscription(request, request.world.registries, f"{REGISTRY_TYPE}/read")
    return page(request, [registry_json(registry) for registry in readable])


def _pipeline_routes(direction: Direction) -> list[Route]:
    async def get(request: ArmRequest) -> web.Response:
        pipeline = pipeline_of(request, direction)
        return web.json_response(pipeline_json(request.world, pipeline, request.api_version))

    async def listing(request: ArmRequest) -> web.Response:
        pipelines = request.world.pipelines_of(registry_of(request), direction).values()
        return page(request, [pipeline_json(request.world, pipeline, request.api_version) for pipeline in pipelines])

    action = f"{REGISTRY_TYPE}/{direction}/read"
    collection = f"{REGISTRY}/{direction}"
    return [
        Route("GET", collection, listing, action, _pipeline_versions),
        Route("GET", collection + "/{pipeline}", get, action, _pipeline_versions),
    ]


async def _get_run(request: ArmRequest) -> web.Response:
    return web.json_response(run_json(run_of(request), request.api_version))


async def _list_runs(request: ArmRequest) -> web.Response:
    runs = registry_of(request).runs.values()
    return page(request, [run_json(run, request.api_version) for run in runs])


async def _get_operation(request: ArmRequest) -> web.Response:
    run = run_of(request)
    if run.operation_id.casefold() != request["operation"].casefold():
        raise ArmError(404, "NotFound", f"The operation '{request['operation']}' was not found.")
    body: dict[str, Any] = {"status": run.provisioning_state}
    if run.provisioning_state == "Failed":
        body["error"] = {"code": "PipelineRunFailed", "message": run.error_message or ""}
    return web.json_response(body)


async def _get_vault(request: ArmRequest) -> web.Response:
    return web.json_response(vault_json(vault_of(request)))


async def _list_vaults(request: ArmRequest) -> web.Response:
    readable = in_subscription(request, request.world.vaults, "Microsoft.KeyVault/vaults/read")
    return page(request, [vault_json(vault) for vault in readable])


async def _get_secret(request: ArmRequest) -> web.Response:
    vault, name = vault_of(request), request["secret"]
    version = vault.secret(name)
    if version is None:
        raise ArmError(404, "SecretNotFound", secret_not_found(name))
    return web.json_response(secret_json(vault, name, version))


async def _get_account(request: ArmRequest) -> web.Response:
    return web.json_response(account_json(account_of(request)))


async def _list_accounts(request: ArmRequest) -> web.Response:
    readable = in_subscription(request, request.world.storage_accounts, "Microsoft.Storage/storageAccounts/read")
    return page(request, [account_json(account) for account in readable])


def _container_route(azurite: AzuriteClient) -> Route:
    async def get(request: ArmRequest) -> web.Response:
        account, container = account_of(request), request["container"]
        properties = await azurite.container_properties(account.name, container)
        if properties is None:
            raise ArmError(404, "ContainerNotFound", "The specified container does not exist.")
        return web.json_response(
            {
                "id": account.container_id(container),
                "name": container,
                "type": "Microsoft.Storage/storageAccounts/blobServices/containers",
                "etag": properties["ETag"],
                "properties": {
                    "deleted": False,
                    "publicAccess": "None",
                    "leaseStatus": properties.get("x-ms-lease-status", "unlocked").capitalize(),
                    "leaseState": properties.get("x-ms-lease-state", "available").capitalize(),
                    "lastModifiedTime": properties["Last-Modified"],
                    "hasImmutabilityPolicy": False,
                    "hasLegalHold": False,
                },
            }
        )

    action = "Microsoft.Storage/storageAccounts/blobServices/containers/read"
    return Route("GET", CONTAINER, get, action)


def routes(azurite: AzuriteClient) -> list[Route]:
    vaults, accounts, registries = (
        template.rpartition("/")[0].removeprefix(GROUP) for template in (VAULT, ACCOUNT, REGISTRY)
    )
    run = REGISTRY + "/pipelineRuns"
    reads_registry, reads_run = f"{REGISTRY_TYPE}/read", f"{REGISTRY_TYPE}/pipelineRuns/read"
    reads_vault, reads_account = "Microsoft.KeyVault/vaults/read", "Microsoft.Storage/storageAccounts/read"
    return [
        Route("GET", SUBSCRIPTION, _get_subscription, "Microsoft.Resources/subscriptions/read", filters=True),
        Route("GET", REGISTRY, _get_registry, reads_registry, _registry_versions),
        *(
            Route("GET", scope + registries, _list_registries, reads_registry, _registry_versions, filters=True)
            for scope in (SUBSCRIPTION, GROUP)
        ),
        *_pipeline_routes(Direction.EXPORT),
        *_pipeline_routes(Direction.IMPORT),
        Route("GET", run, _list_runs, reads_run, _pipeline_versions),
        Route("GET", run + "/{run}", _get_run, reads_run, _pipeline_versions),
        Route(
            "GET",
            run + "/{run}/operationStatuses/{operation}",
            _get_operation,
            f"{REGISTRY_TYPE}/pipelineRuns/operationStatuses/read",
            _pipeline_versions,
        ),
        Route("GET", VAULT, _get_vault, reads_vault),
        *(Route("GET", scope + vaults, _list_vaults, reads_vault, filters=True) for scope in (SUBSCRIPTION, GROUP)),
        Route("GET", VAULT + "/secrets/{secret}", _get_secret, "Microsoft.KeyVault/vaults/secrets/read"),
        Route("GET", ACCOUNT, _get_account, reads_account),
        *(
            Route("GET", scope + accounts, _list_accounts, reads_account, filters=True)
            for scope in (SUBSCRIPTION, GROUP)
        ),
        _container_route(azurite),
    ]
