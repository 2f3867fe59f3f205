"""One service of the local cloud on loopback, without the front: a test says who calls."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

import pytest
from aiohttp import ClientSession, web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from localcloud.service import Caller, Service

    class Serve(Protocol):
        def __call__(
            self, service: Service, caller: Caller, *, auto_decompress: bool = False
        ) -> AbstractAsyncContextManager[ClientSession]: ...


@asynccontextmanager
async def _serve(service: Service, caller: Caller, *, auto_decompress: bool = False) -> AsyncIterator[ClientSession]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await service.handle(request, caller)

    app = web.Application(client_max_size=8 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, auto_decompress=auto_decompress)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        async with ClientSession(f"http://{host}:{port}") as session:
            yield session
    finally:
        await runner.cleanup()


@pytest.fixture
def serve() -> Serve:
    """`async with serve(service, caller) as session`."""
    return _serve
