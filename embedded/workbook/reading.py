"""From a workbook's JSON to the model. Anything malformed is a WorkbookError that names the place."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from embedded.workbook.json_object import JsonObject, WorkbookError
from embedded.workbook.model import (
    Condition,
    Group,
    Item,
    Link,
    Links,
    Parameter,
    ParameterKind,
    Parameters,
    Text,
    UnknownItem,
    Workbook,
)
from embedded.workbook.reading_query import read_query

__all__ = ["WorkbookError", "read_workbook"]

_ALL = "value::all"
# Groups in groups of a workbook that a person has made are a handful; this only stops a hostile file.
_DEEPEST = 20


def read_workbook(text: str) -> Workbook:
    """The workbook that `text`, the JSON of the file in infra/workbooks, describes."""
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WorkbookError(f"the workbook is no JSON: {error}") from None
    root = JsonObject(parsed, "workbook")
    version = root.text("version")
    if version != "Notebook/1.0":
        raise WorkbookError(f"workbook.version: 'Notebook/1.0' is wanted, not {version!r:.40}")
    return Workbook(_items(root, 0))


def _items(parent: JsonObject, depth: int) -> tuple[Item, ...]:
    if depth > _DEEPEST:
        raise WorkbookError(f"{parent.path}: groups are nested more than {_DEEPEST} deep")
    return tuple(_item(entry, depth) for entry in parent.children("items"))


def _item(entry: JsonObject, depth: int) -> Item:
    kind = entry.whole("type")
    content = entry.child("content")
    conditions = tuple(_condition(one) for one in entry.children("conditionalVisibilities"))
    if entry.has("conditionalVisibility"):
        conditions = (*conditions, _condition(entry.child("conditionalVisibility")))
    common: dict[str, Any] = {
        "name": entry.text("name", ""),
        "width": _width(entry),
        "conditions": conditions,
    }
    # Margins and pin buttons belong to the portal.
    entry.skip("styleSettings", "showPin", "conditionalVisibility")
    if kind == _GROUP:
        return Group(
            **common, title=content.text("title", ""), items=_items(content, depth + 1),
            unread=(*entry.unread(), *_group_rest(content)),
        )  # fmt: skip
    read = _READERS.get(kind)
    if read is None:
        return UnknownItem(**common, why=f"items of type {kind} are not read", content=entry.anything("content"))
    return read(content, common, entry)


def _group_rest(content: JsonObject) -> tuple[str, ...]:
    content.skip("version", "loadType")
    if content.text("groupType", "editable") == "editable":
        return content.unread("content.")
    return ("content.groupType", *content.unread("content."))


def _width(entry: JsonObject) -> int:
    text = entry.text("customWidth", "100")
    if not (text.isascii() and text.isdigit() and 0 < int(text[:4]) <= 100):
        raise WorkbookError(f"{entry.path}.customWidth: a percentage is wanted")
    return int(text)


def _condition(entry: JsonObject) -> Condition:
    comparison = entry.text("comparison")
    if comparison not in {"isEqualTo", "isNotEqualTo"}:
        raise WorkbookError(f"{entry.path}.comparison: isEqualTo or isNotEqualTo is wanted")
    return Condition(entry.text("parameterName"), comparison == "isEqualTo", entry.text("value", ""))


def _text(content: JsonObject, common: dict[str, Any], entry: JsonObject) -> Item:
    markdown, style = content.text("json"), content.text("style", "")
    return Text(**common, markdown=markdown, style=style, unread=(*entry.unread(), *content.unread("content.")))


def _links(content: JsonObject, common: dict[str, Any], entry: JsonObject) -> Item:
    content.skip("version")
    style = content.text("style", "bullets")
    links = []
    unread: tuple[str, ...] = ()
    for number, link in enumerate(content.children("links")):
        link.skip("id", "style", "preText", "postText")
        links.append(
            Link(
                link.text("linkLabel", ""), link.text("linkTarget"), link.text("cellValue", ""),
                link.text("subTarget", ""),
            )
        )  # fmt: skip
        unread += link.unread(f"content.links[{number}].")
    unread += (*entry.unread(), *content.unread("content."))
    return Links(**common, style=style, links=tuple(links), unread=unread)


def _parameters(content: JsonObject, common: dict[str, Any], entry: JsonObject) -> Item:
    content.skip("version", "style", "queryType", "resourceType", "crossComponentResources")
    parameters = tuple(_parameter(one) for one in content.children("parameters"))
    unread = (*entry.unread(), *content.unread("content."))
    return Parameters(**common, parameters=parameters, unread=unread)


def _parameter(entry: JsonObject) -> Parameter:
    number = entry.whole("type")
    try:
        kind = ParameterKind(number)
    except ValueError:
        raise WorkbookError(f"{entry.path}.type: parameters of type {number} are not read") from None
    entry.skip("id", "version", "queryType", "resourceType", "crossComponentResources", "timeContext")
    entry.skip("timeContextFromParameter", "isGlobal")
    settings = entry.child("typeSettings")
    settings.skip("resourceTypeFilter", "showDefault")
    name = entry.text("name")
    durations = tuple(_span(one) for one in settings.children("selectableValues"))
    return Parameter(
        name=name,
        kind=kind,
        label=entry.text("label", name),
        description=entry.text("description", ""),
        kql=entry.text("query", ""),
        multiple=entry.flag("multiSelect"),
        quote=entry.text("quote", ""),
        delimiter=entry.text("delimiter", ","),
        offers_all=_ALL in settings.texts("additionalResourceOptions"),
        all_value=settings.text("selectAllValue") if settings.has("selectAllValue") else None,
        default=_default(entry, kind),
        required=entry.flag("isRequired"),
        hidden=entry.flag("isHiddenWhenLocked"),
        durations=durations,
        allows_custom=settings.flag("allowCustom"),
        unread=(*entry.unread(), *settings.unread("typeSettings.")),
    )


def _default(entry: JsonObject, kind: ParameterKind) -> str:
    if kind is ParameterKind.TIME_RANGE:
        return str(entry.child("value").whole("durationMs")) if entry.has("value") else ""
    value = entry.anything("value")
    if isinstance(value, list):
        # What was chosen when the workbook was saved; several choices at first are not wanted here.
        value = value[0] if len(value) == 1 else None
    entry.skip("selectAllValue")
    fallback = entry.text("defaultValue", "")
    return value if isinstance(value, str) and value else fallback


def _span(entry: JsonObject) -> timedelta:
    milliseconds = entry.whole("durationMs")
    entry.skip("createdTime", "isInitialTime", "grain", "useDashboardTimeRange")
    if not 0 < milliseconds < 10**13:
        raise WorkbookError(f"{entry.path}.durationMs: milliseconds are wanted")
    return timedelta(milliseconds=milliseconds)


_GROUP = 12
_READERS: dict[int, Callable[[JsonObject, dict[str, Any], JsonObject], Item]] = {
    1: _text,
    3: read_query,
    9: _parameters,
    11: _links,
}
