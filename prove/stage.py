"""The worlds in which a dependency fails: what is wrong there, and which event tells of it."""

from __future__ import annotations

import contextlib
import logging
import os
import traceback
from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from localcloud import Azurite, LocalCloud
from localcloud.ingestion import LogsIngestion
from localcloud.scenario import CONTAINER, Scenario, transfer_between
from localcloud.topic import AlertTopic
from prove.looks import watch
from shared import runtime
from shared.diagnosis.diagnose import Diagnosis
from shared.events import PlatformEvent, read_event
from shared.monitor import Monitor
from shared.settings import read_settings
from shared.sweep import Sweep

Row = dict[str, Any]
GOOD_BLOB: Final = "good.tar"
BARE_BLOB: Final = "bare.tar"
SWEPT_RUN: Final = "untold"
TOLD_RUN: Final = "failing"
# After the fault: the next one, and one half an hour later, when what still waits is looked at again.
SWEEPS_AFTER: Final = 2
_HALF_AN_HOUR: Final = timedelta(minutes=31)


class Trouble(StrEnum):
    """Why the run of a world fails."""

    VAULT = "vault"
    ROLES = "roles"
    FIREWALL = "firewall"
    BLOB = "blob"
    ARTIFACT = "artifact"


CAUSES: Final = {
    Trouble.VAULT: "ACRT201",
    Trouble.ROLES: "ACRT351",
    Trouble.FIREWALL: "ACRT405",
    Trouble.BLOB: "ACRT402",
    Trouble.ARTIFACT: "ACRT601",
}
_LOGGED: ContextVar[list[str] | None] = ContextVar("logged", default=None)


class LogCapture(logging.Handler):
    """Keeps every record's text for the cell in whose context it was written."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps the text, with the traceback if there is one."""
        kept = _LOGGED.get()
        if kept is not None:
            kept.append(self.format(record))


class LaterSweep(Sweep):
    """A sweep whose rhythms and time limits see a clock that is half an hour ahead."""

    def __init__(self, monitor: Monitor) -> None:
        super().__init__(monitor)
        self._report.started += _HALF_AN_HOUR


@dataclass(slots=True)
class Stage:
    """One world with its monitor, what was logged meanwhile, and every look that the monitor took."""

    cloud: LocalCloud
    scenario: Scenario
    ingestion: LogsIngestion
    topic: AlertTopic
    monitor: Monitor
    trouble: Trouble
    logged: list[str]
    looks: list[Diagnosis]

    @property
    def rows(self) -> list[Row]:
        """Every row that was stored."""
        return self.ingestion.rows

    def log(self, error: BaseException) -> None:
        """An error that left a handler, as the functions host writes it down."""
        self.logged += traceback.format_exception(error)

    async def fail(self, name: str) -> PlatformEvent:
        """A run that fails for this world's trouble, and the event that tells of it."""
        scenario = self.scenario
        if self.trouble is Trouble.BLOB:
            await self.cloud.put_run(scenario.target, name, scenario.import_pipeline, blob=f"{name}.tar")
        else:
            wanted = ["app/wep:1.0"] if self.trouble is Trouble.ARTIFACT else ["hello-world"]
            await self.cloud.put_run(
                scenario.source, name, scenario.export_pipeline, artifacts=wanted, blob=f"{name}.tar"
            )
        return self._last(f"/pipelineruns/{name}")

    async def land(self, name: str) -> PlatformEvent:
        """A blob where the import pipeline watches: with all that it needs, or with nothing of it."""
        good = name == GOOD_BLOB
        metadata = {"category": "acr-transfer-blob"} if good else {}
        account = self.scenario.import_account.name
        await self.cloud.put_blob(account, CONTAINER, name, metadata=metadata, content_md5=good)
        return self._last(f"/blobs/{name}")

    def _last(self, end: str) -> PlatformEvent:
        about = [event for event in self.cloud.events if event.subject.lower().endswith(end)]
        return read_event(about[-1].in_schema("EventGridSchema"))

    async def begin_anew(self) -> None:
        """Another instance takes over: without a token, an open connection or an answer that was kept."""
        await self.monitor.close()
        self.monitor = _monitor_of(self.cloud, self.looks)

    async def waiting(self) -> frozenset[str]:
        """The keys of conditions whose alert is kept until the topic can be reached."""
        return frozenset(
            record["findingKey"] for record in await self.state("conditions/") if record["alert"] == "pending"
        )

    async def state(self, prefix: str) -> list[Row]:
        """The records of the state store that begin with ``prefix``."""
        found = []
        async for entry in self.monitor.state.entries(prefix):
            stored = await self.monitor.state.read(entry.key)
            if stored is not None:
                found.append(dict(stored.record))
        return found


def _break(scenario: Scenario, trouble: Trouble) -> None:
    world = scenario.cloud.world
    if trouble is Trouble.VAULT:
        world.revoke_secret_get(scenario.vault, scenario.export_pipeline)
    elif trouble is Trouble.ROLES:
        assert scenario.export_pipeline.identity is not None
        world.access.revoke(scenario.export_pipeline.identity.id, "Storage Blob Data Contributor")
    elif trouble is Trouble.FIREWALL:
        world.close_firewall(scenario.export_account)
        world.allow_monitor(scenario.export_account)


@contextlib.asynccontextmanager
async def staged(azurite: Azurite, trouble: Trouble) -> AsyncIterator[Stage]:
    """A fresh world on ``azurite`` and a monitor that reads tokens, so that every dependency is asked."""
    logged: list[str] = []
    _LOGGED.set(logged)
    async with LocalCloud.start(azurite) as cloud:
        ingestion, topic = LogsIngestion.for_world(cloud.world), AlertTopic.for_world(cloud.world)
        cloud.add_service(ingestion)
        cloud.add_service(topic)
        mode = "ManagedIdentity" if trouble is Trouble.ROLES else "SasToken"
        scenario = await transfer_between(cloud, mode=mode)
        cloud.world.allow_secret_reading(scenario.vault)
        _break(scenario, trouble)
        looks: list[Diagnosis] = []
        stage = Stage(cloud, scenario, ingestion, topic, _monitor_of(cloud, looks), trouble, logged, looks)
        try:
            yield stage
        finally:
            cloud.faults.clear()
            await stage.monitor.close()


def _monitor_of(cloud: LocalCloud, looks: list[Diagnosis]) -> Monitor:
    # Nothing is awaited until the credential is made: it reads the process's environment, which lanes share.
    os.environ.update({name: cloud.environment[name] for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")})
    runtime.use_sessions(cloud.client_session)
    monitor = runtime.make_monitor(read_settings({**cloud.environment, "SAS_INSPECTION": "value"}))
    _ = monitor.azure.connection.credential
    runtime.use_sessions(None)
    watch(monitor, looks)
    return monitor
