"""A fake of an Event Grid custom topic that takes batches of CloudEvents 1.0, the form of the alerts."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

from shared.times import parse_time

if TYPE_CHECKING:
    from localcloud.service import Caller
    from localcloud.world import World

HOST_SUFFIX = ".eventgrid.azure.net"
BODY_LIMIT = 1024 * 1024
CONTENT_TYPE = "application/cloudevents-batch+json"
SEND_EVENTS = "Microsoft.EventGrid/events/send/action"
"""The data action of EventGrid Data Sender that publishing needs on the topic."""

_ATTRIBUTE_NAME = re.compile(r"[a-z0-9]+")


class AlertTopic:
    """The service behind one host of `*.eventgrid.azure.net`, or behind all of them if `host` is not given.

    `published` holds the events taken, in their order.
    """

    name = "topic"

    @classmethod
    def for_world(cls, world: World) -> Self:
        """With the host and the resource that `world` names."""
        return cls(world.topic_id, host=world.topic_host)

    def __init__(
        self,
        resource_id: str,
        *,
        host: str | None = None,
        audience: str = "https://eventgrid.azure.net",
    ) -> None:
        self.resource_id = resource_id
        self.published: list[dict[str, Any]] = []
        self.host = host
        self._audience = audience

    def owns(self, host: str) -> bool:
        return host == self.host if self.host else host.endswith(HOST_SUFFIX)

    async def handle(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        refused = self._refused(request, caller)
        if refused is not None:
            return refused
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:  # the server in front has a limit of its own
            return _too_large()
        if len(body) > BODY_LIMIT:
            return _too_large()
        try:
            events = json.loads(body)
        except (ValueError, RecursionError):
            return _error(400, "BadRequest", "The body is not valid JSON.")
        if not isinstance(events, list):
            return _error(400, "BadRequest", "The body has to be a JSON array of CloudEvents.")
        for index, event in enumerate(events):
            wrong = problem(event)
            if wrong:
                return _error(400, "BadRequest", f"Event {index}: {wrong}")
        self.published.extend(events)
        return web.Response(status=200)

    def _refused(self, request: web.Request, caller: Caller) -> web.Response | None:
        """The checks that need no body."""
        if caller.anonymous:
            return _error(401, "Unauthorized", caller.token_problem or "The request has no bearer token.")
        if not caller.has_audience(self._audience):
            return _error(401, "Unauthorized", f"The token's audience is not {self._audience}.")
        if request.path != "/api/events":
            return _error(404, "NotFound", f"There is no {request.path}.")
        if request.method != "POST":
            return _error(405, "MethodNotAllowed", f"{request.method} is not supported.")
        if not caller.may(SEND_EVENTS, self.resource_id, data_action=True):
            return _error(403, "Forbidden", "The principal is not authorized to publish to this topic.")
        if request.content_type != CONTENT_TYPE:
            return _error(415, "UnsupportedMediaType", f"The topic takes {CONTENT_TYPE}, not {request.content_type}.")
        return _too_large() if (request.content_length or 0) > BODY_LIMIT else None


def problem(event: object) -> str | None:
    """What makes `event` no CloudEvent 1.0 in JSON format, or None."""
    if not isinstance(event, dict):
        return "not a JSON object"
    if event.get("specversion") != "1.0":
        return "specversion has to be '1.0'"
    for name in ("id", "source", "type"):
        if not isinstance(event.get(name), str) or not event[name]:
            return f"the required attribute {name} is missing or no text"
    for name in ("subject", "datacontenttype", "dataschema"):
        if event.get(name) is not None and (not isinstance(event[name], str) or not event[name]):
            return f"{name} is no text"
    if event.get("time") is not None and (not isinstance(event["time"], str) or not _is_timestamp(event["time"])):
        return "time is no RFC 3339 timestamp"
    for name in event.keys() - {"data", "data_base64"}:
        if not _ATTRIBUTE_NAME.fullmatch(name):
            return f"the attribute name {name!r} is not made of lower-case letters and digits"
    if event.get("data") is not None and event.get("data_base64") is not None:
        return "data and data_base64 exclude each other"
    return None


def _is_timestamp(text: str) -> bool:
    # RFC 3339 has a date, a time and an offset; a date alone is none.
    return re.search(r"[Tt ]\d{2}:\d{2}:\d{2}.*(?:[Zz]|[+-]\d{2}:\d{2})$", text) is not None and bool(parse_time(text))


def _too_large() -> web.Response:
    return _error(413, "RequestEntityTooLarge", "The request is over the limit of 1 MB.")


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status)
