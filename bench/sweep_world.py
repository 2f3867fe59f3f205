"""The world of the sweep's benchmark: many registries with pipelines that work and runs that are long over."""

from __future__ import annotations

import copy
from typing import Final

from localcloud import LocalCloud
from localcloud.scenario import transfer_between

PREFIX: Final = "contososweep"
REGISTRIES: Final = 200
EXPORT_PIPELINES: Final = 2
RUNS: Final = 20


async def build(cloud: LocalCloud) -> None:
    """One run is carried out, and every registry gets copies of it: what counts is how many there are to list."""
    world = cloud.world
    scenario = await transfer_between(cloud)
    exporting, importing = scenario.export_pipeline, scenario.import_pipeline
    await cloud.put_run(scenario.source, "model", exporting, artifacts=["hello-world"], blob="model.tar")
    model = scenario.source.runs["model"]
    for number in range(REGISTRIES):
        registry = world.add_registry(f"{PREFIX}{number:03}")
        for index in range(EXPORT_PIPELINES):
            pipeline = world.add_export_pipeline(
                registry, f"exportpipe{index}", exporting.container_url, exporting.secret_uri
            )
            world.grant_secret_get(scenario.vault, pipeline)
        pulling = world.add_import_pipeline(registry, "importpipe", importing.container_url, importing.secret_uri)
        world.grant_secret_get(scenario.vault, pulling)
        for index in range(RUNS):
            run = copy.deepcopy(model)
            run.name = f"known{index:02}"
            run.id = f"{registry.id}/pipelineRuns/{run.name}"
            run.request["pipelineResourceId"] = f"{registry.id}/exportPipelines/exportpipe0"
            registry.runs[run.name] = run
