"""A monitor as the function app makes one, over the local cloud, and the way to hand it events."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web
from azure.storage.blob.aio import LinearRetry

from localcloud import LocalCloud
from localcloud.ingestion import LogsIngestion
from localcloud.scenario import Scenario, transfer_between
from localcloud.service import Fault, FaultAction, Origin
from localcloud.topic import AlertTopic
from shared import runtime
from shared.azure import blobs, failures
from shared.events import read_event
from shared.monitor import Monitor
from shared.recorder import Recorded
from shared.settings import read_settings
from shared.sweep import Sweep, SweepReport
from shared.times import iso

EVENTS: Final = Path(__file__).parents[1] / "events"
# The subscription that stands in the event files.
FILE_SUBSCRIPTION: Final = "0f0f0f0f-0000-4000-8000-000000000001"

Raw = dict[str, Any]
Row = dict[str, Any]


def raw_event(name: str) -> Raw:
    """The event in tests/events/<name>.json, as Event Grid sends it."""
    event: Raw = json.loads((EVENTS / f"{name}.json").read_text("utf-8"))
    return event


def path_has(*parts: str) -> Callable[[web.Request], bool]:
    """Requests whose path holds all these parts, whatever the case."""
    return lambda request: all(part.lower() in request.path.lower() for part in parts)


def answers_within(monkeypatch: pytest.MonkeyPatch, seconds: float, of: str = "") -> None:
    """Shortens how long the monitor waits for one answer, of all services or of the one that it calls ``of``.

    Where one alone is silent, all others have their time, however busy the machine is.
    """
    if of:

        def asking(service: str, *about: str, **options: Any) -> AbstractAsyncContextManager[None]:
            return failures.asking(service, *about, **options | ({"within": seconds} if service == of else {}))

        users = [module for module in list(sys.modules.values()) if vars(module).get("asking") is failures.asking]
        for module in users:
            if module is not failures:
                monkeypatch.setattr(module, "asking", asking)
        return
    # The number is the default of a parameter.
    defaults = inspect.unwrap(failures.asking).__kwdefaults__
    assert defaults["within"] == failures.ANSWER_WITHIN
    monkeypatch.setitem(defaults, "within", seconds)


def data_requests(cloud: LocalCloud, account: str) -> list[str]:
    """Paths asked of an account's blobs by the monitor."""
    host = f"{account}.blob.core.windows.net"
    return [request.path for request in cloud.requests if request.host == host and request.origin is Origin.MONITOR]


