"""The state store and its in-memory twin hold the same guarantees."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from localcloud import LocalCloud
from localcloud.service import Fault, FaultAction, Hang, LoseAnswer, MalformedJson, Origin, Reset, Status, Truncate
from shared.azure import state_container
from shared.azure.connection import Connection
from shared.clouds import PUBLIC
from shared.errors import NotStored
from shared.sinks.state_store import BlobStateStore, MemoryStateStore, StateStore
from tests.corridor.conftest import answers_within

URL: Final = "https://monitorstate.blob.core.windows.net/acr-transfer-monitor"


@pytest.fixture
async def blobs(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, no_pauses: None) -> AsyncIterator[BlobStateStore]:
    """The store over Azurite; its container is not there yet."""
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, cloud.environment[name])
    connection = Connection(PUBLIC, cloud.environment["AZURE_CLIENT_ID"], cloud.client_session)
    yield BlobStateStore(connection, URL)
    await connection.close()


@pytest.fixture(params=["blobs", "memory"])
def store(request: pytest.FixtureRequest) -> StateStore:
    """Either of the two."""
    if request.param == "memory":
        return MemoryStateStore()
    found: BlobStateStore = request.getfixturevalue("blobs")
    return found


async def listed(store: StateStore, prefix: str = "") -> list[tuple[str, str]]:
    """Keys and labels below a prefix."""
    return [(entry.key, entry.label) async for entry in store.entries(prefix)]


async def test_a_new_store_is_empty(store: StateStore) -> None:
    assert await store.read("runs/1.json") is None
    assert await listed(store) == []
    assert await store.delete("runs/1.json", "0x1") is True, "what is not there is gone"
    assert await store.replace("runs/1.json", {"a": 1}, "0x1") is None


async def test_a_record_comes_back_as_it_was_written(store: StateStore) -> None:
    record = {"text": "größe \u2028 \U0001f600", "number": 1.5, "none": None, "list": [1, {"a": []}], "": ""}
    etag = await store.create("runs/1.json", record, "done|x")
    stored = await store.read("runs/1.json")
    assert stored is not None
    assert (stored.key, dict(stored.record), stored.etag) == ("runs/1.json", record, etag)


async def test_only_one_creates(store: StateStore) -> None:
    etags = await asyncio.gather(*(store.create("runs/1.json", {"n": number}) for number in range(8)))
    [number] = [number for number, etag in enumerate(etags) if etag is not None]
    stored = await store.read("runs/1.json")
    assert stored is not None
    assert stored.record == {"n": number}
    assert stored.etag == etags[number]


async def test_only_who_saw_the_latest_replaces(store: StateStore) -> None:
    first = await store.create("runs/1.json", {"n": 0}, "first")
    assert first is not None
    etags = await asyncio.gather(*(store.replace("runs/1.json", {"n": n}, first, f"by {n}") for n in range(1, 6)))
    [winner] = [number for number, etag in enumerate(etags, start=1) if etag is not None]
    stored = await store.read("runs/1.json")
    assert stored is not None
    assert stored.record == {"n": winner}
    assert stored.etag not in {first, ""}
    assert await listed(store) == [("runs/1.json", f"by {winner}")]
    second = await store.replace("runs/1.json", {"n": 9}, stored.etag)
    assert second not in {None, stored.etag, first}
    assert await listed(store) == [("runs/1.json", "")], "a label is replaced with its record"


async def test_only_who_saw_the_latest_deletes(store: StateStore) -> None:
    first = await store.create("runs/1.json", {"n": 0})
    assert first is not None
    second = await store.replace("runs/1.json", {"n": 1}, first)
    assert second is not None
    assert await store.delete("runs/1.json", first) is False
    assert await store.read("runs/1.json") is not None
    assert await store.delete("runs/1.json", second) is True
    assert await store.read("runs/1.json") is None
    assert await store.create("runs/1.json", {"n": 2}) is not None, "it may be made anew"
    assert await store.delete("runs/1.json", second) is False, "which is another form"


async def test_a_listing_shows_labels_below_a_prefix_in_order(store: StateStore) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    for key in ("runs/b/2.json", "runs/a/1.json", "conditions/x.json", "runs/a/0.json"):
        await store.create(key, {}, f"done|{key}||")
    assert await listed(store, "runs/a/") == [(f"runs/a/{n}.json", f"done|runs/a/{n}.json||") for n in (0, 1)]
    assert [key for key, _ in await listed(store, "runs/")] == ["runs/a/0.json", "runs/a/1.json", "runs/b/2.json"]
    assert len(await listed(store)) == 4
    async for entry in store.entries("conditions/"):
        assert before <= entry.written <= datetime.now(UTC) + timedelta(seconds=2)


async def test_what_was_read_is_a_copy(store: StateStore) -> None:
    record = {"list": [1]}
    await store.create("runs/1.json", record)
    record["list"].append(2)
    stored = await store.read("runs/1.json")
    assert stored is not None
    assert stored.record == {"list": [1]}


# --- over blobs alone ---------------------------------------------------------------------------------------


async def test_the_container_is_made_when_it_is_missing(cloud: LocalCloud, blobs: BlobStateStore) -> None:
    assert await blobs.create("runs/1.json", {}) is not None
    assert await cloud.blob_names("monitorstate", "acr-transfer-monitor") == ["runs/1.json"]
    made = cloud.requests.matching(service="storage", method="PUT", path="/acr-transfer-monitor", origin=Origin.MONITOR)
    assert [request.status for request in made] == [201]
    # Once it is there nobody asks for it again.
    await blobs.create("runs/2.json", {})
    assert len(cloud.requests.matching(method="PUT", path="/acr-transfer-monitor", origin=Origin.MONITOR)) == 1


async def test_several_who_find_the_container_missing_all_write(blobs: BlobStateStore) -> None:
    etags = await asyncio.gather(*(blobs.create(f"runs/{number}.json", {}) for number in range(6)))
    assert None not in etags
    assert len(await listed(blobs)) == 6


async def test_a_listing_goes_over_pages(
    cloud: LocalCloud, blobs: BlobStateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        await blobs.create(f"runs/{number}.json", {}, f"label {number}")
    monkeypatch.setattr(state_container, "PAGE_SIZE", 3)
    asked = cloud.requests.count(service="storage", origin=Origin.MONITOR)
    assert await listed(blobs, "runs/") == [(f"runs/{number}.json", f"label {number}") for number in range(7)]
    assert cloud.requests.count(service="storage", origin=Origin.MONITOR) - asked == 3


async def test_an_entry_of_a_listing_names_the_form_that_was_listed(blobs: BlobStateStore) -> None:
    etag = await blobs.create("runs/1.json", {"n": 1})
    [entry] = [entry async for entry in blobs.entries("runs/")]
    assert entry.etag == etag
    assert abs(datetime.now(UTC) - entry.written) < timedelta(minutes=1)
    assert await blobs.delete(entry.key, entry.etag) is True


async def test_a_listing_that_cannot_be_read_is_a_failure_and_not_an_empty_one(
    cloud: LocalCloud, blobs: BlobStateStore
) -> None:
    await blobs.create("runs/1.json", {"n": 1})
    for body in (b"", b"<html/>", b"<EnumerationResults>", b"{}"):
        cloud.faults.append(Fault("storage", action=MalformedJson(body), origin=Origin.MONITOR))
        with pytest.raises(NotStored, match="could not be listed"):
            await listed(blobs)
        cloud.faults.clear()


REFUSALS: Final[dict[str, FaultAction]] = {
    "401": Status(401),
    "403": Status(403, {"x-ms-error-code": "AuthorizationPermissionMismatch"}),
    "404-of-an-account": Status(404, {"x-ms-error-code": "AccountNotFound"}),
    "404-of-a-proxy": Status(404, body="<html>not found</html>"),
    "409-of-a-proxy": Status(409),
    "409-being-deleted": Status(409, {"x-ms-error-code": "ContainerBeingDeleted"}),
    "409-leased": Status(409, {"x-ms-error-code": "BlobImmutableDueToPolicy"}),
    "412-of-a-proxy": Status(412),
    "412-leased": Status(412, {"x-ms-error-code": "LeaseIdMissing"}),
    "429": Status(429),
    "500": Status(500, {"x-ms-error-code": "InternalError"}),
    "503": Status(503, {"x-ms-error-code": "ServerBusy"}),
    "reset": Reset(),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refusal_that_is_not_storages_word_for_it_is_a_failure(
    cloud: LocalCloud, blobs: BlobStateStore, name: str
) -> None:
    etag = await blobs.create("runs/1.json", {"n": 1})
    assert etag is not None
    cloud.faults.append(Fault("storage", action=REFUSALS[name], origin=Origin.MONITOR))
    answers = await asyncio.gather(
        blobs.create("runs/1.json", {}),
        blobs.create("runs/2.json", {}),
        blobs.read("runs/1.json"),
        blobs.replace("runs/1.json", {}, etag),
        blobs.delete("runs/1.json", etag),
        listed(blobs),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [NotStored] * 6
    assert all("the monitor's state could not be" in str(answer) for answer in answers)
    cloud.faults.clear()
    stored = await blobs.read("runs/1.json")
    assert stored is not None
    assert stored.record == {"n": 1}


# Storage's downloader leaves a connection that breaks to the garbage collector, which warns of it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_record_that_cannot_be_read_is_a_failure(cloud: LocalCloud, blobs: BlobStateStore) -> None:
    await blobs.create("runs/1.json", {"n": 1})
    for answer in (MalformedJson(), MalformedJson(b"[]"), MalformedJson(b"7"), Truncate()):
        cloud.faults.append(Fault("storage", action=answer, origin=Origin.MONITOR))
        with pytest.raises(NotStored):
            await blobs.read("runs/1.json")
        cloud.faults.clear()
    gc.collect()


async def test_silence_is_a_failure(cloud: LocalCloud, blobs: BlobStateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await blobs.create("runs/1.json", {"n": 1})
    answers_within(monkeypatch, 0.2)
    cloud.faults.append(Fault("storage", action=Hang(), origin=Origin.MONITOR))
    with pytest.raises(NotStored, match=r"no answer within 0\.2 s"):
        await blobs.read("runs/1.json")


async def test_a_write_whose_answer_is_lost_is_somebody_elses_at_worst(
    cloud: LocalCloud, blobs: BlobStateStore
) -> None:
    await blobs.create("runs/0.json", {})
    cloud.faults.append(Fault("storage", action=LoseAnswer(), origin=Origin.MONITOR))
    try:
        etag = await blobs.create("runs/1.json", {"n": 1})
    except NotStored:
        etag = None
    cloud.faults.clear()
    # Never a second writer: whoever asks next finds the record.
    assert etag is None
    assert await blobs.create("runs/1.json", {"n": 2}) is None
    stored = await blobs.read("runs/1.json")
    assert stored is not None
    assert stored.record == {"n": 1}
