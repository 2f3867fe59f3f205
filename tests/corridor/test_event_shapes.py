"""Every shape in which the platform sends events, through every parser."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import azure.functions as func
import pytest
from azure.functions.eventgrid import EventGridEventInConverter
from azure.functions.meta import Datum
from hypothesis import given
from hypothesis import strategies as st

from shared.events import (
    BlobArrived,
    Foreign,
    Malformed,
    PlatformEvent,
    RunWritten,
    WriteResult,
    as_blob_arrived,
    as_run_written,
    read_delivery,
    read_event,
    read_message,
)
from tests.corridor.conftest import EVENTS, FILE_SUBSCRIPTION, Raw, raw_event

REGISTRY: Final = (
    f"/subscriptions/{FILE_SUBSCRIPTION}/resourcegroups/transfer/providers/microsoft.containerregistry/"
    "registries/contosohub"
)
RUN: Final = f"{REGISTRY}/pipelineruns/transfer01"
ACCOUNT: Final = (
    f"/subscriptions/{FILE_SUBSCRIPTION}/resourcegroups/transfer/providers/microsoft.storage/"
    "storageaccounts/contosoimport"
)

RUNS: Final = {
    "run-write-success": WriteResult.SUCCESS,
    "run-write-failure": WriteResult.FAILURE,
    "run-write-cancel": WriteResult.CANCEL,
    "run-write-update": WriteResult.SUCCESS,
    "run-write-resource-group-topic": WriteResult.SUCCESS,
    "run-write-odd-case": WriteResult.SUCCESS,
    "run-write-success-cloudevent": WriteResult.SUCCESS,
    "run-write-failure-cloudevent": WriteResult.FAILURE,
    "run-write-cancel-cloudevent": WriteResult.CANCEL,
    "run-write-success-cloudevent-topic": WriteResult.SUCCESS,
    "run-write-failure-dead-letter": WriteResult.FAILURE,
    # ARM's data as a JSON text: not documented, but harmless to understand.
    "malformed-data-is-text": WriteResult.SUCCESS,
}
BLOBS: Final = {
    "blob-put-blob": "images.tar",
    "blob-put-block-list": "images.tar",
    "blob-copy-blob": "images.tar",
    "blob-flush-with-close": "images.tar",
    "blob-sftp-commit": "images.tar",
    "blob-put-blob-odd-name": "2026/11/größe 100% #1?.tar",
    "blob-put-block-list-cloudevent": "images.tar",
    "blob-copy-blob-cloudevent": "images.tar",
    "blob-put-blob-cloudevent-topic": "images.tar",
}
# What neither door takes for its own, and says nothing about.
FOREIGN: Final = {
    "run-delete-success",
    "deployment-write-success",
    "pipeline-write-success",
    "registry-action-success",
    "blob-create-file",
    "blob-sftp-create",
    "blob-deleted",
    "blob-tier-changed-cloudevent",
    # Without its operation an event can't say that it is ours.
    "malformed-no-data",
    "malformed-data-is-broken-text",
    "malformed-data-is-list",
}
MALFORMED_RUNS: Final = {
    "malformed-no-type",
    "malformed-run-subject",
    "malformed-run-subject-query",
    "malformed-run-no-subject",
    "malformed-wrong-types",
}
MALFORMED_BLOBS: Final = {
    "malformed-no-type",
    "malformed-blob-subject",
    "malformed-blob-source",
    "malformed-blob-source-registry",
    "malformed-blob-dot-segments",
}
ALL: Final = sorted(path.stem for path in EVENTS.glob("*.json"))


def delivered(raw: Raw) -> Any:
    """The event as the Functions worker hands it over."""
    return EventGridEventInConverter.decode(Datum(json.dumps(raw), "json"), trigger_metadata=None)


def test_every_file_is_judged_here() -> None:
    assert set(ALL) == {*RUNS, *BLOBS, *FOREIGN, *MALFORMED_RUNS, *MALFORMED_BLOBS}


@pytest.mark.parametrize("name", ALL)
def test_the_worker_hands_over_the_same_event(name: str) -> None:
    raw = raw_event(name)
    event = delivered(raw)
    assert isinstance(event, func.CloudEvent if "specversion" in raw else func.EventGridEvent)
    assert read_delivery(event) == read_event(raw)


@pytest.mark.parametrize("name", ALL)
def test_only_what_is_read_is_kept(name: str) -> None:
    raw = raw_event(name)
    event = read_event(raw)
    data = raw.get("data")
    data = data if isinstance(data, dict) else {}
    forbidden = [data.get("claims"), data.get("authorization"), data.get("httpRequest"), data.get("url")]
    assert set(event.data) == {"operationName", "correlationId", "api"}
    kept = repr(dataclasses.asdict(event))
    for value in texts_in(forbidden):
        # The scope repeats the subject, and the action the operation.
        if value not in event.subject and value != event.data["operationName"]:
            assert value not in kept


def texts_in(value: object) -> list[str]:
    """Every text of some length in ``value``."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts_in(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts_in(item)]
    return [value] if isinstance(value, str) and len(value) > 6 else []


