"""What every client shares: one HTTP session, one identity, short time-outs and few retries.

The defaults of azure-core wait for minutes; Event Grid waits 30 seconds. So every client is given the times
below, and a ``Retry-After`` that does not fit into them is not slept through but raised, for Event Grid to
deliver the event again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from azure.core.exceptions import AzureError
from azure.core.pipeline.policies import AsyncRetryPolicy
from azure.core.pipeline.transport import AioHttpTransport

from shared.azure.failures import described
from shared.clouds import Cloud
from shared.connector import ClosingConnector
from shared.errors import Unreachable

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.core.credentials_async import AsyncTokenCredential

CONNECT_TIMEOUT: Final = 3.0
READ_TIMEOUT: Final = 6.0
LONGEST_RETRY_AFTER: Final = 2.0
# More than Azure ever needs of one instance, few enough to be polite: ARM, blobs, ingestion share them.
_MOST_CONNECTIONS: Final = 200

SessionFactory = Callable[[], aiohttp.ClientSession]


def open_session() -> aiohttp.ClientSession:
    """The session of a process: what azure-core would open for each client, once for all of them."""
    return aiohttp.ClientSession(
        connector=ClosingConnector(limit=_MOST_CONNECTIONS, ttl_dns_cache=60),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=True,
    )


class BoundedRetry(AsyncRetryPolicy[Any, Any]):
    """One more try after a short pause, and never a sleep that outlasts the event."""

    def __init__(self) -> None:
        super().__init__(retry_total=1, retry_backoff_factor=0.3, retry_backoff_max=1)

    def is_retry(self, settings: dict[str, Any], response: Any) -> bool:
        """Whether to ask again: not when the service wants a longer pause than there is time for."""
        wanted = self.get_retry_after(response)
        if wanted is not None and wanted > LONGEST_RETRY_AFTER:
            return False
        return bool(super().is_retry(settings, response))


class OwnIdentity:
    """The monitor's own credential. Without a token nothing can be asked, which may be over in a moment.

    The refusals of a token endpoint look like those of the service that was to be asked, so they are told apart
    here: a 403 for a token is no right that the monitor lacks on a registry.
    """

    def __init__(self, credential: AsyncTokenCredential) -> None:
        self._credential = credential

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A token; raises :class:`~shared.errors.Unreachable` without one."""
        try:
            return await self._credential.get_token(*scopes, **options)
        except (AzureError, aiohttp.ClientError, OSError, ValueError) as error:
            raise Unreachable("Managed identity", " ".join(scopes), f"no token: {described(error)}") from None

    async def close(self) -> None:
        """Closes the credential."""
        await self._credential.close()

    async def __aenter__(self) -> OwnIdentity:
        return self

    async def __aexit__(self, *_details: object) -> None:
        await self.close()


class FixedScopeCredential:
    """A credential that asks for one scope, whatever its client has built in.

    The Event Grid client's scope is the public cloud's and can't be set.
    """

    def __init__(self, credential: AsyncTokenCredential, scope: str) -> None:
        self._credential = credential
        self._scope = scope

    async def get_token(self, *_scopes: str, **options: Any) -> AccessToken:
        """A token for the fixed scope."""
        return await self._credential.get_token(self._scope, **options)

    async def close(self) -> None:
        """Nothing: the credential belongs to the connection."""

    async def __aenter__(self) -> FixedScopeCredential:
        return self

    async def __aexit__(self, *_details: object) -> None:
        await self.close()


class Connection:
    """The session, the transport and the identity, made on first use and closed together."""

    def __init__(self, cloud: Cloud, client_id: str = "", session_factory: SessionFactory = open_session) -> None:
        self.cloud = cloud
        self._client_id = client_id
        self._session_factory = session_factory
        self._session: aiohttp.ClientSession | None = None
        self._credential: AsyncTokenCredential | None = None
        # azure-core writes every request at INFO, with its URL and headers.
        logging.getLogger("azure").setLevel(logging.WARNING)
        # azure-identity warns with what the token endpoint answered, as it came; OwnIdentity says it redacted.
        logging.getLogger("azure.identity").setLevel(logging.CRITICAL)

    @property
    def session(self) -> aiohttp.ClientSession:
        """The one HTTP session."""
        if self._session is None:
            self._session = self._session_factory()
        return self._session

    def transport(self) -> AioHttpTransport:
        """A transport over the one session; closing a client does not close it."""
        return AioHttpTransport(
            session=self.session,
            session_owner=False,
            connection_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
        )

    @property
    def credential(self) -> AsyncTokenCredential:
        """The app's managed identity in Azure; on a laptop whoever is logged in with ``az login``."""
        if self._credential is None:
            self._credential = OwnIdentity(_credential(self._client_id))
        return self._credential

    async def close(self) -> None:
        """Closes the session and the credential."""
        if self._credential is not None:
            await self._credential.close()
            self._credential = None
        if self._session is not None:
            await self._session.close()
            self._session = None


def _credential(client_id: str) -> AsyncTokenCredential:
    if os.environ.get("IDENTITY_ENDPOINT") or os.environ.get("MSI_ENDPOINT"):
        from azure.identity.aio import ManagedIdentityCredential

        return ManagedIdentityCredential(client_id=client_id or None)
    from azure.identity.aio import DefaultAzureCredential

    managed = {"managed_identity_client_id": client_id} if client_id else {}
    return DefaultAzureCredential(**managed)
