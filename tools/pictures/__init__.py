"""The pictures of the documentation, made from what the product itself shows in the local cloud."""

from __future__ import annotations

from pathlib import Path
from typing import Final

PICTURES: Final = Path(__file__).parents[2] / "docs" / "pictures"
