"""What the monitor already knows before the measured sweep, written as it writes it itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from shared.monitor import Monitor
from shared.records.transfer import Direction
from shared.sinks.rhythms import Rhythms

# Few enough for an emulator on a busy machine.
_WRITES_AT_ONCE: Final = 16


async def each_of(registries: Sequence[str], piece: Callable[[str], Awaitable[Any]], at_once: int) -> None:
    """Does a piece of work for every registry, so many at a time."""
    turns = asyncio.Semaphore(at_once)

    async def one(registry: str) -> None:
        async with turns:
            await piece(registry)

    await asyncio.gather(*(one(registry) for registry in registries))


async def remember(monitor: Monitor, registries: Sequence[str]) -> None:
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

    await each_of(registries, one, _WRITES_AT_ONCE)
    await looks["containers"].note("contosoimport/transfer", now)
