"""The workbook that infra/ deploys, read into typed items, with its parameters filled into the KQL.

`read_workbook` turns the JSON into items (`model`); `settle` finds the value of every parameter, asking the
store for the choices of drop-downs (`settling`); `fill` puts values into KQL or text (`tokens`); `is_visible`
says what is shown. What this model doesn't read of an item stands in `Item.unread`, so that nothing that a
workbook asks for is dropped without a word.
"""

from embedded.workbook.model import (
    AxisChart,
    Card,
    Column,
    Condition,
    Export,
    Formatter,
    Grid,
    Group,
    Item,
    Link,
    Links,
    Parameter,
    ParameterKind,
    Parameters,
    Query,
    SortBy,
    Text,
    Threshold,
    TilePart,
    Tiles,
    UnknownItem,
    Workbook,
)
from embedded.workbook.reading import WorkbookError, read_workbook
from embedded.workbook.settling import Chosen, Option, Settled, is_visible, settle
from embedded.workbook.tokens import TokenError, fill, tokens
from embedded.workbook.values import Choice, Plain, TimeRange, Value

__all__ = [
    "AxisChart",
    "Card",
    "Choice",
    "Chosen",
    "Column",
    "Condition",
    "Export",
    "Formatter",
    "Grid",
    "Group",
    "Item",
    "Link",
    "Links",
    "Option",
    "Parameter",
    "ParameterKind",
    "Parameters",
    "Plain",
    "Query",
    "Settled",
    "SortBy",
    "Text",
    "Threshold",
    "TilePart",
    "Tiles",
    "TimeRange",
    "TokenError",
    "UnknownItem",
    "Value",
    "Workbook",
    "WorkbookError",
    "fill",
    "is_visible",
    "read_workbook",
    "settle",
    "tokens",
]
