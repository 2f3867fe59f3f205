"""Faults between the services and their callers, the record of requests, and time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from localcloud import LocalCloud, front
from localcloud.scenario import Scenario
from localcloud.service import (
    Caller,
    Fault,
    FaultAction,
    Hang,
    LoseAnswer,
    MalformedJson,
    Origin,
    Reset,
    Status,
    Truncate,
)

if TYPE_CHECKING:
    from tests.localcloud.conftest import Monitor


async def get(monitor: Monitor, scenario: Scenario, **options: Any) -> tuple[int, str]:
    token = await monitor.token("https://management.azure.com")
    url = f"https://management.azure.com{scenario.source.id}?api-version=2025-11-01"
    headers = {"Authorization": f"Bearer {token}"}
    async with monitor.session.get(url, headers=headers, **options) as answer:
        return answer.status, await answer.text()


async def test_an_answer_of_ones_own(monitor: Monitor, scenario: Scenario) -> None:
    fault = Fault("arm", action=Status(429, {"Retry-After": "17"}, "slow down"), times=1)
    scenario.cloud.faults.append(fault)
    assert await get(monitor, scenario) == (429, "slow down")
    assert (await get(monitor, scenario))[0] == 200, "it was for one time"
    assert fault.hits == 1


@pytest.mark.parametrize("action", [Reset(), Truncate(), LoseAnswer()])
async def test_cut_connections(monitor: Monitor, scenario: Scenario, action: FaultAction) -> None:
    scenario.cloud.faults.append(Fault("arm", lambda request: "registries" in request.path, action))
    with pytest.raises(aiohttp.ClientError):
        await get(monitor, scenario)
    assert scenario.cloud.requests[-1].status == 0


async def test_a_lost_answer_was_given_all_the_same(scenario: Scenario) -> None:
    scenario.cloud.faults.append(Fault("arm", lambda request: request.method == "DELETE", LoseAnswer()))
    await scenario.cloud.put_run(scenario.source, "export01", "exportpipe", artifacts=["hello-world"], blob="a.tar")
    with pytest.raises(aiohttp.ClientError):
        await scenario.cloud.delete_run(scenario.source, "export01")
    assert scenario.source.runs == {}


async def test_json_that_is_none(monitor: Monitor, scenario: Scenario) -> None:
    scenario.cloud.faults.append(Fault("*", lambda request: "registries" in request.path, MalformedJson()))
    status, text = await get(monitor, scenario)
    assert status == 200
    with pytest.raises(ValueError, match="Expecting"):
        __import__("json").loads(text)


async def test_no_answer_at_all(monitor: Monitor, scenario: Scenario) -> None:
    scenario.cloud.faults.append(Fault("arm", action=Hang()))
    with pytest.raises(TimeoutError):
        await get(monitor, scenario, timeout=aiohttp.ClientTimeout(total=0.1))


class Forwarding:
    """Reads the body as a client to another server does, with an error of its own where that breaks off."""

    name = "forwarding"

    def __init__(self) -> None:
        self.began, self.over = asyncio.Event(), asyncio.Event()

    def owns(self, host: str) -> bool:
        return host == "contosovault.vault.azure.net"

    async def handle(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        self.began.set()
        try:
            return web.Response(body=await request.read())
        except Exception as error:
            raise RuntimeError("the body could not be sent on") from error
        finally:
            self.over.set()


async def test_who_leaves_in_the_middle_of_a_body_breaks_nothing(monitor: Monitor, cloud: LocalCloud) -> None:
    cloud.world.add_vault("contosovault")
    service = Forwarding()
    cloud.add_service(service)

    async def half_a_body() -> AsyncIterator[bytes]:
        yield b"half"
        await service.over.wait()

    sending = asyncio.create_task(monitor.session.put("https://contosovault.vault.azure.net/", data=half_a_body()))
    await service.began.wait()
    sending.cancel()
    await service.over.wait()
    # That the local cloud isn't broken is looked at when it closes.
    assert await asyncio.gather(sending, return_exceptions=True)


async def test_every_service_can_be_interfered_with(monitor: Monitor, cloud: LocalCloud) -> None:
    cloud.faults.append(Fault("identity", action=Status(500, {}, "{}")))
    async with monitor.session.get(cloud.environment["IDENTITY_ENDPOINT"]) as answer:
        assert answer.status == 500
    cloud.world.add_vault("contosovault")
    cloud.faults.append(Fault("keyvault", action=Status(503)))
    async with monitor.session.get("https://contosovault.vault.azure.net/secrets/a") as answer:
        assert answer.status == 503


async def test_a_fault_may_be_the_monitors_alone(monitor: Monitor, scenario: Scenario) -> None:
    scenario.cloud.faults.append(Fault("*", action=Status(503), origin=Origin.MONITOR))
    run = await scenario.cloud.put_run(
        scenario.source, "export01", "exportpipe", artifacts=["hello-world"], blob="a.tar"
    )
    assert run["properties"]["provisioningState"] == "Succeeded"
    async with monitor.session.get("https://management.azure.com/") as answer:
        assert answer.status == 503


async def test_latency(monitor: Monitor, scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    await get(monitor, scenario)
    waiting: list[float] = []
    everybody_waits = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waiting.append(seconds)
        if len(waiting) == 20:
            everybody_waits.set()
        await everybody_waits.wait()

    monkeypatch.setattr(front, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": sleep}))
    scenario.cloud.latency = 0.05
    async with asyncio.timeout(60):
        answers = await asyncio.gather(*(get(monitor, scenario) for _ in range(20)))
    assert [status for status, _ in answers] == [200] * 20
    assert waiting == [0.05] * 20, "each waits, and none for another"


async def test_the_record_of_requests(monitor: Monitor, scenario: Scenario) -> None:
    requests = scenario.cloud.requests
    requests.clear()
    await monitor.arm(scenario.source.id, "2025-11-01")
    assert requests.count(service="arm", method="GET", status=200) == 1
    assert requests.count(service="identity") == 1
    record = requests[-1]
    assert (record.principal, record.host) == (scenario.cloud.world.monitor.id, "management.azure.com")
    assert (record.path, record.origin) == (scenario.source.id, Origin.MONITOR)


async def test_who_the_identity_endpoint_knows(monitor: Monitor, cloud: LocalCloud) -> None:
    url, header = cloud.environment["IDENTITY_ENDPOINT"], cloud.environment["IDENTITY_HEADER"]
    query = {"api-version": "2019-08-01", "resource": "https://management.azure.com"}
    for headers, parameters, status in (
        ({}, query, 403),
        ({"X-IDENTITY-HEADER": header}, query, 400),  # no system-assigned identity
        ({"X-IDENTITY-HEADER": header}, {**query, "client_id": "stranger"}, 400),
        ({"X-IDENTITY-HEADER": header}, {**query, "client_id": cloud.world.monitor.client_id}, 200),
    ):
        async with monitor.session.get(url, headers=headers, params=parameters) as answer:
            assert answer.status == status


async def test_an_expired_token_is_refused(monitor: Monitor, scenario: Scenario) -> None:
    scenario.cloud.identity_endpoint.token_lifetime = -10
    status, body = await get(monitor, scenario)
    assert status == 401
    assert "expired" in body
