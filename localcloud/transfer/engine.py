"""Carries runs out, each as a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from localcloud.core import Core
from localcloud.transfer.access import ContainerAccess, ServiceClient
from localcloud.transfer.exporting import export
from localcloud.transfer.failures import TransferFailure
from localcloud.transfer.importing import import_blob
from localcloud.transfer.progress import Progress
from localcloud.world import Direction, Pipeline, Registry, Run

Finished = Callable[[Run], None]


class TransferEngine:
    """The part of the registry service that transfers."""

    def __init__(self, core: Core) -> None:
        self.client = ServiceClient(core)
        self._core = core
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._gate = asyncio.Event()
        self._gate.set()

    def start(self, registry: Registry, pipeline: Pipeline, run: Run, finished: Finished) -> None:
        """Begin the run; ``finished`` is called in the same step that makes its end visible."""
        progress = Progress(run)
        progress.begin()
        end = "target" if pipeline.direction is Direction.EXPORT else "source"
        progress.response[end] = _resolved(pipeline, run.request.get(end) or {})
        key = run.id.casefold()
        task = asyncio.create_task(self._carry_out(registry, pipeline, progress, finished))
        task.add_done_callback(lambda _: self._tasks.pop(key, None))
        self._tasks[key] = task

    async def wait(self, run: Run) -> None:
        """Until the run is over."""
        task = self._tasks.get(run.id.casefold())
        if task is not None:
            await asyncio.wait([task])

    async def cancel(self, run: Run) -> None:
        """End the run as canceled."""
        task = self._tasks.get(run.id.casefold())
        if task is None:
            raise ValueError(f"run {run.name} is over already")
        task.cancel()
        await asyncio.wait([task])

    def hold(self) -> None:
        """Runs that begin now stay as they are until ``release``."""
        self._gate.clear()

    def release(self) -> None:
        self._gate.set()

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry_out(self, registry: Registry, pipeline: Pipeline, progress: Progress, finished: Finished) -> None:
        style = self._core.world.behaviour.message_style
        try:
            await self._gate.wait()
            await self._transfer(registry, pipeline, progress)
        except TransferFailure as failure:
            progress.end("Failed", failure.message(style))
        except asyncio.CancelledError:
            progress.end("Canceled", "The pipeline run was canceled.")
            finished(progress.run)
            raise
        except Exception as error:  # noqa: BLE001
            self._core.front.broken.append(error)
            progress.end("Failed", f"the local cloud itself is broken: {error!r}")
        else:
            progress.end("Succeeded")
        finished(progress.run)

    async def _transfer(self, registry: Registry, pipeline: Pipeline, progress: Progress) -> None:
        if pipeline.provisioning_state != "Succeeded":
            raise TransferFailure(f"The pipeline {pipeline.name} is in state {pipeline.provisioning_state}.")
        if registry.sku != "Premium":
            raise TransferFailure(f"Pipelines are not supported for the {registry.sku} SKU of {registry.name}.")
        exports = pipeline.direction is Direction.EXPORT
        if exports and registry.export_policy == "disabled":
            raise TransferFailure(f"Export is disabled by the exportPolicy of the registry {registry.name}.")
        container: ContainerAccess = await self.client.container(pipeline)
        progress.reached(10)
        carry_out = export if exports else import_blob
        await carry_out(registry, pipeline, progress, container, self._core.world.behaviour)


def _resolved(pipeline: Pipeline, end: dict[str, Any]) -> dict[str, Any]:
    """The blob with its whole address, as the response shows it."""
    resolved: dict[str, Any] = {
        "type": "AzureStorageBlob",
        "uri": f"{pipeline.container_url.rstrip('/')}/{end.get('name', '')}",
    }
    if pipeline.secret_uri:
        resolved["keyVaultUri"] = pipeline.secret_uri
    return {**resolved, "storageAccessMode": str(pipeline.access_mode)}
