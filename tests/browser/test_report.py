"""A report: the page in one file, without any network."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page

from acrtm.view import files
from acrtm.view.report import report
from embedded import EmbeddedStore
from tests.browser.conftest import Opened, choose_tab, written


@pytest.fixture(scope="session")
def frozen(shown: EmbeddedStore) -> str:
    # The first rows of each list only: the same five questions about every row take half a minute of computing.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("acrtm.view.report.MOST_ROWS", 2)
        return report(files.workbook(), shown)


async def at_report(opened: Opened, frozen: str, tmp_path: Path) -> Page:
    page = await opened(written(tmp_path / "report.html", frozen))
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    return page


async def test_tabs_rows_and_details_are_in_the_file(opened: Opened, frozen: str, tmp_path: Path) -> None:
    page = await at_report(opened, frozen, tmp_path)
    await page.context.set_offline(True)
    for label in await page.get_by_role("tab").all_inner_texts():
        await choose_tab(page, label)
        assert await page.locator("section.item").count() > 1
        rows = page.locator("tr.choosable")
        if await rows.count():
            before = await page.locator("section.item").count()
            await rows.first.press("Enter")
            await page.locator("tr[aria-selected=true]").first.wait_for()
            assert await page.locator("section.item").count() > before


async def test_it_shows_what_the_live_page_shows(
    opened: Opened, frozen: str, tmp_path: Path, shown: EmbeddedStore
) -> None:
    page = await at_report(opened, frozen, tmp_path)
    rules = await page.locator("section.grid").first.locator("td[data-label=Rule]").all_inner_texts()
    open_ = "AcrTransferFindings_CL | summarize arg_max(TimeGenerated, *) by FindingKey | where State == 'Open'"
    known = {row["RuleId"] for row in shown.query(open_).dicts()}
    assert rules
    assert set(rules) <= known
    assert await page.locator("section.chart canvas").count() > 0


def test_nothing_in_it_is_loaded_from_elsewhere(frozen: str) -> None:
    assert "default-src 'none'" in frozen
    for attribute in ('src="', "src='", 'href="http'):
        assert attribute not in frozen.partition('<script type="application/json"')[0].rpartition("<script>")[0]
