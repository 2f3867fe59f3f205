"""The one monitor of a process: made on the first event, kept for its event loop.

Nothing of Azure is imported before the first event, so that the function app starts as fast as its host.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.azure.connection import SessionFactory
    from shared.azure.readers import Azure
    from shared.monitor import Monitor
    from shared.settings import Settings

_session_factory: SessionFactory | None = None
_current: tuple[asyncio.AbstractEventLoop, Monitor] | None = None


def use_sessions(factory: SessionFactory | None) -> None:
    """Sets where HTTP sessions come from, before the first event: the seam at which a local cloud is put."""
    global _session_factory, _current  # noqa: PLW0603 - a process has one monitor, as the worker has one app
    _session_factory = factory
    _current = None


def monitor_of(settings: Settings) -> Monitor:
    """The process's monitor, made anew if the event loop is another one."""
    global _current  # noqa: PLW0603
    loop = asyncio.get_running_loop()
    if _current is None or _current[0] is not loop:
        _current = (loop, make_monitor(settings))
    return _current[1]


def open_azure(settings: Settings) -> Azure:
    """The readers, over this process's sessions."""
    from shared.azure.connection import open_session
    from shared.azure.readers import Azure

    return Azure(settings, _session_factory or open_session)


def make_monitor(settings: Settings) -> Monitor:
    """A monitor over the sinks that the settings name."""
    from shared.monitor import Monitor
    from shared.sinks.alerts import AlertTopic
    from shared.sinks.logs import LogsIngestion
    from shared.sinks.state_store import BlobStateStore

    azure = open_azure(settings)
    connection = azure.connection
    topic = AlertTopic(connection, settings.alert_topic_endpoint) if settings.alert_topic_endpoint else None
    return Monitor(
        settings,
        azure,
        LogsIngestion(connection, settings),
        BlobStateStore(connection, settings.state_container_url),
        topic,
    )


async def close_monitor() -> None:
    """Closes the process's monitor, if there is one."""
    global _current  # noqa: PLW0603
    if _current is not None:
        _, monitor = _current
        _current = None
        await monitor.close()
