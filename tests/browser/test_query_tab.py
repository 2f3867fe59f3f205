"""The query tab: completion and marks from Microsoft's language service, results from the embedded store."""

from __future__ import annotations

from playwright.async_api import Page

from acrtm.view import files
from acrtm.view.server import Server
from tests.browser.conftest import Opened, open_queries


async def at_the_editor(opened: Opened, served: Server, refused: str = "") -> Page:
    page = await opened(served.address, refused=refused)
    await open_queries(page)
    await page.locator(".CodeMirror").click()
    await page.keyboard.press("Control+A")
    return page


async def test_completion_knows_the_columns_and_a_mistake_is_marked_where_it_stands(
    opened: Opened, served: Server
) -> None:
    page = await at_the_editor(opened, served)
    await page.keyboard.insert_text("AcrTransferFindings_CL | where ")
    await page.keyboard.type("FixC")
    await page.locator(".CodeMirror-hint", has_text="FixCommand").wait_for()
    await page.keyboard.press("Enter")
    assert "where FixCommand" in await page.locator(".CodeMirror-code").inner_text()
    await page.keyboard.press("Control+A")
    await page.keyboard.insert_text("AcrTransferFindings_CL\n| where Sevrity == 'High'")
    problem = page.locator(".problems li", has_text="Sevrity")
    await problem.first.wait_for()
    assert "Line 2, column 9" in await problem.first.inner_text()
    assert await page.locator(".CodeMirror .wrong").first.inner_text() == "Sevrity"


async def test_a_query_is_answered_a_wrong_one_explained_and_a_shipped_one_clicked(
    opened: Opened, served: Server
) -> None:
    page = await at_the_editor(opened, served, refused="/api/query")
    await page.keyboard.insert_text("AcrTransferFindings_CL | summarize Rows = count() by RuleId | order by RuleId asc")
    await page.keyboard.press("Control+Enter")
    rows = page.locator(".result tbody tr")
    await rows.first.wait_for()
    assert await page.locator(".result th").all_inner_texts() == ["RuleId", "Rows"]
    await page.locator(".CodeMirror").click()
    await page.keyboard.press("Control+A")
    await page.keyboard.insert_text("NoSuchTable | take 1")
    await page.get_by_role("button", name="Run", exact=True).click()
    await page.locator(".result .problem", has_text="NoSuchTable").wait_for()
    await is_shipped(page)


async def test_the_first_query_lists_what_is_open_and_nothing_that_is_resolved(opened: Opened, served: Server) -> None:
    latest = "AcrTransferFindings_CL | summarize arg_max(TimeGenerated, *) by FindingKey"
    assert served.store.query(f"{latest} | where State == 'Resolved'").dicts()
    wanted = served.store.query(f"{latest} | where State == 'Open'").dicts()
    page = await opened(served.address)
    await open_queries(page)
    await page.get_by_role("button", name="Run", exact=True).click()
    rows = page.locator(".result tbody tr")
    await rows.first.wait_for()
    rules = await rows.locator("td[data-label=RuleId]").all_inner_texts()
    assert sorted(rules) == sorted(row["RuleId"] for row in wanted)


async def test_a_wide_result_is_cut_and_scrolls_in_its_place(opened: Opened, served: Server) -> None:
    page = await at_the_editor(opened, served)
    await page.keyboard.insert_text("AcrTransferFindings_CL | order by TimeGenerated asc")
    await page.keyboard.press("Control+Enter")
    result = page.locator(".result")
    text = result.locator(".cut[role=button]").first
    await text.wait_for()
    box = await result.bounding_box()
    assert box is not None
    assert box["height"] < 800
    heights = await result.locator("tbody tr").evaluate_all("(rows) => rows.map((row) => row.clientHeight)")
    assert max(heights) < 160
    whole = await text.inner_text()
    await text.click()
    assert await page.get_by_role("dialog").locator("code").inner_text() == whole
    # Of the workbook's lists nothing is said beside a query.
    assert not await page.locator("#footer").is_visible()
    await page.get_by_role("dialog").get_by_role("button", name="Close").click()
    await page.get_by_role("button", name="Workbook").click()
    assert await page.locator("#footer").is_visible()


async def test_a_short_text_has_the_whole_editor(opened: Opened, served: Server) -> None:
    page = await at_the_editor(opened, served)
    await page.keyboard.insert_text("print 1")
    editor, inside = [await page.locator(f".CodeMirror{part}").bounding_box() for part in ("", "-scroll")]
    assert editor is not None
    assert inside is not None
    # CodeMirror keeps its own scrollbars below the edge, out of sight.
    assert inside["y"] + inside["height"] > editor["y"] + editor["height"] + 40
    assert editor["height"] > 100


async def is_shipped(page: Page) -> None:
    """The shipped queries stand beside the editor, and one that is clicked is answered."""
    names = await page.locator(".shipped button").all_inner_texts()
    assert names == [query.name for query in files.shipped_queries()]
    await page.locator(".shipped button", has_text="open-findings").click()
    await page.locator(".result tbody tr").first.wait_for()
