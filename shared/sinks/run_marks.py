"""Which runs were diagnosed, and who is at it: one record for each run.

::

                        claim                     finish
      (no record) ───────────────▶ claimed ──────────────────▶ done
           │                        ▲  │ │                      │
           │ remember               │  │ └──finish──▶ open ─┐   │ the run was started anew:
           ▼                        │  │ release            │   │ another start than the
        pending ────────────────────┘  ▼                    │   │ record's
           ▲     claim              pending                 │   │
           └────────────────────────────────────────────────┘◀──┘ claim

A run that succeeded has no root cause that could be taken back, so it is marked ``done`` with one write and without
a claim (:meth:`RunMarks.settle`). What it may tell of beside itself (a partial run, a layer that the export leaves out)
may have been resolved when its event comes again, so then the mark is read before anything is written: what is done is
not told again. After a crash before the mark, its rows and alerts come again under the same ids; so does the one row
of a plain success whose event comes again.

``resolved`` is ``done``, and a later run of the pipeline has succeeded: the sweep has written that too. ``followed`` is
the same of an ``open`` one: it is over, and what was left out of it is looked at as before.

``claimed`` expires: who died while holding it loses nothing, because the event was not acknowledged and comes
again, and the sweep takes the run up. ``open`` is a diagnosis that had to leave something out. The sweep looks again
until it is complete or the run is a day old: at every sweep where a passing trouble was in the way, and where a right
or a path is missing not before ``lookAgainAt``.
``began`` is the run's own moment. Once chosen it is kept, so that every row about this start has one id.

Two starts of a run are told apart by their times. A run that fails early may have none: then by what was asked for
(``wanted``, a digest of it) and how it ended (``outcome``). A mark of before there were these two says nothing by them.

What was found is stored before ``finish``: a crash in between repeats rows with the same ids, the other order
would lose them. Before it is stored, ``intend`` notes the root cause in the claim: who takes over after a crash may
find another one, as the world has changed meanwhile, and then has to take back the row that perhaps was stored.
``causes`` are the rows of all root causes that may stand.

A mark is deleted (:mod:`shared.sweep_cleaning`) when the registry's list does not name the run any more and nothing was
written to the mark for the look-back, the day for which Event Grid delivers an event, and another day. Until then an
event that comes again or a list that leaves the run out once finds it known. A listed run keeps its mark, however old.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from shared.errors import AlreadyInProgress
from shared.findings.finding import Row, digest
from shared.records.transfer import PipelineRun, RunOutcome
from shared.sinks.state_store import StateStore, Stored
from shared.times import iso, parse_time

# Longer than a handler may take, short enough that a redelivery after a crash waits no more than once.
CLAIM_LASTS: Final = timedelta(seconds=60)
_LABELLED: Final = ("state", "start", "finish", "claimedUntil", "lookAgainAt", "outcome", "wanted")
# How many of them a label had before it told how the run ended.
_LABELLED_BEFORE: Final = 5


class MarkState(StrEnum):
    """See the picture above."""

    PENDING = "pending"
    CLAIMED = "claimed"
    OPEN = "open"
    FOLLOWED = "followed"
    DONE = "done"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class RunMark:
    """What the record of a run says."""

    state: MarkState
    began: datetime | None
    start: str
    finish: str
    claimed_until: datetime | None
    first_seen: datetime | None
    causes: tuple[Row, ...]
    look_again_at: datetime | None = None
    gaps: frozenset[str] = frozenset()
    open_rules: frozenset[str] = frozenset()
    outcome: str = ""
    wanted: str = ""

    @classmethod
    def of(cls, stored: Stored) -> RunMark:
        """Reads a record; what makes no sense reads as pending, so that the run is looked at again."""
        record = stored.record
        try:
            state = MarkState(str(record.get("state")))
        except ValueError:
            state = MarkState.PENDING
        causes = record.get("causes")
        return cls(
            state=state,
            began=parse_time(record.get("began")),
            start=str(record.get("start") or ""),
            finish=str(record.get("finish") or ""),
            claimed_until=parse_time(record.get("claimedUntil")),
            first_seen=parse_time(record.get("firstSeen")),
            causes=tuple(c for c in causes if _is_row(c)) if isinstance(causes, list) else (),
            look_again_at=parse_time(record.get("lookAgainAt")),
            gaps=_texts(record.get("gaps")),
            open_rules=_texts(record.get("openRules")),
            outcome=str(record.get("outcome") or ""),
            wanted=str(record.get("wanted") or ""),
        )

    @property
    def is_left_open(self) -> bool:
        """Whether something was left out that is to be looked at again."""
        return self.state in {MarkState.OPEN, MarkState.FOLLOWED}

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to be diagnosed."""
        return self.state in {MarkState.DONE, MarkState.RESOLVED}

    def is_about(self, run: PipelineRun) -> bool:
        """Whether the record is about this start of the run, and not about an earlier one."""
        if self._succeeded and run.outcome in {RunOutcome.FAILED, RunOutcome.CANCELED}:
            return False
        if self.start and run.start_time:
            return self.start == iso(run.start_time)
        if self.finish and run.finish_time:
            return self.finish == iso(run.finish_time)
        if self.wanted and self.wanted != _wanted(run):
            return False
        # What was diagnosed ended as it did; no later look lets it end otherwise.
        ended = self.outcome if self.is_done or self.is_left_open else ""
        return not ended or run.outcome is RunOutcome.NOT_OVER or ended == run.outcome

    @property
    def _succeeded(self) -> bool:
        return self.outcome == RunOutcome.SUCCEEDED and (self.is_done or self.is_left_open)


