"""``python -m localcloud serve``: a local cloud as a process of its own, for benchmarks and for a look around.

It prints the path of its connection file (for ``localcloud.connect``) and serves until its standard input is closed
or it is told to stop; then it prints how many requests each service has answered, as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import inspect
import json
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from localcloud import exec as execute
from localcloud.cloud import LocalCloud
from localcloud.ingestion import LogsIngestion
from localcloud.topic import AlertTopic

STDIN = 0


def main() -> None:
    arguments = _arguments()
    if arguments.command == "exec":
        sys.exit(execute.run(arguments.connection_file, arguments.arguments))
    asyncio.run(_serve(_builder(arguments.world), arguments.latency, arguments.poll))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m localcloud", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    execute.add_parser(commands)
    serve = commands.add_parser("serve")
    serve.add_argument("--latency", type=float, default=0.0, help="seconds added to every answer")
    serve.add_argument(
        "--world",
        default="localcloud.scenario:demo",
        help="module:function that builds the world; it is given the LocalCloud and may be async",
    )
    serve.add_argument("--poll", type=float, default=0.0, help="poll the source triggers every so many seconds")
    return parser.parse_args()


def _builder(name: str) -> Callable[[LocalCloud], Any]:
    module, _, function = name.partition(":")
    builder: Callable[[LocalCloud], Any] = getattr(importlib.import_module(module), function)
    return builder


async def _serve(build: Callable[[LocalCloud], Any], latency: float, poll: float) -> None:
    services = (LogsIngestion.for_world, AlertTopic.for_world)
    async with LocalCloud.start(services=services) as cloud:
        built = build(cloud)
        if inspect.isawaitable(built):
            await built
        # Building is no part of what is measured.
        cloud.requests.clear()
        cloud.latency = latency
        if poll:
            cloud.keep_polling(poll)
        print(cloud.connection_file, flush=True)
        await _told_to_stop()
        counts = Counter(record.service for record in cloud.requests)
        print(json.dumps({"requests": counts}), flush=True)


async def _told_to_stop() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def read_to_the_end() -> None:
        while os.read(STDIN, 4096):
            pass
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            loop.call_soon_threadsafe(stop.set)

    # A thread, as the loop can't wait for every kind of standard input (a file, for one).
    threading.Thread(target=read_to_the_end, daemon=True).start()
    await stop.wait()


if __name__ == "__main__":
    main()
