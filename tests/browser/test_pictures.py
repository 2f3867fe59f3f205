"""The pictures of the page in the documentation show what the page shows now."""

from __future__ import annotations

from playwright.async_api import Browser

from embedded import EmbeddedStore
from tools.pictures import PICTURES
from tools.pictures.normal import differences
from tools.pictures.page import page_pictures


async def test_the_page_says_what_its_pictures_say(browser: Browser, shown: EmbeddedStore) -> None:
    made = await page_pictures(browser, shown)
    committed = (PICTURES / "page.txt").read_text("utf-8")
    assert differences(committed, made.words) == [], "renew and look at them: python -m tools.pictures page"
