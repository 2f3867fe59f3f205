"""Conditions of what is not there any more, or not watched any more: they end, and only where that was seen."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest

from localcloud.run_helpers import WriteRejectedError
from localcloud.scenario import CONTAINER
from localcloud.service import FaultAction, Hang, MalformedJson, Status
from shared import sweep_targets
from shared.azure import blobs
from shared.findings.builder import TriggeredBy
from shared.sinks.condition_records import label as condition_label
from shared.sweep import Sweep
from tests.corridor.conftest import Corridor, Raw, answers_within
from tests.corridor.time_travel import conditions_opened, forget_rhythms, reads, rows_of, told

CATEGORY: Final = {"category": "acr-transfer-blob"}
ELSEWHERE: Final = "elsewhere"
# An answer that does not say that a thing is not there.
NO_ANSWERS: Final[dict[str, FaultAction]] = {
    "403": Status(403, body='{"error":{"code":"AuthorizationFailed"}}'),
    "503": Status(503),
    "no JSON": MalformedJson(),
}


def delete_pipeline(corridor: Corridor) -> None:
    """The export pipeline is gone."""
    corridor.scenario.source.export_pipelines.clear()


def delete_registry(corridor: Corridor) -> None:
    """The source registry is gone."""
    del corridor.cloud.world.registries[corridor.scenario.source.name.casefold()]


def ends(corridor: Corridor, rule: str) -> list[str]:
    """Why a rule's conditions were resolved."""
    return [row["Evidence"]["resolvedBecause"] for row in rows_of(corridor, rule, "Resolved")]


async def open_rules(corridor: Corridor) -> list[str]:
    """The rules of all open conditions."""
    return sorted(record["ruleId"] for record in (await corridor.state("conditions/")).values())


async def vault_closed(corridor: Corridor) -> None:
    """A pipeline's condition that was told."""
    corridor.cloud.world.revoke_secret_get(corridor.scenario.vault, corridor.scenario.export_pipeline)
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT201")]


# --- pipelines ----------------------------------------------------------------------------------------------


async def test_conditions_of_a_deleted_pipeline_are_over(corridor: Corridor) -> None:
    await vault_closed(corridor)
    before = len(reads(corridor))
    await corridor.sweep()
    assert not [path for path in reads(corridor)[before:] if path.lower().endswith("/exportpipelines/exportpipe")]
    delete_pipeline(corridor)
    for _ in range(2):
        await corridor.sweep()
        assert told(corridor) == [("Opened", "ACRT201"), ("Resolved", "ACRT201")]
        assert ends(corridor, "ACRT201") == ["the pipeline is gone"]
    assert await open_rules(corridor) == []


async def test_what_a_run_of_a_deleted_pipeline_failed_on_is_over(corridor: Corridor) -> None:
    await corridor.run_event(await corridor.failed_export())
    delete_pipeline(corridor)
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT201"), ("Resolved", "ACRT201")]
    assert await open_rules(corridor) == []


async def test_that_a_runs_pipeline_is_missing_is_not_over_because_it_is_missing(corridor: Corridor) -> None:
    raw = await corridor.failed_export()
    missing = "The pipeline was not found."
    corridor.scenario.source.runs["failing"].response["pipelineRunErrorMessage"] = missing
    delete_pipeline(corridor)
    await corridor.run_event(raw)
    assert told(corridor) == [("Opened", "ACRT113")]
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT113")]
    assert "ACRT113" in await open_rules(corridor)


async def test_a_rejected_pipeline_is_not_over_because_it_was_never_there(corridor: Corridor) -> None:
    cloud = corridor.cloud
    cloud.world.access.revoke(cloud.world.operator.id, "Container Registry Transfer Pipeline Contributor")
    pipeline_id = f"{corridor.scenario.source.id}/exportPipelines/newpipe"
    with pytest.raises(WriteRejectedError):
        await cloud.arm(
            "PUT", pipeline_id, {"properties": {"target": {"uri": "https://contosoexport.example/transfer"}}}
        )
    [event] = [event for event in cloud.events if event.subject.lower().endswith("/newpipe")]
    await corridor.run_event(event.in_schema("EventGridSchema"))
    assert [kind for kind, _ in told(corridor)] == ["Opened"]
    await corridor.sweep()
    assert not [row for row in corridor.rows if row["Evidence"].get("resolvedBecause") == "the pipeline is gone"]
    assert await open_rules(corridor) != []


@pytest.mark.parametrize("named", ["", "no id", "/subscriptions/../exportPipelines/else", "{registry}else{rest}"])
async def test_what_is_no_pipeline_of_the_registry_is_not_asked_for(corridor: Corridor, named: str) -> None:
    await vault_closed(corridor)
    delete_pipeline(corridor)
    state = corridor.monitor.state
    [key] = await corridor.state("conditions/")
    stored = await state.read(key)
    assert stored is not None
    named = named.format(registry=corridor.scenario.source.id, rest="/exportPipelines/exportpipe")
    record = {**stored.record, "row": {**stored.record["row"], "PipelineId": named}}
    await state.replace(key, record, stored.etag, condition_label(record))
    before = len(reads(corridor))
    report = await corridor.sweep()
    assert (report.finished, report.problems) == (True, [])
    assert not [path for path in reads(corridor)[before:] if "else" in path or path.endswith("/exportpipe")]
    assert await open_rules(corridor) == ["ACRT201"]


