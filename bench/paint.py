"""How long the local page takes until ten thousand findings stand on it, beside the bare queries of the same run."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from playwright.async_api import async_playwright

from acrtm.view import files
from acrtm.view.drawing import Drawing
from acrtm.view.server import Server
from embedded import EmbeddedStore
from shared.evidence.lookups import utc_now
from shared.rules.catalogue import CATALOGUE
from tests.browser.chromium import chromium

FINDINGS: Final = 10_000
WANTED_SECONDS: Final = 1.5
_PIPELINES: Final = 40
_TIMES: Final = 5


@dataclass(frozen=True, slots=True)
class Paint:
    """The median of several visits, in seconds: until it is painted, and the parts that are the store's and the page's.

    ``bare`` are the page's queries asked directly, without server and page.
    """

    first: float
    queries: float
    page: float
    bare: float


def findings(now: datetime) -> Iterator[dict[str, Any]]:
    """Ten thousand rows over two weeks: runs of forty pipelines, and what was found in them, a third of it open."""
    rules = [rule for rule in CATALOGUE.values() if rule.severity > 0]
    for number in range(FINDINGS):
        rule = rules[number % len(rules)]
        pipeline, moment = f"pipe{number % _PIPELINES}", (now - timedelta(seconds=number * 120)).isoformat()
        yield {
            "TimeGenerated": moment, "FindingId": f"id{number}", "FindingKey": f"key{number % (FINDINGS // 3)}",
            "RuleId": rule.id, "RuleName": rule.name, "Area": str(rule.area), "Severity": rule.severity.label,
            "SeverityRank": int(rule.severity), "Outcome": "Fail", "State": ("Open", "Resolved", "Info")[number % 3],
            "Role": "RootCause" if number % 2 else "Observation", "Confidence": "Confirmed", "Direction": "Export",
            "RegistryName": f"registry{number % 8}", "PipelineName": pipeline, "PipelineId": f"/pipelines/{pipeline}",
            "RunId": f"/runs/{number}", "RunName": f"run{number}", "RunStartTime": moment, "RunFinishTime": moment,
            "Summary": f"Something is wrong with run {number} of pipeline {pipeline}, and this sentence says what.",
            "Recommendation": "Do this.", "FixCommand": f"az acr pipeline-run create --name run{number}",
            "Evidence": {"number": number, "passed": ["ACRT201", "ACRT301"]},
        }  # fmt: skip


async def measure() -> Paint | None:
    """``None`` where no browser is installed."""
    path = chromium()
    if not path:
        return None
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedStore.open(Path(folder) / "findings.duckdb")
        store.append(list(findings(utc_now())))
        server = Server(store, files.workbook())
        await server.start()
        await server.warm_up()
        try:
            visits = [await _visit(path, server.address) for _ in range(_TIMES)]
        finally:
            await server.close()
        visits.sort(key=lambda visit: visit["first"])
        middle = visits[_TIMES // 2]
        return Paint(middle["first"], middle["queries"], middle["page"], _bare(store))


async def _visit(path: str, address: str) -> dict[str, float]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = await browser.new_page()
        await page.goto(address)
        await page.locator("#workbook[aria-busy=false] > .item").first.wait_for()
        first = None
        while first is None:
            first = await page.evaluate("() => View.firstPaint ?? null")
        parts = await page.evaluate("() => View.drawing")
        await browser.close()
    return {"first": first / 1000, "queries": parts["queries"] / 1000, "page": parts["page"] / 1000}


def _bare(store: EmbeddedStore) -> float:
    with store.reading() as reader:
        now = utc_now()
        asked: list[tuple[Any, ...]] = []

        class Noting:
            """Notes what a drawing asks."""

            def query(self, kql: str, now: datetime | None = None, *, between: Any = None) -> Any:
                asked.append((kql, now, between))
                return reader.query(kql, now, between=between)

            def newest(self) -> datetime | None:
                return reader.newest()

        Drawing(files.workbook(), Noting(), now).draw({})
        began = time.perf_counter()
        for kql, moment, between in asked:
            reader.query(kql, moment, between=between)
        return time.perf_counter() - began
