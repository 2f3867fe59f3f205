"""What the parts of a local cloud share: the world, its tokens, its front, and the ways to reach it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

import aiohttp

from localcloud.blobs.azurite_client import AzuriteClient
from localcloud.events import EventBus
from localcloud.front import Front
from localcloud.names import client_session
from localcloud.service import Origin
from localcloud.tokens import Secrets, Tokens
from localcloud.world import Principal, World


@dataclass(slots=True)
class Core:
    world: World
    azurite: AzuriteClient
    authority: ssl.SSLContext
    secrets: Secrets
    tokens: Tokens
    front: Front
    bus: EventBus
    front_port: int = 0
    sessions: dict[Origin, aiohttp.ClientSession] = field(default_factory=dict)

    async def name_exists(self, host: str) -> bool:
        return host not in self.world.unresolvable and self.front.service_for(host) is not None

    def new_session(self, origin: Origin = Origin.MONITOR) -> aiohttp.ClientSession:
        headers = self.tokens.origin_header(origin)
        return client_session(self.front_port, self.name_exists, self.authority, headers)

    def session(self, origin: Origin) -> aiohttp.ClientSession:
        """The local cloud's own session for this network, which it closes itself."""
        if origin not in self.sessions:
            self.sessions[origin] = self.new_session(origin)
        return self.sessions[origin]

    def bearer(self, principal: Principal, audience: str) -> dict[str, str]:
        token, _ = self.tokens.issue(principal, audience, lifetime=3600)
        return {"Authorization": f"Bearer {token}"}

    async def close(self) -> None:
        for session in self.sessions.values():
            await session.close()
