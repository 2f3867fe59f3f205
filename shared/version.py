"""The version of the monitor, as every row and every request names it."""

from typing import Final

MONITOR_VERSION: Final = "0.1.0"
