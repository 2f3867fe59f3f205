"""What is done in a scenario, and how the monitor comes to hear of it."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any, Literal

from localcloud.events import Event
from localcloud.run_helpers import WriteRejectedError
from localcloud.scenario import ARTIFACTS, CONTAINER
from localcloud.service import Fault, Origin
from localcloud.world import Run
from localcloud.world.clock import now, seven_digits
from shared.addresses import BlobAddress
from shared.errors import MonitorError, TransientError
from shared.events import PlatformEvent, read_event
from shared.findings.builder import Occasion, TriggeredBy
from shared.sweep import Sweep
from tests.scenarios import blob_faults
from tests.scenarios.operations import action
from tests.scenarios.stage import BLOB, CATEGORY, Stage

# Event Grid delivers an event that was not taken again and again; twice is enough to see which way it goes.
_DELIVERIES = 2


async def tell(stage: Stage) -> None:
    """Delivers what was published since, in turn in one schema and the other."""
    published = stage.cloud.events
    while stage.told < len(published):
        event = published[stage.told]
        stage.told += 1
        schema: Literal["EventGridSchema", "CloudEventSchemaV1_0"]
        schema = "EventGridSchema" if stage.told % 2 else "CloudEventSchemaV1_0"
        await deliver(stage, read_event(event.in_schema(schema)))


async def deliver(stage: Stage, event: PlatformEvent) -> None:
    """One event through its door; one that raises comes again."""
    door = stage.monitor.blob_event if event.type.startswith("Microsoft.Storage") else stage.monitor.run_event
    for attempt in range(1, _DELIVERIES + 1):
        try:
            await door(event)
        except TransientError as error:
            if attempt == _DELIVERIES:
                stage.raised.append(str(error))
        else:
            return


def forget_events(stage: Stage) -> None:
    """What happened up to here is from before the monitor's time."""
    stage.told = len(stage.cloud.events)


async def _put(stage: Stage, name: str, artifacts: list[str] | None, blob: str, **more: Any) -> Run | None:
    """The run, or ``None`` if ARM has rejected its write. A name of its own each time, unless one is given."""
    stage.runs += 1
    name = name or f"{stage.spec.direction}{stage.runs:02}"
    wanted = list(ARTIFACTS) if artifacts is None else artifacts
    try:
        await stage.cloud.put_run(
            stage.registry, name, stage.pipeline.id, artifacts=wanted if stage.exports else [], blob=blob, **more
        )
    except WriteRejectedError:
        return None
    return stage.registry.runs[name.casefold()]


@action
async def run(
    stage: Stage,
    *,
    name: str = "",
    artifacts: list[str] | None = None,
    many: int = 0,
    blob: str = BLOB,
    tag: str = "",
    digest: str = "",
    message: str | None = None,
    message_in_error: bool = False,
    no_list: bool = False,
    blob_gone: bool = False,
    unheard: bool = False,
) -> None:
    """Somebody starts a run of the pipeline; it goes its way, and ARM tells of its end.

    ``many`` asks for that many artifacts. ``message`` makes the run a failed one with this text, whatever it was:
    for texts that the local cloud can't say. ``message_in_error`` puts it where ARM has its own errors. ``no_list``
    leaves out what the run lists as done, ``blob_gone`` takes its blob away before anybody looks. ``unheard`` keeps
    its event back, for :func:`told_late`.
    """
    forget_events(stage)
    if many:
        artifacts = [f"app/web:{number}.0" for number in range(1, many + 1)]
    artifacts = [_with_digest(stage, artifact) for artifact in artifacts] if artifacts else artifacts
    more = {"force_update_tag": tag or None, "catalog_digest": digest or None}
    done = await _put(stage, name, artifacts, blob, **more)
    if done is not None and no_list:
        done.response.pop("importedArtifacts", None)
    if done is not None and message is not None:
        if not stage.exports and await stage.cloud.blob_properties(stage.account.name, CONTAINER, blob) is None:
            await stage.put_images(blob)  # a run that has failed deletes nothing
        _fail_with(stage, done, message, in_error=message_in_error)
    if blob_gone:
        await stage.cloud.delete_blob(stage.account.name, CONTAINER, blob)
    if not unheard:
        await tell(stage)


@action
async def told_late(stage: Stage) -> None:
    """The event of a run that was unheard comes now."""
    await tell(stage)


def _with_digest(stage: Stage, artifact: str) -> str:
    """``app/web@{digest of app/web:1.0}`` with the digest of that image."""
    name, found, wanted = artifact.partition("{digest of ")
    if not found:
        return artifact
    manifest = stage.transfer.source.find(wanted.removesuffix("}"))
    assert manifest is not None
    return f"{name}{manifest.digest}"


