"""How many ARM reads the event of a run that succeeded costs: the first of its pipeline, and those after it."""

from __future__ import annotations

import os

from bench.throughput import run_event
from localcloud import Azurite, LocalCloud
from localcloud.ingestion import LogsIngestion
from localcloud.scenario import transfer_between
from localcloud.topic import AlertTopic
from shared import runtime
from shared.events import read_event
from shared.settings import read_settings


async def measure(runs: int = 3) -> list[int]:
    """The ARM requests that the monitor sent for each run's event, counted where they arrive."""
    async with (
        Azurite.start() as azurite,
        LocalCloud.start(azurite, services=(LogsIngestion.for_world, AlertTopic.for_world)) as cloud,
    ):
        scenario = await transfer_between(cloud)
        os.environ.update(cloud.environment)
        runtime.use_sessions(cloud.client_session)
        monitor = runtime.make_monitor(read_settings(cloud.environment))
        reads = []
        for number in range(runs):
            body = await cloud.put_run(
                scenario.source,
                f"run{number}x",
                scenario.export_pipeline,
                artifacts=["hello-world"],
                blob=f"{number}.tar",
            )
            cloud.requests.clear()
            await monitor.run_event(read_event(run_event(body["id"])))
            reads.append(cloud.requests.count(service="arm", method="GET"))
        await monitor.close()
        runtime.use_sessions(None)
    return reads
