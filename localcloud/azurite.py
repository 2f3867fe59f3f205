"""Azurite, Microsoft's storage emulator, as a child process with a pool of accounts.

Its start takes longer than all the rest, so one Azurite serves many local clouds: each wipes it first.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree as ET

import aiohttp
import jwt
import trustme

from localcloud.world.storage import new_account_key
from shared.connector import ClosingConnector

ACCOUNT_POOL = (
    "contosoexport",
    "contosoimport",
    "contosotransfer",
    "fabrikamstorage",
    "monitorstate",
    *(f"pool{number}storage" for number in range(1, 9)),
)
LOOPBACK = "127.0.0.1"
READY_WITHIN = 60.0
# Azurite closes a connection that was idle for five seconds. One that is used at that very moment is cut, and a request
# with a body is not sent again by aiohttp.
_KEEP_IDLE = 2.0
COMPLAINTS = "stderr.txt"
MAIN = Path(__file__).parent.parent / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
_DIE_WITH_PARENT = "data:text/javascript,process.stdin.on('close',()=>process.exit()).resume()"


class AzuriteError(Exception):
    """Azurite isn't installed, or didn't start."""


@dataclass(slots=True)
class Azurite:
    """A running Azurite. It trusts every token, so only the front may talk to it."""

    port: int
    account_keys: dict[str, tuple[str, str]] = field(repr=False)
    authority: trustme.CA
    session: aiohttp.ClientSession = field(repr=False)
    written_to: set[str] = field(default_factory=set)  # accounts in which there may be something

    @classmethod
    @contextlib.asynccontextmanager
    async def start(cls) -> AsyncIterator[Azurite]:
        if not MAIN.exists():
            raise AzuriteError(f"{MAIN} is missing: run `make .make/node` (or `npm ci --ignore-scripts`) first")
        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        keys = {account: (new_account_key(), new_account_key()) for account in ACCOUNT_POOL}
        with tempfile.TemporaryDirectory(prefix="azurite-") as folder:
            async with _session(authority) as session:
                azurite = cls(_free_port(), keys, authority, session)
                process = await azurite._launch(Path(folder))
                try:
                    await azurite._wait_until_ready(process, Path(folder) / COMPLAINTS)
                    yield azurite
                finally:
                    if process.returncode is None:
                        process.kill()
                    await process.wait()

    async def _launch(self, folder: Path) -> asyncio.subprocess.Process:
        certificate = self.authority.issue_cert(LOOPBACK)
        cert, key, trusted = folder / "cert.pem", folder / "key.pem", folder / "ca.pem"
        cert.write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
        certificate.private_key_pem.write_to_path(str(key))
        self.authority.cert_pem.write_to_path(str(trusted))
        accounts = ";".join(f"{name}:{':'.join(keys)}" for name, keys in self.account_keys.items())
        with (folder / COMPLAINTS).open("wb") as complaints:
            return await asyncio.create_subprocess_exec(
                "node",
                "--import",
                _DIE_WITH_PARENT,
                str(MAIN),
                *("--blobHost", LOOPBACK, "--blobPort", str(self.port)),
                *("--cert", str(cert), "--key", str(key), "--oauth", "basic"),
                *("--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck", "--silent"),
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(folder),
                    "AZURITE_ACCOUNTS": accounts,
                    "NODE_EXTRA_CA_CERTS": str(trusted),  # a copy reads its source from Azurite itself
                },
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=complaints,
                cwd=folder,
            )

    async def _wait_until_ready(self, process: asyncio.subprocess.Process, complaints: Path) -> None:
        give_up = time.monotonic() + READY_WITHIN
        while True:
            try:
                _, writer = await asyncio.open_connection(LOOPBACK, self.port)
            except OSError:
                if process.returncode is not None:
                    said = await asyncio.to_thread(complaints.read_text, encoding="utf-8", errors="replace")
                    raise AzuriteError(f"Azurite did not start: {said}") from None
                if time.monotonic() > give_up:
                    raise AzuriteError(f"Azurite does not answer after {READY_WITHIN:.0f} s") from None
                await asyncio.sleep(0.05)
            else:
                writer.close()
                await writer.wait_closed()
                return

    def trust(self) -> ssl.SSLContext:
        """A client's context that trusts this authority, and no other: none of the system's are loaded."""
        return _trust(self.authority)

    def bearer(self) -> str:
        """A token with which Azurite lets its holder do everything."""
        moment = int(time.time())
        claims = {
            "aud": "https://storage.azure.com",
            "iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000000/",
            "iat": moment - 300,
            "nbf": moment - 300,
            "exp": moment + 24 * 3600,
        }
        return "Bearer " + jwt.encode(claims, "the signature is not looked at by basic oauth", algorithm="HS256")

    def url(self, account: str) -> str:
        return f"https://{LOOPBACK}:{self.port}/{account}"

    async def wipe(self) -> None:
        """Delete every container of every account that was written to."""
        await asyncio.gather(*(self._wipe_account(account) for account in self.written_to))
        self.written_to.clear()

    async def _wipe_account(self, account: str) -> None:
        headers = {"Authorization": self.bearer(), "x-ms-version": "2024-11-04"}
        async with self.session.get(f"{self.url(account)}?comp=list", headers=headers) as answer:
            answer.raise_for_status()
            names = [element.text for element in ET.fromstring(await answer.read()).iter("Name")]
        for name in names:
            async with self.session.delete(f"{self.url(account)}/{name}?restype=container", headers=headers) as answer:
                answer.raise_for_status()


def _session(authority: trustme.CA) -> aiohttp.ClientSession:
    """One for every local cloud on this Azurite: making a connection takes longer than using it."""
    return aiohttp.ClientSession(
        connector=ClosingConnector(ssl=_trust(authority), limit=0, keepalive_timeout=_KEEP_IDLE),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


@lru_cache(maxsize=1)
def _trust(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
