"""``Microsoft.Storage.BlobCreated`` for what lands through the front."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable

from localcloud.blobs.service import Landing
from localcloud.events import Event, EventBus


def announce_blobs(bus: EventBus) -> Callable[[Landing], None]:
    """What the blob service calls for each blob that has landed."""
    sequence = itertools.count(0x2C1B)

    def landed(landing: Landing) -> None:
        account, target, request = landing.account, landing.target, landing.request
        if not account.raises_events or account.kind == "Storage":
            return  # general-purpose v1 accounts tell nothing
        bus.publish(
            Event(
                "Microsoft.Storage.BlobCreated",
                account.id,
                f"/blobServices/default/containers/{target.container}/blobs/{target.blob}",
                {
                    "api": str(landing.write),
                    "clientRequestId": request.headers.get("x-ms-client-request-id", str(uuid.uuid4())),
                    "requestId": landing.headers.get("x-ms-request-id", str(uuid.uuid4())),
                    "eTag": landing.headers.get("ETag", ""),
                    "contentType": request.headers.get("x-ms-blob-content-type", "application/octet-stream"),
                    "contentLength": landing.size,
                    "blobType": target.blob_type or "BlockBlob",
                    "url": f"{account.url}{request.rel_url.raw_path}",
                    "sequencer": f"{next(sequence):032X}",
                    "storageDiagnostics": {"batchId": str(uuid.uuid4())},
                },
            )
        )

    return landed
