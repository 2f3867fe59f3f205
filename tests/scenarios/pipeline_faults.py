"""What can be wrong with the pipeline, its registry, its artifacts, who starts runs, and the monitor's own rights."""

from __future__ import annotations

import json
from typing import Literal

from localcloud.arm.registries import REGISTRY_TYPE
from localcloud.service import Fault, Origin, Reset, Status
from localcloud.world import GIB, IdentityKind, RoleDefinition, foreign_layer, image, layer
from localcloud.world.behaviour import PIPELINE_API_VERSIONS
from localcloud.world.clock import now
from localcloud.world.registries import index
from localcloud.world.world import OPERATOR_ROLES
from tests.scenarios.operations import fault
from tests.scenarios.stage import Stage


@fault
async def options(stage: Stage, *, are: list[str]) -> None:
    """The pipeline's options, all of them."""
    stage.pipeline.options = are


@fault
async def no_identity(stage: Stage) -> None:
    """The pipeline has no identity any more."""
    stage.pipeline.identity = None
    stage.pipeline.identity_kind = IdentityKind.NONE


@fault
async def recreated(stage: Stage) -> None:
    """The pipeline was deleted and made again: a new identity, for which nobody granted anything."""
    pipeline = stage.pipeline
    pipeline.identity = stage.cloud.world.new_identity(f"{pipeline.name}-again", pipeline.identity_kind)
    pipeline.created = pipeline.modified = now()


@fault
async def pipeline_state(stage: Stage, *, state: str) -> None:
    """The pipeline's provisioning state."""
    stage.pipeline.provisioning_state = state


@fault
async def trigger_off(stage: Stage) -> None:
    """The import pipeline's source trigger is switched off."""
    stage.transfer.import_pipeline.trigger_enabled = False


@fault
async def second_pipeline(
    stage: Stage, *, name: str = "secondpipe", trigger: bool = True, granted: bool = True
) -> None:
    """Another import pipeline on the same container, with the same secret and an identity of its own."""
    first = stage.transfer.import_pipeline
    made = stage.cloud.world.add_import_pipeline(
        stage.transfer.target,
        name,
        first.container_url,
        first.secret_uri,
        options=first.options,
        trigger_enabled=trigger,
    )
    if granted and first.secret_uri:
        stage.cloud.world.grant_secret_get(stage.vault, made)
    elif granted:
        stage.cloud.world.grant_storage(stage.transfer.import_account, made)


@fault
async def registry_tier(stage: Stage, *, sku: str) -> None:
    """The registry was taken down to a lower tier."""
    stage.registry.sku = sku


@fault
async def exports_disabled(stage: Stage) -> None:
    """The registry's export policy keeps images in."""
    stage.registry.export_policy = "disabled"


@fault
async def registry_denies(stage: Stage, *, public_access: str = "Disabled") -> None:
    """The registry's own network rules keep the transfer out."""
    stage.registry.denies_transfers = True
    stage.registry.public_network_access = public_access


@fault
async def push(
    stage: Stage,
    *,
    artifact: str,
    layer_bytes: int = 0,
    layer_gib: float = 0,
    foreign: Literal["", "pushed", "not pushed"] = "",
    to: Literal["source", "target"] = "source",
) -> None:
    """An image in a registry; with a layer of a claimed size, or one that lives elsewhere, it is another image."""
    registry = stage.transfer.source if to == "source" else stage.transfer.target
    size = int(layer_gib * GIB) or layer_bytes or None
    if size is None and not foreign:
        registry.push(artifact)
        return
    layers = [layer(f"layer of {artifact}", size=size)]
    if foreign:
        layers.append(foreign_layer(artifact, pushed=foreign == "pushed"))
    registry.push(artifact, image(artifact, *layers))


@fault
async def push_index(stage: Stage, *, artifact: str) -> None:
    """An index over images for two platforms."""
    stage.transfer.source.push(artifact, index(image(f"{artifact} amd64"), image(f"{artifact} arm64")))


@fault
async def push_many(stage: Stage, *, many: int) -> None:
    """As many tags of one repository as ``many`` of the action ``run`` asks for."""
    for number in range(1, many + 1):
        stage.transfer.source.push(f"app/web:{number}.0", image(f"web {number}"))


@fault
async def behaviour(
    stage: Stage,
    *,
    existing_blob_fails_export: bool = True,
    existing_tag_fails_import: bool = True,
    rejects_invalid_requests: bool = False,
    lists_exported_artifacts: bool = True,
    retries_failed_sources: bool = False,
    newest_api: str = "",
    unknown_version_code: str = "NoRegisteredProviderFound",
) -> None:
    """What public sources leave open about the service, or how old the cloud is."""
    known = stage.cloud.world.behaviour
    known.existing_blob_fails_export = existing_blob_fails_export
    known.existing_tag_fails_import = existing_tag_fails_import
    known.rejects_invalid_requests = rejects_invalid_requests
    known.lists_exported_artifacts = lists_exported_artifacts
    known.retries_failed_sources = retries_failed_sources
    known.unknown_version_code = unknown_version_code
    if newest_api:
        known.pipeline_api_versions = [version for version in PIPELINE_API_VERSIONS if version <= newest_api]


@fault
async def operator_may_only(stage: Stage, *, actions: list[str]) -> None:
    """Whoever starts runs may do these actions on registries and no others."""
    world = stage.cloud.world
    for role in OPERATOR_ROLES:
        if world.access.definition(role).permits(f"{REGISTRY_TYPE}/importPipelines/read", data=False):
            world.access.revoke(world.operator.id, role)
    custom = RoleDefinition("Run Starter", "0b7a4a0c-8a7a-4bd0-9a4e-5a3d3c3a9f10", tuple(actions), custom=True)
    world.access.assign(world.operator.id, custom, "/", principal_type="User")


@fault
async def monitor_lacks(stage: Stage, *, role: str) -> None:
    """The monitor itself lost a role."""
    stage.cloud.world.access.revoke(stage.cloud.world.monitor.id, role)


@fault
async def monitor_cannot_reach(
    stage: Stage, *, service: Literal["arm", "keyvault", "storage"], path: str, how: Literal["reset", "503", "429"]
) -> None:
    """The monitor's own requests to a path fail; everybody else's go through."""
    answer = (
        Reset() if how == "reset" else Status(int(how), {"Retry-After": "30"}, json.dumps({"error": {"code": how}}))
    )
    stage.cloud.faults.append(
        Fault(service, lambda request: path.lower() in request.path.lower(), answer, origin=Origin.MONITOR)
    )


@fault
async def extra_json(stage: Stage, *, of: Literal["pipelines", "runs"] = "pipelines") -> None:
    """ARM's answers have fields that nobody has seen yet, and names in another case."""
    from tests.scenarios.strange_arm import add_strange_fields

    add_strange_fields(stage.cloud, of)
