"""What the exit code follows from."""

from __future__ import annotations

import pytest

from acrtm.looked import Card, Looked, OpenEnd
from shared.findings.finding import Finding, State
from tests.acrtm.findings import cannot_check, finding

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


def test_what_the_look_itself_left_open_is_no_all_clear() -> None:
    assert Looked((Card("run", "id", open_ends=(OpenEnd("it is not over"),)),)).exit_code == 4


def test_one_card_with_findings_is_enough() -> None:
    cards = (Card("one", "1"), Card("two", "2", findings=(cannot_check(),)), Card("three", "3", findings=(finding(),)))
    assert Looked(cards).exit_code == 3
