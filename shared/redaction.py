"""Takes secrets out of text before it is stored, raised or logged.

The first net is the types: a SAS token and its signature never become text. This is the second net, for
what other people's texts carry: error messages, URLs, headers.
"""

from __future__ import annotations

import re
from typing import Final

REDACTED: Final = "[redacted]"

# A secret seldom travels alone: JSON writes "&" as \u0026 (as .NET does) and "/" as \/, a URL in a URL writes it as %26
# or %2526, XML as &amp;, and a text in a text once more. So what stands around a name is taken in all these spellings.
#
# Every pattern is linear: it begins with a word, what repeats is bounded or never given back, and neighbours don't
# overlap. The words before it are what a text must contain for the pattern to match, in lower case: most texts are
# done after looking for them.


def _begins(word: str) -> str:
    """``word`` where a name may begin: not within another word, but behind an escape, whose last sign is a letter."""
    code = "[0-9A-Fa-f]{2}"
    # "25" and the last digits stand for %26 that was escaped again: %2526.
    escapes = (r"\\[nrtbf]", f"u00{code}", f"x{code}", f"%{code}", f"25{code}")
    behind = "|".join(f"(?<={escape}{word})" for escape in escapes)
    return f"{word}(?:(?<![A-Za-z0-9_]{word})|{behind})"


def _sign(plain: str, code: str, *names: str) -> str:
    """A sign itself, or as JSON, a program's text, a URL or XML spell it."""
    entities = "|".join([*names, f"#x{code}", f"#{int(code, 16)}"])
    return rf"(?:\\{{0,8}}(?:{plain}|(?:u00|x){code})|%(?:25){{0,8}}{code}|&(?:amp;){{0,4}}(?:{entities});)"


_EQUALS: Final = _sign("=", "3d", "equals")
_COLON: Final = _sign(":", "3a", "colon")
_QUOTE: Final = "|".join(["(?:" + _sign('"', "22", "quot"), _sign("'", "27", "apos") + ")"])
_BRACKET: Final = _sign(r"\[", "5b")
_CLOSES_TAG: Final = _sign(">", "3e", "gt")
_SPACES: Final = r"(?:\s|%(?:25){0,8}20|\+|\\{1,8}(?:[nrt]|u0020)){0,5}"
# What stands between a name and its value: in a key of JSON, a line of a log, an element. Never given back.
_JOINT: Final = (
    rf"(?>{_QUOTE}?{_SPACES}(?:{_EQUALS}|{_COLON}){_SPACES}(?:{_BRACKET}(?={_QUOTE}))?{_QUOTE}?|{_CLOSES_TAG})"
)
_QUOTED: Final = rf"(?>{_QUOTE}\s{{0,5}}(?:{_EQUALS}|{_COLON})\s{{0,5}}{_QUOTE})"
# An escape within a value is a part of it, unless it stands for what ends it: a quote, "&", a blank, a bracket.
_ESCAPE: Final = (
    r"\\++(?![\"'nrtbf]|(?:u00|x)(?:0[9ad]|2[02679c]|3[bce]|5d|7d))|&(?:amp;){0,4}#x?(?:2b|2f|3d|25|43|47|61|37);"
)
_NOT_YET: Final = r"(?!\[redacted\])"
# Long enough for a signature, and no word of a sentence.
_LONG: Final = r"(?=[A-Za-z0-9+/%=_\-\\&#;.~]{20})"

_SECRETS: Final = (
    # The signature of a SAS token.
    (
        ("sig",),
        re.compile(
            rf"({_begins('sig')}(?:{_EQUALS}|{_QUOTED}|{_JOINT}{_LONG}))"
            rf"{_NOT_YET}(?:[^&\s\"'`<>;,)\]}}\\]++|{_ESCAPE})++",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
    (
        ("key", "signature", "secret", "_token"),
        re.compile(
            r"((?:AccountKey|SharedAccessKey|SharedAccessSignature|client_secret|aeg-sas-key"
            rf"|PrimaryKey|SecondaryKey|access_token|refresh_token){_JOINT})"
            rf"{_NOT_YET}(?:[^;&\s\"'<>\\]++|{_ESCAPE})++",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
    (
        ("bearer", "sharedkey"),
        re.compile(
            rf"((?:{_begins('Bearer')}|{_begins('SharedKey')}(?:Lite)?)(?:\s|\+|%(?:25){{0,8}}20|\\{{1,8}}u0020){{1,5}})"
            rf"(?=[A-Za-z0-9\-._~+/:=%\\&#;]{{8}})(?:[A-Za-z0-9\-._~+/:=%]++|{_ESCAPE})++",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
    # A JSON web token, whatever stands before it. Its first part alone is enough: to look for the rest from each
    # "eyJ" anew would take time with the square of a text that is made of them.
    (("eyj",), re.compile(rf"{_begins('eyJ')}[A-Za-z0-9_\-]{{8,}}(?:\.[A-Za-z0-9_\-]+){{0,2}}"), REDACTED),
)


def redact(text: str) -> str:
    """``text`` without SAS signatures, account keys, bearer tokens and web tokens. Twice is the same as once."""
    lowered = text.lower()
    for words, pattern, replacement in _SECRETS:
        # A plain loop: this is asked for each text of each row.
        for word in words:
            if word in lowered:
                text = pattern.sub(replacement, text)
                break
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
