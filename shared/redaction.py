"""Takes secrets out of text before it is stored, raised or logged.

The first net is the types: a SAS token and its signature never become text. This is the second net, for
what other people's texts carry: error messages, URLs, headers.
"""

from __future__ import annotations

import re
from typing import Final

REDACTED: Final = "[redacted]"

# Every pattern is linear: no nested repetition, no overlap between neighbours. The words before it are what a
# text must contain for the pattern to match, in lower case: most texts are done after looking for them.
_SECRETS: Final = (
    # The signature of a SAS token, plain or percent-encoded as part of another URL.
    (
        ("sig",),
        re.compile(r"((?:^|[?&;,\s\"'>]|%3[Ff]|%26)sig(?:=|%3[Dd]))(?!\[redacted\])[^&\s\"'<>;,)\]}]+", re.IGNORECASE),
        rf"\1{REDACTED}",
    ),
    (
        ("key", "signature", "secret"),
        re.compile(
            r"(\b(?:AccountKey|SharedAccessKey|SharedAccessSignature|client_secret|aeg-sas-key)"
            r"[\"']?\s{0,5}[=:]\s{0,5}[\"']?)(?!\[redacted\])[^;&\s\"'<>]+",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
    (
        ("bearer", "sharedkey"),
        re.compile(r"(\b(?:Bearer|SharedKey(?:Lite)?)\s{1,5})[A-Za-z0-9\-._~+/:=]{8,}", re.IGNORECASE),
        rf"\1{REDACTED}",
    ),
    # A JSON web token, whatever stands before it. Its first part alone is enough: to look for the rest from each
    # "eyJ" anew would take time with the square of a text that is made of them.
    (("eyj",), re.compile(r"\beyJ[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]+){0,2}"), REDACTED),
)


def redact(text: str) -> str:
    """``text`` without SAS signatures, account keys, bearer tokens and web tokens. Twice is the same as once."""
    lowered = text.lower()
    for words, pattern, replacement in _SECRETS:
        if any(word in lowered for word in words):
            text = pattern.sub(replacement, text)
    return text


class Secret:
    """Text that must not be seen. Only :meth:`reveal` gives it back.

    It does not pickle, copy into JSON, compare or print: ``repr`` and ``str`` show nothing of it.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The text itself, to hand to the one service that it is for."""
        return self.__value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Secret cannot be pickled or copied")
