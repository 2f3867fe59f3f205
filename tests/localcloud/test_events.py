"""Events: which there are, in both schemas, and at least once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud import LocalCloud
from localcloud.run_helpers import WriteRejectedError
from localcloud.scenario import Scenario


class Collector:
    """A subscriber that refuses the first deliveries of each event."""

    def __init__(self, refusals: int = 0) -> None:
        self.taken: list[dict[str, Any]] = []
        self.seen: dict[str, int] = {}
        self._refusals = refusals

    async def __call__(self, event: dict[str, Any]) -> None:
        self.seen[event["id"]] = self.seen.get(event["id"], 0) + 1
        if self.seen[event["id"]] <= self._refusals:
            raise RuntimeError("not now")
        self.taken.append(event)


async def export(scenario: Scenario, name: str = "export01", **options: Any) -> dict[str, Any]:
    return await scenario.cloud.put_run(
        scenario.source, name, "exportpipe", **{"artifacts": ["hello-world"], "blob": "a.tar", **options}
    )


async def test_a_write_and_its_blob(scenario: Scenario) -> None:
    grid, cloud_events = Collector(), Collector()
    scenario.cloud.subscribe(grid)
    scenario.cloud.subscribe(cloud_events, schema="CloudEventSchemaV1_0")
    await export(scenario, correlation_id="1111")
    await scenario.cloud.events_settled()

    blob, write = sorted(grid.taken, key=lambda event: str(event["eventType"]), reverse=True)
    assert write["eventType"] == "Microsoft.Resources.ResourceWriteSuccess"
    assert write["subject"].casefold() == scenario.source.runs["export01"].id.casefold()
    assert "/resourcegroups/" in write["subject"], "events have another casing than resources"
    assert write["topic"] == f"/subscriptions/{scenario.cloud.world.subscription_id}"
    assert write["data"]["operationName"] == "Microsoft.ContainerRegistry/registries/pipelineRuns/write"
    assert write["data"]["correlationId"] == "1111"
    assert "httpRequest" not in write["data"]
    assert blob["eventType"] == "Microsoft.Storage.BlobCreated"
    assert blob["topic"] == scenario.export_account.id
    assert blob["subject"] == "/blobServices/default/containers/transfer/blobs/a.tar"
    assert blob["data"]["api"] == "PutBlob"
    assert blob["data"]["contentLength"] > 0

    same = {event["id"]: event for event in cloud_events.taken}
    assert same[write["id"]]["source"] == write["topic"]
    assert same[write["id"]]["specversion"] == "1.0"
    assert same[write["id"]]["data"] == write["data"]
    known = json.dumps(grid.taken)
    assert any(fact in known for fact in scenario.cloud.world.personal_data), "the claims are in the event"
    assert not any(secret in known for secret in scenario.cloud.issued_secrets)


async def test_how_a_run_ended_is_in_the_type(scenario: Scenario) -> None:
    await export(scenario, "export01", artifacts=["nosuch"])
    assert scenario.cloud.events[-1].type == "Microsoft.Resources.ResourceWriteFailure"
    # The same again changes nothing, succeeds, and gives the failed run back.
    run = await export(scenario, "export01", artifacts=["nosuch"])
    assert run["properties"]["provisioningState"] == "Failed"
    assert scenario.cloud.events[-1].type == "Microsoft.Resources.ResourceWriteSuccess"
    assert scenario.cloud.events[-1].data["httpRequest"]["method"] == "PUT"


async def test_other_writes_have_events_too(scenario: Scenario) -> None:
    cloud = scenario.cloud
    await cloud.arm("PUT", scenario.import_pipeline.id, await cloud.arm("GET", scenario.import_pipeline.id))
    assert cloud.events[-1].data["operationName"].endswith("/importPipelines/write")
    await export(scenario, deployment="weekly")
    write, deployment = cloud.events[-2:]
    assert deployment.data["operationName"] == "Microsoft.Resources/deployments/write"
    assert deployment.data["correlationId"] == write.data["correlationId"]
    with pytest.raises(WriteRejectedError) as refusal:
        await export(scenario, "x", deployment="weekly")
    assert cloud.events[-1].data["correlationId"] == refusal.value.correlation_id
    assert cloud.events[-1].type == "Microsoft.Resources.ResourceWriteFailure"


async def test_block_lists_have_their_size(scenario: Scenario) -> None:
    await scenario.cloud.put_blob("contosoimport", "transfer", "b.tar", b"12345", content_md5=False)
    created = scenario.cloud.events[-1]
    assert (created.data["api"], created.data["contentLength"]) == ("PutBlockList", 5)
    count = len(scenario.cloud.events)
    await scenario.cloud.set_blob_metadata("contosoimport", "transfer", "b.tar", {"a": "b"})
    assert len(scenario.cloud.events) == count, "metadata raises no event"


async def test_a_refused_event_comes_again(scenario: Scenario) -> None:
    stubborn = Collector(refusals=2)
    scenario.cloud.subscribe(stubborn)
    await export(scenario)
    await scenario.cloud.events_settled()
    assert len(stubborn.taken) == 2
    assert set(stubborn.seen.values()) == {3}
    assert scenario.cloud.dead_letters == []


async def test_an_event_that_nobody_takes_is_dead_lettered(scenario: Scenario) -> None:
    scenario.cloud.subscribe(Collector(refusals=1000))
    await export(scenario)
    await scenario.cloud.events_settled()
    assert [letter.attempts for letter in scenario.cloud.dead_letters] == [5, 5]
    assert {letter.event["eventType"] for letter in scenario.cloud.dead_letters} == {
        event.type for event in scenario.cloud.events
    }


async def test_events_may_come_twice_or_not_at_all(scenario: Scenario, cloud: LocalCloud) -> None:
    collector = Collector()
    subscription = cloud.subscribe(collector)
    cloud.world.behaviour.raises_events_twice = True
    await export(scenario)
    await cloud.events_settled()
    assert set(collector.seen.values()) == {2}
    subscription.paused = True
    await export(scenario, "export02")
    await cloud.events_settled()
    assert len(collector.taken) == 4
