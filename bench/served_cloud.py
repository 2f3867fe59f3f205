"""A local cloud in a process of its own, so that its work is not counted as the product's."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from localcloud.connection import Connection, connect


@asynccontextmanager
async def served_cloud(world: str, latency: float) -> AsyncIterator[Connection]:
    """Serves the world that ``world`` (``module:function``) builds, and stops with the block."""
    async with served_file(world, latency) as path:
        yield connect(path)


@asynccontextmanager
async def served_file(world: str, latency: float) -> AsyncIterator[str]:
    """The same, for processes of their own: the path of the connection file."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "localcloud", "serve", "--latency", str(latency), "--world", world),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        path = (await process.stdout.readline()).decode().strip()
        if not path:
            raise RuntimeError("the local cloud did not start")
        yield path
    finally:
        process.stdin.close()
        await process.wait()
