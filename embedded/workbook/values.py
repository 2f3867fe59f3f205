"""Values of parameters and what they become in KQL or in text, as Azure Workbooks writes them.

| token                  | in KQL                                        | in text              |
|------------------------|-----------------------------------------------|----------------------|
| {TimeRange}            | > ago(7d), or between(datetime(".."): ..)     | Last 7 days          |
| {TimeRange:start}      | datetime("2026-11-16T12:00:00.000Z")          | 2026-11-16 12:00 UTC |
| {TimeRange:grain}      | 4h                                            | 4h                   |
| {Registry}             | 'one','two'; the all value, quoted, for all   | the same             |
| {Registry:label}       | what the drop-down shows                      | the same             |
| {Finding}              | the text as it is                             | the same             |
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

# About sixty points for a chart, in steps that people read easily. Which steps the portal takes for which range isn't
# published; only how coarse a chart is depends on it.
_GRAINS = (
    (timedelta(hours=1), "1m"),
    (timedelta(hours=6), "5m"),
    (timedelta(hours=12), "15m"),
    (timedelta(days=1), "30m"),
    (timedelta(days=3), "1h"),
    (timedelta(days=7), "4h"),
    (timedelta(days=31), "12h"),
)
_COARSEST = "1d"
_UNITS = ((timedelta(days=1), "d", "day"), (timedelta(hours=1), "h", "hour"), (timedelta(minutes=1), "m", "minute"))


class Value(Protocol):
    """A parameter's value."""

    def format(self, option: str, *, kql: bool, now: datetime) -> str | None:
        """What `{Name:option}` becomes (`{Name}` has the option ''); None if there is no such option."""

    @property
    def comparable(self) -> str:
        """What a condition of visibility compares; '' if there is no value."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A text: of a hidden parameter, a clicked row, or the chosen tab."""

    text: str

    def format(self, option: str, *, kql: bool, now: datetime) -> str | None:  # noqa: ARG002
        return self.text if option in {"", "value", "label"} else None

    @property
    def comparable(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Choice:
    """What is chosen in a drop-down: (value, label) pairs. `all_value` stands for them when all are chosen."""

    chosen: tuple[tuple[str, str], ...]
    quote: str = ""
    delimiter: str = ","
    all_value: str | None = None
    """Set only if all are chosen and something stands for all."""

    def format(self, option: str, *, kql: bool, now: datetime) -> str | None:  # noqa: ARG002
        if option == "label":
            return "All" if self.all_value is not None else ", ".join(label for _, label in self.chosen)
        if option not in {"", "value"}:
            return None
        values = [value for value, _ in self.chosen] if self.all_value is None else [self.all_value]
        return self.delimiter.join(self._quoted(value) for value in values)

    @property
    def comparable(self) -> str:
        return self.all_value if self.all_value is not None else self.delimiter.join(value for value, _ in self.chosen)

    def _quoted(self, value: str) -> str:
        if not self.quote:
            return value
        # A quote in a name must not end the literal that it stands in.
        return self.quote + value.replace("\\", "\\\\").replace(self.quote, "\\" + self.quote) + self.quote


@dataclass(frozen=True, slots=True)
class TimeRange:
    """The last `duration`, or, with `start` set, the time from `start` on for that long."""

    duration: timedelta
    start: datetime | None = None

    @classmethod
    def between(cls, start: datetime, end: datetime) -> TimeRange:
        """From `start` to `end`; ValueError if there is no time in between."""
        if start.tzinfo is None or end.tzinfo is None:
            raise ValueError("a time range needs times with a zone")
        if end <= start:
            raise ValueError("a time range ends after it starts")
        return cls(end - start, start.astimezone(UTC))

    @property
    def comparable(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """As the drop-down shows it: "Last 7 days"."""
        if self.start is not None:
            return f"{_minutes(self.start)} to {_minutes(self.start + self.duration)}"
        number, _, word = _largest_unit(self.duration)
        return f"Last {word}" if number == 1 else f"Last {number} {word}s"

    @property
    def grain(self) -> str:
        """The width of a chart's bins, as a KQL timespan."""
        return next((grain for longest, grain in _GRAINS if self.duration <= longest), _COARSEST)

    def bounds(self, now: datetime) -> tuple[datetime, datetime]:
        """Its first and its last moment."""
        start = now - self.duration if self.start is None else self.start
        return start, start + self.duration

    def format(self, option: str, *, kql: bool, now: datetime) -> str | None:
        if option == "":
            return self._condition() if kql else self.label
        start, end = self.bounds(now)
        moment = _literal if kql else _minutes
        formats = {
            "query": self._condition(),
            "value": self._condition(),
            "label": self.label,
            "start": moment(start),
            "end": moment(end),
            "startISO": _iso(start),
            "endISO": _iso(end),
            "grain": self.grain,
            "seconds": str(int(self.duration.total_seconds())),
        }
        return formats.get(option)

    def _condition(self) -> str:
        if self.start is not None:
            return f"between({_literal(self.start)}..{_literal(self.start + self.duration)})"
        number, unit, _ = _largest_unit(self.duration)
        return f"> ago({number}{unit})"


def _largest_unit(span: timedelta) -> tuple[int, str, str]:
    for unit, letter, word in _UNITS:
        if span and span % unit == timedelta(0):
            return span // unit, letter, word
    return span // timedelta(milliseconds=1), "ms", "millisecond"


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _literal(moment: datetime) -> str:
    return f'datetime("{_iso(moment)}")'


def _minutes(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
