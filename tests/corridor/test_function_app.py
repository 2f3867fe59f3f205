"""The function app itself, indexed and invoked by Microsoft's worker library, in a process of its own."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from localcloud.service import Status
from tests.corridor.conftest import Corridor
from tests.leaks import outputs, search

pytestmark = pytest.mark.skipif(sys.version_info < (3, 13), reason="azure-functions-runtime needs Python 3.13 or later")

ROOT: Final = Path(__file__).parents[2]
WORKER: Final = """
import asyncio, json, os, sys
from localcloud.connection import connect
from localcloud.functions_host import FunctionsHost, HostError, InvocationFailed
from shared import runtime

async def main(path, root, wrong, changes, jobs):
    connection = connect(path)
    runtime.use_sessions(connection.client_session)
    out = {"answers": [], "errors": []}
    for name, text in wrong:
        try:
            await FunctionsHost.start(root, {**connection.environment, name: text})
        except HostError as error:
            out["errors"].append(str(error))
    async with await FunctionsHost.start(root, {**connection.environment, **changes}) as host:
        out["functions"] = {name: list(function.bindings) for name, function in host.functions.items()}
        out["imported"] = sorted(sys.modules)
        for function, event in jobs:
            try:
                if event is None:
                    await host.run_timer(function)
                elif isinstance(event, str):
                    await host.dequeue(function, event, message_id="message1")
                else:
                    await host.deliver(function, event)
                out["answers"].append("done")
            except InvocationFailed as failure:
                out["answers"].append(f"{failure.type}: {failure.text}")
        await runtime.close_monitor()
    return out

print(json.dumps(asyncio.run(main(sys.argv[1], sys.argv[2], *json.loads(sys.stdin.read())))))
"""


async def worker(
    corridor: Corridor, *jobs: tuple[str, object], wrong: Sequence[tuple[str, str]] = (), **settings: str
) -> dict[str, Any]:
    """Starts the app with these settings changed, lets it do the jobs, and tells what became of them.

    Before that it tries to start with each of the ``wrong`` settings, and gives the errors.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-c", WORKER, str(corridor.cloud.connection_file), str(ROOT)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    out, err = (output.decode() for output in await process.communicate(json.dumps([wrong, settings, jobs]).encode()))
    search(corridor.cloud, outputs(out, err))
    assert process.returncode == 0, err
    answer: dict[str, Any] = json.loads(out.splitlines()[-1])
    return answer


async def test_three_doors_are_indexed_and_every_schema_comes_through(corridor: Corridor) -> None:
    await corridor.failed_export("transfer01")
    await corridor.export("transfer02")
    await corridor.cloud.put_blob("contosoimport", "transfer", "images.tar", metadata={})
    answer = await worker(
        corridor,
        ("pipeline_run_completed", corridor.file("run-write-failure")),
        ("pipeline_run_completed", corridor.file("run-write-success-cloudevent")),
        ("pipeline_run_completed", corridor.file("run-write-success-cloudevent-topic")),
        ("transfer_blob_created", corridor.file("blob-put-block-list")),
        ("transfer_blob_created", corridor.file("blob-copy-blob-cloudevent")),
        ("transfer_blob_created", corridor.file("blob-put-blob-cloudevent-topic")),
        ("pipeline_run_completed", corridor.file("malformed-wrong-types")),
        ("pipeline_run_completed", corridor.file("malformed-data-is-broken-text")),
        ("sweep", None),
        SWEEP_SCHEDULE="0 */7 * * * *",
    )
    assert answer["answers"] == ["done"] * 9
    assert answer["functions"] == {
        "pipeline_run_completed": [{"direction": "IN", "type": "eventGridTrigger", "name": "event"}],
        "transfer_blob_created": [{"direction": "IN", "type": "eventGridTrigger", "name": "event"}],
        "sweep": [
            {
                "direction": "IN",
                "type": "timerTrigger",
                "name": "timer",
                "schedule": "0 */7 * * * *",
                "useMonitor": True,
            }
        ],
    }
    by_run = [(row["RunName"], row["RuleId"], row["TriggeredBy"]) for row in corridor.rows if row["RunName"]]
    assert sorted(by_run) == [
        ("transfer01", "ACRT101", "PipelineRunEvent"),
        ("transfer01", "ACRT201", "PipelineRunEvent"),
        ("transfer02", "ACRT101", "Sweep"),
        ("transfer02", "ACRT201", "Sweep"),
    ]
    blobs = {row["FindingId"] for row in corridor.rows if row["BlobName"] and row["TriggeredBy"] == "BlobEvent"}
    assert len(blobs) == len({row["RuleId"] for row in corridor.rows if row["TriggeredBy"] == "BlobEvent"})
    assert corridor.row("ACRT902")["State"] == "Info"
    [heartbeat] = [row for row in corridor.ingestion.rows if row["RuleId"] == "ACRT903"]
    assert heartbeat["Evidence"]["finished"] is True
    assert heartbeat["Evidence"]["problems"] == []


async def test_no_client_is_imported_before_the_first_event(corridor: Corridor) -> None:
    answer = await worker(corridor)
    loaded = {name for name in answer["imported"] if name.startswith(("azure.", "shared."))}
    clients = ("azure.storage", "azure.mgmt", "azure.monitor", "azure.eventgrid", "azure.identity", "shared.azure")
    # The worker here reaches the local cloud through aiohttp; the app itself has asked for nothing.
    assert [name for name in loaded if name.startswith(clients)] == []


