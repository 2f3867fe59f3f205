"""Events per second of one process, against a bare loop of the same SDK requests.

The bare loop sends for each event what nobody could do without: the ARM reads, one state write, one upload
and, for a failure, one publish, through the same clients with the same time-outs. It reads no message, asks
no rule and shares nothing between events.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Self

from bench.served_cloud import served_cloud
from bench.world import FAILED, SUCCEEDED
from localcloud.connection import Connection
from shared import runtime
from shared.events import read_event
from shared.monitor import Monitor
from shared.settings import Settings, read_settings
from shared.sinks.alerts import Alert, AlertKind, AlertTopic
from shared.sinks.logs import LogsIngestion, encoded
from shared.sinks.state_store import BlobStateStore

AT_ONCE: Final = 50
LATENCY: Final = 0.02


@dataclass(frozen=True, slots=True)
class Pace:
    """What one side did in one pass."""

    seconds: float
    events: int
    requests: int

    @classmethod
    def of(cls, passes: Sequence[Pace]) -> Self:
        """Several passes taken as one."""
        return cls(sum(p.seconds for p in passes), sum(p.events for p in passes), sum(p.requests for p in passes))

    @property
    def per_second(self) -> float:
        """Events per second."""
        return self.events / self.seconds

    @property
    def requests_per_event(self) -> float:
        """Requests sent for each event."""
        return self.requests / self.events


async def at_once(work: Sequence[Callable[[], Awaitable[Any]]]) -> float:
    """Does all work, :data:`AT_ONCE` pieces at a time, and gives the seconds."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(piece: Callable[[], Awaitable[Any]]) -> None:
        async with turns:
            await piece()

    began = time.perf_counter()
    await asyncio.gather(*(one(piece) for piece in work))
    return time.perf_counter() - began


def run_event(run_id: str) -> dict[str, Any]:
    """An event as Event Grid would deliver it after the run was written."""
    return {
        "id": f"event-{run_id.rpartition('/')[2]}",
        "topic": "/subscriptions/any",
        "subject": run_id,
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "eventTime": "2026-01-01T00:00:00Z",
        "data": {"operationName": "Microsoft.ContainerRegistry/registries/pipelineRuns/write"},
    }


class _Counted:
    """A monitor whose requests are counted where they leave the process."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self.sent = 0

        def session() -> Any:
            made = connection.client_session()
            original = made._request

            async def counting(*words: Any, **options: Any) -> Any:
                self.sent += 1
                return await original(*words, **options)

            made._request = counting  # type: ignore[method-assign]
            return made

        runtime.use_sessions(session)
        self.monitor: Monitor = runtime.make_monitor(settings)


async def _product(counted: _Counted, registry: str, names: list[str]) -> Pace:
    monitor = counted.monitor
    before = counted.sent
    runs = [f"{registry}/pipelineRuns/{name}" for name in names]
    seconds = await at_once([partial(monitor.run_event, read_event(run_event(run))) for run in runs])
    return Pace(seconds, len(names), counted.sent - before)


async def _bare(
    counted: _Counted,
    settings: Settings,
    registry: str,
    names: list[str],
    row: dict[str, Any],
    *,
    publish: bool,
    state_writes: int,
) -> Pace:
    azure = counted.monitor.azure
    connection = azure.connection
    log = LogsIngestion(connection, settings)
    topic = AlertTopic(connection, settings.alert_topic_endpoint)
    state = BlobStateStore(connection, settings.state_container_url)
    before = counted.sent

    async def one(name: str) -> None:
        await azure.registries.run(f"{registry}/pipelineRuns/{name}")
        for number in range(state_writes):
            await state.create(f"bare{state_writes}/{name}-{number}.json", {"state": "done"})
        await log._send([encoded(row)])
        if publish:
            alert = Alert(AlertKind.OPENED, {**row, "FindingId": name})
            await topic._send([json.dumps(alert.to_json()).encode()])

    seconds = await at_once([partial(one, name) for name in names])
    return Pace(seconds, len(names), counted.sent - before)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One kind of event: the product, the bare loop with one state write, and with as many as the product."""

    product: Pace
    least: Pace
    same: Pace


# A success is marked with one write; a failure is claimed, its cause noted, its condition opened and marked as told,
# and finished.
_STATE_WRITES: Final = {"succeeded": 1, "failed": 5}


async def measure() -> dict[str, Comparison]:
    """For each kind of event the paces, taken one after the other in one run."""
    async with served_cloud("bench.world:build", LATENCY) as connection:
        os.environ.update(connection.environment)
        settings = read_settings(connection.environment)
        registry = next(r for r in settings.registries if r.endswith("hub"))
        counted = _Counted(connection, settings)
        results: dict[str, Comparison] = {}
        kinds = {"succeeded": ("good", SUCCEEDED, False), "failed": ("bad", FAILED, True)}
        try:
            # Tokens, connections and caches are there before anything is timed, on both sides.
            warm = [f"{prefix}{number:04}" for prefix, _, _ in kinds.values() for number in range(AT_ONCE)]
            await _product(counted, registry, warm)
            recorded = await counted.monitor.diagnose(f"{registry}/pipelineRuns/bad0000")
            row = await _sample_row(counted.monitor, recorded)
            await _bare(
                counted, settings, registry, [f"{name}" for name in warm[:5]], row, publish=True, state_writes=1
            )
            for kind, (prefix, count, publish) in kinds.items():
                names = [f"{prefix}{number:04}" for number in range(AT_ONCE, count)]
                # In turns, so that what else the machine does meanwhile takes its time from all of them.
                turns = []
                for part in (names[0::2], names[1::2]):
                    product = await _product(counted, registry, part)
                    bare = partial(_bare, counted, settings, registry, part, row, publish=publish)
                    least = await bare(state_writes=1)
                    same = await bare(state_writes=_STATE_WRITES[kind]) if _STATE_WRITES[kind] > 1 else least
                    turns.append((product, least, same))
                results[kind] = Comparison(*(Pace.of(paces) for paces in zip(*turns, strict=True)))
        finally:
            await counted.monitor.close()
            runtime.use_sessions(None)
    return results


async def _sample_row(monitor: Monitor, diagnosis: Any) -> dict[str, Any]:
    from shared.findings.builder import Occasion, TriggeredBy

    built = await monitor.recorder.build([diagnosis], Occasion(TriggeredBy.CLI))
    return built[0][0].to_row()
