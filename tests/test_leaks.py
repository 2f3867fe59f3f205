"""The search for secrets: it finds each one wherever it stands, or a leak would pass."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.leaks import SecretsSeen

SECRETS = st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=12, max_size=90)


@given(st.lists(SECRETS, min_size=1, max_size=5), st.text(), st.text())
def test_a_secret_is_found_in_the_middle_of_anything(secrets: list[str], before: str, after: str) -> None:
    seen = SecretsSeen()
    seen.add(secrets)
    for secret in secrets:
        assert f"{secret[:6]}…" in seen.found_in(before + secret + after)


@given(st.lists(SECRETS, max_size=5), st.text(max_size=300))
def test_nothing_is_found_that_is_not_there(secrets: list[str], text: str) -> None:
    seen = SecretsSeen()
    seen.add(secrets)
    assert seen.found_in(text) == [f"{one[:6]}…" for one in sorted(set(secrets)) if one in text]


def test_what_is_too_short_to_be_told_from_other_text_is_left_out() -> None:
    seen = SecretsSeen()
    seen.add(["short"])
    assert seen.secrets == set()
