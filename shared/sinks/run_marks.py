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
the same of an ``open`` one: it is over, and what was left out of it is looked at as before. Such a look says nothing of
it to be wrong now, and ends in ``followed`` or ``resolved``; also that of whoever takes it over.

``failure`` is the row that says that a start has failed, until the sweep has written that it is over. It goes through
every arrow of the picture: the start that succeeds is often another one of the same run, and a run may be deleted
before its pipeline succeeds. A newer failure takes its place, as both are about one run and the newer row counts. Like
a root cause it is noted before it is stored. A mark of before there was this says nothing by it.

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
With the mark its ``failure`` is forgotten: of a run that was deleted, a success that comes later still ends nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, TypeGuard

from shared.errors import AlreadyInProgress
from shared.findings.finding import Row, digest
from shared.records.transfer import PipelineRun, RunOutcome
from shared.sinks.condition_records import short
from shared.sinks.state_store import StateStore, Stored
from shared.times import iso, parse_time

# Longer than a handler may take, short enough that a redelivery after a crash waits no more than once.
CLAIM_LASTS: Final = timedelta(seconds=60)
_LABELLED: Final = ("state", "start", "finish", "claimedUntil", "lookAgainAt", "outcome", "wanted", "unresolved")
# Between pipeline and moment in ``unresolved``, and nowhere else in a label.
_AT: Final = "@"
# How many of them a label had before it told how the run ended, and before it told of a failure that is not over.
_LABELLED_BEFORE: Final = (5, 7)


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
    """What the record of a run says.

    ``unresolved`` is what a label has room for of ``failure``: which pipeline failed, and when the run began.
    """

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
    unresolved: str = ""
    failure: Row | None = None
    is_followed: bool = False

    @classmethod
    def of(cls, stored: Stored) -> RunMark:
        """Reads a record; what makes no sense reads as pending, so that the run is looked at again."""
        record = stored.record
        try:
            state = MarkState(str(record.get("state")))
        except ValueError:
            state = MarkState.PENDING
        causes, failure = record.get("causes"), record.get("failure")
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
            unresolved=str(record.get("unresolved") or ""),
            failure=failure if _is_row(failure) else None,
            is_followed=state is MarkState.FOLLOWED or record.get("followed") is True,
        )

    def is_claimed(self, now: datetime) -> bool:
        """Whether somebody is at it."""
        return self.state is MarkState.CLAIMED and self.claimed_until is not None and self.claimed_until > now

    def is_over(self, successes: Mapping[str, datetime]) -> bool:
        """Whether a success has followed the failure that it keeps; ``successes`` are by the pipelines, shortened."""
        if self._succeeded and self.unresolved:
            # The run itself, started anew, perhaps through another pipeline.
            return True
        pipeline, _, began = self.unresolved.partition(_AT)
        success, failed = successes.get(pipeline), parse_time(began)
        return success is not None and failed is not None and success > failed

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
    failure: Row | None = None
    is_followed: bool = False


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
        claim = Claim(key, "", began, now, until, None)
        record = _record_of(claim, run, MarkState.CLAIMED)
        # Written first: the common case is that there is no record, and then nothing has to be read.
        etag = await self._store.create(key, record, label(record))
        if etag is not None:
            return replace(claim, etag=etag)
        stored = await self._store.read(key)
        if stored is None:
            raise AlreadyInProgress(f"the record of run {run.name} vanished while it was read")
        mark = RunMark.of(stored)
        same = mark.is_about(run)
        if same and mark.is_done:
            return mark
        if mark.is_claimed(now):
            raise AlreadyInProgress(f"run {run.name} is being diagnosed until {iso(mark.claimed_until)}")
        if same:
            began = mark.began or began
        first_seen = (mark.first_seen if same else None) or now
        claim = Claim(
            key,
            stored.etag,
            began,
            first_seen,
            until,
            mark if same else None,
            mark.causes if same else (),
            mark.failure,
            same and mark.is_followed,
        )
        record = _record_of(claim, run, MarkState.CLAIMED)
        etag = await self._store.replace(key, record, stored.etag, label(record))
        if etag is None:
            raise AlreadyInProgress(f"run {run.name} was claimed by somebody else at this moment")
        return replace(claim, etag=etag)

    async def intend(self, claim: Claim, run: PipelineRun, cause: Row | None, failure: Row | None = None) -> Claim:
        """Notes the root cause and the failure whose rows are about to be stored; the claim as it is then.

        Raises :class:`~shared.errors.AlreadyInProgress` if somebody has taken over the claim, which had expired.
        """
        new = () if cause is None or _is_among(claim.causes, cause) else (cause,)
        if not new and (failure is None or _is_among((claim.failure,), failure)):
            return claim
        claim = replace(claim, causes=(*claim.causes, *new), failure=failure or claim.failure)
        record = _record_of(claim, run, MarkState.CLAIMED)
        etag = await self._store.replace(claim.key, record, claim.etag, label(record))
        if etag is None:
            raise AlreadyInProgress(f"the claim on run {run.name} has expired and somebody else has it")
        return replace(claim, etag=etag)

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
            record |= _kept(mark.failure)
            await self._store.replace(key, record, stored.etag, label(record))
        return mark if mark.is_about(run) else None

    async def finish(
        self, claim: Claim, run: PipelineRun, *, open_end: OpenEnd | None = None, cause: Row | None = None
    ) -> None:
        """Marks the run as diagnosed, or as open where something had to be left out."""
        state = _state_after(open_end)
        if claim.is_followed:
            state = _state_once_followed(state)
        record = _record_of(replace(claim, causes=() if cause is None else (cause,)), run, state)
        record |= open_end.to_record() if open_end is not None else {}
        # Lost only to somebody who took over an expired claim, and who then writes the mark.
        await self._store.replace(claim.key, record, claim.etag, label(record))

    async def release(self, claim: Claim, run: PipelineRun) -> None:
        """Gives the claim back, so that the redelivered event need not wait for it to expire."""
        # What was told, or perhaps was, is still to be taken back if the next look finds another cause.
        record = _record_of(claim, run, MarkState.PENDING)
        await self._store.replace(claim.key, record, claim.etag, label(record))

    async def resolve(self, stored: Stored, *, given_up: bool) -> bool:
        """Notes that it is written that the failure is over; ``False`` if the mark has changed meanwhile.

        ``given_up`` says that what was left out of it is not looked at any more.
        """
        mark = RunMark.of(stored)
        record = {**stored.record, **_kept(None)}
        # Of a start that did not fail itself, the failure was that of an earlier one.
        if mark.state in {MarkState.DONE, MarkState.OPEN} and mark.outcome in {RunOutcome.FAILED, ""}:
            record["state"] = str(MarkState.RESOLVED if given_up else _state_once_followed(mark.state))
        return await self._store.replace(stored.key, record, stored.etag, label(record)) is not None

    async def remember(self, run: PipelineRun, now: datetime) -> None:
        """Notes a run that is not over, for the sweep. What is noted already stays as it is."""
        key = run_key(run.id, run.registry_id)
        record = _record(run, MarkState.PENDING, run.began or now, now)
        if await self._store.create(key, record, label(record)) is not None:
            return
        stored = await self._store.read(key)
        mark = RunMark.of(stored) if stored is not None else None
        if stored is not None and mark is not None and not mark.is_about(run):
            record |= _kept(mark.failure)
            await self._store.replace(key, record, stored.etag, label(record))


