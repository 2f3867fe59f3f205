"""Runs that somebody starts, and what becomes of them before the monitor hears of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from localcloud.events import Event
from localcloud.run_helpers import WriteRejectedError
from localcloud.scenario import ARTIFACTS, CONTAINER
from localcloud.world import Run
from localcloud.world.clock import now, seven_digits
from shared.events import read_event
from tests.scenarios.operations import action
from tests.scenarios.stage import BLOB, Stage
from tests.scenarios.telling import deliver, forget_events, tell


async def put_run(stage: Stage, name: str, artifacts: list[str] | None, blob: str, **more: Any) -> Run | None:
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
    done = await put_run(stage, name, artifacts, blob, **more)
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
    done = await put_run(stage, "", None, BLOB, wait=False)
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
    await put_run(stage, "", None, BLOB)
    await tell(stage)


@action
async def unheard_run(stage: Stage, *, hours_ago: float = 0, artifacts: list[str] | None = None) -> None:
    """A run whose event never comes: the sweep has to find it."""
    done = await put_run(stage, "", artifacts, BLOB)
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
    done = await put_run(stage, "", None, BLOB, wait=False)
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
    done = await put_run(stage, "", None, BLOB, wait=False)
    assert done is not None
    await stage.cloud.cancel_run(stage.registry, done.name)
    await tell(stage)


@action
async def run_deleted_at_once(stage: Stage) -> None:
    """A run that is deleted before the monitor is told of it."""
    forget_events(stage)
    done = await put_run(stage, "", None, BLOB)
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
async def run_told_early(stage: Stage) -> None:
    """A run's event comes while the run is still going on."""
    stage.cloud.hold_transfers()
    done = await put_run(stage, "", None, BLOB, wait=False)
    assert done is not None
    operation = "Microsoft.ContainerRegistry/registries/pipelineRuns/write"
    topic = f"/subscriptions/{stage.cloud.world.subscription_id}"
    early = Event("Microsoft.Resources.ResourceWriteSuccess", topic, done.id, {"operationName": operation})
    await deliver(stage, read_event(early.in_schema("EventGridSchema")))


@action
async def many_good_runs(stage: Stage, *, many: int) -> None:
    """Runs that succeed and that nobody tells of."""
    for _ in range(many):
        await put_run(stage, "", ["hello-world"], BLOB)
    forget_events(stage)
