"""How long the function app takes to start, against its own library alone, and the first event after it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
_TIMED: Final = "import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
_TIMES: Final = 7
_ENVIRONMENT: Final = {
    "MONITORED_REGISTRIES": "/subscriptions/00000000-0000-0000-0000-000000000000",
    "LOGS_INGESTION_ENDPOINT": "https://dcr.ingest.monitor.azure.com",
    "LOGS_DCR_IMMUTABLE_ID": "dcr-0",
    "STATE_CONTAINER_URL": "https://state.blob.core.windows.net/state",
}


def _import_seconds(module: str) -> float:
    """The median of several fresh processes, byte code warm."""
    command = [sys.executable, "-c", _TIMED.format(module=module)]
    environment = {**os.environ, **_ENVIRONMENT}
    times = [
        float(subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout)
        for _ in range(_TIMES)
    ]
    return statistics.median(times)


def measure() -> tuple[float, float]:
    """Seconds to import ``function_app`` and seconds to import ``azure.functions`` alone."""
    for module in ("azure.functions", "function_app"):
        _import_seconds(module)
    return _import_seconds("function_app"), _import_seconds("azure.functions")
