"""What a person reads: complete, copyable, and text even where somebody meant it to be more than that."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
from rich.console import Console

from acrtm.exits import Problem
from acrtm.looked import Card, LeftOut, Looked, OpenEnd
from acrtm.output import writer
from acrtm.output.cards import print_card
from acrtm.output.sweeps import print_sweep
from acrtm.terminal import clean, one_line
from shared.findings.finding import State
from tests.acrtm.findings import cannot_check, finding

ESCAPE = "\x1b"
HOSTILE = (
    f"[red]x[/red] [link=https://evil]{ESCAPE}[2J{ESCAPE}]0;owned\x07 :bomb: \u202egnp.exe \x9b31m &sig=c2VjcmV0&x"
)
LONG_COMMAND = "az storage container generate-sas " + " ".join(f"--option-{n} value{n}" for n in range(40))


def printed(
    card: Card,
    *,
    width: int = 80,
    terminal: bool = False,
    as_printed: Callable[[Console, Card], None] = print_card,
) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=terminal, markup=False, emoji=False, highlight=False)
    as_printed(console, card)
    return out.getvalue()


def hostile_card() -> Card:
    words = dict.fromkeys(("summary", "recommendation", "fix_command", "verify_command", "run_name"), HOSTILE)
    cause = finding(**words, evidence={"basis": HOSTILE})
    return Card(
        HOSTILE,
        HOSTILE,
        (("Registry", HOSTILE),),
        said=HOSTILE,
        findings=(finding(rule_id="ACRT101", role="Observation", summary=HOSTILE), cause),
        open_ends=(OpenEnd(HOSTILE, HOSTILE, "read", ("ACRT115",)),),
        left_out=(LeftOut(HOSTILE, ("ACRT302",)),),
    )


def test_a_failed_run_is_told_in_order() -> None:
    row = finding(rule_id="ACRT101", rule_name="run-failed", role="Observation", summary="The run failed.")
    card = Card(
        "Import run 'nightly'",
        "/subscriptions/s",
        (("Status", "Failed"),),
        said="403 Forbidden",
        findings=(row, finding(), finding(rule_id="ACRT405", role="Contributing", summary="The firewall is closed.")),
        passed=("ACRT201",),
        left_out=(LeftOut("SAS_INSPECTION is metadata", ("ACRT305",)),),
        open_ends=(OpenEnd("the vault is silent", rules=("ACRT203",)),),
    )
    text = printed(card)
    order = [
        "Import run 'nightly'",
        "The run failed.",
        "403 Forbidden",
        "Root cause",
        "ACRT301 sas-expired  (confirmed by a live check)",
        "The SAS token expired.",
        "Rests on: a live check.",
        "Contributing causes",
        "The firewall is closed.",
        "Looked at",
        "passed",
        "The pipeline's identity may read the secret",
        "the vault is silent",
        "SAS_INSPECTION is metadata",
        "How to fix",
        "az storage container generate-sas --name transfer",
        "How to verify",
        "az storage blob list",
        "acrtm explain ACRT301",
        "https://example.org/ACRT301.md",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_lines_fit_and_commands_stay_whole(width: int) -> None:
    card = Card("Run", "id", findings=(finding(summary="word " * 100, fix_command=LONG_COMMAND),))
    lines = printed(card, width=width).splitlines()
    assert f"  {LONG_COMMAND}" in lines
    assert all(len(line) <= width for line in lines if "--option-" not in line and "https://" not in line)


@pytest.mark.parametrize("terminal", [False, True])
def test_foreign_text_stays_text(terminal: bool) -> None:
    text = printed(hostile_card(), terminal=terminal, width=200)
    for forbidden in ("\x07", "\x9b", "\u202e", f"{ESCAPE}[2J", f"{ESCAPE}]", "c2VjcmV0", "💣"):
        assert forbidden not in text
    if not terminal:
        assert ESCAPE not in text
    assert "[red]x[/red]" in text
    assert ":bomb:" in text


def test_foreign_text_stays_text_in_errors_and_documents(capsys: pytest.CaptureFixture[str]) -> None:
    for output in ("table", "json"):
        writer(output).problem(Problem(HOSTILE, HOSTILE, HOSTILE))
        writer(output).looked(Looked((hostile_card(),)))
        captured = capsys.readouterr()
        for text in (captured.out, captured.err):
            assert "c2VjcmV0" not in text
            assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
        assert "[red]x[/red]" in captured.err


def test_nothing_wrong_is_only_said_of_what_was_checked() -> None:
    assert "Nothing wrong in what was checked." in printed(Card("Pipeline", "id", passed=("ACRT201",)))
    assert "Nothing could be checked." in printed(Card("Pipeline", "id", findings=(cannot_check(),)))
    both = printed(Card("Pipeline", "id", findings=(cannot_check(),), passed=("ACRT201",)), width=120)
    assert "What could not be checked is below." in both
    assert "ARM answered 403" in both
    assert "Give it the role Reader." in both


def test_clean_keeps_lines_and_takes_the_rest() -> None:
    assert clean("a\r\nb\tc\x00\x1b[1md\u2066") == "a\nb c[1md"
    assert clean("\ud800") == "?"
    assert one_line(" a\n b ") == "a b"
    assert clean(clean("?sig=abc&x")) == clean("?sig=abc&x")


def test_a_sweep_tells_what_adds_to_a_muted_cause_and_not_that_the_run_failed() -> None:
    failed = finding(rule_id="ACRT101", role="Observation", run_id="/r", finding_key="1")
    cause = finding(rule_id="ACRT201", run_id="/r", finding_key="2", state=State.MUTED)
    added = finding(rule_id="ACRT405", role="Contributing", run_id="/r", finding_key="3")
    text = printed(Card("Sweep", "", findings=(failed, cause, added)), as_printed=print_sweep)
    assert "ACRT405" in text
    assert "ACRT101" not in text
    assert "1 more, muted by MUTES" in text
    alone = printed(Card("Sweep", "", findings=(failed, cause)), as_printed=print_sweep)
    assert "Nothing wrong." in alone
    told = printed(Card("Sweep", "", findings=(failed, finding(run_id="/r"), added)), as_printed=print_sweep)
    assert "ACRT301" in told
    assert "ACRT405" not in told, "the cause stands for it"
