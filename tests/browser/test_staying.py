"""A reader stays where they are: focus, scrolling, menus and filters outlive a drawing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from playwright.async_api import Page

from acrtm.view.server import Server
from embedded import EmbeddedStore
from shared.evidence.lookups import utc_now
from tests.browser.conftest import Opened, Serve, drawn, open_queries

FOCUSED: Final = "() => document.activeElement.dataset.focus ?? document.activeElement.tagName"


def findings(first: int, last: int) -> list[dict[str, Any]]:
    now = utc_now().isoformat()
    common = {"TimeGenerated": now, "RuleId": "ACRT301", "State": "Open", "Severity": "High", "SeverityRank": 3}
    return [
        {
            **common,
            "FindingId": f"{n:04}",
            "FindingKey": f"{n:04}",
            "Summary": f"Number {n}.",
            "RegistryName": f"r{n % 3}",
        }
        for n in range(first, last)
    ]


def opened_list(page: Page) -> Any:
    return page.locator("section[data-name='open findings']")


async def test_the_row_that_was_chosen_keeps_focus_and_place(opened: Opened, serve: Serve, tmp_path: Path) -> None:
    store = EmbeddedStore.open(tmp_path / "findings.duckdb")
    store.append(findings(0, 60))
    server = await serve(store)
    page = await opened(server.address)
    row = opened_list(page).locator("tr.choosable").nth(40)
    await row.press("Enter")
    await page.locator("tr[aria-selected=true]").wait_for()
    scroller = opened_list(page).locator(".scroller")
    place = await scroller.evaluate("(one) => one.scrollTop")
    assert place > 0
    chosen = await page.evaluate(FOCUSED)
    assert "0040" in chosen
    # Findings come: the list is drawn anew, and nothing moves.
    store.append(findings(60, 62))
    await opened_list(page).locator("tr", has_text="Number 61.").wait_for()
    assert await page.evaluate(FOCUSED) == chosen
    assert await scroller.evaluate("(one) => one.scrollTop") == place


async def test_words_in_the_filter_stay_while_findings_come(opened: Opened, serve: Serve, tmp_path: Path) -> None:
    store = EmbeddedStore.open(tmp_path / "findings.duckdb")
    store.append(findings(0, 3))
    server = await serve(store)
    page = await opened(server.address)
    box = opened_list(page).get_by_role("searchbox")
    await box.press_sequentially("Numer")
    for _ in range(2):
        await box.press("ArrowLeft")
    store.append(findings(3, 5))
    await opened_list(page).get_by_text("0 of 5 rows").wait_for()
    await page.keyboard.type("b")
    assert await box.input_value() == "Number"
    assert await opened_list(page).locator("tr.choosable").count() == 5


async def test_tabs_are_one_stop_and_arrows_go_along(opened: Opened, served: Server) -> None:
    page = await opened(served.address)
    tabs = page.get_by_role("tab")
    assert [await one.get_attribute("tabindex") for one in await tabs.all()] == ["0", "-1", "-1", "-1", "-1"]
    await tabs.first.focus()
    for key, at in (("ArrowRight", 1), ("ArrowLeft", 0), ("ArrowLeft", 4), ("Home", 0), ("End", 4)):
        await page.keyboard.press(key)
        label = await tabs.nth(at).inner_text()
        await page.locator(f"[role=tab][aria-selected=true]:has-text('{label}')").wait_for()
        await drawn(page)
        assert await page.evaluate("() => document.activeElement.textContent") == label


async def test_several_choices_are_made_in_one_menu(opened: Opened, serve: Serve, tmp_path: Path) -> None:
    store = EmbeddedStore.open(tmp_path / "findings.duckdb")
    store.append(findings(0, 9))
    server = await serve(store)
    page = await opened(server.address)
    menu = page.locator(".parameter", has_text="Registry")
    await menu.locator("summary").press("Enter")
    for name, shown in (("r0", "r0"), ("r2", "r0, r2")):
        await menu.get_by_role("checkbox", name=name).press("Space")
        await menu.locator("summary", has_text=shown).wait_for()
        await drawn(page)
        assert await page.evaluate(FOCUSED) == f"Registry {name}"
    await page.keyboard.press("Escape")
    assert await menu.locator("details[open]").count() == 0
    assert await page.evaluate("() => document.activeElement.tagName") == "SUMMARY"


async def test_a_time_range_that_ends_before_it_starts_is_not_asked(opened: Opened, served: Server) -> None:
    page = await opened(served.address)
    times = page.locator(".times")
    await times.locator("summary").click()
    for label, moment in (("From", "2026-02-02T00:00"), ("To", "2026-01-01T00:00")):
        await times.get_by_label(label).fill(moment)
    await times.get_by_role("button", name="Show").click()
    assert "after the first" in await times.get_by_label("To").evaluate("(one) => one.validationMessage")
    assert "could not be read" not in await page.locator("#state").inner_text()


async def test_the_page_goes_on_when_the_store_can_be_read_again(opened: Opened, serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "findings.duckdb"
    store = EmbeddedStore.open(path)
    store.append(findings(0, 1))
    server = await serve(store)
    page = await opened(server.address, refused="api/draw")
    kept = path.read_bytes()
    path.write_bytes(b"this is no database")
    await page.get_by_text("could not be read").wait_for(timeout=10_000)
    path.write_bytes(kept)
    await page.get_by_text("Newest finding").wait_for(timeout=10_000)


async def test_a_chart_that_is_gone_is_let_go(opened: Opened, served: Server) -> None:
    page = await opened(served.address)
    await page.locator("section.chart canvas").first.wait_for()
    await page.evaluate("() => { window.gone = document.querySelector('.plot'); }")
    assert await page.evaluate("() => Boolean(echarts.getInstanceByDom(window.gone))")
    await page.get_by_role("tab", name="Credentials").click()
    await page.wait_for_function("() => !echarts.getInstanceByDom(window.gone)")


async def test_another_query_is_not_sorted_as_the_one_before(opened: Opened, served: Server) -> None:
    page = await opened(served.address)
    await open_queries(page)

    async def asked(kql: str, column: str) -> list[str]:
        await page.evaluate("(kql) => document.querySelector('.CodeMirror').CodeMirror.setValue(kql)", kql)
        await page.get_by_role("button", name="Run", exact=True).click()
        cells = page.locator(f".result td[data-label={column}]")
        await cells.first.wait_for()
        return await cells.all_inner_texts()

    await asked("range One from 1 to 3 step 1 | sort by One asc", "One")
    await page.locator(".result").get_by_role("searchbox").fill("2")
    await page.locator(".result th button").click()
    assert await asked("range Two from 1 to 3 step 1 | sort by Two desc", "Two") == ["3", "2", "1"]
    # Of very many rows the first are drawn, and the page says so.
    assert len(await asked("range Three from 1 to 1500 step 1", "Three")) == 1000
    assert "1500 rows, the first 1000 are shown" in await page.locator(".result").inner_text()
