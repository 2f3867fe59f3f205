"""Events as Event Grid delivers them, read into what the corridor works with.

Both schemas are accepted, whatever the subscription says. Of an event's ``data`` only the fields named here
are ever looked at: ``claims``, ``authorization.evidence`` and the caller's address stay where they are. An
event is a hint: it says what to look at, never where to send a request.

Sources: Event Grid event schemas for subscriptions, resource groups and Blob Storage.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from shared.addresses import BlobAddress
from shared.records.json_fields import mapping, text
from shared.resource_ids import ResourceId, parse_pipeline_id, parse_resource_id, parse_run_id
from shared.times import parse_time

RUN_WRITE_OPERATION: Final = "microsoft.containerregistry/registries/pipelineruns/write"
PIPELINE_WRITE_OPERATIONS: Final = frozenset(
    f"microsoft.containerregistry/registries/{kind}/write" for kind in ("exportpipelines", "importpipelines")
)
BLOB_CREATED: Final = "Microsoft.Storage.BlobCreated"


class WriteResult(StrEnum):
    """What ARM says became of the write. Only a hint: the run itself is read."""

    SUCCESS = "Microsoft.Resources.ResourceWriteSuccess"
    FAILURE = "Microsoft.Resources.ResourceWriteFailure"
    CANCEL = "Microsoft.Resources.ResourceWriteCancel"


# A blob is there once one of these is done; CreateFile and SftpCreate, for example, only open an empty file.
COMMIT_OPERATIONS: Final = frozenset({"putblob", "putblocklist", "copyblob", "flushwithclose", "sftpcommit"})


@dataclass(frozen=True, slots=True)
class PlatformEvent:
    """An event of either schema, as far as anybody may look into it.

    ``data`` holds text fields only, and only those that are read.
    """

    id: str
    type: str
    source: str
    subject: str
    time: datetime | None
    data: Mapping[str, str]

    @property
    def about_blob(self) -> bool:
        """Whether it says that a blob was written; all else that may be ours is a write that ARM tells of."""
        return self.type.lower() == BLOB_CREATED.lower()


@dataclass(frozen=True, slots=True)
class RunWritten:
    """Somebody wrote a pipeline run."""

    event_id: str
    run_id: ResourceId
    result: WriteResult
    time: datetime | None
    correlation_id: str


@dataclass(frozen=True, slots=True)
class PipelineRejected:
    """Somebody wrote an export or import pipeline, and ARM refused."""

    event_id: str
    pipeline_id: ResourceId
    time: datetime | None
    correlation_id: str


@dataclass(frozen=True, slots=True)
class BlobArrived:
    """A blob was written."""

    event_id: str
    account_id: ResourceId
    blob: BlobAddress
    time: datetime | None


@dataclass(frozen=True, slots=True)
class Foreign:
    """An event that is none of our business: acknowledged, and nothing is written."""

    why: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """An event that says it is ours and can't be read."""

    event_id: str
    event_type: str
    why: str


_READ_DATA: Final = ("operationName", "correlationId", "api")


def read_event(raw: Mapping[str, Any]) -> PlatformEvent:
    """Reads an event in Event Grid schema or CloudEvents 1.0. Missing or mistyped fields read as empty."""
    data = raw.get("data")
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except (ValueError, RecursionError):
            data = {}
    fields = mapping(data)
    return PlatformEvent(
        id=text(raw, "id"),
        type=text(raw, "eventType") or text(raw, "type"),
        # The documented CloudEvents sample of a subscription has "topic" where "source" belongs.
        source=text(raw, "topic") or text(raw, "source"),
        subject=text(raw, "subject"),
        time=parse_time(raw.get("eventTime") or raw.get("time")),
        data={name: text(fields, name) for name in _READ_DATA},
    )


def read_delivery(event: Any) -> PlatformEvent:
    """Reads what the Functions worker hands over: ``func.EventGridEvent`` or ``func.CloudEvent``.

    The worker decides by the body, not by the annotation, so the attributes decide here too.
    """
    try:
        data = event.get_json()
    except (ValueError, RecursionError):
        data = {}
    cloud_event = hasattr(event, "specversion")
    return read_event(
        {
            "id": event.id,
            "type": event.type if cloud_event else event.event_type,
            # A CloudEvent's "topic" arrives among its extensions.
            "topic": event.extension_attrs.get("topic") if cloud_event else event.topic,
            "source": event.source if cloud_event else None,
            "subject": event.subject,
            "time": event.time if cloud_event else event.event_time,
            "data": data,
        }
    )


