"""``acrtm view``: a page on this machine, or the same frozen into one file."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import webbrowser
from pathlib import Path

from acrtm.answering import answering
from acrtm.exits import ExitCode, Problem, WrongUsage
from acrtm.output import DEFAULT_FORMAT
from acrtm.terminal import clean, console
from acrtm.view import files
from acrtm.view.report import report
from acrtm.view.server import Server
from embedded import EmbeddedStore, default_path


def view(*, output: str, port: int, browser: bool) -> int:
    """``acrtm view``. With ``output``, writes a file instead of serving."""
    with answering(DEFAULT_FORMAT):
        workbook = files.workbook()
        # Before anything is served: without them the page would stay empty, and only the server's log would say why.
        files.check_libraries()
        store = EmbeddedStore.open()
        if output:
            _write(Path(output), report(workbook, store))
            return int(ExitCode.OK)
        asyncio.run(_serve(Server(store, workbook), port, browser=browser))
        return int(ExitCode.OK)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise WrongUsage(f"{path} can't be written: {error.strerror}.") from None
    size = len(text.encode()) / 1_000_000
    console(stderr=True).print(f"Written: {clean(str(path))} ({size:.1f} MB, needs no network)", soft_wrap=True)


async def _serve(server: Server, port: int, *, browser: bool) -> None:
    try:
        await server.start(port)
    except OSError as error:
        raise Problem(f"Port {port} can't be listened on: {error.strerror}.", "Name another one, or none.") from None
    out = console()
    out.print(server.address, style="bold", soft_wrap=True)
    err = console(stderr=True)
    err.print(f"The findings of {clean(str(default_path()))}, on this machine only. Ctrl+C ends it.", soft_wrap=True)
    await server.warm_up()
    if browser:
        await asyncio.to_thread(webbrowser.open, server.address)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl+C ends the loop by itself
            loop.add_signal_handler(number, ended.set)
    try:
        await ended.wait()
    finally:
        await server.close()
