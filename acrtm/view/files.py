"""Where the page's parts lie: the workbook, the shipped queries, our own scripts, and the libraries from npm."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from acrtm.exits import Problem
from embedded.workbook import Workbook, read_workbook

CHECKOUT: Final = Path(__file__).parents[2]
WORKBOOK: Final = CHECKOUT / "infra" / "workbooks" / "acr-transfer.workbook.json"
QUERIES: Final = CHECKOUT / "infra" / "queries"
PAGE: Final = Path(__file__).parent / "page"
_MODULES: Final = CHECKOUT / "node_modules"
# By the name under which the page asks for it.
LIBRARIES: Final = {
    "echarts.js": _MODULES / "echarts" / "dist" / "echarts.min.js",
    "codemirror.js": _MODULES / "codemirror" / "lib" / "codemirror.js",
    "codemirror.css": _MODULES / "codemirror" / "lib" / "codemirror.css",
    "show-hint.js": _MODULES / "codemirror" / "addon" / "hint" / "show-hint.js",
    "show-hint.css": _MODULES / "codemirror" / "addon" / "hint" / "show-hint.css",
    "bridge.js": _MODULES / "@kusto" / "language-service-next" / "bridge.min.js",
    "kusto.js": _MODULES / "@kusto" / "language-service-next" / "Kusto.Language.Bridge.min.js",
}
# What a drawn workbook needs, in the order of loading; the query tab has more, which only the live page has.
DRAWING: Final = ("text.js", "grid.js", "tiles.js", "chart.js", "parameters.js", "reading.js", "items.js")


@dataclass(frozen=True, slots=True)
class ShippedQuery:
    """A query of infra/queries: its name and its text."""

    name: str
    kql: str


@lru_cache(maxsize=1)
def workbook() -> Workbook:
    """The workbook as it is deployed."""
    return read_workbook(_read(WORKBOOK))


@lru_cache(maxsize=1)
def shipped_queries() -> tuple[ShippedQuery, ...]:
    """The queries that are deployed as functions, by name."""
    return tuple(ShippedQuery(path.stem, _read(path)) for path in sorted(QUERIES.glob("*.kql")))


def check_libraries() -> None:
    """Raises a :class:`~acrtm.exits.Problem` that names the remedy unless every library is there."""
    for path in LIBRARIES.values():
        if not path.is_file():
            raise _missing(path)


def page_file(name: str) -> str:
    """A file of our own page."""
    return _read(PAGE / name)


def library(name: str) -> str:
    """A library's file; without it there is no page, since nothing is loaded from elsewhere."""
    return _read(LIBRARIES[name])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise _missing(path) from None


def _missing(path: Path) -> Problem:
    where = path.relative_to(CHECKOUT) if path.is_relative_to(CHECKOUT) else path
    return Problem(
        f"{where} is not there.", "Run it from the checkout, with its Node packages:", "npm ci --ignore-scripts"
    )
