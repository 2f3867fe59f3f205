"""Blobs: their properties and lists, with the monitor's own identity. Never their content."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from azure.core.credentials import AzureSasCredential
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobProperties
from azure.storage.blob.aio import BlobServiceClient, LinearRetry

from shared.addresses import BlobAddress, ContainerAddress
from shared.azure.connection import Connection
from shared.azure.failures import asking, code_of
from shared.errors import AccessDenied, Gone, Unreachable
from shared.records.storage import Blob
from shared.redaction import Secret, redact
from shared.version import MONITOR_VERSION

SERVICE: Final = "Storage"
READ_RIGHT: Final = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
# Not the SDK's newest: sovereign clouds get storage versions late, and nothing newer is needed.
API_VERSION: Final = "2021-12-02"

ACCOUNT_DISABLED: Final = "AccountIsDisabled"
# A listing shows them only where it is asked to.
_HOLDS: Final = ("immutabilitypolicy", "legalhold")
_REFUSED: Final = 400


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """What storage answered to a token: ``code`` is empty if it was let in."""

    status: int
    code: str
    detail: str


def blob_service(connection: Connection, host: str) -> BlobServiceClient:
    """A client for one account that answers or fails within the monitor's times."""
    return BlobServiceClient(
        f"https://{host}",
        credential=connection.credential,
        transport=connection.transport(),
        api_version=API_VERSION,
        audience=connection.cloud.storage_audience,
        retry_policy=LinearRetry(backoff=1, retry_total=1, random_jitter_range=0),
        user_agent=f"acr-transfer-monitor/{MONITOR_VERSION}",
    )


class BlobReader:
    """Reads blobs of the accounts that pipelines use."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._services: dict[str, BlobServiceClient] = {}
        self._without_holds: set[str] = set()

    async def properties(self, address: BlobAddress) -> Blob:
        """The properties of one blob. In an account that is out of service there is none, whoever asks."""
        try:
            async with asking(SERVICE, str(address), READ_RIGHT, named_by_others=True):
                client = self._service(address.account).get_blob_client(address.container, address.name)
                properties = await client.get_blob_properties()
        except AccessDenied as denied:
            if denied.code != ACCOUNT_DISABLED:
                raise
            raise Gone(SERVICE, str(address), "the account is disabled", status=403, code=denied.code) from None
        blob = _blob(address, properties)
        if not blob.blob_type:
            # Storage always says it. Read as a blob without metadata, this would be a false alarm.
            raise Unreachable(SERVICE, str(address), "the answer describes no blob", right=READ_RIGHT)
        return blob

    async def pages(self, address: ContainerAddress, page_size: int = 1_000) -> AsyncIterator[tuple[Blob, ...]]:
        """The blobs of a container with their metadata, a page at a time, without its directories.

        An account that refuses to list holds and immutability is asked without them, and its blobs say so.
        """
        with_holds = address.account not in self._without_holds
        pages = self._listing(address, page_size, with_holds=with_holds)
        first = True
        while True:
            async with asking(SERVICE, str(address), READ_RIGHT, named_by_others=True):
                try:
                    page = await anext(pages)
                except StopAsyncIteration:
                    return
                except HttpResponseError as refusal:
                    if not (first and with_holds and refusal.status_code == _REFUSED):
                        raise
                    with_holds = False
                    pages = self._listing(address, page_size, with_holds=False)
                    page = await anext(pages)
                    self._without_holds.add(address.account)
                found = [
                    _blob(BlobAddress(address.account, address.container, item.name), item, holds_known=with_holds)
                    async for item in page
                ]
            first = False
            yield tuple(blob for blob in found if not blob.is_directory)

    def _listing(
        self, address: ContainerAddress, page_size: int, *, with_holds: bool
    ) -> AsyncIterator[AsyncIterator[BlobProperties]]:
        container = self._service(address.account).get_container_client(address.container)
        include = ["metadata", "copy", *(_HOLDS if with_holds else ())]
        return container.list_blobs(include=include, results_per_page=page_size).by_page()

    async def try_token(self, address: ContainerAddress, token: Secret) -> TokenAnswer:
        """What one List with a pipeline's own token is answered. The token goes to its own account only."""
        service = BlobServiceClient(
            f"https://{self._connection.cloud.blob_host(address.account)}",
            credential=AzureSasCredential(token.reveal()),
            transport=self._connection.transport(),
            api_version=API_VERSION,
            retry_policy=LinearRetry(backoff=1, retry_total=1, random_jitter_range=0),
        )
        async with asking(SERVICE, str(address), "list with the pipeline's token", named_by_others=True):
            try:
                pages = service.get_container_client(address.container).list_blobs(results_per_page=1).by_page()
                await anext(pages)
            except StopAsyncIteration:
                return TokenAnswer(200, "", "")
            except HttpResponseError as refusal:
                # Under 400 it is an answer that can't be read, which lets nobody in.
                status = refusal.status_code or 0
                if status < 400 or status >= 500 or status == 429:
                    raise
                return TokenAnswer(status, code_of(refusal), redact(str(refusal.message))[:2_000])
        return TokenAnswer(200, "", "")

    def _service(self, account: str) -> BlobServiceClient:
        if account not in self._services:
            self._services[account] = blob_service(self._connection, self._connection.cloud.blob_host(account))
        return self._services[account]


def _blob(address: BlobAddress, source: BlobProperties, *, holds_known: bool = True) -> Blob:
    settings = source.content_settings
    lease = source.lease
    immutability: Any = getattr(source, "immutability_policy", None)
    return Blob(
        address=address,
        etag=str(source.etag or "").strip('"'),
        last_modified=source.last_modified,
        created=source.creation_time,
        size=source.size or 0,
        blob_type=str(getattr(source.blob_type, "value", source.blob_type) or ""),
        content_md5=bytes(settings.content_md5) if settings.content_md5 else None,
        metadata={name.lower(): value for name, value in (source.metadata or {}).items()},
        tier=str(source.blob_tier or ""),
        archive_status=str(source.archive_status or ""),
        lease_state=str(lease.state or ""),
        lease_status=str(lease.status or ""),
        copy_status=str(source.copy.status or ""),
        copy_description=str(source.copy.status_description or ""),
        immutable_until=getattr(immutability, "expiry_time", None),
        legal_hold=bool(getattr(source, "has_legal_hold", False)),
        content_type=str(settings.content_type or ""),
        holds_known=holds_known,
    )
