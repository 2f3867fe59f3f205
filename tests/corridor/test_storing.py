"""Nothing is acknowledged that was not stored, and nothing is told twice."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from localcloud import events
from localcloud.service import Fault, FaultAction, LoseAnswer, MalformedJson, Origin, Reset, Status, Truncate
from shared.errors import AlreadyInProgress, NotStored
from shared.sinks import condition_records, run_marks
from shared.sinks.alerts import Alert, AlertKind
from tests.corridor.conftest import Corridor

REFUSALS: Final[dict[str, FaultAction]] = {
    "400": Status(400, body='{"error":{"code":"InvalidRequest","message":"no"}}'),
    "401": Status(401),
    "403": Status(403, body='{"error":{"code":"OperationFailed","message":"no access"}}'),
    "404": Status(404, body='{"error":{"code":"NotFound","message":"no such rule"}}'),
    "413": Status(413),
    "429": Status(429, {"Retry-After": "60"}),
    "500": Status(500),
    "503": Status(503),
    "reset": Reset(),
}
STATE: Final = "/acr-transfer-monitor/"


@pytest.mark.parametrize("name", REFUSALS)
async def test_findings_that_are_refused_raise_and_nothing_is_marked(corridor: Corridor, name: str) -> None:
    raw = await corridor.failed_export("transfer01")
    corridor.break_down("ingestion", REFUSALS[name])
    with pytest.raises(NotStored):
        await corridor.run_event(raw)
    assert corridor.rows == []
    assert corridor.alerts == []
    assert await corridor.run_states() == ["pending"], "the claim is given back"
    assert await corridor.state("conditions/") == {}
    corridor.heal()
    await corridor.run_event(raw)
    assert corridor.rules == ["ACRT201", "ACRT101"]
    assert len(corridor.alerts) == 1
    assert await corridor.run_states() == ["done"]


@pytest.mark.parametrize("name", ["403", "429", "500", "reset"])
async def test_a_success_that_is_not_stored_raises(corridor: Corridor, name: str) -> None:
    raw = await corridor.export("transfer01")
    corridor.break_down("ingestion", REFUSALS[name])
    with pytest.raises(NotStored):
        await corridor.run_event(raw)
    assert await corridor.run_states() == []
    corridor.heal()
    await corridor.sweep()
    assert corridor.rules == ["ACRT100"]


STATE_REFUSALS: Final[dict[str, FaultAction]] = {
    **{name: action for name, action in REFUSALS.items() if name != "413"},
    # What is no answer of Storage's own never means that somebody was there before.
    "409": Status(409),
    "409-of-another": Status(409, {"x-ms-error-code": "ContainerBeingDeleted"}),
    "412": Status(412),
    "truncated": Truncate(),
    "malformed": MalformedJson(),
}


@pytest.mark.parametrize("name", STATE_REFUSALS)
async def test_a_state_store_that_refuses_raises(corridor: Corridor, name: str) -> None:
    raw = await corridor.failed_export("transfer01")
    corridor.break_down("storage", STATE_REFUSALS[name], STATE, method="PUT" if name == "malformed" else "")
    if name == "malformed":
        # A write is not judged by its body, a read is.
        corridor.heal()
        await corridor.run_event(raw)
        corridor.break_down("storage", STATE_REFUSALS[name], STATE, method="GET")
    with pytest.raises(NotStored):
        await corridor.run_event(raw)
    corridor.heal()
    await corridor.run_event(raw)
    assert corridor.rules == ["ACRT201", "ACRT101"]
    assert len(corridor.alerts) == 1


async def test_a_claim_that_cannot_be_marked_done_expires(corridor: Corridor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_marks, "CLAIM_LASTS", timedelta(seconds=-1))
    raw = await corridor.failed_export("transfer01")
    corridor.break_down("storage", Status(403), f"{STATE}conditions/")
    corridor.cloud.faults.append(
        Fault("storage", lambda r: r.method == "PUT" and "If-Match" in r.headers, Status(403), origin=Origin.MONITOR)
    )
    with pytest.raises(NotStored):
        await corridor.run_event(raw)
    assert await corridor.run_states() == ["claimed"], "nobody could give it back"
    corridor.heal()
    await corridor.run_event(raw)
    assert await corridor.run_states() == ["done"]
    assert len({row["FindingId"] for row in corridor.root_causes()}) == 1
    assert len(corridor.alerts) == 1


async def test_a_body_that_is_too_large_is_split(corridor: Corridor) -> None:
    raw = await corridor.failed_export("transfer01")
    fault = corridor.break_down("ingestion", Status(413), times=1)
    await corridor.run_event(raw)
    assert fault.hits == 1
    assert corridor.rules == ["ACRT201", "ACRT101"]
    answers = [request.status for request in corridor.cloud.requests.matching(service="ingestion")]
    assert answers == [413, 204, 204]


async def test_a_redelivery_says_nothing_new_about_a_failed_run(corridor: Corridor) -> None:
    raw = await corridor.failed_export("transfer01")
    await corridor.run_event(raw)
    for _ in range(3):
        recorded = await corridor.run_event(raw)
        assert (recorded.findings, recorded.alerts) == ((), ())
    await corridor.sweep()
    # A new instance of the app knows it from the state store.
    await corridor.run_event(raw, await corridor.another())
    assert corridor.rules == ["ACRT201", "ACRT101"]
    assert len(corridor.alerts) == 1


async def test_a_redelivered_success_repeats_its_row_under_the_same_id(corridor: Corridor) -> None:
    raw = await corridor.export("transfer01")
    for _ in range(2):
        await corridor.run_event(raw)
    assert {row["FindingId"] for row in corridor.rows} == {corridor.rows[0]["FindingId"]}
    assert await corridor.run_states() == ["done"]


async def test_events_are_delivered_twice_and_in_any_order(corridor: Corridor, monkeypatch: pytest.MonkeyPatch) -> None:
    # Event Grid waits for ten seconds; this has to be longer than a diagnosis takes on a busy machine.
    monkeypatch.setattr(events, "FIRST_BACKOFF", 0.5)
    corridor.cloud.world.behaviour.raises_events_twice = True
    corridor.cloud.subscribe(corridor.run_event)
    corridor.cloud.world.revoke_secret_get(corridor.scenario.vault, corridor.scenario.export_pipeline)
    await asyncio.gather(*(corridor.export(f"transfer{number:02}") for number in range(4)))
    await corridor.cloud.events_settled()
    assert not corridor.cloud.dead_letters
    assert sorted(corridor.rules) == ["ACRT101"] * 4 + ["ACRT201"] * 4
    assert len(corridor.alerts) == 1


async def test_two_handlers_at_once_tell_it_once(corridor: Corridor) -> None:
    raw = await corridor.failed_export("transfer01")
    other = await corridor.another()
    answers = await asyncio.gather(
        corridor.run_event(raw), corridor.run_event(raw, other), corridor.run_event(raw), return_exceptions=True
    )
    failures = [answer for answer in answers if isinstance(answer, BaseException)]
    # Whoever comes second is sent away and comes again, or finds it done.
    assert all(isinstance(failure, AlreadyInProgress) for failure in failures)
    assert len(failures) < len(answers)
    assert corridor.rules == ["ACRT201", "ACRT101"]
    assert len(corridor.alerts) == 1
    await corridor.run_event(raw, other)
    assert corridor.rules == ["ACRT201", "ACRT101"]


async def test_an_event_and_the_sweep_at_once_tell_it_once(corridor: Corridor) -> None:
    raw = await corridor.failed_export("transfer01")
    other = await corridor.another()
    answer, report = await asyncio.gather(corridor.run_event(raw), corridor.sweep(other), return_exceptions=True)
    assert not isinstance(report, BaseException)
    assert not isinstance(answer, BaseException) or isinstance(answer, AlreadyInProgress)
    assert corridor.rules == ["ACRT201", "ACRT101"]
    assert len(corridor.alerts) == 1


async def test_event_redelivery_and_sweep_give_the_same_ids(corridor: Corridor) -> None:
    raw = await corridor.failed_export("transfer01")
    for again in range(3):
        # As if nobody had ever looked: the state store is a new one each time.
        state = f"https://monitorstate.blob.core.windows.net/state{again}"
        monitor = await corridor.another(STATE_CONTAINER_URL=state)
        if again == 2:
            await corridor.sweep(monitor)
        else:
            await corridor.run_event({**raw, "id": f"event-{again}"}, monitor)
    ids = {(row["RuleId"], row["FindingId"]) for row in corridor.rows}
    assert len(corridor.rows) == 6
    assert len(ids) == 2
    assert [row["TriggeredBy"] for row in corridor.rows[::2]] == ["PipelineRunEvent", "PipelineRunEvent", "Sweep"]


async def test_ten_runs_that_fail_on_one_cause_are_one_condition_and_one_alert(corridor: Corridor) -> None:
    scenario = corridor.scenario
    ended = datetime.now(UTC) - timedelta(minutes=1)
    token = corridor.cloud.sas(scenario.export_account.name, "transfer", "rwla", expires=ended)
    scenario.vault.set_secret("exportsas", f"?{token}", expires=ended)
    raws = [await corridor.export(f"transfer{number:02}") for number in range(10)]
    await asyncio.gather(*(corridor.run_event(raw) for raw in raws))
    causes = corridor.root_causes()
    assert [row["RuleId"] for row in causes] == ["ACRT301"] * 10
    assert len({row["FindingId"] for row in causes}) == 10
    assert len({row["FindingKey"] for row in causes}) == 1
    assert [alert["data"]["RuleId"] for alert in corridor.alerts] == ["ACRT301"]
    told = [record for record in (await corridor.state("conditions/")).values() if record["alert"] == "published"]
    assert [record["ruleId"] for record in told] == ["ACRT301"]


# --- alerts -------------------------------------------------------------------------------------------------


async def test_an_alert_is_the_row_as_a_cloud_event(corridor: Corridor) -> None:
    await corridor.run_event(await corridor.failed_export("transfer01"))
    [alert] = corridor.alerts
    row = corridor.row("ACRT201")
    assert alert["type"] == "AcrTransfer.Finding.Opened"
    assert alert["source"] == row["RegistryId"]
    # The condition is the pipeline's, whichever run shows it.
    assert alert["subject"] == row["PipelineId"]
    assert alert["data"] == row
    again = {**row, "FindingId": "another"}
    assert alert["id"] == Alert(AlertKind.OPENED, row).id
    assert alert["id"] != Alert(AlertKind.OPENED, again).id
    assert alert["id"] != Alert(AlertKind.RESOLVED, {**row, "State": "Resolved"}).id


@pytest.mark.parametrize("name", ["401", "403", "429", "500", "reset"])
async def test_a_topic_that_is_down_keeps_the_alert_for_the_sweep(
    corridor: Corridor, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(condition_records, "ORPHANED_AFTER", timedelta(0))
    raw = await corridor.failed_export("transfer01")
    corridor.break_down("topic", REFUSALS[name])
    recorded = await corridor.run_event(raw)
    assert recorded.alerts == ()
    assert corridor.rules == ["ACRT201", "ACRT101"]
    assert await corridor.run_states() == ["done"], "the findings are stored, so the event is done"
    [record] = (await corridor.state("conditions/")).values()
    assert record["alert"] == "pending"
    await corridor.sweep()
    assert corridor.alerts == []
    corridor.heal()
    await corridor.sweep()
    [alert] = corridor.alerts
    assert alert["data"] == corridor.row("ACRT201"), "the same row, and so the same id"
    [record] = (await corridor.state("conditions/")).values()
    assert record["alert"] == "published"
    await corridor.sweep()
    assert len(corridor.alerts) == 1


async def test_an_alert_whose_answer_is_lost_goes_out_again_with_the_same_id(
    corridor: Corridor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(condition_records, "ORPHANED_AFTER", timedelta(0))
    raw = await corridor.failed_export("transfer01")
    corridor.break_down("topic", LoseAnswer())
    await corridor.run_event(raw)
    corridor.heal()
    await corridor.sweep()
    assert len(corridor.alerts) >= 2
    assert len({alert["id"] for alert in corridor.alerts}) == 1


async def test_without_a_topic_nothing_waits_to_be_told(corridor: Corridor) -> None:
    raw = await corridor.failed_export("transfer01")
    await corridor.run_event(raw, await corridor.another(ALERT_TOPIC_ENDPOINT=""))
    assert corridor.alerts == []
    [record] = (await corridor.state("conditions/")).values()
    assert record["alert"] == "none"


async def test_a_low_finding_is_written_and_never_said(corridor: Corridor) -> None:
    # The token is not limited to https: Low, a warning.
    scenario = corridor.scenario
    token = corridor.cloud.sas(scenario.export_account.name, "transfer", "rl", protocol=None)
    corridor.cloud.world.allow_secret_reading(scenario.vault)
    scenario.vault.set_secret("exportsas", f"?{token}")
    raw = await corridor.export("transfer01")
    await corridor.run_event(raw, await corridor.another(SAS_INSPECTION="value"))
    assert {"ACRT305", "ACRT307"} <= set(corridor.rules)
    assert [row["RuleId"] for row in corridor.root_causes()] == ["ACRT305"]
    assert [alert["data"]["RuleId"] for alert in corridor.alerts] == ["ACRT305"]
