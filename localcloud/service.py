"""What every service of the local cloud has in common: the protocol, its caller, its record and its faults.

A service owns host names and answers requests. It never reads a token itself: the front has done that and
hands over a ``Caller``, of whom the service asks two things: the token's audience and the principal's rights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import web

if TYPE_CHECKING:
    from localcloud.world import World

RightsLookup = Callable[[str, str, str, bool], bool]


class Origin(StrEnum):
    """From which network a request comes: firewalls, ``sip`` and trusted services look at this."""

    MONITOR = "monitor"
    REGISTRY_SERVICE = "registry-service"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request, as the bearer token says it; anonymous without one."""

    principal_id: str | None = None
    client_id: str | None = None
    audience: str | None = None
    tenant_id: str | None = None
    origin: Origin = Origin.MONITOR
    address: str = "198.51.100.7"
    token_problem: str | None = None
    """Why a token that was sent is worth nothing (expired, not issued here); the caller is then anonymous."""
    rights: RightsLookup | None = field(default=None, repr=False, compare=False)

    @property
    def anonymous(self) -> bool:
        return self.principal_id is None

    def has_audience(self, audience: str) -> bool:
        """A token for another service is no token here."""
        return self.audience is not None and self.audience.rstrip("/") == audience.rstrip("/")

    def may(self, action: str, scope: str, *, data_action: bool = False) -> bool:
        """The role assignments at or above ``scope`` allow ``action``."""
        if self.principal_id is None or self.rights is None:
            return False
        return self.rights(self.principal_id, action, scope, data_action)


class Service(Protocol):
    """One of the cloud's services behind the front."""

    @property
    def name(self) -> str:
        """What ``RequestRecord.service`` and ``Fault.service`` call it."""

    def owns(self, host: str) -> bool:
        """``host`` (lower case, no port) exists and is answered here; what nobody owns doesn't resolve."""

    async def handle(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        """Answer one request."""


ServiceFactory = Callable[["World"], Service]
"""For a service that has to know the world (a resource's id, a host name) to be made."""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request that the local cloud has answered."""

    service: str
    method: str
    host: str
    path: str
    principal: str | None
    status: int
    """0 where the connection was cut instead of answered."""
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    origin: Origin = Origin.MONITOR
    user_agent: str = field(default="", repr=False)


class RequestLog(list[RequestRecord]):
    """Every request, in the order of its answer."""

    def matching(self, **expected: object) -> list[RequestRecord]:
        """The records whose fields have these values."""
        return [record for record in self if all(getattr(record, name) == value for name, value in expected.items())]

    def count(self, record: Any = None, /, **expected: object) -> int:
        """How many there are: ``count(service="arm", method="GET")``."""
        return super().count(record) if record is not None else len(self.matching(**expected))


@dataclass(frozen=True, slots=True)
class Status:
    """Answer with this instead of asking the service."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | str = b""


@dataclass(frozen=True, slots=True)
class Hang:
    """Never answer; the client's own time limit has to end it."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Cut the connection before any answer."""


@dataclass(frozen=True, slots=True)
class Truncate:
    """Announce a whole body, send half of it, and cut the connection."""

    body: bytes = b'{"value": [{"id": "/subscriptions/'
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class MalformedJson:
    """Answer 200 with a body that calls itself JSON and isn't."""

    body: bytes = b'{"value": [}'


@dataclass(frozen=True, slots=True)
class LoseAnswer:
    """Let the service do its work and cut the connection in place of its answer."""


FaultAction = Status | Hang | Reset | Truncate | MalformedJson | LoseAnswer


@dataclass(slots=True)
class Fault:
    """Where answers are interfered with, before the service sees the request.

    ``service`` is a service's name, or ``*``; ``match`` narrows it to some requests; ``times`` uses it up.
    """

    service: str
    match: Callable[[web.Request], bool] | None = None
    action: FaultAction = field(default_factory=Reset)
    times: int | None = None
    hits: int = 0
    origin: Origin | None = None
    """Only requests from this network: the monitor's own, say, and not those of a transfer."""

    def applies(self, service: str, request: web.Request, origin: Origin) -> bool:
        if self.origin not in {None, origin}:
            return False
        if self.service not in {service, "*"} or (self.times is not None and self.hits >= self.times):
            return False
        return self.match is None or self.match(request)
