"""The stage of one scenario: a world that works, the monitor in front of it, and what the monitor has written."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from unittest.mock import patch

from localcloud import LocalCloud
from localcloud.ingestion import LogsIngestion
from localcloud.scenario import CONTAINER, Scenario, transfer_between
from localcloud.topic import AlertTopic
from localcloud.transfer.archive import pack
from localcloud.world import Direction, MessageStyle, Pipeline, Principal, Registry, StorageAccount, Vault
from shared import runtime
from shared.monitor import Monitor
from shared.settings import read_settings

BLOB: Final = "images.tar"
CATEGORY: Final = {"category": "acr-transfer-blob"}


@dataclass(frozen=True, slots=True)
class WorldSpec:
    """How the world differs from the healthy transfer, before any fault: the table ``[world]`` of a file."""

    direction: Literal["export", "import"] = "export"
    mode: Literal["SasToken", "ManagedIdentity"] = "SasToken"
    identity: Literal["systemAssigned", "userAssigned"] = "systemAssigned"
    vault: Literal["policies", "roles"] = "policies"
    inspection: Literal["none", "metadata", "value"] = "metadata"
    style: Literal["detailed", "plain", "bare"] = "detailed"
    blob_there: bool = True
    """Whether the blob of an import has landed before."""
    settings: dict[str, str] = field(default_factory=dict)
    """Of the app; ``{subscription}`` stands for the subscription's id."""


@dataclass(slots=True)
class Stage:
    """What operations work on. ``told`` is how many of the cloud's events the monitor has been given."""

    cloud: LocalCloud
    spec: WorldSpec
    transfer: Scenario
    ingestion: LogsIngestion
    topic: AlertTopic
    monitor_in_use: Monitor | None = None
    told: int = 0
    runs: int = 0
    raised: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    principals: dict[str, Principal] = field(default_factory=dict)

    @property
    def direction(self) -> Direction:
        """The direction that the scenario is about."""
        return Direction.EXPORT if self.spec.direction == "export" else Direction.IMPORT

    @property
    def exports(self) -> bool:
        """Whether it is about the export."""
        return self.direction is Direction.EXPORT

    @property
    def registry(self) -> Registry:
        """The registry on this side."""
        return self.transfer.source if self.exports else self.transfer.target

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline that the scenario is about, as it is now."""
        known = self.cloud.world.pipelines_of(self.registry, self.direction)
        given = self.transfer.export_pipeline if self.exports else self.transfer.import_pipeline
        return known.get(given.name.casefold(), given)

    @property
    def account(self) -> StorageAccount:
        """The storage account on this side."""
        return self.transfer.export_account if self.exports else self.transfer.import_account

    @property
    def vault(self) -> Vault:
        """The vault, also when it is gone."""
        return self.transfer.vault

    @property
    def secret(self) -> str:
        """The name of the pipeline's secret."""
        return "exportsas" if self.exports else "importsas"

    @property
    def permissions(self) -> str:
        """What the documentation asks of this direction's token."""
        return "rwla" if self.exports else "rld"

    @property
    def identity(self) -> Principal:
        """The pipeline's identity."""
        if self.pipeline.identity is None:
            raise ValueError(f"pipeline {self.pipeline.name} has no identity any more")
        return self.pipeline.identity

    @property
    def monitor(self) -> Monitor:
        """The monitor, made when something first happens, with the settings of that moment."""
        if self.monitor_in_use is None:
            here = self.cloud.world.subscription_id
            environment = {
                **self.cloud.environment,
                "SAS_INSPECTION": self.spec.inspection,
                **{name: value.replace("{subscription}", here) for name, value in self.spec.settings.items()},
                **self.settings,
            }
            runtime.use_sessions(self.cloud.client_session)
            self.monitor_in_use = runtime.make_monitor(read_settings(environment))
        return self.monitor_in_use

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows that were written, heartbeats aside."""
        return [row for row in self.ingestion.rows if row["RuleId"] != "ACRT903"]

    def principal(self, name: str) -> Principal:
        """Somebody else in the tenant, by a name of the scenario's own."""
        return self.principals.setdefault(name, Principal(name))

    async def put_images(self, name: str = BLOB, **options: Any) -> None:
        """A transfer blob in the import side's container, as an export writes it; ``options`` of ``put_blob``."""
        manifests = {
            f"{repository}:{tag}": manifest
            for repository, tags in self.transfer.source.artifacts.items()
            for tag, manifest in tags.items()
        }
        given: dict[str, Any] = {"data": pack(manifests), "metadata": CATEGORY, **options}
        await self.cloud.put_blob(self.transfer.import_account.name, CONTAINER, name, **given)


@asynccontextmanager
async def staged(cloud: LocalCloud, spec: WorldSpec) -> AsyncIterator[Stage]:
    """The healthy transfer as the scenario wants it, with the sinks in place and the monitor's identity."""
    ingestion = cloud.add_service(LogsIngestion.for_world)
    topic = cloud.add_service(AlertTopic.for_world)
    if not isinstance(ingestion, LogsIngestion) or not isinstance(topic, AlertTopic):
        raise TypeError("the local cloud has made other sinks than it was asked for")
    cloud.world.behaviour.message_style = MessageStyle(spec.style)
    transfer = await transfer_between(
        cloud, mode=spec.mode, identity=spec.identity, rbac_vault=spec.vault == "roles"
    )  # fmt: skip
    if spec.inspection == "value":
        cloud.world.allow_secret_reading(transfer.vault)
    stage = Stage(cloud, spec, transfer, ingestion, topic)
    if not stage.exports and spec.blob_there:
        await stage.put_images()
    environment = cloud.environment
    identity = {name: environment[name] for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")}
    with patch.dict(os.environ, identity):
        try:
            yield stage
        finally:
            if stage.monitor_in_use is not None:
                await stage.monitor_in_use.close()
            runtime.use_sessions(None)
