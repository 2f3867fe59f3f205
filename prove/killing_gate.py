"""The gate between the app and the local cloud: it counts what the app writes, and kills it at a chosen write.

Kills come at a count and not at a time, so a schedule can be played again. What matters is what has reached the
services at that moment; a kill between two reads is the same as one before the next write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from localcloud.service import Caller, Origin, Service
from prove.killing_app import PROCESS_HEADER


@dataclass(frozen=True, slots=True)
class Kill:
    """At the app's ``at``-th write from now: once it was ``applied``, before it is answered, or before it is."""

    at: int
    applied: bool


class Gate:
    """A service in front of all others. ``served`` is told of each request of the app that was carried out."""

    name = "gate"

    def __init__(self, behind: Sequence[Service], served: Callable[[Service], None]) -> None:
        self._behind = behind
        self._served = served
        self._process = 0
        self._kill: Kill | None = None
        self._do_kill: Callable[[], None] = lambda: None
        self._writes = 0
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def owns(self, host: str) -> bool:
        """What any of them owns."""
        return any(service.owns(host) for service in self._behind)

    def let_in(self, process: int, do_kill: Callable[[], None]) -> None:
        """From now on this process is the app. What comes from any other is from a dead one and is too late."""
        self._process, self._do_kill, self._kill = process, do_kill, None

    def kill_at(self, kill: Kill | None) -> None:
        """Begins to count anew."""
        self._kill, self._writes = kill, 0

    async def idle(self) -> None:
        """What the dead process had sent in time is done."""
        await self._idle.wait()

    async def handle(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        """Hands the request on, unless somebody dies of it."""
        service = next(service for service in self._behind if service.owns(request.host.partition(":")[0].lower()))
        if caller.origin is not Origin.MONITOR:
            return await service.handle(request, caller)
        if request.headers.get(PROCESS_HEADER) != str(self._process):
            return _cut(request)
        dies = self._is_last(request, service)
        if dies and self._kill is not None and not self._kill.applied:
            return self._die(request)
        self._under_way += 1
        self._idle.clear()
        try:
            response = await service.handle(request, caller)
            self._served(service)
        except Exception:
            if request.headers[PROCESS_HEADER] == str(self._process):
                raise
            # Whoever sent it was killed over the rest of it.
            return _cut(request)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()
        return self._die(request) if dies else response

    def _is_last(self, request: web.Request, service: Service) -> bool:
        if self._kill is None or not _is_write(request, service):
            return False
        self._writes += 1
        return self._writes == self._kill.at

    def _die(self, request: web.Request) -> web.StreamResponse:
        self._kill, self._process = None, 0
        self._do_kill()
        return _cut(request)


def _is_write(request: web.Request, service: Service) -> bool:
    return service.name in {"storage", "ingestion", "topic"} and request.method in {"PUT", "POST", "DELETE"}


def _cut(request: web.Request) -> web.StreamResponse:
    transport: Any = request.transport
    if transport is not None:
        transport.abort()
    return web.Response(status=500)
