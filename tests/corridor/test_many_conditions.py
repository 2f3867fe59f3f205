"""Some thousand open conditions: what a sweep reads of them, and what it has done when its time is over."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from localcloud.service import Status
from shared import sweep_conditions, sweep_targets
from shared.errors import NotStored
from shared.findings.finding import finding_key
from shared.sinks.condition_records import condition_key, label
from shared.sweep import Sweep
from shared.sweep_conditions import ConditionSweep
from shared.sweep_facts import SweepFacts
from shared.sweep_runs import STUCK
from shared.times import iso
from tests.corridor.conftest import Corridor
from tests.corridor.time_travel import told

LONG_AGO: Final = timedelta(hours=3)
MANY: Final = 40


async def remembered(corridor: Corridor, number: int, rule: str = "ACRT601", **fields: Any) -> str:
    """A condition that opened hours ago, as an earlier sweep has left it; gives its key."""
    row = {
        "FindingId": f"finding{number}",
        "RuleId": rule,
        "State": "Open",
        "Outcome": "Fail",
        "RegistryId": corridor.scenario.source.id.lower(),
        "PipelineId": corridor.scenario.export_pipeline.id.lower(),
        "RunId": f"{corridor.scenario.source.id.lower()}/pipelineruns/run{number}",
        "StorageAccount": "",
        "ContainerName": "",
        "BlobName": "",
        "TimeGenerated": iso(datetime.now(UTC) - LONG_AGO),
        "Evidence": {},
    } | fields
    key = finding_key(rule, str(number))
    opened = iso(datetime.now(UTC) - LONG_AGO)
    record = {"findingKey": key, "ruleId": rule, "openedAt": opened, "alert": "published", "row": row}
    record |= {"alert": fields.get("alert", "published")}
    row.pop("alert", None)
    assert await corridor.monitor.state.create(condition_key(key), record, label(record)) is not None
    return key


async def many(corridor: Corridor, count: int = MANY, **fields: Any) -> list[str]:
    """As many of them."""
    return [await remembered(corridor, number, **fields) for number in range(count)]


def single_reads(corridor: Corridor) -> int:
    """How many records of conditions were read, each for itself."""
    return sum(r.method == "GET" and "/conditions/" in r.path for r in corridor.cloud.requests)


def facts_of(corridor: Corridor) -> SweepFacts:
    """What a sweep knows that has found everything where it was."""
    facts, scenario = SweepFacts(), corridor.scenario
    facts.monitored_registries = (scenario.source.id.lower(), scenario.target.id.lower())
    facts.listed_pipelines = {scenario.export_pipeline.id.lower(), scenario.import_pipeline.id.lower()}
    return facts


def sweep_of(corridor: Corridor, facts: SweepFacts) -> ConditionSweep:
    """The sweep's last step, now."""
    return ConditionSweep(corridor.monitor, facts, datetime.now(UTC))


async def test_what_nothing_was_seen_of_is_not_read(corridor: Corridor) -> None:
    await many(corridor, 20)
    await remembered(corridor, 20, "ACRT303")
    facts, now = facts_of(corridor), datetime.now(UTC)
    # Another pipeline has succeeded, another run, another blob, and this one before the run failed.
    facts.last_success = {
        corridor.scenario.import_pipeline.id.lower(): now,
        corridor.scenario.export_pipeline.id.lower(): now - 2 * LONG_AGO,
    }
    facts.succeeded_runs = {f"{corridor.scenario.target.id.lower()}/pipelineruns/run1": now}
    facts.gone_blobs = {"account/container/other.tar"}
    corridor.cloud.requests.clear()
    await sweep_of(corridor, facts).sweep()
    assert single_reads(corridor) == 0
    facts.last_success[corridor.scenario.export_pipeline.id.lower()] = now
    conditions = sweep_of(corridor, facts)
    await conditions.sweep()
    assert (single_reads(corridor), conditions.resolved) == (20, 20)


async def test_a_run_or_a_blob_that_settles_one_condition_reads_that_one(corridor: Corridor) -> None:
    place = {"StorageAccount": "account", "ContainerName": "container"}
    blobs = [await remembered(corridor, n, "ACRT406", **place, BlobName=f"in/b{n}.tar") for n in range(5)]
    runs = [await remembered(corridor, n, "ACRT601") for n in range(5)]
    stuck = [await remembered(corridor, n, STUCK) for n in range(5)]
    facts = facts_of(corridor)
    facts.gone_blobs = {"account/container/in/b3.tar"}
    facts.succeeded_runs = {f"{corridor.scenario.source.id.lower()}/pipelineruns/run2": datetime.now(UTC)}
    facts.accounts = {"account"}
    facts.unhealthy = {*blobs[:3], blobs[4]}
    corridor.cloud.requests.clear()
    await sweep_of(corridor, facts).sweep()
    left = {key.rpartition("/")[2].removesuffix(".json") for key in await corridor.state("conditions/")}
    assert {*blobs, *runs, *stuck} - left == {blobs[3], runs[2], stuck[2]}


