"""Rejected writes end to end: told at once by the event alone, and again when the activity log has caught up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.run_helpers import WriteRejectedError
from localcloud.service import Origin, Reset, Status
from shared import sweep_lost_writes as sweep_lost_writes_module
from shared.findings.builder import Occasion, TriggeredBy
from shared.rejected_writes import pipeline_named
from shared.resource_ids import parse_resource_id
from shared.sinks.lost_writes import PREFIX
from shared.sweep_lost_writes import sweep_lost_writes
from shared.times import iso
from tests.corridor.conftest import Corridor, Raw, Row
from tests.corridor.time_travel import forget_rhythms, started_earlier

CONTRIBUTOR = "Container Registry Transfer Pipeline Contributor"


def forbid(corridor: Corridor) -> None:
    world = corridor.cloud.world
    world.access.revoke(world.operator.id, CONTRIBUTOR)


async def rejected(corridor: Corridor, run: str = "rejected01", **options: Any) -> Raw:
    """A run whose write ARM refuses; the event that tells of it."""
    scenario = corridor.scenario
    wanted: dict[str, Any] = {"artifacts": ["hello-world"], "blob": "a.tar", **options}
    with pytest.raises(WriteRejectedError):
        await corridor.cloud.put_run(scenario.source, run, scenario.export_pipeline, **wanted)
    return corridor.told(run)


async def rejected_pipeline(corridor: Corridor, name: str = "newpipe") -> Raw:
    """An export pipeline whose write ARM refuses."""
    pipeline_id = f"{corridor.scenario.source.id}/exportPipelines/{name}"
    body = {"properties": {"target": {"uri": "https://contosoexport.blob.core.windows.net/transfer"}}}
    with pytest.raises(WriteRejectedError):
        await corridor.cloud.arm("PUT", pipeline_id, body)
    about = [event for event in corridor.cloud.events if event.subject.lower().endswith(f"/{name}")]
    return about[-1].in_schema("EventGridSchema")


async def look(corridor: Corridor) -> list[str]:
    """The sweep's step alone; its problems."""
    problems: list[str] = []
    await sweep_lost_writes(corridor.monitor, Occasion(TriggeredBy.SWEEP), datetime.now(UTC), problems)
    return problems


def written(corridor: Corridor, rule: str) -> list[Row]:
    return [row for row in corridor.rows if row["RuleId"] == rule]


async def record_of(corridor: Corridor) -> Row:
    [record] = (await corridor.state(PREFIX)).values()
    return record


def log_reads(corridor: Corridor) -> int:
    return sum("eventtypes" in r.path for r in corridor.cloud.requests if r.origin is Origin.MONITOR)


async def test_the_log_names_the_cause_that_the_event_did_not(corridor: Corridor) -> None:
    forbid(corridor)
    corridor.cloud.world.behaviour.activity_log_delay = timedelta(minutes=5)
    await corridor.run_event(await rejected(corridor))
    first = corridor.row("ACRT110")
    assert (first["Role"], first["State"], first["RunName"]) == ("RootCause", "Open", "rejected01")
    assert log_reads(corridor) == 0
    # The log is late: nothing changes, and the next sweep asks again.
    await look(corridor)
    assert [row["RuleId"] for row in corridor.root_causes()] == ["ACRT110"]
    assert (await record_of(corridor))["state"] == "waiting"
    corridor.cloud.world.behaviour.activity_log_delay = timedelta(0)
    await look(corridor)
    cause = corridor.row("ACRT111")
    assert (cause["Role"], cause["State"], cause["Confidence"]) == ("RootCause", "Open", "Likely")
    assert cause["TriggeredBy"] == "Sweep"
    assert cause["CorrelationId"] == first["CorrelationId"]
    assert cause["EventId"] == first["EventId"]
    assert cause["RunId"] == first["RunId"]
    assert "does not have authorization" in cause["ErrorMessage"]
    assert CONTRIBUTOR in cause["Recommendation"]
    opened, resolved = written(corridor, "ACRT110")
    assert resolved["State"] == "Resolved"
    assert (resolved["FindingId"], resolved["FindingKey"]) == (opened["FindingId"], opened["FindingKey"])
    told = [(alert["type"].rpartition(".")[2], alert["data"]["RuleId"]) for alert in corridor.alerts]
    assert told == [("Opened", "ACRT110"), ("Opened", "ACRT111"), ("Resolved", "ACRT110")]
    open_conditions = [record["ruleId"] for record in (await corridor.state("conditions/")).values()]
    assert open_conditions == ["ACRT111"]


