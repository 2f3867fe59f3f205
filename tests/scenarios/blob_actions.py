"""Blobs that land, the source trigger's polls, and the looks that nobody's event asks for."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Literal

from localcloud.events import Event
from localcloud.scenario import CONTAINER
from shared.addresses import BlobAddress
from shared.errors import MonitorError
from shared.events import read_event
from shared.findings.builder import Occasion, TriggeredBy
from shared.sweep import Sweep
from tests.scenarios import blob_faults
from tests.scenarios.operations import action
from tests.scenarios.run_actions import put_run
from tests.scenarios.stage import BLOB, CATEGORY, Stage
from tests.scenarios.telling import deliver, forget_events, tell


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
    await put_run(stage, "", None, BLOB)
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
async def imported_by_hand(stage: Stage, *, blob: str = BLOB) -> None:
    """The blob is imported by a run that somebody starts; it stays unheard."""
    stage.runs += 1
    await stage.cloud.put_run(
        stage.transfer.target, f"byhand{stage.runs:02}", stage.transfer.import_pipeline.id, blob=blob
    )
    forget_events(stage)
