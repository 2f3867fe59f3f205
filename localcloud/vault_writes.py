"""What the owner of a vault does to its secrets: stores, changes, lists and recovers them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from localcloud.world import SecretVersion, Vault
from localcloud.world.clock import now

_PATH = re.compile(r"/(?P<kind>secrets|deletedsecrets)/(?P<name>[0-9a-zA-Z-]+)(/(?P<rest>[0-9a-zA-Z]*))?")
_ACTIONS = "Microsoft.KeyVault/vaults/secrets"
_MOMENTS = (("exp", "expires"), ("nbf", "not_before"))

Body = dict[str, Any]
Show = Callable[[str, SecretVersion], Body]


class Refused(Exception):
    """The vault's own refusal: status, code, message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Operation:
    """What a request asks for, with the right that it needs."""

    right: str
    """As access policies spell it."""
    action: str
    name: str
    carry_out: Callable[[Vault, Body, Show], Body]


def operation_of(method: str, path: str) -> Operation | None:
    """The operation, if it is one of these."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    kind, name, rest = match["kind"], match["name"], match["rest"]
    if method == "PUT" and kind == "secrets" and rest is None:
        return Operation("set", f"{_ACTIONS}/setSecret/action", name, lambda *given: _set(name, *given))
    if method == "PATCH" and kind == "secrets":
        action = f"{_ACTIONS}/updateSecret/action"
        return Operation("set", action, name, lambda *given: _update(name, rest or None, *given))
    if method == "GET" and kind == "secrets" and rest == "versions":
        return Operation("list", f"{_ACTIONS}/readMetadata/action", name, lambda *given: _list(name, *given))
    if method == "POST" and kind == "deletedsecrets" and rest == "recover":
        return Operation("recover", f"{_ACTIONS}/recover/action", name, lambda *given: _recover(name, *given))
    return None


def _set(name: str, vault: Vault, body: Body, show: Show) -> Body:
    if name.casefold() in vault.deleted_secrets:
        raise Refused(
            409,
            "Conflict",
            f"Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this "
            "state, the secret can only be recovered or purged.",
        )
    if not isinstance(body.get("value"), str):
        raise Refused(400, "BadParameter", "Property value is required.")
    version = vault.set_secret(name, body["value"], content_type=body.get("contentType"))
    version.tags = dict(body.get("tags") or {})
    _apply(version, body)
    return show(name, version)


def _update(name: str, wanted: str | None, vault: Vault, body: Body, show: Show) -> Body:
    version = _found(vault, name, wanted)
    if "contentType" in body:
        version.content_type = body["contentType"]
    if "tags" in body:
        version.tags = dict(body["tags"])
    _apply(version, body)
    version.updated = now()
    return _without_value(show(name, version))


def _list(name: str, vault: Vault, _body: Body, show: Show) -> Body:
    versions = vault.secrets.get(name.casefold(), [])
    return {"value": [_without_value(show(name, version)) for version in versions], "nextLink": None}


def _recover(name: str, vault: Vault, _body: Body, show: Show) -> Body:
    if name.casefold() not in vault.deleted_secrets:
        raise _missing(name)
    vault.secrets[name.casefold()] = vault.deleted_secrets.pop(name.casefold())
    return _without_value(show(name, _found(vault, name, None)))


def _found(vault: Vault, name: str, wanted: str | None) -> SecretVersion:
    version = vault.secret(name, wanted)
    if version is None:
        raise _missing(name)
    return version


def _missing(name: str) -> Refused:
    return Refused(404, "SecretNotFound", f"A secret with (name/id) {name} was not found in this key vault.")


def _apply(version: SecretVersion, body: Body) -> None:
    """Only what is given changes; a date that is null is taken away."""
    attributes: Body = body.get("attributes") or {}
    version.enabled = bool(attributes.get("enabled", version.enabled))
    for given, field in _MOMENTS:
        if given in attributes:
            seconds = attributes[given]
            setattr(version, field, None if seconds is None else datetime.fromtimestamp(seconds, UTC))


def _without_value(body: Body) -> Body:
    return {name: value for name, value in body.items() if name != "value"}
