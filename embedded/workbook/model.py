"""What a workbook consists of. Names in quotes are those of the workbook's JSON.

The numbers in the JSON (item types, formatters, parameter types) are from the workbooks that Microsoft publishes in
its gallery; their meaning is set down in the enumerations here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum
from typing import Any


class ParameterKind(IntEnum):
    """What a parameter holds, by the number that "type" has."""

    TEXT = 1
    DROPDOWN = 2
    TIME_RANGE = 4
    RESOURCE = 5


class Formatter(IntEnum):
    """How a cell or a part of a tile is shown, by the number that "formatter" has."""

    AUTOMATIC = 0
    TEXT = 1
    RIGHT_ALIGNED = 2
    BAR = 3
    HIDDEN = 5
    TIME = 6
    LINK = 7
    HEATMAP = 8
    BIG_NUMBER = 12
    RESOURCE = 13
    THRESHOLDS = 18


@dataclass(frozen=True, slots=True)
class Condition:
    """`parameter` equals `value`, or, unless `equal`, doesn't. A parameter without a value equals ''."""

    parameter: str
    equal: bool
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What all items have. `width` is in percent of the line; items whose widths fit share one."""

    name: str
    width: int = 100
    conditions: tuple[Condition, ...] = ()
    """All must hold for the item to be shown."""
    unread: tuple[str, ...] = ()
    """Settings in the JSON that this model doesn't know: whoever draws the item can't honour them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Item):
    """Markdown, with tokens. `style`: '', info, success, upsell, warning or error."""

    markdown: str
    style: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a strip."""

    name: str
    kind: ParameterKind
    label: str
    description: str = ""
    kql: str = ""
    """Where a drop-down's choices, or a text's value, come from. Has tokens. Empty: none."""
    multiple: bool = False
    quote: str = ""
    delimiter: str = ","
    offers_all: bool = False
    all_value: str | None = None
    """What stands for the choice of all; None: every choice, one by one."""
    default: str = ""
    """The value as it is at first: a text, a choice, `value::all`, or the milliseconds of a time range."""
    required: bool = False
    hidden: bool = False
    """Not shown to a reader ("isHiddenWhenLocked")."""
    durations: tuple[timedelta, ...] = ()
    allows_custom: bool = False
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters(Item):
    """A strip of parameters."""

    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """A tab or a link. `target` "parameter" sets `parameter` to `value`; "Url" opens `value`."""

    label: str
    target: str
    parameter: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Links(Item):
    """Tabs (`style` "tabs"; the first is the chosen one at first) or links."""

    style: str
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Threshold:
    """One line of a threshold's list: where the cell `operator` `value` holds, show `representation` and `text`.

    `representation` is an icon's or a colour's name; in `text`, {0} is the value and {1} its unit. The operator
    "Default" always holds and comes last.
    """

    operator: str
    value: str
    representation: str
    text: str


@dataclass(frozen=True, slots=True)
class Column:
    """How one column is shown. `name` is the column's name, or a pattern for several ("columnMatch")."""

    name: str
    formatter: Formatter
    thresholds: tuple[Threshold, ...] = ()
    thresholds_are: str = "icons"
    link_target: str = ""
    """"Url", "CellDetails" (the whole value in a side pane) or "Resource"; empty: no link."""
    link_column: str = ""
    """The column that holds the link's address, where it isn't this one."""
    link_label: str = ""
    width: str = ""
    empty_text: str = ""
    """What stands for a missing value."""


@dataclass(frozen=True, slots=True)
class SortBy:
    column: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Grid:
    """A table. Columns that `columns` doesn't name are shown as they are."""

    columns: tuple[Column, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    row_limit: int = 250
    filter: bool = False
    sort: tuple[SortBy, ...] = ()


TilePart = Column
"""A part of a tile is described as a column is."""


@dataclass(frozen=True, slots=True)
class Tiles:
    """One tile for each row."""

    title: TilePart | None = None
    subtitle: TilePart | None = None
    left: TilePart | None = None
    right: TilePart | None = None
    secondary: TilePart | None = None
    border: bool = False
    size: str = "fixed"


@dataclass(frozen=True, slots=True)
class AxisChart:
    """A chart over x; `group` makes a series for each of its values. `kind` as "visualization" has it."""

    kind: str
    x: str = ""
    y: tuple[str, ...] = ()
    group: str = ""
    legend: bool = True
    colors: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Card:
    """The first cell of the result as one text. `style`: '', header, bignumber, markdown or editor (as code)."""

    style: str = ""


@dataclass(frozen=True, slots=True)
class Export:
    """A click on a row sets `parameter` to its `column` (empty: the whole row as JSON); `default` without a click."""

    column: str
    parameter: str
    default: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query(Item):
    """A query and how its result is shown."""

    kql: str
    """With tokens: `fill` it before it is run."""
    shown_as: Grid | Tiles | AxisChart | Card
    title: str = ""
    no_data: str = ""
    size: int = 0
    """0 medium, 1 small, 2 large, 3 full, 4 tiny."""
    time_parameter: str = ""
    """The time range that Log Analytics limits the query to; empty: `time_span`."""
    time_span: timedelta | None = None
    exports: tuple[Export, ...] = ()
    exports_to_excel: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Item):
    """Items that are shown or hidden together."""

    items: tuple[Item, ...]
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownItem(Item):
    """An item of a kind that this model doesn't know, so that a page can say that it isn't drawn."""

    why: str
    content: Any = None


@dataclass(frozen=True, slots=True)
class Workbook:
    items: tuple[Item, ...]

    def walk(self) -> Iterator[tuple[Item, tuple[Condition, ...]]]:
        """Every item, groups before what they hold, with all conditions that it depends on."""
        yield from _walk(self.items, ())

    def parameters(self) -> Iterator[Parameter]:
        """The parameters of all strips, in the order in which they may depend on each other."""
        for item, _ in self.walk():
            if isinstance(item, Parameters):
                yield from item.parameters


def _walk(items: tuple[Item, ...], outer: tuple[Condition, ...]) -> Iterator[tuple[Item, tuple[Condition, ...]]]:
    for item in items:
        conditions = (*outer, *item.conditions)
        yield item, conditions
        if isinstance(item, Group):
            yield from _walk(item.items, conditions)
