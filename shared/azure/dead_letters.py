"""Dead-lettered events in a blob container. The only blobs whose content the monitor reads, and it deletes none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from shared.addresses import BlobAddress, ContainerAddress
from shared.azure.blobs import READ_RIGHT, SERVICE, blob_service
from shared.azure.connection import Connection
from shared.azure.failures import asking
from shared.errors import Refused

# Event Grid writes events of at most 1 MB, a few to a blob; an image that lies beside them is not downloaded.
LARGEST: Final = 16 * 1024 * 1024


class DeadLetterReader:
    """Lists and reads the blobs of one container, with our own identity."""

    def __init__(self, connection: Connection, container: ContainerAddress) -> None:
        self._place = container
        service = blob_service(connection, connection.cloud.blob_host(container.account))
        self._container = service.get_container_client(container.container)

    async def names(self, prefix: str = "") -> AsyncIterator[str]:
        """The names of its blobs. Raises a :class:`~shared.errors.ServiceError`."""
        pages = self._container.list_blobs(name_starts_with=prefix or None).by_page()
        while True:
            async with asking(SERVICE, str(self._place), READ_RIGHT, named_by_others=True):
                try:
                    page = [blob.name async for blob in await anext(pages)]
                except StopAsyncIteration:
                    return
            for name in page:
                yield name

    async def read(self, name: str) -> bytes:
        """The content of one blob. Raises a :class:`~shared.errors.ServiceError`."""
        target = str(BlobAddress(self._place.account, self._place.container, name))
        async with asking(SERVICE, target, READ_RIGHT, named_by_others=True):
            blob = self._container.get_blob_client(name)
            size = (await blob.get_blob_properties()).size
            if size > LARGEST:
                raise Refused(SERVICE, target, f"it has {size} bytes, which is more than dead-lettered events have")
            return await (await blob.download_blob()).readall()