def _fail_with(stage: Stage, done: Run, message: str, *, in_error: bool) -> None:
    done.provisioning_state = done.response["status"] = "Failed"
    done.response.pop("importedArtifacts", None)
    done.response.pop("pipelineRunErrorMessage", None)
    if in_error:
        done.response["error"] = {"code": "PipelineRunFailed", "message": message}
    else:
        done.response["pipelineRunErrorMessage"] = message
    ended = stage.cloud.events[-1]
    data = {**ended.data, "status": "Failed"}
    stage.cloud.events[-1] = Event("Microsoft.Resources.ResourceWriteFailure", ended.topic, ended.subject, data)


@action
async def run_of_missing_pipeline(stage: Stage, *, message: str = "") -> None:
    """A run whose pipeline is deleted while it goes on; it fails, and its pipeline is no longer there."""
    forget_events(stage)
    stage.cloud.hold_transfers()
    done = await _put(stage, "", None, BLOB, wait=False)
    assert done is not None
    pipeline = stage.pipeline
    pipeline.provisioning_state = "Deleting"
    stage.cloud.release_transfers()
    await stage.cloud.wait_for_run(stage.registry, done.name)
    del stage.cloud.world.pipelines_of(stage.registry, stage.direction)[pipeline.name.casefold()]
    if message:
        _fail_with(stage, done, message, in_error=False)
    await tell(stage)


@action
async def run_for_deleted_pipeline(stage: Stage) -> None:
    """Somebody starts a run of a pipeline that was deleted before: ARM rejects it."""
    pipeline = stage.pipeline
    del stage.cloud.world.pipelines_of(stage.registry, stage.direction)[pipeline.name.casefold()]
    forget_events(stage)
    await _put(stage, "", None, BLOB)
    await tell(stage)


@action
async def unheard_run(stage: Stage, *, hours_ago: float = 0, artifacts: list[str] | None = None) -> None:
    """A run whose event never comes: the sweep has to find it."""
    done = await _put(stage, "", artifacts, BLOB)
    assert done is not None
    if hours_ago:
        shift(done, timedelta(hours=hours_ago))
    forget_events(stage)


def shift(done: Run, by: timedelta) -> None:
    """The same run, that much earlier."""
    for name in ("startTime", "finishTime"):
        if name in done.response:
            done.response[name] = seven_digits(now() - by)
    done.created = done.modified = now() - by


@action
async def run_going_on(
    stage: Stage, *, since_minutes: float, progress: str = "20", status: str = "Running", started: bool = True
) -> None:
    """A run that began some time ago and is not over."""
    stage.cloud.hold_transfers()
    done = await _put(stage, "", None, BLOB, wait=False)
    assert done is not None
    shift(done, timedelta(minutes=since_minutes))
    done.response |= {"status": status, "progress": {"percentage": progress}}
    if not started:
        del done.response["startTime"]
    forget_events(stage)


@action
async def run_canceled(stage: Stage) -> None:
    """A run that its owner has canceled."""
    forget_events(stage)
    stage.cloud.hold_transfers()
    done = await _put(stage, "", None, BLOB, wait=False)
    assert done is not None
    await stage.cloud.cancel_run(stage.registry, done.name)
    await tell(stage)


@action
async def run_deleted_at_once(stage: Stage) -> None:
    """A run that is deleted before the monitor is told of it."""
    forget_events(stage)
    done = await _put(stage, "", None, BLOB)
    assert done is not None
    await stage.cloud.delete_run(stage.registry, done.name)
    await tell(stage)


@action
async def run_written_again(stage: Stage, *, minutes_later: float) -> None:
    """The last run is written again with the same properties: ARM reports success, and nothing runs."""
    await tell(stage)
    last = list(stage.registry.runs.values())[-1]
    await stage.cloud.arm("PUT", last.id, {"properties": {"request": last.request}})
    written = stage.cloud.events[-1]
    later = now() + timedelta(minutes=minutes_later)
    stage.cloud.events[-1] = Event(written.type, written.topic, written.subject, written.data, time=later)
    await tell(stage)


@action
async def told_again(stage: Stage) -> None:
    """Event Grid delivers the last event once more."""
    await deliver(stage, read_event(stage.cloud.events[-1].in_schema("EventGridSchema")))


@action
async def land(
    stage: Stage,
    *,
    blob: str = BLOB,
    md5: blob_faults.Md5 = "right",
    metadata: dict[str, str] | None = None,
    content: Literal["images", "nothing", "something else"] = "images",
    blob_type: Literal["BlockBlob", "PageBlob", "AppendBlob"] = "BlockBlob",
    container: str = CONTAINER,
    days_ago: float = 0,
    copy_status: str = "",
) -> None:
    """A blob lands in the import side's container, and Event Grid tells of it.

    ``days_ago`` and ``copy_status`` are how it looks when the monitor comes to see it.
    """
    forget_events(stage)
    account = stage.transfer.import_account
    if container != CONTAINER:
        await stage.cloud.create_container(account.name, container)
    await blob_faults.put(stage, blob, container, md5, metadata, content, blob_type)
    if days_ago:
        stage.cloud.backdate_blob(account.name, container, blob, timedelta(days=days_ago))
    if copy_status:
        stage.cloud.disguise_blob(account.name, container, blob, {"x-ms-copy-status": copy_status})
    await tell(stage)