@pytest.mark.parametrize("name", NO_ANSWERS)
async def test_a_pipeline_that_can_not_be_asked_for_is_not_gone(corridor: Corridor, name: str) -> None:
    await vault_closed(corridor)
    delete_pipeline(corridor)
    corridor.break_down("arm", NO_ANSWERS[name], "/exportpipelines/exportpipe")
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT201")]
    corridor.heal()
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT201"), ("Resolved", "ACRT201")]


@pytest.mark.parametrize("status", [403, 404, 503])
async def test_a_pipeline_is_not_gone_because_it_can_not_be_listed(corridor: Corridor, status: int) -> None:
    await vault_closed(corridor)
    corridor.break_down("arm", Status(status), "/exportpipelines")
    await corridor.sweep()
    assert ("Resolved", "ACRT201") not in told(corridor)
    assert "ACRT201" in await open_rules(corridor)


# --- registries ---------------------------------------------------------------------------------------------


async def test_conditions_of_a_registry_that_is_monitored_no_more_are_over(corridor: Corridor) -> None:
    await vault_closed(corridor)
    corridor.break_down("arm", Status(403), "contosoedge", "pipelineruns")
    await corridor.sweep()
    await conditions_opened(corridor, timedelta(hours=2))
    await corridor.sweep()
    corridor.heal()
    assert await open_rules(corridor) == ["ACRT201", "ACRT901"]
    narrowed = await corridor.another(MONITORED_REGISTRIES=corridor.scenario.target.id)
    # Who looks at one registry from the command line has not taken the others out.
    await Sweep(narrowed).run(TriggeredBy.CLI)
    left = [rule for rule in await open_rules(corridor) if rule == "ACRT201"]
    assert left == ["ACRT201"]
    await corridor.sweep(narrowed)
    assert ends(corridor, "ACRT201") == ["MONITORED_REGISTRIES does not name its registry any more"]
    assert sorted(told(corridor)) == sorted(
        [("Opened", "ACRT201"), ("Resolved", "ACRT201"), ("Opened", "ACRT901"), ("Resolved", "ACRT901")]
    )
    assert await open_rules(corridor) == []


async def test_conditions_of_a_registry_that_is_gone_are_over(corridor: Corridor) -> None:
    await vault_closed(corridor)
    delete_registry(corridor)
    await corridor.sweep()
    assert ends(corridor, "ACRT201") == ["the registry is gone"]
    assert await open_rules(corridor) == ["ACRT901"], "that the setting still names it"


async def test_a_registry_that_its_subscription_does_not_show_is_asked_for(corridor: Corridor) -> None:
    monitor = await corridor.another(MONITORED_REGISTRIES=f"/subscriptions/{corridor.cloud.world.subscription_id}")
    corridor.cloud.world.revoke_secret_get(corridor.scenario.vault, corridor.scenario.export_pipeline)
    await corridor.sweep(monitor)
    delete_registry(corridor)
    source = corridor.scenario.source.id.rpartition("/")[2]
    lost = '{"error":{"code":"SubscriptionNotFound","message":"The subscription could not be found."}}'
    corridor.break_down("arm", Status(404, body=lost), f"/registries/{source}")
    # Another instance, as a subscription's registries are known for some minutes.
    monitor = await corridor.another(MONITORED_REGISTRIES=f"/subscriptions/{corridor.cloud.world.subscription_id}")
    await corridor.sweep(monitor)
    assert ends(corridor, "ACRT201") == [], "the identity may have lost its rights"
    corridor.heal()
    await corridor.sweep(monitor)
    assert ends(corridor, "ACRT201") == ["the registry is gone"]


# --- blobs --------------------------------------------------------------------------------------------------


async def stray(corridor: Corridor) -> Raw:
    """A transfer blob in a container that nobody reads was told of."""
    account = corridor.scenario.import_account.name
    await corridor.cloud.create_container(account, ELSEWHERE)
    await corridor.cloud.put_blob(account, ELSEWHERE, "images.tar", metadata=CATEGORY)
    raw = corridor.file("blob-put-blob")
    raw["subject"] = raw["subject"].replace(f"/{CONTAINER}/", f"/{ELSEWHERE}/")
    await corridor.blob_event(raw)
    assert told(corridor) == [("Opened", "ACRT508")]
    return raw


def asked_for(corridor: Corridor) -> int:
    """How often the stray blob was asked for."""
    return len([request for request in corridor.cloud.requests if request.path == f"/{ELSEWHERE}/images.tar"
                and request.method == "HEAD"])  # fmt: skip


