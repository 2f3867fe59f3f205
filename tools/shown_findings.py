"""Findings to try queries on: everything that the product finds, left as it is in the middle of a working day.

The demo's story ends well, so little is open at its end. Here the same world and the same handlers are left with
what is broken, waiting, muted and expiring. Only the faults are made; every row is the product's own.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from localcloud import Azurite, LocalCloud
from localcloud.ingestion import LogsIngestion
from localcloud.scenario import CONTAINER, Scenario, transfer_between
from localcloud.topic import AlertTopic
from localcloud.world.clock import now
from shared import runtime
from shared.events import read_event
from shared.settings import read_settings
from shared.sweep import Sweep

if TYPE_CHECKING:
    from embedded import EmbeddedStore
    from shared.monitor import Monitor

NOTES: Final = "notes.txt"
WAITING, OVERDUE, STRIPPED, IMPORTED = "waiting.tar", "overdue.tar", "stripped.tar", "webshop.tar"
MUTES: Final = [
    {"blob": f"{CONTAINER}/{NOTES}", "until": "2099-01-01", "reason": "notes of the operators, no transfer"},
]
_SETTINGS: Final = {"SAS_INSPECTION": "value", "MUTES": json.dumps(MUTES)}
_SOON: Final = timedelta(days=5)


async def write_shown_findings(store: EmbeddedStore, azurite: Azurite | None = None) -> None:
    """Writes them into ``store``, in some seconds: Azurite and the local cloud are started for it."""

    def ingestion(core: Any) -> LogsIngestion:
        return LogsIngestion.for_world(core, store=store)

    async with LocalCloud.start(azurite, services=(ingestion, AlertTopic.for_world)) as cloud:
        scenario = await transfer_between(cloud, source="contosohub", target="contosoedge")
        cloud.world.allow_secret_reading(scenario.vault)
        async with _monitor(cloud) as monitor:
            cloud.subscribe(lambda event: _deliver(monitor, event))
            await _runs(cloud, scenario)
            await _blobs(cloud, scenario)
            await _before_any_run(cloud, scenario)
            await Sweep(monitor).run()


async def _runs(cloud: LocalCloud, scenario: Scenario) -> None:
    """One succeeds; one fails and is repaired; one is partial; one fails, and stays so."""
    world, vault, pipeline = cloud.world, scenario.vault, scenario.export_pipeline
    await _export(cloud, scenario, "morning", "app/web:1.0", blob=IMPORTED)
    world.revoke_secret_get(vault, pipeline)
    await _export(cloud, scenario, "refused", "app/web:1.0")
    world.grant_secret_get(vault, pipeline)
    await _export(cloud, scenario, "repaired", "app/web:1.0")
    pipeline.options.append("ContinueOnErrors")
    await _export(cloud, scenario, "partial", "app/web:1.0", "app/web:9.9")
    pipeline.options.remove("ContinueOnErrors")
    await _export(cloud, scenario, "missing", "app/wep:1.0")


async def _export(
    cloud: LocalCloud, scenario: Scenario, run: str, *artifacts: str, blob: str = "", pipeline: str = "exportpipe"
) -> None:
    await cloud.put_run(scenario.source, run, pipeline, artifacts=artifacts, blob=blob or f"{run}.tar")
    await cloud.events_settled()


async def _blobs(cloud: LocalCloud, scenario: Scenario) -> None:
    """One is imported. Of the others one was stripped, one is overdue, one has just landed, one is no transfer."""
    account = scenario.import_account.name
    await scenario.carry_over(IMPORTED)
    await cloud.events_settled()
    for run in await cloud.poll_source_triggers():
        await cloud.wait_for_run(scenario.target, run)
    data = await cloud.read_blob(scenario.export_account.name, CONTAINER, IMPORTED)
    category = {"category": "acr-transfer-blob"}
    await cloud.put_blob(account, CONTAINER, STRIPPED, data, metadata={}, content_md5=False)
    await cloud.put_blob(account, CONTAINER, WAITING, data, metadata=category, content_md5=True)
    await cloud.put_blob(account, CONTAINER, NOTES, b"see the wiki", metadata={}, content_md5=True)
    await cloud.events_settled()
    await cloud.put_blob(account, CONTAINER, OVERDUE, data, metadata=category, content_md5=True)
    cloud.backdate_blob(account, CONTAINER, OVERDUE, timedelta(hours=3))
    await cloud.events_settled()


async def _before_any_run(cloud: LocalCloud, scenario: Scenario) -> None:
    """A token that expires soon, a pipeline that the vault refuses, and images that the monitor may not read."""
    world, vault, account = cloud.world, scenario.vault, scenario.export_account
    until = now() + _SOON
    vault.set_secret("nightly", f"?{cloud.sas(account.name, CONTAINER, 'rwla', expires=until)}", expires=until)
    container = scenario.export_pipeline.container_url
    nightly = world.add_export_pipeline(scenario.source, "nightly", container, vault.secret_uri("nightly"))
    world.grant_secret_get(vault, nightly)
    world.add_export_pipeline(scenario.source, "refusedpipe", container, vault.secret_uri("exportsas"))
    world.use_repository_permissions(scenario.source, monitored=False)
    await _export(cloud, scenario, "unseen", "hello-world", pipeline="nightly")


async def _deliver(monitor: Monitor, event: dict[str, Any]) -> None:
    if event["subject"].endswith(OVERDUE):
        # The event that got lost: the sweep finds the blob.
        return
    if event["eventType"] == "Microsoft.Storage.BlobCreated":
        await monitor.blob_event(read_event(event))
    else:
        await monitor.run_event(read_event(event))


@asynccontextmanager
async def _monitor(cloud: LocalCloud) -> AsyncIterator[Monitor]:
    identity = {name: cloud.environment[name] for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")}
    before = {name: os.environ.get(name) for name in identity}
    os.environ.update(identity)
    runtime.use_sessions(cloud.client_session)
    try:
        monitor = runtime.make_monitor(read_settings({**cloud.environment, **_SETTINGS}))
        try:
            yield monitor
        finally:
            await monitor.close()
    finally:
        runtime.use_sessions(None)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
