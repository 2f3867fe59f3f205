"""How much memory a process holds, in megabytes of a million bytes."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import Final

_STATUS: Final = "/proc/{process}/status"


def resident_megabytes(process: int) -> float:
    """What is resident of a process at this moment."""
    if sys.platform == "linux":
        return _kibibytes(process, "VmRSS") * 1024 / 1e6
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(process)], check=True, capture_output=True, text=True)
    return int(shown.stdout) * 1024 / 1e6


def most_resident_megabytes(process: int | None = None) -> float:
    """The most that was ever resident of this process; of another one only Linux tells, elsewhere 0.

    On Linux not from ``getrusage``: its figure begins with that of the process that started this one.
    """
    if sys.platform == "linux":
        return _kibibytes(process or "self", "VmHWM") * 1024 / 1e6
    if process is not None:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


def _kibibytes(process: int | str, name: str) -> int:
    lines = Path(_STATUS.format(process=process)).read_text(encoding="utf-8", errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
