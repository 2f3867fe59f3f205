"""A sweep over 200 registries in which everything is known, beside the bare list calls that it can't do without.

What is known is written into the state store beforehand: a mark for each run, and when each pipeline and container
was looked at. The first sweep warms the process up; the second is measured.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from bench.served_cloud import served_cloud
from bench.sweep_world import REGISTRIES
from shared import runtime
from shared.monitor import Monitor
from shared.records.transfer import Direction
from shared.settings import read_settings
from shared.sinks.rhythms import Rhythms
from shared.sweep import Sweep

LATENCY: Final = 0.02
# The sweep's own number, so that both sides wait for the same.
AT_ONCE: Final = 8
_WRITES_AT_ONCE: Final = 50
LISTS: Final = 3 * REGISTRIES


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep cost that had nothing to do."""

    seconds: float
    bare_seconds: float
    arm_reads: int
    bare_reads: int
    runs: int
    diagnosed: int
    findings: int
    peak_mib: float
    problems: tuple[str, ...]


async def measure() -> Swept:
    """Sweeps a world in a process of its own twice, and lists the same by hand."""
    async with served_cloud("bench.sweep_world:build", LATENCY) as connection:
        os.environ.update(connection.environment)
        runtime.use_sessions(connection.client_session)
        subscription = connection.environment["MONITORED_REGISTRIES"].split("/")[2]
        settings = read_settings({**connection.environment, "MONITORED_REGISTRIES": f"/subscriptions/{subscription}"})
        monitor = runtime.make_monitor(settings)
        try:
            registries = [r for r in await monitor.gatherer.lookups.monitored_registries() if "contososweep" in r]
            settings = read_settings({**connection.environment, "MONITORED_REGISTRIES": ",".join(registries)})
            await monitor.close()
            monitor = runtime.make_monitor(settings)
            await _remember(monitor, registries)
            await Sweep(monitor).run()
            before = monitor.azure.arm.reads
            began = time.perf_counter()
            await _each(registries, lambda registry: _listed(monitor, registry), AT_ONCE)
            bare_seconds, bare_reads = time.perf_counter() - began, monitor.azure.arm.reads - before
            report = await Sweep(monitor).run()
        finally:
            await monitor.close()
            runtime.use_sessions(None)
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Swept(
        report.seconds,
        bare_seconds,
        report.arm_reads,
        bare_reads,
        report.runs_seen,
        report.runs_diagnosed,
        report.findings,
        kib / 1024,
        tuple(report.problems),
    )


async def _each(registries: list[str], piece: Callable[[str], Awaitable[Any]], at_once: int) -> None:
    turns = asyncio.Semaphore(at_once)

    async def one(registry: str) -> None:
        async with turns:
            await piece(registry)

    await asyncio.gather(*(one(registry) for registry in registries))


async def _listed(monitor: Monitor, registry: str) -> None:
    """The list calls that nobody could do without."""
    async for _ in monitor.azure.registries.run_pages(registry):
        pass
    for direction in Direction:
        await monitor.azure.registries.pipelines(registry, direction)


async def _remember(monitor: Monitor, registries: list[str]) -> None:
    """Marks every run as diagnosed, and everything else as looked at just now."""
    now = datetime.now(UTC)
    looks = {kind: Rhythms(monitor.state, kind) for kind in ("pipelines", "containers")}

    async def one(registry: str) -> None:
        async for page in monitor.azure.registries.run_pages(registry):
            for run in page:
                await monitor.marks.settle(run, now)
        for direction in Direction:
            for pipeline in await monitor.azure.registries.pipelines(registry, direction):
                await looks["pipelines"].note(pipeline.id, now)

    await _each(registries, one, _WRITES_AT_ONCE)
    await looks["containers"].note("contosoimport/transfer", now)
