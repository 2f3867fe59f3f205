"""SAS tokens: the three kinds are told apart, and the signature is seen nowhere."""

from __future__ import annotations

import base64
import contextlib
import copy
import dataclasses
import json
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.redaction import REDACTED, Secret, redact
from shared.sas_token import SasKind, SasMalformed, SasToken, parse_sas_token
from tests.parsers.texts import HOSTILE, SIGNATURES, TEXTS, takes_linear_time

ACCOUNT = {"sv": "2024-11-04", "ss": "b", "srt": "sco", "sp": "rl", "se": "2026-12-31T00:00:00Z", "spr": "https"}
SERVICE = {"sv": "2024-11-04", "sr": "c", "sp": "rl", "st": "2026-01-01T00:00Z", "se": "2026-12-31"}
POLICY = {"sv": "2024-11-04", "sr": "c", "si": "transfers"}
DELEGATED = {**SERVICE, "skoid": "o", "sktid": "t", "ske": "2026-06-30T00:00:00Z", "sks": "b", "skv": "2024-11-04"}
SIGNED = "c2VjcmV0LXNpZ25hdHVyZS1vZi0zMi1ieXRlcy1sb25nIQ=="


def signed(fields: dict[str, str], signature: str = SIGNED) -> str:
    return urlencode({**fields, "sig": signature}, quote_via=quote)


@pytest.mark.parametrize(
    ("fields", "kind", "permissions", "expires"),
    [
        (ACCOUNT, SasKind.ACCOUNT, {"r", "l"}, datetime(2026, 12, 31, tzinfo=UTC)),
        (SERVICE, SasKind.SERVICE, {"r", "l"}, datetime(2026, 12, 31, tzinfo=UTC)),
        (POLICY, SasKind.SERVICE, None, None),
        (DELEGATED, SasKind.USER_DELEGATION, {"r", "l"}, datetime(2026, 6, 30, tzinfo=UTC)),
    ],
)
@pytest.mark.parametrize("mark", ["", "?", " ?"])
def test_the_kinds_are_told_apart(
    fields: dict[str, str], kind: SasKind, permissions: set[str] | None, expires: datetime | None, mark: str
) -> None:
    token = parse_sas_token(f"{mark}{signed(fields)}\n")
    assert token.kind is kind
    assert token.permissions == permissions
    assert token.expires_on == expires
    assert token.signed.reveal() == signed(fields)
    assert token.https_only is (fields.get("spr") == "https")
    assert json.loads(json.dumps(token.facts()))["kind"] == str(kind)


def test_a_delegated_token_lives_no_longer_than_its_key() -> None:
    token = parse_sas_token(signed({**DELEGATED, "skt": "2026-06-23T00:00:00Z"}))
    assert token.starts_on == datetime(2026, 6, 23, tzinfo=UTC)
    assert token.expires_on == datetime(2026, 6, 30, tzinfo=UTC)
    without_start = {name: value for name, value in DELEGATED.items() if name != "st"}
    assert parse_sas_token(signed({**without_start, "skt": "2026-06-23T00:00:00Z"})).starts_on == token.starts_on


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("hello", "none of a SAS token's fields"),
        (signed({"sr": "c", "sp": "r", "se": "2026-01-01"}), "no version"),
        ("sv=2024-11-04&sr=c&sp=r&se=2026-01-01", "no signature"),
        (signed({"sv": "1", "sp": "r", "se": "2026-01-01"}), "neither sr"),
        (signed({"sv": "1", "sr": "c", "sp": "r"}), "no expiry"),
        (signed({"sv": "1", "sr": "c", "se": "2026-01-01"}), "no permissions"),
        (signed({**SERVICE, "se": "soon"}), "se is no time"),
        (f'"{signed(SERVICE)}"', "quotation marks"),
        (f"https://a.blob.core.windows.net/c?{signed(SERVICE)}", "whole URL"),
        (f"{signed(SERVICE)}&sp=rwd", "sp twice"),
        (signed(SERVICE).replace("&", "& "), "blanks or line breaks"),
        (f"sv=1&sig={'a' * 9000}", "longer"),
        (f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={SIGNED}", "none of a SAS token's fields"),
    ],
)
def test_what_is_no_token_says_why_and_shows_nothing(text: str, why: str) -> None:
    with pytest.raises(SasMalformed, match=why) as refused:
        parse_sas_token(text)
    assert SIGNED not in f"{refused.value} {refused.value!r} {refused.value.args}"
    assert refused.value.__cause__ is None


@given(TEXTS)
def test_any_text_is_a_token_or_malformed(text: str) -> None:
    for candidate in (text, f"{signed(SERVICE)}&{text}", f"sv={text}&sr=c&sp={text}&se={text}&sig={text}"):
        with contextlib.suppress(SasMalformed):
            assert isinstance(parse_sas_token(candidate), SasToken)


WAYS_OUT: tuple[Callable[[Any], object], ...] = (
    repr,
    str,
    "{}".format,
    lambda token: f"{token!r:>400}",
    lambda token: token.facts(),
    lambda token: dataclasses.replace(token, policy_id="x"),
    lambda token: [token, {"token": token}],
    lambda token: vars(type(token)),
)
REFUSED: tuple[Callable[[Any], object], ...] = (
    pickle.dumps,
    copy.copy,
    copy.deepcopy,
    dataclasses.asdict,
    json.dumps,
    lambda token: pickle.dumps(token.signed),
)


@given(SIGNATURES, st.sampled_from((ACCOUNT, SERVICE, POLICY, DELEGATED)))
def test_the_signature_is_seen_nowhere(signature: bytes, fields: dict[str, str]) -> None:
    plain = base64.b64encode(signature).decode()
    token = parse_sas_token(signed(fields, plain))
    for show in WAYS_OUT:
        said = f"{show(token)}"
        assert plain not in said
        assert quote(plain, safe="") not in said
    for refuse in REFUSED:
        with pytest.raises(TypeError) as refusal:
            refuse(token)
        assert plain not in f"{refusal.value!r}"


def test_tokens_compare_without_their_signature_and_secrets_by_identity() -> None:
    assert parse_sas_token(signed(SERVICE, "YQ==")) == parse_sas_token(signed(SERVICE, "Yg=="))
    assert Secret("a") != Secret("a")


@given(SIGNATURES, st.sampled_from(("{}", "https://a/b?{}", "'{}'", "see {} there", "url=https%3A%2F%2Fa%3F{}")))
def test_a_token_in_somebody_elses_text_is_blackened(signature: bytes, text: str) -> None:
    plain = base64.b64encode(signature).decode()
    token = signed(SERVICE, plain)
    said = redact(text.format(quote(token, safe="") if "%3F" in text else token))
    assert REDACTED in said
    assert plain not in said
    assert quote(plain, safe="") not in said
    assert quote(quote(plain, safe=""), safe="") not in said


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_reading_and_blackening_take_linear_time(text: str) -> None:
    takes_linear_time(parse_sas_token, text, SasMalformed)
    takes_linear_time(redact, text)
