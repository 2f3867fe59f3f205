"""A registry's data plane. Nothing of it is here yet; its host resolves, and says so."""

from __future__ import annotations

from aiohttp import web

from localcloud.service import Caller
from localcloud.world import World

SUFFIX = ".azurecr.io"


class RegistryService:
    name = "registry"

    def __init__(self, world: World) -> None:
        self._world = world

    def owns(self, host: str) -> bool:
        return host.endswith(SUFFIX) and host.removesuffix(SUFFIX) in self._world.registries

    async def handle(self, request: web.Request, caller: Caller) -> web.StreamResponse:  # noqa: ARG002
        message = "The local cloud has no registry data plane."
        return web.json_response(
            {"errors": [{"code": "UNSUPPORTED", "message": message}]},
            status=501,
            headers={"Docker-Distribution-Api-Version": "registry/2.0"},
        )
