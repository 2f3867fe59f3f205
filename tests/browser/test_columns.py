"""Columns of a list: sentences get the room that the workbook gives them, and times say all on a pointer's way."""

from __future__ import annotations

from acrtm.view.server import Server
from tests.browser.conftest import Opened, choose_first_row, choose_tab


async def test_sentences_have_room_beside_short_times(opened: Opened, served: Server) -> None:
    page = await opened(served.address)
    grid = page.locator("section[data-name='open findings']")
    table = await grid.locator("table").bounding_box()
    place = await grid.locator(".scroller").bounding_box()
    assert table is not None
    assert place is not None
    assert table["width"] <= place["width"] + 1
    widths = {}
    for label in ("What happened", "What to do", "Since (UTC)", "Registry"):
        box = await grid.locator(f"td[data-label='{label}']").first.bounding_box()
        assert box is not None
        widths[label] = box["width"]
    assert min(widths["What happened"], widths["What to do"]) > 1.5 * max(widths["Since (UTC)"], widths["Registry"])


async def test_a_time_is_short_in_its_cell_and_whole_in_its_title(opened: Opened, served: Server) -> None:
    page = await opened(served.address)
    time = page.locator("section[data-name='open findings'] td[data-label='Since (UTC)'] time").first
    whole = await time.get_attribute("title")
    assert whole is not None
    assert whole.endswith(" UTC")
    assert await time.inner_text() == whole[: len("2026-11-23 16:05")]


async def test_what_has_just_ended_has_no_sign(opened: Opened, served: Server) -> None:
    page = await opened(served.address)
    words = await page.evaluate("() => [-0, -0.004, -0.5, 0.004].map((days) => View.words(days, 'real'))")
    assert words == ["0", "0", "-0.5", "0"]


async def test_every_list_of_a_tab_fits_the_window_of_a_laptop(opened: Opened, served: Server) -> None:
    page = await opened(served.address)
    wider: dict[str, list[str]] = {}
    for label in await page.get_by_role("tab").all_inner_texts():
        await choose_tab(page, label)
        wider[label] = await page.evaluate(
            """() => [...document.querySelectorAll(".scroller")].filter((one) => one.scrollWidth > one.clientWidth + 1)
              .map((one) => one.getAttribute("aria-label"))"""
        )
    assert {label: found for label, found in wider.items() if found} == {}


async def test_a_name_goes_on_in_the_next_line_where_its_words_end(opened: Opened, served: Server) -> None:
    page = await opened(served.address)
    await choose_tab(page, "Runs")
    cell = page.locator("td[data-label='Found by']", has_text="PipelineRunEvent").first
    assert await cell.inner_text() == "PipelineRunEvent"
    assert await cell.evaluate("(one) => [...one.childNodes].map((part) => part.textContent)") == [
        "Pipeline", "", "Run", "", "Event",
    ]  # fmt: skip


async def test_in_a_narrow_window_a_row_with_a_name_of_its_own_has_no_other(opened: Opened, served: Server) -> None:
    page = await opened(served.address, width=390)
    await choose_first_row(page)
    cells = page.locator("section[data-name='OpenFinding steps'] td")
    await cells.first.wait_for()
    before = await cells.evaluate_all("(all) => all.map((one) => getComputedStyle(one, '::before').content)")
    assert set(before) == {"none"}
    beside = page.locator("section[data-name='open findings'] td").first
    assert "Severity" in await beside.evaluate("(one) => getComputedStyle(one, '::before').content")
