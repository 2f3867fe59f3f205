"""The Logs Ingestion API, with the monitor's own identity."""

from __future__ import annotations

import io
from typing import Final

from azure.monitor.ingestion.aio import LogsIngestionClient

from shared.azure.connection import BoundedRetry, Connection
from shared.azure.failures import asking

SERVICE: Final = "Logs ingestion"
WRITE_RIGHT: Final = "Microsoft.Insights/Telemetry/Write"


class LogsWriter:
    """Writes to the streams of one data collection endpoint."""

    def __init__(self, connection: Connection, endpoint: str) -> None:
        self._connection = connection
        self._endpoint = endpoint
        self._client: LogsIngestionClient | None = None

    async def upload(self, dcr_immutable_id: str, stream_name: str, body: bytes) -> None:
        """Sends ``body``, a JSON list compressed with gzip, as it is; raises a ``ServiceError`` unless it is taken."""
        async with asking(SERVICE, dcr_immutable_id, WRITE_RIGHT):
            await self._opened().upload(dcr_immutable_id, stream_name, io.BytesIO(body))

    def _opened(self) -> LogsIngestionClient:
        if self._client is None:
            connection = self._connection
            self._client = LogsIngestionClient(
                self._endpoint,
                connection.credential,
                credential_scopes=[connection.cloud.monitor_scope],
                transport=connection.transport(),
                retry_policy=BoundedRetry(),
            )
        return self._client
