"""No secret becomes text: by its type, and where other people's texts carry it."""

from __future__ import annotations

import base64
import copy
import html
import json
import logging
import pickle
import re
import traceback
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.findings.finding import LONGEST_TEXT, plain_value, shortened
from shared.redaction import REDACTED, Secret, redact
from shared.sas_token import SasMalformed, SasToken, parse_sas_token

# A signature is the Base64 of 32 bytes, percent-encoded or not.
SIGNATURES: Final = st.binary(min_size=32, max_size=32).map(lambda raw: base64.b64encode(raw).decode())
# What stands around it in messages, as other programs write them.
AROUND: Final = (
    "https://store.blob.core.windows.net/transfer?sv=2024-11-04&sr=c&sp=rl&se=2027-01-01T00%3A00%3A00Z&sig={}",
    "?sv=2024-11-04&sig={}&spr=https",
    "sig={}",
    "GET 'https://store.blob.core.windows.net/c/b?sig={}&sv=1' failed",
    'the token is "sig={}"',
    "<Url>https://store.blob.core.windows.net/c?sv=1&amp;sig={}</Url>",
    '{{"url":"https://store.blob.core.windows.net/c?sv=1&sig={}","x":1}}',
    "(sv=1, sig={})",
    "SIG={}",
    "line one\nsig={}\nline three",
    "the token (sig={})",
    "[sig={}]",
    "`sig={}`",
    "token:sig={}",
    "/c|sig={}",
    '{{"sv":"2024-11-04","sig":"{}","sp":"r"}}',
    '{{"sig" : "{}"}}',
    "{{'sig': '{}'}}",
    "{{'sig': ['{}']}}",
    "sig: {}",
    "sig = {}",
    "sig = '{}'",
    "<sig>{}</sig>",
)
PIECES: Final = f"""
    sig AccountKey SharedAccessSignature Bearer SharedKey eyJ signature access_token abcdefgh 0123456789abcdefghij
    {REDACTED} redacted] u0026 u003d x26 25 3D 26 #x2b; amp; quot; \\n
"""
# How one text carries another. Each spells a sign in the same way wherever it stands.
Spelling = Callable[[str], str]


def as_dotnet(text: str) -> str:
    """As System.Text.Json writes a text."""
    return re.sub(r"[&+<>'\"`]", lambda sign: f"\\u{ord(sign[0]):04X}", text.replace("\\", "\\\\"))


SPELLINGS: Final[dict[str, Spelling]] = {
    "as it is": lambda text: text,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON with escaped slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON of .NET": as_dotnet,
    "JSON of .NET in JSON": lambda text: json.dumps(as_dotnet(text))[1:-1],
    "JSON that may stand in a page": lambda text: (
        json.dumps(text)[1:-1].replace("&", "\\u0026").replace("=", "\\u003d")
    ),
    "a program's text": lambda text: text.replace("&", "\\x26").replace("=", "\\x3d").replace("+", "\\x2B"),
    "percent": lambda text: quote(text, safe=""),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "percent three times, in lower case": lambda text: quote(quote(quote(text, safe=""), safe=""), safe="").replace(
        "%25253D", "%25253d"
    ),
    "XML": html.escape,
    "XML in XML": lambda text: html.escape(html.escape(text)),
    "XML of .NET": lambda text: html.escape(text).replace("+", "&#x2B;").replace("=", "&#61;"),
}


def parts_of(secret: str) -> list[str]:
    """What of a secret no spelling changes, as far as it is long enough to be of use."""
    return [part for part in re.split("[^A-Za-z0-9]+", secret) if len(part) > 5]


def encoded(signature: str) -> list[str]:
    """A signature as a URL holds it."""
    return [signature, quote(signature, safe=""), quote(signature, safe="").lower().replace("%2b", "%2B")]


@given(SIGNATURES, st.sampled_from(AROUND), st.text(max_size=20), st.text(max_size=20))
def test_no_signature_survives_in_a_text(signature: str, around: str, before: str, behind: str) -> None:
    for spelt in (signature, quote(signature, safe="")):
        text = f"{before}\n{around.format(spelt)}\n{behind}"
        clean = redact(text)
        assert signature not in clean
        assert spelt not in clean
        assert spelt[:12] not in clean
        assert redact(clean) == clean, "twice is the same as once"


