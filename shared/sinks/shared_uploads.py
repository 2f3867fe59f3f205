"""Lets events that are handled at the same moment share requests.

Nobody waits for a timer: while a request is under way, what arrives meanwhile gathers and goes along with the
next one. A quiet monitor sends each event's items alone, a busy one sends many together, and each event still
waits until its own items were accepted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.errors import MonitorError, NotStored

# Bodies of the Logs Ingestion API and of a topic may hold 1 MiB; the brackets and commas are ours to count.
MOST_BYTES: Final = 900_000
# Two requests at once: one that hangs does not hold up everybody behind it, and more would only be emptier.
MOST_REQUESTS: Final = 2


class TooLarge(NotStored):
    """The service found the body too large; it is split and sent again."""


@dataclass(slots=True)
class _Parcel:
    """Items that belong together: one caller's, or a part of them."""

    items: tuple[bytes, ...]
    accepted: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def size(self) -> int:
        return sum(len(item) + 1 for item in self.items)


class SharedUploads:
    """Sends serialised items through ``send``, which takes one body's worth and raises if it was not accepted."""

    def __init__(self, send: Callable[[Sequence[bytes]], Awaitable[None]]) -> None:
        self._send = send
        self._waiting: deque[_Parcel] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self.requests = 0

    async def add(self, items: Sequence[bytes]) -> None:
        """Returns once all ``items`` were accepted; raises :class:`~shared.errors.NotStored` if one was not."""
        parcels = [_Parcel(part) for part in split(items)]
        self._waiting.extend(parcels)
        self._start()
        answers = await asyncio.gather(*(parcel.accepted for parcel in parcels), return_exceptions=True)
        failure = next((answer for answer in answers if isinstance(answer, BaseException)), None)
        if failure is not None:
            raise failure

    def _start(self) -> None:
        while self._waiting and len(self._running) < MOST_REQUESTS:
            task = asyncio.create_task(self._carry(self._next_load()))
            self._running.add(task)
            task.add_done_callback(self._carried)

    def _carried(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start()

    def _next_load(self) -> list[_Parcel]:
        load = [self._waiting.popleft()]
        size = load[0].size
        while self._waiting and size + self._waiting[0].size <= MOST_BYTES:
            parcel = self._waiting.popleft()
            size += parcel.size
            load.append(parcel)
        return load

    async def _carry(self, load: list[_Parcel]) -> None:
        load = [parcel for parcel in load if not parcel.accepted.cancelled()]
        if not load:
            return
        try:
            self.requests += 1
            await self._send([item for parcel in load for item in parcel.items])
        except TooLarge as error:
            await self._carry_apart(load, error)
        except MonitorError as error:
            _settle(load, error)
        except BaseException as error:
            _settle(load, NotStored(f"the upload broke off: {type(error).__name__}"))
            raise
        else:
            _settle(load, None)

    async def _carry_apart(self, load: list[_Parcel], error: TooLarge) -> None:
        """Halves what was too large, down to a single item, which nothing can be done about."""
        if len(load) > 1:
            middle = len(load) // 2
            await self._carry(load[:middle])
            await self._carry(load[middle:])
            return
        [parcel] = load
        if len(parcel.items) == 1:
            _settle(load, error)
            return
        middle = len(parcel.items) // 2
        halves = [_Parcel(parcel.items[:middle]), _Parcel(parcel.items[middle:])]
        for half in halves:
            await self._carry([half])
        failure = next((half.accepted.exception() for half in halves if half.accepted.exception()), None)
        _settle(load, failure)


def _settle(load: Sequence[_Parcel], failure: BaseException | None) -> None:
    for parcel in load:
        if parcel.accepted.done():
            continue
        if failure is None:
            parcel.accepted.set_result(None)
        else:
            parcel.accepted.set_exception(failure)
            # Whoever waited may have run out of time and gone; then nobody asks for the exception.
            parcel.accepted.exception()


def split(items: Sequence[bytes]) -> list[tuple[bytes, ...]]:
    """``items`` in parts of at most :data:`MOST_BYTES`, in their order."""
    parts: list[list[bytes]] = [[]]
    size = 0
    for item in items:
        if parts[-1] and size + len(item) + 1 > MOST_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(item)
        size += len(item) + 1
    return [tuple(part) for part in parts if part]
