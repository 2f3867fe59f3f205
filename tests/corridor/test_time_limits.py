"""A handler answers in time, whatever its dependencies do. The numbers are shortened here, not waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, Final

import pytest
from aiohttp import web

from localcloud.service import Fault, Hang, Status
from shared import monitor as corridor_of_events
from shared.azure import connection, failures
from shared.errors import TransientError, Unreachable
from shared.evidence import gather
from shared.sinks import run_marks
from tests.corridor.conftest import Corridor, answers_within, path_has

# Long enough for everything that answers, on a busy machine too.
SECONDARY: Final = 0.5
ANSWER: Final = 1.0
HANDLER: Final = 2.5
# What nobody but a handler that hangs would need.
MUCH_LATER: Final = 12.0


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every limit, in the proportion that it has in the product."""
    monkeypatch.setattr(gather, "SECONDARY_SECONDS", SECONDARY)
    monkeypatch.setattr(corridor_of_events, "HANDLER_SECONDS", HANDLER)
    answers_within(monkeypatch, ANSWER)


async def timed(handler: Coroutine[Any, Any, Any]) -> tuple[float, BaseException | None]:
    """How long it took, and what it raised."""
    began = time.monotonic()
    try:
        await asyncio.wait_for(handler, MUCH_LATER)
    except TransientError as error:
        return time.monotonic() - began, error
    return time.monotonic() - began, None


def test_the_limits_fit_into_the_promise() -> None:
    # Event Grid waits 30 s and the contract promises 25; giving a claim back takes another two.
    assert corridor_of_events.HANDLER_SECONDS + 2 <= 25
    assert failures.ANSWER_WITHIN + gather.SECONDARY_SECONDS < corridor_of_events.HANDLER_SECONDS
    assert connection.CONNECT_TIMEOUT + connection.READ_TIMEOUT <= failures.ANSWER_WITHIN
    assert timedelta(seconds=corridor_of_events.HANDLER_SECONDS) < run_marks.CLAIM_LASTS


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("arm", "/pipelineruns/transfer01"),
        ("storage", "/acr-transfer-monitor/runs/"),
        ("storage", "/acr-transfer-monitor/conditions/"),
        ("ingestion", ""),
        ("*", ""),
    ],
)
async def test_what_has_to_be_there_and_hangs_is_raised_in_time(corridor: Corridor, service: str, path: str) -> None:
    raw = await corridor.failed_export("transfer01")
    corridor.break_down(service, Hang(), path)
    seconds, error = await timed(corridor.run_event(raw))
    assert isinstance(error, TransientError)
    assert seconds < HANDLER + 2
    assert not corridor.alerts
    corridor.heal()
    assert "done" not in await corridor.run_states()


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("arm", "/exportpipelines/"),
        ("arm", "/microsoft.keyvault/"),
        ("keyvault", ""),
        ("storage", "/transfer"),
    ],
)
async def test_what_is_secondary_and_hangs_is_left_open_in_time(corridor: Corridor, service: str, path: str) -> None:
    raw = await corridor.failed_export("transfer01")
    corridor.cloud.world.allow_secret_reading(corridor.scenario.vault)
    monitor = await corridor.another(SAS_INSPECTION="value")
    corridor.break_down(service, Hang(), path)
    seconds, error = await timed(corridor.run_event(raw, monitor))
    assert error is None
    assert seconds < HANDLER
    assert len(corridor.root_causes()) == 1
    assert "ACRT101" in corridor.rules


@pytest.mark.usefixtures("short")
async def test_a_topic_that_hangs_does_not_hold_up_the_findings(corridor: Corridor) -> None:
    raw = await corridor.failed_export("transfer01")
    corridor.break_down("topic", Hang())
    seconds, error = await timed(corridor.run_event(raw))
    assert error is None
    assert seconds < HANDLER
    assert corridor.rules == ["ACRT201", "ACRT101"]
    [record] = (await corridor.state("conditions/")).values()
    assert record["alert"] == "pending"


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("path", ["/transfer/images.tar", "/acr-transfer-monitor/"])
async def test_a_blob_event_is_bounded_too(corridor: Corridor, path: str) -> None:
    await corridor.cloud.put_blob("contosoimport", "transfer", "images.tar", metadata={})
    corridor.break_down("storage", Hang(), path)
    seconds, error = await timed(corridor.blob_event(corridor.file("blob-put-blob")))
    assert isinstance(error, TransientError)
    assert seconds < HANDLER + 2


async def test_the_whole_handler_is_bounded_when_each_part_is_slow(
    corridor: Corridor, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = await corridor.failed_export("transfer01")
    monkeypatch.setattr(corridor_of_events, "HANDLER_SECONDS", 0.3)
    corridor.break_down("ingestion", Hang())
    seconds, error = await timed(corridor.run_event(raw))
    assert isinstance(error, Unreachable)
    assert "not done within 0.3 s" in str(error)
    assert seconds < 3
    assert await corridor.run_states() == ["pending"], "the claim was given back, out of time or not"
    corridor.heal()
    monkeypatch.setattr(corridor_of_events, "HANDLER_SECONDS", 22.0)
    await corridor.run_event(raw)
    assert corridor.rules == ["ACRT201", "ACRT101"]


async def test_a_pause_that_does_not_fit_is_not_slept_through(corridor: Corridor) -> None:
    raw = await corridor.failed_export("transfer01")
    for service, path in (("arm", "/pipelineruns/"), ("ingestion", ""), ("storage", "/acr-transfer-monitor")):
        fault = corridor.break_down(service, Status(503, {"Retry-After": "3600"}), path)
        seconds, error = await timed(corridor.run_event(raw))
        assert isinstance(error, TransientError)
        assert seconds < 5
        assert fault.hits
        corridor.heal()


async def test_waiting_is_shared_and_one_who_gives_up_does_not_stop_the_others(
    corridor: Corridor, monkeypatch: pytest.MonkeyPatch
) -> None:
    raws = [await corridor.failed_export("transfer01"), await corridor.export("transfer02")]
    asked = asyncio.Event()

    def is_asked(request: web.Request) -> bool:
        if not path_has("/exportpipelines/exportpipe")(request):
            return False
        asked.set()
        return True

    corridor.cloud.faults.append(Fault("arm", is_asked, Hang(), times=1))
    first = asyncio.create_task(corridor.run_event(raws[0]))
    await asked.wait()
    monkeypatch.setattr(gather, "SECONDARY_SECONDS", SECONDARY)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await corridor.run_event(raws[1])
    assert [row["RunName"] for row in corridor.root_causes()] == ["transfer02"]
    assert sorted(await corridor.run_states()) == ["open", "pending"]
