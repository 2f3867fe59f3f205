"""Whether a blob still waits for an import, which is when its faults matter."""

from __future__ import annotations

from collections.abc import Callable

from shared.evidence.model import Evidence, Look
from shared.evidence.pieces import Missing, Unavailable
from shared.records.storage import Blob
from shared.records.transfer import Direction, Pipeline
from shared.rules.model import Outcome, Verdict, not_applicable, unknown


def is_watched(evidence: Evidence, *, by_trigger: bool) -> bool | Unavailable:
    """Whether an import pipeline reads the blob's container, ``by_trigger`` one whose source trigger is on."""
    watchers = evidence.watchers
    known: tuple[Pipeline, ...] = watchers if isinstance(watchers, tuple) else ()
    pipeline = evidence.known_pipeline
    if pipeline is not None and pipeline.direction is Direction.IMPORT:
        known = (*known, pipeline)
    if any(watcher.source_trigger_enabled or not by_trigger for watcher in known):
        return True
    if isinstance(watchers, Unavailable):
        return watchers
    return evidence.open_ends or False


def judge_waiting(evidence: Evidence, judge: Callable[[Blob], Verdict], *, by_trigger: bool) -> Verdict:
    """The verdict of ``judge`` on a blob that still waits.

    A blob that is gone, that was imported, or that nobody would import is no fault, whatever it looks like. Where
    that can't be told, a fault is unknown; the verdict that all is well needs no such question.
    """
    blob = evidence.blob
    if isinstance(blob, Unavailable):
        return unknown(blob)
    if isinstance(blob, Missing) or evidence.already_imported:
        return not_applicable()
    if evidence.look is Look.FAILED_RUN:
        return judge(blob)
    watched = is_watched(evidence, by_trigger=by_trigger)
    if watched is False:
        return not_applicable()
    verdict = judge(blob)
    if verdict.outcome not in {Outcome.FAIL, Outcome.WARN}:
        return verdict
    if isinstance(watched, Unavailable):
        return unknown(watched)
    runs = evidence.runs_of_blob
    # Not asked for is another matter: right after a blob has landed there is no run to ask for.
    if isinstance(runs, Unavailable) and not runs.by_choice:
        return unknown(runs)
    return verdict