@dataclass(frozen=True, slots=True)
class OpenEnd:
    """What a diagnosis had to leave out.

    ``gaps`` are the keys of the conditions that say what is missing, ``rules`` the rules that were left open by them,
    ``look_again_at`` when another look is worth its reads; ``None`` is at once.
    """

    gaps: frozenset[str]
    rules: frozenset[str]
    look_again_at: datetime | None

    def is_as_before(self, mark: RunMark) -> bool:
        """Whether an earlier look has left out just the same."""
        return mark.is_left_open and (self.gaps, self.rules) == (mark.gaps, mark.open_rules)

    def to_record(self) -> dict[str, Any]:
        """The fields of the run's record."""
        return {"gaps": sorted(self.gaps), "openRules": sorted(self.rules), "lookAgainAt": iso(self.look_again_at)}


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to diagnose a run until it expires. ``earlier`` is the mark that was there before."""

    key: str
    etag: str
    began: datetime
    first_seen: datetime
    until: datetime
    earlier: RunMark | None
    causes: tuple[Row, ...] = ()


def run_prefix(registry_id: str) -> str:
    """Where the records of a registry's runs stand."""
    return f"runs/{digest(registry_id.lower())[:16]}/"


def run_key(run_id: str, registry_id: str) -> str:
    """Where the record of a run stands."""
    return f"{run_prefix(registry_id)}{digest(run_id.lower())}.json"


