"""Answers are shared for a short time, and a failure is never kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from shared import cache as caches
from shared.cache import Cache


class Source:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.failing = False

    async def load(self) -> int:
        """A number that is another one each time."""
        self.asked += 1
        number = self.asked
        await self.gate.wait()
        if self.failing:
            raise LookupError(f"failure {number}")
        return number


async def settled() -> None:
    """Lets everybody who can go on go on."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def source() -> Source:
    return Source()


async def test_an_answer_serves_everybody_for_a_while(source: Source) -> None:
    cache: Cache[int] = Cache()
    assert [await cache.get("a", source.load) for _ in range(3)] == [1, 1, 1]
    assert await cache.get(("a", "b"), source.load) == 2


async def test_one_load_serves_all_who_ask_meanwhile(source: Source) -> None:
    cache: Cache[int] = Cache()
    source.gate.clear()
    asking = [asyncio.create_task(cache.get("a", source.load)) for _ in range(10)]
    await settled()
    source.gate.set()
    assert await asyncio.gather(*asking) == [1] * 10
    assert source.asked == 1


async def test_an_old_answer_is_asked_for_again(source: Source) -> None:
    cache: Cache[int] = Cache(keep_for=timedelta(seconds=-1))
    assert [await cache.get("a", source.load) for _ in range(3)] == [1, 2, 3]


async def test_what_was_read_before_a_moment_does_not_count_after_it(source: Source) -> None:
    cache: Cache[int] = Cache()
    before = datetime.now(UTC)
    assert await cache.get("a", source.load) == 1
    assert await cache.get("a", source.load, read_after=before) == 1
    # It counts from when it was asked, not from when it was answered: the answer may be of any moment between.
    source.gate.clear()
    slow = asyncio.create_task(cache.get("b", source.load))
    await settled()
    moment = datetime.now(UTC)
    source.gate.set()
    assert await slow == 2
    assert await cache.get("b", source.load, read_after=moment) == 3
    assert await cache.get("b", source.load, read_after=moment) == 3
    assert await cache.get("b", source.load) == 3
    assert await cache.get("b", source.load, read_after=datetime.now(UTC) + timedelta(seconds=1)) == 4


async def test_a_failure_is_shared_by_those_who_wait_and_not_kept(source: Source) -> None:
    cache: Cache[int] = Cache()
    source.failing = True
    source.gate.clear()
    asking = [asyncio.create_task(cache.get("a", source.load)) for _ in range(3)]
    await settled()
    source.gate.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert [str(answer) for answer in answers] == ["failure 1"] * 3
    source.failing = False
    assert await cache.get("a", source.load) == 2


async def test_one_who_gives_up_leaves_the_load_to_the_others(source: Source) -> None:
    cache: Cache[int] = Cache()
    source.gate.clear()
    first, second = (asyncio.create_task(cache.get("a", source.load)) for _ in range(2))
    await settled()
    first.cancel()
    await settled()
    source.gate.set()
    assert await second == 1
    assert first.cancelled()
    assert await cache.get("a", source.load) == 1


async def test_a_failure_that_nobody_waits_for_any_more_is_no_noise(source: Source) -> None:
    cache: Cache[int] = Cache()
    source.failing = True
    source.gate.clear()
    only = asyncio.create_task(cache.get("a", source.load))
    await settled()
    only.cancel()
    await settled()
    loop = asyncio.get_running_loop()
    noise: list[object] = []
    loop.set_exception_handler(lambda _loop, context: noise.append(context))
    source.gate.set()
    await settled()
    loop.set_exception_handler(None)
    assert noise == []
    source.failing = False
    assert await cache.get("a", source.load) == 2


async def test_a_late_failure_does_not_push_out_a_newer_answer(source: Source) -> None:
    cache: Cache[int] = Cache()
    source.gate.clear()
    slow = asyncio.create_task(cache.get("a", source.load))
    await settled()
    source.gate, closed = asyncio.Event(), source.gate
    source.gate.set()
    # The slow one was asked before this moment, so it is asked anew.
    assert await cache.get("a", source.load, read_after=datetime.now(UTC)) == 2
    source.failing = True
    closed.set()
    with pytest.raises(LookupError):
        await slow
    assert await cache.get("a", source.load) == 2


async def test_it_does_not_grow_without_end(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "_MOST_ENTRIES", 3)
    cache: Cache[int] = Cache()
    for key in range(10):
        await cache.get(key, source.load)
    assert len(cache._entries) == 3
    assert [await cache.get(key, source.load) for key in (7, 8, 9)] == [8, 9, 10], "the newest are kept"


async def test_what_has_expired_is_let_go_as_soon_as_something_new_is_asked_for(source: Source) -> None:
    cache: Cache[int] = Cache(keep_for=timedelta(seconds=-1))
    for key in range(5):
        await cache.get(key, source.load)
    assert list(cache._entries) == [4]


async def test_what_was_asked_for_anew_is_the_last_to_go(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "_MOST_ENTRIES", 3)
    cache: Cache[int] = Cache()
    for key in range(3):
        await cache.get(key, source.load)
    await cache.get(0, source.load, read_after=datetime.now(UTC) + timedelta(seconds=1))
    await cache.get(3, source.load)
    assert list(cache._entries) == [2, 0, 3]


async def test_a_load_that_fails_at_once_is_a_failure_like_any_other() -> None:
    def load() -> Awaitable[int]:
        raise LookupError("at once")

    cache: Cache[int] = Cache()
    asked: Callable[[], Awaitable[int]] = load
    with pytest.raises(LookupError, match="at once"):
        await cache.get("a", asked)