def _of_sweeps_pipeline_look(row: Row) -> bool:
    about_pipeline = not (row["RunId"] or row["BlobName"]) and row["RuleId"] not in {"ACRT901", "ACRT902"}
    return (
        row["TriggeredBy"] == "Sweep" and about_pipeline and row["Role"] != "RootCause" and row["State"] != "Resolved"
    )


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Storage is asked again at once instead of after a second."""

    def at_once(**options: Any) -> LinearRetry:
        return LinearRetry(**options | {"backoff": 0})

    monkeypatch.setattr(blobs, "LinearRetry", at_once)


@dataclass
class Corridor:
    """The monitor, the world that it watches, and what it has written there."""

    cloud: LocalCloud
    scenario: Scenario
    ingestion: LogsIngestion
    topic: AlertTopic
    monitor: Monitor
    _stack: AsyncExitStack = field(repr=False)

    # --- what is handed in ----------------------------------------------------------------------------------

    def file(self, name: str, run: str = "transfer01") -> Raw:
        """An event file, moved into this world's subscription, to this run and to this moment."""
        text = (EVENTS / f"{name}.json").read_text("utf-8")
        text = text.replace(FILE_SUBSCRIPTION, self.cloud.world.subscription_id).replace("transfer01", run)
        event: Raw = json.loads(text)
        now = iso(datetime.now(UTC))
        return event | {name: now for name in ("eventTime", "time") if name in event}

    def told(self, run: str) -> Raw:
        """The event that the local cloud itself published last about a run."""
        about = [event for event in self.cloud.events if event.subject.lower().endswith(f"/pipelineruns/{run.lower()}")]
        return about[-1].in_schema("EventGridSchema")

    async def run_event(self, raw: Raw, monitor: Monitor | None = None) -> Recorded:
        """Hands a raw event to the door for runs."""
        return await (monitor or self.monitor).run_event(read_event(raw))

    async def blob_event(self, raw: Raw, monitor: Monitor | None = None) -> Recorded:
        """Hands a raw event to the door for blobs."""
        return await (monitor or self.monitor).blob_event(read_event(raw))

    async def sweep(self, monitor: Monitor | None = None) -> SweepReport:
        """One sweep."""
        return await Sweep(monitor or self.monitor).run()

    async def another(self, **settings: str) -> Monitor:
        """Another instance of the function app, with these settings changed."""
        return await self._stack.enter_async_context(_opened(self.cloud, settings))

    # --- runs of this world ---------------------------------------------------------------------------------

    async def export(self, run: str, *artifacts: str, **options: Any) -> Raw:
        """An export run that is over; the event that the world published of it."""
        wanted = artifacts or ("hello-world",)
        scenario = self.scenario
        pipeline = options.pop("pipeline", scenario.export_pipeline)
        await self.cloud.put_run(scenario.source, run, pipeline, artifacts=wanted, blob=f"{run}.tar", **options)
        return self.told(run)

    async def failed_export(self, run: str = "failing", **options: Any) -> Raw:
        """An export run that failed on the vault, which no longer lets the pipeline in."""
        self.cloud.world.revoke_secret_get(self.scenario.vault, self.scenario.export_pipeline)
        return await self.export(run, **options)

    def break_down(
        self, service: str, action: FaultAction, *path: str, times: int | None = None, method: str = ""
    ) -> Fault:
        """Lets a service fail towards the monitor alone."""

        def match(request: web.Request) -> bool:
            return path_has(*path)(request) and method in {"", request.method}

        fault = Fault(service, match, action, times, origin=Origin.MONITOR)
        self.cloud.faults.append(fault)
        return fault

    def heal(self) -> None:
        """Ends every fault."""
        self.cloud.faults.clear()

    # --- what has come out ----------------------------------------------------------------------------------

    @property
    def rows(self) -> list[Row]:
        """Every row about a run, a blob or the monitor; heartbeats and the sweep's own looks at pipelines left out."""
        return [row for row in self.ingestion.rows if row["RuleId"] != "ACRT903" and not _of_sweeps_pipeline_look(row)]

    @property
    def rules(self) -> list[str]:
        """The rules of all rows."""
        return [row["RuleId"] for row in self.rows]

    @property
    def alerts(self) -> list[Row]:
        """Every alert."""
        return self.topic.published

    def row(self, rule: str) -> Row:
        """The one row of a rule."""
        [row] = [row for row in self.rows if row["RuleId"] == rule]
        return row

    def root_causes(self) -> list[Row]:
        """The rows that are a root cause."""
        return [row for row in self.rows if row["Role"] == "RootCause"]

    async def state(self, prefix: str = "") -> dict[str, Row]:
        """The records of the state store."""
        records = {}
        async for entry in self.monitor.state.entries(prefix):
            stored = await self.monitor.state.read(entry.key)
            if stored is not None:
                records[entry.key] = dict(stored.record)
        return records

    async def run_states(self) -> list[str]:
        """The states of all runs that the state store knows."""
        return [record["state"] for record in (await self.state("runs/")).values()]


class _opened:  # noqa: N801 - used as the function that it replaces
    """A monitor that is closed at the end."""

    def __init__(self, cloud: LocalCloud, settings: dict[str, str]) -> None:
        self._cloud = cloud
        self._settings = settings

    async def __aenter__(self) -> Monitor:
        runtime.use_sessions(self._cloud.client_session)
        try:
            self._monitor = runtime.make_monitor(read_settings({**self._cloud.environment, **self._settings}))
        finally:
            runtime.use_sessions(None)
        return self._monitor

    async def __aexit__(self, *_details: object) -> None:
        await self._monitor.close()


@pytest.fixture
async def corridor(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, no_pauses: None) -> AsyncIterator[Corridor]:
    """A world that works, and a monitor that watches it."""
    ingestion, topic = LogsIngestion.for_world(cloud.world), AlertTopic.for_world(cloud.world)
    cloud.add_service(ingestion)
    cloud.add_service(topic)
    scenario = await transfer_between(cloud)
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, cloud.environment[name])
    async with AsyncExitStack() as stack:
        monitor = await stack.enter_async_context(_opened(cloud, {}))
        yield Corridor(cloud, scenario, ingestion, topic, monitor, stack)
    assert not ingestion.type_errors
    assert not ingestion.dropped_columns
    assert not ingestion.cut_columns
    assert not ingestion.replaced_times


@pytest.fixture
def monitor(corridor: Corridor) -> Monitor:
    """The monitor of the corridor."""
    return corridor.monitor
