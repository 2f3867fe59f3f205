"""Storage accounts and containers through ARM, which needs no way through the account's firewall."""

from __future__ import annotations

from typing import Final

from shared.azure.arm import ArmReader
from shared.azure.connection import Connection
from shared.azure.vaults import resolves
from shared.records.storage import Container, StorageAccount

STORAGE_VERSIONS: Final = ("2023-05-01", "2022-09-01", "2019-06-01")


class StorageAccountReader:
    """Reads accounts by resource id or subscription."""

    def __init__(self, arm: ArmReader, connection: Connection) -> None:
        self._arm = arm
        self._connection = connection

    async def account(self, account_id: str) -> StorageAccount:
        """An account's settings."""
        return StorageAccount.from_json(await self._arm.get(account_id, STORAGE_VERSIONS))

    async def accounts(self, subscription: str) -> tuple[StorageAccount, ...]:
        """Every account of a subscription that the monitor may see."""
        path = f"/subscriptions/{subscription}/providers/Microsoft.Storage/storageAccounts"
        return tuple(StorageAccount.from_json(item) for item in await self._arm.everything(path, STORAGE_VERSIONS))

    async def container(self, account_id: str, container: str) -> Container:
        """A container's settings."""
        path = f"{account_id}/blobServices/default/containers/{container}"
        return Container.from_json(await self._arm.get(path, STORAGE_VERSIONS))

    async def exists(self, account: str) -> bool:
        """Whether the account's blob host resolves. Asked without any token."""
        return await resolves(self._connection.session, self._connection.cloud.blob_host(account), "Storage")
