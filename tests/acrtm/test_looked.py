"""What the exit code follows from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from acrtm.looked import Card, Looked, OpenEnd
from shared.findings.finding import Finding, State
from tests.acrtm.findings import cannot_check, finding


def muted(one: Finding) -> Finding:
    """The finding as somebody has muted it."""
    return replace(one, state=State.MUTED)


RUN = "/subscriptions/s/run"
FAILED = finding(rule_id="ACRT101", role="Observation", run_id=RUN)
CAUSE = finding(rule_id="ACRT201", run_id=RUN)
UNKNOWN_CAUSE = finding(rule_id="ACRT199", run_id=RUN)
EXPLAINED = finding(rule_id="ACRT502", role="Contributing", pipeline_id="p")
LOW = finding(severity="Low", severity_rank=1, outcome="Warn")


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([], 0),
        ([LOW], 0),
        ([finding(outcome="Pass", state=State.INFO, severity="Info", severity_rank=0)], 0),
        ([finding(state=State.MUTED)], 0),
        ([finding(state=State.INFO)], 0),
        ([finding()], 3),
        ([finding(severity="Medium", severity_rank=2, outcome="Warn")], 3),
        ([finding(confidence="Possible")], 3),
        ([cannot_check()], 4),
        ([cannot_check(), LOW], 4),
        ([cannot_check(), finding()], 3),
        ([finding(rule_id="ACRT510", outcome="Unknown", state=State.INFO)], 4),
    ],
)
def test_findings_win_over_what_could_not_be_checked(findings: list[Finding], code: int) -> None:
    assert Looked((Card("run", "id", findings=tuple(findings)),)).exit_code == code


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([FAILED], 3),
        ([FAILED, CAUSE], 3),
        ([FAILED, muted(CAUSE)], 0),
        ([muted(FAILED), CAUSE], 3),
        ([FAILED, UNKNOWN_CAUSE], 3),
        ([FAILED, muted(UNKNOWN_CAUSE)], 0),
        ([FAILED, cannot_check()], 3),
        ([FAILED, muted(CAUSE), cannot_check()], 4),
        # The cause of another run, and a fault of its own that adds to the cause: nobody has muted these.
        ([FAILED, muted(replace(CAUSE, run_id="other"))], 3),
        ([FAILED, muted(CAUSE), finding(rule_id="ACRT303", role="Contributing", run_id=RUN)], 3),
        ([EXPLAINED, muted(finding(rule_id="ACRT305", role="Observation", pipeline_id="p"))], 0),
        ([EXPLAINED, muted(finding(rule_id="ACRT305", role="Observation", pipeline_id="q"))], 3),
        ([EXPLAINED, muted(finding(rule_id="ACRT302", role="Observation", pipeline_id="p"))], 3),
    ],
)
def test_what_only_follows_from_a_muted_cause_is_muted_with_it(findings: list[Finding], code: int) -> None:
    assert Looked((Card("run", "id", findings=tuple(findings)),)).exit_code == code


def test_what_the_look_itself_left_open_is_no_all_clear() -> None:
    assert Looked((Card("run", "id", open_ends=(OpenEnd("it is not over"),)),)).exit_code == 4


def test_one_card_with_findings_is_enough() -> None:
    cards = (Card("one", "1"), Card("two", "2", findings=(cannot_check(),)), Card("three", "3", findings=(finding(),)))
    assert Looked(cards).exit_code == 3
