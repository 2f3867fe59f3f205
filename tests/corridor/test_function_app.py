"""The function app itself, indexed and invoked by Microsoft's worker library, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from localcloud.service import Status
from tests.corridor.conftest import Corridor

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
                await (host.run_timer(function) if event is None else host.deliver(function, event))
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
    out, err = await process.communicate(json.dumps([wrong, settings, jobs]).encode())
    assert process.returncode == 0, err.decode()
    answer: dict[str, Any] = json.loads(out.decode().splitlines()[-1])
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
    ("SWEEP_SCHEDULE", "every day"): "Setting SWEEP_SCHEDULE: expected an NCRONTAB expression of six fields",
    ("MUTES", "nobody"): "Setting MUTES: expected a JSON list",
}


async def test_a_wrong_setting_stops_start_up_with_its_name(corridor: Corridor) -> None:
    answer = await worker(corridor, wrong=list(WRONG))
    assert len(answer["errors"]) == len(WRONG)
    for error, says in zip(answer["errors"], WRONG.values(), strict=True):
        assert says in error
    assert len(answer["functions"]) == 3, "and once it is right, it starts"
