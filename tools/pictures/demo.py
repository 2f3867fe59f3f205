"""The picture of what the demo prints."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

from acrtm.demo import run_demo
from tools.pictures.terminal import drawn, recording

_WIDTH: Final = 120


def demo_picture() -> str:
    """Runs the demo once and draws it. Raises if one of its diagnoses was wrong."""
    console = recording(_WIDTH)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ACRTM_STORE"] = str(Path(folder) / "findings.duckdb")
        if run_demo(console) != 0:
            raise RuntimeError("the demo ended with a wrong diagnosis: see acrtm demo")
    return drawn(console, "acrtm demo")
