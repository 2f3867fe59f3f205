"""The topic's fake takes CloudEvents in batches and nothing else."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.service import Caller
from localcloud.topic import CONTENT_TYPE, SEND_EVENTS, AlertTopic, problem
from localcloud.world import World

if TYPE_CHECKING:
    from aiohttp import ClientSession

    from tests.localcloud_sinks.conftest import Serve

TOPIC = "/subscriptions/s/topics/alerts"
AUDIENCE = "https://eventgrid.azure.net"
URL = "/api/events?api-version=2018-01-01"
EVENT: dict[str, Any] = {
    "specversion": "1.0", "id": "f1-Open", "source": "/registries/one", "type": "AcrTransfer.Finding.Opened",
    "subject": "/runs/one", "time": "2026-11-23T12:00:00.123456Z", "data": {"RuleId": "ACRT301"},
}  # fmt: skip


def may_send(_principal: str, action: str, scope: str, data: bool) -> bool:
    return (action, scope, data) == (SEND_EVENTS, TOPIC, True)


MONITOR = Caller("monitor", audience=AUDIENCE + "/", rights=may_send)


async def publish(session: ClientSession, body: object, content_type: str = CONTENT_TYPE, url: str = URL) -> int:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with session.post(url, data=io.BytesIO(data), headers={"Content-Type": content_type}) as response:
        if response.status != 200:
            assert (await response.json())["error"]["message"]
        return response.status


async def test_events_are_taken_in_their_order(serve: Serve) -> None:
    topic = AlertTopic(TOPIC)
    second = {**EVENT, "id": "f1-Resolved", "type": "AcrTransfer.Finding.Resolved"}
    async with serve(topic, MONITOR) as session:
        assert await publish(session, [EVENT, second]) == 200
        assert await publish(session, [EVENT], CONTENT_TYPE + "; charset=utf-8") == 200
    assert topic.published == [EVENT, second, EVENT]


@pytest.mark.parametrize(
    ("caller", "status"),
    [
        (Caller(), 401),
        (Caller("monitor", audience="https://monitor.azure.com", rights=may_send), 401),
        (Caller("monitor", audience=AUDIENCE, rights=lambda *_: False), 403),
    ],
)
async def test_who_may_not(serve: Serve, caller: Caller, status: int) -> None:
    topic = AlertTopic(TOPIC)
    async with serve(topic, caller) as session:
        assert await publish(session, [EVENT]) == status
    assert topic.published == []


async def test_what_is_refused(serve: Serve) -> None:
    topic = AlertTopic(TOPIC)
    async with serve(topic, MONITOR) as session:
        assert await publish(session, [EVENT], "application/json") == 415
        assert await publish(session, [EVENT], url="/elsewhere") == 404
        assert await publish(session, EVENT) == 400
        assert await publish(session, b"[{") == 400
        assert await publish(session, b"[" * 100_000) == 400
        assert await publish(session, [{**EVENT, "data": "x" * 1024 * 1024}]) == 413
        assert await publish(session, [EVENT, {**EVENT, "source": ""}]) == 400
        async with session.get(URL) as response:
            assert response.status == 405
    assert topic.published == [], "a batch is taken whole or not at all"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"id": None}, "id"),
        ({"source": 7}, "source"),
        ({"type": ""}, "type"),
        ({"subject": ""}, "subject"),
        ({"time": "2026-11-23"}, "time"),
        ({"time": 5}, "time"),
        ({"FindingId": "x"}, "'FindingId'"),
        ({"data_base64": "eA=="}, "exclude"),
    ],
)
def test_an_event_that_is_no_cloud_event(change: dict[str, Any], says: str) -> None:
    assert problem(EVENT) is None
    assert says in str(problem({**EVENT, **change}))


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*EVENT, "data_base64", "Odd name"]), inner, max_size=6)
        ),
        max_leaves=8,
    )
)
def test_anything_is_judged(event: object) -> None:
    verdict = problem(event)
    assert verdict is None or verdict


def test_hosts() -> None:
    topic = AlertTopic(TOPIC)
    assert topic.owns("anything.eastus-1.eventgrid.azure.net")
    assert not topic.owns("eventgrid.azure.net")


async def test_the_monitor_of_a_world_may_publish_to_its_topic(serve: Serve) -> None:
    world = World({"monitorstate": ("one", "two")})
    topic = AlertTopic.for_world(world)
    assert topic.owns(world.topic_host)
    assert not topic.owns("other.eastus-1.eventgrid.azure.net")
    rights = world.access.allows
    async with serve(topic, Caller(world.monitor.id, audience=AUDIENCE, rights=rights)) as session:
        assert await publish(session, [EVENT]) == 200
    async with serve(topic, Caller(world.operator.id, audience=AUDIENCE, rights=rights)) as session:
        assert await publish(session, [EVENT]) == 403
