"""Findings into Log Analytics, through the Logs Ingestion API.

The SDK's own chunks can overshoot the service's limit of 1 MiB, so bodies are made here and handed over as
they are. A repeated upload stores a row twice with the same ``FindingId``, which every query collapses.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from typing import Protocol

from shared.azure.connection import Connection
from shared.azure.ingestion import LogsWriter
from shared.errors import NotStored, ServiceError
from shared.findings.finding import Finding, Row
from shared.settings import Settings
from shared.sinks.shared_uploads import SharedUploads, TooLarge


class FindingLog(Protocol):
    """Somewhere to write findings."""

    async def write(self, findings: Sequence[Finding]) -> None:
        """Returns once all were accepted; raises :class:`~shared.errors.NotStored` otherwise."""

    async def write_rows(self, rows: Sequence[Row]) -> None:
        """The same for rows."""


class LogsIngestion:
    """Writes findings as rows of the stream in the settings."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._writer = LogsWriter(connection, settings.logs_ingestion_endpoint)
        self._settings = settings
        self.uploads = SharedUploads(self._send)

    async def write(self, findings: Sequence[Finding]) -> None:
        """Uploads the findings' rows, together with those of other events of this moment."""
        await self.write_rows([finding.row for finding in findings])

    async def write_rows(self, rows: Sequence[Row]) -> None:
        """Uploads rows, together with those of other events of this moment."""
        if rows:
            await self.uploads.add([encoded(row) for row in rows])

    async def _send(self, rows: Sequence[bytes]) -> None:
        body = gzip.compress(b"[" + b",".join(rows) + b"]", compresslevel=5, mtime=0)
        try:
            await self._writer.upload(self._settings.logs_dcr_immutable_id, self._settings.logs_stream_name, body)
        except ServiceError as error:
            # Whatever the code: a role takes half an hour to spread, and a lost row is lost for good.
            kind = TooLarge if error.status == 413 else NotStored
            raise kind(f"findings were not stored: {error}") from None


def encoded(row: Row) -> bytes:
    """A row as the bytes that are sent."""
    return json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")
