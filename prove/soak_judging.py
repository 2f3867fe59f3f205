"""What the soak is judged by: is everything said that has to be said, once, and does memory stay flat."""

from __future__ import annotations

import itertools
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from prove.soak_delivery import Delivered
from prove.soak_world import Expected

Row = Mapping[str, Any]
Sample = tuple[int, float]
# Megabytes for each thousand events over the second half: 250 bytes an event. One kept row would be ten times that.
MOST_GROWTH: Final = 0.25
# What asks for another delivery (docs/design.md); anything else is no answer to give to Event Grid.
FORESEEN: Final = frozenset({"Unreachable", "NotStored", "AlreadyInProgress"})
# On a machine that is too busy an answer may come too late for a look. More than one in twenty is no accident.
MOST_LEFT_OPEN: Final = 0.05
_CANNOT_CHECK: Final = "ACRT901"
_TOLD: Final = "AcrTransfer.Finding.Opened"
_BARS: Final = "▁▂▃▄▅▆▇█"


def _by_name(rows: Iterable[Row]) -> Mapping[str, Sequence[Row]]:
    """The rows of each run, and of each blob that is looked at for its own sake."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["RunName"] or row["BlobName"]].append(row)
    return found


def left_open(expected: Iterable[Expected], rows: Iterable[Row]) -> int:
    """About how many the app said itself that it could not look at everything: the sweep takes them up again."""
    found = _by_name(rows)
    return sum(_is_left_open(found.get(one.name, ())) for one in expected)


def _is_left_open(rows: Sequence[Row]) -> bool:
    return any(row["RuleId"] == _CANNOT_CHECK for row in rows)


def losses(expected: Iterable[Expected], rows: Iterable[Row]) -> list[str]:
    """A sentence for each run or blob about which something is missing, wrong or said with two ids."""
    found = _by_name(rows)
    return [sentence for one in expected if (sentence := _loss(one, found.get(one.name, ())))]


def _loss(one: Expected, rows: Sequence[Row]) -> str:
    ids = {(row["RuleId"], row["FindingId"]) for row in rows if row["RuleId"] != _CANNOT_CHECK}
    rules = sorted(rule for rule, _ in ids)
    missing = one.rules.difference(rules)
    if missing:
        return f"{one.name}: no row of {', '.join(sorted(missing))}, only {', '.join(rules) or 'nothing'}"
    causes = sorted({(row["RuleId"], row["FindingId"]) for row in rows if row["Role"] == "RootCause"})
    if [rule for rule, _ in causes] != ([one.root_cause] if one.root_cause else []):
        return f"{one.name}: root causes {[rule for rule, _ in causes]}, expected {one.root_cause or 'none'}"
    if one.is_faulty:
        repeated = {rule for rule in one.rules if rules.count(rule) > 1}
        return f"{one.name}: {', '.join(sorted(repeated))} under several ids" if repeated else ""
    if rules != sorted(one.rules):
        return f"{one.name}: nothing is wrong with it, but there are rows of {', '.join(rules)}"
    outcomes = {row["Outcome"] for row in rows if row["RuleId"] in one.rules}
    if one.outcome and outcomes != {one.outcome} and not (_is_left_open(rows) and outcomes == {"Unknown"}):
        return f"{one.name}: {rules[0]} is {', '.join(sorted(outcomes))}, expected {one.outcome}"
    return ""


def untold(rows: Iterable[Row], published: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each condition behind a failed run that was published not at all, or under two ids."""
    told: dict[str, set[str]] = defaultdict(set)
    for alert in published:
        if alert["type"] == _TOLD:
            told[alert["data"]["FindingKey"]].add(alert["id"])
    causes = {row["FindingKey"]: row["RuleId"] for row in rows if row["Role"] == "RootCause"}
    return [
        f"the condition {rule} {key} was published under {len(told[key])} ids"
        for key, rule in causes.items()
        if len(told[key]) != 1
    ]


def wrongs(
    expected: Sequence[Expected], delivered: Delivered, rows: Sequence[Row], published: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Everything that is lost, false or not foreseen, a sentence each."""
    unforeseen = [
        f"{count} events raised {kind}, which asks for nothing"
        for kind, count in delivered.raised.items()
        if kind not in FORESEEN
    ]
    return [*delivered.given_up, *unforeseen, *losses(expected, rows), *untold(rows, published)]


def growth(samples: Sequence[Sample]) -> float:
    """By how many megabytes a thousand events the memory grew in the second half: the slope of a straight line.

    ``samples`` are how many events were done and how many megabytes were resident then. The largest single rise is
    left out: some moment has the most work at once. What leaks rises again and again.
    """
    half = samples[-1][0] / 2
    second = [sample for sample in samples if sample[0] >= half]
    if len(second) < 3:
        raise ValueError("memory was looked at too rarely to tell")
    rises = [later - sooner for (_, sooner), (_, later) in itertools.pairwise(second)]
    largest = max(rises)
    after = rises.index(largest)
    resident = [value - (max(largest, 0.0) if number > after else 0.0) for number, (_, value) in enumerate(second)]
    return 1_000 * statistics.linear_regression([done for done, _ in second], resident).slope


def sparkline(samples: Sequence[Sample]) -> str:
    """The memory over time as a row of bars, the lowest and the highest sample at its ends."""
    values = [resident for _, resident in samples]
    low, span = min(values), max(values) - min(values) or 1.0
    return "".join(_BARS[min(int((value - low) / span * len(_BARS)), len(_BARS) - 1)] for value in values)


def memory_table(samples: Sequence[Sample], lines: int = 8) -> str:
    """A few of the samples, the first and the last among them."""
    picked = dict.fromkeys(round(n * (len(samples) - 1) / (lines - 1)) for n in range(lines))
    return "\n".join(f"  {samples[n][0]:>8,} events {samples[n][1]:>8.1f} MB" for n in picked)
