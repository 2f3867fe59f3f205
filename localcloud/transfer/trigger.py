"""The source trigger: polls the containers of import pipelines and imports what it may.

The documented rules: the token (or the identity) lists the container; the blob is a block blob, was modified within
the last 60 days, has a valid Content-MD5, and metadata that calls it a transfer blob.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from datetime import timedelta

from localcloud.core import Core
from localcloud.transfer.engine import TransferEngine
from localcloud.transfer.failures import TransferFailure
from localcloud.transfer.listing import ListedBlob, listed_blobs
from localcloud.world import Pipeline, Registry, Run
from localcloud.world.clock import now, seven_digits

WINDOW = timedelta(days=60)
CATEGORY = "acr-transfer-blob"


class SourceTrigger:
    def __init__(self, core: Core, engine: TransferEngine) -> None:
        self._core = core
        self._engine = engine

    async def poll(self) -> list[str]:
        """Look once at every watched container, wait for the imports, and name them."""
        started: list[Run] = []
        for registry in list(self._core.world.registries.values()):
            for pipeline in list(registry.import_pipelines.values()):
                if pipeline.trigger_enabled and pipeline.provisioning_state == "Succeeded":
                    started += await self._poll_pipeline(registry, pipeline)
        for run in started:
            await self._engine.wait(run)
        return [run.name for run in started]

    async def _poll_pipeline(self, registry: Registry, pipeline: Pipeline) -> list[Run]:
        try:
            container = await self._engine.client.container(pipeline)
            blobs = listed_blobs(await container.list())
        except TransferFailure:
            return []  # nobody is told: that is what makes these hard to see
        runs = []
        for blob in blobs:
            version = (blob.name, blob.etag)
            if importable(blob) and version not in pipeline.seen_blobs:
                pipeline.seen_blobs.add(version)
                runs.append(self._start(registry, pipeline, blob))
        return runs

    def _start(self, registry: Registry, pipeline: Pipeline, blob: ListedBlob) -> Run:
        name = f"{pipeline.name}_{uuid.uuid4().hex[:12]}"
        run = Run(
            name,
            f"{registry.id}/pipelineRuns/{name}",
            {
                "pipelineResourceId": pipeline.id,
                "source": {"type": "AzureStorageBlob", "name": blob.name},
            },
            created_by="Azure Container Registry",
            created_by_type="Application",
        )
        timestamp = {"timestamp": seven_digits(blob.last_modified)}
        run.response["trigger"] = {"sourceTrigger": timestamp}
        registry.runs[name.casefold()] = run
        retries = self._core.world.behaviour.retries_failed_sources

        def finished(over: Run) -> None:
            # No event: Event Grid tells of writes that came through ARM, and this one didn't.
            if retries and over.provisioning_state == "Failed":
                pipeline.seen_blobs.discard((blob.name, blob.etag))

        self._engine.start(registry, pipeline, run, finished)
        return run


def importable(blob: ListedBlob) -> bool:
    return (
        blob.blob_type == "BlockBlob"
        and blob.size > 0
        and blob.copy_status in {None, "success"}
        and now() - blob.last_modified < WINDOW
        and _valid_md5(blob.content_md5)
        and blob.metadata.get("category") == CATEGORY
    )


def _valid_md5(value: str | None) -> bool:
    try:
        return len(base64.b64decode(value or "", validate=True)) == 16
    except binascii.Error:
        return False