@pytest.mark.parametrize(("name", "result"), RUNS.items())
def test_writes_of_runs(name: str, result: WriteResult) -> None:
    raw = raw_event(name)
    read = as_run_written(read_event(raw))
    assert isinstance(read, RunWritten)
    assert str(read.run_id) == RUN
    assert str(read.run_id.parent) == REGISTRY
    assert read.run_id.name == "transfer01"
    assert (read.result, read.event_id) == (result, raw["id"])
    assert read.correlation_id == "c0c0c0c0-0000-4000-8000-000000000001"
    # Seven or nine digits behind the second, of which Python keeps six.
    assert read.time == datetime(2026, 11, 23, 10, 0, 0, 123456, UTC)


@pytest.mark.parametrize(("name", "blob"), BLOBS.items())
def test_arrivals_of_blobs(name: str, blob: str) -> None:
    read = as_blob_arrived(read_event(raw_event(name)))
    assert isinstance(read, BlobArrived)
    assert str(read.account_id) == ACCOUNT
    assert (read.blob.account, read.blob.container, read.blob.name) == ("contosoimport", "transfer", blob)
    assert read.time is not None


@pytest.mark.parametrize("name", sorted({*ALL} - {*RUNS} - MALFORMED_RUNS))
def test_what_is_no_write_of_a_run_is_foreign(name: str) -> None:
    assert isinstance(as_run_written(read_event(raw_event(name))), Foreign)


@pytest.mark.parametrize("name", sorted({*ALL} - {*BLOBS} - MALFORMED_BLOBS))
def test_what_is_no_arrival_of_a_blob_is_foreign(name: str) -> None:
    assert isinstance(as_blob_arrived(read_event(raw_event(name))), Foreign)


@pytest.mark.parametrize("name", sorted(MALFORMED_RUNS))
def test_a_write_that_cannot_be_read_says_why(name: str) -> None:
    read = as_run_written(read_event(raw_event(name)))
    assert isinstance(read, Malformed)
    assert ("event type" if name == "malformed-no-type" else "subject") in read.why


@pytest.mark.parametrize("name", sorted(MALFORMED_BLOBS))
def test_an_arrival_that_cannot_be_read_says_why(name: str) -> None:
    read = as_blob_arrived(read_event(raw_event(name)))
    assert isinstance(read, Malformed)
    word = {"malformed-no-type": "event type", "malformed-blob-source": "source"}.get(name, "")
    assert word in read.why
    assert read.why.startswith("it ") or read.why.startswith("its ")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["id", "type", "eventType", "topic", "source", "subject", "time", "eventTime", "data", "specversion"]


@given(st.sampled_from(ALL), st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4))
def test_no_event_breaks_a_parser(name: str, changes: Raw) -> None:
    event = read_event({**raw_event(name), **changes})
    assert isinstance(event, PlatformEvent)
    assert isinstance(as_run_written(event), RunWritten | Foreign | Malformed)
    assert isinstance(as_blob_arrived(event), BlobArrived | Foreign | Malformed)


@pytest.mark.parametrize(
    "subject",
    [
        "/blobServices/default/containers//blobs/a",
        "/blobServices/default/containers/c/blobs/",
        "/blobServices/default/containers/../blobs/a",
        "/blobServices/default/containers/a/b/blobs/c",
        "/blobServices/default/containers/c/blobs/a/./b",
        "/blobServices/other/containers/c/blobs/a",
        "/fileServices/default/containers/c/blobs/a",
        "",
    ],
)
def test_subjects_that_lead_elsewhere(subject: str) -> None:
    read = as_blob_arrived(read_event({**raw_event("blob-put-blob"), "subject": subject}))
    assert isinstance(read, Malformed)


# --- messages of a queue ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("encode", [bytes, base64.b64encode], ids=["plain", "base64"])
def test_a_message_is_read_as_the_event_in_it(name: str, encode: Callable[[bytes], bytes]) -> None:
    raw = raw_event(name)
    read = read_message(encode(json.dumps(raw).encode()), "message1")
    assert isinstance(read, PlatformEvent)
    assert read == dataclasses.replace(read_event(raw), id=read.id)
    assert read.id == (read_event(raw).id or "message1")


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()), st.booleans())
def test_no_message_breaks_the_reader(body: bytes, encoded: bool) -> None:
    read = read_message(base64.b64encode(body) if encoded else body, "message1")
    assert isinstance(read, PlatformEvent | Malformed)
    if isinstance(read, Malformed):
        assert read.event_id == "message1"
