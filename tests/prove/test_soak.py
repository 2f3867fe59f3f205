"""A short soak, and that the judge sees what a long one is for. ``make prove`` takes ten thousand events."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from localcloud import Azurite
from prove.soak import Soaked, judged, report, soak
from prove.soak_delivery import Delivered
from prove.soak_judging import MOST_GROWTH, growth, left_open, losses, memory_table, sparkline, untold, wrongs
from prove.soak_world import Expected

GOOD_RUN = Expected("good1", frozenset({"ACRT100"}))
BAD_RUN = Expected("bad1", frozenset({"ACRT101", "ACRT601"}), "ACRT601")
GOOD_BLOB = Expected("a.tar", frozenset({"ACRT510"}), outcome="Pass")
BAD_BLOB = Expected("b.tar", frozenset({"ACRT505", "ACRT506", "ACRT701"}))


def row(rule: str, *, run: str = "", blob: str = "", role: str = "Observation", **columns: str) -> dict[str, str]:
    """A row with the columns that the judge reads."""
    known = {"RuleId": rule, "RunName": run, "BlobName": blob, "Role": role, "Outcome": "Pass"}
    return {**known, "FindingId": f"{rule}{run}{blob}", "FindingKey": f"key of {rule}{run}{blob}", **columns}


ROWS = [
    row("ACRT100", run="good1", blob="model.tar"),
    row("ACRT101", run="bad1"),
    row("ACRT601", run="bad1", role="RootCause"),
    row("ACRT510", blob="a.tar"),
    *(row(rule, blob="b.tar") for rule in BAD_BLOB.rules),
]
ALERT: dict[str, Any] = {"type": "AcrTransfer.Finding.Opened", "id": "1", "data": {"FindingKey": "key of ACRT601bad1"}}
EXPECTED = [GOOD_RUN, BAD_RUN, GOOD_BLOB, BAD_BLOB]


@pytest.mark.skipif(sys.version_info < (3, 13), reason="azure-functions-runtime needs Python 3.13 or later")
async def test_nothing_is_lost_of_some_hundred_events(azurite: Azurite, capsys: pytest.CaptureFixture[str]) -> None:
    soaked = await soak(azurite, 120, 0.002, seed=3, told=lambda *_: None)
    assert report(soaked, at_length=False) == []
    assert soaked.faulty == 0.1
    assert soaked.delivered.taken == 120
    assert soaked.delivered.twice > 0
    assert soaked.delivered.again > 0, "nothing failed, so nothing was shown about what fails for a moment"
    assert "lost or false 0 of 120" in capsys.readouterr().out


def test_rows_that_are_as_expected_are_no_loss_however_often_they_come() -> None:
    assert wrongs(EXPECTED, Delivered(), ROWS * 2, [ALERT, ALERT]) == []


@pytest.mark.parametrize("number", range(len(ROWS)))
def test_each_row_that_is_missing_is_a_loss(number: int) -> None:
    assert len(losses(EXPECTED, ROWS[:number] + ROWS[number + 1 :])) == 1


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (row("ACRT402", run="bad1", role="RootCause"), "root causes"),
        (row("ACRT601", run="bad1", role="RootCause", FindingId="another"), "root causes"),
        (row("ACRT101", run="bad1", FindingId="another"), "under several ids"),
        (row("ACRT100", run="good1", FindingId="another"), "nothing is wrong with it"),
        (row("ACRT199", run="good1", role="RootCause"), "root causes"),
        (row("ACRT510", blob="a.tar", Outcome="Unknown"), "expected Pass"),
        (row("ACRT507", blob="a.tar"), "nothing is wrong with it"),
        (row("ACRT701", blob="b.tar", FindingId="another"), "under several ids"),
    ],
)
def test_what_is_said_falsely_or_twice_is_seen(extra: dict[str, str], said: str) -> None:
    [sentence] = losses(EXPECTED, [*ROWS, extra])
    assert said in sentence


def test_what_the_app_says_it_could_not_look_at_is_left_open_and_not_lost() -> None:
    late = [row("ACRT901", run="good1", Outcome="Unknown"), row("ACRT901", blob="a.tar", Outcome="Unknown")]
    unsure = [*(r for r in ROWS if r["RuleId"] != "ACRT510"), row("ACRT510", blob="a.tar", Outcome="Unknown")]
    assert losses(EXPECTED, [*unsure, *late]) == []
    assert left_open(EXPECTED, [*unsure, *late]) == 2
    assert left_open(EXPECTED, unsure) == 0
    assert len(losses(EXPECTED, unsure)) == 1, "without a word about why"
    assert len(losses(EXPECTED, late)) == len(EXPECTED), "it stands for no other row"


def test_a_long_soak_fails_by_its_memory_and_by_too_many_late_answers(capsys: pytest.CaptureFixture[str]) -> None:
    done = Delivered(seconds=1.0, taken=10_000)
    flat = [(done, 60.0 + (done > 0)) for done in range(0, 10_001, 1_000)]
    growing = [(done, 60.0 + done / 1_000) for done in range(0, 10_001, 1_000)]
    assert report(Soaked(done, flat, 61.0, [], 0.1, 500), at_length=True) == []
    assert len(report(Soaked(done, growing, 70.0, [], 0.1, 501), at_length=True)) == 1
    assert report(Soaked(done, growing, 70.0, ["one is lost"], 0.1, 0), at_length=False) == ["one is lost"]
    assert "  10000 events per second\n  delivered twice 0" in capsys.readouterr().out


def test_memory_that_goes_on_growing_fails_and_what_settles_does_not() -> None:
    done = Delivered(seconds=1.0, taken=10_000)
    flat = Soaked(done, [(done, 60.0 + (done > 0)) for done in range(0, 10_001, 1_000)], 61.0, [], 0.1, 0)
    growing = replace(flat, samples=[(done, 60.0 + done / 1_000) for done in range(0, 10_001, 1_000)])
    asked: list[int] = []

    def soaks(*results: Soaked) -> Callable[[int], Soaked]:
        left = iter(results)

        def run(events: int) -> Soaked:
            asked.append(events)
            return next(left)

        return run

    assert judged(soaks(flat), 10_000) == []
    assert judged(soaks(growing, flat), 10_000) == []
    assert judged(soaks(growing, growing), 10_000) == ["memory grew by 0.86 MB per 1,000 events"]
    assert judged(soaks(replace(growing, wrongs=["one is lost"]), flat), 10_000) == ["one is lost"]
    assert judged(soaks(growing), 500) == []
    assert asked == [10_000, 10_000, 30_000, 10_000, 30_000, 10_000, 30_000, 500]


def test_a_cause_that_nobody_was_told_of_or_that_was_told_twice_is_seen() -> None:
    assert untold(ROWS, [ALERT]) == []
    assert len(untold(ROWS, [])) == 1
    assert len(untold(ROWS, [ALERT, {**ALERT, "id": "2"}])) == 1
    resolved = {**ALERT, "type": "AcrTransfer.Finding.Resolved"}
    assert len(untold(ROWS, [resolved])) == 1


def test_an_exception_that_asks_for_no_other_delivery_is_seen() -> None:
    foreseen = Delivered(raised=Counter(Unreachable=3, NotStored=1))
    assert wrongs([], foreseen, [], []) == []
    assert len(wrongs([], Delivered(raised=Counter(KeyError=1)), [], [])) == 1
    assert wrongs([], Delivered(given_up=["good1 was never taken"]), [], []) == ["good1 was never taken"]


def test_memory_that_grows_in_the_second_half_is_seen() -> None:
    warm = [(done, 60 + done / 50) for done in range(0, 5_000, 250)]
    flat = [*warm, *((done, 160 + done % 3 / 10) for done in range(5_000, 10_001, 250))]
    assert growth(flat) < MOST_GROWTH
    stepped = [(done, resident + (6 if done > 8_000 else 0)) for done, resident in flat]
    assert growth(stepped) < MOST_GROWTH, "a moment with the most work at once is no leak"
    leaking = [(done, resident + max(0, done - 5_000) * 0.0005) for done, resident in flat]
    assert growth(leaking) > MOST_GROWTH
    with pytest.raises(ValueError, match="too rarely"):
        growth([(0, 50.0)])
    assert sparkline([(0, 1.0), (1, 2.0), (2, 9.0)]) == "▁▂█"
    assert memory_table(flat).count("\n") == 7
