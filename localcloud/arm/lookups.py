"""From a path's names to the world's resources, or to ARM's 404."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from localcloud.arm.registries import REGISTRY_TYPE
from localcloud.arm.requests import ArmRequest, not_found
from localcloud.world import Direction, Pipeline, Registry, Run, StorageAccount, Vault

SUBSCRIPTION = "/subscriptions/{subscription}"
GROUP = SUBSCRIPTION + "/resourceGroups/{group}"
REGISTRY = GROUP + "/providers/" + REGISTRY_TYPE + "/{registry}"


class Located(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def subscription_id(self) -> str: ...

    @property
    def resource_group(self) -> str: ...


Resource = TypeVar("Resource", bound=Located)


def _find(request: ArmRequest, resources: dict[str, Resource], name: str, resource_type: str) -> Resource:
    resource = resources.get(name.casefold())
    if (
        resource is None
        or resource.subscription_id.casefold() != request["subscription"].casefold()
        or resource.resource_group.casefold() != request["group"].casefold()
    ):
        raise not_found(resource_type, name, request["group"])
    return resource


def registry_of(request: ArmRequest) -> Registry:
    return _find(request, request.world.registries, request["registry"], REGISTRY_TYPE)


def pipeline_of(request: ArmRequest, direction: Direction) -> Pipeline:
    registry = registry_of(request)
    pipeline = request.world.pipelines_of(registry, direction).get(request["pipeline"].casefold())
    if pipeline is None:
        name = f"{registry.name}/{direction}/{request['pipeline']}"
        raise not_found(REGISTRY_TYPE, name, request["group"])
    return pipeline


def run_of(request: ArmRequest) -> Run:
    registry = registry_of(request)
    run = registry.runs.get(request["run"].casefold())
    if run is None:
        raise not_found(REGISTRY_TYPE, f"{registry.name}/pipelineRuns/{request['run']}", request["group"])
    return run


def account_of(request: ArmRequest) -> StorageAccount:
    return _find(request, request.world.storage_accounts, request["account"], "Microsoft.Storage/storageAccounts")


def vault_of(request: ArmRequest) -> Vault:
    return _find(request, request.world.vaults, request["vault"], "Microsoft.KeyVault/vaults")


def in_subscription(request: ArmRequest, resources: dict[str, Resource], action: str) -> list[Resource]:
    """What the caller may read of a subscription's (or a group's) resources."""
    group: Any = request.parameters.get("group")
    return [
        resource
        for resource in resources.values()
        if resource.subscription_id.casefold() == request["subscription"].casefold()
        and (group is None or resource.resource_group.casefold() == group.casefold())
        and request.caller.may(action, resource.id)
    ]
