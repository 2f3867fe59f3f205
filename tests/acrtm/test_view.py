"""The page's server: who may ask, what it answers, and what it makes of nonsense."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acrtm.main import main
from acrtm.view import files, limits
from acrtm.view.asking import BadRequest, chosen_in, query_in
from acrtm.view.cells import cell
from acrtm.view.drawing import Drawing
from acrtm.view.guard import own_hosts
from acrtm.view.report import report, state_key
from acrtm.view.server import HOST, Server
from embedded import EmbeddedStore
from embedded.workbook import TimeRange, read_workbook

JSON_TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    running = Server(EmbeddedStore.open(tmp_path / "findings.duckdb"), files.workbook())
    await running.start()
    yield running
    await running.close()


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_it_listens_on_loopback_only(server: Server) -> None:
    assert server.address.startswith(f"http://{HOST}:")
    assert HOST == "127.0.0.1"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:{port}", ""])
async def test_a_foreign_host_is_refused(server: Server, browser: aiohttp.ClientSession, host: str) -> None:
    headers = {"Host": host.format(port=server.port)}
    async with browser.get(server.address, headers=headers) as answer:
        assert answer.status == 403
        assert "<" not in await answer.text()
    async with browser.post(f"{server.address}api/query", json={"kql": "print 1"}, headers=headers) as answer:
        assert answer.status == 403


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}"])
async def test_its_own_names_are_taken(server: Server, browser: aiohttp.ClientSession, host: str) -> None:
    async with browser.get(server.address, headers={"Host": host.format(port=server.port)}) as answer:
        assert answer.status == 200


def test_the_port_of_http_needs_no_naming() -> None:
    assert "127.0.0.1" in own_hosts(80)
    assert "127.0.0.1" not in own_hosts(8080)


@pytest.mark.parametrize(
    ("site", "mode", "destination", "status"),
    [
        ("cross-site", "no-cors", "script", 403),
        ("same-site", "cors", "empty", 403),
        ("cross-site", "navigate", "iframe", 403),
        ("cross-site", "navigate", "document", 200),
        ("same-origin", "cors", "empty", 200),
        ("none", "navigate", "document", 200),
    ],
)
async def test_pages_of_other_origins_keep_nobody_busy(
    server: Server, browser: aiohttp.ClientSession, site: str, mode: str, destination: str, status: int
) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": destination}
    async with browser.get(f"{server.address}libraries/echarts.js", headers=headers) as answer:
        assert answer.status == status


async def test_the_policy_allows_nothing_from_elsewhere(server: Server, browser: aiohttp.ClientSession) -> None:
    for path in ("", "page/live.js", "libraries/echarts.js", "api/schema", "nothing", "page/nothing"):
        async with browser.get(server.address + path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "http" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["page/..%2fserver.py", "page/%2e%2e/server.py", "libraries/..%2fpackage.json", "page/", "libraries/x", "x"]
)
async def test_only_its_own_files_are_served(server: Server, browser: aiohttp.ClientSession, path: str) -> None:
    async with browser.get(server.address + path) as answer:
        assert answer.status == 404


async def test_a_form_of_a_foreign_page_is_refused(server: Server, browser: aiohttp.ClientSession) -> None:
    async with browser.post(f"{server.address}api/query", data={"kql": "print 1"}) as answer:
        assert answer.status == 415
    async with browser.post(f"{server.address}api/query", data=b"{}", headers={"Content-Type": "text/plain"}) as answer:
        assert answer.status == 415


async def test_a_query_is_answered(server: Server, browser: aiohttp.ClientSession) -> None:
    async with browser.post(f"{server.address}api/query", json={"kql": "print One = 1, Two = 'x'"}) as answer:
        assert await answer.json() == {
            "columns": [{"name": "One", "type": "long"}, {"name": "Two", "type": "string"}],
            "rows": [[1, "x"]],
            "left": 0,
        }


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("query", "{"),
        ("query", "[]"),
        ("query", "[" * 200_000),
        ("query", "1" * 5_000),
        ("query", "\udcff"),
        ("query", '{"kql": 7}'),
        ("query", '{"kql": "Nothing | take 1"}'),
        ("query", '{"kql": ".drop table x"}'),
        ("draw", "null"),
        ("draw", '{"chosen": []}'),
        ("draw", '{"chosen": {"TimeRange": {"milliseconds": -1}}}'),
        ("draw", '{"chosen": {"TimeRange": {"first": "x", "last": "y"}}}'),
        ("draw", '{"chosen": {"Registry": [1]}}'),
    ],
)
async def test_nonsense_gets_an_error_in_words(
    server: Server, browser: aiohttp.ClientSession, path: str, body: str
) -> None:
    headers = {"Content-Type": "application/json"}
    sent = body.encode("utf-8", "surrogateescape")
    async with browser.post(f"{server.address}api/{path}", data=sent, headers=headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]


async def test_a_query_that_does_not_end_is_ended_with_the_server(
    server: Server, browser: aiohttp.ClientSession
) -> None:
    # Each with each of many: what the embedded store has to go through, and not only to refuse.
    many = "range {0} from 1 to 300000 step 1 | extend Key = 1"
    pairs = f"{many.format('One')} | join kind=inner ({many.format('Two')}) on Key | where One * Two == 7"
    endless = {"kql": f"{pairs} | summarize count()"}
    asked = asyncio.create_task(browser.post(f"{server.address}api/query", json=endless))
    while server.queries == 0:
        assert not asked.done(), f"it has ended by itself: {await (await asked).text()}"
        await asyncio.sleep(0.01)
    await server.close()
    with contextlib.suppress(aiohttp.ClientError):
        assert (await asked).status == 400
    # Whoever writes has the file again.
    assert server.store.append([{"TimeGenerated": datetime.now(UTC).isoformat(), "FindingId": "1"}]) == 1


async def test_a_store_that_is_no_database_is_told(tmp_path: Path, browser: aiohttp.ClientSession) -> None:
    path = tmp_path / "findings.duckdb"
    running = Server(EmbeddedStore.open(path), files.workbook())
    await running.start()
    path.write_bytes(b"this is no database")
    async with browser.post(f"{running.address}api/draw", json={"chosen": {}}) as answer:
        assert answer.status == 503
        assert "findings.duckdb" in (await answer.json())["error"]
    await running.close()


async def test_the_version_changes_with_the_store(server: Server, browser: aiohttp.ClientSession) -> None:
    async def version() -> Any:
        async with browser.get(f"{server.address}api/version") as answer:
            return (await answer.json())["version"]

    before = await version()
    assert await version() == before
    server.store.append([{"TimeGenerated": datetime.now(UTC).isoformat(), "FindingId": "1"}])
    assert await version() != before


@given(JSON_TREES)
def test_choices_are_read_or_refused(body: object) -> None:
    for given_body in (body, {"chosen": body}, {"chosen": {"TimeRange": body}}):
        with contextlib.suppress(BadRequest):
            assert all(isinstance(value, str | list | TimeRange) for value in chosen_in(given_body).values())


@given(JSON_TREES)
def test_a_query_is_read_or_refused(body: object) -> None:
    for given_body in (body, {"kql": body}):
        with contextlib.suppress(BadRequest):
            assert isinstance(query_in(given_body), str)


@given(JSON_TREES | st.datetimes(timezones=st.just(UTC)) | st.timedeltas())
def test_a_cell_is_json(value: Any) -> None:
    text = json.dumps(cell(value), allow_nan=False)
    assert "\x1b" not in json.loads(text) if isinstance(json.loads(text), str) else True


def test_what_the_model_does_not_know_is_named() -> None:
    unknown = {"type": 99, "name": "strange", "content": {}}
    text = {"type": 1, "name": "words", "content": {"json": "Hello **you** <b>there</b>", "newThing": 1}}
    workbook = read_workbook(json.dumps({"version": "Notebook/1.0", "items": [unknown, text]}))
    with EmbeddedStore.open(":memory:").reading() as reader:
        drawn = Drawing(workbook, reader, datetime.now(UTC)).draw({})
    assert {one["name"] for one in drawn["notDrawn"]} == {"strange", "words"}
    [kind, words] = drawn["items"]
    assert kind["kind"] == "unknown"
    assert "<strong>you</strong>" in words["html"]
    assert "<b>" not in words["html"]


def test_what_is_drawn_otherwise_than_in_the_portal_is_named() -> None:
    def query(name: str, **content: Any) -> dict[str, Any]:
        return {"type": 3, "name": name, "content": {"version": "KqlItem/1.0", "query": "print A = 1", **content}}

    threshold = {"operator": "matches", "thresholdValue": "1", "representation": "rainbow", "text": ""}
    columns = [
        {"columnMatch": "A", "formatter": 8},
        {"columnMatch": "B", "formatter": 18, "formatOptions": {"thresholdsGrid": [threshold]}},
        {"columnMatch": "C", "formatter": 1, "formatOptions": {"linkTarget": "OpenBlade"}},
    ]
    colours = [{"seriesName": "A", "color": "mauve"}, {"seriesName": "B", "color": "redDark"}]
    items = [
        query("grid", visualization="table", gridSettings={"formatters": columns}, showExportToExcel=True),
        query("chart", visualization="categoricalbar", chartSettings={"seriesLabelSettings": colours}),
        query("card", visualization="card", textSettings={"style": "markdown"}),
    ]
    workbook = read_workbook(json.dumps({"version": "Notebook/1.0", "items": items}))
    with EmbeddedStore.open(":memory:").reading() as reader:
        named = {one["name"]: one["why"] for one in Drawing(workbook, reader, datetime.now(UTC)).draw({})["notDrawn"]}
    assert set(named) == {"grid", "chart", "card", "Export to Excel"}
    for words in ("heat map", "comparison matches", "picture rainbow", "link OpenBlade"):
        assert words in named["grid"]
    assert "mauve" in named["chart"]
    assert "redDark" not in named["chart"]
    assert "categoricalbar" in named["chart"]


def test_what_is_said_to_be_drawn_stands_in_the_scripts() -> None:
    text, chart = files.page_file("text.js"), files.page_file("chart.js")
    for name in limits.PICTURES:
        assert re.search(rf"\b{name}: ", text), name
    for name in limits.COLOURS:
        assert len(re.findall(rf"\b{name}: \"#", chart)) == 2, name
    for name in limits.CHARTS:
        assert f"{name}: " in chart
    for name in limits.OPERATORS:
        assert re.search(rf"^  \"?{re.escape(name)}\"?: ", text, re.MULTILINE), name


def test_the_workbook_asks_for_nothing_that_the_page_draws_otherwise() -> None:
    assert {item.name: found for item, _ in files.workbook().walk() if (found := list(limits.limits(item)))} == {}


@pytest.mark.parametrize(
    ("kql", "first", "last", "width"),
    [
        ("print A = 1 | where now() {Time}", "2026-02-01T01:30:00.000000Z", "2026-02-03T01:30:00.000000Z", 0),
        ("print A = bin(now(), {Time:grain})", "2026-02-01T01:00:00.000000Z", "2026-02-03T02:00:00.000000Z", 3_600_000),
    ],
)
def test_a_chart_is_about_the_chosen_time_in_whole_bins(kql: str, first: str, last: str, width: int) -> None:
    times = {"name": "Time", "type": 4, "version": "KqlParameterItem/1.0", "value": {"durationMs": 172_800_000}}
    parameters = {"type": 9, "name": "chosen", "content": {"version": "KqlParameterItem/1.0", "parameters": [times]}}
    chart = {"version": "KqlItem/1.0", "query": kql, "visualization": "timechart"}
    items = [parameters, {"type": 3, "name": "chart", "content": chart}]
    workbook = read_workbook(json.dumps({"version": "Notebook/1.0", "items": items}))
    with EmbeddedStore.open(":memory:").reading() as reader:
        drawn = Drawing(workbook, reader, datetime(2026, 2, 3, 1, 30, tzinfo=UTC)).draw({})["items"][1]
    assert drawn["between"] == {"first": first, "last": last, "bin": width}


def test_one_item_that_can_not_be_asked_leaves_the_others() -> None:
    def query(name: str, kql: str) -> dict[str, Any]:
        return {"type": 3, "name": name, "content": {"version": "KqlItem/1.0", "query": kql, "visualization": "table"}}

    items = [query("bad", "Nothing | take 1"), query("good", "print Fine = 1")]
    workbook = read_workbook(json.dumps({"version": "Notebook/1.0", "items": items}))
    with EmbeddedStore.open(":memory:").reading() as reader:
        bad, good = Drawing(workbook, reader, datetime.now(UTC)).draw({})["items"]
    assert "Nothing" in bad["error"]
    assert good["rows"] == [[1]]


def test_a_report_holds_every_tab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("ACRTM_STORE", str(tmp_path / "findings.duckdb"))
    target = tmp_path / "report.html"
    assert main(["view", "--output", str(target)]) == 0
    text = target.read_text(encoding="utf-8")
    data = json.loads(text.partition('id="findings">')[2].partition("</script>")[0])
    with EmbeddedStore.open().reading() as reader:
        drawn = Drawing(files.workbook(), reader, datetime.now(UTC)).draw({})
    [tabs] = [item for item in drawn["items"] if item["kind"] == "tabs"]
    for link in tabs["links"]:
        assert state_key({link["parameter"]: link["value"]}) in data["states"]
    assert main(["view", "--output", str(tmp_path / "no" / "folder.html")]) == 2
    assert "can't be written" in capsys.readouterr().err


def test_a_report_holds_a_list_once_however_many_of_its_rows_can_be_chosen() -> None:
    store = EmbeddedStore.open(":memory:")
    row = {"RuleId": "ACRT301", "State": "Open", "Severity": "High", "TimeGenerated": datetime.now(UTC).isoformat()}
    store.append([{**row, "FindingId": str(n), "FindingKey": f"k{n}", "Summary": f"Number {n}."} for n in range(6)])
    text = report(files.workbook(), store)
    # In the list, in its details, in their history, and in the last of its cause.
    assert 1 <= text.count("Number 4.") < 6


def test_a_report_says_times_in_words_and_promises_no_tab_that_it_lacks() -> None:
    store = EmbeddedStore.open(":memory:")
    row = {"RuleId": "ACRT301", "State": "Open", "Severity": "High", "FindingId": "1", "FindingKey": "k"}
    store.append([{**row, "TimeGenerated": "2026-11-23T23:47:57.758555Z", "Summary": "It came."}])
    text = report(files.workbook(), store)
    moment = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
    assert re.search(rf"<title>ACR Transfer Monitor: report of {moment}</title>", text)
    assert re.search(rf">Frozen {moment}, newest finding 2026-11-23 23:47:57 UTC<", text)
    assert "here the tab Query" not in text
    assert "newest finding none<" in report(files.workbook(), EmbeddedStore.open(":memory:"))


def test_a_report_of_something_hostile_can_not_end_its_own_script() -> None:
    store = EmbeddedStore.open(":memory:")
    row = {"FindingId": "1", "FindingKey": "k", "RuleId": "ACRT301", "State": "Open", "Severity": "High"}
    moment = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    store.append([{**row, "TimeGenerated": moment, "Summary": "</script><script>alert(1)</script>"}])
    text = report(files.workbook(), store)
    assert "</script><script>alert(1)" not in text
    assert "\\u003c/script>" in text


@pytest.mark.parametrize("options", [["--no-browser"], ["--output", "report.html"]])
def test_without_the_libraries_nothing_is_begun(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(files.LIBRARIES, "echarts.js", tmp_path / "node_modules" / "echarts.min.js")
    assert main(["view", *options]) == 1
    assert "npm ci" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    import socket

    monkeypatch.setenv("ACRTM_STORE", str(tmp_path / "findings.duckdb"))
    with socket.create_server((HOST, 0)) as taken:
        assert main(["view", "--no-browser", "--port", str(taken.getsockname()[1])]) == 1
    assert "can't be listened on" in capsys.readouterr().err
