"""ARM's reads, through the management client that the product uses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from localcloud import LocalCloud
from localcloud.run_helpers import WriteRejectedError
from localcloud.scenario import Scenario, transfer_between
from localcloud.world import AccessMode, IdentityKind

if TYPE_CHECKING:
    from tests.localcloud.conftest import Monitor


READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


async def test_a_registry_and_its_pipelines(monitor: Monitor, scenario: Scenario) -> None:
    status, registry = await monitor.arm(scenario.source.id, "2025-11-01")
    assert (status, registry["sku"]["name"]) == (200, "Premium")
    assert registry["properties"]["policies"]["exportPolicy"]["status"] == "enabled"

    _, pipeline = await monitor.arm(scenario.import_pipeline.id.upper().replace("/SUBSCRIPTIONS", "/subscriptions"))
    assert pipeline["properties"]["source"]["storageAccessMode"] == "SasToken"
    assert pipeline["properties"]["trigger"]["sourceTrigger"]["status"] == "Enabled"
    assert pipeline["identity"]["type"] == "systemAssigned"
    assert "location" not in pipeline

    _, listed = await monitor.arm(f"{scenario.source.id}/exportPipelines")
    assert [item["name"] for item in listed["value"]] == ["exportpipe"]


async def test_what_is_not_there(monitor: Monitor, scenario: Scenario) -> None:
    for path in (
        scenario.source.id + "x",
        scenario.source.id.replace("/resourceGroups/transfer/", "/resourceGroups/other/"),
        f"{scenario.source.id}/pipelineRuns/nosuchrun",
        f"{scenario.source.id}/importPipelines/nosuchpipe",
        f"{scenario.vault.id}/secrets/nosuch",
    ):
        status, body = await monitor.arm(path)
        assert (status, body["error"]["code"]) in {(404, "ResourceNotFound"), (404, "SecretNotFound")}


async def test_lists_are_paged(monitor: Monitor, cloud: LocalCloud) -> None:
    cloud.world.behaviour.page_size = 2
    for number in range(5):
        cloud.world.add_registry(f"contoso{number}")
    path = f"/subscriptions/{cloud.world.subscription_id}/providers/Microsoft.ContainerRegistry/registries"
    names, pages = [], 0
    _, page = await monitor.arm(path)
    while True:
        names += [item["name"] for item in page["value"]]
        pages += 1
        if "nextLink" not in page:
            break
        _, page = await monitor.arm(page["nextLink"])
    assert (names, pages) == ([f"contoso{number}" for number in range(5)], 3)


async def test_versions(monitor: Monitor, scenario: Scenario) -> None:
    behaviour = scenario.cloud.world.behaviour
    behaviour.pipeline_api_versions = ["2019-12-01-preview"]
    path = scenario.export_pipeline.id
    for code, status in (
        ("NoRegisteredProviderFound", 400),
        ("InvalidApiVersionParameter", 400),
        ("InvalidResourceType", 404),
    ):
        behaviour.unknown_version_code = code
        answered, body = await monitor.arm(path)
        assert (answered, body["error"]["code"]) == (status, code)
    _, old = await monitor.arm(path, "2019-12-01-preview")
    assert "storageAccessMode" not in old["properties"]["target"]
    status, body = await monitor.arm(path, "latest")
    assert (status, body["error"]["code"]) == (400, "InvalidApiVersionParameter")


async def test_managed_identity_mode(monitor: Monitor, cloud: LocalCloud) -> None:
    scenario = await transfer_between(cloud, mode=AccessMode.MANAGED_IDENTITY, identity=IdentityKind.USER)
    _, pipeline = await monitor.arm(scenario.export_pipeline.id)
    assert pipeline["properties"]["target"]["storageAccessMode"] == "ManagedIdentity"
    assert "keyVaultUri" not in pipeline["properties"]["target"]
    assert "principalId" not in pipeline["identity"]
    identity = scenario.export_pipeline.identity
    assert identity is not None
    [assigned] = pipeline["identity"]["userAssignedIdentities"].values()
    assert assigned["principalId"] == identity.id


async def test_without_a_role_nothing_is_read(monitor: Monitor, scenario: Scenario) -> None:
    world = scenario.cloud.world
    world.access.revoke(world.monitor.id, READER)
    status, body = await monitor.arm(scenario.source.id)
    assert (status, body["error"]["code"]) == (403, "AuthorizationFailed")
    assert "or the scope is invalid" in body["error"]["message"]
    # A right on one registry is enough for a list that holds it alone.
    world.access.assign(world.monitor.id, "Reader", scenario.target.id)
    path = f"/subscriptions/{world.subscription_id}/providers/Microsoft.ContainerRegistry/registries"
    _, listed = await monitor.arm(path)
    assert [item["name"] for item in listed["value"]] == ["contosoedge"]


async def test_tokens_are_for_one_audience(monitor: Monitor, scenario: Scenario) -> None:
    token = await monitor.token("https://storage.azure.com")
    url = f"https://management.azure.com{scenario.source.id}?api-version=2025-11-01"
    for header, code in (
        ({"Authorization": f"Bearer {token}"}, "InvalidAuthenticationTokenAudience"),
        ({"Authorization": "Bearer made.up.token"}, "InvalidAuthenticationToken"),
        ({}, "AuthenticationFailed"),
    ):
        async with monitor.session.get(url, headers=header) as answer:
            assert answer.status == 401
            assert (await answer.json())["error"]["code"] == code
            assert "Bearer" in answer.headers["WWW-Authenticate"]


async def test_vault_secret_and_account(monitor: Monitor, scenario: Scenario) -> None:
    _, vault = await monitor.arm(scenario.vault.id, "2023-07-01")
    [policy, _] = vault["properties"]["accessPolicies"]
    assert scenario.export_pipeline.identity is not None
    assert policy["objectId"] == scenario.export_pipeline.identity.id
    _, secret = await monitor.arm(f"{scenario.vault.id}/secrets/exportsas", "2023-07-01")
    assert "exp" in secret["properties"]["attributes"]
    assert "sig" not in str(secret)
    _, account = await monitor.arm(scenario.export_account.id, "2023-05-01")
    assert set(account["properties"]["keyCreationTime"]) == {"key1", "key2"}
    assert "allowSharedKeyAccess" not in account["properties"]
    containers = f"{scenario.export_account.id}/blobServices/default/containers"
    assert (await monitor.arm(f"{containers}/transfer", "2023-05-01"))[0] == 200
    status, body = await monitor.arm(f"{containers}/nosuch", "2023-05-01")
    assert (status, body["error"]["code"]) == (404, "ContainerNotFound")


async def test_role_assignments_reach_through_groups(monitor: Monitor, cloud: LocalCloud) -> None:
    scenario = await transfer_between(cloud, rbac_vault=True)
    world, identity = cloud.world, scenario.export_pipeline.identity
    assert identity is not None
    world.revoke_secret_get(scenario.vault, scenario.export_pipeline)
    world.access.groups = {"readers": {"pipelines"}, "pipelines": {identity.id}}
    world.access.assign("readers", "Key Vault Secrets User", scenario.vault.id, principal_type="Group")
    path = f"{scenario.vault.id}/providers/Microsoft.Authorization/roleAssignments"
    wanted = {"$filter": f"atScope() and assignedTo('{identity.id}')"}
    _, listed = await monitor.arm(path, "2022-04-01", **wanted)
    [assignment] = listed["value"]
    assert assignment["properties"]["principalId"] == "readers"
    _, role = await monitor.arm(assignment["properties"]["roleDefinitionId"], "2022-04-01")
    [permission] = role["properties"]["permissions"]
    assert "Microsoft.KeyVault/vaults/secrets/getSecret/action" in permission["dataActions"]
    # This filter knows no groups, and gives what lies below the scope too.
    _, direct = await monitor.arm(path, "2022-04-01", **{"$filter": f"principalId eq '{identity.id}'"})
    assert direct["value"] == []
    run = await cloud.put_run(
        scenario.source, "througagroup", scenario.export_pipeline, artifacts=["hello-world"], blob="group.tar"
    )
    assert run["properties"]["provisioningState"] == "Succeeded"


async def test_the_activity_log_remembers_a_refused_write(monitor: Monitor, scenario: Scenario) -> None:
    with pytest.raises(WriteRejectedError) as refusal:
        await scenario.cloud.put_run(
            scenario.source, "rejected", f"{scenario.source.id}/exportPipelines/gone", artifacts=["a"], blob="b"
        )
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    correlation_id = refusal.value.correlation_id
    _, log = await monitor.arm(
        f"/subscriptions/{scenario.cloud.world.subscription_id}"
        "/providers/Microsoft.Insights/eventtypes/management/values",
        "2015-04-01",
        **{"$filter": f"eventTimestamp ge '{since}' and correlationId eq '{correlation_id}'"},
    )
    failed, started = log["value"]
    assert (started["status"]["value"], failed["status"]["value"]) == ("Started", "Failed")
    assert "ResourceNotFound" in failed["properties"]["statusMessage"]
