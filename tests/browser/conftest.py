"""The page in a real browser, over findings that the product's own handlers have written."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

from acrtm.view import files
from acrtm.view.server import Server
from embedded import EmbeddedStore
from localcloud import Azurite
from tests.browser.chromium import chromium
from tools.shown_findings import write_shown_findings

Opened = Callable[..., Awaitable[Page]]
Serve = Callable[[EmbeddedStore], Awaitable[Server]]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = chromium()
    if not path:
        pytest.skip("no Chromium is installed: make browser")
    async with async_playwright() as playwright:
        # Root, as CI often is, has no sandbox of the browser's; it only ever sees pages of these tests.
        running = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        await running.close()


@pytest.fixture(scope="session")
async def shown(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> EmbeddedStore:
    """The middle of a working day: some runs failed, blobs wait, a token expires, something is muted."""
    store = EmbeddedStore.open(tmp_path_factory.mktemp("shown") / "findings.duckdb")
    await write_shown_findings(store, azurite)
    return store


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts the page's server over a store; it is there until the test is over."""
    async with AsyncExitStack() as servers:

        async def start(store: EmbeddedStore) -> Server:
            server = Server(store, files.workbook())
            await server.start()
            servers.push_async_callback(server.close)
            return server

        yield start


@pytest.fixture
async def served(serve: Serve, shown: EmbeddedStore) -> Server:
    return await serve(shown)


@pytest.fixture
async def opened(browser: Browser, serve: Serve) -> AsyncIterator[Opened]:
    """Opens an address and waits until it is drawn. A complaint of the page, or a request elsewhere, fails the test.

    The browser itself complains when the server refuses what was asked: ``refused`` is the path where that is meant.
    The servers are asked for so that they outlive the pages: a page that follows one that is gone complains.
    """
    wrong: list[str] = []
    async with AsyncExitStack() as contexts:

        async def open_page(address: str, *, width: int = 1280, scheme: str = "light", refused: str = "") -> Page:
            context = await browser.new_context(
                viewport={"width": width, "height": 900},
                color_scheme="dark" if scheme == "dark" else "light",
            )
            contexts.push_async_callback(context.close)
            page = await context.new_page()
            page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
            page.on("console", lambda message: _listen(message, refused, wrong))
            page.on("request", lambda request: _watch(request.url, wrong))
            await page.goto(address)
            await drawn(page)
            return page

        yield open_page
        # What a page says while it is torn away from what it waits for is no complaint.
        complaints = list(wrong)
    assert complaints == []


def _listen(message: ConsoleMessage, refused: str, wrong: list[str]) -> None:
    meant = refused and message.location["url"].endswith(refused) and re.search("status of (400|503)", message.text)
    if not meant:
        wrong.append(f"console: {message.text}")


def _watch(url: str, wrong: list[str]) -> None:
    if not url.startswith(("http://127.0.0.1:", "file:", "data:", "blob:")):
        wrong.append(f"asked elsewhere: {url}")


async def drawn(page: Page) -> None:
    """Waits until the workbook stands."""
    await page.locator("#workbook:not([aria-busy=true]) > .item").first.wait_for()


async def open_queries(page: Page) -> None:
    """Goes to the query tab and waits for its language service: closed while that loads, the page would complain."""
    await page.get_by_role("button", name="Query").click()
    await page.locator(".editor[data-ready=true]").wait_for()


async def choose_tab(page: Page, label: str) -> None:
    """Clicks a tab and waits until it is drawn."""
    await page.get_by_role("tab", name=label).click()
    await page.locator(f"[role=tab][aria-selected=true]:has-text('{label}')").wait_for()
    await drawn(page)


async def choose_first_row(page: Page) -> None:
    """Opens the details of the first row that has any, if there is one, and waits until they are drawn."""
    rows = page.locator("tr.choosable")
    if await rows.count():
        await rows.first.press("Enter")
        await page.locator("tr[aria-selected=true]").first.wait_for()
        await drawn(page)


def written(path: Path, text: str) -> str:
    """The address of a file with ``text``."""
    path.write_text(text, encoding="utf-8")
    return path.as_uri()
