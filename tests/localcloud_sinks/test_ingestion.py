"""The Logs Ingestion fake refuses what the service refuses, and tells what the service keeps to itself."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import AioHttpTransport
from azure.monitor.ingestion.aio import LogsIngestionClient

from embedded import EmbeddedStore, StoreBusyError
from embedded.columns import findings_table
from localcloud.ingestion import PUBLISH_ROWS, DataCollectionRule, LogsIngestion
from localcloud.service import Caller
from localcloud.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from aiohttp import ClientSession
    from azure.core.pipeline.transport import HttpRequest

    from tests.localcloud_sinks.conftest import Serve

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
RULE = DataCollectionRule("dcr-1", "/subscriptions/s/dcr/findings")
STREAM = findings_table().stream
URL = f"/dataCollectionRules/dcr-1/streams/{STREAM}?api-version=2023-01-01"
AUDIENCE = "https://monitor.azure.com"


def may_publish(_principal: str, action: str, scope: str, data: bool) -> bool:
    return (action, scope, data) == (PUBLISH_ROWS, RULE.resource_id, True)


MONITOR = Caller("monitor", audience=AUDIENCE, rights=may_publish)


def ingestion(**options: Any) -> LogsIngestion:
    return LogsIngestion(RULE, clock=lambda: NOW, **options)


def row(**columns: Any) -> dict[str, Any]:
    return {"TimeGenerated": NOW.isoformat(), "RuleId": "ACRT301", **columns}


async def upload(
    session: ClientSession, body: object, *, url: str = URL, headers: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Status and error code of an upload; `body` is sent as it is if it is bytes."""
    data = body if isinstance(body, bytes) else gzip.compress(json.dumps(body).encode())
    sent = {"Content-Type": "application/json", "Content-Encoding": "gzip", **(headers or {})}
    async with session.post(url, data=io.BytesIO(data), headers=sent) as response:
        if response.status == 204:
            return 204, ""
        return response.status, (await response.json())["error"]["code"]


async def test_rows_are_taken_and_can_be_asked_for_when_the_answer_is_there(serve: Serve, tmp_path: Path) -> None:
    store = EmbeddedStore.open(tmp_path / "f.duckdb")
    service = ingestion(store=store)
    async with serve(service, MONITOR) as session:
        assert await upload(session, [row(Evidence={"a": 1}), row(RuleId="ACRT302")]) == (204, "")
        assert store.count() == 2
        assert await upload(session, []) == (204, "")
    assert service.rows == [row(Evidence={"a": 1}), row(RuleId="ACRT302")]
    assert (service.dropped_columns, service.type_errors, service.cut_columns, service.replaced_times) == (
        set(), [], [], [],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("caller", "refusal"),
    [
        pytest.param(Caller(), (401, "AuthenticationFailed"), id="anonymous"),
        pytest.param(
            Caller("monitor", audience="https://management.azure.com", rights=may_publish),
            (403, "AuthorizationFailed"), id="audience",
        ),
        pytest.param(
            Caller("monitor", audience=AUDIENCE, rights=lambda *_: False), (403, "OperationFailed"), id="role"
        ),
    ],
)  # fmt: skip
async def test_who_may_not(serve: Serve, caller: Caller, refusal: tuple[int, str]) -> None:
    service = ingestion()
    async with serve(service, caller) as session:
        assert await upload(session, [row()]) == refusal
    assert service.rows == []


@pytest.mark.parametrize(
    ("url", "refusal"),
    [
        (URL.replace("dcr-1", "dcr-2"), (404, "NotFound")),
        (URL.replace(STREAM, "Custom-Other_CL"), (404, "InvalidStream")),
        (URL.replace("2023-01-01", "2020-01-01"), (400, "InvalidApiVersion")),
        ("/elsewhere", (404, "NotFound")),
    ],
)
async def test_where_nothing_is(serve: Serve, url: str, refusal: tuple[int, str]) -> None:
    async with serve(ingestion(), MONITOR) as session:
        assert await upload(session, [row()], url=url) == refusal


@pytest.mark.parametrize(
    ("body", "headers", "refusal"),
    [
        pytest.param({"RuleId": "x"}, {}, (400, "InvalidRequest"), id="object"),
        pytest.param([1], {}, (400, "InvalidRequest"), id="numbers"),
        pytest.param(gzip.compress(b"[{"), {}, (400, "InvalidRequest"), id="half"),
        pytest.param(gzip.compress(b'[{"DaysToExpiry": NaN}]'), {}, (400, "InvalidRequest"), id="nan"),
        pytest.param(gzip.compress(b"[" * 100_000), {}, (400, "InvalidRequest"), id="deep"),
        pytest.param(b"[]", {"Content-Encoding": "br2"}, (415, "UnsupportedMediaType"), id="encoding"),
        pytest.param(
            gzip.compress(b"[" + b" " * 1024 * 1024 + b"]"), {}, (413, "ContentLengthLimitExceeded"), id="unpacked"
        ),
        pytest.param(
            b"[" + b" " * 1024 * 1024 + b"]", {"Content-Encoding": "identity"},
            (413, "ContentLengthLimitExceeded"), id="plain",
        ),
    ],
)  # fmt: skip
async def test_bodies_that_are_refused(
    serve: Serve, body: object, headers: Mapping[str, str], refusal: tuple[int, str]
) -> None:
    service = ingestion()
    async with serve(service, MONITOR) as session:
        assert await upload(session, body, headers=headers) == refusal
    assert service.rows == []


async def test_a_body_is_taken_plain_or_unpacked_by_the_server_in_front(serve: Serve) -> None:
    service = ingestion()
    plain = json.dumps([row()]).encode()
    async with serve(service, MONITOR) as session:
        assert await upload(session, plain, headers={"Content-Encoding": "identity"}) == (204, "")
    async with serve(service, MONITOR, auto_decompress=True) as session:
        assert await upload(session, [row()]) == (204, "")
    assert len(service.rows) == 2


