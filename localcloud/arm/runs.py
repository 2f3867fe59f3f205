"""Writes of pipelineRuns: taken, refused, or nothing to do."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from localcloud.arm.lookups import REGISTRY, registry_of, run_of
from localcloud.arm.registries import REGISTRY_TYPE, run_json
from localcloud.arm.requests import ENDPOINT, ArmError, ArmRequest, Route, authorization_failed
from localcloud.arm.trail import Trail
from localcloud.transfer.engine import TransferEngine
from localcloud.transfer.exporting import MAX_ARTIFACTS, too_many_artifacts
from localcloud.world import Direction, Pipeline, Principal, Registry, Run, World

WRITE = f"{REGISTRY_TYPE}/pipelineRuns/write"
DELETE = f"{REGISTRY_TYPE}/pipelineRuns/delete"
_NAME = re.compile(r"[a-zA-Z0-9]{5,50}")


class RunWrites:
    def __init__(self, engine: TransferEngine, trail: Trail) -> None:
        self._engine = engine
        self._trail = trail

    def routes(self) -> list[Route]:
        template = REGISTRY + "/pipelineRuns/{run}"
        return [
            Route("PUT", template, self.put, WRITE, _versions, own_refusals=True),
            Route("DELETE", template, self.delete, DELETE, _versions),
        ]

    async def put(self, request: ArmRequest) -> web.Response:
        try:
            registry, pipeline, properties = await self._accepted(request)
        except ArmError as error:
            self._record(request, request.path, "Failed", error)
            raise
        name = request["run"]
        run_id = f"{registry.id}/pipelineRuns/{name}"
        old = registry.runs.get(name.casefold())
        tag = properties.get("forceUpdateTag")
        if old is not None:
            if not old.over:
                conflict = ArmError(409, "Conflict", f"The pipeline run '{name}' is still in progress.")
                self._record(request, run_id, "Failed", conflict)
                raise conflict
            if old.request == properties["request"] and old.force_update_tag == tag:
                # Nothing has changed, so nothing is done: the old run comes back, however it ended.
                self._record(request, run_id, "Succeeded", existed=True)
                return web.json_response(run_json(old, request.api_version))
        caller = principal_of(request)
        run = Run(
            name,
            run_id,
            properties["request"],
            tag,
            correlation_id=request.correlation_id,
            created_by=caller.user_principal_name or caller.client_id,
            created_by_type="User" if caller.kind == "User" else "Application",
        )
        registry.runs[name.casefold()] = run

        def finished(over: Run) -> None:
            failed = over.provisioning_state == "Failed"
            error = ArmError(400, "PipelineRunFailed", over.error_message or "") if failed else None
            self._record(request, run_id, over.provisioning_state, error, existed=old is not None)

        self._engine.start(registry, pipeline, run, finished)
        operation = f"{ENDPOINT}{run_id}/operationStatuses/{run.operation_id}?api-version={request.api_version}"
        return web.json_response(
            run_json(run, request.api_version), status=201, headers={"Azure-AsyncOperation": operation}
        )

    async def delete(self, request: ArmRequest) -> web.Response:
        run, registry = run_of(request), registry_of(request)
        del registry.runs[run.name.casefold()]
        self._trail.write(
            run.id,
            DELETE,
            "Succeeded",
            caller=principal_of(request),
            correlation_id=request.correlation_id,
            method="DELETE",
            existed=True,
        )
        return web.Response(status=200)

    async def _accepted(self, request: ArmRequest) -> tuple[Registry, Pipeline, dict[str, Any]]:
        """The pipeline and the properties, or the reason why the write leaves no run."""
        if not request.caller.may(WRITE, request.path):
            raise authorization_failed(request.caller, WRITE, request.path)
        registry = registry_of(request)
        if not _NAME.fullmatch(request["run"]):
            raise ArmError(
                400,
                "InvalidResourceName",
                f"The pipeline run name '{request['run']}' must be 5 to 50 alphanumeric characters.",
            )
        properties = await read_properties(request)
        wanted = properties.get("request")
        if not isinstance(wanted, dict) or not wanted.get("pipelineResourceId"):
            raise ArmError(400, "InvalidRequest", "properties.request.pipelineResourceId is required.")
        pipeline = _linked_pipeline(request, registry, str(wanted["pipelineResourceId"]))
        _check_request(request.world, pipeline, wanted)
        return registry, pipeline, properties

    def _record(
        self,
        request: ArmRequest,
        run_id: str,
        status: str,
        error: ArmError | None = None,
        *,
        existed: bool = False,
    ) -> None:
        self._trail.write(
            run_id,
            WRITE,
            status,
            caller=principal_of(request),
            correlation_id=request.correlation_id,
            existed=existed,
            status_code=_status_name(error),
            error=None if error is None else error.body["error"],
        )


def _linked_pipeline(request: ArmRequest, registry: Registry, pipeline_id: str) -> Pipeline:
    found = request.world.find_pipeline(pipeline_id)
    if found is None or found[0] is not registry:
        raise ArmError(
            404,
            "ResourceNotFound",
            f"The pipeline '{pipeline_id}' was not found in the registry '{registry.name}'.",
        )
    pipeline = found[1]
    action = f"{REGISTRY_TYPE}/{pipeline.direction}/read"
    if not request.caller.may(action, pipeline.id):
        who = request.caller
        raise ArmError(
            403,
            "LinkedAuthorizationFailed",
            f"The client '{who.client_id}' with object id '{who.principal_id}' has permission to perform action "
            f"'{WRITE}' on scope '{request.path}'; however, it does not have permission to perform action "
            f"'read' on the linked scope(s) '{pipeline.id}'.",
        )
    return pipeline


def _check_request(world: World, pipeline: Pipeline, wanted: dict[str, Any]) -> None:
    if pipeline.direction is Direction.IMPORT:
        if not (wanted.get("source") or {}).get("name"):
            raise ArmError(400, "InvalidRequest", "source cannot be null for Import PipelineRuns.")
        return
    artifacts = wanted.get("artifacts")
    if not artifacts:
        raise ArmError(400, "InvalidRequest", "artifacts cannot be null for Export PipelineRuns.")
    if not (wanted.get("target") or {}).get("name"):
        raise ArmError(400, "InvalidRequest", "target cannot be null for Export PipelineRuns.")
    if len(artifacts) > MAX_ARTIFACTS and world.behaviour.rejects_invalid_requests:
        raise ArmError(400, "InvalidRequest", too_many_artifacts(len(artifacts)))


async def read_properties(request: ArmRequest) -> dict[str, Any]:
    try:
        properties = (await request.http.json())["properties"]
    except (ValueError, KeyError, TypeError):
        properties = None
    if not isinstance(properties, dict):
        raise ArmError(400, "InvalidRequestContent", "The request content was invalid: properties are missing.")
    return properties


def principal_of(request: ArmRequest) -> Principal:
    """Who writes. Apart from the operator nobody has a name here."""
    operator = request.world.operator
    if request.caller.principal_id == operator.id:
        return operator
    return Principal(
        "service principal", id=request.caller.principal_id or "", client_id=request.caller.client_id or ""
    )


def _status_name(error: ArmError | None) -> str:
    if error is None:
        return "OK"
    return {403: "Forbidden", 404: "NotFound", 409: "Conflict"}.get(error.status, "BadRequest")


def _versions(world: World) -> list[str]:
    return world.behaviour.pipeline_api_versions
