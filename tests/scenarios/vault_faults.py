"""What can be wrong with the vault, its secret, and the pipeline's way to it."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Literal

from localcloud.service import Fault, Origin, Status
from localcloud.world import AccessPolicy, RoleDefinition
from localcloud.world.clock import now
from tests.scenarios.operations import fault
from tests.scenarios.stage import Stage


@fault
async def forget_policy(stage: Stage) -> None:
    """Nobody gave the pipeline's identity Get on secrets."""
    stage.cloud.world.revoke_secret_get(stage.vault, stage.pipeline)


@fault
async def other_policy_forgotten(stage: Stage) -> None:
    """Nobody gave the identity of the other direction's pipeline Get on secrets."""
    other = stage.transfer.import_pipeline if stage.exports else stage.transfer.export_pipeline
    stage.cloud.world.revoke_secret_get(stage.vault, other)


@fault
async def policy(stage: Stage, *, to: str = "pipeline", secrets: list[str], other_tenant: bool = False) -> None:
    """An access policy for the pipeline's identity, or for somebody else by any other name."""
    who = stage.identity if to == "pipeline" else stage.principal(to)
    tenant = str(uuid.uuid4()) if other_tenant else stage.cloud.world.tenant_id
    stage.vault.access_policies.append(AccessPolicy(who.id, tenant, secrets))


@fault
async def group_policy(stage: Stage, *, member: bool = True) -> None:
    """An access policy for a group, which the pipeline's identity belongs to or not."""
    group = stage.principal("transfer-pipelines")
    stage.cloud.world.access.groups[group.id] = {stage.identity.id} if member else set()
    stage.vault.access_policies.append(AccessPolicy(group.id, stage.cloud.world.tenant_id, ["get"]))


@fault
async def vault_uses_roles(stage: Stage) -> None:
    """The vault was switched to Azure RBAC; its policies are still there and have no effect."""
    stage.vault.rbac = True


@fault
async def vault_role(
    stage: Stage,
    *,
    role: str = "Key Vault Secrets User",
    at: Literal["secret", "vault", "resource group", "subscription", "another secret"] = "vault",
    through_group: bool = False,
    condition: Literal["", "holds", "does not hold"] = "",
) -> None:
    """A role for the pipeline's identity, at the vault, above it or below it."""
    world = stage.cloud.world
    scope = {
        "secret": f"{stage.vault.id}/secrets/{stage.secret}",
        "another secret": f"{stage.vault.id}/secrets/something-else",
        "vault": stage.vault.id,
        "resource group": stage.vault.id.partition("/providers/")[0],
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
        condition="@Resource[Microsoft.KeyVault/vaults/secrets:name] StringEquals 'x'" if condition else None,
        condition_holds=condition != "does not hold",
    )


@fault
async def custom_vault_role(stage: Stage, *, may: list[str]) -> None:
    """A custom role with these data actions, on the vault."""
    role = RoleDefinition(
        "Transfer Secrets", "c2a3f0f1-6b0a-4c06-9f2f-2a0fd8ed0aa2", data_actions=tuple(may), custom=True
    )
    stage.cloud.world.access.assign(stage.identity.id, role, stage.vault.id)


@fault
async def vault_closed(
    stage: Stage,
    *,
    by: Literal["firewall", "public access"] = "firewall",
    trusted_services: bool = False,
    addresses: list[str] | None = None,
) -> None:
    """The vault's network is closed; trusted services may still pass. The monitor keeps its private endpoint."""
    network = stage.vault.network
    stage.cloud.world.allow_monitor(stage.vault)
    network.bypass = "AzureServices" if trusted_services else "None"
    network.ip_rules = addresses or []
    if by == "firewall":
        network.close()
    else:
        network.public_network_access = "Disabled"


@fault
async def vault_rules_without_effect(stage: Stage) -> None:
    """The vault lists addresses and trusts no services, but lets everybody in by default."""
    stage.vault.network.ip_rules = ["192.0.2.0/24"]
    stage.vault.network.bypass = "None"
    stage.vault.network.public_network_access = None


