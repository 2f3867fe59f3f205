"""The world of one schedule: what can happen in it, what is then true, and what Event Grid still has to deliver."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from localcloud import Azurite, LocalCloud
from localcloud.ingestion import LogsIngestion
from localcloud.run_helpers import WriteRejectedError
from localcloud.scenario import CONTAINER, Scenario, transfer_between
from localcloud.service import Service
from localcloud.topic import AlertTopic
from localcloud.transfer.archive import pack
from localcloud.transfer.exporting import MAX_ARTIFACTS, collect
from localcloud.world import Pipeline
from prove.killing_gate import Gate
from shared.times import iso, parse_time

Row = dict[str, Any]
_SERVICES: Final = ("ingestion", "topic", "arm", "graph", "keyvault", "storage", "registry")
_OTHER_ACCOUNT: Final = "contosotransfer"
_CONTRIBUTOR: Final = "Storage Blob Data Contributor"


class Trouble(StrEnum):
    """What can be broken, and repaired again. Each fails all runs of one pipeline."""

    VAULT = "vault"
    FIREWALL = "firewall"
    ROLES = "roles"


class Kind(StrEnum):
    """The runs that are started."""

    EXPORT = "export"
    WRONG = "wrong"
    ROLES = "roles"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Start:
    """A run that is over, as often as it was started."""

    run_id: str
    began: str
    outcome: str
    pipeline: str


@dataclass(slots=True)
class Event:
    """An event and whether it was taken; what was taken may be delivered again all the same."""

    door: str
    body: Row
    taken: bool = False

    @property
    def delivery(self) -> Row:
        """As a process of the app is handed it."""
        return {"door": self.door, "event": self.body}


@dataclass(slots=True)
class Truth:
    """What has happened, and what the app has said of it, in its order: rows, and alerts with a ``type``."""

    starts: list[Start] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)
    blobs: dict[str, tuple[str, bool]] = field(default_factory=dict)
    broken: set[Trouble] = field(default_factory=set)
    said: list[Row] = field(default_factory=list)


class StagedWorld:
    """Two registries with three pipelines; ``ahead`` is by how much the clock is ahead, in seconds."""

    def __init__(self, scenario: Scenario, roles_pipeline: Pipeline, ingestion: LogsIngestion, topic: AlertTopic):
        self.cloud = scenario.cloud
        self.scenario = scenario
        self.truth = Truth()
        self.events: list[Event] = []
        self._roles_pipeline = roles_pipeline
        self._ingestion = ingestion
        self._topic = topic
        self._heard = [0, 0]
        self._published = 0
        self._writes = 0
        self.gate = Gate([self.cloud.service(name) for name in _SERVICES], self._listen)
        self.cloud.add_service(self.gate)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, azurite: Azurite) -> AsyncIterator[StagedWorld]:
        """A fresh world."""
        async with LocalCloud.start(azurite) as cloud:
            ingestion, topic = LogsIngestion.for_world(cloud.world), AlertTopic.for_world(cloud.world)
            cloud.add_service(ingestion)
            cloud.add_service(topic)
            scenario = await transfer_between(cloud)
            cloud.world.behaviour.rejects_invalid_requests = True
            account = cloud.world.add_storage_account(_OTHER_ACCOUNT)
            url = await cloud.create_container(account.name, CONTAINER)
            pipeline = cloud.world.add_export_pipeline(scenario.source, "rolespipe", url, options=["OverwriteBlobs"])
            cloud.world.grant_storage(account, pipeline)
            cloud.world.allow_monitor(scenario.export_account)
            yield cls(scenario, pipeline, ingestion, topic)

    # --- what happens ---------------------------------------------------------------------------------------

    def turn(self, trouble: Trouble) -> None:
        """Breaks what works, and repairs what is broken."""
        scenario, world = self.scenario, self.cloud.world
        broken = trouble not in self.truth.broken
        self.truth.broken ^= {trouble}
        match trouble:
            case Trouble.VAULT if broken:
                world.revoke_secret_get(scenario.vault, scenario.export_pipeline)
            case Trouble.VAULT:
                world.grant_secret_get(scenario.vault, scenario.export_pipeline)
            case Trouble.FIREWALL if broken:
                world.close_firewall(scenario.export_account)
            case Trouble.FIREWALL:
                world.open_firewall(scenario.export_account)
            case Trouble.ROLES if broken:
                assert self._roles_pipeline.identity is not None
                world.access.revoke(self._roles_pipeline.identity.id, _CONTRIBUTOR)
            case Trouble.ROLES:
                world.grant_storage(_OTHER_ACCOUNT, self._roles_pipeline)

    async def run(self, kind: Kind, number: int) -> None:
        """Starts a run, perhaps one that was there before, and lets it end."""
        scenario = self.scenario
        name = f"{kind}run{number}"
        self._writes += 1
        tag = str(self._writes)
        if kind is Kind.IMPORT:
            home, pipeline = scenario.target, scenario.import_pipeline
            run = await self.cloud.put_run(home, name, pipeline, blob=f"{name}.tar", force_update_tag=tag)
        else:
            home = scenario.source
            pipeline = self._roles_pipeline if kind is Kind.ROLES else scenario.export_pipeline
            wanted = ["no/such:1.0" if kind is Kind.WRONG else "hello-world"]
            run = await self.cloud.put_run(
                home, name, pipeline, artifacts=wanted, blob=f"{name}.tar", force_update_tag=tag
            )
        self._note(run, pipeline.name)
        self._gather()

    async def reject(self) -> None:
        """A write of a run that ARM refuses."""
        self._writes += 1
        name = f"rejected{self._writes}"
        wanted = [f"app/web:{number}" for number in range(MAX_ARTIFACTS + 1)]
        try:
            await self.cloud.put_run(self.scenario.source, name, self.scenario.export_pipeline, artifacts=wanted)
        except WriteRejectedError as refusal:
            run_id = f"{self.scenario.source.id}/pipelineRuns/{name}".lower()
            self.truth.rejected.append((run_id, refusal.correlation_id))
        self._gather()

    async def land(self, number: int, *, good: bool) -> None:
        """A blob where the import pipeline watches: with all that it needs, or with nothing of it."""
        name = f"blob{number}.tar"
        data = pack(collect(self.scenario.source, ["hello-world"], skip_errors=False))
        metadata = {"category": "acr-transfer-blob"} if good else {}
        account = self.scenario.import_account.name
        await self.cloud.put_blob(account, CONTAINER, name, data, metadata=metadata, content_md5=good)
        # Azurite's clock is never ahead: the blob would seem older than the runs before it.
        self.cloud.backdate_blob(account, CONTAINER, name, timedelta())
        self._gather()
        self.truth.blobs[name] = (str(self.events[-1].body["data"]["eTag"]), good)

    async def trigger(self) -> None:
        """The source trigger imports what it may, of which no event tells."""
        target = self.scenario.target
        for name in await self.cloud.poll_source_triggers():
            run = await self.cloud.get_run(target, name)
            self._note(run, self.scenario.import_pipeline.name)
            source = str(run["properties"]["request"]["source"]["name"])
            if self.truth.starts[-1].outcome == "Succeeded":
                self.truth.blobs.pop(source, None)
        self._gather()

    def _note(self, run: Row, pipeline: str) -> None:
        properties = run["properties"]
        began = iso(parse_time(properties["response"]["startTime"])) or ""
        self.truth.starts.append(Start(run["id"].lower(), began, properties["provisioningState"], pipeline))

    # --- what is told ---------------------------------------------------------------------------------------

    def _gather(self) -> None:
        """Puts what was published since among the events that are to be delivered."""
        for event in self.cloud.events[self._published :]:
            door = "blob" if event.type.startswith("Microsoft.Storage.") else "run"
            self.events.append(Event(door, event.in_schema("EventGridSchema")))
        self._published = len(self.cloud.events)

    def _listen(self, _service: Service) -> None:
        """Notes what the app has just said."""
        for number, source in enumerate((self._ingestion.rows, self._topic.published)):
            self.truth.said += source[self._heard[number] :]
            self._heard[number] = len(source)
