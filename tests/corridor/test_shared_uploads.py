"""Requests that events share: who shares, what is split, and whose failure is whose."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import NotStored, Unreachable
from shared.sinks import shared_uploads
from shared.sinks.shared_uploads import MOST_BYTES, MOST_REQUESTS, SharedUploads, TooLarge, split

KB: Final = 1_000


class Service:
    """Takes bodies; each waits at the gate, is refused if it is too large, or if an item of it is poison."""

    def __init__(self, limit: int = 10 * MOST_BYTES) -> None:
        self.limit = limit
        self.bodies: list[list[bytes]] = []
        self.taken: list[bytes] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.under_way = 0
        self.most_under_way = 0

    async def send(self, items: Sequence[bytes]) -> None:
        """One request."""
        self.bodies.append(list(items))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(0)
            await self.gate.wait()
            if sum(len(item) + 1 for item in items) > self.limit:
                raise TooLarge("413")
            if b"poison" in items:
                raise Unreachable("Logs ingestion", "dcr", "500")
            if b"bug" in items:
                raise ZeroDivisionError
            self.taken += items
        finally:
            self.under_way -= 1


async def settled(turns: int = 10) -> None:
    """Lets everybody who can go on go on."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def test_a_quiet_monitor_sends_at_once() -> None:
    service = Service()
    await SharedUploads(service.send).add([b"a", b"b"])
    assert service.bodies == [[b"a", b"b"]]


async def test_nothing_is_sent_for_nothing() -> None:
    service = Service()
    await SharedUploads(service.send).add([])
    assert service.bodies == []


async def test_what_arrives_meanwhile_goes_along_with_the_next() -> None:
    service = Service()
    service.gate.clear()
    uploads = SharedUploads(service.send)
    adding = [asyncio.create_task(uploads.add([str(number).encode()])) for number in range(20)]
    await settled()
    assert service.bodies == [[b"0"], [b"1"]], "two under way, the others gather"
    assert not any(task.done() for task in adding)
    service.gate.set()
    await asyncio.gather(*adding)
    assert uploads.requests == 3
    assert service.bodies[2] == [str(number).encode() for number in range(2, 20)]
    assert service.most_under_way == MOST_REQUESTS
    assert sorted(service.taken) == sorted(str(number).encode() for number in range(20))


async def test_a_request_that_hangs_does_not_hold_up_the_others() -> None:
    service = Service()
    service.gate.clear()
    uploads = SharedUploads(service.send)
    hanging = asyncio.create_task(uploads.add([b"hanging"]))
    await settled()
    service.gate, closed = asyncio.Event(), service.gate
    service.gate.set()
    await uploads.add([b"a"])
    await uploads.add([b"b"])
    assert service.taken == [b"a", b"b"]
    assert not hanging.done()
    closed.set()
    await hanging


async def test_one_who_waits_and_gives_up_takes_nobody_along() -> None:
    service = Service()
    service.gate.clear()
    uploads = SharedUploads(service.send)
    adding = [asyncio.create_task(uploads.add([str(number).encode()])) for number in range(5)]
    await settled()
    adding[0].cancel()  # under way already
    adding[3].cancel()  # still waiting
    await settled()
    service.gate.set()
    answers = await asyncio.gather(*adding, return_exceptions=True)
    assert [type(answer) for answer in answers if answer is not None] == [asyncio.CancelledError] * 2
    assert {b"1", b"2", b"4"} <= set(service.taken)
    assert b"3" not in service.taken, "nobody waits for it any more: its event comes again"
    await uploads.add([b"next"])
    assert service.taken[-1] == b"next"


async def test_when_all_have_given_up_nothing_is_sent() -> None:
    service = Service()
    service.gate.clear()
    uploads = SharedUploads(service.send)
    adding = [asyncio.create_task(uploads.add([str(number).encode()])) for number in range(4)]
    await settled()
    for task in adding[2:]:
        task.cancel()
    await settled()
    service.gate.set()
    await asyncio.gather(*adding, return_exceptions=True)
    await settled()
    assert service.bodies == [[b"0"], [b"1"]]


