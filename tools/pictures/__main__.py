"""Makes the pictures of the documentation anew: ``python -m tools.pictures [page] [card] [demo]``.

Each is made of what the product itself shows: the page over ``tools.shown_findings``, the card of a run that fails in
the local cloud, the terminal of the demo. Tests make them again and compare what they *say*: the page's words with
``docs/pictures/page.txt``, whose digest each picture of the page carries, and the words of an SVG with those of the
committed one, without times and ids. Pixels are not compared, as every version of Chromium and every set of fonts
draws other ones, and such a test would teach people to renew pictures without looking at them.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.async_api import async_playwright

from embedded import EmbeddedStore
from tests.browser.chromium import chromium
from tools.pictures import PICTURES
from tools.pictures.card import card_picture
from tools.pictures.demo import demo_picture
from tools.pictures.page import page_pictures
from tools.shown_findings import write_shown_findings

_ALL: Final = ("page", "card", "demo")


def main() -> int:
    """Makes all pictures, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m tools.pictures", description=__doc__)
    parser.add_argument("name", nargs="*", help=f"only these of {', '.join(_ALL)}")
    wanted = parser.parse_args().name or _ALL
    PICTURES.mkdir(parents=True, exist_ok=True)
    browser = chromium() if "page" in wanted else ""
    if "page" in wanted:
        if not browser:
            print("there is no Chromium to draw the page with: make browser", file=sys.stderr)
            return 1
        asyncio.run(_page(browser))
    if "card" in wanted:
        _write("card.svg", asyncio.run(card_picture()).encode())
    if "demo" in wanted:
        _write("demo.svg", demo_picture().encode())
    return 0


async def _page(browser: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedStore.open(Path(folder) / "findings.duckdb")
        await write_shown_findings(store)
        async with async_playwright() as playwright:
            running = await playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            taken = await page_pictures(running, store)
            await running.close()
    _write("page.txt", taken.words.encode())
    for name, png in taken.pictures.items():
        _write(name, png)


def _write(name: str, content: bytes) -> None:
    (PICTURES / name).write_bytes(content)
    print(f"written: docs/pictures/{name} ({len(content) / 1000:.0f} KB)")


if __name__ == "__main__":
    sys.exit(main())
