"""What the sweep forgets and what it must not, with the clock moved on."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from localcloud.scenario import CONTAINER
from localcloud.service import Origin, Status
from localcloud.storage_helpers import blob_url
from shared import sweep_blobs, sweep_cleaning
from shared.findings.builder import Occasion, TriggeredBy
from shared.monitor import Monitor
from shared.sinks.rhythms import Rhythms
from shared.sweep_blobs import UNREAD_FOR, BlobSweep
from shared.sweep_cleaning import RHYTHMS_KEPT_FOR, CleaningSweep, marks_kept_for
from shared.sweep_facts import SweepFacts
from shared.sweep_runs import RunSweep
from tests.corridor.conftest import Corridor
from tests.corridor.time_travel import rows_of

OCCASION: Final = Occasion(TriggeredBy.SWEEP)
MINUTE: Final = timedelta(minutes=5)
NAME: Final = "images.tar"


async def cleaned(
    monitor: Monitor, ahead: timedelta, *, listed: bool = True, known: bool = True
) -> tuple[SweepFacts, dict[str, int]]:
    """The sweep's listing of runs and its cleaning, so much later."""
    now = datetime.now(UTC) + ahead
    facts = SweepFacts()
    registries = (await monitor.gatherer.lookups.monitored_registries()).known
    facts.monitored_registries = registries if known else None
    for registry in registries if listed else ():
        async for _ in RunSweep(monitor, facts, now).sweep(registry, OCCASION):
            pass
    cleaning = CleaningSweep(monitor, facts, now)
    await cleaning.sweep()
    return facts, {kind: count for kind, count in cleaning.counts.items() if count}


@pytest.fixture(autouse=True)
async def first_sweep(corridor: Corridor) -> None:
    """The very first sweep, two days ago: it has nothing to forget."""
    await CleaningSweep(corridor.monitor, SweepFacts(), datetime.now(UTC) - timedelta(days=2)).sweep()


async def test_the_first_sweep_lists_nothing_and_the_one_a_day_later_does(corridor: Corridor) -> None:
    listings = [r for r in corridor.cloud.requests if r.query.get("comp") == "list" and r.origin is Origin.MONITOR]
    assert listings == []
    [(name, cursor)] = (await corridor.state("sweep/")).items()
    assert name.endswith("cleaning.json")
    await cleaned(corridor.monitor, timedelta(0), listed=False)
    prefixes = {r.query.get("prefix", "") for r in corridor.cloud.requests if r.query.get("comp") == "list"}
    assert {"runs/0", "runs/f", "rhythms/pipelines/"} <= prefixes
    [again] = (await corridor.state("sweep/")).values()
    assert again["roundBegan"] > cursor["roundBegan"]


async def names(corridor: Corridor) -> list[str]:
    """The runs that have a mark."""
    return sorted(record["runId"].rpartition("/")[2] for record in (await corridor.state("runs/")).values())


# --- marks of runs ------------------------------------------------------------------------------------------


async def test_a_mark_outlives_its_run_by_the_look_back_and_a_redelivery(corridor: Corridor) -> None:
    for run in ("deleted", "listed", "running"):
        await corridor.run_event(await corridor.failed_export(run))
    await corridor.cloud.delete_run(corridor.scenario.source, "deleted")
    monitor = await corridor.another(SWEEP_LOOKBACK_HOURS="48")
    kept = marks_kept_for(monitor)
    assert kept == timedelta(hours=48 + 24 + 24)
    assert (await cleaned(monitor, kept - MINUTE))[1] == {}
    assert await names(corridor) == ["deleted", "listed", "running"]
    assert (await cleaned(monitor, kept + MINUTE))[1] == {"runs": 1}
    assert await names(corridor) == ["listed", "running"]


