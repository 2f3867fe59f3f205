"""A world that works, one fault in it, the monitor's look at it, and a shell in which its advice is taken."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final
from unittest.mock import patch

from localcloud import LocalCloud
from localcloud.az import CommandRunner
from localcloud.scenario import CONTAINER, Scenario, transfer_between
from localcloud.world import Pipeline, Registry, StorageAccount
from shared import runtime
from shared.addresses import BlobAddress
from shared.diagnosis.diagnose import Diagnosis, Result
from shared.monitor import Monitor
from shared.rules.model import Description, Outcome
from shared.settings import Settings, read_settings

BLOB: Final = "it's odd $(id).tar"


class At(Enum):
    """What is looked at."""

    EXPORT_PIPELINE = auto()
    IMPORT_PIPELINE = auto()
    BLOB = auto()
    EXPORT_RUN = auto()
    IMPORT_RUN = auto()


@dataclass
class Bench:
    """What a fault is put into, and what is asked about it."""

    cloud: LocalCloud
    scenario: Scenario
    shell: CommandRunner
    settings: Settings
    at: At
    run_name: str = "firstrun"

    @property
    def exports(self) -> bool:
        return self.at in {At.EXPORT_PIPELINE, At.EXPORT_RUN}

    @property
    def registry(self) -> Registry:
        return self.scenario.source if self.exports else self.scenario.target

    @property
    def pipeline(self) -> Pipeline:
        """As it is now: a command may have written it anew."""
        known = self.registry.export_pipelines if self.exports else self.registry.import_pipelines
        return known["exportpipe" if self.exports else "importpipe"]

    @property
    def account(self) -> StorageAccount:
        return self.scenario.export_account if self.exports else self.scenario.import_account

    @property
    def secret(self) -> str:
        return "exportsas" if self.exports else "importsas"

    def store(self, token: str) -> None:
        """A new version of the pipeline's secret."""
        self.scenario.vault.set_secret(self.secret, token)

    async def run(self, *artifacts: str, blob: str = BLOB) -> None:
        """Runs the pipeline, however that ends."""
        await self.cloud.put_run(self.registry, self.run_name, self.pipeline, artifacts=artifacts, blob=blob)

    async def transfers(self) -> str:
        """How the pipeline's next transfer ends."""
        if self.exports:
            body = await self.cloud.put_run(
                self.registry, "nextrun", self.pipeline, artifacts=["app/web:1.0"], blob=BLOB
            )
            return str(body["properties"]["provisioningState"])
        if not await self.cloud.blob_names(self.account.name, CONTAINER):
            if not self.scenario.source.runs:
                source, pipeline = self.scenario.source, self.scenario.export_pipeline
                await self.cloud.put_run(source, "outward", pipeline, artifacts=["app/web:1.0"], blob=BLOB)
            await self.scenario.carry_over(BLOB)
        started = await self.cloud.poll_source_triggers()
        return ", ".join(self.registry.runs[name.lower()].provisioning_state for name in started)

    async def look(self) -> list[Diagnosis]:
        """What the product itself says now: a new monitor, which remembers nothing of an earlier look."""
        monitor = runtime.make_monitor(self.settings)
        try:
            return await self._look(monitor)
        finally:
            await monitor.close()

    async def _look(self, monitor: Monitor) -> list[Diagnosis]:
        match self.at:
            case At.EXPORT_PIPELINE | At.IMPORT_PIPELINE:
                return [await monitor.look_at_pipeline(self.pipeline.id)]
            case At.BLOB:
                address = BlobAddress(self.account.name, CONTAINER, BLOB)
                return list(await monitor.look_at_blob(address, trusted=True))
        return [await monitor.diagnose(f"{self.registry.id}/pipelineRuns/{self.run_name}")]


def found(diagnoses: list[Diagnosis], rule_id: str) -> tuple[Diagnosis, Result] | None:
    """The finding, if it is one that somebody has to act on."""
    for diagnosis in diagnoses:
        for result in diagnosis.results:
            if result.rule.id == rule_id and result.verdict.outcome in {Outcome.FAIL, Outcome.WARN}:
                return diagnosis, result
    return None


def described(finding: tuple[Diagnosis, Result]) -> Description:
    """The finding in words and commands."""
    diagnosis, result = finding
    return result.rule.describe(diagnosis.evidence, result.verdict.facts)


Fault = Callable[[Bench], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    """A fault, and the finding that it has to be told by."""

    rule: str
    at: At
    fault: Fault
    mode: str = "SasToken"
    rbac: bool = False
    inspection: str = "metadata"
    works: bool = True
    """Whether a transfer succeeds once this one fault is repaired."""

    @property
    def label(self) -> str:
        """For the list of tests."""
        return f"{self.rule}-{self.fault.__name__}"


@asynccontextmanager
async def bench_for(case: Case, cloud: LocalCloud) -> AsyncIterator[Bench]:
    """The world with the fault in it."""
    scenario = await transfer_between(cloud, mode=case.mode, rbac_vault=case.rbac)
    cloud.world.allow_secret_reading(scenario.vault)
    environment = cloud.environment | {"SAS_INSPECTION": case.inspection}
    runtime.use_sessions(cloud.client_session)
    identity = {name: environment[name] for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "AZURE_CLIENT_ID")}
    with patch.dict(os.environ, identity):
        try:
            async with CommandRunner(cloud) as shell:
                bench = Bench(cloud, scenario, shell, read_settings(environment), case.at)
                await case.fault(bench)
                yield bench
        finally:
            runtime.use_sessions(None)
