"""How it looks, light and dark, wide and narrow: nothing overlaps, nothing is cut, and everything can be read."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Page

from acrtm.view.server import Server
from tests.browser.conftest import Opened, choose_tab, drawn

_HERE: Final = Path(__file__).parent
_GEOMETRY: Final = (_HERE / "geometry.js").read_text(encoding="utf-8")

_CONTRAST: Final = (_HERE / "contrast.js").read_text(encoding="utf-8")


async def looked_at(page: Page) -> list[Any]:
    return [*await page.evaluate(_GEOMETRY), *await page.evaluate(_CONTRAST)]


@pytest.mark.parametrize(("width", "scheme"), list(product((1280, 390), ("light", "dark"))))
async def test_every_tab(opened: Opened, served: Server, width: int, scheme: str) -> None:
    page = await opened(served.address, width=width, scheme=scheme)
    wrong: dict[str, list[Any]] = {}
    for label in await page.get_by_role("tab").all_inner_texts():
        await choose_tab(page, label)
        rows = page.locator("tr.choosable")
        if await rows.count():
            await rows.first.press("Enter")
            await page.locator("tr[aria-selected=true]").first.wait_for()
            await drawn(page)
        wrong[label] = await looked_at(page)
    await page.get_by_role("button", name="Query").click()
    await page.locator(".CodeMirror").wait_for()
    wrong["Query"] = await looked_at(page)
    assert {label: found for label, found in wrong.items() if found} == {}


async def test_the_checks_of_the_look_can_fail(opened: Opened, served: Server) -> None:
    page = await opened(served.address)
    await page.evaluate(
        """() => {
          const item = document.querySelector("section.item.tiles");
          item.style.marginLeft = "-200px";
          item.style.minWidth = "2000px";
          item.style.color = "#888";
          item.style.background = "#999";
        }"""
    )
    assert await page.evaluate(_GEOMETRY)
    assert await page.evaluate(_CONTRAST)
