"""The corridor behind the doors: what happens to an event, and what a look at a run, a blob or a pipeline is.

``pipeline_run_completed`` in time::

    event ─ read the run ─ claim ─ gather evidence ─ ask the rules ─ store rows ─ open conditions ─ mark done
              │ 429/5xx/time-out      │ secondary: what can't be had       │ refused, whatever the code
              ▼                       ▼ becomes ACRT901                    ▼
            raise: the event         the run stays open for               raise, claim given back:
            comes again              the sweep                            the event comes again
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from shared.addresses import BlobAddress, ContainerAddress
from shared.azure.readers import Azure
from shared.diagnosis.diagnose import (
    Diagnosis,
    diagnose_blob,
    diagnose_pipeline,
    diagnose_run,
)
from shared.ended_runs import EndedRuns, may_be_of
from shared.errors import Gone, PermanentError, ServiceError, UnknownHost, Unreachable
from shared.events import (
    BlobArrived,
    Foreign,
    Malformed,
    PipelineRejected,
    PlatformEvent,
    as_blob_arrived,
    as_pipeline_rejected,
    as_run_written,
)
from shared.evidence.gather import Gatherer
from shared.evidence.model import Look
from shared.evidence.pieces import Missing, Unavailable
from shared.findings.builder import Occasion, TriggeredBy, rule_fields, subject_fields
from shared.findings.finding import Finding, State, finding_id, finding_key
from shared.recorder import Recorded, Recorder
from shared.records.storage import Blob
from shared.records.transfer import Pipeline, PipelineRun
from shared.rejected_writes import RejectedWrites, Write
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Confidence, Outcome, Rule, Subject
from shared.settings import Settings
from shared.sinks.alerts import AlertSink
from shared.sinks.conditions import Conditions
from shared.sinks.expectations import Expectations
from shared.sinks.logs import FindingLog
from shared.sinks.run_marks import RunMarks
from shared.sinks.state_store import StateStore
from shared.times import is_since_write

log = logging.getLogger(__name__)

# Event Grid waits 30 s, the contract promises 25: what is not done by now is raised and comes again.
HANDLER_SECONDS: Final = 22.0
_ABOUT_RUNS: Final = tuple(CATALOGUE[rule_id] for rule_id in ("ACRT100", "ACRT101", "ACRT104"))
_ABOUT_PIPELINES: Final = tuple(rule for rule in CATALOGUE.values() if Look.PIPELINE in rule.looks)
_ABOUT_BLOBS: Final = tuple(
    rule for rule in CATALOGUE.values() if Look.BLOB in rule.looks and rule.subject is Subject.BLOB
)


class Monitor:
    """One process's monitor: the readers, the rules and the sinks, wired together once."""

    def __init__(
        self, settings: Settings, azure: Azure, findings: FindingLog, state: StateStore, alerts: AlertSink | None
    ) -> None:
        self.settings = settings
        self.azure = azure
        self.gatherer = Gatherer(azure, settings)
        self.state = state
        self.marks = RunMarks(state)
        self.expectations = Expectations(state)
        self.conditions = Conditions(state, alerts)
        self.recorder = Recorder(findings, self.conditions, settings.mutes)
        self._ended_runs = EndedRuns(self.gatherer, self.recorder, self.marks)
        self.rejected_writes = RejectedWrites(self.gatherer, self.recorder, self.conditions, state)

    async def close(self) -> None:
        """Closes what is open."""
        await self.azure.close()

    # --- the doors ------------------------------------------------------------------------------------------

    async def run_event(self, event: PlatformEvent) -> Recorded:
        """A pipeline run was written. Raises :class:`~shared.errors.TransientError` if the event must come again."""
        rejected = as_pipeline_rejected(event)
        if rejected is not None:
            return await self._pipeline_rejected(rejected)
        read = as_run_written(event)
        if isinstance(read, Foreign):
            log.debug("Event %s is not ours: %s", event.id, read.why)
            return Recorded()
        if isinstance(read, Malformed):
            return await self._malformed(read, TriggeredBy.RUN_EVENT)
        if not self.settings.monitors(str(read.run_id.parent)):
            log.debug("Registry of run %s is not monitored", read.run_id.name)
            return Recorded()
        occasion = Occasion(TriggeredBy.RUN_EVENT, read.event_id, read.correlation_id)
        async with _in_time(str(read.run_id)):
            try:
                run = await self.azure.registries.run(str(read.run_id))
            except Gone:
                return await self.rejected_writes.told(Write.of_run(read), occasion)
            except PermanentError as error:
                return await self._cannot_read(error, str(read.run_id.parent), occasion)
            write = Write.of_run(read, run.pipeline_id)
            if write.rejected and not may_be_of(run, read.time):
                # An earlier or later run of the name, which is looked at for itself; this write has left none.
                told = await self.rejected_writes.told(write, occasion)
                seen = await self.ended_run(run, occasion)
                return Recorded(told.findings + seen.findings, told.alerts + seen.alerts)
            return await self.ended_run(run, occasion, written_at=read.time)

    async def event(self, event: PlatformEvent | Malformed) -> Recorded:
        """An event of any kind, from where all kinds come together. Raises as their own doors do."""
        if isinstance(event, Malformed):
            return await self._malformed(event, TriggeredBy.RUN_EVENT)
        return await (self.blob_event(event) if event.about_blob else self.run_event(event))

    async def _pipeline_rejected(self, read: PipelineRejected) -> Recorded:
        if not self.settings.monitors(str(read.pipeline_id.parent)):
            return Recorded()
        occasion = Occasion(TriggeredBy.RUN_EVENT, read.event_id, read.correlation_id)
        async with _in_time(str(read.pipeline_id)):
            return await self.rejected_writes.told(Write.of_pipeline(read), occasion)

    async def blob_event(self, event: PlatformEvent) -> Recorded:
        """A blob was written. Raises :class:`~shared.errors.TransientError` if the event must come again."""
        read = as_blob_arrived(event)
        if isinstance(read, Foreign):
            log.debug("Event %s is not ours: %s", event.id, read.why)
            return Recorded()
        if isinstance(read, Malformed):
            return await self._malformed(read, TriggeredBy.BLOB_EVENT)
        async with _in_time(str(read.blob)):
            return await self._blob_arrived(read)

    # --- runs -----------------------------------------------------------------------------------------------

    async def ended_run(self, run: PipelineRun, occasion: Occasion, *, written_at: datetime | None = None) -> Recorded:
        """Diagnoses a run that is over and was not diagnosed yet; remembers one that is not over."""
        return await self._ended_runs.look(run, occasion, written_at)

    async def diagnose(self, run_id: str) -> Diagnosis:
        """Looks at one run and writes nothing. Raises a :class:`~shared.errors.ServiceError`."""
        return diagnose_run(await self.gatherer.run(await self.azure.registries.run(run_id)))

    # --- blobs ----------------------------------------------------------------------------------------------

    async def _blob_arrived(self, arrived: BlobArrived) -> Recorded:
        occasion = Occasion(TriggeredBy.BLOB_EVENT, arrived.event_id)
        trusted = str(arrived.account_id) in self.settings.storage_accounts
        diagnoses = await self.look_at_blob(arrived.blob, trusted=trusted, waiting_since=arrived.time)
        if not diagnoses:
            return Recorded()
        recorded = await self.recorder.record(diagnoses, occasion)
        for diagnosis in diagnoses:
            await self.expectations.expect(diagnosis.evidence)
        return recorded

    async def look_at_blob(
        self,
        address: BlobAddress,
        *,
        trusted: bool,
        waiting_since: datetime | None = None,
        after: datetime | None = None,
    ) -> tuple[Diagnosis, ...]:
        """The source-trigger prerequisites of a blob and of every import pipeline that watches its container.

        Nothing is asked about an account that no known pipeline uses, unless it is ``trusted``. A blob that is
        gone by now is no fault, and a directory is no blob: then there is nothing to say. It waits since
        ``waiting_since``, or since it was written if that is later: an event may be one of an earlier form that
        comes late. What was read before ``after`` does not count. Raises a
        :class:`~shared.errors.ServiceError` if the blob can't be had for now.
        """
        pipelines, open_ends = await self.gatherer.lookups.all_pipelines(after)
        place = address.in_container
        watchers = tuple(pipeline for pipeline in pipelines if self.gatherer.reads(pipeline, place))
        writers = tuple(pipeline for pipeline in pipelines if self.gatherer.writes(pipeline, place))
        known_account = any(self.gatherer.uses_account(pipeline, place.account) for pipeline in pipelines)
        if not (trusted or known_account):
            return self._unknown_account(address, open_ends) if open_ends is not None else ()
        blob: Blob | Unavailable
        try:
            blob = await self.gatherer.blob(address)
            if blob.is_directory:
                return ()
        except (Gone, UnknownHost):
            return ()
        except PermanentError as error:
            if not isinstance(error, ServiceError):
                raise
            blob = Unavailable.because(error)
        written = blob.last_modified if isinstance(blob, Blob) else None
        since = max((moment for moment in (waiting_since, written) if moment is not None), default=None)
        about_blob: dict[str, Any] = {
            "blob_address": address,
            "blob": blob,
            "watchers": watchers if open_ends is None or watchers else open_ends,
            "writers": writers if open_ends is None or writers else open_ends,
            "open_ends": open_ends,
            "waiting_since": since,
        }
        if not watchers:
            evidence = replace(self.gatherer.blank(Look.BLOB, ""), container_address=place, **about_blob)
            return diagnose_blob([evidence])
        return await self._look_for_readers(address, blob, watchers, about_blob, after=after)

    async def look_at_listed_blob(
        self,
        blob: Blob,
        readers: Sequence[Pipeline],
        waiting_since: datetime | None,
        runs: Unavailable | None = None,
        *,
        open_ends: Unavailable | None = None,
        after: datetime | None = None,
    ) -> tuple[Diagnosis, ...]:
        """The same for a blob that a listing has shown, and the pipelines that are known to read its container.

        ``runs`` says that their runs are known not to be had, ``open_ends`` that there may be other pipelines.
        """
        about_blob: dict[str, Any] = {
            "blob_address": blob.address,
            "blob": blob,
            "watchers": tuple(readers),
            "writers": (),
            "open_ends": open_ends,
            "waiting_since": waiting_since,
        }
        return await self._look_for_readers(blob.address, blob, tuple(readers), about_blob, runs, after=after)

    async def _look_for_readers(
        self,
        address: BlobAddress,
        blob: Blob | Unavailable,
        readers: tuple[Pipeline, ...],
        about_blob: Mapping[str, Any],
        runs: Unavailable | None = None,
        *,
        after: datetime | None = None,
    ) -> tuple[Diagnosis, ...]:
        """One diagnosis for each pipeline that reads the blob's container."""
        about = {**about_blob, "runs_of_blob": runs or await self._runs_of(address, readers, blob, after)}
        evidences = await asyncio.gather(
            *(self.gatherer.known_pipeline(pipeline, Look.BLOB, about=about, after=after) for pipeline in readers)
        )
        return diagnose_blob(evidences)

    async def cannot_list(
        self, place: ContainerAddress, readers: Sequence[Pipeline], error: ServiceError, occasion: Occasion
    ) -> Recorded:
        """A container that import pipelines watch can't be listed: which right is missing, on what."""
        evidence = replace(
            self.gatherer.blank(Look.BLOB, readers[0].registry_id), pipeline=readers[0], container_address=place
        )
        missing = Unavailable(str(error), str(place), error.right)
        return await self.recorder.record([Diagnosis(evidence, (), (), {missing: _ABOUT_BLOBS})], occasion)

    async def cannot_list_registries(self, missing: Unavailable, occasion: Occasion) -> Recorded:
        """A subscription's registries can't be listed, so nobody looks at anything in those that no setting names."""
        evidence = self.gatherer.blank(Look.OTHER_RUN, "")
        rules = tuple(dict.fromkeys((*_ABOUT_RUNS, *_ABOUT_PIPELINES, *_ABOUT_BLOBS)))
        return await self.recorder.record([Diagnosis(evidence, (), (), {missing: rules})], occasion)

    async def cannot_list_pipelines(self, missing: Unavailable, registry_id: str, occasion: Occasion) -> Recorded:
        """A registry's pipelines of one direction can't be listed, so nobody looks at them, nor at their containers."""
        evidence = self.gatherer.blank(Look.OTHER_RUN, registry_id)
        rules = tuple(dict.fromkeys((*_ABOUT_PIPELINES, *_ABOUT_BLOBS)))
        return await self.recorder.record([Diagnosis(evidence, (), (), {missing: rules})], occasion)

    async def _runs_of(
        self, address: BlobAddress, watchers: tuple[Any, ...], blob: Blob | Unavailable, after: datetime | None
    ) -> tuple[PipelineRun, ...] | Unavailable:
        """The import runs that name the blob and began after it was written."""
        written = blob.last_modified if isinstance(blob, Blob) else None
        read_after = max((moment for moment in (written, after) if moment is not None), default=None)
        named: list[PipelineRun] = []
        for registry_id in dict.fromkeys(pipeline.registry_id for pipeline in watchers):
            runs = await self.gatherer.lookups.runs_of(registry_id, after=read_after)
            if isinstance(runs, Unavailable):
                return runs
            if isinstance(runs, Missing):
                continue
            ids = {pipeline.id for pipeline in watchers}
            named += [run for run in runs if run.pipeline_id.lower() in ids and self._names(run, address, written)]
        return tuple(named)

    def _names(self, run: PipelineRun, address: BlobAddress, written: datetime | None) -> bool:
        """Whether a run is about this blob as it is now, not about an earlier one of the same name."""
        named = run.named_blob(self.settings.cloud)
        return named is not None and named.may_be(address) and is_since_write(run.began, written)

    def _unknown_account(self, address: BlobAddress, open_ends: Unavailable) -> tuple[Diagnosis, ...]:
        evidence = replace(
            self.gatherer.blank(Look.BLOB, ""),
            blob_address=address,
            container_address=ContainerAddress(address.account, address.container),
        )
        rules = _rules("ACRT508", "ACRT510")
        return (Diagnosis(evidence, (), (), {open_ends: rules}),)

    # --- pipelines ------------------------------------------------------------------------------------------

    async def look_at_pipeline(self, pipeline_id: str) -> Diagnosis:
        """Everything that would make a pipeline's next run fail. Raises a :class:`~shared.errors.ServiceError`."""
        return diagnose_pipeline(await self.gatherer.pipeline(pipeline_id))

    # --- the monitor itself ---------------------------------------------------------------------------------

    async def _malformed(self, event: Malformed, triggered_by: TriggeredBy) -> Recorded:
        facts: dict[str, object] = {
            "why": event.why,
            "eventType": event.event_type[:200],
            "eventId": event.event_id[:200],
        }
        finding = self.statement("ACRT902", event.event_id or event.why, Occasion(triggered_by, event.event_id), facts)
        return await self.recorder.write([(finding, False)])

    async def _cannot_read(self, error: PermanentError, registry_id: str, occasion: Occasion) -> Recorded:
        """The run may not be read: a finding says which right is missing, and the event is done."""
        if not isinstance(error, ServiceError):
            raise error
        right = "Microsoft.ContainerRegistry/registries/pipelineRuns/read"
        return await self.cannot_check(Unavailable(str(error), registry_id, right), registry_id, occasion)

    async def cannot_check(self, missing: Unavailable, registry_id: str, occasion: Occasion) -> Recorded:
        """The runs of a registry can't be read: what is missing is said, with the rules that it leaves open."""
        evidence = self.gatherer.blank(Look.OTHER_RUN, registry_id)
        return await self.recorder.record([Diagnosis(evidence, (), (), {missing: _ABOUT_RUNS})], occasion)

    def statement(self, rule_id: str, moment: str, occasion: Occasion, facts: dict[str, object]) -> Finding:
        """A finding about the monitor itself that is never open."""
        rule = CATALOGUE[rule_id]
        evidence = self.gatherer.blank(Look.OTHER_RUN, "")
        words = rule.describe(evidence, facts)
        fields: dict[str, Any] = {
            **subject_fields(evidence, occasion),
            **rule_fields(rule),
            "finding_id": finding_id(rule_id, "monitor", moment),
            "finding_key": finding_key(rule_id, "monitor"),
            "severity": rule.severity.label,
            "severity_rank": int(rule.severity),
            "outcome": str(Outcome.WARN if rule_id == "ACRT902" else Outcome.PASS),
            "state": State.INFO,
            "role": "Observation",
            "confidence": str(Confidence.CONFIRMED),
            "summary": words.summary,
            "recommendation": words.recommendation,
            "evidence": facts,
        }
        return Finding(**fields)


@asynccontextmanager
async def _in_time(what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(HANDLER_SECONDS):
            yield
    except TimeoutError:
        raise Unreachable("The monitor's dependencies", what, f"were not done within {HANDLER_SECONDS:g} s") from None


def _rules(*ids: str) -> tuple[Rule, ...]:
    return tuple(CATALOGUE[rule_id] for rule_id in ids)
