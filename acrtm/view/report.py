"""The page frozen into one file: every tab, and the details of the rows that people click on, without any network.

A drawn item is stored once, however many states show it. What is not in the file is said on the page.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from acrtm.progress import shown_progress
from acrtm.view import files
from acrtm.view.drawing import Drawing, Drawn
from embedded import EmbeddedStore
from embedded.result import QueryResult
from embedded.store import StoreReader
from embedded.workbook import Workbook
from shared.evidence.lookups import utc_now
from shared.times import parse_time
from shared.version import MONITOR_VERSION

# Of each grid, the details of so many rows are kept: those that stand first, which are the worst.
MOST_ROWS: Final = 60
_SCRIPTS: Final = (*files.DRAWING, "frozen.js")


class _Remembered:
    """A reader that asks each question once: a report asks the same for many states of the page."""

    def __init__(self, reader: StoreReader) -> None:
        self._reader = reader
        self._answers: dict[tuple[Any, ...], QueryResult] = {}

    def query(
        self, kql: str, now: datetime | None = None, *, between: tuple[datetime, datetime] | None = None
    ) -> QueryResult:
        """See :class:`~embedded.store.StoreReader`."""
        key = (kql, now, between)
        if key not in self._answers:
            self._answers[key] = self._reader.query(kql, now, between=between)
        return self._answers[key]

    def newest(self) -> datetime | None:
        """See :class:`~embedded.store.StoreReader`."""
        return self._reader.newest()


def report(workbook: Workbook, store: EmbeddedStore) -> str:
    """The whole file. Raises an :class:`~embedded.errors.EmbeddedError` if the store can't be used."""
    pool: dict[str, tuple[int, Any]] = {}
    states: dict[str, Any] = {}
    with store.reading() as reader, shown_progress("states of the page") as progress:
        drawing = Drawing(workbook, _Remembered(reader), utc_now(), frozen=True)
        first = drawing.draw({})
        start = {link["parameter"]: link["value"] for link in _tabs(first) if link["chosen"]}
        for state, of in _states(drawing, start, first):
            states[state_key(state)] = _packed(drawing.draw(state), pool)
            progress("states of the page", len(states), of)
    document = {"pool": [value for _, value in pool.values()], "states": states, "first": start, "mostRows": MOST_ROWS}
    return _page(document, _words(drawing.now), _words(parse_time(first["newest"])))


def _words(moment: datetime | None) -> str:
    """A moment as the live page says it."""
    return "none" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def state_key(chosen: dict[str, str]) -> str:
    """What names a state in the file; ``frozen.js`` makes the same of what was clicked."""
    return json.dumps(sorted(chosen.items()), ensure_ascii=False, separators=(",", ":"))


def _tabs(drawn: Drawn) -> list[Drawn]:
    return [
        link
        for item in _walk(drawn["items"])
        if item["kind"] == "tabs"
        for link in item["links"]
        if link["target"] == "parameter"
    ]


def _states(drawing: Drawing, start: dict[str, str], first: Drawn) -> Iterator[tuple[dict[str, str], int]]:
    """The first state, the other tabs, and each row of their grids that can be chosen; with how many there are."""
    states = [start]
    states += [start | {tab["parameter"]: tab["value"]} for tab in _tabs(first) if not tab["chosen"]]
    for state in list(states):
        for item in _walk(drawing.draw(state)["items"]):
            states += [state | chosen for chosen in _rows(item)]
    for state in states:
        yield state, len(states)


def _rows(item: Drawn) -> Iterator[dict[str, str]]:
    """What choosing each of the first rows of a grid sets."""
    if item["kind"] != "grid" or not item["exports"]:
        return
    names = [column["name"] for column in item["columns"]]
    wanted = [(one["parameter"], one["column"]) for one in item["exports"]]
    if any(column not in names for _, column in wanted):
        return
    for row in item["rows"][:MOST_ROWS]:
        chosen = {parameter: row[names.index(column)] for parameter, column in wanted}
        if all(isinstance(value, str) and value for value in chosen.values()):
            yield chosen


def _walk(items: list[Drawn]) -> Iterator[Drawn]:
    for item in items:
        yield item
        yield from _walk(item.get("items", []))


def _packed(drawn: Drawn, pool: dict[str, tuple[int, Any]]) -> Any:
    """The state with its items by their number in the pool, which holds each value with its number, by its text."""

    def number_of(item: Drawn) -> int:
        if "items" in item:
            item = item | {"items": [number_of(inner) for inner in item["items"]]}
        if "rows" in item:
            # Apart from the item: a long list is the same whichever of its rows is chosen.
            item = item | {"rows": kept(item["rows"])}
        return kept(item)

    def kept(value: Any) -> int:
        number, _ = pool.setdefault(json.dumps(value, sort_keys=True), (len(pool), value))
        return number

    return {"items": [number_of(item) for item in drawn["items"]], "notDrawn": drawn["notDrawn"]}


def _page(document: dict[str, Any], made: str, newest: str) -> str:
    scripts = [files.library("echarts.js"), *(files.page_file(name) for name in _SCRIPTS)]
    style = files.page_file("page.css")
    # Only these very texts may run and style, and nothing may be loaded.
    allowed_scripts, allowed_style = " ".join(map(_digest, scripts)), _digest(style)
    policy = (
        f"default-src 'none'; script-src {allowed_scripts}; style-src {allowed_style}; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    data = json.dumps(document, separators=(",", ":")).replace("<", "\\u003c")
    when = f"Frozen {html.escape(made)}, newest finding {html.escape(newest)}"
    running = "\n".join(f"<script>{script}</script>" for script in scripts)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ACR Transfer Monitor: report of {html.escape(made)}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>ACR Transfer Monitor</h1>
<p id="label">Report of acrtm {html.escape(MONITOR_VERSION)}: the deployed workbook over one machine's findings.</p>
<p id="state" role="status">{when}</p>
</header>
<main id="workbook"></main>
<footer id="footer"></footer>
<script type="application/json" id="findings">{data}</script>
{running}
</body>
</html>
"""


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
