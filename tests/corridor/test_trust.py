"""Addresses come from other people: the monitor's own token goes to nobody outside the cloud."""

from __future__ import annotations

import base64
import json
from typing import Final

import aiohttp
import pytest
from aiohttp import web

from localcloud import LocalCloud
from localcloud.service import MalformedJson, Origin, Status
from tests.corridor.conftest import Corridor, data_requests

OUTSIDE: Final = (
    "https://contosoexport.blob.core.windows.net.evil.example/transfer",
    "https://evil.example/transfer",
    "https://contosoexport.blob.core.usgovcloudapi.net/transfer",
    "https://contosoexport.blob.core.windows.net@evil.example/transfer",
    "https://evil.example#contosoexport.blob.core.windows.net/transfer",
    "http://contosoexport.blob.core.windows.net/transfer",
    "https://contosoexport.blob.core.windows.net:8443/transfer",
    "https://127.0.0.1/transfer",
    "https://user:secret@contosoexport.blob.core.windows.net/transfer",
)


class Bystander:
    """Takes note of every name that is looked up and belongs to nobody in the cloud."""

    name = "bystander"

    def __init__(self, cloud: LocalCloud) -> None:
        self._known = list(cloud._core.front.services)
        self.looked_up: list[str] = []
        cloud.add_service(self)

    def owns(self, host: str) -> bool:
        """Nothing; but a name has to be looked up before a token can be sent to it."""
        if not any(service.owns(host) for service in self._known):
            self.looked_up.append(host)
        return False

    async def handle(self, request: web.Request, caller: object) -> web.StreamResponse:
        """Never called."""
        raise NotImplementedError


async def test_a_look_up_would_be_seen(corridor: Corridor) -> None:
    bystander = Bystander(corridor.cloud)
    async with corridor.cloud.client_session() as session:
        with pytest.raises(aiohttp.ClientConnectorDNSError):
            await session.get("https://evil.example/")
        await session.head("https://contosovault.vault.azure.net/")
    assert bystander.looked_up == ["evil.example"]


@pytest.mark.parametrize("uri", OUTSIDE)
async def test_a_container_outside_the_cloud_is_never_asked(corridor: Corridor, uri: str) -> None:
    raw = await corridor.export("transfer01")
    bystander = Bystander(corridor.cloud)
    corridor.scenario.export_pipeline.container_url = uri
    run = corridor.scenario.source.runs["transfer01"]
    run.provisioning_state, run.response["status"] = "Failed", "Failed"
    run.response["pipelineRunErrorMessage"] = "403 Forbidden"
    run.response["target"]["uri"] = f"{uri}/a.tar"
    run.request["target"]["uri"] = f"{uri}/a.tar"
    await corridor.run_event(raw, await corridor.another(SAS_INSPECTION="value"))
    assert len(corridor.root_causes()) == 1
    assert bystander.looked_up == []
    assert data_requests(corridor.cloud, "contosoexport") == []


def of_a_vault(uri: str) -> str:
    """The same trick with a secret's address."""
    for cloud in ("core.windows.net", "core.usgovcloudapi.net"):
        vault = cloud.replace("core.windows", "vault.azure").replace("core.us", "vault.us")
        uri = uri.replace(f"contosoexport.blob.{cloud}", f"contosovault.{vault}")
    return uri.replace("/transfer", "/secrets/exportsas")


@pytest.mark.parametrize("uri", [of_a_vault(uri) for uri in OUTSIDE])
async def test_a_vault_outside_the_cloud_is_never_asked(corridor: Corridor, uri: str) -> None:
    raw = await corridor.export("transfer01")
    bystander = Bystander(corridor.cloud)
    corridor.cloud.world.allow_secret_reading(corridor.scenario.vault)
    corridor.scenario.export_pipeline.secret_uri = uri
    run = corridor.scenario.source.runs["transfer01"]
    run.provisioning_state, run.response["status"] = "Failed", "Failed"
    run.response["pipelineRunErrorMessage"] = "Failed to access key vault."
    before = corridor.cloud.requests.count(service="keyvault", origin=Origin.MONITOR)
    await corridor.run_event(raw, await corridor.another(SAS_INSPECTION="value"))
    [cause] = corridor.root_causes()
    assert cause["RuleId"] in {"ACRT205", "ACRT207"}
    assert bystander.looked_up == []
    assert corridor.cloud.requests.count(service="keyvault", origin=Origin.MONITOR) == before
    assert "secret@" not in json.dumps(corridor.rows), "not even the user that somebody wrote into the address"


async def test_a_next_page_elsewhere_is_not_followed(corridor: Corridor) -> None:
    bystander = Bystander(corridor.cloud)
    await corridor.failed_export("transfer01")
    body = json.dumps({"value": [], "nextLink": "https://evil.example/subscriptions?page=2"}).encode()
    corridor.break_down("arm", MalformedJson(body), "/registries/contosohub/pipelineruns")
    report = await corridor.sweep()
    assert any("another host" in problem for problem in report.problems)
    assert bystander.looked_up == []


async def test_a_vaults_challenge_leads_nowhere(corridor: Corridor) -> None:
    bystander = Bystander(corridor.cloud)
    raw = await corridor.failed_export("transfer01")
    challenge = 'Bearer authorization="https://evil.example/tenant", resource="https://evil.example"'
    claims = base64.b64encode(b'{"access_token":{"nbf":{"essential":true}}}').decode()
    for service in ("keyvault", "arm"):
        headers = {"WWW-Authenticate": f'{challenge}, error="insufficient_claims", claims="{claims}"'}
        corridor.break_down(service, Status(401, headers), "vault")
    await corridor.run_event(raw, await corridor.another(SAS_INSPECTION="value"))
    assert bystander.looked_up == []
    tokens = corridor.cloud.requests.matching(service="identity")
    assert not [request for request in tokens if "evil" in request.query.get("resource", "")]
