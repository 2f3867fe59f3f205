"""Run messages: any text is read, in linear time, and no secret comes through."""

from __future__ import annotations

import base64
import pickle
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.evidence.message import NO_MESSAGE, MessageReading, read_message
from shared.evidence.phrases import PHRASES, Service
from shared.rules.catalogue import CATALOGUE
from tests.parsers.texts import HOSTILE, SIGNATURES, TEXTS, takes_linear_time

FIREWALL = (
    "Failed to access storage.  Service request failed.  Status: 403 (This request is not authorized to perform this "
    "operation)"
)
EXPIRED = (
    "<Code>AuthenticationFailed</Code><Message>Server failed to authenticate the request.</Message>"
    "<AuthenticationErrorDetail>Signature not valid in the specified time frame: Start [Thu, 13 Jun 2019 16:18:07 GMT]"
    " - Expiry [Fri, 14 Jun 2019 16:23:07 GMT] - Current [{current}]</AuthenticationErrorDetail>"
)
NO_GET = (
    "The user, group or application 'appid=1;oid=aaaaaaaa-0000-0000-0000-000000000001;iss=https://sts.windows.net/2/' "
    "does not have secrets get permission on key vault 'contosokv;location=westeurope'."
)


@pytest.mark.parametrize(
    ("message", "first", "service"),
    [
        (FIREWALL, "ACRT405", Service.STORAGE),
        (EXPIRED.format(current="Sat, 15 Jun 2019 09:22:53 GMT"), "ACRT301", Service.STORAGE),
        (EXPIRED.format(current="Thu, 13 Jun 2019 09:22:53 GMT"), "ACRT302", Service.STORAGE),
        (NO_GET, "ACRT201", Service.KEY_VAULT),
        ("Status: 404 (The specified container does not exist.)", "ACRT401", Service.STORAGE),
        ("ErrorCode: BlobNotFound", "ACRT402", Service.STORAGE),
        ("ErrorCode: BlobArchived", "ACRT406", Service.STORAGE),
        ("ErrorCode: PendingCopyOperation", "ACRT702", Service.STORAGE),
        ('manifest tagged by "latest" is not found', "ACRT601", Service.REGISTRY),
    ],
)
def test_what_a_message_names_first_wherever_its_lines_break(message: str, first: str, service: Service) -> None:
    for text in (message, message.replace(" ", "\n  "), f"Operation failed.\r\n{message}\r\nRequestId:1"):
        reading = read_message(text)
        assert reading.claims[0].rules[0] == first
        assert reading.service is service


@pytest.mark.parametrize(
    ("message", "first"),
    [
        ("The number of artifacts exceeds the limit of 50", "ACRT602"),
        ("tag v1 of repository app already exists", "ACRT606"),
        ("blob images in container transfer already exists", "ACRT403"),
        ("layer sha256:aa of app:v1 exceeds 8 GB", "ACRT605"),
    ],
)
def test_a_phrase_with_names_inside_stands_in_one_sentence(message: str, first: str) -> None:
    assert read_message(f"It failed. {message}").claims[0].rules == (first,)
    assert not read_message(f"{message.partition(' ')[0]} one. Another {message.rpartition(' ')[2]}").claims


def test_the_times_and_the_identity_are_read() -> None:
    start, expiry, current = read_message(EXPIRED.format(current="Sat, 15 Jun 2019 09:22:53 GMT")).times
    assert start is not None
    assert expiry is not None
    assert current is not None
    assert start < expiry < current
    assert read_message(NO_GET).object_id == "aaaaaaaa-0000-0000-0000-000000000001"


def test_every_rule_that_a_phrase_names_is_in_the_catalogue() -> None:
    named = {rule for phrase in PHRASES for rule in (*phrase.rules, *((phrase.usual,) if phrase.usual else ()))}
    assert named <= set(CATALOGUE)


MESSAGES = st.sampled_from((FIREWALL, EXPIRED, NO_GET, "403 Forbidden", ""))


@given(MESSAGES, TEXTS, TEXTS)
def test_any_text_is_read(message: str, before: str, after: str) -> None:
    reading = read_message(f"{before}{message}{after}")
    assert isinstance(reading, MessageReading)
    assert all(claim.rules for claim in reading.claims)
    assert all(claim.usual == "" or claim.usual in claim.rules for claim in reading.claims)
    assert reading.claims == tuple(sorted(reading.claims, key=lambda claim: not claim.decides))


@given(st.text(" \t\r\n"))
def test_a_blank_message_says_nothing(message: str) -> None:
    assert read_message(message) is NO_MESSAGE


@given(MESSAGES, TEXTS, SIGNATURES)
def test_no_signature_comes_through(message: str, text: str, signature: bytes) -> None:
    plain = base64.b64encode(signature).decode()
    encoded = quote(plain, safe="")
    urls = " ".join(f"https://a.blob.core.windows.net/c?sv=1&sig={secret}" for secret in (plain, encoded))
    reading = read_message(f"{message} {text} {urls} AccountKey={plain}; {message}")
    for shown in (repr(reading), f"{reading}", reading.text, pickle.dumps(reading).decode("latin-1")):
        assert plain not in shown
        assert encoded not in shown


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_reading_takes_linear_time(text: str) -> None:
    for ending in ("", "]", f"\n{FIREWALL}"):
        takes_linear_time(read_message, f"{text}{ending}")


def test_a_long_message_is_read_at_both_ends() -> None:
    filler = "x" * 100_000
    assert read_message(f"{NO_GET}{filler}").claims[0].rules == ("ACRT201",)
    assert read_message(f"{filler} {NO_GET}").claims[0].rules == ("ACRT201",)
    assert read_message(f"{filler} {NO_GET}").text.startswith("xxx")
