"""What the workbook asks of a page and ours can't do, in words: the page names it instead of leaving it out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from embedded.workbook import AxisChart, Card, Column, Formatter, Grid, Item, Links, Query, Text, Tiles

# What chart.js and text.js know. A test holds these names against the scripts.
CHARTS: Final = frozenset({"linechart", "timechart", "areachart", "barchart", "piechart"})
COLOURS: Final = frozenset(
    {"red", "redBright", "redDark", "orange", "yellow", "green", "blue", "lightBlue", "gray", "purple"}
)
PICTURES: Final = frozenset(
    {
        "critical", "error", "warning", "info", "success", "pending", "unknown", "stopped", "failed", "cancelled",
        "Sev0", "Sev1", "Sev2", "Sev3", "Sev4", "0", "1", "2", "3", "4", "question", "more", "disabled", "red",
        "redDark", "redBright", "orange", "yellow", "green", "blue", "gray",
    }
)  # fmt: skip
OPERATORS: Final = frozenset({"==", "!=", ">", "<", ">=", "<=", "contains", "startsWith", "endsWith", "is Empty"})
_BLANK: Final = "Blank"
_PLAIN: Final = {
    Formatter.BAR: "bars", Formatter.HEATMAP: "a heat map", Formatter.RESOURCE: "a resource's picture",
}  # fmt: skip
_LINKS: Final = frozenset({"", "Url", "CellDetails"})
_TEXTS: Final = frozenset({"", "info", "success", "upsell", "warning", "error"})
_CARDS: Final = frozenset({"", "header", "bignumber", "editor"})


def limits(item: Item) -> Iterator[str]:
    """What of ``item`` is drawn otherwise than the portal draws it."""
    match item:
        case Text(style=style) if style not in _TEXTS:
            yield f"the style {style}"
        case Links(style=style) if style not in {"tabs", "bullets"}:
            yield f"links as {style}: they are drawn in a line"
        case Query(shown_as=Grid(columns=columns)):
            for column in columns:
                yield from _column(column)
        case Query(shown_as=Tiles() as tiles):
            for part in (tiles.title, tiles.subtitle, tiles.left, tiles.right, tiles.secondary):
                yield from _column(part) if part is not None else ()
        case Query(shown_as=AxisChart(kind=kind, colors=colors)):
            if kind not in CHARTS:
                yield f"a {kind}: it is drawn as lines"
            yield from (f"the colour {colour} of {name}" for name, colour in colors.items() if not _colour(colour))
        case Query(shown_as=Card(style=style)) if style not in _CARDS:
            yield f"the style {style}"


def _colour(name: str) -> bool:
    return name in COLOURS or name.startswith("#")


def _column(column: Column) -> Iterator[str]:
    if column.formatter in _PLAIN:
        yield f"{_PLAIN[column.formatter]} in {column.name}: its values are shown as text"
    if column.link_target not in _LINKS:
        yield f"the link {column.link_target} of {column.name}"
    if column.formatter is Formatter.THRESHOLDS and column.thresholds_are == "colors":
        yield f"colours of {column.name}: shapes stand for them"
    for threshold in column.thresholds:
        if threshold.operator not in OPERATORS | {"Default"}:
            yield f"the comparison {threshold.operator} of {column.name}"
        if threshold.representation not in PICTURES | {_BLANK}:
            yield f"the picture {threshold.representation} of {column.name}"
