"""A handler answers in time, whatever its dependencies do. The limits are shortened here, not waited for.

No test measures how long something took: it looks at which limit has ended it, as the monitor itself says. All that
answers has the time that it has in the product, so that a busy machine makes no difference.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, Final

import pytest
from aiohttp import web

from localcloud.service import Fault, Hang, Origin, Status
from shared import monitor as corridor_of_events
from shared.azure import arm, connection, failures, ingestion, state_container, topic
from shared.azure import blobs as blob_reader
from shared.errors import TransientError, Unreachable
from shared.evidence import gather
from shared.sinks import run_marks
from tests.corridor.conftest import Corridor, answers_within, path_has
from tests.corridor.time_travel import passes_with

ANSWER: Final = 0.3
NO_ANSWER: Final = f"no answer within {ANSWER:g} s"
SECONDARY: Final = 0.5
NO_TIME_LEFT: Final = "no answer in the time that one event has"
# What is promised, and much longer than anything here takes.
PROMISED: Final = 25.0


async def ended(handler: Coroutine[Any, Any, Any]) -> TransientError | None:
    """What it raised, in the time that is promised."""
    async with asyncio.timeout(PROMISED):
        try:
            await handler
        except TransientError as error:
            return error
    return None


def left_open(corridor: Corridor) -> list[str]:
    """Why something could not be looked at."""
    return [str(row["Evidence"]["reason"]) for row in corridor.rows if row["RuleId"] == "ACRT901"]


def test_the_limits_fit_into_the_promise() -> None:
    # Event Grid waits 30 s and the contract promises 25; giving a claim back takes another two.
    assert corridor_of_events.HANDLER_SECONDS + 2 <= 25
    assert failures.ANSWER_WITHIN + gather.SECONDARY_SECONDS < corridor_of_events.HANDLER_SECONDS
    assert connection.CONNECT_TIMEOUT + connection.READ_TIMEOUT <= failures.ANSWER_WITHIN
    assert timedelta(seconds=corridor_of_events.HANDLER_SECONDS) < run_marks.CLAIM_LASTS


@pytest.mark.parametrize(
    ("service", "path", "of"),
    [
        ("arm", "/pipelineruns/transfer01", arm.SERVICE),
        ("storage", "/acr-transfer-monitor/runs/", state_container.SERVICE),
        ("storage", "/acr-transfer-monitor/conditions/", state_container.SERVICE),
        ("ingestion", "", ingestion.SERVICE),
        ("*", "", ""),
    ],
)
async def test_what_has_to_be_there_and_hangs_is_raised_in_time(
    corridor: Corridor, monkeypatch: pytest.MonkeyPatch, service: str, path: str, of: str
) -> None:
    raw = await corridor.failed_export("transfer01")
    corridor.break_down(service, Hang(), path)
    with monkeypatch.context() as patch:
        answers_within(patch, ANSWER, of)
        error = await ended(corridor.run_event(raw))
    assert NO_ANSWER in str(error)
    assert not corridor.alerts
    corridor.heal()
    assert "done" not in await corridor.run_states()


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("arm", "/exportpipelines/"),
        ("arm", "/microsoft.keyvault/"),
        ("keyvault", ""),
        ("storage", "/transfer"),
    ],
)
async def test_what_is_secondary_and_hangs_is_left_open_in_time(
    corridor: Corridor, monkeypatch: pytest.MonkeyPatch, service: str, path: str
) -> None:
    raw = await corridor.failed_export("transfer01")
    corridor.cloud.world.allow_secret_reading(corridor.scenario.vault)
    monitor = await corridor.another(SAS_INSPECTION="value")
    monkeypatch.setattr(gather, "SECONDARY_SECONDS", SECONDARY)
    corridor.break_down(service, Hang(), path)
    assert await ended(corridor.run_event(raw, monitor)) is None
    assert any(NO_TIME_LEFT in reason for reason in left_open(corridor))
    assert len(corridor.root_causes()) == 1
    assert "ACRT101" in corridor.rules


async def test_a_topic_that_hangs_does_not_hold_up_the_findings(
    corridor: Corridor, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = await corridor.failed_export("transfer01")
    answers_within(monkeypatch, ANSWER, topic.SERVICE)
    silence = corridor.break_down("topic", Hang())
    assert await ended(corridor.run_event(raw)) is None
    assert silence.hits == 1
    assert corridor.rules == ["ACRT201", "ACRT101"]
    [record] = (await corridor.state("conditions/")).values()
    assert record["alert"] == "pending"


@pytest.mark.parametrize(
    ("path", "of"),
    [("/transfer/images.tar", blob_reader.SERVICE), ("/acr-transfer-monitor/", state_container.SERVICE)],
)
async def test_a_blob_event_is_bounded_too(
    corridor: Corridor, monkeypatch: pytest.MonkeyPatch, path: str, of: str
) -> None:
    await corridor.cloud.put_blob("contosoimport", "transfer", "images.tar", metadata={})
    answers_within(monkeypatch, ANSWER, of)
    corridor.break_down("storage", Hang(), path)
    assert NO_ANSWER in str(await ended(corridor.blob_event(corridor.file("blob-put-blob"))))


async def test_the_whole_handler_is_bounded_when_each_part_is_slow(
    corridor: Corridor, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = await corridor.failed_export("transfer01")
    with monkeypatch.context() as patch:
        slow = passes_with(patch, corridor_of_events, path_has())
        corridor.cloud.faults.append(Fault("ingestion", slow, Hang(), origin=Origin.MONITOR))
        error = await ended(corridor.run_event(raw))
    assert isinstance(error, Unreachable)
    assert f"not done within {corridor_of_events.HANDLER_SECONDS:g} s" in str(error)
    assert await corridor.run_states() == ["pending"], "the claim was given back, out of time or not"
    corridor.heal()
    await corridor.run_event(raw)
    assert corridor.rules == ["ACRT201", "ACRT101"]


async def test_a_pause_that_does_not_fit_is_not_slept_through(corridor: Corridor) -> None:
    raw = await corridor.failed_export("transfer01")
    for service, path in (("arm", "/pipelineruns/"), ("ingestion", ""), ("storage", "/acr-transfer-monitor")):
        fault = corridor.break_down(service, Status(503, {"Retry-After": "3600"}), path)
        error = await ended(corridor.run_event(raw))
        # Had it slept, the wait for an answer would have run out.
        assert "503" in str(error)
        assert "within" not in str(error)
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