@given(SIGNATURES, st.booleans(), st.sampled_from(AROUND), st.sampled_from(sorted(SPELLINGS)))
def test_no_signature_survives_in_any_spelling(signature: str, in_url: bool, around: str, spelling: str) -> None:
    text = SPELLINGS[spelling](around.format(quote(signature, safe="") if in_url else signature))
    clean = redact(text)
    assert [part for part in parts_of(signature) if part in clean] == []
    assert redact(clean) == clean


@given(
    st.binary(min_size=64, max_size=64).map(lambda raw: base64.b64encode(raw).decode()),
    st.sampled_from(
        (
            "AccountName=store;AccountKey={};EndpointSuffix=core.windows.net",
            '{{"AccountKey": "{}"}}',
            "{{'accountKey': '{}'}}",
            "SharedAccessSignature={}",
            '{{"sharedAccessSignature":"{}"}}',
            "aeg-sas-key: {}",
            "Authorization: Bearer {}",
            '{{"Authorization":"Bearer {}"}}',
            "Authorization: SharedKey store:{}",
            '{{"access_token":"{}"}}',
            '{{"primaryKey":"{}"}}',
            '["eyJ{}"]',
        )
    ),
    st.sampled_from(sorted(SPELLINGS)),
)
def test_no_key_and_no_token_survives_in_any_spelling(key: str, around: str, spelling: str) -> None:
    if "eyJ" in around or "access_token" in around:
        key = re.sub("[+/=]", "_", key)
    clean = redact(SPELLINGS[spelling](around.format(key)))
    assert [part for part in parts_of(key) if part in clean] == []
    assert redact(clean) == clean


@given(
    st.lists(
        st.sampled_from(
            [" ", "\n", *"=:\"'\\%+&;[]<>", *PIECES.split()],
        ),
        max_size=40,
    ).map("".join)
)
def test_twice_is_the_same_as_once(text: str) -> None:
    clean = redact(text)
    assert redact(clean) == clean


@given(SIGNATURES)
def test_no_signature_survives_in_a_url_inside_another_url(signature: str) -> None:
    inner = f"https://store.blob.core.windows.net/c?sv=1&sig={quote(signature, safe='')}&sp=r"
    clean = redact(f"https://proxy.example/fetch?url={quote(inner, safe='')}&more=1")
    assert quote(quote(signature, safe=""), safe="") not in clean
    assert "more=1" in clean


@given(st.binary(min_size=64, max_size=64))
def test_no_account_key_survives(raw: bytes) -> None:
    key = base64.b64encode(raw).decode()
    for text in (
        f"DefaultEndpointsProtocol=https;AccountName=store;AccountKey={key};EndpointSuffix=core.windows.net",
        f"AccountKey = '{key}'",
        f'{{"AccountKey": "{key}"}}',
        f"SharedAccessKey={key}",
        f"aeg-sas-key: {key}",
    ):
        clean = redact(text)
        assert key not in clean
        assert REDACTED in clean
    assert "EndpointSuffix=core.windows.net" in redact(f"AccountKey={key};EndpointSuffix=core.windows.net")


@given(st.text(st.sampled_from("abcXYZ019-_"), min_size=20, max_size=60))
def test_no_web_token_survives(middle: str) -> None:
    token = f"eyJ0eXAiOiJKV1Qi.eyJ{middle}.{middle}"
    for text in (f"Authorization: Bearer {token}", f'"access_token": "{token}"', f"got {token}, which is no good"):
        clean = redact(text)
        assert token not in clean
        assert middle not in clean


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Failed to access storage. Service request failed. Status: 403 (This request is not authorized)",
        "the design= of the config=file, assigned=yes",
        "x-ms-request-id: 1b6459c4-d9c8-40f6-9536-90468ee916cb",
        "key vault 'contosovault;location=eastus' has no secrets get permission",
        "https://contosovault.vault.azure.net/secrets/exportsas",
        "Signature not valid in the specified time frame: Start [Mon, 23 Nov 2026] - Expiry [x]",
        "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
        "the signature of the token, sig: none, and the sig = field of https://contoso.example/design=1?assignedTo=me",
        'SharedAccessKeyName=RootManage; {"design":"a-long-word-without-any-blank","signedStart":"2026-11-23T12:00Z"}',
        "mysig=abc, insig: 0123456789abcdefghij, the token's sig",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    clean = redact(text)
    assert redact(clean) == clean


