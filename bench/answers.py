"""How long somebody waits for the command line's answer, from pressing return to its end."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.served_cloud import served_file
from localcloud import LocalCloud
from localcloud.connection import connect
from localcloud.scenario import CONTAINER, transfer_between
from shared.settings import setting_names

LATENCY: Final = 0.05
WANTED_SECONDS: Final = 5.0
_RUN: Final = "badrun"
_BLOB: Final = "first.tar"
_FOUND: Final = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """One command: its seconds from the start of its process to the end."""

    command: str
    seconds: float


async def world(cloud: LocalCloud) -> None:
    """An export that failed on the vault, and a blob that lost its MD5 on the way."""
    scenario = await transfer_between(cloud)
    await cloud.put_run(scenario.source, "firstexport", scenario.export_pipeline, artifacts=["app/web:1.0"], blob=_BLOB)
    await scenario.carry_over(_BLOB, content_md5=False)
    cloud.world.revoke_secret_get(scenario.vault, scenario.export_pipeline)
    await cloud.put_run(scenario.source, _RUN, scenario.export_pipeline, artifacts=["app/web:1.0"], blob="bad.tar")


async def measure() -> list[Answer]:
    """Each look once, as a process of its own; the first one has compiled what it imports already."""
    async with served_file("bench.answers:world", LATENCY) as path:
        # Findings are kept, as they are for everybody, beside the connection file.
        registries = connect(path).environment["MONITORED_REGISTRIES"]
        source = registries.split(",")[0]
        await _seconds(path, "rules")
        looks = {
            "diagnose": ("diagnose", f"{source}/pipelineRuns/{_RUN}"),
            "check-pipeline": ("check-pipeline", f"{source}/exportPipelines/exportpipe"),
            "check-blob": ("check-blob", f"https://contosoimport.blob.core.windows.net/{CONTAINER}/{_BLOB}"),
        }
        return [Answer(name, await _seconds(path, *words, finds=_FOUND)) for name, words in looks.items()]


async def _seconds(connection_file: str, *words: str, finds: int = 0) -> float:
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "localcloud", "exec", connection_file, "--", *words),
        env=_environment() | {"ACRTM_STORE": str(Path(connection_file).with_name("findings.duckdb"))},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    took = time.perf_counter() - began
    if process.returncode != finds:
        raise RuntimeError(f"acrtm {words[0]} ended with {process.returncode}:\n{out.decode()}{err.decode()}")
    return took


def _environment() -> dict[str, str]:
    """This process's, without the settings of an app that was measured in it: they would win over the file's."""
    return {name: value for name, value in os.environ.items() if name not in setting_names()}
