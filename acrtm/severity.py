"""How a severity looks in a terminal, wherever it is shown."""

from __future__ import annotations

from typing import Final

_STYLES: Final = {"Critical": "bold red", "High": "red", "Medium": "yellow", "Low": "cyan", "Info": "dim"}


def severity_style(label: str) -> str:
    """The Rich style of ``High`` and its like; plain for a word that nobody knows."""
    return _STYLES.get(label, "")
