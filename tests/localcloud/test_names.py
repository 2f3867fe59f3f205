"""Nothing but the local cloud is reached, by name or by address."""

from __future__ import annotations

import json
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE

import aiohttp
import pytest

from localcloud import LocalCloud


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/",
        "https://login.microsoftonline.com/",
        "https://nosuchaccount.blob.core.windows.net/",
        "https://contosoexport.blob.core.windows.net/",  # in the pool, and not in the world
        "https://nosuchvault.vault.azure.net/",
        "https://nosuchregistry.azurecr.io/v2/",
        "https://management.azure.com.example.com/",
        "http://management.azure.com/",
    ],
)
async def test_other_hosts_do_not_resolve(cloud: LocalCloud, url: str) -> None:
    async with cloud.client_session() as session:
        with pytest.raises(aiohttp.ClientConnectorDNSError):
            await session.get(url)


async def test_addresses_beyond_loopback_are_not_reached(cloud: LocalCloud) -> None:
    async with cloud.client_session() as session:
        with pytest.raises(aiohttp.ClientConnectorError, match="not on loopback"):
            await session.get("http://169.254.169.254/metadata/identity/oauth2/token")


async def test_a_host_that_leaves_the_world_is_gone_for_open_connections_too(cloud: LocalCloud) -> None:
    cloud.world.add_vault("contosovault")
    async with cloud.client_session() as session:
        url = "https://contosovault.vault.azure.net/secrets/any?api-version=7.4"
        async with session.get(url) as answer:
            assert answer.status == 401
        del cloud.world.vaults["contosovault"]
        with pytest.raises(aiohttp.ClientConnectorDNSError):
            await session.get(url)


async def test_dns_can_fail_for_a_host_that_exists(cloud: LocalCloud) -> None:
    cloud.world.unresolvable.add("management.azure.com")
    async with cloud.client_session() as session:
        with pytest.raises(aiohttp.ClientConnectorDNSError):
            await session.get("https://management.azure.com/")


async def test_the_certificate_is_checked(cloud: LocalCloud) -> None:
    async with aiohttp.ClientSession() as stranger:
        port = cloud.connection.front_port
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await stranger.get(f"https://127.0.0.1:{port}/")


async def test_another_process_connects_by_the_file(cloud: LocalCloud) -> None:
    cloud.world.add_registry("contosohub")
    program = """
import asyncio, json, sys, aiohttp, localcloud
async def main():
    connection = localcloud.connect(sys.argv[1])
    environment = connection.environment
    async with connection.client_session() as session:
        async with session.get(
            environment["IDENTITY_ENDPOINT"],
            params={"api-version": "2019-08-01", "resource": "https://management.azure.com",
                    "client_id": environment["AZURE_CLIENT_ID"]},
            headers={"X-IDENTITY-HEADER": environment["IDENTITY_HEADER"]},
        ) as answer:
            token = (await answer.json())["access_token"]
        url = "https://management.azure.com" + environment["MONITORED_REGISTRIES"]
        async with session.get(url, params={"api-version": "2025-11-01"},
                               headers={"Authorization": "Bearer " + token}) as answer:
            found = (await answer.json())["name"]
        try:
            await session.get("https://nosuchvault.vault.azure.net/")
            refused = False
        except aiohttp.ClientConnectorDNSError:
            refused = True
    print(json.dumps({"found": found, "refused": refused}))
asyncio.run(main())
"""
    process = await create_subprocess_exec(
        sys.executable, "-W", "error", "-c", program, str(cloud.connection_file), stdout=PIPE
    )
    said, _ = await process.communicate()
    assert json.loads(said) == {"found": "contosohub", "refused": True}
