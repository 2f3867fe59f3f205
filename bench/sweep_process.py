"""The process whose memory the sweep's benchmark counts: nothing is in it but the app and its way to the local cloud.

The first sweep warms it up; the second is measured, beside the bare list calls.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any, Final

from bench.resident import most_resident_megabytes, resident_megabytes
from bench.sweep_marks import each_of
from localcloud.connection import connect
from shared import runtime
from shared.monitor import Monitor
from shared.records.transfer import Direction
from shared.settings import read_settings
from shared.sweep import Sweep

# The sweep's own number, so that both sides wait for the same.
AT_ONCE: Final = 8


async def _measure(path: str) -> dict[str, Any]:
    runtime.use_sessions(connect(path).client_session)
    settings = read_settings(os.environ)
    monitor = runtime.make_monitor(settings)
    imported = resident_megabytes(os.getpid())
    registries = list(settings.registries)
    try:
        await Sweep(monitor).run()
        before = monitor.azure.arm.reads
        began = time.perf_counter()
        await each_of(registries, lambda registry: _listed(monitor, registry), AT_ONCE)
        bare_seconds, bare_reads = time.perf_counter() - began, monitor.azure.arm.reads - before
        report = await Sweep(monitor).run()
    finally:
        await monitor.close()
    return {
        "seconds": report.seconds,
        "bare_seconds": bare_seconds,
        "arm_reads": report.arm_reads,
        "bare_reads": bare_reads,
        "runs": report.runs_seen,
        "diagnosed": report.runs_diagnosed,
        "findings": report.findings,
        "imported_megabytes": imported,
        "peak_megabytes": most_resident_megabytes(),
        "problems": report.problems,
    }


async def _listed(monitor: Monitor, registry: str) -> None:
    """The list calls that nobody could do without."""
    async for _ in monitor.azure.registries.run_pages(registry):
        pass
    for direction in Direction:
        await monitor.azure.registries.pipelines(registry, direction)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_measure(sys.argv[1]))))