def message_content(body: bytes | str) -> object:
    """The JSON in a storage queue's message. Raises :class:`ValueError` if there is none.

    Event Grid has written plain text in the past and writes base64 now; the text itself tells which.
    """
    try:
        try:
            return json.loads(body)
        except ValueError:
            return json.loads(base64.b64decode(body, validate=True))
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON") from None


def read_message(body: bytes, message_id: str) -> PlatformEvent | Malformed:
    """Reads a message that Event Grid put into a storage queue: one event, of either schema.

    What has no id of its own is told apart by the message's.
    """
    try:
        content = message_content(body)
    except ValueError as error:
        return Malformed(message_id, "", f"the message in the queue can't be read: {error}")
    if not isinstance(content, dict):
        return Malformed(message_id, "", "the message in the queue is no event")
    event = read_event(content)
    return replace(event, id=event.id or message_id)


def as_run_written(event: PlatformEvent) -> RunWritten | Foreign | Malformed:
    """The event as a write of a pipeline run."""
    results = {result.lower(): result for result in WriteResult}
    if not event.type:
        return Malformed(event.id, event.type, "it has no event type")
    if event.type.lower() not in results:
        return Foreign(f"events of type {event.type} are not subscribed to")
    operation = event.data["operationName"]
    if operation.lower() != RUN_WRITE_OPERATION:
        return Foreign(f"the operation {operation or '(none)'} is not the write of a pipeline run")
    try:
        run_id = parse_run_id(event.subject)
    except ValueError as error:
        return Malformed(event.id, event.type, f"its subject names no pipeline run: {error}")
    return RunWritten(
        event_id=event.id,
        run_id=run_id,
        result=results[event.type.lower()],
        time=event.time,
        correlation_id=event.data["correlationId"],
    )


def as_pipeline_rejected(event: PlatformEvent) -> PipelineRejected | None:
    """The event as a rejected write of a pipeline; every other write of a pipeline is none of our business.

    Without its pipeline no transfer begins, and no run will ever tell why.
    """
    rejected = event.type.lower() == WriteResult.FAILURE.lower()
    if not rejected or event.data["operationName"].lower() not in PIPELINE_WRITE_OPERATIONS:
        return None
    try:
        pipeline_id = parse_pipeline_id(event.subject)
    except ValueError:
        return None
    return PipelineRejected(event.id, pipeline_id, event.time, event.data["correlationId"])


def as_blob_arrived(event: PlatformEvent) -> BlobArrived | Foreign | Malformed:
    """The event as the arrival of a blob."""
    if not event.type:
        return Malformed(event.id, event.type, "it has no event type")
    if event.type.lower() != BLOB_CREATED.lower():
        return Foreign(f"events of type {event.type} are not subscribed to")
    api = event.data["api"]
    if api and api.lower() not in COMMIT_OPERATIONS:
        return Foreign(f"the operation {api} does not complete a blob")
    try:
        account = parse_resource_id(event.source)
    except ValueError as error:
        return Malformed(event.id, event.type, f"its source names no storage account: {error}")
    if account.resource_type != "microsoft.storage/storageaccounts":
        return Malformed(event.id, event.type, "its source names no storage account")
    located = _container_and_name(event.subject)
    if located is None:
        return Malformed(event.id, event.type, "its subject is not /blobServices/default/containers/…/blobs/…")
    container, name = located
    return BlobArrived(
        event_id=event.id,
        account_id=account,
        blob=BlobAddress(account.name.lower(), container, name),
        time=event.time,
    )


def _container_and_name(subject: str) -> tuple[str, str] | None:
    prefix, _, rest = subject.partition("/containers/")
    container, found, name = rest.partition("/blobs/")
    if prefix.lower() != "/blobservices/default" or not found or not container or not name or "/" in container:
        return None
    # Dot segments would be folded away on the way into a URL and lead to another blob.
    if any(segment in {".", ".."} for segment in (container, *name.split("/"))):
        return None
    return container, name
