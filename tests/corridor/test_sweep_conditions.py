"""The sweep and conditions: what is about to fail, what is over, and who hears of it when."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta

import pytest

from localcloud.scenario import CONTAINER
from localcloud.service import Status
from localcloud.world.clock import now
from shared.errors import NotStored
from shared.findings.builder import Occasion, TriggeredBy
from shared.sweep_conditions import ConditionSweep
from shared.sweep_facts import SweepFacts
from shared.sweep_pipelines import EVERY, PipelineSweep
from shared.times import iso
from tests.corridor.conftest import Corridor
from tests.corridor.time_travel import conditions_opened, expected_since, forget_rhythms, rows_of, started_earlier, told


def renew(corridor: Corridor, lasts: timedelta) -> None:
    """A new token for the export pipeline, that lasts so long."""
    scenario = corridor.scenario
    until = now() + lasts
    token = corridor.cloud.sas(scenario.export_account.name, CONTAINER, "rwla", expires=until)
    scenario.vault.set_secret("exportsas", f"?{token}", expires=until)


async def test_a_token_that_expires_soon_is_found_without_any_run(corridor: Corridor) -> None:
    renew(corridor, timedelta(days=2))
    await corridor.sweep()
    [soon] = rows_of(corridor, "ACRT303")
    assert (soon["State"], soon["PipelineName"], soon["RunName"]) == ("Open", "exportpipe", "")
    assert told(corridor) == [("Opened", "ACRT303")]
    renew(corridor, timedelta(days=300))
    await forget_rhythms(corridor)
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT303"), ("Resolved", "ACRT303")]
    assert rows_of(corridor, "ACRT303")[-1]["State"] == "Resolved"


async def test_a_run_that_succeeds_does_not_end_what_lets_runs_succeed(corridor: Corridor) -> None:
    renew(corridor, timedelta(days=2))
    await corridor.sweep()
    for number in range(2):
        await corridor.run_event(await corridor.export(f"working{number}"))
        await corridor.sweep()
        await forget_rhythms(corridor)
        await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT303")]
    assert {row["State"] for row in rows_of(corridor, "ACRT303")} == {"Open"}
    renew(corridor, timedelta(days=300))
    await forget_rhythms(corridor)
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT303"), ("Resolved", "ACRT303")]


@pytest.mark.parametrize("ended_by", ["import", "removal", "removal before"])
async def test_a_blob_that_waits_for_a_trigger_that_is_off_is_settled_by_its_own_end(
    corridor: Corridor, ended_by: str
) -> None:
    cloud, scenario = corridor.cloud, corridor.scenario
    scenario.import_pipeline.trigger_enabled = False
    scenario.import_pipeline.options.clear()
    for name in ("images.tar", "other.tar"):
        await cloud.put_run(scenario.source, name[:5], scenario.export_pipeline, artifacts=("hello-world",), blob=name)
        await scenario.carry_over(name)
    await corridor.blob_event(corridor.file("blob-put-blob"))
    await expected_since(corridor, timedelta(hours=2))
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT501")]
    # That another blob is imported by hand changes nothing for this one.
    await cloud.put_run(scenario.target, "byhand", scenario.import_pipeline, blob="other.tar")
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT501")]
    if ended_by == "import":
        await cloud.put_run(scenario.target, "byhand2", scenario.import_pipeline, blob="images.tar")
    else:
        await cloud.delete_blob(scenario.import_account.name, CONTAINER, "images.tar")
    if ended_by == "removal before":
        # A sweep that went no further has seen that it is gone, so nothing waits for it any more.
        for key in await corridor.state("expectations/"):
            stored = await corridor.monitor.state.read(key)
            assert stored is not None
            await corridor.monitor.state.delete(key, stored.etag)
        await forget_rhythms(corridor)
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT501"), ("Resolved", "ACRT501")]


async def test_a_removed_policy_is_found_before_a_run_fails(corridor: Corridor) -> None:
    scenario = corridor.scenario
    corridor.cloud.world.revoke_secret_get(scenario.vault, scenario.export_pipeline)
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT201")]
    await forget_rhythms(corridor)
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT201")]
    corridor.cloud.world.grant_secret_get(scenario.vault, scenario.export_pipeline)
    await forget_rhythms(corridor)
    report = await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT201"), ("Resolved", "ACRT201")]
    assert (report.resolved, report.alerts) == (1, 1)
    [opened, closed] = corridor.alerts
    assert opened["id"] != closed["id"]
    assert opened["data"]["FindingKey"] == closed["data"]["FindingKey"]
    assert await corridor.state("conditions/") == {}


async def test_a_pipeline_is_looked_at_once_an_hour(corridor: Corridor) -> None:
    await corridor.sweep()
    [pipeline] = (await corridor.monitor.gatherer.lookups.all_pipelines())[0][:1]
    occasion = Occasion(TriggeredBy.SWEEP)
    for later, looked in ((timedelta(minutes=55), False), (EVERY, True)):
        facts = SweepFacts()
        looks = PipelineSweep(corridor.monitor, facts, datetime.now(UTC) + later)
        await looks.load()
        await looks.look(pipeline, occasion)
        assert bool(facts.looked_pipelines) is looked


async def test_ten_runs_on_one_dead_token_are_one_condition(corridor: Corridor) -> None:
    scenario = corridor.scenario
    renew(corridor, timedelta(days=-1))
    for number in range(10):
        raw = await corridor.export(f"failing{number}")
        if number % 2:
            await corridor.run_event(raw)
    await corridor.sweep()
    assert {row["RuleId"] for row in corridor.root_causes()} == {"ACRT301"}
    assert len({row["FindingId"] for row in corridor.root_causes()}) == 10
    assert len({row["FindingKey"] for row in corridor.root_causes()}) == 1
    assert told(corridor) == [("Opened", "ACRT301")]
    renew(corridor, timedelta(days=90))
    await corridor.run_event(await corridor.export("working"))
    for _ in range(2):
        await corridor.sweep()
        assert told(corridor) == [("Opened", "ACRT301"), ("Resolved", "ACRT301")]
        over = rows_of(corridor, "ACRT101", "Resolved")
        assert sorted(row["RunName"] for row in over) == [f"failing{number}" for number in range(10)]
        opened = {row["RunName"]: row["FindingId"] for row in rows_of(corridor, "ACRT101", "Open")}
        assert {row["RunName"]: row["FindingId"] for row in over} == opened
    assert scenario.source.runs.keys() >= opened.keys()
    assert sorted(await corridor.run_states()) == ["done"] + ["resolved"] * 10


async def test_a_missing_right_is_told_after_an_hour_and_resolved_when_it_is_back(corridor: Corridor) -> None:
    corridor.break_down("arm", Status(403), "contosoedge", "pipelineruns")
    await corridor.sweep()
    [missing] = rows_of(corridor, "ACRT901")
    assert (missing["State"], missing["Outcome"]) == ("Open", "Unknown")
    assert told(corridor) == []
    await conditions_opened(corridor, timedelta(minutes=55))
    await corridor.sweep()
    assert told(corridor) == []
    await conditions_opened(corridor, timedelta(minutes=65))
    await corridor.sweep()
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT901")]
    corridor.heal()
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT901"), ("Resolved", "ACRT901")]
    assert await corridor.state("conditions/") == {}


async def test_while_the_topic_is_down_alerts_wait(corridor: Corridor) -> None:
    corridor.break_down("topic", Status(503))
    await corridor.run_event(await corridor.failed_export("failing"))
    [record] = [r for r in (await corridor.state("conditions/")).values() if r["ruleId"] == "ACRT201"]
    assert record["alert"] == "pending"
    await conditions_opened(corridor, timedelta(minutes=5))
    await corridor.sweep()
    assert corridor.alerts == []
    corridor.heal()
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT201")]
    assert corridor.alerts[0]["data"]["FindingId"] == record["row"]["FindingId"]
    # So it is with what is over: the record stays until somebody was told.
    scenario = corridor.scenario
    corridor.cloud.world.grant_secret_get(scenario.vault, scenario.export_pipeline)
    await corridor.run_event(await corridor.export("working"))
    corridor.break_down("topic", Status(503))
    await corridor.sweep()
    assert len(corridor.alerts) == 1
    assert await corridor.state("conditions/") != {}
    corridor.heal()
    await corridor.sweep()
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT201"), ("Resolved", "ACRT201")]
    assert await corridor.state("conditions/") == {}


async def test_what_opened_after_a_look_is_not_over_by_that_look(corridor: Corridor) -> None:
    began = datetime.now(UTC)
    facts = SweepFacts()
    await corridor.run_event(await corridor.failed_export("failing"))
    keys = {record["findingKey"] for record in (await corridor.state("conditions/")).values()}
    facts.healthy |= keys
    await ConditionSweep(corridor.monitor, facts, began).sweep()
    assert told(corridor) == [("Opened", "ACRT201")]
    await ConditionSweep(corridor.monitor, facts, datetime.now(UTC)).sweep()
    assert told(corridor) == [("Opened", "ACRT201"), ("Resolved", "ACRT201")]


@pytest.mark.parametrize("began_before", [False, True])
async def test_a_run_that_fails_after_the_look_keeps_the_condition_open(corridor: Corridor, began_before: bool) -> None:
    await corridor.run_event(await corridor.failed_export("first"))
    other = await corridor.another()
    facts = SweepFacts()
    facts.healthy |= {record["findingKey"] for record in (await corridor.state("conditions/")).values()}
    looked = datetime.now(UTC)
    second = await corridor.failed_export("second")
    if began_before:
        # It was under way while the sweep looked at the pipeline, and failed after that.
        run = corridor.scenario.source.runs["second"]
        run.response["startTime"] = (looked - timedelta(microseconds=1)).isoformat()
    await corridor.run_event(second, other)
    await ConditionSweep(corridor.monitor, facts, looked).sweep()
    assert told(corridor) == [("Opened", "ACRT201")]
    assert [row["State"] for row in rows_of(corridor, "ACRT201")] == ["Open", "Open"]
    await ConditionSweep(corridor.monitor, facts, datetime.now(UTC)).sweep()
    assert told(corridor) == [("Opened", "ACRT201"), ("Resolved", "ACRT201")]


async def test_no_row_is_stored_of_a_condition_that_can_not_be_kept(corridor: Corridor) -> None:
    scenario = corridor.scenario
    corridor.cloud.world.revoke_secret_get(scenario.vault, scenario.export_pipeline)
    corridor.break_down("storage", Status(503), "conditions/")
    await corridor.sweep()
    # Repaired before the next look, such a row would stay open for ever, and nobody would have been told of it.
    assert rows_of(corridor, "ACRT201") == []
    corridor.heal()
    await corridor.sweep()
    assert [row["State"] for row in rows_of(corridor, "ACRT201")] == ["Open"]
    assert told(corridor) == [("Opened", "ACRT201")]


async def test_a_condition_is_kept_until_its_row_can_be_stored(corridor: Corridor) -> None:
    scenario = corridor.scenario
    corridor.cloud.world.revoke_secret_get(scenario.vault, scenario.export_pipeline)
    corridor.break_down("ingestion", Status(503))
    with pytest.raises(NotStored):
        await corridor.sweep()
    [kept] = (await corridor.state("conditions/")).values()
    corridor.heal()
    await corridor.sweep()
    [stored] = rows_of(corridor, "ACRT201")
    assert stored["FindingId"] == kept["row"]["FindingId"]
    await conditions_opened(corridor, timedelta(minutes=2))
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT201")]


async def test_what_is_missing_is_not_over_because_it_is_gone(corridor: Corridor) -> None:
    scenario, cloud = corridor.scenario, corridor.cloud
    scenario.import_pipeline.trigger_enabled = False
    category = {"category": "acr-transfer-blob"}
    await cloud.put_blob(scenario.import_account.name, CONTAINER, "images.tar", metadata=category)
    await corridor.blob_event(corridor.file("blob-put-blob"))
    await corridor.sweep()
    await cloud.delete_blob(scenario.import_account.name, CONTAINER, "images.tar")
    await cloud.put_run(scenario.target, "byhand", scenario.import_pipeline, blob="images.tar")
    await corridor.run_event(corridor.told("byhand"))
    await forget_rhythms(corridor)
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT402")]


async def test_a_run_that_hangs_does_so_whatever_others_do(corridor: Corridor) -> None:
    scenario, cloud = corridor.scenario, corridor.cloud
    cloud.hold_transfers()
    await cloud.put_run(
        scenario.source, "hanging", scenario.export_pipeline, artifacts=["hello-world"], blob="a.tar", wait=False
    )
    started_earlier(corridor, "hanging", timedelta(hours=3))
    # Another one, which began later, has succeeded.
    hanging = scenario.source.runs["hanging"]
    other = copy.deepcopy(hanging)
    other.name, other.id, other.provisioning_state = "working", hanging.id.replace("hanging", "working"), "Succeeded"
    times = {"startTime": iso(now() - timedelta(hours=2)), "finishTime": iso(now() - timedelta(hours=1))}
    other.response |= {"status": "Succeeded", **times}
    scenario.source.runs["working"] = other
    for _ in range(3):
        await corridor.sweep()
        await forget_rhythms(corridor)
    assert told(corridor) == [("Opened", "ACRT104")]
    cloud.release_transfers()
    await cloud.wait_for_run(scenario.source, "hanging")
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT104"), ("Resolved", "ACRT104")]
