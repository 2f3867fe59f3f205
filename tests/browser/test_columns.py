"""Columns of a list: sentences get the room that the workbook gives them, and times say all on a pointer's way."""

from __future__ import annotations

from acrtm.view.server import Server
from tests.browser.conftest import Opened


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