async def test_what_the_service_changes_without_a_word_is_remembered(serve: Serve) -> None:
    service = ingestion()
    bad = row(Nope=1, SeverityRank="3", ExpiresOn="soon", Summary="\u00e9" * 40_000, Evidence={"x": "y" * 70_000})
    async with serve(service, MONITOR) as session:
        assert await upload(session, [bad]) == (204, "")
    [stored] = service.rows
    assert "Nope" not in stored
    assert (stored["SeverityRank"], stored["ExpiresOn"]) == (None, None)
    assert len(stored["Summary"].encode()) == 64 * 1024
    assert service.dropped_columns == {"Nope"}
    assert [error.partition(":")[0] for error in service.type_errors] == ["SeverityRank", "ExpiresOn"]
    assert service.cut_columns == ["Summary", "Evidence"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (NOW - timedelta(days=2), True),
        (NOW - timedelta(days=2, seconds=1), False),
        (NOW + timedelta(days=1), True),
        (NOW + timedelta(days=1, seconds=1), False),
    ],
)
async def test_times_that_are_too_old_give_way_to_the_time_of_receipt(
    serve: Serve, given: datetime, kept: bool
) -> None:  # fmt: skip
    service = ingestion()
    async with serve(service, MONITOR) as session:
        await upload(session, [row(TimeGenerated=given.isoformat()), {"RuleId": "ACRT301"}])
    received = "2026-11-23T12:00:00.000000Z"
    assert service.rows[0]["TimeGenerated"] == (given.isoformat() if kept else received)
    assert service.rows[1]["TimeGenerated"] == received
    assert service.replaced_times == ([] if kept else [given.isoformat()])


async def test_only_the_newest_rows_are_kept_if_asked(serve: Serve) -> None:
    service = ingestion(keep=3)
    async with serve(service, MONITOR) as session:
        for number in range(3):
            await upload(session, [row(SeverityRank=number)] * 2)
    assert [stored["SeverityRank"] for stored in service.rows] == [1, 2, 2]


class CountingStore(EmbeddedStore):
    """A store that counts its writes, and fails as often as it is told to."""

    writes = 0
    failures = 0

    def append(self, rows: Sequence[Mapping[str, object]]) -> int:
        self.writes += 1
        if self.failures:
            self.failures -= 1
            raise StoreBusyError("in use")
        return super().append(rows)


async def test_uploads_at_the_same_time_share_a_write(serve: Serve, tmp_path: Path) -> None:
    store = CountingStore.open(tmp_path / "f.duckdb")
    async with serve(ingestion(store=store), MONITOR) as session:
        answers = await asyncio.gather(*(upload(session, [row(SeverityRank=n)]) for n in range(30)))
    assert set(answers) == {(204, "")}
    assert store.count() == 30
    assert store.writes < 30


async def test_a_store_that_fails_is_no_success_and_loses_nothing(serve: Serve, tmp_path: Path) -> None:
    store = CountingStore.open(tmp_path / "f.duckdb")
    store.failures = 1
    async with serve(ingestion(store=store), MONITOR) as session:
        assert await upload(session, [row(SeverityRank=1)]) == (503, "ServiceUnavailable")
        assert await upload(session, [row(SeverityRank=2)]) == (204, "")
    assert store.count() == 2, "the first row goes along with the second one"


def test_hosts() -> None:
    service = ingestion()
    assert service.owns("anything.eastus-1.ingest.monitor.azure.com")
    assert not service.owns("monitor.azure.com")
    assert not service.owns("ingest.monitor.azure.com.example")


async def test_the_monitor_of_a_world_may_upload_to_its_rule(serve: Serve) -> None:
    world = World({"monitorstate": ("one", "two")})
    service = LogsIngestion.for_world(world, keep=10)
    assert service.owns(world.ingestion_host)
    assert not service.owns("other.eastus-1.ingest.monitor.azure.com")
    url = URL.replace("dcr-1", world.dcr_immutable_id)
    rights = world.access.allows
    async with serve(service, Caller(world.monitor.id, audience=AUDIENCE, rights=rights)) as session:
        assert await upload(session, [row()], url=url) == (204, "")
    async with serve(service, Caller(world.operator.id, audience=AUDIENCE, rights=rights)) as session:
        assert await upload(session, [row()], url=url) == (403, "OperationFailed")


class _Loopback(AioHttpTransport):  # type: ignore[misc]  # no types in the package
    """Sends what is meant for the service to the server on loopback."""

    def __init__(self, session: ClientSession) -> None:
        super().__init__(session=session, session_owner=False)
        self._base = str(session._base_url).rstrip("/")
        session._base_url = None

    async def send(self, request: HttpRequest, **options: Any) -> Any:
        request.url = request.url.replace("https://dce.ingest.monitor.azure.com", self._base)
        return await super().send(request, **options)


class _Credential:
    async def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken("token", int(NOW.timestamp()) + 10**9)

    async def close(self) -> None: ...

    async def __aenter__(self) -> _Credential:
        return self

    async def __aexit__(self, *_: object) -> None: ...


async def test_microsofts_own_client_is_understood(serve: Serve) -> None:
    service = ingestion()
    async with (
        serve(service, MONITOR) as session,
        LogsIngestionClient(
            "https://dce.ingest.monitor.azure.com", _Credential(), transport=_Loopback(session)
        ) as client,
    ):
        await client.upload("dcr-1", STREAM, [row(SeverityRank=number) for number in range(500)])
    assert [stored["SeverityRank"] for stored in service.rows] == list(range(500))
