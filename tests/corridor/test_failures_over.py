"""A run that failed is over once its pipeline succeeds, also where the run has run anew or is deleted by then."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest

from localcloud.service import Origin, Status
from shared import sweep_runs
from shared.times import iso, parse_time
from tests.corridor.conftest import Corridor, Row
from tests.corridor.test_later_looks import half_known
from tests.corridor.time_travel import looks_again_now, rows_of, told

RUN: Final = "transfer01"


async def submitted_again(corridor: Corridor, tag: str = "2") -> None:
    """The failed run is submitted again under its name, as its finding recommends."""
    scenario = corridor.scenario
    await corridor.cloud.put_run(
        scenario.source,
        RUN,
        scenario.export_pipeline,
        artifacts=("hello-world",),
        blob=f"{RUN}.tar",
        force_update_tag=tag,
    )


def repaired(corridor: Corridor) -> None:
    """What the runs have failed on is in order again."""
    corridor.cloud.world.grant_secret_get(corridor.scenario.vault, corridor.scenario.export_pipeline)


def ids(row: Row) -> tuple[str, str]:
    """What names a finding and its condition."""
    return row["FindingId"], row["FindingKey"]


def said(corridor: Corridor) -> list[str]:
    """The states in which the failure was written."""
    return [row["State"] for row in rows_of(corridor, "ACRT101")]


@pytest.mark.parametrize("by_event", [True, False])
async def test_a_run_that_is_submitted_again_and_succeeds_is_over(corridor: Corridor, by_event: bool) -> None:
    await corridor.run_event(await corridor.failed_export(RUN))
    repaired(corridor)
    await submitted_again(corridor)
    if by_event:
        await corridor.run_event(corridor.told(RUN))
    reports = [await corridor.sweep() for _ in range(3)]
    opened, resolved = rows_of(corridor, "ACRT101")
    assert (opened["State"], resolved["State"], resolved["Outcome"]) == ("Open", "Resolved", "Pass")
    assert ids(opened) == ids(resolved)
    assert resolved["Evidence"]["resolvedBecause"] == "a later run of the pipeline succeeded"
    assert parse_time(resolved["TimeGenerated"]) > parse_time(opened["TimeGenerated"])  # type: ignore[operator]
    assert [report.problems for report in reports] == [[], [], []]
    assert await corridor.run_states() == ["done"]
    assert told(corridor) == [("Opened", "ACRT201"), ("Resolved", "ACRT201")]


async def test_a_run_that_fails_again_is_open_until_it_succeeds(corridor: Corridor) -> None:
    await corridor.run_event(await corridor.failed_export(RUN))
    await submitted_again(corridor)
    await corridor.run_event(corridor.told(RUN))
    await corridor.sweep()
    first, second = rows_of(corridor, "ACRT101")
    assert first["FindingKey"] == second["FindingKey"]
    assert first["FindingId"] != second["FindingId"]
    assert said(corridor) == ["Open", "Open"]
    repaired(corridor)
    await submitted_again(corridor, "3")
    await corridor.run_event(corridor.told(RUN))
    await corridor.sweep()
    assert said(corridor) == ["Open", "Open", "Resolved"]
    assert ids(rows_of(corridor, "ACRT101")[-1]) == ids(second)


async def test_a_run_that_runs_anew_is_over_when_another_one_succeeds(corridor: Corridor) -> None:
    cloud = corridor.cloud
    await corridor.run_event(await corridor.failed_export(RUN))
    repaired(corridor)
    await corridor.run_event(await corridor.export("working"))
    cloud.hold_transfers()
    scenario = corridor.scenario
    await cloud.put_run(
        scenario.source,
        RUN,
        scenario.export_pipeline,
        artifacts=("hello-world",),
        blob=f"{RUN}.tar",
        force_update_tag="2",
        wait=False,
    )
    await corridor.sweep()
    await corridor.sweep()
    assert said(corridor) == ["Open", "Resolved"]
    assert sorted(await corridor.run_states()) == ["done", "pending"]
    cloud.release_transfers()
    await cloud.wait_for_run(scenario.source, RUN)
    await corridor.sweep()
    assert said(corridor) == ["Open", "Resolved"]
    assert await corridor.run_states() == ["done", "done"]


async def test_a_run_that_was_deleted_is_over_when_a_later_one_succeeds(corridor: Corridor) -> None:
    await corridor.run_event(await corridor.failed_export(RUN))
    await corridor.sweep()
    await corridor.cloud.delete_run(corridor.scenario.source, RUN)
    await corridor.sweep()
    assert said(corridor) == ["Open"], "nothing has succeeded yet"
    repaired(corridor)
    await corridor.run_event(await corridor.export("working"))
    for _ in range(2):
        await corridor.sweep()
    opened, resolved = rows_of(corridor, "ACRT101")
    assert (ids(resolved), resolved["State"]) == (ids(opened), "Resolved")
    assert sorted(await corridor.run_states()) == ["done", "resolved"]


async def test_an_earlier_success_and_that_of_another_pipeline_end_nothing(corridor: Corridor) -> None:
    scenario, world = corridor.scenario, corridor.cloud.world
    await corridor.run_event(await corridor.export("earlier"))
    other = world.add_export_pipeline(
        scenario.source, "otherpipe", "https://contosoexport.blob.core.windows.net/transfer"
    )
    world.grant_storage(scenario.export_account, other)
    await corridor.run_event(await corridor.failed_export(RUN))
    await corridor.cloud.delete_run(scenario.source, RUN)
    await corridor.run_event(await corridor.export("another", pipeline=other))
    before = len([r for r in corridor.cloud.requests if r.method == "GET" and "/runs/" in r.path])
    await corridor.sweep()
    assert said(corridor) == ["Open"]
    assert len([r for r in corridor.cloud.requests if r.method == "GET" and "/runs/" in r.path]) == before


async def test_a_storm_of_failures_is_resolved_bit_by_bit(corridor: Corridor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_runs, "_MOST_RESOLVED", 2)
    for number in range(5):
        await corridor.run_event(await corridor.failed_export(f"failing{number}"))
    await corridor.cloud.delete_run(corridor.scenario.source, "failing0")
    repaired(corridor)
    await corridor.run_event(await corridor.export("working"))
    for over in (2, 4, 5, 5):
        await corridor.sweep()
        assert len(rows_of(corridor, "ACRT101", "Resolved")) == over
    assert len({row["FindingId"] for row in rows_of(corridor, "ACRT101", "Resolved")}) == 5


async def test_what_can_not_be_noted_is_said_again_under_the_same_id(corridor: Corridor) -> None:
    await corridor.run_event(await corridor.failed_export(RUN))
    await corridor.cloud.delete_run(corridor.scenario.source, RUN)
    repaired(corridor)
    await corridor.run_event(await corridor.export("working"))
    fault = corridor.break_down("storage", Status(403), "/runs/", method="PUT")
    assert (await corridor.sweep()).problems
    assert fault.hits
    corridor.heal()
    for _ in range(2):
        await corridor.sweep()
    assert said(corridor) == ["Open", "Resolved", "Resolved"]
    assert len({ids(row) for row in rows_of(corridor, "ACRT101")}) == 1


async def test_a_failure_of_a_run_that_said_no_start_at_first_is_resolved_under_its_id(corridor: Corridor) -> None:
    cloud, scenario = corridor.cloud, corridor.scenario
    cloud.world.revoke_secret_get(scenario.vault, scenario.export_pipeline)
    cloud.hold_transfers()
    await cloud.put_run(
        scenario.source, RUN, scenario.export_pipeline, artifacts=("hello-world",), blob=f"{RUN}.tar", wait=False
    )
    response = scenario.source.runs[RUN].response
    start = response.pop("startTime")
    await corridor.sweep()
    cloud.release_transfers()
    await cloud.wait_for_run(scenario.source, RUN)
    moment = parse_time(start)
    assert moment is not None
    scenario.source.runs[RUN].response["startTime"] = (moment + timedelta(milliseconds=5)).isoformat()
    await corridor.sweep()
    repaired(corridor)
    await corridor.run_event(await corridor.export("working"))
    await corridor.sweep()
    assert said(corridor) == ["Open", "Resolved"]
    assert len({ids(row) for row in rows_of(corridor, "ACRT101")}) == 1


async def test_a_mark_of_before_failures_were_kept_is_resolved_too(corridor: Corridor) -> None:
    await corridor.run_event(await corridor.failed_export(RUN))
    state = corridor.monitor.state
    [(key, record)] = (await corridor.state("runs/")).items()
    stored = await state.read(key)
    assert stored is not None
    old = {name: value for name, value in record.items() if name not in {"failure", "unresolved", "followed"}}
    label = "|".join(str(old.get(n) or "") for n in ("state", "start", "finish", "", "", "outcome", "wanted"))
    assert await state.replace(key, old, stored.etag, label) is not None
    repaired(corridor)
    await corridor.run_event(await corridor.export("working"))
    for _ in range(2):
        await corridor.sweep()
    opened, resolved = rows_of(corridor, "ACRT101")
    assert (ids(resolved), resolved["State"]) == (ids(opened), "Resolved")
    assert sorted(await corridor.run_states()) == ["done", "resolved"]


async def test_a_plain_success_costs_one_write_of_state(corridor: Corridor) -> None:
    # The first one makes the container.
    await corridor.run_event(await corridor.export("earlier"))
    raw = await corridor.export("working")
    corridor.cloud.requests.clear()
    await corridor.run_event(raw)
    of_runs = [r.method for r in corridor.cloud.requests if r.origin is Origin.MONITOR and "/runs/" in r.path]
    assert of_runs == ["PUT"]


# --- a later look at a run that is over -----------------------------------------------------------------------


async def test_what_a_later_look_completes_of_a_run_that_is_over_is_not_told_again(corridor: Corridor) -> None:
    corridor.break_down("arm", Status(403), "/microsoft.storage/")
    await corridor.run_event(await corridor.failed_export(RUN))
    repaired(corridor)
    await corridor.run_event(await corridor.export("working"))
    await corridor.sweep()
    assert sorted(await corridor.run_states()) == ["done", "followed"]
    corridor.heal()
    await looks_again_now(corridor)
    assert (await corridor.sweep()).runs_diagnosed == 1
    await corridor.sweep()
    assert sorted(await corridor.run_states()) == ["done", "resolved"]
    assert told(corridor) == [("Opened", "ACRT201"), ("Resolved", "ACRT201")]
    for rule in ("ACRT101", "ACRT201"):
        first, *later = [row["State"] for row in rows_of(corridor, rule) if row["RunName"] == RUN]
        assert (first, set(later)) == ("Open", {"Resolved"})


async def test_another_cause_of_a_run_that_is_over_is_written_as_resolved(corridor: Corridor) -> None:
    await half_known(corridor, RUN, 403)
    world, account = corridor.cloud.world, corridor.scenario.export_account
    world.open_firewall(account)
    await corridor.run_event(await corridor.export("working"))
    world.close_firewall(account)
    world.allow_monitor(account)
    await corridor.sweep()
    before = told(corridor)
    await looks_again_now(corridor)
    assert (await corridor.sweep()).runs_diagnosed == 1
    causes = {row["RuleId"]: row["State"] for row in corridor.root_causes() if row["RunName"] == RUN}
    assert causes == {"ACRT199": "Resolved", "ACRT405": "Resolved"}
    assert told(corridor)[len(before) :] == []


async def test_a_cause_that_another_run_has_failed_on_since_stays_open(corridor: Corridor) -> None:
    corridor.break_down("arm", Status(403), "/microsoft.storage/")
    await corridor.run_event(await corridor.failed_export(RUN))
    repaired(corridor)
    await corridor.run_event(await corridor.export("working"))
    await corridor.sweep()
    corridor.heal()
    corridor.cloud.world.revoke_secret_get(corridor.scenario.vault, corridor.scenario.export_pipeline)
    await corridor.run_event(await corridor.failed_export("failing"))
    await looks_again_now(corridor)
    assert (await corridor.sweep()).runs_diagnosed == 1
    last = max(rows_of(corridor, "ACRT201"), key=lambda row: str(iso(parse_time(row["TimeGenerated"]))))
    assert (last["State"], last["RunName"]) == ("Open", "failing")
    assert [kind for kind, rule in told(corridor) if rule == "ACRT201"] == ["Opened", "Resolved", "Opened"]
