"""``python -m localcloud serve``."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process

import pytest

import localcloud


async def start(*arguments: str) -> tuple[Process, localcloud.Connection]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-m", "localcloud", "serve", *arguments, stdin=PIPE, stdout=PIPE
    )
    assert process.stdout is not None
    path = (await process.stdout.readline()).decode().strip()
    return process, await asyncio.to_thread(localcloud.connect, path)


@pytest.mark.parametrize("by_signal", [False, True])
async def test_it_serves_until_it_is_told_to_stop(by_signal: bool) -> None:
    process, connection = await start("--latency", "0.01")
    registries = connection.environment["MONITORED_REGISTRIES"].split(",")
    assert [name.rpartition("/")[2] for name in registries] == ["contosohub", "contosoedge"]
    async with connection.client_session() as session:
        url = f"https://management.azure.com{registries[0]}?api-version=2025-11-01"
        async with session.get(url) as answer:
            assert answer.status == 401
    if by_signal:
        process.send_signal(signal.SIGTERM)
    else:
        assert process.stdin is not None
        process.stdin.close()
    assert process.stdout is not None
    said = await process.stdout.read()
    assert await process.wait() == 0
    assert json.loads(said)["requests"]["arm"] == 1
