"""Event Grid's system topics: ARM writes and landed blobs, delivered at least once.

An event is handed to each subscriber until it takes it. One that raises gets it again a little later; after
the last attempt the event goes to the dead letters. Order is not promised, as it isn't by Event Grid.
"""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from localcloud.world.behaviour import Behaviour
from localcloud.world.clock import now, zulu

Schema = Literal["EventGridSchema", "CloudEventSchemaV1_0"]
Callback = Callable[[dict[str, Any]], Awaitable[object]]
MAX_ATTEMPTS = 5
FIRST_BACKOFF = 0.02


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, before it is put into a schema."""

    type: str
    topic: str
    subject: str
    data: dict[str, Any]
    data_version: str = ""
    time: datetime = field(default_factory=now)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def in_schema(self, schema: Schema) -> dict[str, Any]:
        if schema == "CloudEventSchemaV1_0":
            return {
                "source": self.topic,
                "subject": self.subject,
                "type": self.type,
                "time": zulu(self.time),
                "id": self.id,
                "data": self.data,
                "specversion": "1.0",
            }
        return {
            "topic": self.topic,
            "subject": self.subject,
            "eventType": self.type,
            "eventTime": zulu(self.time),
            "id": self.id,
            "data": self.data,
            "dataVersion": self.data_version,
            "metadataVersion": "1",
        }


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a subscriber never took, with the error of its last attempt."""

    event: dict[str, Any]
    attempts: int
    error: Exception


@dataclass(slots=True)
class Subscription:
    callback: Callback
    schema: Schema
    paused: bool = False
    """A paused subscription misses events: Event Grid has lost them, or the subscription didn't exist yet."""


class EventBus:
    def __init__(self, behaviour: Behaviour) -> None:
        self.published: list[Event] = []
        self.dead_letters: list[DeadLetter] = []
        self.max_attempts = MAX_ATTEMPTS
        self._behaviour = behaviour
        self._subscriptions: list[Subscription] = []
        self._deliveries: set[asyncio.Task[None]] = set()

    def subscribe(self, callback: Callback, schema: Schema) -> Subscription:
        subscription = Subscription(callback, schema)
        self._subscriptions.append(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.remove(subscription)

    def publish(self, event: Event) -> None:
        """Start the deliveries; nothing waits for them but ``settled``."""
        self.published.append(event)
        for subscription in self._subscriptions:
            if subscription.paused:
                continue
            for _ in range(2 if self._behaviour.raises_events_twice else 1):
                delivery = asyncio.create_task(self._deliver(event.in_schema(subscription.schema), subscription))
                self._deliveries.add(delivery)
                delivery.add_done_callback(self._deliveries.discard)

    async def settled(self) -> None:
        """Every delivery is done, also those of events that deliveries have caused."""
        while self._deliveries:
            await asyncio.gather(*self._deliveries)

    async def close(self) -> None:
        self._subscriptions.clear()
        for delivery in self._deliveries:
            delivery.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)

    async def _deliver(self, event: dict[str, Any], subscription: Subscription) -> None:
        for attempt in itertools.count(1):
            try:
                await subscription.callback(event)
            except Exception as error:  # noqa: BLE001  (whatever it is, Event Grid tries again)
                if attempt >= self.max_attempts:
                    self.dead_letters.append(DeadLetter(event, attempt, error))
                    return
                await asyncio.sleep(FIRST_BACKOFF * 2 ** (attempt - 1))
            else:
                return
