"""The front: one TLS server on loopback that every host name of the local cloud leads to.

It finds the service by the Host header, reads the bearer token, lets faults interfere, waits for the latency
that is asked for, and keeps a record of each request. The services behind it do the rest.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

from aiohttp import web

from localcloud.service import (
    Caller,
    Fault,
    FaultAction,
    Hang,
    LoseAnswer,
    MalformedJson,
    RequestLog,
    RequestRecord,
    Reset,
    Service,
    Status,
    Truncate,
)
from localcloud.tokens import ORIGIN_HEADER, Tokens

BODY_LIMIT = 256 * 1024 * 1024
LOOPBACK = "127.0.0.1"


class Front:
    """Servers, and what they have in common."""

    def __init__(self, tokens: Tokens) -> None:
        self.services: list[Service] = []
        self.faults: list[Fault] = []
        self.requests = RequestLog()
        self.latency = 0.0
        self.broken: list[BaseException] = []
        """Exceptions of the local cloud itself: a fake that breaks must not pass for a service that fails."""
        self._tokens = tokens
        self._closing = asyncio.Event()
        self._runners: list[web.AppRunner] = []

    def service_for(self, host: str) -> Service | None:
        return next((service for service in self.services if service.owns(host)), None)

    async def listen(self, services: Sequence[Service] | None, context: ssl.SSLContext | None) -> int:
        """Serve these services, or whichever the host name asks for, on a free port."""

        async def answer(request: web.Request) -> web.StreamResponse:
            host = request.host.rpartition(":")[0] or request.host
            service = services[0] if services else self.service_for(host.lower())
            return _cut(request) if service is None else await self._answer(service, request)

        app = web.Application(client_max_size=BODY_LIMIT)
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, auto_decompress=False)
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, LOOPBACK, 0, ssl_context=context)
        await site.start()
        return int(runner.addresses[0][1])

    async def close(self) -> None:
        self._closing.set()
        for runner in self._runners:
            await runner.cleanup()

    async def _answer(self, service: Service, request: web.Request) -> web.StreamResponse:
        headers = request.headers
        caller = self._tokens.caller(headers.get("Authorization"), headers.get(ORIGIN_HEADER))
        if self.latency:
            await asyncio.sleep(self.latency)
        fault = next((fault for fault in self.faults if fault.applies(service.name, request, caller.origin)), None)
        if fault is None:
            response = await self._serve(service, request, caller)
        else:
            fault.hits += 1
            response = await self._interfere(fault.action, service, request, caller)
        self._record(service, request, caller, response)
        return response

    async def _serve(self, service: Service, request: web.Request, caller: Caller) -> web.StreamResponse:
        try:
            return await service.handle(request, caller)
        except (ConnectionError, asyncio.CancelledError):
            raise  # the client went away
        except Exception as error:
            if request.transport is None or request.transport.is_closing():
                # In the middle of its body: whoever reads that has an error of their own for it.
                raise ConnectionResetError("the client went away") from error
            self.broken.append(error)
            return web.json_response({"error": {"code": "LocalCloudIsBroken", "message": repr(error)}}, status=500)

    async def _interfere(
        self, action: FaultAction, service: Service, request: web.Request, caller: Caller
    ) -> web.StreamResponse:
        match action:
            case Status(status, headers, body):
                data = body.encode() if isinstance(body, str) else body
                return web.Response(status=status, headers=dict(headers), body=data)
            case MalformedJson(body):
                return web.Response(body=body, content_type="application/json")
            case Truncate():
                return await _half(request, action)
            case Hang():
                await self._closing.wait()
            case LoseAnswer():
                await self._serve(service, request, caller)
            case Reset():
                pass
        return _cut(request)

    def _record(self, service: Service, request: web.Request, caller: Caller, response: web.StreamResponse) -> None:
        cut = request.transport is None or request.transport.is_closing()
        self.requests.append(
            RequestRecord(
                service.name,
                request.method,
                request.host,
                request.path,
                caller.principal_id,
                0 if cut else response.status,
                query=dict(request.query),
                origin=caller.origin,
                user_agent=request.headers.get("User-Agent", ""),
            )
        )


async def _half(request: web.Request, truncation: Truncate) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(2 * len(truncation.body))})
    response.content_type = truncation.content_type
    await response.prepare(request)
    await response.write(truncation.body)
    if request.transport is not None:
        request.transport.close()
    return response


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
