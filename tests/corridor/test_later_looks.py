"""A later look at a run knows more than the first: what it changes, and how long it is tried."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from localcloud.service import Caller, LoseAnswer, Status
from localcloud.world import MessageStyle
from shared import ended_runs, sweep_conditions
from shared.errors import NotStored
from shared.sinks.run_marks import label as mark_label
from shared.times import iso, parse_time
from tests.corridor.conftest import Corridor, Raw, Row
from tests.corridor.time_travel import looks_again_now, started_earlier


async def half_known(corridor: Corridor, run: str = "transfer01", status: int = 500) -> Raw:
    """A run that failed with a bare 403 on a firewall that can't be looked at for now."""
    corridor.cloud.world.behaviour.message_style = MessageStyle.BARE
    corridor.cloud.world.close_firewall(corridor.scenario.export_account)
    corridor.cloud.world.allow_monitor(corridor.scenario.export_account)
    raw = await corridor.export(run)
    corridor.break_down("arm", Status(status), "/microsoft.storage/")
    await corridor.run_event(raw)
    corridor.heal()
    return raw


def latest(rows: list[Row]) -> dict[str, Row]:
    """What a query shows: the last row of each occurrence."""
    return {row["FindingId"]: row for row in rows}


async def test_a_cause_that_a_later_look_does_not_find_is_taken_back(corridor: Corridor) -> None:
    await half_known(corridor)
    assert [row["RuleId"] for row in corridor.root_causes()] == ["ACRT199"]
    [first] = corridor.root_causes()
    await corridor.sweep()
    causes = {row["RuleId"]: row for row in latest(corridor.rows).values() if row["Role"] == "RootCause"}
    assert {rule: row["State"] for rule, row in causes.items()} == {"ACRT199": "Resolved", "ACRT405": "Open"}
    gone = causes["ACRT199"]
    assert (gone["FindingId"], gone["FindingKey"]) == (first["FindingId"], first["FindingKey"])
    assert gone["Outcome"] == "Pass"
    assert moment_of(gone) > moment_of(first)
    told = [(alert["type"].rpartition(".")[2], alert["data"]["RuleId"]) for alert in corridor.alerts]
    assert told == [("Opened", "ACRT199"), ("Opened", "ACRT405"), ("Resolved", "ACRT199")]
    assert len({alert["id"] for alert in corridor.alerts}) == 3
    open_ones = {record["ruleId"] for record in (await corridor.state("conditions/")).values()}
    assert "ACRT199" not in open_ones
    assert "ACRT405" in open_ones
    assert await corridor.run_states() == ["done"]
    before = len(corridor.rows)
    await corridor.sweep()
    assert not [row for row in corridor.rows[before:] if row["Role"] == "RootCause"]


def moment_of(row: Row) -> datetime:
    """When a row was written."""
    moment = parse_time(row["TimeGenerated"])
    assert moment is not None
    return moment


@pytest.mark.parametrize("service", ["ingestion", "topic"])
async def test_taking_back_is_tried_again_when_it_can_not_be_written(corridor: Corridor, service: str) -> None:
    raw = await half_known(corridor)
    # The first upload of the second look is taken, the one that takes the cause back is not.
    answers = iter([False, True, True, True])
    fault = corridor.break_down(service, Status(403))
    fault.match = lambda _request: next(answers, False)
    with pytest.raises(NotStored):
        await corridor.run_event(raw)
    corridor.heal()
    await corridor.run_event(raw)
    causes = {row["RuleId"]: row for row in latest(corridor.rows).values() if row["Role"] == "RootCause"}
    assert {rule: row["State"] for rule, row in causes.items()} == {"ACRT199": "Resolved", "ACRT405": "Open"}
    resolved = [alert for alert in corridor.alerts if alert["type"].endswith("Resolved")]
    assert len({alert["id"] for alert in resolved}) == 1


async def test_a_cause_that_was_stored_and_not_marked_is_taken_back_if_the_world_has_changed(
    corridor: Corridor,
) -> None:
    corridor.cloud.world.behaviour.message_style = MessageStyle.BARE
    corridor.cloud.world.close_firewall(corridor.scenario.export_account)
    corridor.cloud.world.allow_monitor(corridor.scenario.export_account)
    raw = await corridor.export("transfer01")
    # The row is stored, its condition is not: here a failure breaks it off, elsewhere the end of the process.
    corridor.break_down("storage", Status(500), "/conditions/", method="PUT")
    with pytest.raises(NotStored):
        await corridor.run_event(raw)
    corridor.heal()
    assert [row["RuleId"] for row in corridor.root_causes()] == ["ACRT405"]
    corridor.cloud.world.open_firewall(corridor.scenario.export_account)
    await corridor.run_event(raw, await corridor.another())
    causes = {row["RuleId"]: row["State"] for row in latest(corridor.root_causes()).values()}
    assert causes == {"ACRT405": "Resolved", "ACRT199": "Open"}
    assert [alert["data"]["RuleId"] for alert in corridor.alerts] == ["ACRT199"], "of the other nobody had been told"