async def test_the_sweep_asks_the_log(corridor: Corridor) -> None:
    forbid(corridor)
    await corridor.run_event(await rejected(corridor))
    report = await corridor.sweep()
    assert not report.problems
    assert [row["State"] for row in written(corridor, "ACRT110")] == ["Open", "Resolved"]
    assert corridor.row("ACRT111")["State"] == "Open"
    await corridor.sweep()
    assert corridor.row("ACRT111")["State"] == "Open"


async def test_what_the_log_has_told_stays_told(corridor: Corridor) -> None:
    forbid(corridor)
    event = await rejected(corridor)
    await corridor.run_event(event)
    await look(corridor)
    rows, alerts, reads = len(corridor.rows), len(corridor.alerts), log_reads(corridor)
    await corridor.run_event(event)
    await look(corridor)
    assert (len(corridor.rows), len(corridor.alerts), log_reads(corridor)) == (rows, alerts, reads)
    assert (await record_of(corridor))["rootCause"] == "ACRT111"


async def test_a_redelivery_before_the_log_has_told_repeats_the_row(corridor: Corridor) -> None:
    forbid(corridor)
    event = await rejected(corridor)
    await corridor.run_event(event)
    await corridor.run_event({**event, "id": "another"})
    first, second = written(corridor, "ACRT110")
    assert first["FindingId"] == second["FindingId"]
    assert len(corridor.alerts) == 1


async def test_two_writes_of_one_name_are_two_findings(corridor: Corridor) -> None:
    forbid(corridor)
    for _ in range(2):
        await corridor.run_event(await rejected(corridor))
    await look(corridor)
    assert len({row["FindingId"] for row in written(corridor, "ACRT111")}) == 2
    assert len({row["FindingKey"] for row in written(corridor, "ACRT111")}) == 1


@pytest.mark.parametrize("known", ["the first", "the second"])
async def test_the_rejection_stays_open_while_a_write_of_the_name_has_no_other_cause(
    corridor: Corridor, known: str
) -> None:
    forbid(corridor)
    events = [await rejected(corridor) for _ in range(2)]
    for event in events:
        await corridor.run_event(event)
    world = corridor.cloud.world
    everything = list(world.activity)
    untold = events[1 if known == "the first" else 0]["data"]["correlationId"]
    world.activity = [entry for entry in everything if entry.correlation_id != untold]
    assert await look(corridor) == []
    about = [row for row in corridor.ingestion.rows if row["RuleId"] == "ACRT110"]
    assert [row["State"] for row in about] == ["Open", "Open", "Resolved", "Open"]
    assert {row["FindingKey"] for row in about} == {about[0]["FindingKey"]}
    assert about[3]["CorrelationId"] == untold
    assert about[3]["TimeGenerated"] > about[2]["TimeGenerated"]
    assert [alert["data"]["RuleId"] for alert in corridor.alerts] == ["ACRT110", "ACRT111"]
    world.activity = everything
    assert await look(corridor) == []
    assert written(corridor, "ACRT110")[-1]["State"] == "Resolved"
    assert "ACRT110" not in [record["ruleId"] for record in (await corridor.state("conditions/")).values()]
    resolved = [alert for alert in corridor.alerts if alert["type"].endswith("Resolved")]
    assert [alert["data"]["RuleId"] for alert in resolved] == ["ACRT110"]


async def test_a_rejection_without_a_known_cause_keeps_its_rule_and_gains_its_text(corridor: Corridor) -> None:
    corridor.cloud.world.behaviour.rejects_invalid_requests = True
    await corridor.run_event(await rejected(corridor, "tooshort", blob=None))
    await look(corridor)
    first, second = written(corridor, "ACRT110")
    assert (second["State"], second["Role"], second["FindingId"]) == ("Open", "RootCause", first["FindingId"])
    assert "InvalidRequest" in second["Summary"]
    assert second["ErrorMessage"]
    assert len(corridor.alerts) == 1