async def test_a_handler_that_raises_is_a_failed_invocation_and_the_next_one_works(corridor: Corridor) -> None:
    await corridor.failed_export("transfer01")
    corridor.break_down("ingestion", Status(403), times=2)
    event = corridor.file("run-write-failure")
    runs = [("pipeline_run_completed", event)] * 2
    answer = await worker(corridor, *runs, ("sweep", None))
    first, second, sweep = answer["answers"]
    assert first.startswith("NotStored: findings were not stored: Logs ingestion answered 403")
    assert second == first
    assert sweep == "done"
    assert corridor.rules == ["ACRT201", "ACRT101"]


WRONG: Final = {
    ("MONITORED_REGISTRIES", ""): "Setting MONITORED_REGISTRIES: is required and is not set",
    ("MONITORED_REGISTRIES", "contosohub"): "Setting MONITORED_REGISTRIES: 'contosohub' is neither",
    ("EVENT_QUEUE", "Transfer_Events"): "Setting EVENT_QUEUE: expected a queue's name",
    ("SWEEP_SCHEDULE", "every day"): "Setting SWEEP_SCHEDULE: expected an NCRONTAB expression of six fields",
    ("MUTES", "nobody"): "Setting MUTES: expected a JSON list",
}


async def test_a_wrong_setting_stops_start_up_with_its_name(corridor: Corridor) -> None:
    answer = await worker(corridor, wrong=list(WRONG))
    assert len(answer["errors"]) == len(WRONG)
    for error, says in zip(answer["errors"], WRONG.values(), strict=True):
        assert says in error
    assert len(answer["functions"]) == 3, "and once it is right, it starts"


# --- the door for an app that Event Grid can't reach ------------------------------------------------------------

QUEUE: Final = "transfer-events"


def message(event: object) -> str:
    """An event as Event Grid puts it into a queue."""
    return base64.b64encode(json.dumps(event).encode()).decode()


async def test_a_queue_that_is_set_is_a_fourth_door_for_every_event(corridor: Corridor) -> None:
    await corridor.failed_export("transfer01")
    await corridor.failed_export("transfer02")
    await corridor.cloud.put_blob("contosoimport", "transfer", "images.tar", metadata={})
    answer = await worker(
        corridor,
        ("queued_event", message(corridor.file("run-write-failure"))),
        ("queued_event", message(corridor.file("run-write-failure-cloudevent", "transfer02"))),
        ("queued_event", message(corridor.file("blob-put-block-list"))),
        ("queued_event", message(corridor.file("blob-copy-blob-cloudevent"))),
        ("queued_event", message(corridor.file("deployment-write-success"))),
        EVENT_QUEUE=QUEUE,
    )
    assert answer["answers"] == ["done"] * 5
    assert list(answer["functions"]) == ["pipeline_run_completed", "transfer_blob_created", "sweep", "queued_event"]
    assert answer["functions"]["queued_event"] == [
        {
            "direction": "IN",
            "type": "queueTrigger",
            "name": "message",
            "queueName": QUEUE,
            "connection": "AzureWebJobsStorage",
        }
    ]
    runs = [(row["RunName"], row["RuleId"], row["TriggeredBy"]) for row in corridor.rows if row["RunName"]]
    assert sorted(runs) == [
        (run, rule, "PipelineRunEvent") for run in ("transfer01", "transfer02") for rule in ("ACRT101", "ACRT201")
    ]
    blobs = [row for row in corridor.rows if not row["RunName"]]
    assert blobs
    assert {row["TriggeredBy"] for row in blobs} == {"BlobEvent"}


async def test_a_message_comes_again_until_its_findings_are_stored(corridor: Corridor) -> None:
    await corridor.failed_export("transfer01")
    corridor.break_down("ingestion", Status(403), times=1)
    again = ("queued_event", message(corridor.file("run-write-failure")))
    answer = await worker(corridor, again, again, EVENT_QUEUE=QUEUE)
    first, second = answer["answers"]
    assert first.startswith("NotStored: findings were not stored: Logs ingestion answered 403")
    assert second == "done"
    assert sorted(corridor.rules) == ["ACRT101", "ACRT201"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no event at all", "the message in the queue can't be read: it is no JSON"),
        (message([1, 2]), "the message in the queue is no event"),
        (message({"hello": "world"}), "it has no event type"),
    ],
)
async def test_a_message_that_is_no_event_is_a_finding_and_done(corridor: Corridor, text: str, why: str) -> None:
    answer = await worker(corridor, ("queued_event", text), EVENT_QUEUE=QUEUE)
    assert answer["answers"] == ["done"]
    assert corridor.rules == ["ACRT902"]
    assert corridor.row("ACRT902")["Evidence"]["why"] == why
    assert corridor.row("ACRT902")["EventId"] == "message1"


def test_the_host_tries_a_message_for_a_day_as_event_grid_does() -> None:
    queues = json.loads((ROOT / "host.json").read_text("utf-8"))["extensions"]["queues"]
    hours, minutes, seconds = map(int, queues["visibilityTimeout"].split(":"))
    pause = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    tried_for = pause * (queues["maxDequeueCount"] - 1)
    assert timedelta(hours=23) < tried_for < timedelta(hours=24)
    # Whichever way a message is written, it is read here and not given up by the host.
    assert queues["messageEncoding"] == "none"
