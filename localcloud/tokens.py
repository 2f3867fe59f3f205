"""Tokens that say who somebody is, and the memory of every secret that was ever handed out."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote

import jwt

from localcloud.service import Caller, Origin
from localcloud.world import ADDRESSES, Principal, World

ORIGIN_HEADER = "x-localcloud-origin"
TOKEN_LIFETIME = 24 * 3600
REGISTRY_REFRESH_LIFETIME = 3 * 3600
REGISTRY_ACCESS_LIFETIME = 75 * 60


@dataclass(slots=True)
class Secrets:
    """Everything that must never turn up in a row, an alert, a log line or the state store."""

    issued: set[str] = field(default_factory=set)

    def add_token(self, token: str) -> str:
        self.issued.add(token)
        return token

    def add_sas(self, token: str) -> str:
        """The token, and its signature in every spelling."""
        self.issued.add(token)
        for signature in parse_qs(token).get("sig", []):
            self.issued |= {signature, quote(signature), quote(signature, safe="")}
        return token


class Tokens:
    """Issues access tokens as Entra ID does and reads them as the services do."""

    def __init__(self, world: World, issued: Secrets) -> None:
        self._world = world
        self._secrets = issued
        self._signing_key = secrets.token_bytes(32)
        self._read: dict[str, dict[str, Any]] = {}
        self._origins = {origin: f"{origin}:{secrets.token_hex(8)}" for origin in Origin}

    def origin_header(self, origin: Origin) -> dict[str, str]:
        """What a session sends that isn't the monitor's: a client can't pretend to be another network."""
        return {} if origin is Origin.MONITOR else {ORIGIN_HEADER: self._origins[origin]}

    def issue(self, principal: Principal, audience: str, *, lifetime: float = TOKEN_LIFETIME) -> tuple[str, int]:
        """The token and the second of its expiry; a negative lifetime gives one that is dead already."""
        issued_at = int(time.time())
        expires = issued_at + int(lifetime)
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{self._world.tenant_id}/",
            "iat": issued_at - 300,
            "nbf": issued_at - 300,
            "exp": expires,
            "appid": principal.client_id,
            "oid": principal.id,
            "sub": principal.id,
            "tid": self._world.tenant_id,
            "uti": uuid.uuid4().hex,
        }
        token = jwt.encode(claims, self._signing_key, algorithm="HS256")
        return self._secrets.add_token(token), expires

    def issue_registry_token(
        self, holder: Caller, host: str, kind: str, *, lifetime: float, access: Sequence[Mapping[str, object]] = ()
    ) -> str:
        """A registry's own token for whoever holds ``holder``'s: a ``refresh_token`` or an ``access_token``."""
        issued_at = int(time.time())
        claims = {
            "aud": host,
            "iss": "Azure Container Registry",
            "iat": issued_at,
            "nbf": issued_at - 300,
            "exp": issued_at + int(lifetime),
            "jti": str(uuid.uuid4()),
            "version": "1.0",
            "grant_type": kind,
            "appid": holder.client_id,
            "oid": holder.principal_id,
            "sub": holder.principal_id,
            "tid": holder.tenant_id,
            "access": list(access),
        }
        return self._secrets.add_token(jwt.encode(claims, self._signing_key, algorithm="HS256"))

    def registry_claims(self, token: str, host: str, kind: str) -> dict[str, Any] | None:
        """What a registry's token says, if it is one of this kind for this host."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self._signing_key, algorithms=["HS256"], audience=host, issuer="Azure Container Registry"
            )
        except jwt.PyJWTError:
            return None
        return claims if claims["grant_type"] == kind else None

    def caller(self, authorization: str | None, origin_header: str | None) -> Caller:
        """Who sends a request with these headers."""
        origin = next((known for known, value in self._origins.items() if value == origin_header), Origin.MONITOR)
        address = ADDRESSES[origin]
        kind, _, token = (authorization or "").partition(" ")
        if kind.casefold() != "bearer":
            return Caller(origin=origin, address=address)
        try:
            claims = self._claims(token)
        except jwt.PyJWTError as error:
            return Caller(origin=origin, address=address, token_problem=str(error))
        return Caller(
            principal_id=claims["oid"],
            client_id=claims["appid"],
            audience=claims["aud"],
            tenant_id=claims["tid"],
            origin=origin,
            address=address,
            rights=self._world.access.allows,
        )

    def _claims(self, token: str) -> dict[str, Any]:
        """What a token says, from memory while it holds: the same few come with every request."""
        known = self._read.get(token)
        if known is None or not known["nbf"] <= time.time() < known["exp"]:
            options: jwt.types.Options = {"verify_aud": False, "verify_iat": False}
            known = self._read[token] = jwt.decode(token, self._signing_key, algorithms=["HS256"], options=options)
        return known
