"""Terminals as SVG, by Rich's export, and the words of such a picture."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from collections import defaultdict
from typing import Final

from rich.console import Console
from rich.terminal_theme import TerminalTheme

_SVG: Final = "{http://www.w3.org/2000/svg}"
_THEME: Final = TerminalTheme(
    (24, 26, 31),
    (220, 223, 228),
    [
        (40, 44, 52),
        (224, 108, 117),
        (152, 195, 121),
        (229, 192, 123),
        (97, 175, 239),
        (198, 120, 221),
        (86, 182, 194),
        (220, 223, 228),
    ],
)
# Rich's own format fetches a web font; this one names what a machine has.
_FORMAT: Final = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def recording(width: int) -> Console:
    """A console that remembers what is printed, as a terminal of ``width`` columns would show it."""
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    # Spinners would be drawn frame by frame.
    console.is_interactive = False
    return console


def drawn(console: Console, title: str) -> str:
    """What was printed, as SVG."""
    return console.export_svg(title=title, theme=_THEME, code_format=_FORMAT)


def words_of(svg: str) -> str:
    """The lines that the picture shows; where it leaves a gap between two words there is one blank."""
    lines: defaultdict[float, list[tuple[float, float, str]]] = defaultdict(list)
    # Ours, from the checkout.
    for text in ET.fromstring(svg).iter(f"{_SVG}text"):
        words = "".join(text.itertext()).replace("\xa0", " ").rstrip("\n")
        if text.get("clip-path") is not None and words:
            start = float(text.get("x", 0))
            lines[float(text.get("y", 0))].append((start, start + float(text.get("textLength", 0)), words))
    return "\n".join(_line(sorted(pieces)) for _, pieces in sorted(lines.items()))


def _line(pieces: list[tuple[float, float, str]]) -> str:
    said, end = "", 0.0
    for start, until, words in pieces:
        said += f" {words}" if start > end + 1 else words
        end = until
    return said
