"""The pages of the documentation, and what is code in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "infra").rglob("*.md"),
        *(ROOT / "tests").rglob("*.md"),
    ]
)
_FENCED: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE: Final = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


def without_code(text: str) -> str:
    """The text outside of fenced code and code in a line."""
    return _INLINE.sub("", _FENCED.sub("", text))


def code_of(text: str) -> list[str]:
    """What stands in fences for a shell, or without saying what for, and between backquotes."""
    fenced = [code for kind, code in _FENCED.findall(text) if kind in {"", "sh", "bash", "shell", "console"}]
    return [*fenced, *_INLINE.findall(_FENCED.sub("", text))]
