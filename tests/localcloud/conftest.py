"""The product's way to a service (real SDK clients over the local cloud's session), and a world that works."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import HttpRequest
from azure.identity.aio import ManagedIdentityCredential
from azure.mgmt.containerregistry.aio import ContainerRegistryManagementClient
from azure.storage.blob.aio import BlobServiceClient

from localcloud import LocalCloud
from localcloud.scenario import Scenario, transfer_between

API_VERSION = "2025-06-01-preview"


@dataclass
class Monitor:
    """Clients as the monitor makes them, with the monitor's own identity."""

    cloud: LocalCloud
    session: aiohttp.ClientSession
    credential: ManagedIdentityCredential
    arm_client: ContainerRegistryManagementClient

    async def arm(self, path: str, api_version: str = API_VERSION, **parameters: str) -> tuple[int, dict[str, Any]]:
        url = path if path.startswith("https:") else f"https://management.azure.com{path}"
        query = {} if path.startswith("https:") else {"api-version": api_version, **parameters}
        response = await self.arm_client.send_request(HttpRequest("GET", url, params=query))
        return response.status_code, response.json()

    def blobs(self, account: str, token: str | None = None) -> BlobServiceClient:
        return BlobServiceClient(
            f"https://{account}.blob.core.windows.net",
            credential=token or self.credential,
            transport=self._transport(),
            api_version="2026-06-06",
            retry_total=0,
        )

    async def token(self, audience: str) -> str:
        return str((await self.credential.get_token(f"{audience}/.default")).token)

    def _transport(self) -> AioHttpTransport:
        return AioHttpTransport(session=self.session, session_owner=False)


@pytest.fixture
async def monitor(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Monitor]:
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, cloud.environment[name])
    async with cloud.client_session() as session:
        transport = AioHttpTransport(session=session, session_owner=False)
        credential = ManagedIdentityCredential(client_id=cloud.environment["AZURE_CLIENT_ID"], transport=transport)
        client = ContainerRegistryManagementClient(
            credential, cloud.world.subscription_id, transport=transport, retry_total=0
        )
        async with credential, client:
            yield Monitor(cloud, session, credential, client)


@pytest.fixture
async def scenario(cloud: LocalCloud) -> Scenario:
    return await transfer_between(cloud)
