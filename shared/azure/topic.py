"""An Event Grid topic, with the monitor's own identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from azure.core.messaging import CloudEvent
from azure.eventgrid.aio import EventGridPublisherClient

from shared.azure.connection import Connection, FixedScopeCredential
from shared.azure.failures import asking
from shared.times import parse_time

SERVICE: Final = "Event Grid topic"
SEND_RIGHT: Final = "Microsoft.EventGrid/events/send/action"


class TopicWriter:
    """Publishes on one topic."""

    def __init__(self, connection: Connection, endpoint: str) -> None:
        self._connection = connection
        self._endpoint = endpoint
        self._client: EventGridPublisherClient | None = None

    async def send(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Publishes events in the form of CloudEvents 1.0; raises a ``ServiceError`` unless all are taken."""
        async with asking(SERVICE, self._endpoint, SEND_RIGHT):
            await self._opened().send([_event(event) for event in events])

    def _opened(self) -> EventGridPublisherClient:
        if self._client is None:
            connection = self._connection
            credential = FixedScopeCredential(connection.credential, connection.cloud.eventgrid_scope)
            self._client = EventGridPublisherClient(
                self._endpoint,
                credential,
                transport=connection.transport(),
                # A publish that failed waits in the state store; the sweep is its retry.
                retry_total=0,
            )
        return self._client


def _event(source: Mapping[str, Any]) -> CloudEvent[Any]:
    return CloudEvent(
        source=source["source"],
        type=source["type"],
        data=source["data"],
        id=source["id"],
        subject=source["subject"],
        time=parse_time(source["time"]),
    )
