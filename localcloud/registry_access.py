"""A registry's way in: its challenge, the two exchanges of tokens, and what the roles allow.

Source: "Azure Container Registry OAuth" (docs/AAD-OAuth.md of Azure/acr). An Entra token is exchanged for a
refresh token, and that for an access token with a scope. Who lacks a right is not refused there: the access
token then lacks it too, and the request that needs it is answered 401.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from localcloud.service import Caller
from localcloud.tokens import REGISTRY_ACCESS_LIFETIME, REGISTRY_REFRESH_LIFETIME, Tokens
from localcloud.world import Registry, World

AUDIENCES = (
    "https://management.azure.com",
    "https://management.core.windows.net",
    "https://containerregistry.azure.net",
)
_PROVIDER = "Microsoft.ContainerRegistry/registries"
_PULL = (f"{_PROVIDER}/pull/read", False)
# What an action takes, by the mode of the registry: the right, and whether it is a data action.
_RIGHTS: Mapping[bool, Mapping[str, tuple[str, bool]]] = {
    False: {"pull": _PULL, "metadata_read": _PULL, "*": _PULL},
    True: {
        "pull": (f"{_PROVIDER}/repositories/content/read", True),
        "metadata_read": (f"{_PROVIDER}/repositories/metadata/read", True),
        "*": (f"{_PROVIDER}/catalog/read", True),
    },
}


class RegistryError(Exception):
    """A refusal: ``{"errors": [{"code", "message", "detail"}]}``."""

    def __init__(
        self, status: int, code: str, message: str, detail: object = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.body: dict[str, Any] = {"errors": [{"code": code, "message": message, "detail": detail}]}
        self.headers = dict(headers or {})


class RegistryAccess:
    def __init__(self, world: World, tokens: Tokens) -> None:
        self._world = world
        self._tokens = tokens

    def check_network(self, caller: Caller, registry: Registry) -> None:
        if not registry.network.admits(caller.origin):
            raise RegistryError(
                403,
                "DENIED",
                f"client with IP '{caller.address}' is not allowed access. Refer https://aka.ms/acr/firewall to "
                "grant access.",
            )

    def check_scope(self, request: web.Request, registry: Registry, kind: str, name: str, action: str) -> None:
        """The request carries an access token for this scope."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        host = registry.login_server
        claims = self._tokens.registry_claims(token, host, "access_token") if scheme == "Bearer" else None
        granted = [] if claims is None else claims["access"]
        for access in granted:
            if (access["type"], access["name"]) == (kind, name) and action in access["actions"]:
                return
        raise self.challenge(host, f"{kind}:{name}:{action}", insufficient=claims is not None)

    def challenge(self, host: str, scope: str = "", *, insufficient: bool = False) -> RegistryError:
        challenge = f'Bearer realm="https://{host}/oauth2/token",service="{host}"'
        challenge += f',scope="{scope}"' if scope else ""
        challenge += ',error="insufficient_scope"' if insufficient else ""
        kind, _, rest = scope.partition(":")
        name, _, action = rest.partition(":")
        detail = [{"Type": kind, "Name": name, "Action": action}] if scope else None
        return RegistryError(
            401,
            "UNAUTHORIZED",
            "authentication required, visit https://aka.ms/acr/authorization for more information.",
            detail,
            {"WWW-Authenticate": challenge},
        )

    async def exchange(self, request: web.Request, registry: Registry) -> web.Response:
        """POST /oauth2/exchange: an Entra token of the registry's own tenant for a refresh token."""
        form = await request.post()
        host = registry.login_server
        if form.get("grant_type") != "access_token" or form.get("service") != host:
            raise RegistryError(400, "UNSUPPORTED", "grant_type access_token and this registry's service are required.")
        holder = self._tokens.caller(f"Bearer {form.get('access_token')!s}", None)
        right_audience = any(holder.has_audience(audience) for audience in AUDIENCES)
        if holder.anonymous or not right_audience or holder.tenant_id != self._world.tenant_id:
            raise self.challenge(host)
        token = self._tokens.issue_registry_token(holder, host, "refresh_token", lifetime=REGISTRY_REFRESH_LIFETIME)
        return web.json_response({"refresh_token": token})

    async def token(self, request: web.Request, registry: Registry) -> web.Response:
        """POST /oauth2/token: a refresh token for an access token, with as much of the scope as the roles allow."""
        form = await request.post()
        host = registry.login_server
        claims = self._tokens.registry_claims(str(form.get("refresh_token")), host, "refresh_token")
        if form.get("grant_type") != "refresh_token" or claims is None:
            raise self.challenge(host)
        kind, name, actions = (*str(form.get("scope", "")).split(":"), "", "")[:3]
        holder = Caller(claims["oid"], claims["appid"], tenant_id=claims["tid"], rights=self._world.access.allows)
        allowed = [action for action in actions.split(",") if self._allows(holder, registry, action)]
        token = self._tokens.issue_registry_token(
            holder,
            host,
            "access_token",
            lifetime=REGISTRY_ACCESS_LIFETIME,
            access=[{"type": kind, "name": name, "actions": allowed}],
        )
        return web.json_response({"access_token": token})

    def _allows(self, holder: Caller, registry: Registry, action: str) -> bool:
        repository_roles = registry.role_assignment_mode == "AbacRepositoryPermissions"
        right, data = _RIGHTS[repository_roles].get(action, ("", False))
        return bool(right) and holder.may(right, registry.id, data_action=data)
