"""What became of what was told: whether it is lost, whether a pass is false, and whether a secret was written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from localcloud.service import Fault
from prove.cells import GONE, Dependency, Door
from prove.stage import BARE_BLOB, CAUSES, GOOD_BLOB, SWEPT_RUN, TOLD_RUN, Row, Stage
from tests.leaks import SecretsSeen, written_by_the_product

_CANNOT_CHECK: Final = "ACRT901"
# Found at a blob that has neither metadata nor a hash.
_OF_BARE_BLOB: Final = frozenset({"ACRT505", "ACRT506", "ACRT701"})


@dataclass(slots=True)
class Cell:
    """One cell: how it went, in a word, and what is wrong with it."""

    dependency: Dependency
    fault: str
    word: str = ""
    seconds: float = 0.0
    hits: int = 0
    holes: list[str] = field(default_factory=list)

    @property
    def shown(self) -> str:
        """The word in the table."""
        return "HOLE" if self.holes else self.word


async def judge(cell: Cell, stage: Stage, fault: Fault, before: int, during: int) -> None:
    """Fills in the word and the holes; rows from ``before`` to ``during`` were written while the fault held."""
    cell.hits = fault.hits
    rows = stage.rows
    if not fault.hits:
        cell.holes.append("the dependency was not asked")
    _false_passes(cell, rows[before:during])
    if cell.dependency.door is Door.RUN:
        _run(cell, stage, TOLD_RUN, at_once=during > before)
    else:
        if cell.dependency.door is Door.SWEEP:
            _run(cell, stage, SWEPT_RUN, at_once=during > before)
            _still_open(cell, rows)
        _blobs(cell, rows)
        if len(await stage.state("expectations/")) < 2:
            cell.holes.append("an expected import was forgotten")
    _alerts(cell, stage)
    secrets = SecretsSeen()
    secrets.add(stage.cloud.issued_secrets)
    leaked = secrets.found_in(await written_by_the_product(stage.cloud) + "\n".join(stage.logged))
    if leaked:
        cell.holes.append(f"secrets were written: {', '.join(leaked)}")


def _false_passes(cell: Cell, rows: list[Row]) -> None:
    if not cell.dependency.judged or not cell.hits:
        return
    opened = {row["FindingKey"] for row in rows if row["State"] == "Open"}
    for row in rows:
        if row["RuleId"] == _CANNOT_CHECK and row["FindingKey"] not in opened:
            continue  # a gap from before the fault, which may well have closed
        if row["Outcome"] == "Pass" and row["RuleId"] not in {"ACRT100", "ACRT903"}:
            cell.holes.append(f"{row['RuleId']} {row['State']} rests on what was not there")


def live_causes(rows: list[Row], run: str) -> list[Row]:
    """The root causes of a run that were not taken back, one row for each occurrence."""
    found: dict[str, Row] = {}
    for row in rows:
        if row["RunName"] == run and row["Role"] == "RootCause":
            if row["State"] == "Resolved":
                found.pop(row["FindingId"], None)
            else:
                found[row["FindingId"]] = row
    return list(found.values())


def _run(cell: Cell, stage: Stage, run: str, *, at_once: bool) -> None:
    causes = live_causes(stage.rows, run)
    said = [row for row in stage.rows if row["RuleId"] == _CANNOT_CHECK]
    expected = CAUSES[stage.trouble]
    rules = [row["RuleId"] for row in causes]
    if rules == [expected]:
        cell.word = cell.word or ("ok" if at_once else "later")
        return
    if len(rules) > 1:
        cell.holes.append(f"{run}: {len(rules)} root causes: {', '.join(rules)}")
    elif not rules:
        cell.word = "said"
        if not said:
            cell.holes.append(f"{run}: lost without a word")
    elif cell.fault == GONE:
        cell.word = "gone"
    elif causes[0]["Confidence"] == "Confirmed":
        cell.holes.append(f"{run}: {rules[0]} confirmed instead of {expected}")
    elif said:
        cell.word = "said"
    else:
        cell.holes.append(f"{run}: {rules[0]} instead of {expected}, and nothing says what is missing")


def _still_open(cell: Cell, rows: list[Row]) -> None:
    """Nothing was repaired, so nothing may be called resolved but a cause that a better one replaced."""
    for row in rows:
        if row["State"] == "Resolved" and row["RuleId"] == CAUSES[cell.dependency.trouble]:
            cell.holes.append(f"{row['RuleId']} is called resolved and is not")


def _blobs(cell: Cell, rows: list[Row]) -> None:
    said = any(row["RuleId"] == _CANNOT_CHECK for row in rows)
    of_bare = {row["RuleId"] for row in rows if row["BlobName"] == BARE_BLOB}
    of_good = {row["RuleId"] for row in rows if row["BlobName"] == GOOD_BLOB}
    complete = of_bare >= _OF_BARE_BLOB and "ACRT510" in of_good
    cell.word = cell.word or ("ok" if complete and not said else "said")
    if not complete and not said:
        cell.holes.append(f"findings of blobs are lost: {sorted(of_bare)} and {sorted(of_good)}")


def _alerts(cell: Cell, stage: Stage) -> None:
    """The right root cause is told of, once."""
    if cell.dependency.door is not Door.RUN or cell.word in {"said", "gone"} or cell.holes:
        return
    expected = CAUSES[stage.trouble]
    told = {alert["id"] for alert in stage.topic.published if alert["data"]["RuleId"] == expected}
    if len(told) != 1:
        cell.holes.append(f"{len(told)} alerts of {expected}")
