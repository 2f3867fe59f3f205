"""What can be wrong with the storage account, its network, the container, and the roles on both."""

from __future__ import annotations

from typing import Literal

from localcloud.scenario import CONTAINER
from localcloud.service import Fault, Origin, Status
from localcloud.world import RoleDefinition
from tests.scenarios.operations import fault
from tests.scenarios.stage import Stage

_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"


@fault
async def storage_closed(
    stage: Stage,
    *,
    by: Literal["firewall", "public access", "perimeter"] = "firewall",
    trusted_services: bool = True,
    monitor_too: bool = False,
    addresses: list[str] | None = None,
) -> None:
    """The account's network is closed. The monitor has a private endpoint, unless it is kept out too."""
    network = stage.account.network
    if not monitor_too:
        stage.cloud.world.allow_monitor(stage.account)
    network.bypass = "AzureServices" if trusted_services else "None"
    network.ip_rules = addresses or []
    if by == "firewall":
        network.close()
    elif by == "public access":
        network.public_network_access = "Disabled"
    else:
        network.public_network_access = "SecuredByPerimeter"
        network.default_action = "Deny"


@fault
async def storage_rules_without_effect(stage: Stage) -> None:
    """The account lists addresses, but lets everybody in by default."""
    stage.account.network.ip_rules = ["192.0.2.0/24"]
    stage.account.network.bypass = "None"
    stage.account.network.public_network_access = None


@fault
async def import_reads_exports(stage: Stage) -> None:
    """The import pipeline reads the container that the export writes."""
    stage.transfer.import_pipeline.container_url = stage.transfer.export_pipeline.container_url
    stage.cloud.world.grant_storage(stage.transfer.export_account, stage.transfer.import_pipeline)


@fault
async def storage_opened(stage: Stage) -> None:
    """The account's network is open again."""
    stage.cloud.world.open_firewall(stage.account)


@fault
async def account_in_other_subscription(stage: Stage) -> None:
    """The account lies in a subscription in which the monitor has no rights."""
    world = stage.cloud.world
    stage.account.subscription_id = world.add_subscription("Contoso Data")
    stage.account.id = world.resource_id(
        "Microsoft.Storage/storageAccounts", stage.account.name, "data", stage.account.subscription_id
    )


@fault
async def other_account_closed(stage: Stage, *, name: str = "fabrikamstorage") -> None:
    """Another account of the subscription, which no pipeline uses, is closed."""
    account = stage.cloud.world.add_storage_account(name)
    stage.cloud.world.close_firewall(account)
    account.allow_shared_key_access = False


@fault
async def account_disabled(stage: Stage) -> None:
    """The account is out of service."""
    stage.account.disabled = True


@fault
async def account_deleted(stage: Stage) -> None:
    """The account is gone, and its name with it."""
    del stage.cloud.world.storage_accounts[stage.account.name]


@fault
async def container_deleted(stage: Stage) -> None:
    """The container is gone."""
    await stage.cloud.delete_container(stage.account.name, CONTAINER)


@fault
async def container_url(stage: Stage, *, url: str) -> None:
    """The pipeline names its container by this address."""
    stage.pipeline.container_url = url


@fault
async def storage_answers(
    stage: Stage,
    *,
    method: Literal["GET", "PUT", "HEAD", "DELETE", "*"] = "*",
    status: int,
    code: str,
    message: str,
    times: int | None = None,
) -> None:
    """Storage answers the registry service with this, and nobody else: what the local cloud can't be set to."""
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    refusal = Status(status, {"x-ms-error-code": code, "Content-Type": "application/xml"}, body)
    stage.cloud.faults.append(
        Fault(
            "storage",
            lambda request: method in {"*", request.method},
            refusal,
            times=times,
            origin=Origin.REGISTRY_SERVICE,
        )
    )


@fault
async def storage_role_taken(stage: Stage, *, role: str = "Storage Blob Data Contributor") -> None:
    """The pipeline's identity lost its role on the account."""
    stage.cloud.world.access.revoke(stage.identity.id, role)


@fault
async def storage_role(
    stage: Stage,
    *,
    role: str,
    at: Literal["container", "account", "resource group", "subscription", "another container"] = "account",
    through_group: bool = False,
    condition: Literal["", "holds", "does not hold"] = "",
) -> None:
    """A role for the pipeline's identity, on the account, above it or below it."""
    world = stage.cloud.world
    scope = {
        "container": stage.account.container_id(CONTAINER),
        "another container": stage.account.container_id("elsewhere"),
        "account": stage.account.id,
        "resource group": stage.account.id.partition("/providers/")[0],
        "subscription": f"/subscriptions/{world.subscription_id}",
    }[at]
    who = stage.identity
    if through_group:
        group = stage.principal("transfer-pipelines")
        world.access.groups[group.id] = {who.id}
        who = group
    world.access.assign(
        who.id,
        role,
        scope,
        condition="@Resource[...containers:name] StringEquals 'transfer'" if condition else None,
        condition_holds=condition != "does not hold",
    )


@fault
async def custom_storage_role(stage: Stage, *, may: list[str], may_not: list[str] | None = None) -> None:
    """A custom role with these data actions on blobs (``read``, ``write``, ``add/action``, ``*``)."""
    role = RoleDefinition(
        "Transfer Blobs",
        "5b9c0f57-6b0a-4c06-9f2f-2a0fd8ed0aa1",
        data_actions=tuple(f"{_BLOBS}/{action}" for action in may),
        not_data_actions=tuple(f"{_BLOBS}/{action}" for action in may_not or []),
        custom=True,
    )
    stage.cloud.world.access.assign(stage.identity.id, role, stage.account.id)
