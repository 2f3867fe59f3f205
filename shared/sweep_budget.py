"""How fast the sweep may read, so that events that are handled meanwhile are not throttled because of it.

ARM gives an identity a bucket of 250 reads in a subscription and refills it with 25 a second. Lists are few and are
never held up; looks at pipelines, of which a first sweep over hundreds makes thousands of reads, wait.

Source: "Understand how Azure Resource Manager throttles requests", subscription limits of the regional token bucket.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from shared.azure.arm import ArmReader

# Four fifths of what ARM gives, over and above what others of this process have read.
AT_ONCE: Final = 200
PER_SECOND: Final = 20.0


class ReadBudget:
    """What one sweep may read, counted from when this was made."""

    def __init__(self, arm: ArmReader, clock: Callable[[], float] = time.monotonic) -> None:
        self._arm = arm
        self._clock = clock
        self._before = arm.reads
        self._began = clock()

    def seconds_to_wait(self) -> float:
        """How long until another look may begin."""
        spent = self._arm.reads - self._before
        return max(0.0, (spent - AT_ONCE) / PER_SECOND - (self._clock() - self._began))

    async def wait(self) -> None:
        """Returns when another look may begin."""
        while (seconds := self.seconds_to_wait()) > 0:  # noqa: ASYNC110 - time itself is what it waits for
            await asyncio.sleep(seconds)
