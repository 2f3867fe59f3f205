"""How long a handler takes when one of its dependencies hangs, and what becomes of the event."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from localcloud import Azurite, LocalCloud
from localcloud.ingestion import LogsIngestion
from localcloud.scenario import transfer_between
from localcloud.service import Fault, Hang
from localcloud.topic import AlertTopic
from shared import runtime
from shared.errors import TransientError
from shared.events import read_event
from shared.settings import read_settings


def _path(*parts: str) -> Callable[[web.Request], bool]:
    return lambda request: all(part.lower() in request.path.lower() for part in parts)


DEPENDENCIES: Final[dict[str, tuple[str, Callable[[web.Request], bool] | None]]] = {
    "ARM: the run": ("arm", _path("/pipelineruns/")),
    "ARM: the pipeline": ("arm", _path("/exportpipelines/")),
    "ARM: vaults": ("arm", _path("/microsoft.keyvault/")),
    "ARM: storage accounts": ("arm", _path("/microsoft.storage/")),
    "Key Vault": ("keyvault", None),
    "registry": ("registry", None),
    "transfer blobs": ("storage", _path("/transfer")),
    "state store": ("storage", _path("/acr-transfer-monitor/")),
    "logs ingestion": ("ingestion", None),
    "alert topic": ("topic", None),
}


@dataclass(frozen=True, slots=True)
class Hung:
    """One dependency's case."""

    dependency: str
    seconds: float
    became: str


async def measure() -> list[Hung]:
    """One failed run's event for each dependency, which hangs for all of it."""
    async with Azurite.start() as azurite:
        return [await _case(azurite, name) for name in DEPENDENCIES]


async def _case(azurite: Azurite, name: str) -> Hung:
    service, match = DEPENDENCIES[name]
    async with LocalCloud.start(azurite, services=(LogsIngestion.for_world, AlertTopic.for_world)) as cloud:
        scenario = await transfer_between(cloud)
        cloud.world.allow_secret_reading(scenario.vault)
        cloud.world.revoke_secret_get(scenario.vault, scenario.export_pipeline)
        body = await cloud.put_run(
            scenario.source, "failing", scenario.export_pipeline, artifacts=["hello-world"], blob="a.tar"
        )
        environment = {**cloud.environment, "SAS_INSPECTION": "value"}
        os.environ.update(environment)
        runtime.use_sessions(cloud.client_session)
        monitor = runtime.make_monitor(read_settings(environment))
        cloud.faults.append(Fault(service, match, Hang()))
        event = {
            "id": "hung",
            "topic": "/subscriptions/any",
            "subject": body["id"],
            "eventType": "Microsoft.Resources.ResourceWriteFailure",
            "data": {"operationName": "Microsoft.ContainerRegistry/registries/pipelineRuns/write"},
        }
        began = time.perf_counter()
        try:
            recorded = await monitor.run_event(read_event(event))
            became = f"stored {len(recorded.findings)} findings"
        except TransientError as error:
            became = f"raised {type(error).__name__}, comes again"
        seconds = time.perf_counter() - began
        cloud.faults.clear()
        await monitor.close()
        runtime.use_sessions(None)
        return Hung(name, seconds, became)


if __name__ == "__main__":
    for hung in asyncio.run(measure()):
        print(f"{hung.dependency:24} {hung.seconds:6.1f} s  {hung.became}")