async def test_a_run_that_is_listed_is_never_diagnosed_again(corridor: Corridor) -> None:
    await corridor.run_event(await corridor.failed_export("listed"))
    run = corridor.scenario.source.runs["listed"]
    # Written again for its tags alone, and it says no end: it looks young for ever.
    run.response.pop("finishTime", None)
    rows, alerts = len(corridor.rows), len(corridor.alerts)
    for days in (5, 50, 500):
        facts, counts = await cleaned(corridor.monitor, timedelta(days=days))
        assert counts == {}
        assert facts.unlisted_marks == []
    report = await corridor.sweep()
    assert (report.runs_seen, report.runs_diagnosed) == (1, 0)
    assert (len(corridor.rows), len(corridor.alerts)) == (rows, alerts)


async def test_where_the_list_is_not_whole_nothing_is_forgotten(corridor: Corridor) -> None:
    await corridor.run_event(await corridor.failed_export("deleted"))
    await corridor.cloud.delete_run(corridor.scenario.source, "deleted")
    long_ago = timedelta(days=50)
    # The registry is monitored, and its runs could not be listed; then nobody knows which are monitored.
    assert (await cleaned(corridor.monitor, long_ago, listed=False))[1] == {}
    await corridor.monitor.state.delete("sweep/cleaning.json", await etag(corridor, "sweep/cleaning.json"))
    assert (await cleaned(corridor.monitor, long_ago, listed=False, known=False))[1] == {}
    assert await names(corridor) == ["deleted"]


async def etag(corridor: Corridor, key: str) -> str:
    """The form in which a record is there."""
    stored = await corridor.monitor.state.read(key)
    assert stored is not None
    return stored.etag


async def test_marks_of_a_registry_that_is_swept_no_more_go_by_age(corridor: Corridor) -> None:
    await corridor.run_event(await corridor.failed_export("elsewhere"))
    monitor = await corridor.another(MONITORED_REGISTRIES=corridor.scenario.target.id)
    kept = marks_kept_for(monitor)
    assert (await cleaned(monitor, kept - MINUTE))[1] == {}
    # The next round begins a day later.
    assert (await cleaned(monitor, kept + MINUTE))[1] == {}
    _, counts = await cleaned(monitor, kept + timedelta(days=1))
    assert counts["runs"] == 1
    assert await names(corridor) == []


async def test_what_changes_meanwhile_stays_and_two_sweeps_do_no_harm(corridor: Corridor) -> None:
    for number in range(6):
        await corridor.run_event(await corridor.failed_export(f"deleted{number}"))
        await corridor.cloud.delete_run(corridor.scenario.source, f"deleted{number}")
    facts = SweepFacts()
    monitor, now = corridor.monitor, datetime.now(UTC) + timedelta(days=9)
    async for _ in RunSweep(monitor, facts, now).sweep(corridor.scenario.source.id.lower(), OCCASION):
        pass
    assert len(facts.unlisted_marks) == 6
    changed = facts.unlisted_marks[0]
    stored = await monitor.state.read(changed.key)
    assert stored is not None
    assert await monitor.state.replace(changed.key, stored.record, stored.etag, changed.label)
    other = await corridor.another()
    sweeps = [CleaningSweep(monitor, facts, now), CleaningSweep(other, facts, now)]
    await asyncio.gather(*(sweep.sweep() for sweep in sweeps))
    left = await corridor.state("runs/")
    assert list(left) == [changed.key]
    assert {sweep.counts["runs"] for sweep in sweeps} <= set(range(7))


# --- rhythms, and the pace -----------------------------------------------------------------------------------


