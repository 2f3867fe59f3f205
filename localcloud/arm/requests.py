"""What a handler of ARM gets, and how it refuses."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from aiohttp import web

from localcloud.service import Caller
from localcloud.world import World

ENDPOINT = "https://management.azure.com"


class ArmError(Exception):
    """A refusal: ``{"error": {"code", "message"}}``."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message

    @property
    def body(self) -> dict[str, Any]:
        return {"error": {"code": self.code, "message": self.message}}


@dataclass(frozen=True, slots=True)
class ArmRequest:
    http: web.Request
    caller: Caller
    world: World
    parameters: dict[str, str]
    """What the route's braces matched."""
    api_version: str
    correlation_id: str

    @property
    def path(self) -> str:
        return self.http.path.rstrip("/")

    def __getitem__(self, name: str) -> str:
        return self.parameters[name]


Handler = Callable[[ArmRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Route:
    method: str
    template: str
    handler: Handler
    action: str
    """The right that the caller needs on the scope."""
    api_versions: Callable[[World], list[str]] | None = None
    """None takes any version that looks like one."""
    filters: bool = False
    """No right on the whole subscription is needed: the handler leaves out what isn't readable."""
    own_refusals: bool = False
    """A write whose refusals leave traces (event, activity log): the handler checks the right itself."""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        parts = re.split(r"\{(\w+)(\*?)\}", self.template)
        expression = ""
        for literal, name, rest in zip(parts[::3], [*parts[1::3], ""], [*parts[2::3], ""], strict=True):
            expression += re.escape(literal)
            if name:
                expression += f"(?P<{name}>.+?)" if rest else f"(?P<{name}>[^/]+)"
        return re.compile(expression, re.IGNORECASE)


def authorization_failed(caller: Caller, action: str, scope: str) -> ArmError:
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{caller.client_id}' with object id '{caller.principal_id}' does not have "
        f"authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If "
        "access was recently granted, please refresh your credentials.",
    )


def not_found(resource_type: str, name: str, group: str) -> ArmError:
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{resource_type}/{name}' under resource group '{group}' was not found. For more "
        "details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def page(request: ArmRequest, items: list[dict[str, Any]]) -> web.Response:
    """One page of a list, with the link to the next."""
    size = request.world.behaviour.page_size
    start = int(request.http.query.get("$skiptoken", "0"))
    body: dict[str, Any] = {"value": items[start : start + size]}
    if start + size < len(items):
        link = request.http.rel_url.update_query({"$skiptoken": str(start + size)})
        body["nextLink"] = f"{ENDPOINT}{link}"
    return web.json_response(body)
