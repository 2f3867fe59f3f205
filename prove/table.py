"""The matrix as a table: its limits, a word for each cell, and a sentence for each hole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from prove.cells import FAULTS
from prove.judging import Cell
from prove.limits import TimeLimits


def head(allowed: TimeLimits, *, short: bool) -> str:
    """What the times in the table are held against."""
    whose = "shortened" if short else "the product's own"
    return (
        f"Time limits ({whose}): {allowed.handler:g} s for an event's handler, {allowed.sweep:g} s for a sweep, "
        "which ends at its deadline and writes its heartbeat.\n"
    )


def table(cells: Sequence[Cell]) -> str:
    """A row for each dependency, a column for each fault; what was not played is a dot."""
    by_place = {(cell.dependency.label, cell.fault): cell for cell in cells}
    labels = list(dict.fromkeys(cell.dependency.label for cell in cells))
    width = max(map(len, labels))
    lines = [" " * width + "".join(f"{fault:>7}" for fault in FAULTS) + "  longest"]
    for label in labels:
        row = [by_place.get((label, fault)) for fault in FAULTS]
        longest = max(cell.seconds for cell in row if cell is not None)
        words = "".join(f"{cell.shown if cell is not None else '·':>7}" for cell in row)
        lines.append(f"{label:{width}}{words}{longest:7.1f} s")
    return "\n".join(lines)


def holes(cells: Sequence[Cell]) -> list[str]:
    """A sentence for each hole."""
    return [f"{cell.dependency.label}, {cell.fault}: {hole}" for cell in cells for hole in cell.holes]


def summary(cells: Sequence[Cell], seconds: float) -> str:
    """How many cells ended in which word, what took longest, and every hole."""
    found = holes(cells)
    words = ", ".join(f"{count} {word}" for word, count in Counter(cell.shown for cell in cells).most_common())
    slowest = max(cells, key=lambda cell: cell.seconds)
    asked = sum(cell.hits for cell in cells)
    longest = f"the longest took {slowest.seconds:.1f} s ({slowest.dependency.label}, {slowest.fault})"
    lines = [
        f"\n{len(cells)} cells in {seconds / 60:.1f} min: {words}; {len(found)} holes",
        f"{asked:,} requests met a fault; {longest}",
    ]
    return "\n".join([*lines, *(f"  {hole}" for hole in found)])