async def test_too_many_artifacts_may_be_rejected_at_once(corridor: Corridor) -> None:
    corridor.cloud.world.behaviour.rejects_invalid_requests = True
    artifacts = [f"app/web:{number}" for number in range(51)]
    await corridor.run_event(await rejected(corridor, artifacts=artifacts))
    await look(corridor)
    assert [row["RuleId"] for row in corridor.root_causes() if row["State"] == "Open"] == ["ACRT110", "ACRT602"]


async def test_the_deployment_tells_where_the_write_has_no_entry(corridor: Corridor) -> None:
    forbid(corridor)
    world = corridor.cloud.world
    await corridor.run_event(await rejected(corridor, deployment="nightly"))
    world.activity = [entry for entry in world.activity if "deployments" in entry.resource_id.lower()]
    await look(corridor)
    assert corridor.row("ACRT111")["Role"] == "RootCause"


async def test_after_a_day_the_log_is_asked_no_more(corridor: Corridor) -> None:
    forbid(corridor)
    corridor.cloud.world.behaviour.activity_log_delay = timedelta(days=9)
    event = await rejected(corridor)
    await corridor.run_event(event | {"eventTime": iso(datetime.now(UTC) - timedelta(hours=25))})
    await look(corridor)
    assert (await record_of(corridor))["state"] == "done"
    reads = log_reads(corridor)
    await look(corridor)
    assert log_reads(corridor) == reads
    assert [row["RuleId"] for row in corridor.root_causes()] == ["ACRT110"]


async def test_a_record_is_cleared_away_when_no_event_can_come(corridor: Corridor) -> None:
    forbid(corridor)
    event = await rejected(corridor)
    await corridor.run_event(event | {"eventTime": iso(datetime.now(UTC) - timedelta(days=3))})
    await look(corridor)
    await look(corridor)
    assert not await corridor.state(PREFIX)


async def test_a_log_that_may_not_be_read_is_said(corridor: Corridor) -> None:
    forbid(corridor)
    await corridor.run_event(await rejected(corridor))
    refusal = '{"error": {"code": "AuthorizationFailed", "message": "no"}}'
    corridor.break_down("arm", Status(403, {}, refusal), "eventtypes")
    await look(corridor)
    row = corridor.row("ACRT901")
    assert row["Evidence"]["right"] == "Microsoft.Insights/eventtypes/values/read"
    assert "the role Reader" in row["Recommendation"]
    assert (
        f"--scope /subscriptions/{corridor.cloud.world.subscription_id}" in row["FixCommand"] or not row["FixCommand"]
    )
    assert (await record_of(corridor))["state"] == "waiting"
    corridor.heal()
    await look(corridor)
    assert corridor.row("ACRT111")["State"] == "Open"


async def test_a_log_that_can_not_be_had_is_a_problem_of_this_sweep(corridor: Corridor) -> None:
    forbid(corridor)
    await corridor.run_event(await rejected(corridor))
    corridor.break_down("arm", Reset(), "eventtypes")
    [problem] = await look(corridor)
    assert "ARM" in problem
    assert "ACRT901" not in corridor.rules
    assert (await record_of(corridor))["state"] == "waiting"


async def test_a_log_that_is_never_to_be_had_is_given_up_and_forgotten(corridor: Corridor) -> None:
    forbid(corridor)
    await corridor.run_event(await rejected(corridor))
    corridor.break_down("arm", Reset(), "eventtypes")
    occasion, now = Occasion(TriggeredBy.SWEEP), datetime.now(UTC)
    for hours, state in ((47, ["waiting"]), (49, ["done"]), (50, [])):
        await sweep_lost_writes(corridor.monitor, occasion, now + timedelta(hours=hours), [])
        assert [record["state"] for record in (await corridor.state(PREFIX)).values()] == state
    assert [row["RuleId"] for row in corridor.root_causes()] == ["ACRT110"]


async def test_a_topic_that_is_down_loses_no_resolution(corridor: Corridor) -> None:
    forbid(corridor)
    await corridor.run_event(await rejected(corridor))
    corridor.break_down("topic", Status(503))
    [problem] = await look(corridor)
    assert "alerts were not published" in problem
    assert (await record_of(corridor))["state"] == "waiting"
    corridor.heal()
    await look(corridor)
    assert ("AcrTransfer.Finding.Resolved", "ACRT110") in [(a["type"], a["data"]["RuleId"]) for a in corridor.alerts]
    assert (await record_of(corridor))["state"] == "done"


