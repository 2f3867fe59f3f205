"""The connector of every session: when it is closed, its connections are."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import weakref
from collections.abc import Callable
from typing import Any, Final

import aiohttp

SocketFactory = Callable[[Any], socket.socket]

_CLOSED_WITHIN: Final = 1.0  # seconds; a turn or two of the event loop is what it takes


def plain_socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket for one of aiohttp's address tuples, as aiohttp itself makes it."""
    family, kind, protocol, _, _ = address
    return socket.socket(family, kind, protocol)


class ClosingConnector(aiohttp.TCPConnector):
    """A connector whose ``close`` ends the connections that aiohttp no longer knows, too.

    A command that fails cancels what else it asked, and its event loop ends a moment later. The connection of a
    canceled request then still waits for the other side's TLS good-bye, out of aiohttp's sight: it would be left open.
    """

    def __init__(self, *, socket_factory: SocketFactory = plain_socket, **options: Any) -> None:
        super().__init__(socket_factory=self._remembered, **options)
        self._make_socket = socket_factory
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def _remembered(self, address: Any) -> socket.socket:
        made = self._make_socket(address)
        self._sockets.add(made)
        return made

    async def close(self, *, abort_ssl: bool = False) -> None:
        """Closes every connection, also one that waits for a good-bye."""
        await super().close(abort_ssl=abort_ssl)
        left = [each for each in self._sockets if _is_open(each)]
        for each in left:
            # Its transport reads the end of the stream, whatever it was doing, and closes.
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSED_WITHIN):
                while any(map(_is_open, left)):  # noqa: ASYNC110 - nothing tells when a socket is closed
                    await asyncio.sleep(0)


def _is_open(made: socket.socket) -> bool:
    return made.fileno() != -1