async def test_a_blob_that_nobody_waits_for_is_asked_for_once_an_hour(corridor: Corridor) -> None:
    await stray(corridor)
    await corridor.sweep()
    asked = asked_for(corridor)
    await corridor.cloud.delete_blob(corridor.scenario.import_account.name, ELSEWHERE, "images.tar")
    await corridor.sweep()
    assert asked_for(corridor) == asked
    assert told(corridor) == [("Opened", "ACRT508")]
    await forget_rhythms(corridor)
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT508"), ("Resolved", "ACRT508")]
    assert ends(corridor, "ACRT508") == ["the blob is gone"]
    assert await open_rules(corridor) == []


async def test_a_blob_that_a_pipeline_reads_by_now_is_no_stray(corridor: Corridor) -> None:
    await stray(corridor)
    pipeline = corridor.scenario.import_pipeline
    pipeline.container_url = pipeline.container_url.replace(f"/{CONTAINER}", f"/{ELSEWHERE}")
    await corridor.sweep(await corridor.another())
    assert ("Resolved", "ACRT508") in told(corridor)


@pytest.mark.parametrize("answer", [Status(403), Status(503), Hang()], ids=["403", "503", "silence"])
async def test_a_blob_that_can_not_be_asked_for_is_not_gone(
    corridor: Corridor, answer: FaultAction, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers_within(monkeypatch, 0.3, of=blobs.SERVICE)
    await stray(corridor)
    await corridor.cloud.delete_blob(corridor.scenario.import_account.name, ELSEWHERE, "images.tar")
    corridor.break_down("storage", answer, f"/{ELSEWHERE}/")
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT508")]
    corridor.heal()
    await forget_rhythms(corridor)
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT508"), ("Resolved", "ACRT508")]


async def test_a_blob_that_was_missing_is_there_now(corridor: Corridor) -> None:
    scenario = corridor.scenario
    await corridor.cloud.put_run(scenario.target, "byhand", scenario.import_pipeline, blob="late.tar")
    await corridor.run_event(corridor.told("byhand"))
    assert told(corridor) == [("Opened", "ACRT402")]
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT402")], "that the blob is gone is the fault itself"
    await corridor.cloud.put_blob(scenario.import_account.name, CONTAINER, "late.tar", metadata=CATEGORY)
    await forget_rhythms(corridor)
    await corridor.sweep()
    assert ends(corridor, "ACRT402") == ["the blob is there now"]


async def test_nothing_is_asked_of_an_account_that_no_pipeline_uses_any_more(corridor: Corridor) -> None:
    await stray(corridor)
    pipeline = corridor.scenario.import_pipeline
    pipeline.container_url = pipeline.container_url.replace("contosoimport", "contosoexport")
    asked = asked_for(corridor)
    await corridor.sweep(await corridor.another())
    assert asked_for(corridor) == asked
    assert ends(corridor, "ACRT508") == ["no pipeline that is known uses its storage account any more"]


async def test_each_blob_has_its_turn(corridor: Corridor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_targets, "MOST_READS", 2)
    account = corridor.scenario.import_account.name
    await stray(corridor)
    names = [f"images{number}.tar" for number in range(4)]
    for name in names:
        await corridor.cloud.put_blob(account, ELSEWHERE, name, metadata=CATEGORY)
        raw = corridor.file("blob-put-blob")
        raw["subject"] = raw["subject"].replace(f"/{CONTAINER}/", f"/{ELSEWHERE}/").replace("images.tar", name)
        await corridor.blob_event(raw)
    await corridor.cloud.delete_container(account, ELSEWHERE)
    for left in (3, 1, 0):
        await corridor.sweep()
        assert len(await open_rules(corridor)) == left


async def test_the_list_of_pipelines_that_a_blob_had_to_do_without_is_back(corridor: Corridor) -> None:
    await corridor.cloud.put_blob(corridor.scenario.import_account.name, CONTAINER, "images.tar", metadata=CATEGORY)
    corridor.break_down("arm", Status(403, body='{"error":{"code":"AuthorizationFailed"}}'), "pipelines")
    await corridor.blob_event(corridor.file("blob-put-blob"))
    [missing] = rows_of(corridor, "ACRT901")
    assert missing["RegistryId"] == ""
    corridor.heal()
    await corridor.sweep(await corridor.another())
    assert await open_rules(corridor) == []


async def test_a_blob_that_could_not_be_read_is_tried_and_no_look_at_its_pipeline_says_that_it_can(
    corridor: Corridor,
) -> None:
    corridor.break_down("storage", Status(403), "/failing.tar")
    corridor.cloud.world.close_firewall(corridor.scenario.export_account)
    corridor.cloud.world.allow_monitor(corridor.scenario.export_account)
    await corridor.run_event(await corridor.export("failing"))
    [missing] = rows_of(corridor, "ACRT901")
    assert missing["Evidence"]["target"] == "contosoexport/transfer/failing.tar"
    for _ in range(2):
        await forget_rhythms(corridor)
        await corridor.sweep()
        assert "ACRT901" in await open_rules(corridor)
    corridor.heal()
    await forget_rhythms(corridor)
    await corridor.sweep()
    assert "ACRT901" not in await open_rules(corridor)
