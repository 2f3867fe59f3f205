"""Consoles, and texts of other people made safe for them.

Names, messages and commands come from Azure and may hold anything. They are never read as Rich markup, no
control character of theirs reaches the terminal, and secrets are taken out once more on the way.
"""

from __future__ import annotations

import io
import os
import re
import sys
from typing import TYPE_CHECKING, Final

from shared.redaction import redact

if TYPE_CHECKING:
    from rich.console import Console

# C0 and C1 without line feed, and what turns the direction of a line or hides in it.
_CONTROL: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
# Nobody reads a pipe at a fixed width, but paragraphs without any end are hard to read in a log.
_PIPED_WIDTH: Final = 100


def clean(text: str) -> str:
    """``text`` without control characters and secrets; line feeds stay."""
    readable = text.replace("\r\n", "\n").replace("\t", " ").encode("utf-8", "replace").decode("utf-8")
    return _CONTROL.sub("", redact(readable))


def one_line(text: str) -> str:
    """:func:`clean`, in one line."""
    return " ".join(clean(text).split())


def console(*, stderr: bool = False) -> Console:
    """A console on standard output or standard error: plain if piped, without markup, emoji and highlighting."""
    from rich.console import Console

    made = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = _PIPED_WIDTH
    return made


def survive_any_encoding() -> None:
    """A character that the terminal can't show becomes a question mark instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
