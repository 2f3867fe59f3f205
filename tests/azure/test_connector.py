"""A closed session leaves no connection behind, not even that of a request that was given up."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import trustme

from shared.connector import ClosingConnector, plain_socket

LOOPBACK = "127.0.0.1"


@dataclass
class Mute:
    """A server that shakes hands, reads one request and says nothing again, not even good-bye."""

    listener: socket.socket
    context: ssl.SSLContext
    trusted: ssl.SSLContext
    heard: threading.Event = field(default_factory=threading.Event)
    held: list[socket.socket] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://{LOOPBACK}:{self.listener.getsockname()[1]}/"

    def serve(self) -> None:
        """Until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = self.listener.accept()
                self.held.append(accepted)
                with contextlib.suppress(OSError):
                    self.held[-1] = self.context.wrap_socket(accepted, server_side=True)
                    if self.held[-1].recv(1):
                        self.heard.set()


@pytest.fixture
def mute() -> Iterator[Mute]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(LOOPBACK).configure_cert(context)
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(trusted)
    server = Mute(socket.create_server((LOOPBACK, 0)), context, trusted)
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield server
    server.listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    for each in [server.listener, *server.held]:
        each.close()


@dataclass
class Recorded:
    """What a session made: a connector over ``trusted`` whose sockets are kept, to see what became of them."""

    trusted: ssl.SSLContext
    made: list[socket.socket] = field(default_factory=list)

    def session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=ClosingConnector(ssl=self.trusted, socket_factory=self._socket))

    @property
    def open(self) -> list[socket.socket]:
        return [each for each in self.made if each.fileno() != -1]

    def _socket(self, address: Any) -> socket.socket:
        self.made.append(plain_socket(address))
        return self.made[-1]


async def test_the_connection_of_a_request_that_was_canceled_is_closed_with_the_session(mute: Mute) -> None:
    recorded = Recorded(mute.trusted)
    async with recorded.session() as session:
        asked = asyncio.create_task(_get(session, mute.url))
        assert await asyncio.to_thread(mute.heard.wait, 30)
        asked.cancel()
        await asyncio.wait([asked])
        assert recorded.open, "aiohttp waits for a good-bye that does not come"
    assert len(recorded.made) == 1
    assert not recorded.open


async def _get(session: aiohttp.ClientSession, url: str) -> None:
    async with session.get(url) as answer:
        await answer.read()
