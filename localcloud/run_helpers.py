"""How tests and the demo start runs and let the service work: as the operator, through ARM."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
from typing import Any

from localcloud.arm.requests import ENDPOINT
from localcloud.arm.trail import Trail
from localcloud.core import Core
from localcloud.service import Origin
from localcloud.transfer import SourceTrigger, TransferEngine
from localcloud.world import Direction, Pipeline, Principal, Registry, Run

API_VERSION = "2025-06-01-preview"
DEPLOYMENT = "Microsoft.Resources/deployments/write"


class WriteRejectedError(Exception):
    """ARM has refused a write of the operator's."""

    def __init__(self, status: int, code: str, message: str, correlation_id: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.correlation_id = correlation_id


class RunHelpers:
    """Part of ``LocalCloud``."""

    _core: Core
    _engine: TransferEngine
    _trigger: SourceTrigger
    _trail: Trail
    _pollers: list[asyncio.Task[None]]

    async def put_run(
        self,
        registry: Registry | str,
        run_name: str,
        pipeline: Pipeline | str,
        *,
        artifacts: Iterable[str] = (),
        blob: str | None = None,
        force_update_tag: str | None = None,
        catalog_digest: str | None = None,
        wait: bool = True,
        deployment: str | None = None,
        correlation_id: str | None = None,
    ) -> dict[str, Any]:
        """PUT a pipelineRun, and GET it once it is over (``wait``).

        ``pipeline`` is a pipeline, its name or its resource id. ``deployment`` makes the write part of a template
        deployment, which has an event of its own with the same correlation id.
        """
        home = self._core.world.registry(registry)
        request = _request(home, pipeline, artifacts, blob, catalog_digest)
        properties: dict[str, Any] = {"request": request}
        if force_update_tag is not None:
            properties["forceUpdateTag"] = force_update_tag
        run_id = f"{home.id}/pipelineRuns/{run_name}"
        correlation_id = correlation_id or str(uuid.uuid4())
        try:
            body = await self.arm("PUT", run_id, {"properties": properties}, correlation_id=correlation_id)
        except WriteRejectedError as refusal:
            if deployment is not None:
                self.record_deployment(home, deployment, correlation_id, refusal)
            raise
        run = home.runs[run_name.casefold()]
        if not wait:
            return body
        await self._engine.wait(run)
        if deployment is not None:
            self.record_deployment(home, deployment, correlation_id, failed=run.provisioning_state == "Failed")
        return await self.arm("GET", run_id)

    async def get_run(self, registry: Registry | str, run_name: str) -> dict[str, Any]:
        return await self.arm("GET", f"{self._core.world.registry(registry).id}/pipelineRuns/{run_name}")

    async def delete_run(self, registry: Registry | str, run_name: str) -> None:
        await self.arm("DELETE", f"{self._core.world.registry(registry).id}/pipelineRuns/{run_name}")

    async def wait_for_run(self, registry: Registry | str, run_name: str) -> Run:
        run = self._core.world.registry(registry).runs[run_name.casefold()]
        await self._engine.wait(run)
        return run

    async def cancel_run(self, registry: Registry | str, run_name: str) -> None:
        """End a run that is held or on its way as canceled."""
        await self._engine.cancel(self._core.world.registry(registry).runs[run_name.casefold()])

    def hold_transfers(self) -> None:
        """Runs that begin from now on stay ``Running``."""
        self._engine.hold()

    def release_transfers(self) -> None:
        self._engine.release()

    async def arm(
        self,
        method: str,
        resource_id: str,
        body: dict[str, Any] | None = None,
        *,
        api_version: str = API_VERSION,
        principal: Principal | None = None,
        correlation_id: str | None = None,
    ) -> dict[str, Any]:
        """A request to ARM, as the operator unless another principal is given."""
        headers = {
            **self._core.bearer(principal or self._core.world.operator, ENDPOINT),
            "User-Agent": "operator",
            "x-ms-correlation-request-id": correlation_id or str(uuid.uuid4()),
        }
        session = self._core.session(Origin.OPERATOR)
        url = f"{ENDPOINT}{resource_id}"
        parameters = {"api-version": api_version}
        async with session.request(method, url, params=parameters, json=body, headers=headers) as answer:
            document: dict[str, Any] = await answer.json() if answer.content_length else {}
            if answer.status < 400:
                return document
            error = document.get("error", {})
            raise WriteRejectedError(
                answer.status,
                error.get("code", ""),
                error.get("message", ""),
                answer.headers.get("x-ms-correlation-request-id", ""),
            )

    def record_deployment(
        self,
        registry: Registry | str,
        name: str,
        correlation_id: str,
        refusal: WriteRejectedError | None = None,
        *,
        failed: bool = False,
    ) -> None:
        """The event and the log entry of a template deployment into the registry's resource group."""
        home = self._core.world.registry(registry)
        resource_id = self._core.world.resource_id(
            "Microsoft.Resources/deployments", name, home.resource_group, home.subscription_id
        )
        error = {"code": "DeploymentFailed", "message": "At least one resource deployment operation failed."}
        if refusal is not None:
            error["details"] = f"{refusal.code}: {refusal.message}"
        over = "Failed" if failed or refusal is not None else "Succeeded"
        self._trail.write(
            resource_id,
            DEPLOYMENT,
            over,
            caller=self._core.world.operator,
            correlation_id=correlation_id,
            error=error if over == "Failed" else None,
        )

    async def poll_source_triggers(self) -> list[str]:
        """One poll of every enabled import pipeline; the names of the runs it started, all of them over."""
        return await self._trigger.poll()

    def keep_polling(self, interval: float) -> asyncio.Task[None]:
        """Poll again and again, until the task is canceled or the local cloud is closed."""

        async def poll() -> None:
            try:
                while True:
                    await self._trigger.poll()
                    await asyncio.sleep(interval)
            except Exception as error:  # noqa: BLE001
                self._core.front.broken.append(error)

        task = asyncio.create_task(poll())
        self._pollers.append(task)
        return task

    async def _stop_polling(self) -> None:
        for task in self._pollers:
            task.cancel()
        await asyncio.gather(*self._pollers, return_exceptions=True)


def _request(
    registry: Registry,
    pipeline: Pipeline | str,
    artifacts: Iterable[str],
    blob: str | None,
    catalog_digest: str | None,
) -> dict[str, Any]:
    identifier = _pipeline_id(registry, pipeline)
    request: dict[str, Any] = {"pipelineResourceId": identifier}
    end = {"type": "AzureStorageBlob", "name": blob} if blob else None
    if f"/{Direction.EXPORT}/".casefold() in identifier.casefold():
        request |= {"artifacts": list(artifacts), "target": end}
    else:
        request |= {"source": end}
    if catalog_digest is not None:
        request["catalogDigest"] = catalog_digest
    return request


def _pipeline_id(registry: Registry, pipeline: Pipeline | str) -> str:
    if isinstance(pipeline, Pipeline):
        return pipeline.id
    if "/" in pipeline:
        return pipeline
    for known in registry.pipelines():
        if known.name.casefold() == pipeline.casefold():
            return known.id
    raise KeyError(f"{registry.name} has no pipeline {pipeline!r}; give the resource id to ask for one that is gone")
