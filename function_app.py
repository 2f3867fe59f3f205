"""The function app: three doors into the corridor, a fourth where the first two can't be reached, and nothing else.

Settings are read when the app is indexed: a wrong one stops start-up with a message that names it.
"""

from __future__ import annotations

import os

import azure.functions as func

from shared import log_redaction
from shared.runtime import monitor_of
from shared.settings import read_settings

log_redaction.install()
settings = read_settings(os.environ)
app = func.FunctionApp()


@app.event_grid_trigger(arg_name="event")
async def pipeline_run_completed(event: func.EventGridEvent) -> None:
    """A pipeline run was written: read it, diagnose it, store findings, raise alerts."""
    from shared.events import read_delivery

    with log_redaction.errors_without_secrets():
        await monitor_of(settings).run_event(read_delivery(event))


@app.event_grid_trigger(arg_name="event")
async def transfer_blob_created(event: func.EventGridEvent) -> None:
    """A blob has landed: verify what its import will need, and remember that one is expected."""
    from shared.events import read_delivery

    with log_redaction.errors_without_secrets():
        await monitor_of(settings).blob_event(read_delivery(event))


@app.timer_trigger(arg_name="timer", schedule=settings.sweep_schedule, use_monitor=True)
async def sweep(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the worker passes it by this name
    """Finds what no event told, and writes the heartbeat."""
    from shared.sweep import Sweep

    with log_redaction.errors_without_secrets():
        await Sweep(monitor_of(settings)).run()


async def queued_event(message: func.QueueMessage) -> None:
    """An event of either kind from the queue that Event Grid writes to where it can't reach the app."""
    from shared.events import read_message

    with log_redaction.errors_without_secrets():
        await monitor_of(settings).event(read_message(message.get_body(), message.id or ""))


if settings.event_queue:
    # The host's own storage: its connection is there already, by identity and URI.
    trigger = app.queue_trigger(arg_name="message", queue_name=settings.event_queue, connection="AzureWebJobsStorage")
    trigger(queued_event)
