"""Moves what the state store remembers into the past, and lets time limits pass, so that nothing has to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from shared.sinks.condition_records import label as condition_label
from shared.sinks.run_marks import label as mark_label
from shared.times import iso, parse_time
from tests.corridor.conftest import Corridor, Row


def passes_with(
    monkeypatch: pytest.MonkeyPatch, limited: ModuleType, match: Callable[[web.Request], bool]
) -> Callable[[web.Request], bool]:
    """The match of a fault; with the first request that it meets, the time limit that a module has set has passed."""
    limits: list[asyncio.Timeout] = []

    def timeout(seconds: float | None) -> asyncio.Timeout:
        limits.append(asyncio.timeout(seconds))
        return limits[-1]

    def is_met(request: web.Request) -> bool:
        if not match(request):
            return False
        while limits:
            limits.pop().reschedule(asyncio.get_running_loop().time())
        return True

    monkeypatch.setattr(limited, "asyncio", SimpleNamespace(**{**vars(asyncio), "timeout": timeout}))
    return is_met


async def forget_rhythms(corridor: Corridor) -> None:
    """Everything is due again: pipelines, containers, blobs."""
    state = corridor.monitor.state
    for entry in [entry async for entry in state.entries("rhythms/")]:
        await state.delete(entry.key, entry.etag)


async def rhythms_noted(corridor: Corridor, ago: timedelta) -> None:
    """Everything was looked at so long ago."""
    state = corridor.monitor.state
    label = iso(datetime.now(UTC) - ago)
    for key in await corridor.state("rhythms/"):
        stored = await state.read(key)
        assert stored is not None
        assert await state.replace(key, {**stored.record, "at": label}, stored.etag, str(label)) is not None


async def looks_again_now(corridor: Corridor) -> None:
    """The time has come to look again at runs of which something was left out."""
    state = corridor.monitor.state
    for key, record in (await corridor.state("runs/")).items():
        stored = await state.read(key)
        assert stored is not None
        due = {**record, "lookAgainAt": iso(datetime.now(UTC) - timedelta(seconds=1))}
        assert await state.replace(key, due, stored.etag, mark_label(due)) is not None


async def conditions_opened(corridor: Corridor, ago: timedelta) -> None:
    """All conditions opened so long ago."""
    for key in await corridor.state("conditions/"):
        await _change(corridor, key, {"openedAt": iso(datetime.now(UTC) - ago)})


async def mutes_ended(corridor: Corridor) -> None:
    """What the conditions know of their mutes has ended a moment ago."""
    for key in await corridor.state("conditions/"):
        await _change(corridor, key, {"mutedUntil": iso(datetime.now(UTC) - timedelta(seconds=1))})


async def _change(corridor: Corridor, key: str, fields: Mapping[str, Any]) -> None:
    state = corridor.monitor.state
    stored = await state.read(key)
    assert stored is not None
    record = {**stored.record, **fields}
    assert await state.replace(key, record, stored.etag, condition_label(record)) is not None


async def expected_since(corridor: Corridor, ago: timedelta) -> None:
    """All blobs have waited for so long."""
    state = corridor.monitor.state
    for key, record in (await corridor.state("expectations/")).items():
        stored = await state.read(key)
        assert stored is not None
        since = iso(datetime.now(UTC) - ago)
        label = f"expected|{since}|{record['account']}/{record['container']}"
        assert await state.replace(key, {**record, "waitingSince": since}, stored.etag, label) is not None


def started_earlier(corridor: Corridor, run: str, ago: timedelta, *, target: bool = False) -> None:
    """The run began, and ended, so much earlier."""
    home = corridor.scenario.target if target else corridor.scenario.source
    response = home.runs[run.casefold()].response
    for name in ("startTime", "finishTime"):
        moment = parse_time(response.get(name))
        if moment is not None:
            response[name] = (moment - ago).isoformat()


def told(corridor: Corridor) -> list[tuple[str, str]]:
    """The alerts: opened or resolved, and of which rule."""
    return [(alert["type"].rpartition(".")[2], alert["data"]["RuleId"]) for alert in corridor.alerts]


def rows_of(corridor: Corridor, rule: str, state: str = "") -> list[Row]:
    """All rows of a rule, the sweep's own looks included."""
    return [row for row in corridor.ingestion.rows if row["RuleId"] == rule and state in {"", row["State"]}]


def reads(corridor: Corridor) -> list[str]:
    """Paths that the monitor has asked of ARM."""
    return [request.path for request in corridor.cloud.requests if request.service == "arm"
            and request.method == "GET" and request.origin == "monitor"]  # fmt: skip
