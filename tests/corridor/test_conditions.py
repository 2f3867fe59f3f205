"""The state machine of a condition: opened by one, told once, told again after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from shared.azure.state_listing import Entry
from shared.errors import NotStored
from shared.findings.finding import Finding, State, finding_id, finding_key
from shared.sinks.alerts import Alert
from shared.sinks.condition_records import (
    ORPHANED_AFTER,
    Telling,
    Told,
    condition_key,
    condition_of,
    label,
    row_of,
    short,
    short_name,
)
from shared.sinks.condition_records import record_of as record_written
from shared.sinks.conditions import Conditions
from shared.sinks.state_store import MemoryStateStore, Record, Stored
from shared.times import iso

NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Topic:
    """Takes alerts unless it is down."""

    def __init__(self) -> None:
        self.down = False
        self.ids: list[str] = []

    async def publish(self, alerts: Sequence[Alert]) -> None:
        """See :class:`shared.sinks.alerts.AlertSink`."""
        await asyncio.sleep(0)
        if self.down:
            raise NotStored("the topic is down")
        self.ids += [alert.id for alert in alerts]


def finding(run: str = "run1", at: datetime = NOW, **fields: Any) -> Finding:
    """A dead token, seen by a run."""
    source: dict[str, Any] = {
        "time_generated": at,
        "finding_id": finding_id("ACRT301", run, iso(at) or ""),
        "finding_key": finding_key("ACRT301", "pipeline"),
        "rule_id": "ACRT301",
        "rule_name": "sas-expired",
        "area": "Sas",
        "severity": "High",
        "severity_rank": 3,
        "outcome": "Fail",
        "state": State.OPEN,
        "role": "RootCause",
        "confidence": "Confirmed",
        "triggered_by": "PipelineRunEvent",
        "summary": "expired",
    }
    return Finding(**source | fields)


def told(source: Finding) -> Told:
    """A finding that is to be published."""
    return Told(source, Telling.PENDING)


def untold(source: Finding) -> Told:
    """A finding that is written and not published."""
    return Told(source, Telling.NONE)


@pytest.fixture
def store() -> MemoryStateStore:
    return MemoryStateStore()


@pytest.fixture
def topic() -> Topic:
    return Topic()


@pytest.fixture
def conditions(store: MemoryStateStore, topic: Topic) -> Conditions:
    return Conditions(store, topic)


async def record_of(store: MemoryStateStore) -> Stored:
    """The one record there is."""
    [entry] = [entry async for entry in store.entries("conditions/")]
    stored = await store.read(entry.key)
    assert stored is not None
    assert entry.label == label(stored.record)
    shown = condition_of(entry)
    assert shown is not None
    assert (shown.telling, shown.rule_id, iso(shown.opened_at)) == (
        stored.record["alert"],
        stored.record["ruleId"],
        stored.record["openedAt"],
    )
    assert shown.finding_key == stored.record["findingKey"]
    return stored


def test_a_label_names_the_run_the_blob_and_the_last_failure() -> None:
    began = NOW - timedelta(minutes=9)
    source = finding(run_id="/r/Run1", blob_name="a|b.tar", run_start_time=began)
    entry = Entry("conditions/key.json", label(record_written(told(source), Telling.PENDING)), NOW, "1")
    shown = condition_of(entry)
    assert shown is not None
    assert (shown.run, shown.blob, shown.failed_at) == (short("/r/run1"), short_name("a|b.tar"), iso(began))
    older = condition_of(Entry("conditions/key.json", entry.label.rpartition("|")[0].rpartition("|")[0], NOW, "1"))
    assert older is None
    older = condition_of(Entry("conditions/key.json", "|".join(entry.label.split("|")[:7]), NOW, "1"))
    assert older is not None
    assert (older.pipeline, older.run, older.blob, older.failed_at) == (shown.pipeline, None, None, None)


async def test_a_new_condition_is_told_once(conditions: Conditions, store: MemoryStateStore, topic: Topic) -> None:
    first = finding()
    assert await conditions.open([told(first)]) == topic.ids
    assert len(topic.ids) == 1
    for later in (first, finding("run2", NOW + timedelta(hours=5))):
        assert await conditions.open([told(later)]) == []
    assert len(topic.ids) == 1
    stored = await record_of(store)
    assert stored.record["alert"] == "published"
    assert row_of(stored.record) == first.to_row()
    assert await conditions.opened_at([first.finding_key, "unknown"]) == {first.finding_key: NOW}


async def test_of_many_at_once_one_tells_it(conditions: Conditions, topic: Topic) -> None:
    answers = await asyncio.gather(*(conditions.open([told(finding(f"run{n}"))]) for n in range(10)))
    assert sum(len(ids) for ids in answers) == 1
    assert len(topic.ids) == 1


async def test_two_of_one_kind_in_one_diagnosis_are_one_condition(conditions: Conditions, topic: Topic) -> None:
    await conditions.open([told(finding("run1")), told(finding("run2"))])
    assert len(topic.ids) == 1


async def test_a_topic_that_is_down_leaves_it_pending(
    conditions: Conditions, store: MemoryStateStore, topic: Topic
) -> None:
    topic.down = True
    assert await conditions.open([told(finding())]) == []
    stored = await record_of(store)
    assert stored.record["alert"] == "pending"
    topic.down = False
    # Whoever opened it a moment ago may be about to tell it.
    assert await conditions.open([told(finding("run2", NOW + ORPHANED_AFTER))]) == []
    assert topic.ids == []
    # After that it is an orphan: told with the row, and so with the id, with which it opened.
    later = finding("run3", NOW + ORPHANED_AFTER + timedelta(seconds=1))
    assert await conditions.open([told(later)]) == topic.ids
    assert len(topic.ids) == 1
    assert row_of((await record_of(store)).record)["FindingId"] == finding().finding_id


async def test_what_is_not_to_be_told_is_known_all_the_same(
    conditions: Conditions, store: MemoryStateStore, topic: Topic
) -> None:
    await conditions.open([untold(finding(role="Contributing"))])
    assert (await record_of(store)).record["alert"] == "none"
    await conditions.open([untold(finding("run2"))])
    assert topic.ids == []
    # It becomes the root cause: then it is told, as open since it was first seen.
    later = finding("run3", NOW + timedelta(hours=1))
    assert len(await conditions.open([told(later)])) == 1
    stored = await record_of(store)
    assert stored.record["openedAt"] == iso(NOW)
    assert stored.record["alert"] == "published"
    assert row_of(stored.record)["FindingId"] == later.finding_id


async def test_without_a_topic_nothing_is_pending(store: MemoryStateStore) -> None:
    silent = Conditions(store, None)
    assert await silent.open([told(finding())]) == []
    assert (await record_of(store)).record["alert"] == "none"
    assert await silent.publish([await record_of(store)]) == []


async def test_a_crash_between_telling_and_marking_repeats_the_id(
    conditions: Conditions, store: MemoryStateStore, topic: Topic
) -> None:
    topic.down = True
    await conditions.open([told(finding())])
    topic.down = False
    before = await record_of(store)
    await conditions.publish([before])
    # The mark was lost: the record is as it was before.
    await store.delete(before.key, (await record_of(store)).etag)
    await store.create(before.key, before.record, label(before.record))
    await conditions.publish([await record_of(store)])
    assert len(topic.ids) == 2
    assert len(set(topic.ids)) == 1


async def test_a_record_that_vanishes_or_changes_comes_again(topic: Topic) -> None:
    class Vanishing(MemoryStateStore):
        async def read(self, key: str) -> Stored | None:
            return None

    class Changing(MemoryStateStore):
        async def replace(self, key: str, record: Record, etag: str, label: str = "") -> str | None:
            return None

    for store in (Vanishing(), Changing()):
        await store.create(condition_key(finding().finding_key), {"alert": "none", "openedAt": iso(NOW)})
        with pytest.raises(NotStored):
            await Conditions(store, topic).open([told(finding())])
    assert topic.ids == []


async def test_a_record_without_sense_does_not_stop_a_look(store: MemoryStateStore, conditions: Conditions) -> None:
    key = finding().finding_key
    await store.create(condition_key(key), {"openedAt": "soon", "row": 5})
    assert await conditions.opened_at([key]) == {}
    assert row_of({"row": 5}) == {}
    assert await conditions.open([untold(finding())]) == []


@pytest.mark.parametrize(
    ("known", "newer", "then"),
    [
        (Telling.NONE, Telling.PENDING, "published"),
        (Telling.NONE, Telling.LATER, "later"),
        (Telling.LATER, Telling.PENDING, "published"),
        (Telling.LATER, Telling.NONE, "later"),
        (Telling.MUTED, Telling.PENDING, "muted"),
        (Telling.PENDING, Telling.NONE, "published"),
        (Telling.PENDING, Telling.MUTED, "published"),
    ],
)
async def test_what_a_newer_finding_may_change(
    conditions: Conditions, store: MemoryStateStore, topic: Topic, known: Telling, newer: Telling, then: str
) -> None:
    await conditions.open([Told(finding(), known)])
    await conditions.open([Told(finding("run2", NOW + timedelta(hours=1)), newer)])
    stored = await record_of(store)
    assert stored.record["alert"] == then
    assert stored.record["openedAt"] == iso(NOW)
    assert len(topic.ids) == (1 if then == "published" else 0)


async def test_a_resolved_condition_opens_anew(conditions: Conditions, store: MemoryStateStore, topic: Topic) -> None:
    await conditions.open([told(finding())])
    row = finding(state=State.RESOLVED).to_row()
    assert await conditions.publish_resolved([row]) == topic.ids[1:]
    await conditions.close(await record_of(store))
    assert await conditions.everything() == []
    assert len(await conditions.open([told(finding("run2", NOW + timedelta(days=1)))])) == 1
    assert len(set(topic.ids)) == 3
    topic.down = True
    with pytest.raises(NotStored):
        await conditions.publish_resolved([row])