async def test_what_was_done_before_the_time_is_over_stays_done(
    corridor: Corridor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await many(corridor)
    facts = facts_of(corridor)
    facts.last_success = {corridor.scenario.export_pipeline.id.lower(): datetime.now(UTC)}
    monkeypatch.setattr(sweep_conditions, "_TOGETHER", 10)
    for left in (30, 20):
        conditions = sweep_of(corridor, facts)
        await conditions.sweep(0)
        assert (conditions.resolved, conditions.left) == (10, left)
        assert len(await corridor.state("conditions/")) == left
    original = corridor.monitor.conditions.close
    closed, stuck = [0], asyncio.Event()

    async def close(stored: Any) -> Any:
        closed[0] += 1
        if closed[0] > 15:
            stuck.set()
            await asyncio.Event().wait()
        return await original(stored)

    monkeypatch.setattr(corridor.monitor.conditions, "close", close)
    ends = asyncio.create_task(sweep_of(corridor, facts).sweep())
    await stuck.wait()
    ends.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ends
    monkeypatch.undo()
    await sweep_of(corridor, facts).sweep()
    assert await corridor.state("conditions/") == {}
    ids = [alert["id"] for alert in corridor.alerts]
    assert len(set(ids)) == MANY
    assert told(corridor)[0] == ("Resolved", "ACRT601")


async def test_an_alert_that_waits_is_told_before_anything_is_looked_at(corridor: Corridor) -> None:
    await remembered(corridor, 0, alert="pending")
    corridor.break_down("arm", Status(503))
    corridor.break_down("storage", Status(503), "rhythms/")
    report = await Sweep(corridor.monitor).run()
    assert report.problems
    assert told(corridor) == [("Opened", "ACRT601")]
    assert report.alerts == 1
    await Sweep(corridor.monitor).run()
    assert told(corridor) == [("Opened", "ACRT601")]


async def test_one_record_that_can_not_be_read_keeps_nobody_from_the_others(corridor: Corridor) -> None:
    keys = await many(corridor, 12)
    facts = facts_of(corridor)
    facts.last_success = {corridor.scenario.export_pipeline.id.lower(): datetime.now(UTC)}
    corridor.break_down("storage", Status(403), f"conditions/{keys[4]}")
    conditions = sweep_of(corridor, facts)
    with pytest.raises(NotStored):
        await conditions.sweep()
    assert conditions.resolved == 11
    corridor.heal()
    assert list(await corridor.state("conditions/")) == [condition_key(keys[4])]


async def test_a_topic_that_is_down_is_tried_once(corridor: Corridor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_conditions, "_TOGETHER", 4)
    await many(corridor, 12)
    facts = facts_of(corridor)
    facts.last_success = {corridor.scenario.export_pipeline.id.lower(): datetime.now(UTC)}
    down = corridor.break_down("topic", Status(403))
    conditions = sweep_of(corridor, facts)
    await conditions.sweep()
    assert conditions.resolved == 0
    assert sum(r.service == down.service for r in corridor.cloud.requests) == 1
    corridor.heal()
    await sweep_of(corridor, facts).sweep()
    assert len({alert["id"] for alert in corridor.alerts}) == 12
    assert await corridor.state("conditions/") == {}


async def test_no_blob_is_read_about_once_the_looks_of_a_sweep_are_used_up(
    corridor: Corridor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_conditions, "_TOGETHER", 4)
    monkeypatch.setattr(sweep_targets, "MOST_READS", 3)
    account = corridor.scenario.import_account.name
    place = {"StorageAccount": account, "ContainerName": "transfer"}
    for number in range(12):
        await remembered(corridor, number, "ACRT508", **place, BlobName=f"b{number}.tar", PipelineId="")
    facts = facts_of(corridor)
    facts.accounts = {account}
    for resolved in (3, 6):
        corridor.cloud.requests.clear()
        await sweep_of(corridor, facts).sweep()
        assert single_reads(corridor) == 4
        assert len(await corridor.state("conditions/")) == 12 - resolved
