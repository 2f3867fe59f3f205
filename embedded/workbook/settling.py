"""From what a reader has chosen to the value of every parameter, and from those to what is shown.

Parameters are settled in the order of the workbook, since the choices of one may depend on another
(pipelines on registries). What was chosen and isn't offered any more is dropped, as the portal does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from embedded.workbook.model import Condition, Links, Parameter, ParameterKind, Query, Workbook
from embedded.workbook.tokens import fill
from embedded.workbook.values import Choice, Plain, TimeRange, Value

ALL = "value::all"
_DEFAULT_SPAN = timedelta(days=1)

Chosen = Mapping[str, "str | Sequence[str] | TimeRange"]
"""What a reader chose, by parameter: texts (a drop-down, a tab, a clicked row's column) or a time range."""

Ask = Callable[[str], Sequence[Mapping[str, Any]]]
"""Runs KQL and gives its rows by column, in the order of the columns."""


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a drop-down."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Settled:
    """The value of every parameter, and what each drop-down offers."""

    values: dict[str, Value]
    options: dict[str, tuple[Option, ...]]


def settle(workbook: Workbook, chosen: Chosen, ask: Ask, *, now: datetime) -> Settled:
    """The values that `chosen` leads to, with defaults for the rest. `ask` is called for each parameter's query."""
    settled = Settled({}, {})
    # Tabs and clicked rows depend on no query, and queries of parameters may well name them.
    for item, _ in workbook.walk():
        if isinstance(item, Links):
            for link in item.links:
                if link.target == "parameter" and link.parameter not in settled.values:
                    first = link.value if item.style == "tabs" else ""
                    settled.values[link.parameter] = Plain(_text(chosen.get(link.parameter), first))
        elif isinstance(item, Query):
            for export in item.exports:
                settled.values[export.parameter] = Plain(_text(chosen.get(export.parameter), export.default))
    for parameter in workbook.parameters():
        settled.values[parameter.name] = _settled(parameter, chosen.get(parameter.name), settled, ask, now)
    return settled


def is_visible(conditions: Iterable[Condition], values: Mapping[str, Value]) -> bool:
    """Whether all conditions hold. A parameter that nobody has set compares as ''."""
    return all(
        ((values[one.parameter].comparable if one.parameter in values else "") == one.value) == one.equal
        for one in conditions
    )


def _settled(parameter: Parameter, chosen: object, settled: Settled, ask: Ask, now: datetime) -> Value:
    if parameter.kind is ParameterKind.TIME_RANGE:
        if isinstance(chosen, TimeRange):
            return chosen
        return TimeRange(timedelta(milliseconds=int(parameter.default)) if parameter.default else _DEFAULT_SPAN)
    rows: Sequence[Mapping[str, Any]] = ()
    if parameter.kql:
        rows = ask(fill(parameter.kql, settled.values, now=now))
    if parameter.kind is ParameterKind.DROPDOWN:
        options = tuple(_option(row) for row in rows)
        settled.options[parameter.name] = options
        return _choice(parameter, _texts(chosen), options)
    if rows:
        return Plain(_shown(next(iter(rows[0].values()), "")))
    return Plain(_text(chosen, parameter.default))


def _option(row: Mapping[str, Any]) -> Option:
    cells = [_shown(cell) for cell in row.values()]
    return Option(cells[0], cells[1] if len(cells) > 1 else cells[0])


def _choice(parameter: Parameter, chosen: Sequence[str], options: Sequence[Option]) -> Choice:
    wanted = set(chosen) & {ALL, *(option.value for option in options)}
    if not wanted and parameter.default:
        wanted = {parameter.default}
    if ALL in wanted and parameter.offers_all:
        everything = tuple((option.value, option.label) for option in options)
        return Choice(everything, parameter.quote, parameter.delimiter, parameter.all_value)
    picked = tuple((option.value, option.label) for option in options if option.value in wanted)
    if not parameter.multiple:
        picked = picked[:1]
    return Choice(picked, parameter.quote, parameter.delimiter)


def _texts(chosen: object) -> Sequence[str]:
    if isinstance(chosen, str):
        return (chosen,) if chosen else ()
    return [one for one in chosen if isinstance(one, str)] if isinstance(chosen, list | tuple | set | frozenset) else ()


def _text(chosen: object, default: str) -> str:
    return chosen if isinstance(chosen, str) and chosen else default


def _shown(cell: object) -> str:
    return "" if cell is None else str(cell)