async def test_rhythms_are_forgotten_bit_by_bit_once_a_day(corridor: Corridor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_cleaning, "MOST", 2)
    monitor, now = corridor.monitor, datetime.now(UTC)
    for kind, ages in {"pipelines": (49, 47), "blobs": (49, 100, 200), "stuck": (50,)}.items():
        for age in ages:
            await Rhythms(monitor.state, kind).note(f"{kind}{age}", now - timedelta(hours=age))
    remaining = []
    for _ in range(4):
        _, counts = await cleaned(monitor, timedelta(0))
        assert sum(counts.values()) <= 2
        remaining.append(len(await corridor.state("rhythms/")))
    assert remaining == [4, 2, 1, 1]
    [record] = (await corridor.state("rhythms/")).values()
    assert record["what"] == "pipelines47"
    # The round is over: what is old by now waits for the next one.
    assert (await cleaned(monitor, timedelta(hours=23)))[1] == {}
    assert (await cleaned(monitor, RHYTHMS_KEPT_FOR))[1] == {"rhythms": 1}


# --- expectations ---------------------------------------------------------------------------------------------


async def waits(corridor: Corridor) -> None:
    """A blob that is expected to be imported."""
    account = corridor.scenario.import_account.name
    await corridor.cloud.put_blob(account, CONTAINER, NAME, metadata={"category": "acr-transfer-blob"})
    await corridor.blob_event(corridor.file("blob-put-blob"))
    assert len(await corridor.state("expectations/")) == 1


async def delete_pipeline(corridor: Corridor) -> None:
    """The import pipeline is deleted."""
    await corridor.cloud.arm("DELETE", corridor.scenario.import_pipeline.id)


async def blob_sweep(corridor: Corridor, ahead: timedelta, *, known: bool) -> BlobSweep:
    """The blobs' step alone, so much later, where no pipeline is left."""
    facts = SweepFacts(monitored_registries=() if known else None)
    step = BlobSweep(corridor.monitor, facts, datetime.now(UTC) + ahead)
    await step.load()
    await step.sweep([], OCCASION)
    return step


async def test_what_nobody_reads_any_more_is_not_expected_and_forgotten_after_a_day(corridor: Corridor) -> None:
    await waits(corridor)
    assert (await corridor.sweep()).oldest_expectation is not None
    await delete_pipeline(corridor)
    report = await corridor.sweep()
    assert (report.oldest_expectation, report.problems) == (None, [])
    assert len(await corridor.state("expectations/")) == 1, "the pipeline may be made anew"
    assert (await blob_sweep(corridor, UNREAD_FOR - MINUTE, known=True)).forgotten == 0
    # Where it is not known which pipelines there are, the container may well be read.
    assert (await blob_sweep(corridor, UNREAD_FOR + MINUTE, known=False)).forgotten == 0
    assert (await blob_sweep(corridor, UNREAD_FOR + MINUTE, known=True)).forgotten == 1
    assert await corridor.state("expectations/") == {}


async def test_the_heartbeat_counts_what_was_forgotten(corridor: Corridor, monkeypatch: pytest.MonkeyPatch) -> None:
    await waits(corridor)
    await delete_pipeline(corridor)
    monkeypatch.setattr(sweep_blobs, "UNREAD_FOR", timedelta(0))
    await corridor.sweep()
    assert rows_of(corridor, "ACRT903")[-1]["Evidence"]["cleaned"] == {"expectations": 1}
    await corridor.sweep()
    assert rows_of(corridor, "ACRT903")[-1]["Evidence"]["cleaned"] == {}


async def test_while_pipelines_can_not_be_listed_everything_stays_expected(
    corridor: Corridor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await waits(corridor)
    monkeypatch.setattr(sweep_blobs, "UNREAD_FOR", timedelta(0))
    corridor.break_down("arm", Status(403), "contosoedge", "importpipelines")
    assert (await corridor.sweep()).oldest_expectation is not None
    assert len(await corridor.state("expectations/")) == 1


async def test_a_container_that_is_gone_holds_no_blob_that_waits(corridor: Corridor) -> None:
    await waits(corridor)
    await corridor.cloud.delete_container(corridor.scenario.import_account.name, CONTAINER)
    await corridor.sweep()
    assert await corridor.state("expectations/") == {}
    assert blob_url(corridor.scenario.import_account.name, CONTAINER, NAME) not in str(await corridor.state())
