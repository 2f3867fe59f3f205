"""The run as a resource: PUT, GET, DELETE, and what is refused at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcloud.run_helpers import WriteRejectedError
from localcloud.scenario import Scenario

if TYPE_CHECKING:
    from tests.localcloud.conftest import Monitor


async def test_a_run_is_a_long_running_operation(monitor: Monitor, scenario: Scenario) -> None:
    cloud = scenario.cloud
    cloud.hold_transfers()
    accepted = await cloud.put_run(
        scenario.source, "export01", "exportpipe", artifacts=["hello-world"], blob="a.tar", wait=False
    )
    assert accepted["properties"]["response"]["status"] == "Running"
    run = scenario.source.runs["export01"]
    operation = f"{run.id}/operationStatuses/{run.operation_id}"
    assert (await monitor.arm(operation))[1] == {"status": "Creating"}
    with pytest.raises(WriteRejectedError, match="in progress"):
        await cloud.put_run(scenario.source, "export01", "exportpipe", artifacts=["b"], blob="a.tar")
    cloud.release_transfers()
    await cloud.wait_for_run(scenario.source, "export01")
    assert (await monitor.arm(operation))[1] == {"status": "Succeeded"}


async def test_nothing_new_is_no_new_run(scenario: Scenario) -> None:
    cloud, request = scenario.cloud, {"artifacts": ["nosuch:1"], "blob": "a.tar"}
    first = await cloud.put_run(scenario.source, "export01", "exportpipe", **request)  # type: ignore[arg-type]
    assert first["properties"]["provisioningState"] == "Failed"
    scenario.source.push("nosuch:1")
    again = await cloud.put_run(scenario.source, "export01", "exportpipe", **request)  # type: ignore[arg-type]
    assert again == first
    forced = await cloud.put_run(
        scenario.source,
        "export01",
        "exportpipe",
        artifacts=["nosuch:1"],
        blob="a.tar",
        force_update_tag="2",
    )
    assert forced["properties"]["provisioningState"] == "Succeeded"
    assert forced["properties"]["forceUpdateTag"] == "2"


async def test_a_held_run_can_be_canceled(scenario: Scenario) -> None:
    cloud = scenario.cloud
    cloud.hold_transfers()
    await cloud.put_run(scenario.source, "export01", "exportpipe", artifacts=["a"], blob="a.tar", wait=False)
    await cloud.cancel_run(scenario.source, "export01")
    run = await cloud.get_run(scenario.source, "export01")
    assert run["properties"]["provisioningState"] == run["properties"]["response"]["status"] == "Canceled"
    assert cloud.events[-1].type == "Microsoft.Resources.ResourceWriteCancel"


async def test_refused_writes_leave_no_run(scenario: Scenario) -> None:
    cloud, world = scenario.cloud, scenario.cloud.world
    missing = f"{scenario.source.id}/exportPipelines/gone"
    for name, pipeline, artifacts, code in (
        ("export01", missing, ["a"], "ResourceNotFound"),
        ("x", "exportpipe", ["a"], "InvalidResourceName"),
        ("with_underscore", "exportpipe", ["a"], "InvalidResourceName"),
        ("export02", "exportpipe", [], "InvalidRequest"),
    ):
        with pytest.raises(WriteRejectedError) as refusal:
            await cloud.put_run(scenario.source, name, pipeline, artifacts=artifacts, blob="a.tar")
        assert refusal.value.code == code
    world.access.revoke(world.operator.id, "Container Registry Transfer Pipeline Contributor")
    with pytest.raises(WriteRejectedError, match="or the scope is invalid"):
        await cloud.put_run(scenario.source, "export03", "exportpipe", artifacts=["a"], blob="a.tar")
    assert scenario.source.runs == {}
    assert {event.type for event in cloud.events} == {"Microsoft.Resources.ResourceWriteFailure"}


async def test_deleting_a_run_is_like_deleting_the_log(scenario: Scenario) -> None:
    cloud = scenario.cloud
    await cloud.put_run(scenario.source, "export01", "exportpipe", artifacts=["hello-world"], blob="a.tar")
    await cloud.delete_run(scenario.source, "export01")
    with pytest.raises(WriteRejectedError, match="ResourceNotFound"):
        await cloud.get_run(scenario.source, "export01")
    assert await cloud.blob_names("contosoexport", "transfer") == ["a.tar"]


async def test_a_pipeline_made_anew_has_a_new_identity(scenario: Scenario) -> None:
    cloud, old = scenario.cloud, scenario.export_pipeline
    body = await cloud.arm("GET", old.id)
    await cloud.arm("PUT", old.id, body)
    kept = scenario.source.export_pipelines["exportpipe"]
    assert kept.identity is old.identity
    await cloud.arm("DELETE", old.id)
    await cloud.arm("PUT", old.id, body)
    run = await cloud.put_run(scenario.source, "export01", "exportpipe", artifacts=["hello-world"], blob="a.tar")
    assert "ForbiddenByPolicy" in run["properties"]["response"]["pipelineRunErrorMessage"]


async def test_the_export_policy_blocks_new_pipelines(scenario: Scenario) -> None:
    body = await scenario.cloud.arm("GET", scenario.export_pipeline.id)
    scenario.source.export_policy = "disabled"
    with pytest.raises(WriteRejectedError, match="exportPolicy"):
        await scenario.cloud.arm("PUT", f"{scenario.source.id}/exportPipelines/another", body)