def _state_after(open_end: OpenEnd | None) -> MarkState:
    return MarkState.DONE if open_end is None else MarkState.OPEN


def _state_once_followed(state: MarkState) -> MarkState:
    return MarkState.FOLLOWED if state is MarkState.OPEN else MarkState.RESOLVED


def _texts(value: object) -> frozenset[str]:
    return frozenset(str(item) for item in value) if isinstance(value, list) else frozenset()


def _record(run: PipelineRun, state: MarkState, began: datetime, first_seen: datetime) -> dict[str, Any]:
    return {
        "runId": run.id,
        "state": str(state),
        "began": iso(began),
        "start": iso(run.start_time),
        "finish": iso(run.finish_time),
        "firstSeen": iso(first_seen),
        "outcome": str(run.outcome),
        "wanted": _wanted(run),
        "claimedUntil": None,
        "causes": [],
        **_kept(None),
    }


def _record_of(claim: Claim, run: PipelineRun, state: MarkState) -> dict[str, Any]:
    return {
        **_record(run, state, claim.began, claim.first_seen),
        "claimedUntil": iso(claim.until) if state is MarkState.CLAIMED else None,
        "causes": list(claim.causes),
        "followed": claim.is_followed,
        **_kept(claim.failure),
    }


def _kept(failure: Row | None) -> dict[str, Any]:
    """The fields that keep a failure until it is over."""
    if failure is None:
        return {"failure": None, "unresolved": ""}
    pipeline, began = str(failure.get("PipelineId") or ""), str(failure.get("RunStartTime") or "")
    return {"failure": failure, "unresolved": f"{short(pipeline)}{_AT}{began}"}


def _wanted(run: PipelineRun) -> str:
    """What was asked for with the write that started the run: an identical one starts nothing."""
    return digest(run.force_update_tag, run.pipeline_id.lower(), run.requested_blob, *run.artifacts)[:16]


def _is_row(cause: object) -> TypeGuard[Row]:
    return isinstance(cause, dict) and {"FindingId", "FindingKey"} <= cause.keys()


def _is_among(rows: Sequence[Row | None], row: Row) -> bool:
    return any(known is not None and known["FindingId"] == row["FindingId"] for known in rows)


def label(record: Mapping[str, Any]) -> str:
    """What a listing shows: enough to leave a run alone that is known."""
    return "|".join(str(record.get(name) or "") for name in _LABELLED)


def keeps_failure(label: str) -> bool:
    """Whether there is a failure in the mark that is not over, so that its label is worth a closer look."""
    return _AT in label


def mark_of_label(label: str) -> RunMark | None:
    """A mark as far as its label tells."""
    parts = label.split("|")
    if len(parts) in _LABELLED_BEFORE:
        parts += [""] * (len(_LABELLED) - len(parts))
    if len(parts) != len(_LABELLED):
        return None
    state, start, finish, until, again, outcome, wanted, unresolved = parts
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
        unresolved=unresolved,
    )