def test_long_texts_take_linear_time() -> None:
    baits = (
        "sig=",
        "?sig",
        "AccountKey = ",
        "Bearer ",
        "eyJ",
        "%3Fsig%3D",
        "&",
        "\\",
        "sig\\",
        "sig=\\",
        "%25",
        "sig%25",
    )
    for bait in (
        *baits,
        "sig" + "\\" * 8,
        "sig=[",
        "sig++",
        'sig" : ',
        "sig&amp;amp;",
        "sig&#",
        "\\u0026",
        "<sig>",
        "u00",
    ):
        redact(bait * (250_000 // len(bait)))
        redact("sig=" + bait + "\\" * 250_000 + "n")
        redact(bait + " " * 250_000)


# --- by type ------------------------------------------------------------------------------------------------


def token_with(signature: str) -> SasToken:
    """A token that is signed with it."""
    text = f"?sv=2024-11-04&sr=c&sp=rl&se=2027-01-01T00:00:00Z&spr=https&sig={quote(signature, safe='')}"
    return parse_sas_token(text)


@given(SIGNATURES)
def test_a_token_shows_its_signature_to_nobody(signature: str) -> None:
    token = token_with(signature)
    assert quote(signature, safe="") in token.signed.reveal()
    error = ValueError("could not use", token, token.signed)
    try:
        raise error
    except ValueError as raised:
        told = "".join(traceback.format_exception(raised))
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "%s %r %s", (token, token, token.signed), None)
    shown = [
        repr(token),
        str(token),
        f"{token} {token!r} {token.signed} {token.signed:>40}",
        "{0} {0!r} {0!s}".format(token.signed),  # noqa: UP032 - another way to text
        "%s %r" % (token.signed, token.signed),  # noqa: UP031 - and another
        str(vars_of(token)),
        str([token]),
        str({"token": token}),
        str(token.facts()),
        json.dumps(token.facts()),
        json.dumps(plain_value({"token": token, "all": [token.signed]})),
        str(error),
        repr(error),
        told,
        logging.Formatter("%(message)s").format(record),
    ]
    for text in shown:
        for spelt in encoded(signature):
            assert spelt not in text


def vars_of(token: SasToken) -> dict[str, Any]:
    """What a debugger would list."""
    return {name: getattr(token, name) for name in dir(token) if not name.startswith("__") and name != "facts"}


@given(SIGNATURES)
def test_a_secret_is_neither_copied_nor_written(signature: str) -> None:
    for secret in (Secret(signature), token_with(signature)):
        for write in (
            pickle.dumps,
            copy.copy,
            copy.deepcopy,
            lambda value: pickle.dumps([value], protocol=2),
            json.dumps,
        ):
            with pytest.raises(TypeError) as raised:
                write(secret)
            for spelt in encoded(signature):
                assert spelt not in str(raised.value)


def test_a_secret_holds_nothing_that_can_be_listed() -> None:
    secret = Secret("value")
    assert not hasattr(secret, "__dict__")
    assert secret != Secret("value")
    assert secret.reveal() == "value"


@given(SIGNATURES, st.sampled_from(["", "sp=&", "se=soon&", "sr=c&sr=b&", "'", "https://x/?", "a b ", "sig=other&"]))
def test_a_token_that_is_malformed_says_why_without_itself(signature: str, wrong: str) -> None:
    with pytest.raises(SasMalformed) as raised:
        parse_sas_token(f"{wrong}sv=1&sr=c&sig={signature}")
    assert signature not in str(raised.value)


@given(SIGNATURES, st.integers(0, LONGEST_TEXT + 50))
def test_cutting_a_text_does_not_uncover_half_a_signature(signature: str, at: int) -> None:
    text = "x" * at + f"?sig={signature}&" + "y" * LONGEST_TEXT
    clean = shortened(redact(text))
    assert signature[:10] not in clean
    assert len(clean.encode()) <= LONGEST_TEXT
