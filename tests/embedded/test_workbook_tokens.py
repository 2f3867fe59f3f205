"""Parameters' values in KQL and in text, as Azure Workbooks writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded import EmbeddedStore
from embedded.workbook import Choice, Plain, TimeRange, TokenError, Value, fill, tokens

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WEEK = TimeRange(timedelta(days=7))
NOVEMBER = TimeRange.between(
    datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 15, 13, tzinfo=timezone(timedelta(hours=1)))
)
SOME = Choice((("hub", "The hub"), ("edge", "The edge")), quote="'")
STORE = EmbeddedStore.open(":memory:")


@pytest.mark.parametrize(
    ("text", "value", "query", "read"),
    [
        ("{P}", WEEK, "> ago(7d)", "Last 7 days"),
        ("{P:query} {P:value}", WEEK, "> ago(7d) > ago(7d)", "> ago(7d) > ago(7d)"),
        ("{P:label}", WEEK, "Last 7 days", "Last 7 days"),
        ("{P:start}", WEEK, 'datetime("2026-11-16T12:00:00.000Z")', "2026-11-16 12:00 UTC"),
        ("{P:end}", WEEK, 'datetime("2026-11-23T12:00:00.000Z")', "2026-11-23 12:00 UTC"),
        ("{P:startISO} {P:endISO}", WEEK, *["2026-11-16T12:00:00.000Z 2026-11-23T12:00:00.000Z"] * 2),
        ("{P:grain} {P:seconds}", WEEK, "4h 604800", "4h 604800"),
        ("{P}", TimeRange(timedelta(hours=36)), "> ago(36h)", "Last 36 hours"),
        ("{P}", TimeRange(timedelta(hours=1)), "> ago(1h)", "Last hour"),
        ("{P}", TimeRange(timedelta(seconds=1.5)), "> ago(1500ms)", "Last 1500 milliseconds"),
        (
            "{P}", NOVEMBER, 'between(datetime("2026-11-01T00:00:00.000Z")..datetime("2026-11-15T12:00:00.000Z"))',
            "2026-11-01 00:00 UTC to 2026-11-15 12:00 UTC",
        ),
        ("{P:start}", NOVEMBER, 'datetime("2026-11-01T00:00:00.000Z")', "2026-11-01 00:00 UTC"),
        ("{P}", SOME, "'hub','edge'", "'hub','edge'"),
        ("{P:label}", SOME, "The hub, The edge", "The hub, The edge"),
        ("{P}", Choice((("a", "A"),), quote='"', delimiter=";", all_value="*"), '"*"', '"*"'),
        ("{P:label}", Choice((("a", "A"),), all_value="*"), "All", "All"),
        ("{P}", Choice((("a", "A"), ("b", "B"))), "a,b", "a,b"),
        ("[{P}]", Choice((), quote="'"), "[]", "[]"),
        ("{P} {P:value}", Plain("it's"), "it's it's", "it's it's"),
        ("{Other} {P", Plain("x"), "{Other} {P", "{Other} {P"),
        ("dynamic({}) {0} {P:}", Plain("x"), "dynamic({}) {0} x", "dynamic({}) {0} x"),
    ],
)  # fmt: skip
def test_a_token_becomes(text: str, value: Value, query: str, read: str) -> None:
    assert fill(text, {"P": value}, now=NOW) == query
    assert fill(text, {"P": value}, now=NOW, kql=False) == read


@pytest.mark.parametrize("value", [WEEK, SOME, Plain("x")])
def test_a_form_that_a_value_does_not_have_is_an_error_that_names_the_token(value: Value) -> None:
    with pytest.raises(TokenError, match=r"\{P:nope\}.*'nope'"):
        fill("{P:nope}", {"P": value}, now=NOW)


def test_what_a_value_holds_is_not_looked_at_for_tokens() -> None:
    assert fill("{A}{B}", {"A": Plain("{B}"), "B": Plain("secret")}, now=NOW) == "{B}secret"


def test_the_names_in_a_text() -> None:
    assert tokens("{A:label} {B} {0} {} {A} { C }") == {"A", "B"}


@pytest.mark.parametrize(("days", "points"), [(1 / 24, 60), (1, 48), (7, 42), (30, 60), (90, 90)])
def test_a_chart_gets_a_readable_number_of_points(days: float, points: int) -> None:
    span = timedelta(days=days)
    assert STORE.query(f"print {span.total_seconds()} * 1s / {TimeRange(span).grain}").rows == [(points,)]


def test_a_range_has_to_go_forward_and_to_have_a_zone() -> None:
    with pytest.raises(ValueError, match="ends after it starts"):
        TimeRange.between(NOW, NOW)
    with pytest.raises(ValueError, match="with a zone"):
        TimeRange.between(NOW.replace(tzinfo=None), NOW)


@given(names=st.lists(st.text(st.characters(exclude_categories=["C"]), min_size=1), min_size=1, max_size=3))
def test_a_name_cannot_leave_its_quotes(names: list[str]) -> None:
    choice = Choice(tuple((name, name) for name in names), quote="'")
    [row] = STORE.query(fill("print Names = dynamic([{P}])", {"P": choice}, now=NOW)).rows
    assert row == (names,)
