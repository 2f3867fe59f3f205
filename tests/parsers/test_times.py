"""Times: every form that Azure writes is read, and nothing else raises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.times import is_since_write, iso, parse_epoch, parse_http_date, parse_time
from tests.parsers.texts import HOSTILE, TEXTS, takes_linear_time

OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
# Away from both ends of the calendar, where an offset leads out of it.
MOMENTS = st.datetimes(datetime(1902, 1, 1), datetime(9990, 1, 1), timezones=OFFSETS)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-03-04T17:23:21.9261521+00:00", datetime(2020, 3, 4, 17, 23, 21, 926152, UTC)),
        ("2026-05-01T18:38:04.6117357Z", datetime(2026, 5, 1, 18, 38, 4, 611735, UTC)),
        ("2026-01-20T15:50Z", datetime(2026, 1, 20, 15, 50, tzinfo=UTC)),
        ("2026-01-20", datetime(2026, 1, 20, tzinfo=UTC)),
        ("2026-01-20T15:50:00", datetime(2026, 1, 20, 15, 50, tzinfo=UTC)),
        ("2026-01-20T15:50:00+02:00", datetime(2026, 1, 20, 13, 50, tzinfo=UTC)),
        (" 2026-01-20t15:50:00.5z ", datetime(2026, 1, 20, 15, 50, 0, 500000, UTC)),
        ("2026-02-30", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("2026-01-20T25:00Z", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        (1_700_000_000, None),
    ],
)
def test_the_forms_that_azure_writes(text: object, expected: datetime | None) -> None:
    assert parse_time(text) == expected


@given(MOMENTS)
def test_a_time_comes_back_as_the_same_moment_in_utc(moment: datetime) -> None:
    parsed = parse_time(moment.isoformat())
    assert parsed == moment
    assert parsed is not None
    assert parsed.tzinfo is UTC
    assert parse_time(iso(moment)) == moment
    assert parse_time(moment) == moment


@given(MOMENTS)
def test_an_http_date_comes_back_to_the_second(moment: datetime) -> None:
    text = format_datetime(moment.astimezone(UTC), usegmt=True)
    assert parse_http_date(text) == moment.replace(microsecond=0)


@given(TEXTS)
def test_any_text_is_a_time_or_none(text: str) -> None:
    for parsed in (parse_time(text), parse_http_date(text)):
        assert parsed is None or parsed.tzinfo is UTC


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text())
def test_any_number_is_a_time_or_none(value: object) -> None:
    parsed = parse_epoch(value)
    assert parsed is None or parsed.tzinfo is UTC


def test_seconds_since_1970_are_a_time() -> None:
    assert parse_epoch(0) == datetime(1970, 1, 1, tzinfo=UTC)
    assert parse_epoch(True) is None
    assert iso(None) is None


def test_what_an_offset_leads_out_of_the_calendar_is_no_time() -> None:
    assert parse_http_date("Fri, 31 Dec 9999 23:59:59 -1400") is None
    assert parse_time("9999-12-31T23:59:59-14:00") is None
    assert parse_time(datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-14)))) is None


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_reading_takes_linear_time(text: str) -> None:
    takes_linear_time(parse_time, text)
    takes_linear_time(parse_http_date, text)


@pytest.mark.parametrize(
    ("began", "written", "met"),
    [
        # A run that began at 12:00:00.4, after a write at 12:00:00.2 of which Storage says 12:00:00.
        ("12:00:00.400", "12:00:00", True),
        # The row of a finding may keep more digits than Storage gave, or fewer than the run has.
        ("12:00:00", "12:00:00.900", True),
        ("12:00:01", "12:00:00.999", True),
        ("11:59:59.999", "12:00:00", False),
        (None, "12:00:00", True),
        ("12:00:00", None, True),
    ],
)
def test_a_run_is_since_a_write_by_whole_seconds(began: str | None, written: str | None, met: bool) -> None:
    moments = [parse_time(f"2026-11-23T{clock}Z") if clock else None for clock in (began, written)]
    assert is_since_write(*moments) is met