async def test_a_cause_that_is_taken_back_leaves_the_condition_to_another_run(corridor: Corridor) -> None:
    corridor.cloud.world.behaviour.message_style = MessageStyle.BARE
    corridor.cloud.world.close_firewall(corridor.scenario.export_account)
    corridor.cloud.world.allow_monitor(corridor.scenario.export_account)
    await corridor.run_event(await corridor.export("first"))
    raw = await corridor.export("second")
    corridor.break_down("storage", Status(500), "/conditions/", method="PUT")
    with pytest.raises(NotStored):
        await corridor.run_event(raw)
    corridor.heal()
    corridor.cloud.world.open_firewall(corridor.scenario.export_account)
    await corridor.run_event(raw, await corridor.another())
    of_second = latest([row for row in corridor.root_causes() if row["RunName"] == "second"])
    assert {row["RuleId"]: row["State"] for row in of_second.values()} == {"ACRT405": "Resolved", "ACRT199": "Open"}
    said = [row for row in corridor.root_causes() if row["RuleId"] == "ACRT405"]
    newest = max(said, key=moment_of)
    assert (newest["RunName"], newest["State"]) == ("first", "Open"), "the condition stays open, and is said last"


async def test_a_cause_that_is_taken_back_is_not_what_is_said_again(corridor: Corridor) -> None:
    world = corridor.cloud.world
    world.behaviour.message_style = MessageStyle.BARE
    world.close_firewall(corridor.scenario.export_account)
    world.allow_monitor(corridor.scenario.export_account)
    await corridor.run_event(await corridor.export("first"))
    raw = await corridor.export("second")
    # Something is left open, so that there is a later look, and the condition's latest row is the second run's.
    corridor.break_down("arm", Status(500), "/microsoft.keyvault/")
    await corridor.run_event(raw)
    corridor.heal()
    world.open_firewall(corridor.scenario.export_account)
    await corridor.sweep(await corridor.another())
    of_second = sorted((row for row in corridor.root_causes() if row["RunName"] == "second"), key=moment_of)
    assert {row["RuleId"]: row["State"] for row in of_second} == {"ACRT405": "Resolved", "ACRT199": "Open"}
    newest = max((row for row in corridor.root_causes() if row["RuleId"] == "ACRT405"), key=moment_of)
    assert (newest["RunName"], newest["State"]) == ("first", "Open")


async def test_a_condition_that_is_gone_before_anybody_was_told_is_told_with_its_end(corridor: Corridor) -> None:
    raw = await corridor.failed_export()
    corridor.break_down("topic", Status(503))
    await corridor.run_event(raw)
    assert not corridor.alerts
    corridor.cloud.world.grant_secret_get(corridor.scenario.vault, corridor.scenario.export_pipeline)
    await corridor.run_event(await corridor.export("again"))
    await corridor.sweep()
    assert not corridor.alerts
    assert [r for r in (await corridor.state("conditions/")).values() if r["ruleId"] == "ACRT201"]
    corridor.heal()
    await corridor.sweep()
    told = [(alert["type"].rpartition(".")[2], alert["data"]["RuleId"]) for alert in corridor.alerts]
    assert told == [("Opened", "ACRT201"), ("Resolved", "ACRT201")]
    assert not [r for r in (await corridor.state("conditions/")).values() if r["ruleId"] == "ACRT201"]


async def test_a_cause_that_is_muted_by_now_is_taken_back_without_an_alert(corridor: Corridor) -> None:
    await half_known(corridor)
    (told,) = [alert["data"]["RuleId"] for alert in corridor.alerts]
    await corridor.sweep(await corridor.another(MUTES=muting(told)))
    assert "Resolved" in [row["State"] for row in corridor.rows if row["RuleId"] == told]
    assert [alert["type"] for alert in corridor.alerts if alert["data"]["RuleId"] == told] == [
        "AcrTransfer.Finding.Opened"
    ]


async def test_a_cause_that_stays_is_not_taken_back(corridor: Corridor) -> None:
    raw = await corridor.failed_export("transfer01")
    corridor.break_down("arm", Status(500), "/microsoft.storage/")
    await corridor.run_event(raw)
    corridor.heal()
    await corridor.sweep()
    assert {row["RuleId"] for row in corridor.root_causes()} == {"ACRT201"}
    assert {row["State"] for row in corridor.root_causes()} == {"Open"}
    assert [alert["type"].rpartition(".")[2] for alert in corridor.alerts] == ["Opened"]


