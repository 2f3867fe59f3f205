"""The judge of the kill test finds each thing that it is there to find."""

from __future__ import annotations

import pytest

from prove.killing_judge import faults
from prove.killing_world import Row, Start, Trouble, Truth

RUN = "/registries/hub/pipelineruns/one"
BEGAN = "2026-11-23T10:00:00.000000Z"
LATER = "2026-11-23T11:00:00.000000Z"


def a_row(rule: str, finding: str, *, role: str = "RootCause", state: str = "Open", **changes: str) -> Row:
    """A row about the run."""
    row = {
        "RuleId": rule, "FindingId": finding, "FindingKey": f"key of {rule}", "Role": role, "State": state,
        "RunId": RUN, "RunStartTime": BEGAN, "PipelineName": "pipe", "CorrelationId": "", "Outcome": "Fail",
        "SeverityRank": 3, "Confidence": "Confirmed", "BlobName": "", "BlobETag": "",
    }  # fmt: skip
    return {**row, **changes}


def an_alert(row: Row, kind: str = "Opened") -> Row:
    """The alert about a row."""
    return {"type": f"AcrTransfer.Finding.{kind}", "id": f"{row['FindingId']}-{kind}", "data": row}


FAILED = a_row("ACRT101", "f", role="Observation")
OVER = {**FAILED, "State": "Resolved"}
CAUSE = a_row("ACRT201", "c")
END = a_row("ACRT201", "c", state="Resolved")
OTHER = a_row("ACRT199", "o")
WELL = [FAILED, CAUSE, an_alert(CAUSE)]
ENDED = [*WELL, END, an_alert(END, "Resolved")]
SUCCESS = {"RunId": "/pipelineruns/two", "RunStartTime": LATER}
SECOND = a_row("ACRT201", "c2", RunStartTime=LATER)


def truth(said: list[Row], **more: object) -> Truth:
    """One failed run on a vault that is still broken."""
    known = Truth(starts=[Start(RUN, BEGAN, "Failed", "pipe")], broken={Trouble.VAULT}, said=said)
    for name, value in more.items():
        setattr(known, name, value)
    return known


def test_what_is_well_is_well() -> None:
    assert faults(truth(WELL)) == []
    assert faults(truth([*WELL, *WELL])) == [], "the same ids again say nothing new"
    taken_back = [FAILED, OTHER, an_alert(OTHER), *WELL, {**OTHER, "State": "Resolved"}]
    assert faults(truth([*taken_back, an_alert({**OTHER, "State": "Resolved"}, "Resolved")])) == []
    succeeded = Start("/registries/hub/pipelineruns/two", LATER, "Succeeded", "pipe")
    run_row = a_row("ACRT100", "s", role="Observation", state="Info", RunId=succeeded.run_id, RunStartTime=LATER)
    started = [Start(RUN, BEGAN, "Failed", "pipe"), succeeded]
    assert faults(truth([*ENDED, OVER, run_row], starts=started, broken=set())) == []


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ([], "run one of 2026-11-23T10:00:00.000000Z is lost"),
        ([FAILED], "has no root cause"),
        ([*WELL, OTHER, an_alert(OTHER)], "has 2 root causes: ACRT201, ACRT199"),
        ([*WELL, a_row("ACRT201", "c2")], "has 2 root causes: ACRT201"),
        ([*WELL, {**FAILED, "FindingId": "g"}], "has 2 run rows"),
        ([{**FAILED, "RuleId": "ACRT100"}, *WELL[1:]], "has 1 run rows"),
        ([FAILED, CAUSE], "ACRT201 opened, and nobody was told"),
        ([*WELL, an_alert({**CAUSE, "FindingId": "x"})], "ACRT201 was told with two ids while it was open"),
        ([*WELL, END], "ACRT201 ended, and was told so with 0 ids"),
        ([*WELL, END, SECOND], "ACRT201 opened, and nobody was told"),
        ([FAILED, CAUSE, END, an_alert(END, "Resolved")], "ACRT201 was called resolved, and nobody had been told"),
        (ENDED, "ACRT201 of pipe is called resolved, though one of 2026-11-23T10:00:00.000000Z failed on it last"),
        ([*ENDED, CAUSE], "ACRT201 of pipe is Open, and the last alert says otherwise"),
    ],
)
def test_what_is_wrong_is_found(said: list[Row], found: str) -> None:
    assert any(found in fault for fault in faults(truth(said))), faults(truth(said))


def test_what_is_open_after_a_success_is_found() -> None:
    started = [Start(RUN, BEGAN, "Failed", "pipe"), Start("/pipelineruns/two", LATER, "Succeeded", "pipe")]
    found = faults(truth(WELL, starts=started, broken=set()))
    for rule in ("ACRT101", "ACRT201"):
        assert any(f"{rule} of pipe is open, though two of" in fault for fault in found)

    of_blob = a_row("ACRT402", "b")
    assert faults(truth([FAILED, of_blob, an_alert(of_blob)], starts=started[:1], broken=set())) == []
    run_row = a_row("ACRT100", "s", role="Observation", state="Info", **SUCCESS)
    said = [FAILED, OVER, of_blob, an_alert(of_blob), run_row]
    assert faults(truth(said, starts=started, broken=set())) == [], "another blob may have been imported"


def test_of_a_run_that_was_started_anew_the_latest_start_counts() -> None:
    anew = [Start(RUN, "2026-11-23T09:00:00.000000Z", "Failed", "pipe"), Start(RUN, BEGAN, "Failed", "pipe")]
    assert faults(truth(WELL, starts=anew)) == []


def test_lost_blobs_and_rejections_are_found() -> None:
    blobs = {"good.tar": ("1", True), "bare.tar": ("2", False)}
    known = truth(WELL, blobs=blobs, rejected=[("/pipelineruns/no", "correlation")])
    assert [fault for fault in faults(known) if "is lost" in fault or "was found" in fault] == [
        "the good good.tar is lost",
        "of the bare bare.tar only [] was found",
    ]
    assert "rejected no has no root cause" in faults(known)
    about = {"RunId": "", "BlobName": "bare.tar", "BlobETag": '"2"', "RunStartTime": ""}
    told = [a_row(rule, rule, role="Contributing", **about) for rule in ("ACRT505", "ACRT506", "ACRT701")]
    good = a_row("ACRT510", "p", role="Observation", state="Info", **{**about, "BlobName": "good.tar", "BlobETag": "1"})
    assert faults(truth([*WELL, *told, good], blobs=blobs)) == []