async def test_nobody_who_wrote_is_named(corridor: Corridor) -> None:
    forbid(corridor)
    world = corridor.cloud.world
    await corridor.run_event(await rejected(corridor))
    for entry in world.activity:
        if entry.error is not None:
            entry.error = {
                "code": "AuthorizationFailed",
                "message": f"The client '{world.operator.user_principal_name}' with object id '{world.operator.id}' "
                "does not have authorization to perform action 'write' over scope 'x' or the scope is invalid.",
            }
    await look(corridor)
    assert f"object id {world.operator.id}" in corridor.row("ACRT111")["Summary"]
    everything = f"{corridor.rows}{corridor.alerts}{await corridor.state()}"
    assert not [personal for personal in world.personal_data if personal in everything]


# --- a write of a name that has a run, and the pipeline ------------------------------------------------------


def allow(corridor: Corridor) -> None:
    world = corridor.cloud.world
    world.access.assign(world.operator.id, CONTRIBUTOR, corridor.scenario.source.id)


async def test_a_rejected_write_of_a_run_that_is_over_is_a_rejection_and_no_second_run(corridor: Corridor) -> None:
    await corridor.export("rejected01")
    started_earlier(corridor, "rejected01", timedelta(minutes=10))
    await corridor.run_event(corridor.told("rejected01"))
    forbid(corridor)
    await corridor.run_event(await rejected(corridor))
    assert "ACRT105" not in corridor.rules, "that is for writes that succeeded and did nothing"
    first = corridor.row("ACRT110")
    assert (first["Role"], first["RunName"], first["PipelineName"]) == ("RootCause", "rejected01", "exportpipe")
    assert await look(corridor) == []
    cause = corridor.row("ACRT111")
    assert (cause["State"], cause["PipelineName"], cause["Direction"]) == ("Open", "exportpipe", "Export")
    assert [row["State"] for row in written(corridor, "ACRT110")] == ["Open", "Resolved"]
    assert len({row["FindingId"] for row in written(corridor, "ACRT100")}) == 1


async def test_the_failure_of_a_run_itself_is_no_rejection(corridor: Corridor) -> None:
    raw = await corridor.failed_export("transfer01")
    assert raw["eventType"].endswith("ResourceWriteFailure")
    started_earlier(corridor, "transfer01", timedelta(minutes=4))
    await corridor.run_event(raw)
    assert [row["RuleId"] for row in corridor.root_causes()] == ["ACRT201"]
    assert await corridor.state(PREFIX) == {}


@pytest.mark.parametrize("retried", ["rejected01", "another01"])
async def test_a_rejection_ends_with_a_later_success_of_its_pipeline(corridor: Corridor, retried: str) -> None:
    forbid(corridor)
    await corridor.run_event(await rejected(corridor))
    await look(corridor)
    assert corridor.row("ACRT111")["PipelineId"] == "", "no event says it, and the log does not"
    allow(corridor)
    if retried == "another01":
        # The same name tells its pipeline once there is a run; its success under another name counts then.
        await corridor.run_event(await corridor.failed_export("rejected01"))
        corridor.cloud.world.grant_secret_get(corridor.scenario.vault, corridor.scenario.export_pipeline)
    await corridor.run_event(await corridor.export(retried))
    await corridor.sweep()
    assert [row["State"] for row in written(corridor, "ACRT111")] == ["Open", "Resolved"]


async def test_the_pipeline_is_taken_from_what_the_log_says(corridor: Corridor) -> None:
    forbid(corridor)
    await corridor.run_event(await rejected(corridor))
    pipeline = corridor.scenario.export_pipeline.id
    foreign = pipeline.replace("contosohub", "somebodyelse")
    for entry in corridor.cloud.world.activity:
        if entry.error is not None:
            entry.error = {
                "code": "LinkedAuthorizationFailed",
                "message": "The client has permission to perform action 'Microsoft.ContainerRegistry/registries/"
                f"pipelineRuns/write' on scope '{foreign}'; however, it does not have permission to perform action "
                f"'read' on the linked scope(s) '{pipeline}' or the linked scope(s) are invalid.",
            }
    await look(corridor)
    [cause] = [row for row in corridor.root_causes() if row["RuleId"] != "ACRT110"]
    assert (cause["RuleId"], cause["PipelineId"]) == ("ACRT112", pipeline.lower())
    allow(corridor)
    await corridor.run_event(await corridor.export("another01"))
    await corridor.sweep()
    assert [row["State"] for row in written(corridor, "ACRT112")] == ["Open", "Resolved"]


