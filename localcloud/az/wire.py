"""One HTTPS request to a host of the local cloud, with little to import: a command starts for this alone.

The standard library's client takes longer to import than a request takes. HTTP/1.0 needs no more than this: the
server ends its answer by closing the connection.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping

from localcloud.az.errors import AzError
from localcloud.az.sign_in import SignIn

LOOPBACK = "127.0.0.1"
TIMEOUT = 60
_END_OF_HEADERS = b"\r\n\r\n"


class Answer:
    """A whole answer; the headers' names are in lower case."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


def ask(sign_in: SignIn, method: str, host: str, target: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
    """The answer of ``host``, wherever its name would lead outside the local cloud."""
    lines = [f"{method} {target} HTTP/1.0", f"Host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    if any("\r" in line or "\n" in line or not line.isascii() for line in lines):
        raise AzError("A header or an address can't hold this.")
    sent = "\r\n".join(lines).encode() + _END_OF_HEADERS + (body or b"")
    try:
        if not _exists(sign_in, host):
            raise AzError(f"Failed to resolve '{host}': Name or service not known")
        trust = ssl.create_default_context(cadata=sign_in.authority_pem)
        with (
            socket.create_connection((LOOPBACK, sign_in.front_port), TIMEOUT) as raw,
            trust.wrap_socket(raw, server_hostname=host) as connection,
        ):
            connection.sendall(sent)
            received = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    except OSError as error:
        raise AzError(f"Connection to '{host}' failed: {error}") from None
    return _read(received, host, has_body=method != "HEAD")


def _exists(sign_in: SignIn, host: str) -> bool:
    with socket.create_connection((LOOPBACK, sign_in.name_server_port), TIMEOUT) as asking:
        asking.sendall(host.encode("ascii", "replace") + b"\n")
        return asking.recv(16).strip() == b"yes"


def _read(received: bytes, host: str, *, has_body: bool) -> Answer:
    head, separator, body = received.partition(_END_OF_HEADERS)
    status, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    whole = not has_body or len(body) == int(headers.get("content-length", len(body)))
    if not separator or not whole:
        raise AzError(f"Connection to '{host}' failed: the connection was cut before the answer was complete")
    return Answer(int(status.split(" ", 2)[1]), headers, body)
