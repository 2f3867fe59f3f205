"""The app's processes as who starts and kills them sees them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from localcloud import LocalCloud
from prove.killing_app import LONGEST_LINE

# A process that neither answers nor ends within this time (seconds) hangs, which no schedule may bring about.
_HANGS_AFTER: Final = 60.0
_ROOT: Final = Path(__file__).parents[1]
Delivery = Mapping[str, Any]


@dataclass(slots=True)
class Answers:
    """What became of one round of work: by the number of the event, or ``sweep``."""

    taken: set[int | str] = field(default_factory=set)
    raised: dict[int | str, str] = field(default_factory=dict)
    unforeseen: list[str] = field(default_factory=list)
    killed: bool = False


class Process:
    """One process of the app."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self._reader = reader
        self._writer = writer

    def start(self, cloud: LocalCloud, ahead: float) -> None:
        """Gives it its settings; ``ahead`` is how many seconds its clock is ahead of the machine's."""
        connection = cloud.connection
        self._say(
            {
                "environment": connection.environment,
                "front_port": connection.front_port,
                "name_server_port": connection.name_server_port,
                "authority": connection.authority_pem,
                "ahead": ahead,
            }
        )

    def shift(self, seconds: float) -> None:
        """Puts its clock further ahead."""
        self._say({"ahead": seconds})

    async def work(self, events: Sequence[Delivery], *, sweep: bool) -> Answers:
        """Hands it events, and the timer, all at once. Returns when all is done, or the process is dead."""
        self._say({"events": list(events), "sweep": sweep})
        answers = Answers()
        while True:
            line = await asyncio.wait_for(self._line(), _HANGS_AFTER)
            if not line.endswith(b"\n"):
                answers.killed = True
                return answers
            answer = json.loads(line)
            if "done" in answer:
                return answers
            if not answer["raised"]:
                answers.taken.add(answer["of"])
                continue
            answers.raised[answer["of"]] = answer["raised"]
            if not answer["foreseen"]:
                answers.unforeseen.append(answer["raised"])

    async def _line(self) -> bytes:
        try:
            return await self._reader.readline()
        except ConnectionError:
            return b""

    def kill(self) -> None:
        """``kill -9``."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.number, signal.SIGKILL)

    async def ended(self) -> None:
        """The system has taken the process away: its end of the socket is closed."""
        while await asyncio.wait_for(self._line(), _HANGS_AFTER):
            pass
        self._writer.close()

    def _say(self, message: Mapping[str, Any]) -> None:
        self._writer.write(json.dumps(message).encode() + b"\n")


class Processes:
    """Starts processes of the app; one is always ready to take over."""

    def __init__(self, template: asyncio.subprocess.Process) -> None:
        self._template = template
        self._ready: asyncio.Queue[Process] = asyncio.Queue()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls) -> AsyncIterator[Processes]:
        """With the process that the others are forked from."""
        with tempfile.TemporaryDirectory(prefix="killing-") as folder:
            path = str(Path(folder) / "socket")
            template = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "prove.killing_app", path), stdin=asyncio.subprocess.PIPE, cwd=_ROOT
            )
            processes = cls(template)
            server = await asyncio.start_unix_server(processes._came_up, path, limit=LONGEST_LINE)
            try:
                processes._fork()
                yield processes
            finally:
                # The last one waits for its settings; without them it ends by itself.
                last = await processes._next()
                last.kill()
                await last.ended()
                assert template.stdin is not None
                template.stdin.close()
                await template.wait()
                server.close()

    async def start(self, cloud: LocalCloud, ahead: float) -> Process:
        """A new process of the app, over this cloud."""
        process = await self._next()
        self._fork()
        process.start(cloud, ahead)
        return process

    async def _next(self) -> Process:
        return await asyncio.wait_for(self._ready.get(), _HANGS_AFTER)

    def _fork(self) -> None:
        assert self._template.stdin is not None
        self._template.stdin.write(b"one more\n")

    async def _came_up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = json.loads(await reader.readline())
        self._ready.put_nowait(Process(hello["process"], reader, writer))
