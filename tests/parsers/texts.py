"""Texts that are hard on parsers, and how long one may take."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Final

from hypothesis import strategies as st

LONGEST: Final = 200_000
# A pattern that goes over such a text once needs some milliseconds; one that starts anew at each place, minutes.
_SECONDS: Final = 2.0

# What patterns of the parsers begin with, and what can be repeated inside them.
_PIECES: Final = (
    *("a", "0", "-", "_", ".", "/", "[", "(", " ", "\n", "%", "&", "=", "é", "\0"),
    *("eyJ-", "eyJaaaaaaaa.", "sig=", "&sig=", "?sig=a&", "%3Fsig%3D", "AccountKey=", "client_secret='", "Bearer "),
    *("Start [", "Start [aaaa] - Expiry [", "status code ", "status=(", "code (", "403 ", "403 -", "Expiry "),
    *("a.blob.", "a1-", "a.vault.", "oid=", "object id '", "layer ", "layer a ", "artifacts limit ", "limit 50 "),
    *("secret not ", "blob already ", "tag ", "manifest ", "repository is not ", "export pipeline "),
    *("/exportPipelines/a ", "access to registry ", "Access to ", "client with IP ", "managed identity "),
    *("premium ", "requires ", "export policy ", "A secret with (name/id) ", "manifest tagged by "),
    *("Signature not valid ", "se=2026&", "https://", "//", "@", "/subscriptions/", "2026-01-01T", "T00:00"),
)
HOSTILE: Final = tuple(piece * (LONGEST // len(piece)) for piece in _PIECES)

# Any text at all, and texts made of the words that parsers look for.
ANY_TEXT: Final = st.text(max_size=400)
LIKELY_TEXT: Final = st.lists(st.sampled_from(_PIECES) | st.text(max_size=8), max_size=40).map("".join)
TEXTS: Final = st.one_of(ANY_TEXT, LIKELY_TEXT)

# A signature as Azure makes them: 32 bytes in base64, as it stands in a token and percent-encoded in a URL.
SIGNATURES: Final = st.binary(min_size=32, max_size=32)


def takes_linear_time(parse: Callable[[str], object], text: str, *expected: type[Exception]) -> None:
    """``parse`` is done with ``text`` in the time of going over it once, whatever comes of it."""
    began = time.perf_counter()
    with contextlib.suppress(*expected):
        parse(text)
    took = time.perf_counter() - began
    assert took < _SECONDS, f"{took:.1f} s for {len(text)} characters beginning with {text[:20]!r}"
