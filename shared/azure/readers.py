"""All readers over one connection, each client made on first use."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from shared.azure.access import AccessReader
from shared.azure.activity_log import ActivityLogReader
from shared.azure.arm import ArmReader
from shared.azure.blobs import BlobReader
from shared.azure.connection import Connection, SessionFactory, open_session
from shared.azure.registries import RegistryReader
from shared.azure.storage_accounts import StorageAccountReader
from shared.azure.vaults import VaultReader
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.azure.registry_content import RegistryContentReader


class Azure:
    """Everything that can be read, for one process and one event loop."""

    def __init__(self, settings: Settings, session_factory: SessionFactory = open_session) -> None:
        self.connection = Connection(settings.cloud, settings.client_id, session_factory)
        self.arm = ArmReader(self.connection)
        self.registries = RegistryReader(self.arm, settings.acr_api_version)

    @cached_property
    def vaults(self) -> VaultReader:
        """Key vaults and secrets."""
        return VaultReader(self.arm, self.connection)

    @cached_property
    def storage_accounts(self) -> StorageAccountReader:
        """Storage accounts and containers."""
        return StorageAccountReader(self.arm, self.connection)

    @cached_property
    def access(self) -> AccessReader:
        """Role assignments."""
        return AccessReader(self.arm)

    @cached_property
    def blobs(self) -> BlobReader:
        """Blobs."""
        return BlobReader(self.connection)

    @cached_property
    def activity_log(self) -> ActivityLogReader:
        """Why writes were rejected."""
        return ActivityLogReader(self.arm)

    @cached_property
    def content(self) -> RegistryContentReader:
        """What lies in registries. Many events never ask, so its library is loaded by the first that does."""
        from shared.azure.registry_content import RegistryContentReader

        return RegistryContentReader(self.connection)

    async def close(self) -> None:
        """Closes the connection."""
        await self.connection.close()
