"""How the monitor comes to hear of what happens: Event Grid's deliveries, one after the other."""

from __future__ import annotations

from typing import Literal

from shared.errors import TransientError
from shared.events import PlatformEvent, read_event
from tests.scenarios.stage import Stage

# Event Grid delivers an event that was not taken again and again; twice is enough to see which way it goes.
_DELIVERIES = 2


async def tell(stage: Stage) -> None:
    """Delivers what was published since, in turn in one schema and the other."""
    published = stage.cloud.events
    while stage.told < len(published):
        event = published[stage.told]
        stage.told += 1
        schema: Literal["EventGridSchema", "CloudEventSchemaV1_0"]
        schema = "EventGridSchema" if stage.told % 2 else "CloudEventSchemaV1_0"
        await deliver(stage, read_event(event.in_schema(schema)))


async def deliver(stage: Stage, event: PlatformEvent) -> None:
    """One event through its door; one that raises comes again."""
    door = stage.monitor.blob_event if event.type.startswith("Microsoft.Storage") else stage.monitor.run_event
    for attempt in range(1, _DELIVERIES + 1):
        try:
            await door(event)
        except TransientError as error:
            if attempt == _DELIVERIES:
                stage.raised.append(str(error))
        else:
            return


def forget_events(stage: Stage) -> None:
    """What happened up to here is from before the monitor's time."""
    stage.told = len(stage.cloud.events)
