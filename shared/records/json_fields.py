"""Single fields out of JSON that somebody else wrote: the wrong type reads as absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]


def mapping(source: object, *path: str) -> Json:
    """The object at ``path``, or an empty one."""
    for name in path:
        source = source.get(name) if isinstance(source, Mapping) else None
    return source if isinstance(source, Mapping) else {}


def text(source: object, *path: str) -> str:
    """The text at ``path``, or an empty one."""
    value = mapping(source, *path[:-1]).get(path[-1])
    return value if isinstance(value, str) else ""


def flag(source: object, *path: str) -> bool | None:
    """The boolean at ``path``, or ``None``."""
    value = mapping(source, *path[:-1]).get(path[-1])
    return value if isinstance(value, bool) else None


def integer(source: object, *path: str) -> int | None:
    """The whole number at ``path``, or ``None``."""
    value = mapping(source, *path[:-1]).get(path[-1])
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def texts(source: object, *path: str) -> tuple[str, ...] | None:
    """The list of texts at ``path``, or ``None`` if there is no list; other items are left out."""
    value = mapping(source, *path[:-1]).get(path[-1])
    if not isinstance(value, list):
        return None
    return tuple(item for item in value if isinstance(item, str))


def objects(source: object, *path: str) -> tuple[Json, ...]:
    """The list of objects at ``path``, or an empty one; other items are left out."""
    value = mapping(source, *path[:-1]).get(path[-1])
    if not isinstance(value, list):
        return ()
    return tuple(item for item in value if isinstance(item, Mapping))
