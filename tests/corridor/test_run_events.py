"""An event about a run: what is ours, when a run is over, and what is written of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from localcloud.service import Status
from localcloud.world import Run
from shared.errors import NotStored
from shared.findings.finding import finding_key
from shared.times import iso
from tests.corridor.conftest import Corridor, Raw

RUN_FILES: Final = (
    "run-write-success",
    "run-write-failure",
    "run-write-cancel",
    "run-write-update",
    "run-write-resource-group-topic",
    "run-write-odd-case",
    "run-write-success-cloudevent",
    "run-write-failure-cloudevent",
    "run-write-cancel-cloudevent",
    "run-write-success-cloudevent-topic",
    "run-write-failure-dead-letter",
)


async def test_an_event_is_a_hint_and_the_run_itself_decides(corridor: Corridor) -> None:
    for number, name in enumerate(RUN_FILES):
        run = f"transfer{number:02}"
        await corridor.failed_export(run)
        raw = corridor.file(name, run)
        before = len(corridor.rows)
        await corridor.run_event(raw)
        rows = corridor.rows[before:]
        # Success, failure or cancel in the event: the run failed, and that is what is said.
        assert [row["RuleId"] for row in rows] == ["ACRT201", "ACRT101"], name
        assert {row["RunName"].lower() for row in rows} == {run}
        assert {row["EventId"] for row in rows} == {raw["id"]}
        assert {row["CorrelationId"] for row in rows} == {"c0c0c0c0-0000-4000-8000-000000000001"}
        assert {row["TriggeredBy"] for row in rows} == {"PipelineRunEvent"}


@pytest.mark.parametrize(
    "name",
    [
        "run-delete-success",
        "deployment-write-success",
        "pipeline-write-success",
        "registry-action-success",
        "blob-put-blob",
        "malformed-no-data",
        "malformed-data-is-broken-text",
        "malformed-data-is-list",
    ],
)
async def test_a_foreign_event_is_acknowledged_and_writes_nothing(corridor: Corridor, name: str) -> None:
    await corridor.failed_export("transfer01")
    before = len(corridor.cloud.requests)
    recorded = await corridor.run_event(corridor.file(name))
    assert recorded.findings == ()
    # Not only nothing written: nobody was asked for anything.
    assert len(corridor.cloud.requests) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("contosohub", "fabrikamhub"),
        ("resourceGroups/transfer/", "resourceGroups/other/"),
        ("registries/contosohub/", "registries/contosohub2/"),
    ],
)
async def test_a_registry_that_is_not_monitored_is_left_alone(corridor: Corridor, old: str, new: str) -> None:
    raw = corridor.file("run-write-failure")
    before = len(corridor.cloud.requests)
    recorded = await corridor.run_event({**raw, "subject": raw["subject"].replace(old, new)})
    assert recorded.findings == ()
    assert len(corridor.cloud.requests) == before


async def test_a_subscription_stands_for_every_registry_in_it(corridor: Corridor) -> None:
    subscription = corridor.cloud.world.subscription_id
    raw = await corridor.export("transfer01")
    monitor = await corridor.another(MONITORED_REGISTRIES=f"/subscriptions/{subscription.upper()}")
    await corridor.run_event(raw, monitor)
    assert corridor.rules == ["ACRT100"]
    elsewhere = await corridor.another(MONITORED_REGISTRIES="/subscriptions/00000000-0000-0000-0000-000000000000")
    assert (await corridor.run_event(raw, elsewhere)).findings == ()


# --- runs that are gone, and writes that were rejected ------------------------------------------------------


async def test_a_run_that_is_gone_is_said_and_the_event_is_done(corridor: Corridor) -> None:
    raw = await corridor.export("transfer01")
    await corridor.cloud.delete_run(corridor.scenario.source, "transfer01")
    await corridor.run_event(raw)
    row = corridor.row("ACRT106")
    assert corridor.rules == ["ACRT106"]
    assert (row["State"], row["Role"], row["RunName"]) == ("Info", "Observation", "transfer01")
    assert row["RunId"].endswith("/registries/contosohub/pipelineruns/transfer01")
    assert not corridor.alerts


async def test_a_rejected_write_is_its_own_root_cause(corridor: Corridor) -> None:
    # The activity log is silent about this write, so nothing more is known than that ARM refused it.
    await corridor.run_event(corridor.file("run-write-failure", run="neverwas"))
    [cause] = corridor.root_causes()
    assert (cause["RuleId"], cause["Outcome"], cause["State"]) == ("ACRT110", "Fail", "Open")
    assert cause["CorrelationId"] in cause["Summary"] + cause["Recommendation"]
    assert cause["RunId"].endswith("/pipelineruns/neverwas")
    assert [alert["data"]["RuleId"] for alert in corridor.alerts] == ["ACRT110"]
    assert corridor.alerts[0]["subject"] == cause["RunId"]


@pytest.mark.parametrize("name", ["run-write-failure", "run-write-success"])
async def test_a_redelivery_about_a_run_that_is_not_there_has_the_same_ids(corridor: Corridor, name: str) -> None:
    raw = corridor.file(name, run="neverwas")
    for _ in range(2):
        await corridor.run_event(raw)
    ids = {row["FindingId"] for row in corridor.rows}
    assert len(ids) == 1
    assert len(corridor.alerts) == (1 if name == "run-write-failure" else 0)
    # Another write of the same name is another occurrence.
    other = corridor.file(name, run="neverwas")
    other["data"]["correlationId"] = "c0c0c0c0-0000-4000-8000-000000000002"
    await corridor.run_event(other)
    assert len({row["FindingId"] for row in corridor.rows}) == 2


async def test_a_malformed_event_is_a_finding_and_is_done(corridor: Corridor) -> None:
    await corridor.run_event(corridor.file("malformed-run-subject"))
    await corridor.blob_event(corridor.file("malformed-blob-subject"))
    await corridor.run_event(corridor.file("malformed-wrong-types"))
    assert corridor.rules == ["ACRT902"] * 3
    assert {row["State"] for row in corridor.rows} == {"Info"}
    assert [row["TriggeredBy"] for row in corridor.rows] == ["PipelineRunEvent", "BlobEvent", "PipelineRunEvent"]
    assert all("subject" in row["Evidence"]["why"] for row in corridor.rows)
    assert not corridor.alerts


# --- when is a run over? ------------------------------------------------------------------------------------

ENDS: Final = {
    ("Failed", "Failed"): "ACRT101",
    ("Succeeded", "Failed"): "ACRT101",
    ("Failed", "Succeeded"): "ACRT101",
    ("Canceled", "Failed"): "ACRT101",
    ("Failed", "Canceled"): "ACRT101",
    ("failed", None): "ACRT101",
    ("FAILED", "running"): "ACRT101",
    ("Canceled", "Canceled"): "ACRT102",
    ("Succeeded", "Canceled"): "ACRT102",
    ("CANCELED", None): "ACRT102",
    ("Canceled", "Running"): "ACRT102",
    ("Succeeded", "Succeeded"): "ACRT100",
    ("succeeded", "SUCCEEDED"): "ACRT100",
    ("Succeeded", None): "ACRT100",
    ("Creating", None): "",
    ("Creating", "Running"): "",
    ("Succeeded", "Running"): "",
    ("Running", "Succeeded"): "",
    ("Succeeded", "Sleeping"): "",
    ("Hibernating", "Succeeded"): "",
    ("Cancelled", "Cancelled"): "",
    ("", ""): "",
}


def shown(run: Run, provisioning: str, status: str | None) -> None:
    """Lets the service show these words."""
    run.provisioning_state = provisioning
    run.response = {**run.response, "status": status} if status is not None else without(run.response, "status")


def without(source: dict[str, Any], *names: str) -> dict[str, Any]:
    """``source`` without these fields."""
    return {name: value for name, value in source.items() if name not in names}


@pytest.mark.parametrize("rule", ["ACRT101", "ACRT102", "ACRT100", ""])
async def test_both_states_say_how_a_run_ended(corridor: Corridor, rule: str) -> None:
    for number, words in enumerate(words for words, ends in ENDS.items() if ends == rule):
        raw = await corridor.export(f"transfer{number:02}")
        shown(corridor.scenario.source.runs[f"transfer{number:02}"], *words)
        before = len(corridor.rows)
        await corridor.run_event(raw)
        rows = [row for row in corridor.rows[before:] if row["RuleId"] in {"ACRT100", "ACRT101", "ACRT102"}]
        assert [row["RuleId"] for row in rows] == ([rule] if rule else []), words
        causes = [row for row in corridor.rows[before:] if row["Role"] == "RootCause"]
        assert len(causes) == (1 if rule == "ACRT101" else 0), words
    assert set(await corridor.run_states()) == {"done" if rule else "pending"}


@pytest.mark.parametrize("word", ["Running", "Hibernating"])
async def test_a_run_that_is_not_over_is_remembered_and_diagnosed_once_it_is(corridor: Corridor, word: str) -> None:
    raw = await corridor.failed_export("transfer01")
    run = corridor.scenario.source.runs["transfer01"]
    shown(run, "Creating", word)
    ended = run.response.pop("finishTime")
    await corridor.run_event(raw)
    await corridor.sweep()
    assert corridor.rows == []
    assert await corridor.run_states() == ["pending"]
    shown(run, "Failed", "Failed")
    run.response["finishTime"] = ended
    report = await corridor.sweep()
    assert report.runs_diagnosed == 1
    assert corridor.rules == ["ACRT201", "ACRT101"]
    assert {row["TriggeredBy"] for row in corridor.rows} == {"Sweep"}
    assert await corridor.run_states() == ["done"]
    await corridor.sweep()
    assert corridor.rules == ["ACRT201", "ACRT101"], "what is done is left alone"


async def test_a_run_that_had_no_start_when_it_was_first_seen_keeps_its_first_moment(corridor: Corridor) -> None:
    raw = await corridor.failed_export("transfer01")
    run = corridor.scenario.source.runs["transfer01"]
    started, ended = run.response.pop("startTime"), run.response.pop("finishTime")
    shown(run, "Creating", None)
    await corridor.run_event(raw)
    [mark] = (await corridor.state("runs/")).values()
    assert mark["began"] == iso(run.created)
    shown(run, "Failed", "Failed")
    run.response |= {"startTime": started, "finishTime": ended}
    await corridor.run_event(raw)
    [mark] = (await corridor.state("runs/")).values()
    # Once chosen it is kept, although the run has a start of its own by now.
    assert mark["began"] == iso(run.created)


async def test_a_stuck_run_is_said_by_the_sweep(corridor: Corridor) -> None:
    corridor.cloud.hold_transfers()
    scenario = corridor.scenario
    await corridor.cloud.put_run(
        scenario.source, "transfer01", scenario.export_pipeline, artifacts=["hello-world"], blob="a.tar", wait=False
    )
    run = scenario.source.runs["transfer01"]
    for minutes, rules in ((119, []), (121, ["ACRT104"])):
        began = datetime.now(UTC) - timedelta(minutes=minutes)
        run.response["startTime"] = iso(began)
        await corridor.sweep()
        assert corridor.rules == rules
    assert [alert["data"]["RuleId"] for alert in corridor.alerts] == ["ACRT104"]
    corridor.cloud.release_transfers()
    await corridor.cloud.wait_for_run(scenario.source, "transfer01")


# --- a write that did nothing -------------------------------------------------------------------------------


def later(raw: Raw, by: timedelta) -> Raw:
    """The event of a write that ARM took so much later, and that left the run as it is."""
    taken = {"eventType": "Microsoft.Resources.ResourceWriteSuccess", "eventTime": iso(datetime.now(UTC) + by)}
    return {**raw, **taken, "id": f"{raw['id']}-later"}


@pytest.mark.parametrize("ends", ["failed", "succeeded"])
async def test_a_write_of_the_same_properties_does_nothing_and_is_said(corridor: Corridor, ends: str) -> None:
    raw = await (corridor.failed_export if ends == "failed" else corridor.export)("transfer01")
    await corridor.run_event(raw)
    before = len(corridor.rows)
    await corridor.run_event(later(raw, timedelta(minutes=4)))
    assert "ACRT105" not in corridor.rules, "within five minutes it may be the same write"
    await corridor.run_event(later(raw, timedelta(minutes=6)))
    row = corridor.row("ACRT105")
    assert (row["Severity"], row["State"], row["Outcome"], row["RunName"]) == ("Low", "Info", "Warn", "transfer01")
    if ends == "failed":
        assert len(corridor.rows) == before + 1, "the diagnosis itself is not written again"
    assert len({row["FindingId"] for row in corridor.rows}) == before + 1
    await corridor.run_event(later(raw, timedelta(minutes=7)))
    ids = {row["FindingId"] for row in corridor.rows if row["RuleId"] == "ACRT105"}
    assert len(ids) == 1
    assert len(corridor.alerts) == (1 if ends == "failed" else 0)


async def test_what_is_over_is_not_told_again_with_the_event_of_a_success(corridor: Corridor) -> None:
    corridor.scenario.export_pipeline.options.append("ContinueOnErrors")
    raw = await corridor.export("partial01", "hello-world", "app/wep:1.0")
    corridor.scenario.source.runs["partial01"].response["startTime"] = iso(datetime.now(UTC) - timedelta(minutes=1))
    await corridor.run_event(raw)
    assert [alert["data"]["RuleId"] for alert in corridor.alerts] == ["ACRT601", "ACRT603"]
    await corridor.run_event(await corridor.export("whole01", "hello-world"))
    await corridor.sweep()
    assert [alert["type"].rpartition(".")[2] for alert in corridor.alerts] == ["Opened"] * 2 + ["Resolved"] * 2
    rows, conditions = len(corridor.rows), await corridor.state("conditions/")
    await corridor.run_event(raw)
    await corridor.run_event(later(raw, timedelta(minutes=10)))
    await corridor.sweep()
    assert [row["RuleId"] for row in corridor.rows[rows:]] == ["ACRT105"]
    assert len(corridor.alerts) == 4
    assert await corridor.state("conditions/") == conditions


async def test_a_success_whose_mark_was_lost_is_told_again_under_the_same_ids(corridor: Corridor) -> None:
    corridor.scenario.export_pipeline.options.append("ContinueOnErrors")
    raw = await corridor.export("partial01", "hello-world", "app/wep:1.0")
    fault = corridor.break_down("storage", Status(503), "/runs/", method="PUT")
    with pytest.raises(NotStored):
        await corridor.run_event(raw)
    assert fault.hits
    first = {row["FindingId"] for row in corridor.rows}
    assert len(first) == 3
    corridor.heal()
    await corridor.run_event(raw)
    assert len(corridor.rows) == 6
    assert {row["FindingId"] for row in corridor.rows} == first
    assert len(corridor.alerts) == 2
    assert await corridor.run_states() == ["done"]


async def test_a_new_force_update_tag_is_a_run_of_its_own(corridor: Corridor) -> None:
    await corridor.run_event(await corridor.failed_export("transfer01"))
    await corridor.run_event(await corridor.export("transfer01", force_update_tag="again"))
    causes = corridor.root_causes()
    assert [row["RuleId"] for row in causes] == ["ACRT201", "ACRT201"]
    assert len({row["FindingId"] for row in causes}) == 2, "another start, another occurrence"
    assert len({row["FindingKey"] for row in causes}) == 1, "the same condition"
    assert len({row["RunStartTime"] for row in causes}) == 2
    assert len(corridor.alerts) == 1
    assert "ACRT105" not in corridor.rules
    corridor.cloud.world.grant_secret_get(corridor.scenario.vault, corridor.scenario.export_pipeline)
    await corridor.run_event(await corridor.export("transfer01", force_update_tag="once more"))
    assert corridor.rules[-1] == "ACRT100"
    assert corridor.rows[-1]["FindingKey"] == finding_key("ACRT100", corridor.rows[-1]["RunId"])
