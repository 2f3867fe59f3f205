"""What became of what was told: whether it is lost, whether a pass is false, and whether a secret was written.

It is judged twice: at the moment when the dependency works again (what is not there by then was raised, or is said
to be open), and at the end, half an hour and two sweeps later.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from localcloud.service import Fault
from prove.cells import GONE, PASSING, Dependency, Door
from prove.looks import false_passes
from prove.stage import BARE_BLOB, CAUSES, GOOD_BLOB, SWEEPS_AFTER, SWEPT_RUN, TOLD_RUN, Row, Stage
from prove.telling import alert_holes, untold
from shared.diagnosis.diagnose import Diagnosis
from shared.evidence.model import Look
from shared.rules.catalogue import CATALOGUE
from tests.leaks import SecretsSeen, written_by_the_product

_CANNOT_CHECK: Final = "ACRT901"
_HEARTBEAT: Final = "ACRT903"
_READY: Final = "ACRT510"
_RUN_FAILED: Final = "ACRT101"
# Found at a blob that has neither metadata nor a hash.
_OF_BARE_BLOB: Final = frozenset({"ACRT505", "ACRT506", "ACRT701"})
_PREREQUISITES: Final = frozenset(rule.id for rule in CATALOGUE.values() if Look.BLOB in rule.looks)
# Without these no row can be stored, so that a sweep has to fail as a whole.
_STORING: Final = frozenset({"token", "ingestion"})


@dataclass(slots=True)
class Cell:
    """One cell: how it went, in a word, and what is wrong with it. ``raised`` names what has to come again."""

    dependency: Dependency
    fault: str
    word: str = ""
    seconds: float = 0.0
    hits: int = 0
    raised: set[str] = field(default_factory=set)
    holes: list[str] = field(default_factory=list)

    @property
    def shown(self) -> str:
        """The word in the table."""
        return "HOLE" if self.holes else self.word

    def forget(self, why: str) -> None:
        """This attempt proves nothing; unless a later one does, that is what is wrong."""
        self.word, self.seconds, self.raised, self.holes = "", 0.0, set(), [why]


@dataclass(frozen=True, slots=True)
class Moment:
    """What there was when the dependency worked again; ``before`` rows are older than the fault.

    ``looks`` were taken while it failed, ``waiting`` are conditions whose alert waits in the state store.
    """

    before: int
    rows: list[Row]
    looks: list[Diagnosis]
    published: list[dict[str, Any]]
    waiting: frozenset[str]

    @property
    def written(self) -> list[Row]:
        """The rows that were stored while it failed."""
        return self.rows[self.before :]


@dataclass(frozen=True, slots=True)
class Expected:
    """What has to be found at a run or a blob. An ACRT901 that names one of ``open_by`` says that it is open."""

    name: str
    rule: str
    open_by: frozenset[str] = frozenset()

    def is_found(self, rows: Sequence[Row]) -> bool:
        """Whether it is: a run has this root cause and no other, a blob has a row."""
        if self.name in {TOLD_RUN, SWEPT_RUN}:
            return [row["RuleId"] for row in live_causes(rows, self.name)] == [self.rule]
        outcome = "Pass" if self.rule == _READY else "Fail"
        return any(
            row["RuleId"] == self.rule and row["BlobName"] == self.name and row["Outcome"] == outcome for row in rows
        )

    def is_said(self, rows: Sequence[Row], dependency: Dependency) -> bool:
        """Whether an ACRT901 about the dependency leaves this check open."""
        return any(
            dependency.is_named_in(str(evidence.get("target")))
            and bool(self.open_by.intersection(evidence.get("rules") or ()))
            for row in rows
            if row["RuleId"] == _CANNOT_CHECK
            for evidence in [_evidence_of(row)]
        )


def expected_of(dependency: Dependency) -> list[Expected]:
    """Everything that has to be found behind a door."""
    cause = CAUSES[dependency.trouble]
    # Whose failure is not known, its cause is open with it; whether a blob is ready is open with each prerequisite.
    run = {Door.RUN: TOLD_RUN, Door.SWEEP: SWEPT_RUN}.get(dependency.door)
    runs = [Expected(run, cause, frozenset({cause, _RUN_FAILED}))] if run else []
    if dependency.door is Door.RUN:
        return runs
    blobs = [Expected(BARE_BLOB, rule, frozenset({rule, _READY})) for rule in sorted(_OF_BARE_BLOB)]
    return [*runs, *blobs, Expected(GOOD_BLOB, _READY, _PREREQUISITES)]


async def judge(cell: Cell, stage: Stage, fault: Fault, moment: Moment) -> None:
    """Fills in the word and the holes."""
    cell.hits = fault.hits
    rows = stage.rows
    cell.holes += lost(cell, rows, moment)
    cell.holes += _false(cell, rows, moment)
    cell.holes += _heartbeats(cell, rows, moment)
    cell.holes += alert_holes(rows, stage.topic.published)
    if cell.dependency.door is not Door.RUN and len(await stage.state("expectations/")) < 2:
        cell.holes.append("an expected import was forgotten")
    secrets = SecretsSeen()
    secrets.add(stage.cloud.issued_secrets)
    leaked = secrets.found_in(await written_by_the_product(stage.cloud) + "\n".join(stage.logged))
    if leaked:
        cell.holes.append(f"secrets were written: {', '.join(leaked)}")


def lost(cell: Cell, rows: Sequence[Row], moment: Moment) -> list[str]:
    """The word; and what was silent while the dependency failed, or is not there in the end."""
    dependency, expected = cell.dependency, expected_of(cell.dependency)
    believed = cell.fault == GONE and dependency.is_the_thing
    holes: list[str] = []
    missing = [one for one in expected if not one.is_found(moment.rows)]
    alerts = [key for key in untold(moment.rows, moment.published) if key not in moment.waiting]
    beats = [_evidence_of(row) for row in moment.written if row["RuleId"] == _HEARTBEAT]
    problem = any(dependency.is_named_in(str(words)) for beat in beats for words in beat["problems"])
    for one in missing:
        silent = one.name not in cell.raised and not one.is_said(moment.written, dependency)
        if silent and not problem and not believed:
            holes.append(f"{one.name}: {one.rule} was open without a word while it failed")
    if alerts and not cell.raised and not problem:
        holes.append(f"{len(alerts)} alerts were neither published nor kept while it failed")
    cell.word = "ok" if not missing and not untold(moment.rows, moment.published) else "later"
    cell.word = "again" if cell.raised else cell.word
    for one in expected:
        if one.is_found(rows):
            continue
        if believed:
            cell.word = "gone"
        elif cell.fault not in PASSING and one.is_said(rows, dependency):
            cell.word = "said"
        else:
            holes.append(f"{one.name}: {one.rule} is lost")
    return holes


def _false(cell: Cell, rows: Sequence[Row], moment: Moment) -> list[str]:
    """Passes, causes and ends that rest on what could not be had, or are against the truth of this world."""
    dependency = cell.dependency
    truth = {CAUSES[dependency.trouble], _RUN_FAILED}
    holes = false_passes(moment.looks, dependency.pieces) if cell.hits else []
    opened = {row["FindingKey"] for row in moment.written if row["State"] == "Open"}
    for row in moment.written if dependency.judged and cell.hits else ():
        from_before = row["RuleId"] == _CANNOT_CHECK and row["FindingKey"] not in opened
        if row["Outcome"] == "Pass" and row["RuleId"] != _HEARTBEAT and not from_before:
            holes.append(f"{row['RuleId']} {row['State']} rests on what was not there")
    for row in rows:
        rule = row["RuleId"]
        about = f"{rule} of {row['RunName'] or row['BlobName'] or row['PipelineName']}"
        if rule == "ACRT100" or (rule == _READY and row["Outcome"] == "Pass" and row["BlobName"] == BARE_BLOB):
            holes.append(f"{about} is a false all-clear")
        # Nothing was repaired, so nothing that was wrong from the beginning is over.
        if row["State"] == "Resolved" and rule in truth | _OF_BARE_BLOB:
            holes.append(f"{about} is called resolved and is not")
        wrong = row["State"] == "Open" and row["Outcome"] in {"Fail", "Warn"} and row["Confidence"] == "Confirmed"
        if wrong and cell.fault != GONE and rule not in truth | _OF_BARE_BLOB:
            holes.append(f"{about} is a false alarm")
    for run in (TOLD_RUN, SWEPT_RUN):
        causes = [row["RuleId"] for row in live_causes(rows, run)]
        if len(causes) > 1:
            holes.append(f"{run}: {len(causes)} root causes: {', '.join(causes)}")
    return list(dict.fromkeys(holes))


def _heartbeats(cell: Cell, rows: Sequence[Row], moment: Moment) -> list[str]:
    """Each sweep writes one, also when part of it failed; those after the fault have nothing to complain of."""
    holes = []
    during = [row for row in moment.written if row["RuleId"] == _HEARTBEAT]
    if cell.dependency.door is Door.SWEEP:
        if cell.raised and cell.dependency.name not in _STORING:
            holes.append("the sweep fell over")
        if len(during) != (0 if cell.raised else 1):
            holes.append(f"{len(during)} heartbeats while it failed")
    after = [_evidence_of(row) for row in rows[len(moment.rows) :] if row["RuleId"] == _HEARTBEAT]
    if len(after) != SWEEPS_AFTER:
        holes.append(f"{len(after)} heartbeats of {SWEEPS_AFTER} sweeps")
    holes += [f"a later sweep complains: {beat['problems']}" for beat in after if beat["problems"]]
    return holes


def live_causes(rows: Sequence[Row], run: str) -> list[Row]:
    """The root causes of a run that were not taken back, one row for each occurrence."""
    found: dict[str, Row] = {}
    for row in rows:
        if row["RunName"] == run and row["Role"] == "RootCause":
            if row["State"] == "Resolved":
                found.pop(row["FindingId"], None)
            else:
                found[row["FindingId"]] = row
    return list(found.values())


def _evidence_of(row: Row) -> dict[str, Any]:
    evidence = row["Evidence"]
    return dict(json.loads(evidence) if isinstance(evidence, str) else evidence)
