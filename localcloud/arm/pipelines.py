"""Writes of export and import pipelines."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from localcloud.arm.lookups import REGISTRY, pipeline_of, registry_of
from localcloud.arm.registries import REGISTRY_TYPE, mode_of, pipeline_json
from localcloud.arm.requests import ArmError, ArmRequest, Handler, Route, authorization_failed
from localcloud.arm.runs import principal_of, read_properties
from localcloud.arm.trail import Trail
from localcloud.world import AccessMode, Direction, IdentityKind, Pipeline, Principal, World
from localcloud.world.clock import now


class PipelineWrites:
    def __init__(self, trail: Trail) -> None:
        self._trail = trail

    def routes(self) -> list[Route]:
        return [route for direction in Direction for route in self._routes(direction)]

    def _routes(self, direction: Direction) -> list[Route]:
        template = f"{REGISTRY}/{direction}/{{pipeline}}"
        actions = f"{REGISTRY_TYPE}/{direction}"
        put, delete = self._put(direction), self._delete(direction)
        return [
            Route("PUT", template, put, f"{actions}/write", _versions, own_refusals=True),
            Route("DELETE", template, delete, f"{actions}/delete", _versions),
        ]

    def _put(self, direction: Direction) -> Handler:
        action = f"{REGISTRY_TYPE}/{direction}/write"

        async def put(request: ArmRequest) -> web.Response:
            try:
                pipeline, existed = await _written(request, direction, action)
            except ArmError as error:
                self._record(request, action, "Failed", error)
                raise
            self._record(request, action, "Succeeded", existed=existed)
            body = pipeline_json(request.world, pipeline, request.api_version)
            return web.json_response(body, status=200 if existed else 201)

        return put

    def _delete(self, direction: Direction) -> Handler:
        action = f"{REGISTRY_TYPE}/{direction}/delete"

        async def delete(request: ArmRequest) -> web.Response:
            pipeline = pipeline_of(request, direction)
            del request.world.pipelines_of(registry_of(request), direction)[pipeline.name.casefold()]
            self._record(request, action, "Succeeded", existed=True)
            return web.Response(status=200)

        return delete

    def _record(
        self,
        request: ArmRequest,
        action: str,
        status: str,
        error: ArmError | None = None,
        *,
        existed: bool = False,
    ) -> None:
        self._trail.write(
            request.path,
            action,
            status,
            caller=principal_of(request),
            correlation_id=request.correlation_id,
            method=request.http.method,
            existed=existed,
            error=None if error is None else error.body["error"],
        )


async def _written(request: ArmRequest, direction: Direction, action: str) -> tuple[Pipeline, bool]:
    if not request.caller.may(action, request.path):
        raise authorization_failed(request.caller, action, request.path)
    registry = registry_of(request)
    if registry.sku != "Premium":
        raise ArmError(400, "SkuNotSupported", f"Pipelines are not supported for the {registry.sku} SKU of registries.")
    exports = direction is Direction.EXPORT
    if exports and registry.export_policy == "disabled":
        raise ArmError(
            409,
            "ExportPolicyDisabled",
            f"Export pipelines can't be created: exportPolicy is disabled on the registry '{registry.name}'.",
        )
    properties = await read_properties(request)
    end = properties.get("target" if exports else "source") or {}
    if not end.get("uri"):
        raise ArmError(400, "InvalidRequest", "The URI of the storage container is required.")
    pipelines = request.world.pipelines_of(registry, direction)
    name = request["pipeline"]
    old = pipelines.get(name.casefold())
    body = await request.http.json()
    kind, identity = _identity(request.world, body.get("identity") or {}, name, old)
    secret_uri = end.get("keyVaultUri") or None
    pipeline = Pipeline(
        name,
        f"{registry.id}/{direction}/{name}",
        direction,
        str(end["uri"]),
        secret_uri,
        AccessMode(end.get("storageAccessMode") or mode_of(secret_uri)),
        kind,
        identity,
        list(properties.get("options") or []),
        _trigger_enabled(properties),
    )
    if old is not None:
        pipeline.created, pipeline.seen_blobs, pipeline.modified = old.created, old.seen_blobs, now()
    pipelines[name.casefold()] = pipeline
    return pipeline, old is not None


def _trigger_enabled(properties: dict[str, Any]) -> bool:
    trigger = (properties.get("trigger") or {}).get("sourceTrigger") or {}
    return str(trigger.get("status", "Enabled")).casefold() == "enabled"


def _identity(
    world: World, sent: dict[str, Any], name: str, old: Pipeline | None
) -> tuple[IdentityKind, Principal | None]:
    """A pipeline that is made anew has a new system-assigned identity, and loses what the old one had."""
    kind = str(sent.get("type", "none")).casefold()
    if kind == "systemassigned":
        kept = old is not None and old.identity_kind is IdentityKind.SYSTEM
        identity = old.identity if old is not None and kept else Principal(f"{name}-identity")
        return IdentityKind.SYSTEM, identity
    if kind == "userassigned":
        resource_id = next(iter(sent.get("userAssignedIdentities") or {}), "")
        return IdentityKind.USER, world.user_assigned_identity(resource_id)
    return IdentityKind.NONE, None


def _versions(world: World) -> list[str]:
    return world.behaviour.pipeline_api_versions
