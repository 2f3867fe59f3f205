"""The managed identity endpoint of an App Service or Functions host: plain http on loopback."""

from __future__ import annotations

import secrets

from aiohttp import web

from localcloud.service import Caller
from localcloud.tokens import TOKEN_LIFETIME, Tokens
from localcloud.world import Principal, World

API_VERSION = "2019-08-01"
PATH = "/msi/token"


class ManagedIdentityEndpoint:
    """Gives the monitor's host tokens for the identities that are assigned to it."""

    name = "identity"

    def __init__(self, world: World, tokens: Tokens) -> None:
        self._world = world
        self._tokens = tokens
        self.header = secrets.token_hex(16)
        self.token_lifetime: float = TOKEN_LIFETIME

    def owns(self, host: str) -> bool:
        """It has a server of its own; no name leads to it."""
        return host == "127.0.0.1"

    async def handle(self, request: web.Request, caller: Caller) -> web.StreamResponse:  # noqa: ARG002
        if request.path != PATH:
            return _refusal(404, "not_found", f"There is no {request.path}.")
        if request.headers.get("X-IDENTITY-HEADER") != self.header:
            return _refusal(403, "forbidden", "The X-IDENTITY-HEADER is missing or wrong.")
        resource = request.query.get("resource")
        if request.query.get("api-version") != API_VERSION or not resource:
            return _refusal(400, "invalid_request", f"api-version {API_VERSION} and a resource are required.")
        principal = self._principal(request)
        if principal is None:
            return _refusal(400, "invalid_client", "No User Assigned or Delegated Managed Identity found.")
        token, expires = self._tokens.issue(principal, resource, lifetime=self.token_lifetime)
        return web.json_response(
            {
                "access_token": token,
                "client_id": principal.client_id,
                "expires_on": str(expires),
                "resource": resource,
                "token_type": "Bearer",
            }
        )

    def _principal(self, request: web.Request) -> Principal | None:
        client_id = request.query.get("client_id")
        if client_id is not None:
            return self._world.identities.get(client_id)
        object_id = request.query.get("principal_id") or request.query.get("object_id")
        resource_id = request.query.get("mi_res_id")
        for identity in self._world.identities.values():
            if object_id == identity.id or (resource_id and resource_id == identity.resource_id):
                return identity
        return None if object_id or resource_id else self._world.system_identity


def _refusal(status: int, error: str, description: str) -> web.Response:
    return web.json_response({"error": error, "error_description": description}, status=status)