async def test_a_refusal_is_everybodys_whose_items_were_in_the_body_and_nobody_elses() -> None:
    service = Service()
    service.gate.clear()
    uploads = SharedUploads(service.send)
    first = asyncio.create_task(uploads.add([b"poison"]))
    second = asyncio.create_task(uploads.add([b"fine"]))
    await settled()
    shared = [asyncio.create_task(uploads.add([item])) for item in (b"neighbour", b"poison")]
    await settled()
    service.gate.set()
    answers = await asyncio.gather(first, second, *shared, return_exceptions=True)
    assert [type(answer) for answer in answers] == [Unreachable, type(None), Unreachable, Unreachable]
    assert service.taken == [b"fine"]


async def test_an_error_that_nobody_foresaw_is_not_stored_either() -> None:
    service = Service()
    uploads = SharedUploads(service.send)
    with pytest.raises(NotStored, match="ZeroDivisionError"):
        await uploads.add([b"bug"])
    await uploads.add([b"fine"])
    assert service.taken == [b"fine"]


async def test_too_large_is_halved_until_it_fits() -> None:
    items = [bytes([65 + number]) * 100 for number in range(8)]
    service = Service(limit=250)
    uploads = SharedUploads(service.send)
    await uploads.add(items)
    assert service.taken == items
    assert [len(body) for body in service.bodies] == [8, 4, 2, 2, 4, 2, 2]


async def test_too_large_together_is_sent_apart() -> None:
    service = Service(limit=250)
    service.gate.clear()
    uploads = SharedUploads(service.send)
    adding = [asyncio.create_task(uploads.add([bytes([65 + number]) * 100])) for number in range(7)]
    await settled()
    service.gate.set()
    await asyncio.gather(*adding)
    assert sorted(service.taken) == [bytes([65 + number]) * 100 for number in range(7)]


async def test_one_item_that_never_fits_fails_alone() -> None:
    service = Service(limit=250)
    service.gate.clear()
    uploads = SharedUploads(service.send)
    adding = [asyncio.create_task(uploads.add([b"x" * size])) for size in (10, 20, 30, 400, 50)]
    await settled()
    service.gate.set()
    answers = await asyncio.gather(*adding, return_exceptions=True)
    assert [type(answer) for answer in answers] == [type(None)] * 3 + [TooLarge, type(None)]
    with pytest.raises(TooLarge):
        await uploads.add([b"a", b"x" * 400, b"b"])
    assert service.taken[-2:] == [b"a", b"b"], "what fits is stored, and stored again when the event comes again"


async def test_no_body_is_over_the_limit() -> None:
    service = Service()
    service.gate.clear()
    uploads = SharedUploads(service.send)
    adding = [asyncio.create_task(uploads.add([b"x" * (300 * KB)] * 2)) for _ in range(6)]
    await settled()
    service.gate.set()
    await asyncio.gather(*adding)
    assert max(sum(len(item) + 1 for item in body) for body in service.bodies) <= MOST_BYTES
    assert len(service.taken) == 12


@given(st.lists(st.integers(0, 60), max_size=40), st.integers(1, 100))
def test_split_keeps_everything_in_order_and_within_the_limit(sizes: list[int], limit: int) -> None:
    items = [b"x" * size for size in sizes]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_uploads, "MOST_BYTES", limit)
        parts = split(items)
    assert [item for part in parts for item in part] == items
    assert all(part for part in parts)
    for part in parts:
        assert len(part) == 1 or sum(len(item) + 1 for item in part) <= limit
    # No fewer requests would do: the next part's first item did not fit any more.
    for part, following in itertools.pairwise(parts):
        assert sum(len(item) + 1 for item in (*part, following[0])) > limit


def test_a_whole_body_fits_into_the_services_limit() -> None:
    # Each item is followed by a comma or the closing bracket, and the opening one is one more.
    assert MOST_BYTES + 1 < 1024 * 1024