@action
async def land_by_copy(stage: Stage, *, metadata: dict[str, str] | None = None) -> None:
    """The exported blob comes over by Copy Blob, from account to account; with metadata it loses its own."""
    source = stage.transfer.export_account.name
    await stage.cloud.put_blob(source, CONTAINER, BLOB, b"images", metadata=CATEGORY)
    token = stage.cloud.sas(source, CONTAINER, "r")
    forget_events(stage)
    url = f"https://{source}.blob.core.windows.net/{CONTAINER}/{BLOB}?{token}"
    await stage.cloud.copy_blob(url, stage.transfer.import_account.name, CONTAINER, BLOB, metadata=metadata)
    await tell(stage)


@action
async def land_elsewhere(stage: Stage, *, account: str = "fabrikamstorage", named: bool = True) -> None:
    """A transfer blob lands in an account that no pipeline uses, but that the settings may name."""
    made = stage.cloud.world.add_storage_account(account)
    await stage.cloud.create_container(account, CONTAINER)
    if named:
        stage.settings["STORAGE_ACCOUNTS"] = made.id
    forget_events(stage)
    await stage.cloud.put_blob(account, CONTAINER, BLOB, b"images", metadata=CATEGORY)
    await tell(stage)


@action
async def land_and_vanish(stage: Stage) -> None:
    """A blob lands, and is gone before the monitor comes to see it."""
    forget_events(stage)
    await stage.put_images()
    await stage.cloud.delete_blob(stage.transfer.import_account.name, CONTAINER, BLOB)
    await tell(stage)


@action
async def export_lands(stage: Stage) -> None:
    """An export's own blob lands in the export's container, which raises an event too."""
    forget_events(stage)
    await _put(stage, "", None, BLOB)
    await tell(stage)


@action
async def poll(stage: Stage) -> None:
    """The service polls the containers of all import pipelines, and imports what it finds. No event tells of it."""
    forget_events(stage)
    await stage.cloud.poll_source_triggers()
    forget_events(stage)


@action
async def sweep(stage: Stage) -> None:
    """The timer goes off."""
    report = await Sweep(stage.monitor).run()
    stage.raised += report.problems


@action
async def check_pipeline(stage: Stage) -> None:
    """Somebody asks what would make the pipeline's next run fail."""
    try:
        diagnosis = await stage.monitor.look_at_pipeline(stage.pipeline.id)
    except MonitorError as error:
        stage.raised.append(str(error))
        return
    await stage.monitor.recorder.record([diagnosis], Occasion(TriggeredBy.CLI))


@action
async def check_blob(stage: Stage, *, blob: str = BLOB, container: str = CONTAINER) -> None:
    """Somebody asks why a blob is not imported."""
    address = BlobAddress(stage.transfer.import_account.name, container, blob)
    diagnoses = await stage.monitor.look_at_blob(address, trusted=False)
    await stage.monitor.recorder.record(diagnoses, Occasion(TriggeredBy.CLI))


@action
async def strange_event(
    stage: Stage,
    *,
    type: str = "Microsoft.Resources.ResourceWriteSuccess",  # noqa: A002 - the event's own word
    subject: str = "",
    operation: str = "Microsoft.ContainerRegistry/registries/pipelineRuns/write",
) -> None:
    """An event that somebody else's hands have made."""
    data = {"operationName": operation, "correlationId": str(uuid.uuid4())}
    topic = f"/subscriptions/{stage.cloud.world.subscription_id}"
    await deliver(stage, read_event(Event(type, topic, subject, data).in_schema("EventGridSchema")))


@action
async def everything_works_again(stage: Stage) -> None:
    """The faults of services are over."""
    stage.cloud.faults[:] = [fault for fault in stage.cloud.faults if _lasting(fault)]


def _lasting(fault: Fault) -> bool:
    return fault.origin not in {Origin.MONITOR, Origin.REGISTRY_SERVICE}


@action
async def imported_by_hand(stage: Stage, *, blob: str = BLOB) -> None:
    """The blob is imported by a run that somebody starts; it stays unheard."""
    stage.runs += 1
    await stage.cloud.put_run(
        stage.transfer.target, f"byhand{stage.runs:02}", stage.transfer.import_pipeline.id, blob=blob
    )
    forget_events(stage)