async def test_an_open_diagnosis_is_tried_for_a_day(corridor: Corridor, monkeypatch: pytest.MonkeyPatch) -> None:
    await half_known(corridor)
    before = len(corridor.rows)
    monkeypatch.setattr(ended_runs, "OPEN_FOR", timedelta(0))
    await corridor.sweep()
    assert await corridor.run_states() == ["open"]
    assert [row for row in corridor.rows[before:] if row["Role"] == "RootCause"] == []
    monkeypatch.setattr(ended_runs, "OPEN_FOR", timedelta(days=1))
    await corridor.sweep()
    assert await corridor.run_states() == ["done"]


async def test_a_right_that_is_granted_within_a_day_completes_the_diagnosis(corridor: Corridor) -> None:
    await half_known(corridor, status=403)
    assert [row["RuleId"] for row in corridor.root_causes()] == ["ACRT199"]
    assert await corridor.run_states() == ["open"]
    corridor.break_down("arm", Status(403), "/microsoft.storage/")
    rows = [row for row in corridor.rows if row["RunName"]]
    # Not at every sweep, and without a word where nothing has changed.
    assert (await corridor.sweep()).runs_diagnosed == 0
    await looks_again_now(corridor)
    assert (await corridor.sweep()).runs_diagnosed == 1
    assert (await corridor.sweep()).runs_diagnosed == 0
    assert [row["RuleId"] for row in corridor.rows if row["RunName"]][len(rows) :] == []
    corridor.heal()
    await looks_again_now(corridor)
    assert (await corridor.sweep()).runs_diagnosed == 1
    causes = {row["RuleId"]: row for row in latest(corridor.rows).values() if row["Role"] == "RootCause"}
    assert {rule: row["State"] for rule, row in causes.items()} == {"ACRT199": "Resolved", "ACRT405": "Open"}
    assert {row["State"] for row in latest(corridor.rows).values() if row["RuleId"] == "ACRT901"} == {"Resolved"}
    assert await corridor.run_states() == ["done"]


async def test_a_right_that_is_never_granted_is_not_waited_for_for_ever(corridor: Corridor) -> None:
    await half_known(corridor, status=403)
    corridor.break_down("arm", Status(403), "/microsoft.storage/")
    started_earlier(corridor, "transfer01", timedelta(hours=25))
    for key, record in (await corridor.state("runs/")).items():
        stored = await corridor.monitor.state.read(key)
        assert stored is not None
        run = corridor.scenario.source.runs["transfer01"].response
        old = {**record, "start": iso(parse_time(run["startTime"])), "finish": iso(parse_time(run["finishTime"]))}
        assert await corridor.monitor.state.replace(key, old, stored.etag, mark_label(old)) is not None
    await looks_again_now(corridor)
    assert (await corridor.sweep()).runs_diagnosed == 0
    assert await corridor.run_states() == ["open"]
    # It is over all the same when a later run succeeds.
    corridor.cloud.world.open_firewall(corridor.scenario.export_account)
    corridor.heal()
    await corridor.run_event(await corridor.export("working"))
    await corridor.sweep()
    assert sorted(await corridor.run_states()) == ["done", "resolved"]


async def test_a_success_whose_blob_may_not_be_read_is_looked_at_again_without_a_word(corridor: Corridor) -> None:
    raw = await corridor.export("working")
    corridor.break_down("storage", Status(403), "working.tar")
    await corridor.run_event(raw)
    assert await corridor.run_states() == ["open"]
    rows = len(corridor.rows)
    await looks_again_now(corridor)
    assert (await corridor.sweep()).runs_diagnosed == 1
    assert len(corridor.rows) == rows
    corridor.heal()
    await looks_again_now(corridor)
    await corridor.sweep()
    assert await corridor.run_states() == ["done"]
    assert {row["State"] for row in latest(corridor.rows).values() if row["RuleId"] == "ACRT901"} == {"Resolved"}


async def test_a_late_write_is_told_of_a_run_that_is_still_open_too(corridor: Corridor) -> None:
    raw = await half_known(corridor, status=403)
    corridor.break_down("arm", Status(403), "/microsoft.storage/")
    later = iso(datetime.now(UTC) + timedelta(minutes=10))
    success = {**raw, "eventTime": later, "eventType": "Microsoft.Resources.ResourceWriteSuccess"}
    await corridor.run_event(success)
    assert "ACRT105" in corridor.rules


async def test_a_late_write_is_told_that_completes_what_was_left_open(corridor: Corridor) -> None:
    raw = await half_known(corridor, status=403)
    later = iso(datetime.now(UTC) + timedelta(minutes=10))
    await corridor.run_event({**raw, "eventTime": later, "eventType": "Microsoft.Resources.ResourceWriteSuccess"})
    assert await corridor.run_states() == ["done"]
    assert "ACRT105" in corridor.rules


