"""The monitor's time limits, shortened inside this process so that what hangs need not be waited for."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from azure.storage.blob.aio import LinearRetry

from shared import monitor as doors
from shared import sweep
from shared.azure import blobs, failures
from shared.evidence import gather
from shared.sinks import condition_records, run_marks


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How many seconds a handler and a sweep may take with these limits, and when a claim has expired for certain.

    A sweep ends at its deadline of four minutes and then writes its heartbeat.
    """

    handler: float = 25.0
    sweep: float = sweep.SWEEP_SECONDS + failures.ANSWER_WITHIN
    claim: float = 60.0


@contextmanager
def nobody_is_publishing() -> Iterator[None]:
    """Minutes later, as far as alerts go: what waits for the topic is not about to be published by a handler."""
    kept = condition_records.ORPHANED_AFTER
    condition_records.ORPHANED_AFTER = timedelta()  # type: ignore[misc]
    try:
        yield
    finally:
        condition_records.ORPHANED_AFTER = kept  # type: ignore[misc]


@contextmanager
def limits(*, short: bool) -> Iterator[TimeLimits]:
    """The product's own limits, or shorter ones.

    Answers are awaited for much shorter, which is what hangs cost; the others leave room for a machine that is busy.
    """
    if not short:
        yield TimeLimits()
        return
    defaults = inspect.unwrap(failures.asking).__kwdefaults__
    places: list[tuple[Any, str, Any]] = [
        (gather, "SECONDARY_SECONDS", 4.0),
        (doors, "HANDLER_SECONDS", 9.0),
        (sweep, "SWEEP_SECONDS", 60.0),
        (run_marks, "CLAIM_LASTS", timedelta(seconds=12)),
        (blobs, "LinearRetry", lambda **options: LinearRetry(**options | {"backoff": 0})),
    ]
    kept = [(place, name, getattr(place, name)) for place, name, _ in places]
    answer = defaults["within"]
    for place, name, value in places:
        setattr(place, name, value)
    defaults["within"] = 2.0
    try:
        # Giving a claim back takes another two seconds, as it does in the product.
        yield TimeLimits(handler=9.0 + 2.0 + 2.0, sweep=60.0 + 2.0, claim=12.0)
    finally:
        for place, name, value in kept:
            setattr(place, name, value)
        defaults["within"] = answer
