"""Names: what resolves, and to where. Nothing outside loopback is ever asked.

The resolver knows the front's port and asks, for each new connection, whether the host exists in the world at
this moment. In another process it asks the name server below, one line each way.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from shared.connector import ClosingConnector

LOOPBACK = "127.0.0.1"
Lookup = Callable[[str], Awaitable[bool]]


class LoopbackResolver(AbstractResolver):
    """Leads the hosts of the local cloud to its front, and fails for every other one as DNS does."""

    def __init__(self, front_port: int, exists: Lookup) -> None:
        self._front_port = front_port
        self._exists = exists

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002
    ) -> list[ResolveResult]:
        if port != 443 or not await self._exists(host.lower().rstrip(".")):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            {
                "hostname": host,
                "host": LOOPBACK,
                "port": self._front_port,
                "family": socket.AF_INET,
                "proto": socket.IPPROTO_TCP,
                "flags": socket.AI_NUMERICHOST,
            }
        ]

    async def close(self) -> None:
        """There is nothing to release."""


def loopback_socket(address: tuple[object, ...]) -> socket.socket:
    """A socket for one of aiohttp's address tuples; an address beyond loopback isn't reached at all.

    A URL with a literal address never comes to the resolver, so this is the place to stop it.
    """
    family, kind, protocol, _, peer = address
    host = str(peer[0]) if isinstance(peer, tuple) else ""
    if not ipaddress.ip_address(host).is_loopback:
        raise OSError(errno.ENETUNREACH, f"{host} is not on loopback: the local cloud leads nowhere else")
    assert isinstance(family, int)
    assert isinstance(kind, int)
    assert isinstance(protocol, int)
    return socket.socket(family, kind, protocol)


def client_session(
    front_port: int, exists: Lookup, authority: ssl.SSLContext, headers: Mapping[str, str] | None = None
) -> aiohttp.ClientSession:
    """A session as azure-core's aiohttp transport wants it, which reaches nothing but the local cloud."""
    connector = ClosingConnector(
        resolver=LoopbackResolver(front_port, exists),
        use_dns_cache=False,  # the world may lose a host at any time
        ssl=authority,
        limit=0,
        socket_factory=loopback_socket,
    )
    return aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        headers=headers,
    )


class NameServer:
    """Tells other processes which names exist."""

    def __init__(self, exists: Lookup) -> None:
        self._exists = exists
        self._server: asyncio.Server | None = None

    async def listen(self) -> int:
        self._server = await asyncio.start_server(self._answer, LOOPBACK, 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            host = (await reader.readline()).decode("ascii", "replace").strip()
            writer.write(b"yes\n" if await self._exists(host) else b"no\n")
            await writer.drain()
        writer.close()


def ask_name_server(port: int) -> Lookup:
    """Look names up in the local cloud of another process."""

    async def exists(host: str) -> bool:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        try:
            writer.write(host.encode("ascii", "replace") + b"\n")
            return (await reader.readline()).strip() == b"yes"
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    return exists
