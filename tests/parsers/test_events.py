"""Events of both schemas: read into what the corridor needs, and nothing private is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.addresses import BlobAddress
from shared.events import (
    BLOB_CREATED,
    BlobArrived,
    Foreign,
    Malformed,
    PlatformEvent,
    RunWritten,
    WriteResult,
    as_blob_arrived,
    as_run_written,
    read_event,
)
from tests.parsers.texts import HOSTILE, TEXTS, takes_linear_time

SUBSCRIPTION = "/subscriptions/11111111-2222-3333-4444-555555555555"
RUN = (
    f"{SUBSCRIPTION}/resourcegroups/transfer/providers/Microsoft.ContainerRegistry/registries/contoso/pipelineRuns/r_1"
)
ACCOUNT = f"{SUBSCRIPTION}/resourceGroups/transfer/providers/Microsoft.Storage/storageAccounts/ContosoStore"
PRIVATE = "private-4711"
SIGNED = "c2VjcmV0LXNpZ25hdHVyZQ%3D%3D"


def run_event(**changes: Any) -> dict[str, Any]:
    data = {
        "authorization": {"scope": RUN, "evidence": {"role": PRIVATE}},
        "claims": {"name": PRIVATE, "ipaddr": PRIVATE},
        "correlationId": "c-1",
        "operationName": "Microsoft.ContainerRegistry/registries/pipelineRuns/write",
        "httpRequest": {"clientIpAddress": PRIVATE, "url": f"https://a/b?sig={SIGNED}"},
        "status": "Succeeded",
        **changes.pop("data", {}),
    }
    known = {
        "id": "e-1",
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "subject": RUN,
        "topic": SUBSCRIPTION,
        "eventTime": "2026-05-01T18:38:04.6117357Z",
        "data": data,
    }
    return {**known, **changes}


def blob_event(**changes: Any) -> dict[str, Any]:
    data = {
        "api": "PutBlockList",
        "eTag": '"0x8D4BCC2E4835CD0"',
        "url": f"https://contosostore.blob.core.windows.net/transfer/a%20b.tar?sv=1&sig={SIGNED}",
        "requestId": PRIVATE,
        **changes.pop("data", {}),
    }
    known = {
        "id": "e-2",
        "eventType": BLOB_CREATED,
        "subject": "/blobServices/default/containers/transfer/blobs/folder/a b.tar",
        "topic": ACCOUNT,
        "eventTime": "2026-05-01T18:38:04Z",
        "data": data,
    }
    return {**known, **changes}


def as_cloud_event(event: dict[str, Any]) -> dict[str, Any]:
    kept = {key: event[key] for key in ("id", "subject", "data")}
    return {
        **kept,
        "specversion": "1.0",
        "type": event["eventType"],
        "source": event["topic"],
        "time": event["eventTime"],
    }


@pytest.mark.parametrize("event", [run_event(), as_cloud_event(run_event()), run_event(data_is_text=True)])
def test_a_run_is_found_in_either_schema(event: dict[str, Any]) -> None:
    if event.pop("data_is_text", False):
        event["data"] = json.dumps(event["data"])
    written = as_run_written(read_event(event))
    assert isinstance(written, RunWritten)
    assert written.run_id.name == "r_1"
    assert written.result is WriteResult.SUCCESS
    assert written.correlation_id == "c-1"
    assert written.time is not None


@pytest.mark.parametrize("event", [blob_event(), as_cloud_event(blob_event())])
def test_a_blob_is_found_in_either_schema(event: dict[str, Any]) -> None:
    arrived = as_blob_arrived(read_event(event))
    assert isinstance(arrived, BlobArrived)
    assert arrived.blob == BlobAddress("contosostore", "transfer", "folder/a b.tar")


@pytest.mark.parametrize(
    "event", [run_event(), as_cloud_event(run_event()), blob_event(), as_cloud_event(blob_event())]
)
def test_nothing_private_is_kept(event: dict[str, Any]) -> None:
    read = read_event(event)
    kept = f"{read!r} {as_run_written(read)!r} {as_blob_arrived(read)!r}"
    assert PRIVATE not in kept
    assert SIGNED not in kept


@pytest.mark.parametrize(
    ("changes", "kind", "why"),
    [
        ({"eventType": "Microsoft.Resources.ResourceActionSuccess"}, Foreign, "not subscribed"),
        ({"data": {"operationName": "Microsoft.ContainerRegistry/registries/write"}}, Foreign, "not the write"),
        ({"data": {"operationName": 7}}, Foreign, "not the write"),
        ({"eventType": ""}, Malformed, "no event type"),
        ({"subject": "/subscriptions/x"}, Malformed, "names no pipeline run"),
        ({"subject": ACCOUNT}, Malformed, "names no pipeline run"),
        ({"subject": None}, Malformed, "names no pipeline run"),
    ],
)
def test_another_event_is_foreign_and_a_broken_one_malformed(
    changes: dict[str, Any], kind: type[Foreign | Malformed], why: str
) -> None:
    found = as_run_written(read_event(run_event(**changes)))
    assert isinstance(found, kind)
    assert why in found.why


@pytest.mark.parametrize(
    ("changes", "kind", "why"),
    [
        ({"eventType": "Microsoft.Storage.BlobDeleted"}, Foreign, "not subscribed"),
        ({"data": {"api": "CreateFile"}}, Foreign, "does not complete"),
        ({"eventType": None}, Malformed, "no event type"),
        ({"topic": ""}, Malformed, "names no storage account"),
        ({"topic": RUN}, Malformed, "names no storage account"),
        ({"subject": "/blobServices/default/containers/transfer"}, Malformed, "subject is not"),
        ({"subject": "/blobServices/default/containers/transfer/blobs/"}, Malformed, "subject is not"),
        ({"subject": "/blobServices/default/containers/a/b/blobs/c"}, Malformed, "subject is not"),
        ({"subject": "/blobServices/default/containers/../blobs/c"}, Malformed, "subject is not"),
        ({"subject": "/blobServices/default/containers/transfer/blobs/a/../../other/c"}, Malformed, "subject is not"),
    ],
)
def test_another_blob_event_is_foreign_and_a_broken_one_malformed(
    changes: dict[str, Any], kind: type[Foreign | Malformed], why: str
) -> None:
    found = as_blob_arrived(read_event(blob_event(**changes)))
    assert isinstance(found, kind)
    assert why in found.why


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("id", "eventType", "type", "topic", "source", "subject", "eventTime", "time", "data")
INSIDE = ("operationName", "correlationId", "api")


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON)),
    st.fixed_dictionaries({}, optional=dict.fromkeys(INSIDE, JSON)),
    st.sampled_from((run_event, blob_event)),
)
def test_any_event_is_read_or_says_what_is_wrong(broken: dict[str, Any], inside: dict[str, Any], make: Any) -> None:
    for event in (broken, make(**broken) if "data" not in broken else make() | broken, make(data=inside)):
        read = read_event(event)
        assert isinstance(read, PlatformEvent)
        assert all(isinstance(value, str) for value in read.data.values())
        assert isinstance(as_run_written(read), RunWritten | Foreign | Malformed)
        assert isinstance(as_blob_arrived(read), BlobArrived | Foreign | Malformed)


@given(st.text(min_size=1).filter(lambda name: not {".", ".."} & set(name.split("/"))))
def test_the_blob_is_named_by_the_subject_as_it_stands(name: str) -> None:
    found = as_blob_arrived(read_event(blob_event(subject=f"/blobServices/default/containers/transfer/blobs/{name}")))
    assert isinstance(found, BlobArrived)
    assert found.blob.name == name


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_reading_takes_linear_time(text: str) -> None:
    takes_linear_time(lambda subject: as_run_written(read_event(run_event(subject=subject))), text)
    takes_linear_time(lambda subject: as_blob_arrived(read_event(blob_event(subject=subject))), text)
    takes_linear_time(lambda topic: as_blob_arrived(read_event(blob_event(topic=topic))), text)
    takes_linear_time(lambda data: read_event({**run_event(), "data": data}), text)
