"""Finds the route, checks token, version and right, and shapes refusals as ARM does."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable

from aiohttp import web

from localcloud.arm.requests import ArmError, ArmRequest, Route, authorization_failed
from localcloud.service import Caller
from localcloud.world import World

HOST = "management.azure.com"
AUDIENCES = ("https://management.azure.com", "https://management.core.windows.net")
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")


class ArmService:
    name = "arm"

    def __init__(self, world: World, routes: Iterable[Route]) -> None:
        self._world = world
        self._routes = list(routes)

    def owns(self, host: str) -> bool:
        return host == HOST

    async def handle(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        correlation_id = request.headers.get("x-ms-correlation-request-id") or str(uuid.uuid4())
        try:
            response = await self._dispatch(request, caller, correlation_id)
        except ArmError as error:
            response = web.json_response(error.body, status=error.status)
            if error.status == 401:
                response.headers["WWW-Authenticate"] = (
                    f'Bearer authorization_uri="https://login.microsoftonline.com/{self._world.tenant_id}", '
                    'error="invalid_token", error_description="The access token is missing or invalid."'
                )
        if not response.prepared:
            response.headers["x-ms-request-id"] = str(uuid.uuid4())
            response.headers["x-ms-correlation-request-id"] = correlation_id
        return response

    async def _dispatch(self, request: web.Request, caller: Caller, correlation_id: str) -> web.StreamResponse:
        if caller.anonymous:
            raise ArmError(
                401,
                "InvalidAuthenticationToken" if caller.token_problem else "AuthenticationFailed",
                caller.token_problem or "Authentication failed. The 'Authorization' header is missing.",
            )
        if not any(caller.has_audience(audience) for audience in AUDIENCES):
            raise ArmError(
                401,
                "InvalidAuthenticationTokenAudience",
                "The access token has been obtained for wrong audience or resource "
                f"'{caller.audience}'. It should exactly match with one of the allowed audiences "
                f"'{','.join(AUDIENCES)}'.",
            )
        version = request.query.get("api-version")
        if version is None:
            raise ArmError(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        route, parameters = self._route(request)
        arm_request = ArmRequest(request, caller, self._world, parameters, version, correlation_id)
        self._check_right(route, arm_request)
        self._check_version(route, version)
        return await route.handler(arm_request)

    def _route(self, request: web.Request) -> tuple[Route, dict[str, str]]:
        path = request.path.rstrip("/")
        methods = set()
        for route in self._routes:
            match = route.pattern.fullmatch(path)
            if match is None:
                continue
            if route.method == request.method:
                return route, match.groupdict()
            methods.add(route.method)
        if methods:
            raise ArmError(405, "HttpMethodNotAllowed", f"The requested resource does not support {request.method}.")
        raise ArmError(404, "InvalidResourceType", f"The local cloud has no resource type at {path}.")

    def _check_right(self, route: Route, request: ArmRequest) -> None:
        caller = request.caller
        if route.own_refusals or caller.may(route.action, request.path):
            return
        if route.filters and self._has_anything_below(request):
            return
        raise authorization_failed(caller, route.action, request.path)

    def _has_anything_below(self, request: ArmRequest) -> bool:
        prefix = f"/subscriptions/{request['subscription']}/".casefold()
        assignments = self._world.access.assigned_to(request.caller.principal_id or "")
        return any(assignment.scope.casefold().startswith(prefix) for assignment in assignments)

    def _check_version(self, route: Route, version: str) -> None:
        known = route.api_versions(self._world) if route.api_versions else None
        if not _VERSION.fullmatch(version):
            raise ArmError(
                400,
                "InvalidApiVersionParameter",
                f"The api-version '{version}' is invalid. The supported versions are "
                f"'{','.join(reversed(known or ['2022-09-01', '2021-04-01']))}'.",
            )
        if known is None or version in known:
            return
        resource_type = _resource_type(route.template)
        supported = ", ".join(known)
        match self._world.behaviour.unknown_version_code:
            case "InvalidApiVersionParameter":
                message = f"The api-version '{version}' is invalid. The supported versions are '{supported}'."
            case "InvalidResourceType":
                message = (
                    f"The resource type '{resource_type}' could not be found in the namespace "
                    f"'Microsoft.ContainerRegistry' for api version '{version}'. The supported "
                    f"api-versions are '{supported}'."
                )
            case _:
                message = (
                    "No registered resource provider found for location 'eastus' and API version "
                    f"'{version}' for type '{resource_type}'. The supported api-versions are "
                    f"'{supported}'. The supported locations are 'eastus, westeurope'."
                )
        status = 404 if self._world.behaviour.unknown_version_code == "InvalidResourceType" else 400
        raise ArmError(status, self._world.behaviour.unknown_version_code, message)


def _resource_type(template: str) -> str:
    segments = template.rpartition("/providers/")[2].split("/")
    return "/".join(segment for segment in segments[1:] if not segment.startswith("{"))
