"""Runs that fail, succeed and fail again on one cause, also at the very moment at which it is resolved."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import pytest

from shared.findings.builder import Occasion, TriggeredBy
from shared.findings.finding import Row
from shared.recorder import Recorder
from shared.sinks.condition_records import Telling, Told
from shared.sinks.conditions import Conditions
from shared.sinks.state_store import MemoryStateStore, Stored
from tests.corridor.conftest import Corridor
from tests.corridor.time_travel import told

OCCASION: Final = Occasion(TriggeredBy.RUN_EVENT)


async def fails_again(corridor: Corridor, run: str) -> None:
    """A run that the vault does not let in, and its event."""
    await corridor.run_event(await corridor.failed_export(run))


async def succeeds(corridor: Corridor, run: str) -> None:
    """A run for which the vault has been opened, and its event."""
    corridor.cloud.world.grant_secret_get(corridor.scenario.vault, corridor.scenario.export_pipeline)
    await corridor.run_event(await corridor.export(run))


async def denied(corridor: Corridor) -> Row:
    """The record of the condition."""
    [record] = [r for r in (await corridor.state("conditions/")).values() if r["ruleId"] == "ACRT201"]
    return record


async def test_a_success_before_the_last_failure_resolves_nothing(corridor: Corridor) -> None:
    # So that the hourly look at the pipeline, which would see it, is over.
    await corridor.sweep()
    await fails_again(corridor, "first")
    await succeeds(corridor, "between")
    await fails_again(corridor, "second")
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT201")]
    record = await denied(corridor)
    assert record["row"]["RunName"] == "first"
    assert record["lastRow"]["RunName"] == "second"
    # A late redelivery of the first takes nothing back.
    await corridor.run_event(corridor.told("first"))
    assert (await denied(corridor))["lastFailed"] == record["lastFailed"]
    await succeeds(corridor, "after")
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT201"), ("Resolved", "ACRT201")]


async def test_a_failure_at_the_moment_of_the_resolution_opens_it_again(
    corridor: Corridor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await corridor.sweep()
    await fails_again(corridor, "first")
    await succeeds(corridor, "between")
    other = await corridor.another()
    original = Recorder.write_rows
    meanwhile = [True]

    async def write_rows(recorder: Recorder, rows: Sequence[Row]) -> None:
        await original(recorder, rows)
        if meanwhile and any(row["RuleId"] == "ACRT201" for row in rows):
            meanwhile.clear()
            await corridor.run_event(await corridor.failed_export("second"), other)

    monkeypatch.setattr(Recorder, "write_rows", write_rows)
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT201"), ("Resolved", "ACRT201"), ("Opened", "ACRT201")]
    assert len({alert["id"] for alert in corridor.alerts}) == 3
    assert corridor.alerts[-1]["data"]["RunName"] == "second"
    record = await denied(corridor)
    assert (record["alert"], record["row"]["RunName"]) == ("published", "second")
    last = [row for row in corridor.rows if row["RuleId"] == "ACRT201"]
    assert max(last, key=lambda row: str(row["TimeGenerated"]))["State"] == "Open"
    await succeeds(corridor, "after")
    await corridor.sweep()
    assert told(corridor)[-1] == ("Resolved", "ACRT201")
    assert len({alert["id"] for alert in corridor.alerts}) == 4


async def test_many_runs_that_fail_at_once_are_one_alert_and_the_last_is_known(corridor: Corridor) -> None:
    raws = [await corridor.failed_export(f"storm{number}") for number in range(12)]
    await asyncio.gather(*(corridor.run_event(raw) for raw in raws))
    record = await denied(corridor)
    starts = [row["RunStartTime"] for row in corridor.rows if row["RuleId"] == "ACRT201"]
    assert len(set(starts)) == 12
    # Nothing later was to be noted where the last of them was the one that opened the condition.
    assert max(filter(None, (record.get("lastFailed"), record["row"]["RunStartTime"]))) == max(starts)
    assert record["alert"] == "published"
    assert told(corridor) == [("Opened", "ACRT201")]


class Closing(MemoryStateStore):
    """A store in which a sweep closes the condition right after it was read."""

    closes = 1

    async def read(self, key: str) -> Stored | None:
        stored = await super().read(key)
        if stored is not None and self.closes:
            self.closes -= 1
            await self.delete(key, stored.etag)
        return stored


async def test_what_is_closed_while_a_failure_is_noted_opens_anew(corridor: Corridor) -> None:
    await fails_again(corridor, "first")
    await fails_again(corridor, "second")
    findings: list[Any] = []
    conditions = Conditions(Closing(), None)
    monitor = corridor.monitor
    for run in ("first", "second"):
        diagnosis = await monitor.diagnose(f"{corridor.scenario.source.id}/pipelineRuns/{run}")
        built = await monitor.recorder.build([diagnosis], OCCASION)
        findings += [finding for finding, _ in built if finding.rule_id == "ACRT201"]
    first, second = findings
    await conditions.open([Told(first, Telling.PENDING)])
    await conditions.open([Told(second, Telling.PENDING)])
    [condition] = await conditions.everything()
    stored = await conditions.read(condition)
    assert stored is not None
    assert stored.record["row"]["RunName"] == "second"
