"""Event Grid, as far as the soak needs it: events out of order, some twice, and what is raised comes again."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from localcloud import LocalCloud
from localcloud.service import Fault, Origin, Status
from prove.soak_app import LONGEST_LINE, ROOT
from prove.soak_world import Delivery
from shared.sinks.run_marks import CLAIM_LASTS

AT_ONCE: Final = 50
# Of so many events one finds its run or blob unreadable at first, and one is delivered twice.
ONE_UNREADABLE_OF: Final = 20
ONE_TWICE_OF: Final = 20
# The next requests to the ingestion, then to the state store, are refused whenever so many events are done, and
# at least four times.
_REFUSED_EVERY: Final = 250
_FEWEST_TIMES: Final = 4
_REFUSED: Final = 12
# An SDK asks once more by itself.
_REFUSALS_OF_A_READ: Final = 2
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 3.0
# Event Grid tries for a day. A claim that could not be given back, as that write was refused too, lasts a minute.
_GIVEN_UP_AFTER: Final = 3 * CLAIM_LASTS.total_seconds()

Told = Callable[[int], Awaitable[None]]


class AppIsGone(Exception):
    """The app's process has ended before its work was done."""


class AppProcess:
    """The app as the soak sees it: events in, answers out, and a process whose memory can be looked at."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0

    @classmethod
    @asynccontextmanager
    async def started(cls, cloud: LocalCloud) -> AsyncIterator[AppProcess]:
        """The app, ready to take events."""
        with tempfile.TemporaryFile() as complaints:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "prove.soak_app", str(cloud.connection_file)),
                cwd=ROOT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=complaints,
                limit=LONGEST_LINE,
            )
            assert process.stdin is not None
            assert process.stdout is not None
            app = cls(process)
            try:
                if not await process.stdout.readline():
                    complaints.seek(0)
                    raise AppIsGone(f"the app did not start: {complaints.read().decode(errors='replace')[-4_000:]}")
                reading = asyncio.create_task(app._read(process.stdout))
                yield app
                process.stdin.close()
                await reading
            finally:
                if process.returncode is None and not process.stdin.is_closing():
                    process.kill()
                await process.wait()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    async def handle(self, delivery: Delivery) -> tuple[str, str]:
        """The exception's type and text if the function raised; both empty if the event was taken."""
        said = await self._ask({"function": delivery.function, "event": delivery.event})
        return said["raised"], said["text"]

    async def collect_garbage(self) -> None:
        """Lets the app give back what nothing refers to any more: what waits for that is no growth."""
        await self._ask({})

    async def _ask(self, told: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked[self._number] = answer
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"number": self._number, **told}).encode() + b"\n")
        await self._process.stdin.drain()
        return await answer

    async def _read(self, answers: asyncio.StreamReader) -> None:
        while line := await answers.readline():
            said = json.loads(line)
            self._asked.pop(said["number"]).set_result(said)
        for waiting in self._asked.values():
            waiting.set_exception(AppIsGone("the app's process has ended"))


class Weather:
    """What fails for a moment: the first reads of some runs and blobs, and now and then every upload or write."""

    def __init__(self, cloud: LocalCloud, events: int, unreadable: Sequence[str]) -> None:
        self._every = min(_REFUSED_EVERY, events // (_FEWEST_TIMES + 1))
        self._reads = dict.fromkeys(unreadable, _REFUSALS_OF_A_READ)
        self._left = {"ingestion": 0, "storage": 0}
        places = {
            "arm": self._read_refused,
            "storage": lambda request: self._read_refused(request) or self._write_refused(request),
            "ingestion": lambda _request: self._used_up("ingestion"),
        }
        cloud.faults.extend(
            Fault(service, match=match, action=Status(503), origin=Origin.MONITOR) for service, match in places.items()
        )

    def turn(self, done: int) -> None:
        """So many events are done: perhaps it is time for something to fail."""
        times, rest = divmod(done, self._every)
        if not rest:
            self._left["storage" if times % 2 else "ingestion"] = _REFUSED

    def _read_refused(self, request: web.Request) -> bool:
        name = request.path.rpartition("/")[2]
        if self._reads.get(name, 0) <= 0:
            return False
        self._reads[name] -= 1
        return True

    def _write_refused(self, request: web.Request) -> bool:
        return request.method == "PUT" and self._used_up("storage")

    def _used_up(self, service: str) -> bool:
        if self._left[service] <= 0:
            return False
        self._left[service] -= 1
        return True


@dataclass(slots=True)
class Delivered:
    """How the deliveries went. ``raised`` counts exceptions by type; who never was taken is in ``given_up``."""

    seconds: float = 0.0
    taken: int = 0
    twice: int = 0
    again: int = 0
    raised: Counter[str] = field(default_factory=Counter)
    given_up: list[str] = field(default_factory=list)


async def deliver(
    app: AppProcess, cloud: LocalCloud, deliveries: Sequence[Delivery], seed: int, told: Told
) -> Delivered:
    """Delivers everything until it is taken; ``told`` hears how many different events are done."""
    chance = random.Random(seed)
    order = list(deliveries)
    chance.shuffle(order)
    unreadable = [delivery.expected.name for delivery in order if not chance.randrange(ONE_UNREADABLE_OF)]
    weather = Weather(cloud, len(order), unreadable)
    waiting = [(delivery, False) for delivery in order]
    for place in sorted((n for n in range(len(order)) if not chance.randrange(ONE_TWICE_OF)), reverse=True):
        # Beside the first one, or long after it.
        waiting.insert(place + 1 + chance.choice((0, chance.randrange(len(order) - place))), (order[place], True))
    result = Delivered()
    upcoming = iter(waiting)

    async def lane() -> None:
        for delivery, repeated in upcoming:
            await _until_taken(app, delivery, result)
            if repeated:
                result.twice += 1
                continue
            result.taken += 1
            weather.turn(result.taken)
            await told(result.taken)

    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.TaskGroup() as lanes:
        for _ in range(AT_ONCE):
            lanes.create_task(lane())
    result.seconds = loop.time() - began
    return result


async def _until_taken(app: AppProcess, delivery: Delivery, result: Delivered) -> None:
    loop = asyncio.get_running_loop()
    give_up = loop.time() + _GIVEN_UP_AFTER
    pause = _FIRST_PAUSE
    while True:
        raised, text = await app.handle(delivery)
        if not raised:
            return
        result.raised[raised] += 1
        result.again += pause == _FIRST_PAUSE
        if loop.time() > give_up:
            result.given_up.append(f"{delivery.expected.name} was never taken: {raised}: {text}")
            return
        await asyncio.sleep(pause)
        pause = min(pause + _FIRST_PAUSE, _LONGEST_PAUSE)
