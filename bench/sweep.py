"""A sweep over 200 registries in which everything is known, beside the bare list calls that it can't do without.

What is known is written into the state store beforehand: a mark for each run, and when each pipeline and container
was looked at. The sweeps run in a process of their own (:mod:`bench.sweep_process`), as their memory is measured.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from bench.served_cloud import served_cloud
from bench.sweep_marks import remember
from bench.sweep_world import PREFIX, REGISTRIES
from localcloud.connection import Connection
from shared import runtime
from shared.settings import read_settings

LATENCY: Final = 0.02
LISTS: Final = 3 * REGISTRIES
MOST_MEGABYTES: Final = 150
MOST_TIMES_BARE: Final = 2.0
_ROOT: Final = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep cost that had nothing to do. Memory is resident memory in megabytes of a million bytes."""

    seconds: float
    bare_seconds: float
    arm_reads: int
    bare_reads: int
    runs: int
    diagnosed: int
    findings: int
    imported_megabytes: float
    peak_megabytes: float
    problems: list[str]

    @property
    def times_bare(self) -> float:
        """The sweep's time in times of the bare list calls."""
        return self.seconds / self.bare_seconds


async def measure() -> Swept:
    """Writes what is known, and has the same world swept by a process that does nothing else."""
    async with served_cloud("bench.sweep_world:build", LATENCY) as connection:
        registries = await _prepared(connection)
        environment = {**connection.environment, "MONITORED_REGISTRIES": ",".join(registries)}
        return Swept(**await _swept(connection, environment))


async def _prepared(connection: Connection) -> list[str]:
    """The registries to sweep, all that is in them known."""
    os.environ.update(connection.environment)
    runtime.use_sessions(connection.client_session)
    subscription = connection.environment["MONITORED_REGISTRIES"].split("/")[2]
    settings = read_settings({**connection.environment, "MONITORED_REGISTRIES": f"/subscriptions/{subscription}"})
    monitor = runtime.make_monitor(settings)
    try:
        registries = [r for r in (await monitor.gatherer.lookups.monitored_registries()).known if PREFIX in r]
        await remember(monitor, registries)
    finally:
        await monitor.close()
        runtime.use_sessions(None)
    return registries


async def _swept(connection: Connection, environment: dict[str, str]) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "connection.json"
        connection.write(path)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.sweep_process", str(path)),
            cwd=_ROOT,
            env={**os.environ, **environment},
            stdout=asyncio.subprocess.PIPE,
        )
        answer, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("the process that sweeps has failed")
    figures: dict[str, Any] = json.loads(answer)
    return figures
