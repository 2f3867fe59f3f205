"""From the workbook, what somebody has chosen and the findings to what a page draws.

The result is plain JSON: a tree of items, each with its kind. Only what is visible is asked and sent. What the
workbook wants and the page can't do is listed under ``notDrawn``, so that nothing is left out without a word.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from markdown_it import MarkdownIt

from acrtm.view.cells import cell
from acrtm.view.limits import limits
from embedded.errors import QueryError
from embedded.result import QueryResult
from embedded.workbook import (
    AxisChart,
    Card,
    Chosen,
    Column,
    Grid,
    Group,
    Item,
    Links,
    Option,
    Parameter,
    ParameterKind,
    Parameters,
    Query,
    Settled,
    Text,
    Tiles,
    TimeRange,
    TokenError,
    UnknownItem,
    Workbook,
    fill,
    is_visible,
    settle,
    tokens,
)
from shared.times import iso

Drawn = dict[str, Any]
# More points than a chart has pixels are of no use to anybody; Log Analytics stops at 10,000 rows.
_MOST_ROWS: Final = 10_000
# What bins are counted from: each that a workbook offers divides a day.
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BIN_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
# Text of others can't become markup: HTML in Markdown is shown as text, and links lead to web pages only.
logging.getLogger("markdown_it").setLevel(logging.INFO)  # it logs every rule that it tries on every line
_MARKDOWN: Final = MarkdownIt("commonmark", {"html": False}).enable("table")


class Reader(Protocol):
    """What a drawing asks: one state of the findings."""

    def query(
        self, kql: str, now: datetime | None = None, *, between: tuple[datetime, datetime] | None = None
    ) -> QueryResult:
        """The answer; raises :class:`~embedded.errors.QueryError`."""

    def newest(self) -> datetime | None:
        """When the newest finding was made."""


@dataclass(slots=True)
class Asked:
    """How much a drawing has asked of the store."""

    queries: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Drawing:
    """One state of the page: what was ``chosen``, settled against the findings of ``now``; ``frozen`` in a report."""

    workbook: Workbook
    store: Reader
    now: datetime
    frozen: bool = False
    asked: Asked = field(default_factory=Asked)

    def draw(self, chosen: Chosen) -> Drawn:
        """The page as JSON. Raises an :class:`~embedded.errors.EmbeddedError` if the store can't be used."""
        began = time.perf_counter()
        settled = settle(self.workbook, chosen, self._rows, now=self.now)
        not_drawn: list[Drawn] = []
        items = list(self._items(self.workbook.items, settled, not_drawn))
        newest = self.store.newest()
        if exported := sum(item.get("exportsToExcel", False) for item in _walk(items)):
            # One line for all, since it is the same button on nearly every list.
            instead = "the tab Query of the page that acrtm view opens" if self.frozen else "here the tab Query"
            why = f"{exported} lists here have this button in the portal; {instead} gives their rows"
            not_drawn.append({"name": "Export to Excel", "why": why})
        return {
            "now": iso(self.now),
            "newest": iso(newest),
            "items": items,
            "notDrawn": not_drawn,
            "queries": self.asked.queries,
            "querySeconds": round(self.asked.seconds, 4),
            "seconds": round(time.perf_counter() - began, 4),
        }

    def _items(self, items: Sequence[Item], settled: Settled, not_drawn: list[Drawn]) -> Iterator[Drawn]:
        for item in items:
            if not is_visible(item.conditions, settled.values):
                continue
            if left_out := [*item.unread, *limits(item)]:
                not_drawn.append({"name": item.name, "why": f"not honoured: {', '.join(left_out)}"})
            drawn = self._item(item, settled, not_drawn)
            if drawn is not None:
                shown_for = [one.parameter for one in item.conditions]
                yield {"name": item.name, "width": item.width, "shownFor": shown_for, **drawn}

    def _item(self, item: Item, settled: Settled, not_drawn: list[Drawn]) -> Drawn | None:
        match item:
            case Text():
                text = fill(item.markdown, settled.values, now=self.now, kql=False)
                return {"kind": "text", "style": item.style, "html": _MARKDOWN.render(text)}
            case Parameters():
                not_drawn += [
                    {"name": one.name, "why": f"not honoured: {', '.join(one.unread)}"}
                    for one in item.parameters
                    if one.unread and not one.hidden
                ]
                shown = [self._parameter(one, settled) for one in item.parameters if not one.hidden]
                return {"kind": "parameters", "parameters": shown}
            case Links():
                return _links(item, settled)
            case Group():
                return {
                    "kind": "group",
                    "title": item.title,
                    "items": list(self._items(item.items, settled, not_drawn)),
                }
            case Query():
                return self._query(item, settled)
            case UnknownItem():
                not_drawn.append({"name": item.name, "why": item.why})
                return {"kind": "unknown", "why": item.why}
            case _:
                return None

    def _parameter(self, parameter: Parameter, settled: Settled) -> Drawn:
        value = settled.values[parameter.name]
        drawn: Drawn = {
            "name": parameter.name,
            "label": parameter.label or parameter.name,
            "description": parameter.description,
            "shown": value.format("label", kql=False, now=self.now) or "",
        }
        match value:
            case TimeRange():
                durations = [
                    {"milliseconds": int(one.total_seconds() * 1000), "label": TimeRange(one).label}
                    for one in parameter.durations
                ]
                # A range that ends now moves on with each drawing; the page knows as much, and leaves its fields alone.
                first, last = (None, None) if value.start is None else value.bounds(self.now)
                return drawn | {
                    "kind": "time",
                    "durations": durations,
                    "milliseconds": int(value.duration.total_seconds() * 1000),
                    "relative": value.start is None,
                    "first": iso(first),
                    "last": iso(last),
                    "custom": parameter.allows_custom,
                }
            case _ if parameter.kind is ParameterKind.DROPDOWN:
                offered: Sequence[Option] = settled.options.get(parameter.name, ())
                chosen = getattr(value, "chosen", ())
                return drawn | {
                    "kind": "choice",
                    "multiple": parameter.multiple,
                    "offersAll": parameter.offers_all,
                    "all": getattr(value, "all_value", None) is not None,
                    "options": [{"value": cell(one.value), "label": cell(one.label)} for one in offered],
                    "chosen": [cell(one) for one, _ in chosen],
                }
            case _:
                return drawn | {"kind": "words", "value": value.comparable}

    def _query(self, item: Query, settled: Settled) -> Drawn:
        drawn: Drawn = {
            "title": fill(item.title, settled.values, now=self.now, kql=False),
            "noData": fill(item.no_data, settled.values, now=self.now, kql=False),
            "size": item.size,
            "exportsToExcel": item.exports_to_excel,
            "exports": [{"column": one.column, "parameter": one.parameter} for one in item.exports],
            "chosen": {one.parameter: settled.values[one.parameter].comparable for one in item.exports},
            **_SHAPES[type(item.shown_as)](item.shown_as),
        }
        if isinstance(item.shown_as, AxisChart):
            drawn["between"] = self._axis(item, settled)
        try:
            kql = fill(item.kql, settled.values, now=self.now)
            result = self._ask(kql, self._time_of(item, settled))
        except (QueryError, TokenError) as error:
            # One item that can't be asked must not take the others with it.
            return drawn | {"error": str(error), "columns": [], "rows": [], "left": 0}
        most = item.shown_as.row_limit if isinstance(item.shown_as, Grid) else _MOST_ROWS
        rows = [[cell(value) for value in row] for row in result.rows[:most]]
        columns = [{"name": name, "type": kind} for name, kind in result.columns]
        return drawn | {"columns": columns, "rows": rows, "left": max(0, len(result.rows) - most)}

    def _axis(self, item: Query, settled: Settled) -> Drawn | None:
        """The time that a chart is about, in whole bins of ``bin`` milliseconds: one without rows is time as well."""
        for name in (item.time_parameter, *sorted(tokens(item.kql))):
            value = settled.values.get(name)
            if not isinstance(value, TimeRange):
                continue
            first, last = value.bounds(self.now)
            if f"{{{name}:grain}}" not in item.kql:
                return {"first": iso(first), "last": iso(last), "bin": 0}
            grain = _BIN_UNITS[value.grain[-1]] * int(value.grain[:-1])
            # The last bin ends when its time is over.
            first, last = _EPOCH + (first - _EPOCH) // grain * grain, _EPOCH - (_EPOCH - last) // grain * grain
            return {"first": iso(first), "last": iso(last), "bin": grain // timedelta(milliseconds=1)}
        return None

    def _time_of(self, item: Query, settled: Settled) -> tuple[datetime, datetime] | None:
        value = settled.values.get(item.time_parameter)
        if isinstance(value, TimeRange):
            return value.bounds(self.now)
        return (self.now - item.time_span, self.now) if item.time_span is not None else None

    def _rows(self, kql: str) -> Sequence[Mapping[str, Any]]:
        """The choices of a parameter; one that can't be asked offers nothing, and its items say why."""
        try:
            return self._ask(kql, None).dicts()
        except QueryError:
            return ()

    def _ask(self, kql: str, between: tuple[datetime, datetime] | None) -> QueryResult:
        began = time.perf_counter()
        try:
            return self.store.query(kql, self.now, between=between)
        finally:
            self.asked.queries += 1
            self.asked.seconds += time.perf_counter() - began


def _walk(items: list[Drawn]) -> Iterator[Drawn]:
    for item in items:
        yield item
        yield from _walk(item.get("items", []))


def _links(item: Links, settled: Settled) -> Drawn:
    links = [
        {
            "label": link.label,
            "target": link.target,
            "parameter": link.parameter,
            "value": link.value,
            "chosen": link.parameter in settled.values and settled.values[link.parameter].comparable == link.value,
        }
        for link in item.links
    ]
    return {"kind": "tabs" if item.style == "tabs" else "links", "links": links}


def _grid(grid: Grid) -> Drawn:
    return {
        "kind": "grid",
        "settings": [_column(column) for column in grid.columns],
        "labels": dict(grid.labels),
        "filter": grid.filter,
        "sort": [{"column": one.column, "descending": one.descending} for one in grid.sort],
    }


def _tiles(tiles: Tiles) -> Drawn:
    parts = {name: getattr(tiles, name) for name in ("title", "subtitle", "left", "right", "secondary")}
    return {
        "kind": "tiles",
        "border": tiles.border,
        "parts": {name: _column(part) for name, part in parts.items() if part is not None},
    }


def _chart(chart: AxisChart) -> Drawn:
    return {
        "kind": "chart",
        "chart": chart.kind,
        "x": chart.x,
        "y": list(chart.y),
        "group": chart.group,
        "legend": chart.legend,
        "colors": dict(chart.colors),
        "labels": dict(chart.labels),
    }


def _card(card: Card) -> Drawn:
    return {"kind": "card", "style": card.style}


def _column(column: Column) -> Drawn:
    return {
        "name": column.name,
        "formatter": column.formatter.name.lower(),
        "thresholds": [
            {"operator": one.operator, "value": one.value, "representation": one.representation, "text": one.text}
            for one in column.thresholds
        ],
        "thresholdsAre": column.thresholds_are,
        "linkTarget": column.link_target,
        "linkColumn": column.link_column,
        "linkLabel": column.link_label,
        "width": column.width,
        "emptyText": column.empty_text,
    }


_SHAPES: Final[dict[type, Callable[[Any], Drawn]]] = {Grid: _grid, Tiles: _tiles, AxisChart: _chart, Card: _card}
