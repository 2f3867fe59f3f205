"""How long the function app takes to start, against its own library alone, and the first event after it."""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from bench.served_cloud import served_cloud
from localcloud import LocalCloud
from localcloud.connection import Connection
from localcloud.scenario import transfer_between

ROOT: Final = Path(__file__).resolve().parent.parent
_TIMED: Final = "import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
_TIMES: Final = 7
_ENVIRONMENT: Final = {
    "MONITORED_REGISTRIES": "/subscriptions/00000000-0000-0000-0000-000000000000",
    "LOGS_INGESTION_ENDPOINT": "https://dcr.ingest.monitor.azure.com",
    "LOGS_DCR_IMMUTABLE_ID": "dcr-0",
    "STATE_CONTAINER_URL": "https://state.blob.core.windows.net/state",
}


def _import_seconds(module: str) -> float:
    """The median of several fresh processes, byte code warm."""
    command = [sys.executable, "-c", _TIMED.format(module=module)]
    environment = {**os.environ, **_ENVIRONMENT}
    times = [
        float(subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout)
        for _ in range(_TIMES)
    ]
    return statistics.median(times)


def measure() -> tuple[float, float]:
    """Seconds to import ``function_app`` and seconds to import ``azure.functions`` alone."""
    for module in ("azure.functions", "function_app"):
        _import_seconds(module)
    return _import_seconds("function_app"), _import_seconds("azure.functions")


async def first_event() -> float:
    """Seconds of the first event in a fresh process, against a local cloud in another one."""
    async with served_cloud("bench.imports:one_run", 0.0) as connection:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _FIRST_EVENT),
            cwd=ROOT,
            env={**os.environ, **connection.environment, "BENCH_CONNECTION": _written(connection)},
            stdout=asyncio.subprocess.PIPE,
        )
        answer, _ = await process.communicate()
    return float(answer)


async def one_run(cloud: LocalCloud) -> None:
    """A world with a single run that succeeded."""
    scenario = await transfer_between(cloud)
    await cloud.put_run(scenario.source, "onlyrun", scenario.export_pipeline, artifacts=["hello-world"], blob="a.tar")


def _written(connection: Connection) -> str:
    path = Path(tempfile.mkdtemp()) / "connection.json"
    connection.write(path)
    return str(path)


_FIRST_EVENT: Final = """
import asyncio, os, time
from localcloud.connection import connect
connection = connect(os.environ["BENCH_CONNECTION"])
import function_app
from shared import runtime
from shared.events import read_event
runtime.use_sessions(connection.client_session)
registry = next(r for r in function_app.settings.registries if r.endswith("hub"))
event = {
    "id": "first", "topic": "/subscriptions/any", "subject": f"{registry}/pipelineRuns/onlyrun",
    "eventType": "Microsoft.Resources.ResourceWriteSuccess",
    "data": {"operationName": "Microsoft.ContainerRegistry/registries/pipelineRuns/write"},
}
async def main():
    began = time.perf_counter()
    await runtime.monitor_of(function_app.settings).run_event(read_event(event))
    print(time.perf_counter() - began)
    await runtime.close_monitor()
asyncio.run(main())
"""
