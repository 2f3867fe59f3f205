"""What one sweep has learnt on its way, for the conditions that it looks at last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shared.addresses import BlobAddress
from shared.azure.state_listing import Entry
from shared.clouds import Cloud
from shared.diagnosis.diagnose import Diagnosis
from shared.evidence.pieces import Unavailable
from shared.findings.builder import subject_of
from shared.findings.finding import Finding, State, finding_key
from shared.records.transfer import Direction, NamedBlob, PipelineRun, RunOutcome
from shared.rules.model import Outcome
from shared.rules.vault_secret import expiry_date
from shared.times import is_since_write

if TYPE_CHECKING:
    # What lists them brings Azure's packages, and commands that ask nothing start without those.
    from shared.evidence.lookups import RegistryList

_NOT_LISTED: Final = Unavailable("the sweep did not come to list every registry's pipelines", by_choice=True)


@dataclass(frozen=True, slots=True)
class BlobRun:
    """A run of an import pipeline, as far as a waiting blob cares."""

    pipeline_id: str
    blob: NamedBlob
    began: datetime | None
    succeeded: bool


@dataclass(slots=True)
class SweepFacts:
    """``healthy`` are keys of conditions that a look has just found gone, ``unhealthy`` those it has found.

    ``renewed_secrets`` are pipelines whose secret ends late enough, of whose token nothing else is known.
    ``unlisted_runs`` are registries whose runs could not be listed, and why; ``gone_registries`` are those that are
    not there. ``monitored_registries`` is ``None`` while none of them is known; they are all that there are unless
    ``unlisted_registries`` says why a subscription's could not be listed, as those of ``listed_subscriptions`` were.
    ``unlisted_pipelines`` are registries whose pipelines are not known, ``why_unlisted`` says why as far as that is
    known, ``listed_pipelines`` are the ids that were listed, and ``accounts`` the storage accounts that those use.
    ``unlisted_marks`` are old marks of runs that no list names any more, ``failed_runs`` the pipelines of runs that
    failed, and ``open_runs`` those that are not over.
    """

    last_success: dict[str, datetime] = field(default_factory=dict)
    failed_runs: dict[str, str] = field(default_factory=dict)
    open_runs: set[str] = field(default_factory=set)
    succeeded_runs: dict[str, datetime] = field(default_factory=dict)
    blob_runs: dict[tuple[str, str], list[BlobRun]] = field(default_factory=dict)
    healthy: set[str] = field(default_factory=set)
    unhealthy: set[str] = field(default_factory=set)
    gone_blobs: set[str] = field(default_factory=set)
    looked_pipelines: set[str] = field(default_factory=set)
    renewed_secrets: set[str] = field(default_factory=set)
    swept_registries: set[str] = field(default_factory=set)
    unlisted_runs: dict[str, Unavailable] = field(default_factory=dict)
    gone_registries: set[str] = field(default_factory=set)
    monitored_registries: tuple[str, ...] | None = None
    listed_subscriptions: frozenset[str] = frozenset()
    unlisted_registries: tuple[Unavailable, ...] = ()
    unlisted_pipelines: set[str] = field(default_factory=set)
    why_unlisted: dict[str, Unavailable] = field(default_factory=dict)
    listed_pipelines: set[str] = field(default_factory=set)
    accounts: set[str] = field(default_factory=set)
    unlisted_marks: list[Entry] = field(default_factory=list)
    oldest_expectation: datetime | None = None

    @property
    def knows_all_registries(self) -> bool:
        """Whether every monitored registry is known, so that one that is not among them is gone."""
        return self.monitored_registries is not None and not self.unlisted_registries

    @property
    def knows_all_pipelines(self) -> bool:
        """Whether every pipeline of every monitored registry was listed, so that what is not there is gone."""
        return self.knows_all_registries and not self.unlisted_pipelines

    @property
    def open_ends(self) -> Unavailable | None:
        """Why there may be pipelines that are not known; the first reason, and ``None`` where all of them are."""
        if self.knows_all_pipelines:
            return None
        reasons = {**self.unlisted_runs, **self.why_unlisted}
        known = (reasons[registry] for registry in sorted(self.unlisted_pipelines & reasons.keys()))
        return next(iter((*self.unlisted_registries, *known)), _NOT_LISTED)

    def add_registries(self, listed: RegistryList) -> None:
        """Learns which registries there are. The pipelines of none of them are known until it has answered."""
        self.monitored_registries = listed.known
        self.listed_subscriptions = frozenset(listed.subscriptions)
        self.unlisted_registries = listed.unlisted
        self.unlisted_pipelines |= set(listed.known)

    def add_run(self, run: PipelineRun, cloud: Cloud) -> None:
        """Learns from a run of the list. ``cloud`` is where its blob's address leads, if it gives one."""
        began = run.began
        pipeline = run.pipeline_id.lower()
        succeeded = run.outcome is RunOutcome.SUCCEEDED
        if succeeded and began is not None:
            self.succeeded_runs[run.id] = began
            self.last_success[pipeline] = max(began, self.last_success.get(pipeline, began))
        if run.outcome is RunOutcome.NOT_OVER:
            self.open_runs.add(run.id)
        if run.outcome is RunOutcome.FAILED:
            self.failed_runs[run.id] = pipeline
        blob = run.named_blob(cloud) if run.direction is Direction.IMPORT else None
        if blob is not None:
            self.blob_runs.setdefault((pipeline, blob.name), []).append(BlobRun(pipeline, blob, began, succeeded))

    def add_findings(self, findings: Iterable[Finding]) -> None:
        """Learns what is wrong at this moment."""
        self.unhealthy |= {f.finding_key for f in findings if f.state in {State.OPEN, State.MUTED}}

    def add_look(self, diagnosis: Diagnosis) -> None:
        """Learns what a complete look at a pipeline or a blob found well."""
        evidence = diagnosis.evidence
        self.healthy |= {finding_key(rule.id, subject_of(rule, evidence)) for rule in diagnosis.passed}
        failing = [r.rule.step for r in diagnosis.results if r.verdict.outcome in {Outcome.FAIL, Outcome.WARN}]
        for rule in diagnosis.not_applicable:
            # The question does not arise any more: the pipeline uses its identity now, the blob was imported.
            # Behind a broken step that says nothing: there is no token to judge where the secret is gone.
            if not failing or rule.step < min(failing):
                self.healthy.add(finding_key(rule.id, subject_of(rule, evidence)))
        if evidence.known_pipeline is not None:
            self.looked_pipelines.add(evidence.known_pipeline.id)
            end = expiry_date(evidence)
            if end is not None and end - evidence.limits.expiry_warning > evidence.now:
                self.renewed_secrets.add(evidence.known_pipeline.id)

    def run_after(self, pipelines: Iterable[str], blob: BlobAddress, written: datetime | None) -> BlobRun | None:
        """A run of one of the pipelines that names the blob as it is now; one that succeeded if there is any."""
        named = [
            run
            for pipeline in pipelines
            for run in self.blob_runs.get((pipeline, blob.name), ())
            if run.blob.may_be(blob) and is_since_write(run.began, written)
        ]
        return max(named, key=lambda run: run.succeeded, default=None)