async def test_a_redelivery_completes_what_was_left_open(corridor: Corridor) -> None:
    raw = await half_known(corridor)
    await corridor.run_event(raw)
    assert [row["RuleId"] for row in corridor.root_causes() if row["State"] == "Open"] == ["ACRT199", "ACRT405"]
    assert corridor.root_causes()[-1]["State"] == "Resolved"
    assert await corridor.run_states() == ["done"]


async def test_runs_from_long_before_the_monitor_are_left_alone(corridor: Corridor) -> None:
    scenario = corridor.scenario
    for name, hours in (("old01", 25), ("young01", 23)):
        await corridor.failed_export(name)
        run = scenario.source.runs[name]
        age = timedelta(hours=hours)
        run.response["startTime"] = moved(run.response["startTime"], age)
        run.response["finishTime"] = moved(run.response["finishTime"], age)
    await corridor.sweep()
    assert {row["RunName"] for row in corridor.root_causes()} == {"young01"}
    # An event about an old one is an event all the same.
    await corridor.run_event(corridor.told("old01"))
    assert {row["RunName"] for row in corridor.root_causes()} == {"young01", "old01"}


def moved(moment: Any, age: timedelta) -> str:
    """The same moment, so much earlier."""
    parsed = parse_time(moment)
    assert parsed is not None
    return (parsed - age).isoformat()


async def test_a_claim_whose_answer_is_lost_expires_and_the_run_is_diagnosed(
    corridor: Corridor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shared.sinks import run_marks

    raw = await corridor.failed_export("transfer01")
    monkeypatch.setattr(run_marks, "CLAIM_LASTS", timedelta(seconds=-1))
    fault = corridor.break_down("storage", LoseAnswer(), "/acr-transfer-monitor/runs/", method="PUT", times=1)
    await corridor.run_event(raw)
    assert fault.hits == 1
    assert corridor.rules == ["ACRT201", "ACRT101"]
    assert await corridor.run_states() == ["done"]


# --- what the sweep may tell, and when ----------------------------------------------------------------------


async def test_an_alert_that_is_on_its_way_is_not_sent_by_the_sweep_too(
    corridor: Corridor, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = await corridor.failed_export("transfer01")
    under_way, answered = asyncio.Event(), asyncio.Event()
    original = corridor.topic.handle

    async def slow(request: web.Request, caller: Caller) -> web.StreamResponse:
        under_way.set()
        await answered.wait()
        return await original(request, caller)

    monkeypatch.setattr(corridor.topic, "handle", slow)
    handler = asyncio.create_task(corridor.run_event(raw))
    await under_way.wait()
    report = await corridor.sweep(await corridor.another())
    assert report.alerts == 0
    answered.set()
    await handler
    assert len(corridor.alerts) == 1


def muting(rule: str) -> str:
    """A mute of one rule that lasts."""
    return json.dumps([{"rule": rule, "until": "2999-01-01", "reason": "known"}])


async def test_a_mute_lasts_until_its_end_whatever_else_happens(corridor: Corridor) -> None:
    raw = await corridor.failed_export("transfer01")
    monitor = await corridor.another(MUTES=muting("ACRT201"))
    await corridor.run_event(raw, monitor)
    assert corridor.row("ACRT201")["State"] == "Muted"
    # Another pipeline works, so that some conditions may be over.
    scenario = corridor.scenario
    world = corridor.cloud.world
    other = world.add_export_pipeline(
        scenario.source, "otherpipe", "https://contosoexport.blob.core.windows.net/transfer"
    )
    world.grant_storage(scenario.export_account, other)
    await corridor.export("transfer02", pipeline=other)
    await corridor.sweep(monitor)
    await corridor.sweep(monitor)
    assert "ACRT100" in corridor.rules
    assert {row["State"] for row in corridor.rows if row["RuleId"] == "ACRT201"} == {"Muted"}
    assert corridor.alerts == []


async def test_what_cannot_be_checked_is_told_after_an_hour_and_not_before(
    corridor: Corridor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await half_known(corridor)
    corridor.break_down("arm", Status(500), "/microsoft.storage/")
    await corridor.sweep()
    await corridor.sweep()
    assert "ACRT901" not in [alert["data"]["RuleId"] for alert in corridor.alerts]
    monkeypatch.setattr(sweep_conditions, "TOLD_LATER_AFTER", timedelta(0))
    await corridor.sweep()
    told = [alert for alert in corridor.alerts if alert["data"]["RuleId"] == "ACRT901"]
    assert len(told) >= 1
    assert len({alert["id"] for alert in told}) == len(told)
    await corridor.sweep()
    assert len([alert for alert in corridor.alerts if alert["data"]["RuleId"] == "ACRT901"]) == len(told)
