"""From the JSON of a query item to the model: the query, its time, and how the result is shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from embedded.workbook.json_object import JsonObject, WorkbookError
from embedded.workbook.model import (
    AxisChart,
    Card,
    Column,
    Export,
    Formatter,
    Grid,
    Item,
    Query,
    SortBy,
    Threshold,
    Tiles,
    UnknownItem,
)

_CHARTS = {"timechart", "linechart", "areachart", "barchart", "unstackedbar", "categoricalbar", "piechart"}
_LOGS = 0


def read_query(content: JsonObject, common: dict[str, Any], entry: JsonObject) -> Item:
    """The query item at `content`. A source that isn't Log Analytics or a drawing that isn't known is named."""
    content.skip(
        "version", "resourceType", "crossComponentResources", "aggregation", "showAnalytics", "showRefreshButton"
    )
    if (source := content.whole("queryType", _LOGS)) != _LOGS:
        return UnknownItem(**common, why=f"queries of type {source} are not read", content=content.anything("query"))
    visualization = content.text("visualization", "table")
    shown = _shown_as(visualization, content)
    if shown is None:
        return UnknownItem(**common, why=f"{visualization!r} is not drawn", content=content.anything("query"))
    shown_as, unread = shown
    exports = tuple(
        Export(one.text("fieldName", ""), one.text("parameterName"), one.text("defaultValue", ""))
        for one in content.children("exportedParameters")
    )
    if content.has("exportFieldName") or content.has("exportParameterName"):
        single = Export(
            content.text("exportFieldName", ""), content.text("exportParameterName"),
            content.text("exportDefaultValue", ""),
        )  # fmt: skip
        exports = (single, *exports)
    time_context = content.child("timeContext")
    span = time_context.whole("durationMs", 0)
    if not 0 <= span < 10**13:
        raise WorkbookError(f"{time_context.path}.durationMs: milliseconds are wanted")
    return Query(
        **common,
        kql=content.text("query"),
        shown_as=shown_as,
        title=content.text("title", ""),
        no_data=content.text("noDataMessage", ""),
        size=content.whole("size", 0),
        time_parameter=content.text("timeContextFromParameter", ""),
        time_span=timedelta(milliseconds=span) if span else None,
        exports=exports,
        exports_to_excel=content.flag("showExportToExcel"),
        unread=(*entry.unread(), *content.unread("content."), *unread),
    )


def _shown_as(
    visualization: str, content: JsonObject
) -> tuple[Grid | Tiles | AxisChart | Card, tuple[str, ...]] | None:
    if visualization == "table":
        return _grid(content.child("gridSettings"))
    if visualization == "tiles":
        return _tiles(content.child("tileSettings"))
    if visualization == "card":
        settings = content.child("textSettings")
        return Card(settings.text("style", "")), settings.unread("content.textSettings.")
    if visualization in _CHARTS:
        return _chart(visualization, content.child("chartSettings"))
    return None


def _grid(settings: JsonObject) -> tuple[Grid, tuple[str, ...]]:
    unread: tuple[str, ...] = ()
    columns = []
    for entry in settings.children("formatters"):
        column, rest = _column(entry)
        columns.append(column)
        unread += rest
    grid = Grid(
        columns=tuple(columns),
        labels={one.text("columnId"): one.text("label", "") for one in settings.children("labelSettings")},
        row_limit=settings.whole("rowLimit", 250),
        filter=settings.flag("filter"),
        sort=tuple(_sort(one) for one in settings.children("sortBy")),
    )
    return grid, unread + settings.unread("content.gridSettings.")


def _sort(entry: JsonObject) -> SortBy:
    order = entry.whole("sortOrder", 1)
    if order not in {1, 2}:
        raise WorkbookError(f"{entry.path}.sortOrder: 1 (ascending) or 2 (descending) is wanted")
    return SortBy(entry.text("itemKey"), descending=order == 2)


def _tiles(settings: JsonObject) -> tuple[Tiles, tuple[str, ...]]:
    unread: tuple[str, ...] = ()
    parts: dict[str, Column] = {}
    for part in ("title", "subtitle", "left", "right", "secondary"):
        if settings.has(f"{part}Content"):
            parts[part], rest = _column(settings.child(f"{part}Content"))
            unread += rest
    settings.skip(*(f"{part}Content" for part in ("title", "subtitle", "left", "right", "secondary")))
    tiles = Tiles(**parts, border=settings.flag("showBorder"), size=settings.text("size", "fixed"))
    return tiles, unread + settings.unread("content.tileSettings.")


def _chart(kind: str, settings: JsonObject) -> tuple[AxisChart, tuple[str, ...]]:
    series = settings.children("seriesLabelSettings")
    chart = AxisChart(
        kind=kind,
        x=settings.text("xAxis", ""),
        y=settings.texts("yAxis"),
        group=settings.text("group", ""),
        legend=settings.flag("showLegend") or not settings.has("showLegend"),
        colors={one.text("seriesName"): one.text("color", "") for one in series if one.has("color")},
        labels={one.text("seriesName"): one.text("label", "") for one in series if one.has("label")},
    )
    # At how many series the rest becomes "Other" matters to nobody with a handful of series.
    settings.skip("createOtherGroup")
    return chart, settings.unread("content.chartSettings.")


def _column(entry: JsonObject) -> tuple[Column, tuple[str, ...]]:
    number = entry.whole("formatter")
    try:
        formatter = Formatter(number)
    except ValueError:
        raise WorkbookError(f"{entry.path}.formatter: the formatter {number} is not read") from None
    options = entry.child("formatOptions")
    options.skip("linkIsContextBlade", "showIcon", "palette")
    numbers = entry.child("numberFormat")
    numbers.skip("unit", "options")
    dates = entry.child("dateFormat")
    dates.skip("formatName", "showUtcTime")
    column = Column(
        name=entry.text("columnMatch"),
        formatter=formatter,
        thresholds=tuple(_threshold(one) for one in options.children("thresholdsGrid")),
        thresholds_are=options.text("thresholdsOptions", "icons"),
        link_target=options.text("linkTarget", ""),
        link_column=options.text("linkColumn", ""),
        link_label=options.text("linkLabel", ""),
        width=options.text("customColumnWidthSetting", ""),
        empty_text=numbers.text("emptyValCustomText", ""),
    )
    where = f"{column.name}."
    return column, (*entry.unread(where), *options.unread(where), *numbers.unread(where), *dates.unread(where))


def _threshold(entry: JsonObject) -> Threshold:
    value = entry.anything("thresholdValue")
    return Threshold(
        entry.text("operator"),
        "" if value is None else str(value),
        entry.text("representation"),
        entry.text("text", ""),
    )
