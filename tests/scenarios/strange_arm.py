"""ARM answers with fields that nobody has seen yet: the local cloud's own, with more beside them."""

from __future__ import annotations

import json
from typing import Any, Literal

from aiohttp import web

from localcloud import LocalCloud
from localcloud.service import Caller, Service


class StrangeArm:
    """In front of the local cloud's ARM: the same answers, with more in them."""

    name = "arm"

    def __init__(self, arm: Service, of: str) -> None:
        self._arm = arm
        self._of = of

    def owns(self, host: str) -> bool:
        return self._arm.owns(host)

    async def handle(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        response = await self._arm.handle(request, caller)
        path = request.path.lower()
        wanted = "pipelineruns" if self._of == "runs" else "tpipelines"
        if not isinstance(response, web.Response) or request.method != "GET" or wanted not in path:
            return response
        if response.status != 200 or not isinstance(response.body, bytes):
            return response
        return web.json_response(_stranger(json.loads(response.body)))


def _stranger(document: dict[str, Any]) -> dict[str, Any]:
    items = document.get("value")
    for item in items if isinstance(items, list) else [document]:
        item["zones"] = ["1", {"new": None}]
        item["kind"] = 7
        properties = item["properties"]
        properties["replication"] = {"mode": "Mirror", "regions": [1, 2.5, None]}
        properties.setdefault("options", None)
        if isinstance(properties.get("response"), dict):
            properties["response"]["retries"] = {"count": 3}
            properties["response"]["progress"] = {"percentage": 100}
        identity = item.get("identity")
        if isinstance(identity, dict):
            identity |= {"principalId": identity.get("principalId"), "delegatedResources": {}}
    return document


def add_strange_fields(cloud: LocalCloud, of: Literal["pipelines", "runs"]) -> None:
    """Puts :class:`StrangeArm` in front."""
    cloud.add_service(StrangeArm(cloud.service("arm"), of))
