"""Key Vault's challenge, its secrets, and its refusals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from localcloud import LocalCloud
from localcloud.world import Vault

if TYPE_CHECKING:
    from tests.localcloud.conftest import Monitor


URL = "https://contosovault.vault.azure.net/secrets/sas"


@pytest.fixture
def vault(cloud: LocalCloud) -> Vault:
    vault = cloud.world.add_vault("contosovault")
    vault.set_secret("sas", "the value")
    return vault


async def read(monitor: Monitor, url: str = URL) -> tuple[int, dict[str, Any]]:
    token = await monitor.token("https://vault.azure.net")
    headers = {"Authorization": f"Bearer {token}"}
    async with monitor.session.get(f"{url}?api-version=7.4", headers=headers) as answer:
        return answer.status, await answer.json()


def inner_code(body: dict[str, Any]) -> str:
    return str(body["error"]["innererror"]["code"])


async def test_the_challenge_names_tenant_and_resource(monitor: Monitor, vault: Vault, cloud: LocalCloud) -> None:
    async with monitor.session.get(f"{URL}?api-version=7.4") as answer:
        assert answer.status == 401
        challenge = answer.headers["WWW-Authenticate"]
    assert cloud.world.tenant_id in challenge
    assert 'resource="https://vault.azure.net"' in challenge


@pytest.mark.parametrize("rbac", [False, True])
async def test_reading_has_to_be_allowed(monitor: Monitor, vault: Vault, cloud: LocalCloud, rbac: bool) -> None:
    vault.rbac = rbac
    status, body = await read(monitor)
    assert (status, body["error"]["code"]) == (403, "Forbidden")
    assert inner_code(body) == ("ForbiddenByRbac" if rbac else "ForbiddenByPolicy")
    cloud.world.allow_secret_reading(vault, "sas")
    status, body = await read(monitor)
    assert (status, body["value"]) == (200, "the value")


async def test_policies_mean_nothing_to_an_rbac_vault(monitor: Monitor, vault: Vault, cloud: LocalCloud) -> None:
    cloud.world.allow_secret_reading(vault)
    vault.rbac = True
    assert inner_code((await read(monitor))[1]) == "ForbiddenByRbac"


async def test_versions_and_dates(monitor: Monitor, vault: Vault, cloud: LocalCloud) -> None:
    cloud.world.allow_secret_reading(vault)
    old = vault.secret("sas")
    assert old is not None
    vault.set_secret("sas", "newer", expires=datetime.now(UTC) - timedelta(days=1))
    status, body = await read(monitor)
    assert (status, body["value"]) == (200, "newer"), "an expired secret is given all the same"
    _, body = await read(monitor, f"{URL}/{old.version}")
    assert body["value"] == "the value"


async def test_what_is_disabled_deleted_or_never_was(monitor: Monitor, vault: Vault, cloud: LocalCloud) -> None:
    cloud.world.allow_secret_reading(vault)
    vault.set_secret("sas", "off", enabled=False)
    status, body = await read(monitor)
    assert (status, inner_code(body)) == (403, "SecretDisabled")
    vault.delete_secret("sas")
    status, body = await read(monitor)
    assert (status, body["error"]["code"]) == (404, "SecretNotFound")
    assert "recently deleted" in body["error"]["message"]


async def test_networks(monitor: Monitor, vault: Vault, cloud: LocalCloud) -> None:
    world = cloud.world
    world.allow_secret_reading(vault)
    world.close_firewall(vault)
    assert inner_code((await read(monitor))[1]) == "ForbiddenByFirewall"
    vault.network.public_network_access = "Disabled"
    assert inner_code((await read(monitor))[1]) == "ForbiddenByConnection"
    world.allow_monitor(vault)
    assert (await read(monitor))[0] == 200


async def test_another_tenant(monitor: Monitor, vault: Vault) -> None:
    vault.tenant_id = "11111111-2222-3333-4444-555555555555"
    status, body = await read(monitor)
    assert status == 401
    assert "AKV10032" in body["error"]["message"]