@fault
async def vault_answers(stage: Stage, *, status: int, code: str, inner: str = "", message: str) -> None:
    """The vault answers the registry service with this, and nobody else: what the local cloud can't be set to."""
    error: dict[str, object] = {"code": code, "message": message}
    if inner:
        error["innererror"] = {"code": inner}
    body = json.dumps({"error": error})
    refusal = Status(status, {"Content-Type": "application/json"}, body)
    stage.cloud.faults.append(
        Fault(
            "keyvault",
            lambda request: "Authorization" in request.headers,
            refusal,
            origin=Origin.REGISTRY_SERVICE,
        )
    )


@fault
async def vault_perimeter(stage: Stage) -> None:
    """The vault is in a network security perimeter; its rules stand elsewhere."""
    stage.vault.network.public_network_access = "SecuredByPerimeter"


@fault
async def vault_deleted(stage: Stage) -> None:
    """The vault was deleted; its name no longer resolves."""
    stage.cloud.world.delete_vault(stage.vault)


@fault
async def vault_in_other_tenant(stage: Stage) -> None:
    """The vault trusts another tenant than the one its pipelines live in."""
    stage.vault.tenant_id = str(uuid.uuid4())


@fault
async def secret_disabled(stage: Stage) -> None:
    """The newest version of the secret was switched off."""
    version = stage.vault.secret(stage.secret)
    assert version is not None
    version.enabled = False


@fault
async def secret_deleted(stage: Stage, *, purged: bool = False) -> None:
    """The secret was deleted: it can be recovered, unless it was purged too."""
    stage.vault.delete_secret(stage.secret)
    if purged:
        stage.vault.deleted_secrets.clear()


@fault
async def secret_pinned(stage: Stage) -> None:
    """The pipeline names the version that is the newest now."""
    version = stage.vault.secret(stage.secret)
    assert version is not None
    stage.pipeline.secret_uri = stage.vault.secret_uri(stage.secret, version.version)


@fault
async def pinned_version_disabled(stage: Stage) -> None:
    """The version that the pipeline names was switched off."""
    named = (stage.pipeline.secret_uri or "").rpartition("/")[2]
    version = stage.vault.secret(stage.secret, named)
    assert version is not None
    version.enabled = False


@fault
async def pinned_to_nothing(stage: Stage) -> None:
    """The pipeline names a version that the secret does not have."""
    stage.pipeline.secret_uri = stage.vault.secret_uri(stage.secret, uuid.uuid4().hex)


@fault
async def secret_uri(stage: Stage, *, uri: str) -> None:
    """The pipeline names its secret by this address."""
    stage.pipeline.secret_uri = uri


@fault
async def secret_dates(
    stage: Stage,
    *,
    expires_in_days: float | None = None,
    starts_in_days: float | None = None,
    stored_days_ago: float = 0,
) -> None:
    """The newest version's dates; without an expiry it has none. What it holds stays as it is."""
    version = stage.vault.secret(stage.secret)
    assert version is not None
    version.expires = None if expires_in_days is None else now() + timedelta(days=expires_in_days)
    version.not_before = None if starts_in_days is None else now() + timedelta(days=starts_in_days)
    version.created = version.updated = now() - timedelta(days=stored_days_ago)


@fault
async def vault_in_other_subscription(stage: Stage) -> None:
    """The vault lies in a subscription in which the monitor has no rights."""
    stage.vault.subscription_id = stage.cloud.world.add_subscription("Contoso Security")
    stage.vault.id = stage.cloud.world.resource_id(
        "Microsoft.KeyVault/vaults", stage.vault.name, "security", stage.vault.subscription_id
    )


@fault
async def monitor_may_not_read_secrets(stage: Stage) -> None:
    """The monitor lost what let it read secrets' values."""
    monitor = stage.cloud.world.monitor.id
    if stage.vault.rbac:
        stage.cloud.world.access.revoke(monitor, "Key Vault Secrets User")
    stage.vault.access_policies = [policy for policy in stage.vault.access_policies if policy.object_id != monitor]
