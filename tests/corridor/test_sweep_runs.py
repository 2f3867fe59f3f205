"""The sweep and runs: found without an event, never read twice, and never more than it can do."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from localcloud.service import Fault, Hang, Origin, Status
from shared import sweep
from shared.errors import NotStored
from shared.sweep import Sweep
from shared.sweep_blobs import BlobSweep
from tests.corridor.conftest import Corridor, path_has
from tests.corridor.time_travel import (
    forget_rhythms,
    looks_again_now,
    passes_with,
    reads,
    rows_of,
    started_earlier,
    told,
)


async def test_a_run_without_an_event_is_found(corridor: Corridor) -> None:
    await corridor.failed_export("failing")
    report = await corridor.sweep()
    assert (report.runs_seen, report.runs_diagnosed, report.problems) == (1, 1, [])
    assert report.finished
    assert [row["RuleId"] for row in corridor.root_causes()] == ["ACRT201"]
    assert corridor.row("ACRT101")["TriggeredBy"] == "Sweep"
    assert told(corridor) == [("Opened", "ACRT201")]
    # The event that comes late finds it done.
    assert (await corridor.run_event(corridor.told("failing"))).findings == ()


async def test_a_known_run_costs_no_read_of_its_own(corridor: Corridor) -> None:
    await corridor.sweep()
    for number in range(5):
        await corridor.run_event(await corridor.export(f"good{number}"))
    await corridor.run_event(await corridor.failed_export("badrun"))
    await corridor.sweep()
    corridor.cloud.requests.clear()
    report = await corridor.sweep()
    assert (report.runs_seen, report.runs_diagnosed) == (6, 0)
    asked = reads(corridor)
    assert report.arm_reads == len(asked)
    # Two registries: the runs, the export and the import pipelines of each, and the list that names none of them.
    assert len(asked) <= 6, asked
    assert {path.rpartition("/")[2].lower() for path in asked} == {"pipelineruns", "exportpipelines", "importpipelines"}


async def test_a_stuck_run_is_said_and_ends_with_its_own_success(corridor: Corridor) -> None:
    cloud, scenario = corridor.cloud, corridor.scenario
    cloud.hold_transfers()
    await cloud.put_run(
        scenario.source, "slowrun", scenario.export_pipeline, artifacts=("hello-world",), blob="slowrun.tar", wait=False
    )
    assert (await corridor.sweep()).runs_open == 1
    assert "ACRT104" not in corridor.rules
    run = scenario.source.runs["slowrun"]
    started_earlier(corridor, "slowrun", timedelta(hours=3))
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT104")]
    written = len(rows_of(corridor, "ACRT104"))
    corridor.cloud.requests.clear()
    await corridor.sweep()
    assert len(rows_of(corridor, "ACRT104")) == written, "once is enough for five minutes"
    assert not [path for path in reads(corridor) if path.lower().endswith("/exportpipe")]
    cloud.release_transfers()
    await cloud.wait_for_run(scenario.source, "slowrun")
    assert run.over
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT104"), ("Resolved", "ACRT104")]


async def test_failures_from_long_ago_raise_nothing(corridor: Corridor) -> None:
    monitor = await corridor.another(SWEEP_LOOKBACK_HOURS="1")
    for number in range(4):
        await corridor.failed_export(f"older{number}")
        started_earlier(corridor, f"older{number}", timedelta(hours=2))
    corridor.cloud.world.grant_secret_get(corridor.scenario.vault, corridor.scenario.export_pipeline)
    for _ in range(2):
        report = await corridor.sweep(monitor)
        assert (report.runs_seen, report.runs_diagnosed) == (4, 0)
    assert corridor.rows == []
    assert corridor.alerts == []
    assert await corridor.state("runs/") == {}


async def test_two_sweeps_at_once_do_no_harm(corridor: Corridor) -> None:
    await corridor.failed_export("failing")
    other = await corridor.another()
    reports = await asyncio.gather(Sweep(corridor.monitor).run(), Sweep(other).run())
    assert [report.problems for report in reports] == [[], []]
    assert len({row["FindingId"] for row in corridor.root_causes()}) == 1
    assert len({alert["id"] for alert in corridor.alerts}) == 1
    assert len(rows_of(corridor, "ACRT903")) == 2
    await corridor.sweep()
    assert await corridor.run_states() == ["done"]


# --- what fails -----------------------------------------------------------------------------------------------


async def test_the_heartbeat_is_written_when_a_registry_can_not_be_listed(corridor: Corridor) -> None:
    await corridor.failed_export("failing")
    corridor.break_down("arm", Status(403), "contosoedge", "pipelineruns")
    report = await corridor.sweep()
    assert any("contosoedge" in problem for problem in report.problems), report.problems
    [heartbeat] = rows_of(corridor, "ACRT903")
    assert heartbeat["Evidence"]["problems"] == report.problems
    assert (heartbeat["Evidence"]["registries"], heartbeat["State"]) == (2, "Info")
    # The other registry was swept all the same.
    assert [row["RuleId"] for row in corridor.root_causes()] == ["ACRT201"]
    assert corridor.row("ACRT901")["RegistryName"] == "contosoedge"


async def test_the_heartbeat_is_written_after_what_nobody_foresaw(
    corridor: Corridor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def falls(*_arguments: Any) -> None:
        raise KeyError("unforeseen")

    monkeypatch.setattr(BlobSweep, "load", falls)
    await corridor.failed_export("failing")
    with pytest.raises(KeyError):
        await corridor.sweep()
    [heartbeat] = rows_of(corridor, "ACRT903")
    assert heartbeat["Evidence"]["finished"] is False
    assert "KeyError" in heartbeat["Evidence"]["problems"][0]


async def test_a_heartbeat_that_can_not_be_stored_is_raised(corridor: Corridor) -> None:
    corridor.break_down("ingestion", Status(403))
    with pytest.raises(NotStored):
        await corridor.sweep()


def swept(corridor: Corridor) -> list[str]:
    """The registries whose runs were listed, in this order."""
    return [path.split("/registries/")[1].split("/")[0] for path in reads(corridor) if "pipelineruns" in path.lower()]


async def test_what_time_did_not_allow_comes_first_the_next_time(
    corridor: Corridor, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = corridor.cloud.world
    for number in range(3):
        world.add_registry(f"contosomore{number}")
    ids = ",".join(registry.id for registry in world.registries.values())
    monitor = await corridor.another(MONITORED_REGISTRIES=ids)
    monkeypatch.setattr(sweep, "_AT_ONCE", 1)
    await corridor.sweep(monitor)
    order = swept(corridor)
    # The third registry does not answer in time.
    with monkeypatch.context() as patch:
        silent = passes_with(patch, sweep, path_has(f"/{order[2]}/pipelineruns"))
        fault = Fault("arm", silent, Hang(), origin=Origin.MONITOR)
        corridor.cloud.faults.append(fault)
        report = await corridor.sweep(monitor)
    assert fault.hits == 1
    assert not report.finished
    assert "not finished" in report.problems[0]
    assert rows_of(corridor, "ACRT903")[-1]["Evidence"]["finished"] is False
    corridor.heal()
    corridor.cloud.requests.clear()
    assert (await corridor.sweep(monitor)).finished
    assert swept(corridor) == [*order[2:], *order[:2]]
    corridor.cloud.requests.clear()
    await corridor.sweep(monitor)
    assert swept(corridor) == order


async def test_a_success_that_was_left_open_is_not_asked_for_ever(corridor: Corridor) -> None:
    raw = await corridor.export("gooda")
    corridor.break_down("storage", Status(500), "gooda.tar")
    await corridor.run_event(raw)
    corridor.heal()
    assert await corridor.run_states() == ["open"]
    started_earlier(corridor, "gooda", timedelta(days=3))
    await forget_rhythms(corridor)
    assert (await corridor.sweep()).runs_diagnosed == 0


async def test_a_failed_run_that_was_left_open_is_over_when_a_later_one_succeeds(
    corridor: Corridor,
) -> None:
    corridor.cloud.world.close_firewall(corridor.scenario.export_account)
    await corridor.run_event(await corridor.export("blocked"))
    assert await corridor.run_states() == ["open"]
    corridor.cloud.world.open_firewall(corridor.scenario.export_account)
    await corridor.run_event(await corridor.export("working"))
    for _ in range(2):
        await corridor.sweep()
        [over] = rows_of(corridor, "ACRT101", "Resolved")
        assert over["RunName"] == "blocked"
        assert sorted(await corridor.run_states()) == ["done", "followed"]
    # What was left out is looked at all the same.
    await looks_again_now(corridor)
    assert (await corridor.sweep()).runs_diagnosed == 1
    await corridor.sweep()
    assert sorted(await corridor.run_states()) == ["done", "resolved"]
    assert rows_of(corridor, "ACRT101")[-1]["State"] == "Resolved"


async def test_what_is_still_left_out_of_a_run_that_is_over_does_not_say_it_again(corridor: Corridor) -> None:
    corridor.break_down("arm", Status(403), "/microsoft.storage/")
    await corridor.run_event(await corridor.failed_export("blocked"))
    assert await corridor.run_states() == ["open"]
    corridor.cloud.world.grant_secret_get(corridor.scenario.vault, corridor.scenario.export_pipeline)
    await corridor.run_event(await corridor.export("working"))
    await corridor.sweep()
    await looks_again_now(corridor)
    for _ in range(2):
        await corridor.sweep()
        assert sorted(await corridor.run_states()) == ["done", "followed"]
        assert [row["State"] for row in rows_of(corridor, "ACRT101")] == ["Open", "Resolved"]
