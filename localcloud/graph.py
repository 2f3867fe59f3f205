"""Microsoft Graph, as much of it as ``az`` asks: who is behind a name or an id."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from localcloud.service import Caller
from localcloud.world import Principal, World

HOST = "graph.microsoft.com"
AUDIENCE = "https://graph.microsoft.com"
_WANTED = re.compile(r"eq '([^']+)'")
_COLLECTIONS = {"/v1.0/servicePrincipals": "ServicePrincipal", "/v1.0/users": "User"}


class GraphService:
    """Knows the principals of the world."""

    name = "graph"

    def __init__(self, world: World) -> None:
        self._world = world

    def owns(self, host: str) -> bool:
        return host == HOST

    async def handle(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        if caller.anonymous or not caller.has_audience(AUDIENCE):
            return _refusal(401, "InvalidAuthenticationToken", "Access token validation failure.")
        kind, wanted = _COLLECTIONS.get(request.path), _WANTED.search(request.query.get("$filter", ""))
        if kind is None or wanted is None:
            return _refusal(501, "NotImplemented", "Looking principals up by a filter is all that is here.")
        name = wanted[1].casefold()
        found = [
            {"id": principal.id, "appId": principal.client_id, "displayName": principal.name}
            for principal in self._principals()
            if principal.kind == kind and name in {known.casefold() for known in _names(principal)}
        ]
        return web.json_response({"value": found})

    def _principals(self) -> list[Principal]:
        pipelines = [pipeline for registry in self._world.registries.values() for pipeline in registry.pipelines()]
        of_pipelines = [pipeline.identity for pipeline in pipelines if pipeline.identity is not None]
        return [self._world.operator, *self._world.identities.values(), *of_pipelines]


def _names(principal: Principal) -> tuple[str, ...]:
    return (principal.id, principal.client_id, principal.user_principal_name or "")


def _refusal(status: int, code: str, message: str) -> web.Response:
    error: dict[str, Any] = {"code": code, "message": message}
    return web.json_response({"error": error}, status=status)
