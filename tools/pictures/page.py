"""The pictures of the page: the list of what is open, and the finding that was chosen in it."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from playwright.async_api import Browser, FloatRect, Page

from acrtm.view import files
from acrtm.view.server import Server
from embedded import EmbeddedStore
from tools.pictures.normal import normalised

WIDTH: Final = 1280
_HEIGHT: Final = 1000
_CHOSEN: Final = "vault-access-denied"
_MARGIN: Final = 6
_TO_THE_TOP: Final = """() => {
  document.activeElement.blur();
  scrollTo(0, 0);
  for (const list of document.querySelectorAll(".scroller")) list.scrollTop = 0;
}"""
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_HEADER_END: Final = 33
_KEY: Final = b"Shows"


@dataclass(frozen=True, slots=True)
class PagePictures:
    """What the page showed, in normalised words, and its pictures by name; each names those words' digest."""

    words: str
    pictures: dict[str, bytes]


async def page_pictures(browser: Browser, store: EmbeddedStore) -> PagePictures:
    """Opens the page over ``store`` in ``browser``, chooses a finding, and takes the pictures."""
    server = Server(store, files.workbook())
    await server.start()
    try:
        page = await browser.new_page(viewport={"width": WIDTH, "height": _HEIGHT}, color_scheme="light")
        try:
            await page.goto(server.address)
            await _drawn(page)
            await page.locator("tr.choosable", has_text=_CHOSEN).first.press("Enter")
            await page.locator("tr[aria-selected=true]", has_text=_CHOSEN).wait_for()
            await _drawn(page)
            # The page leaves its reader at the row that was chosen; the picture begins with the first one.
            await page.evaluate(_TO_THE_TOP)
            return await _taken(page)
        finally:
            await page.close()
    finally:
        await server.close()


async def _drawn(page: Page) -> None:
    await page.locator("#workbook:not([aria-busy=true]) > .item").first.wait_for()


async def _taken(page: Page) -> PagePictures:
    words = normalised(await page.locator("body").inner_text())
    open_findings = await _box(page, "Open findings")
    chosen, verify = await _box(page, "The chosen finding"), await _box(page, "Then verify")
    first = FloatRect(x=0, y=0, width=WIDTH, height=open_findings["y"] + open_findings["height"] + _MARGIN)
    top = chosen["y"] - _MARGIN
    second = FloatRect(x=0, y=top, width=WIDTH, height=verify["y"] + verify["height"] + _MARGIN - top)
    return PagePictures(
        words,
        {
            name: with_words(await page.screenshot(clip=clip, full_page=True), words)
            for name, clip in (("page.png", first), ("finding.png", second))
        },
    )


async def _box(page: Page, heading: str) -> FloatRect:
    """Where the item with a heading stands on the whole page."""
    box = await page.locator("section.item", has=page.get_by_role("heading", name=heading)).last.bounding_box()
    if box is None:
        raise RuntimeError(f"the page does not show '{heading}'")
    return box


def with_words(png: bytes, words: str) -> bytes:
    """The picture with a text chunk that holds the digest of what it shows."""
    body = b"tEXt" + _KEY + b"\x00" + _digest(words)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return png[:_HEADER_END] + chunk + png[_HEADER_END:]


def shows(png: bytes, words: str) -> bool:
    """Whether the picture was taken when the page showed these words."""
    return png.startswith(_SIGNATURE) and _KEY + b"\x00" + _digest(words) in png[_HEADER_END : _HEADER_END + 200]


def width_of(png: bytes) -> int:
    """The width in pixels."""
    return int.from_bytes(png[16:20], "big")


def _digest(words: str) -> bytes:
    return sha256(words.encode()).hexdigest().encode()
