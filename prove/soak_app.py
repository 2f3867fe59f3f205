"""``python -m prove.soak_app CONNECTION_FILE``: the function app in Microsoft's worker library, as its own process.

Reads one JSON line for each event on standard input, handles them side by side, and answers each with a line. A line
without an event asks it to let go of what nothing refers to any more, so that what remains can be measured.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO, Final

from localcloud.connection import connect
from localcloud.functions_host import FunctionsHost, InvocationFailed
from shared import runtime

ROOT: Final = Path(__file__).parents[1]
LONGEST_LINE: Final = 1024 * 1024


class _App:
    def __init__(self, host: FunctionsHost, answers: BinaryIO) -> None:
        self._host = host
        self._answers = answers
        self._under_way: set[asyncio.Task[None]] = set()

    async def serve(self, lines: asyncio.StreamReader) -> None:
        """Handles what comes until nothing comes any more."""
        self._say({"ready": True})
        while line := await lines.readline():
            task = asyncio.create_task(self._handle(json.loads(line)))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        await asyncio.gather(*self._under_way)

    async def _handle(self, told: dict[str, Any]) -> None:
        answer = {"number": told["number"], "raised": "", "text": ""}
        if "event" not in told:
            gc.collect()
            self._say(answer)
            return
        try:
            await self._host.deliver(told["function"], told["event"])
        except InvocationFailed as failure:
            answer |= {"raised": failure.type, "text": failure.text}
        self._say(answer)

    def _say(self, message: dict[str, Any]) -> None:
        self._answers.write(json.dumps(message).encode() + b"\n")
        self._answers.flush()


async def _main(path: str, answers: BinaryIO) -> None:
    connection = connect(path)
    runtime.use_sessions(connection.client_session)
    lines = asyncio.StreamReader(limit=LONGEST_LINE)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with await FunctionsHost.start(ROOT, connection.environment) as host:
        await _App(host, answers).serve(lines)
        await runtime.close_monitor()


def main() -> None:
    """Keeps standard output for the answers: what else is printed goes to standard error."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        asyncio.run(_main(sys.argv[1], answers))


if __name__ == "__main__":
    main()
