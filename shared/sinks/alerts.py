"""Alerts: CloudEvents on an Event Grid topic, for those who can't wait for an alert rule."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from shared.azure.connection import Connection
from shared.azure.topic import TopicWriter
from shared.errors import NotStored, ServiceError
from shared.findings.finding import Row, digest
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Subject
from shared.sinks.shared_uploads import SharedUploads, TooLarge


class AlertKind(StrEnum):
    """Whether a condition opened or went away."""

    OPENED = "AcrTransfer.Finding.Opened"
    RESOLVED = "AcrTransfer.Finding.Resolved"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert about one condition; ``row`` is the finding's row."""

    kind: AlertKind
    row: Row

    @property
    def id(self) -> str:
        """The same for every attempt to publish it."""
        return digest(str(self.row["FindingId"]), str(self.row["State"]))

    @property
    def subject(self) -> str:
        """What the rule is about: the run, the pipeline or the blob, as far as the row knows it."""
        row = self.row
        blob = "/".join((row["StorageAccount"], row["ContainerName"], row["BlobName"])) if row["BlobName"] else ""
        by_kind = {Subject.RUN: row["RunId"], Subject.PIPELINE: row["PipelineId"], Subject.BLOB: blob}
        rule = CATALOGUE.get(row["RuleId"])
        own = by_kind.get(rule.subject, "") if rule is not None else ""
        return str(own or row["RunId"] or row["PipelineId"] or row["RegistryId"] or "acr-transfer-monitor")

    def to_json(self) -> dict[str, Any]:
        """What is sent, as CloudEvents 1.0."""
        return {
            "id": self.id,
            "type": str(self.kind),
            "source": str(self.row["RegistryId"] or "/acr-transfer-monitor"),
            "subject": self.subject,
            "time": self.row["TimeGenerated"],
            "data": self.row,
        }


class AlertSink(Protocol):
    """Somewhere to publish alerts."""

    async def publish(self, alerts: Sequence[Alert]) -> None:
        """Returns once all were accepted; raises :class:`~shared.errors.NotStored` otherwise."""


class AlertTopic:
    """Publishes alerts on the topic in the settings."""

    def __init__(self, connection: Connection, endpoint: str) -> None:
        self._topic = TopicWriter(connection, endpoint)
        self.uploads = SharedUploads(self._send)

    async def publish(self, alerts: Sequence[Alert]) -> None:
        """Publishes alerts, together with those of other events of this moment."""
        if alerts:
            await self.uploads.add([json.dumps(alert.to_json()).encode() for alert in alerts])

    async def _send(self, alerts: Sequence[bytes]) -> None:
        try:
            await self._topic.send([json.loads(alert) for alert in alerts])
        except ServiceError as error:
            kind = TooLarge if error.status == 413 else NotStored
            raise kind(f"alerts were not published: {error}") from None
