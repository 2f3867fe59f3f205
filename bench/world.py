"""The world that the throughput benchmark runs against, built inside the local cloud's own process."""

from __future__ import annotations

from typing import Final

from localcloud import LocalCloud
from localcloud.scenario import transfer_between

SUCCEEDED: Final = 310
FAILED: Final = 310


async def build(cloud: LocalCloud) -> None:
    """Runs that succeeded, and runs that failed on an artifact that isn't there: each its own condition."""
    scenario = await transfer_between(cloud)
    for number in range(SUCCEEDED):
        await cloud.put_run(
            scenario.source,
            f"good{number:04}",
            scenario.export_pipeline,
            artifacts=["hello-world"],
            blob=f"good{number:04}.tar",
        )
    for number in range(FAILED):
        await cloud.put_run(
            scenario.source,
            f"bad{number:04}",
            scenario.export_pipeline,
            artifacts=["nothing/like:this"],
            blob=f"bad{number:04}.tar",
        )
