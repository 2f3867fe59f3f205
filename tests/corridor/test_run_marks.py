"""The state machine of a run's mark: claimed, given back, expired, done, begun anew."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from shared.errors import AlreadyInProgress
from shared.findings.finding import Row
from shared.records.transfer import PipelineRun
from shared.sinks.condition_records import short
from shared.sinks.run_marks import (
    CLAIM_LASTS,
    Claim,
    MarkState,
    OpenEnd,
    RunMark,
    RunMarks,
    keeps_failure,
    mark_of_label,
    run_key,
    run_prefix,
)
from shared.sinks.state_store import MemoryStateStore, Record, Stored

NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
REGISTRY: Final = "/subscriptions/s/resourcegroups/rg/providers/microsoft.containerregistry/registries/hub"


def a_run(**changes: Any) -> PipelineRun:
    """A failed run that began an hour ago."""
    source = {
        "id": f"{REGISTRY}/pipelineRuns/Run1",
        "name": "Run1",
        "systemData": {"createdAt": "2026-11-23T10:59:00Z"},
        "properties": {
            "provisioningState": "Failed",
            "request": {"pipelineResourceId": f"{REGISTRY}/exportPipelines/out"},
            "response": {
                "status": "Failed",
                "startTime": "2026-11-23T11:00:00.1234567Z",
                "finishTime": "2026-11-23T11:30:00.1234567Z",
            },
        },
    }
    return replace(PipelineRun.from_json(source), **changes)


CAUSE: Final = {"RuleId": "ACRT301", "FindingId": "1", "FindingKey": "a"}
OTHER: Final = {"RuleId": "ACRT199", "FindingId": "2", "FindingKey": "b"}
LEFT: Final = OpenEnd(frozenset({"key"}), frozenset({"ACRT201"}), None)
ANEW: Final = {
    "start_time": datetime(2026, 11, 23, 11, 45, tzinfo=UTC),
    "finish_time": datetime(2026, 11, 23, 11, 50, tzinfo=UTC),
}


@pytest.fixture
def store() -> MemoryStateStore:
    return MemoryStateStore()


@pytest.fixture
def marks(store: MemoryStateStore) -> RunMarks:
    return RunMarks(store)


async def state_of(store: MemoryStateStore) -> str:
    """The state that the one record is in, which its label repeats."""
    [entry] = [entry async for entry in store.entries("runs/")]
    stored = await store.read(entry.key)
    assert stored is not None
    label = mark_of_label(entry.label)
    mark = RunMark.of(stored)
    assert label is not None
    assert (label.state, label.start, label.finish, label.claimed_until, label.outcome, label.wanted) == (
        mark.state,
        mark.start,
        mark.finish,
        mark.claimed_until,
        mark.outcome,
        mark.wanted,
    )
    assert mark.outcome
    assert mark.wanted
    return str(mark.state)


async def claimed(marks: RunMarks, run: PipelineRun, now: datetime = NOW) -> Claim:
    """The claim, which must be there to be had."""
    claim = await marks.claim(run, now)
    assert isinstance(claim, Claim)
    return claim


async def test_claimed_and_done(marks: RunMarks, store: MemoryStateStore) -> None:
    run = a_run()
    claim = await claimed(marks, run)
    assert claim.began == run.start_time
    assert claim.earlier is None
    assert await state_of(store) == "claimed"
    await marks.finish(claim, run, cause=CAUSE)
    assert await state_of(store) == "done"
    mark = await marks.claim(run, NOW)
    assert isinstance(mark, RunMark)
    assert (mark.state, mark.causes) == (MarkState.DONE, (CAUSE,))


async def test_while_it_is_claimed_nobody_else_gets_it(marks: RunMarks, store: MemoryStateStore) -> None:
    await claimed(marks, a_run())
    for moment in (NOW, NOW + CLAIM_LASTS - timedelta(seconds=1)):
        with pytest.raises(AlreadyInProgress, match="Run1 is being diagnosed until 2026-11-23T12:01:00"):
            await marks.claim(a_run(), moment)
    assert await state_of(store) == "claimed"


async def test_an_expired_claim_is_taken_over_and_its_holder_can_no_longer_finish(
    marks: RunMarks, store: MemoryStateStore
) -> None:
    run = a_run()
    dead = await claimed(marks, run)
    alive = await claimed(marks, run, NOW + CLAIM_LASTS)
    assert alive.earlier is not None
    assert alive.began == dead.began
    assert alive.first_seen == dead.first_seen
    await marks.finish(dead, run)
    await marks.release(dead, run)
    assert await state_of(store) == "claimed", "who came back from the dead changes nothing"
    await marks.finish(alive, run)
    assert await state_of(store) == "done"


async def test_who_takes_over_knows_every_cause_that_may_have_been_stored(
    marks: RunMarks, store: MemoryStateStore
) -> None:
    run = a_run()
    dead = await marks.intend(await claimed(marks, run), run, CAUSE)
    assert await state_of(store) == "claimed"
    second = await claimed(marks, run, NOW + CLAIM_LASTS)
    assert second.causes == (CAUSE,)
    with pytest.raises(AlreadyInProgress, match="has expired"):
        await marks.intend(dead, run, OTHER)
    assert await marks.intend(second, run, CAUSE) is second, "what is noted already needs no write"
    second = await marks.intend(second, run, OTHER)
    await marks.release(second, run)
    third = await claimed(marks, run, NOW + CLAIM_LASTS)
    assert third.causes == (CAUSE, OTHER)
    await marks.finish(third, run, cause=OTHER)
    mark = await marks.claim(run, NOW)
    assert isinstance(mark, RunMark)
    assert mark.causes == (OTHER,)


async def test_of_many_who_take_over_one_gets_it(marks: RunMarks) -> None:
    await claimed(marks, a_run())
    answers = await asyncio.gather(*(marks.claim(a_run(), NOW + CLAIM_LASTS) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(answer, Claim) for answer in answers) == 1
    assert sum(isinstance(answer, AlreadyInProgress) for answer in answers) == 4


async def test_what_is_given_back_can_be_claimed_at_once(marks: RunMarks, store: MemoryStateStore) -> None:
    run = a_run()
    await marks.release(await claimed(marks, run), run)
    assert await state_of(store) == "pending"
    again = await claimed(marks, run, NOW + timedelta(seconds=1))
    assert again.first_seen == NOW


async def test_an_incomplete_diagnosis_stays_open_with_its_cause(marks: RunMarks, store: MemoryStateStore) -> None:
    run = a_run()
    await marks.finish(await claimed(marks, run), run, open_end=LEFT, cause=CAUSE)
    assert await state_of(store) == "open"
    again = await claimed(marks, run, NOW + timedelta(minutes=5))
    assert again.earlier is not None
    assert again.causes == (CAUSE,)
    await marks.finish(again, run)
    assert await state_of(store) == "done"


async def test_a_run_that_was_started_anew_is_claimed_anew(marks: RunMarks, store: MemoryStateStore) -> None:
    run = a_run()
    await marks.finish(await claimed(marks, run), run, cause=CAUSE)
    again = await claimed(marks, a_run(**ANEW), NOW + timedelta(minutes=1))
    assert again.began == ANEW["start_time"]
    assert again.earlier is None, "what was found about the earlier start says nothing about this one"
    assert again.first_seen == NOW + timedelta(minutes=1)
    assert await state_of(store) == "claimed"


async def test_the_moment_that_was_chosen_first_is_kept(marks: RunMarks) -> None:
    nameless = a_run(start_time=None, created_at=None)
    claim = await claimed(marks, nameless)
    assert claim.began == NOW, "when it was first seen"
    await marks.release(claim, nameless)
    # By now the service shows a start.
    assert (await claimed(marks, a_run(), NOW + timedelta(hours=1))).began == NOW


async def test_without_a_start_the_end_tells_two_apart(marks: RunMarks) -> None:
    run = a_run(start_time=None)
    await marks.finish(await claimed(marks, run), run)
    assert isinstance(await marks.claim(run, NOW), RunMark)
    assert isinstance(await marks.claim(a_run(start_time=None, finish_time=ANEW["finish_time"]), NOW), Claim)


SUCCEEDED: Final = {"provisioning_state": "Succeeded", "status": "Succeeded"}
TIMELESS: Final = {"start_time": None, "finish_time": None}


async def a_label(store: MemoryStateStore) -> RunMark:
    """The one record as a listing shows it."""
    [entry] = [entry async for entry in store.entries("runs/")]
    mark = mark_of_label(entry.label)
    assert mark is not None
    return mark


@pytest.mark.parametrize("times", [{}, TIMELESS, {"finish_time": None}])
async def test_a_success_is_never_about_a_failure(
    marks: RunMarks, store: MemoryStateStore, times: dict[str, None]
) -> None:
    await marks.settle(a_run(**SUCCEEDED), NOW)
    # It was started anew and failed so early that it shows no times, or still those of before.
    failed = a_run(**times)
    assert not (await a_label(store)).is_about(failed)
    assert await marks.read(failed) is None
    again = await claimed(marks, failed, NOW + timedelta(hours=1))
    assert (again.earlier, again.first_seen) == (None, NOW + timedelta(hours=1))
    await marks.finish(again, failed, cause=CAUSE)
    assert (await a_label(store)).is_about(failed)
    assert isinstance(await marks.claim(failed, NOW), RunMark)


async def test_a_success_without_times_ends_what_failed_before(marks: RunMarks, store: MemoryStateStore) -> None:
    await marks.finish(await claimed(marks, a_run()), a_run(), cause=CAUSE)
    assert await marks.settle(a_run(**TIMELESS, **SUCCEEDED), NOW) is None
    mark = await a_label(store)
    assert (mark.state, mark.outcome) == (MarkState.DONE, "Succeeded")


async def test_without_times_what_was_asked_for_tells_two_apart(marks: RunMarks) -> None:
    run = a_run(**TIMELESS)
    await marks.finish(await claimed(marks, run), run, cause=CAUSE)
    assert isinstance(await marks.claim(a_run(**TIMELESS, modified_at=NOW), NOW), RunMark), "the same write did nothing"
    for another in ({"force_update_tag": "2"}, {"artifacts": ("a:1",)}, {"requested_blob": "b.tar"}):
        assert await marks.read(a_run(**TIMELESS, **another)) is None
    assert isinstance(await marks.claim(a_run(**TIMELESS, force_update_tag="2"), NOW), Claim)


async def test_what_is_not_diagnosed_yet_may_end_in_another_way(marks: RunMarks) -> None:
    run = a_run(**TIMELESS)
    claim = await marks.intend(await claimed(marks, run), run, CAUSE)
    await marks.release(claim, run)
    again = await claimed(marks, a_run(**TIMELESS, provisioning_state="Canceled", status=""))
    assert again.causes == (CAUSE,), "what may have been stored is still to be taken back"


async def test_a_mark_of_before_there_were_outcomes_is_read(marks: RunMarks, store: MemoryStateStore) -> None:
    run = a_run()
    await marks.finish(await claimed(marks, run), run, cause=CAUSE)
    stored = await store.read(run_key(run.id, REGISTRY))
    assert stored is not None
    old = {name: value for name, value in stored.record.items() if name not in {"outcome", "wanted"}}
    await store.replace(stored.key, old, stored.etag, f"done|{old['start']}|{old['finish']}||")
    for mark in (await a_label(store), await marks.read(run)):
        assert mark is not None
        assert (mark.is_done, mark.outcome, mark.wanted) == (True, "", "")
        assert mark.is_about(run)
        assert mark.is_about(a_run(**TIMELESS))
        assert not mark.is_about(a_run(**ANEW))


async def test_a_run_that_is_not_over_is_remembered_once(marks: RunMarks, store: MemoryStateStore) -> None:
    running = a_run(provisioning_state="Creating", status="Running", finish_time=None)
    await marks.remember(running, NOW)
    await marks.remember(running, NOW + timedelta(hours=1))
    assert await state_of(store) == "pending"
    assert (await claimed(marks, a_run(), NOW + timedelta(hours=2))).first_seen == NOW


@pytest.mark.parametrize("before", ["claimed", "done", "open"])
async def test_remembering_does_not_take_back_what_was_done(
    marks: RunMarks, store: MemoryStateStore, before: str
) -> None:
    run = a_run()
    claim = await claimed(marks, run)
    if before != "claimed":
        await marks.finish(claim, run, open_end=None if before == "done" else LEFT)
    await marks.remember(a_run(finish_time=None), NOW)
    assert await state_of(store) == before
    await marks.remember(a_run(**ANEW | {"finish_time": None}), NOW)
    assert await state_of(store) == "pending", "but another start is another run"


async def test_a_success_is_settled_with_one_write(marks: RunMarks, store: MemoryStateStore) -> None:
    run = a_run(provisioning_state="Succeeded", status="Succeeded")
    assert await marks.settle(run, NOW) is None
    assert await state_of(store) == "done"
    mark = await marks.settle(run, NOW)
    assert mark is not None
    assert mark.began == run.start_time
    assert await marks.settle(a_run(**ANEW), NOW) is None
    assert isinstance(await marks.settle(a_run(**ANEW), NOW), RunMark)


FAILURE: Final = {
    "RuleId": "ACRT101",
    "FindingId": "3",
    "FindingKey": "c",
    "PipelineId": f"{REGISTRY}/exportpipelines/out",
    "RunStartTime": "2026-11-23T11:00:00.123456Z",
}


async def kept(store: MemoryStateStore) -> tuple[Row | None, bool]:
    """The failure that the one record keeps, and whether a listing says that a success a day later ends it."""
    [entry] = [entry async for entry in store.entries("runs/")]
    stored = await store.read(entry.key)
    assert stored is not None
    assert keeps_failure(entry.label) == (RunMark.of(stored).failure is not None)
    successes = {short(str(FAILURE["PipelineId"])): NOW + timedelta(days=1)}
    label = await a_label(store)
    assert label.is_over(successes) == RunMark.of(stored).is_over(successes)
    by_itself = label.outcome == "Succeeded" and keeps_failure(entry.label)
    assert label.is_over({short(f"{REGISTRY}/exportPipelines/out"): NOW - timedelta(days=1)}) == by_itself
    assert label.is_over({short(f"{REGISTRY}/exportPipelines/other"): NOW}) == by_itself
    return RunMark.of(stored).failure, label.is_over(successes)


async def failed(marks: RunMarks, run: PipelineRun, failure: Row = FAILURE) -> None:
    """The run is diagnosed to have failed."""
    claim = await marks.intend(await claimed(marks, run), run, CAUSE, failure)
    await marks.finish(claim, run, cause=CAUSE)


async def test_a_failure_is_noted_before_it_is_stored(marks: RunMarks, store: MemoryStateStore) -> None:
    run = a_run()
    claim = await marks.intend(await claimed(marks, run), run, CAUSE, FAILURE)
    assert await kept(store) == (FAILURE, True)
    assert await marks.intend(claim, run, CAUSE, FAILURE) is claim, "what is noted already needs no write"
    await marks.release(claim, run)
    assert await kept(store) == (FAILURE, True)


async def test_a_failure_goes_with_the_run_that_was_started_anew(marks: RunMarks, store: MemoryStateStore) -> None:
    await failed(marks, a_run())
    again = a_run(**ANEW)
    await marks.remember(replace(again, provisioning_state="Creating", status="Running", finish_time=None), NOW)
    assert await kept(store) == (FAILURE, True)
    await marks.release(await claimed(marks, again), again)
    assert await kept(store) == (FAILURE, True)
    await marks.finish(await claimed(marks, again), again)
    assert await kept(store) == (FAILURE, True)
    assert await marks.settle(a_run(start_time=NOW, finish_time=NOW, **SUCCEEDED), NOW) is None
    assert await kept(store) == (FAILURE, True)
    assert await state_of(store) == "done"


async def test_a_newer_failure_takes_the_place_of_the_older(marks: RunMarks, store: MemoryStateStore) -> None:
    newer = {**FAILURE, "FindingId": "4", "RunStartTime": "2026-11-23T11:45:00Z"}
    await failed(marks, a_run())
    await failed(marks, a_run(**ANEW), newer)
    assert await kept(store) == (newer, True)


@pytest.mark.parametrize(
    ("succeeded", "open_end", "given_up", "after"),
    [
        (False, None, False, "resolved"),
        (False, LEFT, False, "followed"),
        (False, LEFT, True, "resolved"),
        (True, None, True, "done"),
        (True, LEFT, True, "open"),
    ],
)
async def test_a_failure_that_is_over_is_kept_no_more(
    marks: RunMarks, store: MemoryStateStore, succeeded: bool, open_end: OpenEnd | None, given_up: bool, after: str
) -> None:
    run = a_run()
    claim = await marks.intend(await claimed(marks, run), run, CAUSE, FAILURE)
    await marks.finish(claim, run, cause=CAUSE, open_end=open_end)
    if succeeded:
        await marks.settle(a_run(**ANEW, **SUCCEEDED), NOW, open_end)
    stored = await store.read(run_key(run.id, REGISTRY))
    assert stored is not None
    assert await marks.resolve(stored, given_up=given_up)
    assert await kept(store) == (None, False)
    assert await state_of(store) == after
    assert not await marks.resolve(stored, given_up=given_up), "it has changed meanwhile"


async def test_who_takes_over_the_look_at_a_run_that_is_over_knows_that(
    marks: RunMarks, store: MemoryStateStore
) -> None:
    run = a_run()
    await marks.finish(await claimed(marks, run), run, open_end=LEFT, cause=CAUSE)
    stored = await store.read(run_key(run.id, REGISTRY))
    assert stored is not None
    await marks.resolve(stored, given_up=False)
    dead = await claimed(marks, run)
    await marks.intend(dead, run, OTHER)
    second = await claimed(marks, run, NOW + CLAIM_LASTS)
    await marks.release(second, run)
    third = await claimed(marks, run, NOW + CLAIM_LASTS)
    assert (dead.is_followed, second.is_followed, third.is_followed) == (True, True, True)
    await marks.finish(third, run, open_end=LEFT)
    assert await state_of(store) == "followed"
    fourth = await claimed(marks, run, NOW + CLAIM_LASTS)
    await marks.finish(fourth, run)
    assert await state_of(store) == "resolved"
    assert not (await claimed(marks, a_run(**ANEW), NOW + CLAIM_LASTS)).is_followed, "another start is another run"


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"state": "nonsense", "claimedUntil": 7, "causes": [1], "start": None},
        {"state": "claimed", "claimedUntil": "soon"},
        {"state": "claimed"},
    ],
)
async def test_a_record_that_makes_no_sense_is_looked_at_again(
    marks: RunMarks, store: MemoryStateStore, record: Record
) -> None:
    await store.create(run_key(a_run().id, REGISTRY), record)
    assert isinstance(await marks.claim(a_run(), NOW), Claim)


async def test_a_record_that_vanishes_or_changes_under_ones_hands() -> None:
    class Vanishing(MemoryStateStore):
        async def read(self, key: str) -> Stored | None:
            return None

    class Changing(MemoryStateStore):
        async def replace(self, key: str, record: Record, etag: str, label: str = "") -> str | None:
            return None

    for store in (Vanishing(), Changing()):
        await store.create(run_key(a_run().id, REGISTRY), {"state": "pending"})
        with pytest.raises(AlreadyInProgress):
            await RunMarks(store).claim(a_run(), NOW)


def test_the_keys_do_not_depend_on_case() -> None:
    run = f"{REGISTRY}/pipelineRuns/Run1"
    assert run_key(run, REGISTRY) == run_key(run.upper(), REGISTRY.upper())
    assert run_key(run, REGISTRY).startswith(run_prefix(REGISTRY))
    assert run_key(run, REGISTRY) != run_key(f"{run}2", REGISTRY)
    assert run_prefix(REGISTRY) != run_prefix(f"{REGISTRY}2")


@pytest.mark.parametrize(
    "label",
    ["", "done", "done||||", "done||||||", "done|||||||", "nonsense|a|b|c|d", "done|a|b|c|d|e", "done|a|b|c|d|e|f|g|h"],
)
def test_labels(label: str) -> None:
    mark = mark_of_label(label)
    assert (mark is not None) == (label in {"done||||", "done||||||", "done|||||||"})
