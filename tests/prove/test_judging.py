"""What the matrix calls a hole: each kind of it has to be seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from prove.cells import DEPENDENCIES, Dependency, Door
from prove.judging import Cell, Moment, expected_of, lost
from prove.looks import false_passes, pieces_read
from prove.stage import BARE_BLOB, GOOD_BLOB, TOLD_RUN, Row
from prove.telling import alert_holes, untold
from shared.diagnosis.diagnose import Diagnosis
from shared.evidence.model import Evidence, Look
from shared.evidence.pieces import Unavailable
from shared.records.transfer import Direction, Registry
from shared.rules.catalogue import CATALOGUE

LOST = Unavailable("it was down", "somewhere")


def dependency(door: Door, name: str) -> Dependency:
    [found] = [one for one in DEPENDENCIES if one.door is door and one.name == name]
    return found


def row(rule: str, **fields: Any) -> Row:
    plain = {"FindingKey": rule, "FindingId": rule, "RunName": "", "BlobName": "", "PipelineName": "", "Evidence": {}}
    told = {"State": "Open", "Outcome": "Fail", "SeverityRank": 3, "Confidence": "Confirmed", "Role": "Observation"}
    return {"RuleId": rule, **plain, **told, **fields}


def alert(rule: str, number: str = "1", kind: str = "Opened") -> dict[str, Any]:
    return {"id": number, "type": f"AcrTransfer.Finding.{kind}", "data": {"FindingKey": rule}}


def look(passed: str, **pieces: Any) -> Diagnosis:
    evidence = Evidence(datetime.now(UTC), Look.FAILED_RUN, direction=Direction.EXPORT)
    return Diagnosis(replace(evidence, **pieces), (), (CATALOGUE[passed],))


def test_a_check_that_passed_on_what_was_lost_is_a_hole() -> None:
    assert "registry" in pieces_read(CATALOGUE["ACRT115"], look("ACRT115").evidence)
    [hole] = false_passes([look("ACRT115", registry=LOST)], frozenset({"registry"}))
    assert "ACRT115 passed" in hole
    assert false_passes([look("ACRT115", registry=LOST)], frozenset({"vault"})) == []


def test_a_check_that_something_else_proves_is_none() -> None:
    known = Registry.from_json({"id": "/subscriptions/1/registries/a", "name": "a"})
    lost = frozenset({"pipeline"})
    assert false_passes([look("ACRT116", registry=known, pipeline=LOST)], lost) == []
    assert false_passes([look("ACRT116", registry=LOST, pipeline=LOST)], lost | {"registry"})


def test_a_run_is_found_by_its_one_root_cause() -> None:
    [cause] = expected_of(dependency(Door.RUN, "vault itself"))
    right = row("ACRT201", RunName=TOLD_RUN, Role="RootCause")
    other = row("ACRT199", RunName=TOLD_RUN, Role="RootCause")
    assert cause.is_found([right])
    assert cause.is_found([other, {**other, "State": "Resolved"}, right])
    assert not cause.is_found([])
    assert not cause.is_found([right, other])


def test_an_acrt901_excuses_only_what_it_names() -> None:
    vault = dependency(Door.BLOB, "vault itself")
    [*_, ready] = expected_of(vault)
    [bare, *_] = expected_of(vault)
    assert (bare.name, ready.name) == (BARE_BLOB, GOOD_BLOB)
    said = row("ACRT901", Evidence={"target": "contosovault/importsas", "rules": ["ACRT301"]})
    assert ready.is_said([said], vault)
    assert not bare.is_said([said], vault)
    elsewhere = {**said, "Evidence": {"target": "contosohub.azurecr.io", "rules": ["ACRT301"]}}
    assert not ready.is_said([elsewhere], vault)
    assert not ready.is_said([{**said, "RuleId": "ACRT199"}], vault)


def silent_while_it_failed(one: Dependency, *said: Row) -> list[str]:
    """The holes where nothing was found while the dependency failed, an alert was lost, and this was said meanwhile."""
    rows = [row("ACRT701"), *said]
    return [hole for hole in lost(Cell(one, "500"), rows, Moment(0, rows, [], [], frozenset())) if "while it" in hole]


@pytest.mark.parametrize("one", DEPENDENCIES, ids=lambda one: one.label)
def test_a_complaint_of_something_else_excuses_nothing(one: Dependency) -> None:
    def heartbeat(*problems: str) -> Row:
        return row("ACRT903", Evidence={"problems": list(problems)}, State="Info", Outcome="Pass")

    def cannot_check(target: str) -> Row:
        return row("ACRT901", Evidence={"target": target, "rules": sorted(CATALOGUE)}, State="Info")

    silent = silent_while_it_failed(one)
    assert len(silent) == len(expected_of(one)) + 1
    elsewhere = "The printer on the second floor is out of paper."
    said = (heartbeat(), heartbeat(elsewhere, "not finished within 240 s; the next sweep goes on"))
    assert silent_while_it_failed(one, *said, cannot_check(elsewhere)) == silent
    for word in one.targets:
        named = f"Something about {word.upper()} was refused."
        assert silent_while_it_failed(one, heartbeat(elsewhere, named)) == []
        # It tells of a check that is open, and not of an alert.
        assert silent_while_it_failed(one, cannot_check(named)) == silent[-1:]


def test_each_open_condition_is_told_once_and_nothing_else() -> None:
    rows = [row("ACRT701"), row("ACRT505", Role="Contributing"), row("ACRT303", SeverityRank=1)]
    assert untold(rows, []) == ["ACRT701"]
    assert alert_holes(rows, [alert("ACRT701"), alert("ACRT701")]) == []
    assert alert_holes(rows, [alert("ACRT701"), alert("ACRT701", "2")]) == ["2 alerts of one condition of ACRT701"]
    assert alert_holes(rows, [alert("ACRT701"), alert("ACRT505")]) == ["an alert of ACRT505 without a reason"]
    over = [alert("ACRT701"), alert("ACRT701", kind="Resolved")]
    assert alert_holes(rows, over) == ["ACRT701 is told to be over and is not"]
    assert alert_holes([*rows, row("ACRT701", State="Resolved", Outcome="Pass")], over) == []