@given(st.text())
def test_any_text_of_the_log_is_read_for_pipelines(text: str) -> None:
    run = parse_resource_id(
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/r/pipelineRuns/x"
    )
    assert pipeline_named(text, run) == ""
    named = f"{run.parent}/exportPipelines/p"
    assert pipeline_named(f"{text} '{named}' {text}", run) == named.lower()
    assert pipeline_named(f"{named}1 {named}2", run) == "", "of two nobody knows which"


# --- pipelines ----------------------------------------------------------------------------------------------


async def test_a_rejected_pipeline_is_told_too(corridor: Corridor) -> None:
    forbid(corridor)
    await corridor.run_event(await rejected_pipeline(corridor))
    first = corridor.row("ACRT110")
    assert (first["PipelineName"], first["RunName"], first["Direction"]) == ("newpipe", "", "Export")
    assert "export pipeline 'newpipe' of registry 'contosohub' was rejected" in first["Summary"]
    await look(corridor)
    cause = corridor.row("ACRT111")
    assert (cause["Role"], cause["PipelineId"]) == ("RootCause", first["PipelineId"])
    assert "may not write pipelines" in cause["Summary"]
    assert [row["State"] for row in written(corridor, "ACRT110")] == ["Open", "Resolved"]


async def test_a_policy_that_rejects_a_pipeline_is_the_cause(corridor: Corridor) -> None:
    corridor.scenario.source.export_policy = "disabled"
    await corridor.run_event(await rejected_pipeline(corridor))
    await look(corridor)
    cause = corridor.row("ACRT116")
    assert (cause["Role"], cause["State"]) == ("RootCause", "Open")


@pytest.mark.parametrize("change", ["success", "unmonitored", "foreign subject"])
async def test_other_writes_of_pipelines_write_nothing(corridor: Corridor, change: str) -> None:
    forbid(corridor)
    event = await rejected_pipeline(corridor)
    if change == "success":
        event["eventType"] = "Microsoft.Resources.ResourceWriteSuccess"
    elif change == "unmonitored":
        event["subject"] = event["subject"].replace("contosohub", "somebodyelse")
    else:
        event["subject"] = corridor.scenario.source.id
    assert not (await corridor.run_event(event)).findings
    assert not corridor.rows
    assert not await corridor.state(PREFIX)


async def test_each_write_has_its_turn_at_the_log(corridor: Corridor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_lost_writes_module, "MOST_AT_A_TIME", 2)
    forbid(corridor)
    for number in range(5):
        await corridor.run_event(await rejected(corridor, f"rejected{number}"))
    forms = {key: record["writtenAt"] for key, record in (await corridor.state(PREFIX)).items()}
    assert len(forms) == 5
    corridor.break_down("arm", Status(503), "eventtypes")
    asked = [len(await look(corridor)) for _ in range(3)]
    assert asked == [2, 2, 2], "each of them tried"
    records = corridor.monitor.rejected_writes.records
    seen = [{record.stored.key for record in await records.waiting(datetime.now(UTC), 2)} for _ in range(5)]
    assert set().union(*seen[:3]) == set(forms)
    assert set().union(*seen[2:]) == set(forms)
    assert {key for keys in seen for key in keys} == set(forms)


@pytest.mark.parametrize("event_is_late", [False, True])
async def test_a_success_ends_a_rejection_that_is_looked_at_only_after_it(
    corridor: Corridor, event_is_late: bool
) -> None:
    forbid(corridor)
    corridor.cloud.world.behaviour.activity_log_delay = timedelta(minutes=5)
    told_of = await rejected(corridor)
    if not event_is_late:
        await corridor.run_event(told_of)
    await corridor.sweep()
    allow(corridor)
    await corridor.run_event(await corridor.export("rejected01"))
    if event_is_late:
        await corridor.run_event(told_of)
    corridor.cloud.world.behaviour.activity_log_delay = timedelta(0)
    for _ in range(2):
        await forget_rhythms(corridor)
        await corridor.sweep()
    assert await corridor.state("conditions/") == {}
