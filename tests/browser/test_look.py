"""How it looks, light and dark, wide and narrow: nothing overlaps, nothing is cut, and everything can be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

import pytest
from playwright.async_api import Page

from acrtm.view.server import Server
from tests.browser.conftest import Opened, choose_first_row, choose_tab, open_queries

Scheme = Literal["light", "dark"]

_OTHER: Final[dict[Scheme, Scheme]] = {"light": "dark", "dark": "light"}
_HERE: Final = Path(__file__).parent
_GEOMETRY: Final = (_HERE / "geometry.js").read_text(encoding="utf-8")

_CONTRAST: Final = (_HERE / "contrast.js").read_text(encoding="utf-8")


async def looked_at(page: Page) -> list[Any]:
    return [*await page.evaluate(_GEOMETRY), *await page.evaluate(_CONTRAST)]


async def looked_at_in_both_schemes(page: Page, first: Scheme) -> dict[Scheme, list[Any]]:
    """In the scheme that the page has and, without drawing it anew, in the other one."""
    found = {first: await looked_at(page)}
    other = _OTHER[first]
    await page.emulate_media(color_scheme=other)
    found[other] = await looked_at(page)
    await page.emulate_media(color_scheme=first)
    return found


async def menus_looked_at(page: Page) -> list[Any]:
    """Each menu of the parameters, opened."""
    wrong = []
    menus = page.locator(".parameters summary")
    assert await menus.count() > 2
    for menu in await menus.all():
        await menu.click()
        await page.locator(".menu:visible").wait_for()
        wrong += await looked_at(page)
        await page.keyboard.press("Escape")
    return wrong


# Each scheme is the one that a page is opened in, and the one that it changes to.
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
async def test_every_tab(opened: Opened, served: Server, width: int, scheme: Scheme) -> None:
    page = await opened(served.address, width=width, scheme=scheme)
    wrong: dict[str, dict[Scheme, list[Any]]] = {}
    for label in await page.get_by_role("tab").all_inner_texts():
        await choose_tab(page, label)
        await choose_first_row(page)
        wrong[label] = await looked_at_in_both_schemes(page, scheme)
    wrong["menus"] = {scheme: await menus_looked_at(page)}
    await open_queries(page)
    wrong["Query"] = await looked_at_in_both_schemes(page, scheme)
    assert len(wrong) > 2
    assert {label: found for label, found in wrong.items() if any(found.values())} == {}


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
