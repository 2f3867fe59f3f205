"""Reading JSON objects with types, and knowing afterwards which keys nobody asked for."""

from __future__ import annotations

from typing import Any


class WorkbookError(ValueError):
    """A text is no workbook. The message begins with the place in the JSON."""


class JsonObject:
    """An object of the JSON at `path`. Each getter marks its key as read; a wrong type is a WorkbookError."""

    def __init__(self, value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise WorkbookError(f"{path}: an object is wanted")
        self._value: dict[str, Any] = value
        self._read: set[str] = set()
        self.path = path

    def text(self, key: str, default: str | None = None) -> str:
        """A text; without `default` it has to be there. null counts as not there."""
        value = self._get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self._wanted(key, "a text")
        return value

    def flag(self, key: str) -> bool:
        value = self._get(key)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise self._wanted(key, "true or false")
        return value

    def whole(self, key: str, default: int | None = None) -> int:
        value = self._get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wanted(key, "a whole number")
        return value

    def child(self, key: str) -> JsonObject:
        """An object; one that isn't there reads as empty."""
        value = self._get(key)
        return JsonObject({} if value is None else value, f"{self.path}.{key}")

    def children(self, key: str) -> list[JsonObject]:
        """A list of objects; one that isn't there reads as empty."""
        return [JsonObject(entry, f"{self.path}.{key}[{i}]") for i, entry in enumerate(self._list(key))]

    def texts(self, key: str) -> tuple[str, ...]:
        values = self._list(key)
        if not all(isinstance(value, str) for value in values):
            raise self._wanted(key, "a list of texts")
        return tuple(values)

    def anything(self, key: str) -> Any:
        return self._get(key)

    def skip(self, *keys: str) -> None:
        """Keys that say nothing about what is shown."""
        self._read.update(keys)

    def has(self, key: str) -> bool:
        return self._value.get(key) is not None

    def unread(self, prefix: str = "") -> tuple[str, ...]:
        """The keys that nobody asked for."""
        return tuple(prefix + key for key in self._value if key not in self._read)

    def _list(self, key: str) -> list[Any]:
        value = self._get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._wanted(key, "a list")
        return value

    def _get(self, key: str) -> Any:
        self._read.add(key)
        return self._value.get(key)

    def _wanted(self, key: str, what: str) -> WorkbookError:
        return WorkbookError(f"{self.path}.{key}: {what} is wanted")
