"""``python -m prove.killing_app SOCKET``: the function app's work as a process of its own that can be killed.

The first process imports everything and waits; for each line on its standard input it forks one that is ready to
work, so that a start costs milliseconds. Whoever works is told by JSON lines over the socket what to do, and
answers each event as a Functions host would: taken, or raised.

Only one thing is not the product's: the clock, which can be put ahead.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import pkgutil
import signal
import ssl
import sys
from collections.abc import Awaitable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import time_machine

import shared
from localcloud.names import ask_name_server, client_session
from shared import runtime
from shared.errors import MonitorError, TransientError
from shared.events import read_event
from shared.monitor import Monitor
from shared.settings import read_settings
from shared.sweep import Sweep

LONGEST_LINE: Final = 4 * 1024 * 1024
PROCESS_HEADER: Final = "x-prove-process"
Message = dict[str, Any]


def import_everything() -> None:
    """What is imported on first use would otherwise be imported by each process anew."""
    for module in pkgutil.walk_packages(shared.__path__, "shared."):
        importlib.import_module(module.name)
    for name in ("azure.identity.aio", "azure.eventgrid.aio", "azure.monitor.ingestion.aio", "azure.storage.blob.aio"):
        importlib.import_module(name)


@contextlib.contextmanager
def clock_ahead(by: timedelta) -> Iterator[time_machine.Traveller]:
    """The clock goes on as ever, but so much later."""
    with time_machine.travel(datetime.now(UTC) + by, tick=True) as clock:
        yield clock


class App:
    """One process of the function app."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def work(self) -> None:
        """Does what it is told until nobody is there any more."""
        self._say({"process": os.getpid()})
        start = await self._heard()
        if start is None:
            return
        with clock_ahead(timedelta(seconds=start["ahead"])) as clock:
            monitor = _monitor(start)
            try:
                while (told := await self._heard()) is not None:
                    if "ahead" in told:
                        clock.shift(timedelta(seconds=told["ahead"]))
                    else:
                        await self._do(monitor, told)
            finally:
                await monitor.close()

    async def _do(self, monitor: Monitor, told: Message) -> None:
        """Everything at once, as a host does with what arrives at the same moment."""
        doors = {"run": monitor.run_event, "blob": monitor.blob_event}
        work = [
            self._answer(number, doors[delivery["door"]](read_event(delivery["event"])))
            for number, delivery in enumerate(told["events"])
        ]
        if told["sweep"]:
            work.append(self._answer("sweep", Sweep(monitor).run()))
        await asyncio.gather(*work)
        self._say({"done": True})

    async def _answer(self, what: int | str, handled: Awaitable[object]) -> None:
        answer: Message = {"of": what, "raised": "", "foreseen": True}
        try:
            await handled
        except MonitorError as error:
            answer |= {"raised": f"{type(error).__name__}: {error}", "foreseen": isinstance(error, TransientError)}
        except Exception as error:  # noqa: BLE001 - a host takes anything for a failure; the judge does not
            answer |= {"raised": f"{type(error).__name__}: {error}", "foreseen": False}
        self._say(answer)

    def _say(self, message: Message) -> None:
        self._writer.write(json.dumps(message).encode() + b"\n")

    async def _heard(self) -> Message | None:
        line = await self._reader.readline()
        return json.loads(line) if line else None


def _monitor(start: Mapping[str, Any]) -> Monitor:
    os.environ.update(start["environment"])
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusted.load_verify_locations(cadata=start["authority"])
    exists = ask_name_server(start["name_server_port"])
    headers = {PROCESS_HEADER: str(os.getpid())}
    runtime.use_sessions(lambda: client_session(start["front_port"], exists, trusted, headers))
    return runtime.make_monitor(read_settings(start["environment"]))


async def _work(socket_path: str) -> None:
    reader, writer = await asyncio.open_unix_connection(socket_path, limit=LONGEST_LINE)
    try:
        await App(reader, writer).work()
    finally:
        writer.close()


def main() -> None:
    """Forks a process for each line that comes in."""
    socket_path = sys.argv[1]
    import_everything()
    # Nobody asks how they ended: most of them are killed.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _ in sys.stdin:
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            asyncio.run(_work(socket_path))
            os._exit(0)


if __name__ == "__main__":
    main()
