"""Key Vault's data plane: the challenge, the value of a secret, and every way to be refused it."""

from __future__ import annotations

import functools
import json
import re
import uuid
from typing import Any

from aiohttp import web

from localcloud.service import Caller, Origin
from localcloud.vault_writes import Operation, Refused, operation_of
from localcloud.world import SecretVersion, Vault, World

AUDIENCE = "https://vault.azure.net"
SUFFIX = ".vault.azure.net"
GET_SECRET = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
compact = functools.partial(json.dumps, separators=(",", ":"))
_SECRET = re.compile(r"/secrets/(?P<name>[0-9a-zA-Z-]+)(/(?P<version>[0-9a-f]+))?")


class VaultError(Exception):
    """A refusal: ``{"error": {"code", "message", "innererror": {"code"}}}``."""

    def __init__(self, status: int, code: str, message: str, inner: str | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.body: dict[str, Any] = {"error": {"code": code, "message": message}}
        if inner is not None:
            self.body["error"]["innererror"] = {"code": inner}


def secret_not_found(name: str) -> str:
    return (
        f"A secret with (name/id) {name} was not found in this key vault. If you recently deleted this "
        "secret you may be able to recover it using the correct recovery command. For help resolving this "
        "issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
    )


class KeyVaultService:
    name = "keyvault"

    def __init__(self, world: World) -> None:
        self._world = world

    def owns(self, host: str) -> bool:
        return host.endswith(SUFFIX) and host.removesuffix(SUFFIX) in self._world.vaults

    async def handle(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        vault = self._world.vaults[request.host.partition(".")[0].casefold()]
        try:
            operation = operation_of(request.method, request.path)
            if operation is None:
                answer = self._answer(request, caller, vault)
            else:
                sent = await request.json() if request.can_read_body else {}
                answer = self._write(operation, sent, caller, vault)
            response = web.json_response(answer, dumps=compact)
        except VaultError as error:
            response = web.json_response(error.body, status=error.status, dumps=compact)
            if error.status == 401:
                # The client asks without a token first, and learns here whose token is wanted.
                response.headers["WWW-Authenticate"] = (
                    f'Bearer authorization="https://login.windows.net/{vault.tenant_id}", resource="{AUDIENCE}"'
                )
        response.headers["x-ms-request-id"] = str(uuid.uuid4())
        response.headers["x-ms-keyvault-region"] = vault.location
        return response

    def _write(self, operation: Operation, sent: dict[str, Any], caller: Caller, vault: Vault) -> dict[str, Any]:
        self._check_token(caller, vault)
        self._check_network(caller, vault)
        self._check_right(caller, vault, operation.name, operation.right, operation.action)
        try:
            return operation.carry_out(vault, sent, lambda name, version: _secret_json(vault, name, version))
        except Refused as refusal:
            raise VaultError(refusal.status, refusal.code, refusal.message) from None

    def _answer(self, request: web.Request, caller: Caller, vault: Vault) -> dict[str, Any]:
        self._check_token(caller, vault)
        self._check_network(caller, vault)
        match = _SECRET.fullmatch(request.path.rstrip("/"))
        if match is None or request.method != "GET":
            raise VaultError(404, "NotFound", "The local cloud's vaults only give secrets.")
        if "api-version" not in request.query:
            raise VaultError(400, "BadParameter", "The api-version query parameter is required.")
        name = match["name"]
        self._check_right(caller, vault, name)
        version = vault.secret(name, match["version"])
        if version is None:
            raise VaultError(404, "SecretNotFound", secret_not_found(match[0].removeprefix("/secrets/")))
        if not version.enabled:
            raise VaultError(403, "Forbidden", "Operation get is not allowed on a disabled secret.", "SecretDisabled")
        # An expired secret is given all the same: its dates are a note, and no lock.
        return _secret_json(vault, name, version)

    def _check_token(self, caller: Caller, vault: Vault) -> None:
        if caller.anonymous:
            raise VaultError(
                401,
                "Unauthorized",
                "AKV10000: Request is missing a Bearer or PoP token."
                if caller.token_problem is None
                else f"AKV10022: Invalid token: {caller.token_problem}.",
            )
        if not caller.has_audience(AUDIENCE):
            raise VaultError(
                401,
                "Unauthorized",
                f"AKV10022: Invalid audience. Expected {AUDIENCE}, found: {caller.audience}.",
            )
        if caller.tenant_id != vault.tenant_id:
            raise VaultError(
                401,
                "Unauthorized",
                f"AKV10032: Invalid issuer. Expected one of https://sts.windows.net/{vault.tenant_id}/, "
                f"found https://sts.windows.net/{caller.tenant_id}/.",
            )

    def _check_network(self, caller: Caller, vault: Vault) -> None:
        # The registry service is a trusted service of Key Vault (and of nothing else here).
        if vault.network.admits(caller.origin, trusted=caller.origin is Origin.REGISTRY_SERVICE):
            return
        if vault.network.public_access_disabled:
            raise VaultError(
                403,
                "Forbidden",
                "Public network access is disabled and request is not from a trusted service nor via an "
                f"approved private link.\r\nCaller: {self._describe(caller)}\r\nVault: {vault.name};"
                f"location={vault.location}",
                "ForbiddenByConnection",
            )
        raise VaultError(
            403,
            "Forbidden",
            f"Client address is not authorized and caller is not a trusted service.\r\nClient address: "
            f"{caller.address}\r\nCaller: {self._describe(caller)}\r\nVault: {vault.name};"
            f"location={vault.location}",
            "ForbiddenByFirewall",
        )

    def _check_right(
        self, caller: Caller, vault: Vault, name: str, right: str = "get", action: str = GET_SECRET
    ) -> None:
        if caller.principal_id == self._world.operator.id:
            return  # how worlds are built and repaired, and no part of them: there is no policy to see
        if vault.rbac:
            resource = f"{vault.id}/secrets/{name}"
            if not caller.may(action, resource, data_action=True):
                raise VaultError(
                    403,
                    "Forbidden",
                    "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny "
                    "assignments or role definitions were changed recently, please observe propagation "
                    f"time.\r\nCaller: {self._describe(caller)}\r\nAction: '{action}'\r\nResource: "
                    f"'{resource.lower()}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\n"
                    f"DecisionReason: 'DeniedWithNoValidRBAC' \r\nVault: {vault.name};"
                    f"location={vault.location}\r\n",
                    "ForbiddenByRbac",
                )
            return
        identities = self._world.access.memberships(caller.principal_id or "")
        if not vault.policy_allows(identities, right, caller.tenant_id or ""):
            raise VaultError(
                403,
                "Forbidden",
                f"The user, group or application '{self._describe(caller)}' does not have secrets {right} "
                f"permission on key vault '{vault.name};location={vault.location}'. For help resolving this "
                "issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
                "ForbiddenByPolicy",
            )

    @staticmethod
    def _describe(caller: Caller) -> str:
        return f"appid={caller.client_id};oid={caller.principal_id};iss=https://sts.windows.net/{caller.tenant_id}/"


def _secret_json(vault: Vault, name: str, version: SecretVersion) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "enabled": version.enabled,
        "created": int(version.created.timestamp()),
        "updated": int(version.updated.timestamp()),
        "recoveryLevel": "Recoverable+Purgeable",
        "recoverableDays": 90,
    }
    if version.expires is not None:
        attributes["exp"] = int(version.expires.timestamp())
    if version.not_before is not None:
        attributes["nbf"] = int(version.not_before.timestamp())
    body: dict[str, Any] = {
        "value": version.value,
        "id": vault.secret_uri(name, version.version),
        "attributes": attributes,
        "tags": dict(version.tags),
    }
    if version.content_type is not None:
        body["contentType"] = version.content_type
    return body
