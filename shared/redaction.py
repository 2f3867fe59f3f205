"""Takes secrets out of text before it is stored, raised or logged.

The first net is the types: a SAS token and its signature never become text. This is the second net, for
what other people's texts carry: error messages, URLs, headers.
"""

from __future__ import annotations

import re
from typing import Final

REDACTED: Final = "[redacted]"

# Every pattern is linear: no nested repetition, no overlap between neighbours, bounded look-ahead.
_SECRETS: Final = (
    # The signature of a SAS token, plain or percent-encoded as part of another URL.
    (
        re.compile(r"((?:^|[?&;\s\"'>]|%3[Ff]|%26|amp;)sig(?:=|%3[Dd]))[^&\s\"'<>;)\]}]+", re.IGNORECASE),
        r"\1" + REDACTED,
    ),
    (
        re.compile(
            r"(\b(?:AccountKey|SharedAccessKey|SharedAccessSignature|client_secret|aeg-sas-key)\s*[=:]\s*)[^;\s\"'<>]+",
            re.IGNORECASE,
        ),
        r"\1" + REDACTED,
    ),
    (
        re.compile(r"(\b(?:Bearer|SharedKey(?:Lite)?)\s+)[A-Za-z0-9\-._~+/:]+=*", re.IGNORECASE),
        r"\1" + REDACTED,
    ),
    # A JSON web token, whatever stands before it.
    (re.compile(r"\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]*"), REDACTED),
)


def redact(text: str) -> str:
    """``text`` without SAS signatures, account keys, bearer tokens and web tokens."""
    for pattern, replacement in _SECRETS:
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
