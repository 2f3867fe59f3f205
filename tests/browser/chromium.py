"""Which Chromium the tests of the page drive: the first that is found. ``python -m`` prints it, or exits with 1."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")


def chromium() -> str:
    """The path of an installed browser, of Playwright's own, or empty. ``ACRTM_CHROMIUM`` names another one."""
    named = os.environ.get("ACRTM_CHROMIUM")
    if named:
        return named
    found = next((path for name in _NAMES if (path := shutil.which(name))), "")
    return found or _own()


def _own() -> str:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).is_file() else ""


if __name__ == "__main__":
    path = chromium()
    sys.stdout.write(f"{path}\n" if path else "")
    sys.exit(0 if path else 1)
