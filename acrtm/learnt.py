"""What a command has learnt of conditions that were found before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from shared.addresses import BlobAddress
from shared.diagnosis.diagnose import Diagnosis
from shared.findings.builder import FindingBuilder, Occasion, TriggeredBy, subject_of
from shared.findings.finding import Finding, finding_key
from shared.records.transfer import Pipeline, PipelineRun
from shared.sweep_facts import SweepFacts


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a command has learnt of conditions that were found before, by it or by another one.

    ``facts`` are what ends a condition whatever it was found at, ``triggered`` the pipelines whose source trigger is
    on. Of a run that was diagnosed, ``passed`` are the keys of conditions that it has not, and ``gaps`` those of what
    could not be checked at it.
    """

    facts: SweepFacts = field(default_factory=SweepFacts)
    triggered: frozenset[str] = frozenset()
    run: PipelineRun | None = None
    passed: frozenset[str] = frozenset()
    gaps: frozenset[str] = frozenset()


def learnt_from(diagnoses: Sequence[Diagnosis], findings: Iterable[Finding]) -> Learnt:
    """What looks at a pipeline, at a blob, or at one run have shown."""
    facts = SweepFacts()
    facts.add_findings(findings)
    for diagnosis in diagnoses:
        run = diagnosis.evidence.run
        if run is not None:
            facts.add_run(run, diagnosis.evidence.cloud)
            gaps = FindingBuilder(diagnosis, Occasion(TriggeredBy.CLI)).gaps()
            passed = (finding_key(rule.id, subject_of(rule, diagnosis.evidence)) for rule in diagnosis.passed)
            return Learnt(facts, run=run, passed=frozenset(passed), gaps=frozenset(gaps))
        facts.add_look(diagnosis)
    return Learnt(facts, triggered(diagnosis.evidence.known_pipeline for diagnosis in diagnoses))


def learnt_of_gone(blob: BlobAddress) -> Learnt:
    """What the answer that a blob is not there has shown."""
    return Learnt(SweepFacts(gone_blobs={f"{blob.account}/{blob.container}/{blob.name}"}))


def triggered(pipelines: Iterable[Pipeline | None]) -> frozenset[str]:
    """The ids of those whose source trigger is on."""
    return frozenset(one.id for one in pipelines if one is not None and one.source_trigger_enabled)
