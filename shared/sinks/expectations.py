"""Imports that are expected: a blob has landed where an import pipeline with a source trigger takes it in.

::

      (no record) ──expect──▶ expected ──▶ (record deleted: a run names the blob, the blob is gone, or for a day
                                            no import pipeline has read its container)

One record for each blob and ETag. It is written after the blob's findings are stored and closed by the sweep.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from shared.addresses import BlobAddress
from shared.evidence.model import Evidence
from shared.findings.finding import digest
from shared.records.storage import Blob
from shared.sinks.state_store import StateStore
from shared.times import iso, parse_time

PREFIX: Final = "expectations/"


class Expectations:
    """The records of all blobs that wait for an import."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    async def expect(self, evidence: Evidence) -> None:
        """Remembers that the blob of this look is to be imported, if a pipeline watches its container."""
        address, pipeline = evidence.blob_address, evidence.known_pipeline
        if address is None or pipeline is None or evidence.already_imported:
            return
        blob = evidence.blob
        etag = blob.etag if isinstance(blob, Blob) else ""
        since = evidence.waiting_since or evidence.now
        record = {
            "account": address.account,
            "container": address.container,
            "blob": address.name,
            "etag": etag,
            "waitingSince": iso(since),
            "registryId": pipeline.registry_id,
        }
        label = f"expected|{iso(since)}|{address.in_container}"
        await self._store.create(expectation_key(address, etag), record, label)


def expectation_key(address: BlobAddress, etag: str) -> str:
    """Where the record of a blob, as it is now, stands."""
    return f"{PREFIX}{digest(str(address), etag)}.json"


def opened_by_label(label: str) -> datetime | None:
    """Since when an expectation is open, as far as its label tells."""
    parts = label.split("|")
    return parse_time(parts[1]) if len(parts) == 3 else None