class RunMarks:
    """The records of all runs."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    async def claim(self, run: PipelineRun, now: datetime) -> Claim | RunMark:
        """The right to diagnose ``run``, or the mark that says that it was done already.

        Raises :class:`~shared.errors.AlreadyInProgress` while somebody else holds it.
        """
        key = run_key(run.id, run.registry_id)
        began = run.began or now
        until = now + CLAIM_LASTS
        record = _record(run, MarkState.CLAIMED, began, now, claimed_until=until)
        # Written first: the common case is that there is no record, and then nothing has to be read.
        etag = await self._store.create(key, record, label(record))
        if etag is not None:
            return Claim(key, etag, began, now, until, None)
        stored = await self._store.read(key)
        if stored is None:
            raise AlreadyInProgress(f"the record of run {run.name} vanished while it was read")
        mark = RunMark.of(stored)
        same = mark.is_about(run)
        if same and mark.is_done:
            return mark
        if mark.state is MarkState.CLAIMED and mark.claimed_until is not None and mark.claimed_until > now:
            raise AlreadyInProgress(f"run {run.name} is being diagnosed until {iso(mark.claimed_until)}")
        if same:
            began = mark.began or began
        first_seen = (mark.first_seen if same else None) or now
        causes = mark.causes if same else ()
        record = _record(run, MarkState.CLAIMED, began, first_seen, claimed_until=until, causes=causes)
        etag = await self._store.replace(key, record, stored.etag, label(record))
        if etag is None:
            raise AlreadyInProgress(f"run {run.name} was claimed by somebody else at this moment")
        return Claim(key, etag, began, first_seen, until, mark if same else None, causes)

    async def intend(self, claim: Claim, run: PipelineRun, cause: Row | None) -> Claim:
        """Notes the root cause whose row is about to be stored; the claim as it is then.

        Raises :class:`~shared.errors.AlreadyInProgress` if somebody has taken over the claim, which had expired.
        """
        if cause is None or cause["FindingId"] in {known["FindingId"] for known in claim.causes}:
            return claim
        causes = (*claim.causes, cause)
        record = _record(
            run, MarkState.CLAIMED, claim.began, claim.first_seen, claimed_until=claim.until, causes=causes
        )
        etag = await self._store.replace(claim.key, record, claim.etag, label(record))
        if etag is None:
            raise AlreadyInProgress(f"the claim on run {run.name} has expired and somebody else has it")
        return replace(claim, etag=etag, causes=causes)

    async def read(self, run: PipelineRun) -> RunMark | None:
        """What is known of this start of the run."""
        stored = await self._store.read(run_key(run.id, run.registry_id))
        mark = RunMark.of(stored) if stored is not None else None
        return mark if mark is not None and mark.is_about(run) else None

    async def settle(self, run: PipelineRun, now: datetime, open_end: OpenEnd | None = None) -> RunMark | None:
        """Marks a run as done, or open, that needed no claim; gives the mark that it had, which stays if it is done."""
        key = run_key(run.id, run.registry_id)
        record = _record(run, _state_after(open_end), run.began or now, now)
        record |= open_end.to_record() if open_end is not None else {}
        if await self._store.create(key, record, label(record)) is not None:
            return None
        stored = await self._store.read(key)
        if stored is None:
            return None
        mark = RunMark.of(stored)
        if not (mark.is_about(run) and mark.is_done):
            await self._store.replace(key, record, stored.etag, label(record))
        return mark if mark.is_about(run) else None

    async def finish(
        self,
        claim: Claim,
        run: PipelineRun,
        *,
        open_end: OpenEnd | None = None,
        cause: Row | None = None,
        said_before: bool = False,
    ) -> None:
        """Marks the run as diagnosed, or as open where something had to be left out.

        ``said_before`` says that no row was written, so that a run that was told to be over still is.
        """
        causes = () if cause is None else (cause,)
        state = _state_after(open_end)
        earlier = claim.earlier
        if said_before and earlier is not None and earlier.state is MarkState.FOLLOWED and state is MarkState.OPEN:
            state = MarkState.FOLLOWED
        record = _record(run, state, claim.began, claim.first_seen, causes=causes)
        record |= open_end.to_record() if open_end is not None else {}
        # Lost only to somebody who took over an expired claim, and who then writes the mark.
        await self._store.replace(claim.key, record, claim.etag, label(record))

    async def release(self, claim: Claim, run: PipelineRun) -> None:
        """Gives the claim back, so that the redelivered event need not wait for it to expire."""
        # What was told, or perhaps was, is still to be taken back if the next look finds another cause.
        record = _record(run, MarkState.PENDING, claim.began, claim.first_seen, causes=claim.causes)
        await self._store.replace(claim.key, record, claim.etag, label(record))

    async def resolve(self, run: PipelineRun, *, given_up: bool) -> bool:
        """Notes that a failed run was followed by one that succeeded; ``False`` if its mark has changed meanwhile.

        ``given_up`` says that what was left out of it is not looked at any more.
        """
        stored = await self._store.read(run_key(run.id, run.registry_id))
        state = RunMark.of(stored).state if stored is not None else None
        if stored is None or state not in {MarkState.DONE, MarkState.OPEN}:
            return False
        after = MarkState.FOLLOWED if state is MarkState.OPEN and not given_up else MarkState.RESOLVED
        record = {**stored.record, "state": str(after)}
        return await self._store.replace(stored.key, record, stored.etag, label(record)) is not None

    async def remember(self, run: PipelineRun, now: datetime) -> None:
        """Notes a run that is not over, for the sweep. What is noted already stays as it is."""
        key = run_key(run.id, run.registry_id)
        record = _record(run, MarkState.PENDING, run.began or now, now)
        if await self._store.create(key, record, label(record)) is not None:
            return
        stored = await self._store.read(key)
        if stored is not None and not RunMark.of(stored).is_about(run):
            await self._store.replace(key, record, stored.etag, label(record))


def _state_after(open_end: OpenEnd | None) -> MarkState:
    return MarkState.DONE if open_end is None else MarkState.OPEN


def _texts(value: object) -> frozenset[str]:
    return frozenset(str(item) for item in value) if isinstance(value, list) else frozenset()


def _record(
    run: PipelineRun,
    state: MarkState,
    began: datetime,
    first_seen: datetime,
    *,
    claimed_until: datetime | None = None,
    causes: Sequence[Row] = (),
) -> dict[str, Any]:
    return {
        "runId": run.id,
        "state": str(state),
        "began": iso(began),
        "start": iso(run.start_time),
        "finish": iso(run.finish_time),
        "firstSeen": iso(first_seen),
        "outcome": str(run.outcome),
        "wanted": _wanted(run),
        "claimedUntil": iso(claimed_until),
        "causes": list(causes),
    }


def _wanted(run: PipelineRun) -> str:
    """What was asked for with the write that started the run: an identical one starts nothing."""
    return digest(run.force_update_tag, run.pipeline_id.lower(), run.requested_blob, *run.artifacts)[:16]


def _is_row(cause: object) -> bool:
    return isinstance(cause, dict) and {"FindingId", "FindingKey"} <= cause.keys()


def label(record: Mapping[str, Any]) -> str:
    """What a listing shows: enough to leave a run alone that is known."""
    return "|".join(str(record.get(name) or "") for name in _LABELLED)


def mark_of_label(label: str) -> RunMark | None:
    """A mark as far as its label tells."""
    parts = label.split("|")
    if len(parts) == _LABELLED_BEFORE:
        parts += ["", ""]
    if len(parts) != len(_LABELLED):
        return None
    state, start, finish, until, again, outcome, wanted = parts
    if state not in set(MarkState):
        return None
    return RunMark(
        MarkState(state),
        None,
        start,
        finish,
        parse_time(until),
        None,
        (),
        parse_time(again),
        outcome=outcome,
        wanted=wanted,
    )
