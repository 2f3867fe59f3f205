"""What a picture says, without what differs from one making to the next: moments, ids, durations, digests."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

# A terminal may have broken the line inside.
_DIGIT: Final = r"[0-9a-f]\s*"
_UUID: Final = rf"(?:{_DIGIT}){{8}}(?:-\s*(?:{_DIGIT}){{4}}){{3}}-\s*(?:{_DIGIT}){{11}}[0-9a-f]"
_CHANGING: Final = (
    (re.compile(r"sha256:[0-9a-f]{64}"), "<digest>"),
    (re.compile(_UUID), "<id>"),
    (re.compile(r"(?<=_)[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\b(?:[0-9a-f]\s*){31,63}[0-9a-f]\b"), "<id>"),
    (re.compile(r"\d{4}-\d{2}-\d{2}[T\s]\s*\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|\s+UTC)?"), "<time>"),
    # How long a finding is open, in the column after the moment since when.
    (re.compile(r"(?m)<time>\t\d+(\.\d)?$"), "<time>\t<hours>"),
    (re.compile(r"(?<=Minutes since the monitor reported\n)\d+"), "<minutes>"),
    (re.compile(r"\b\d+ s\b"), "<seconds>"),
)


def normalised(text: str) -> str:
    """``text`` with a word in place of each thing that differs, and without the blanks that only set it apart."""
    for pattern, word in _CHANGING:
        text = pattern.sub(word, text)
    lines = (re.sub(" +", " ", line).strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line) + "\n"


def differences(committed: str, made: str) -> list[str]:
    """The lines that only one of two texts has. Their order counts for nothing: rows of one moment have none."""
    old, new = Counter(committed.splitlines()), Counter(made.splitlines())
    return [f"no more: {line}" for line in (old - new)] + [f"new: {line}" for line in (new - old)]
