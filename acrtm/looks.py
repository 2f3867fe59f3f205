"""The looks behind the commands: read, diagnose, keep, and make cards of it.

Each look is made by the monitor that the function app uses, over sinks of this machine: findings go to the
embedded store, marks and conditions stay in memory, and there is nobody to be alerted.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Final

from acrtm.exits import ExitCode, Problem
from acrtm.kept import KeptFindings
from acrtm.learnt import learnt_from
from acrtm.looked import Card, Looked, OpenEnd, left_out_of, open_ends_of
from acrtm.problems import IDENTITY, NoSuchBlob, no_such_pipeline, no_such_run, not_answered
from shared.addresses import BlobAddress
from shared.azure.failures import asking
from shared.diagnosis.diagnose import Diagnosis, diagnose_blob
from shared.errors import Gone, PermanentError, ServiceError, UnknownHost
from shared.evidence.model import Evidence, Look
from shared.evidence.pieces import Unavailable
from shared.findings.builder import Occasion, TriggeredBy
from shared.findings.finding import Finding
from shared.monitor import Monitor
from shared.records.storage import Blob
from shared.records.transfer import PipelineRun, RunOutcome
from shared.redaction import redact
from shared.resource_ids import ResourceId
from shared.rules.catalogue import CATALOGUE
from shared.runtime import open_azure
from shared.settings import Settings
from shared.sinks.state_store import MemoryStateStore

OCCASION: Final = Occasion(TriggeredBy.CLI)
_READ_RUN: Final = "Microsoft.ContainerRegistry/registries/pipelineRuns/read"
_READ_PIPELINE: Final = "Microsoft.ContainerRegistry/registries/{kind}/read"


@asynccontextmanager
async def watching(settings: Settings, log: KeptFindings) -> AsyncIterator[Monitor]:
    """A monitor that publishes nothing and marks nothing as done."""
    monitor = Monitor(settings, open_azure(settings), log, MemoryStateStore(), None)
    try:
        yield monitor
    finally:
        await monitor.close()


async def require_token(monitor: Monitor) -> None:
    """Raises a :class:`~acrtm.exits.Problem` if nobody is logged in.

    Asked where it matters only, as ``az`` takes a second for a token: before many questions, and where a refusal
    might be the identity's and not the service's.
    """
    connection = monitor.azure.connection
    try:
        async with asking(IDENTITY, connection.cloud.arm_endpoint):
            await connection.credential.get_token(connection.cloud.arm_scope)
    except ServiceError as error:
        raise not_answered(error) from None


async def diagnose_run(monitor: Monitor, run_id: ResourceId) -> Looked:
    """Diagnoses one run."""
    try:
        diagnosis = await monitor.diagnose(str(run_id))
    except Gone as error:
        raise no_such_run(run_id, error) from None
    except PermanentError as error:
        return await _refused(monitor, error, run_id, f"Run '{run_id.name}'", _READ_RUN, Look.FAILED_RUN)
    run = diagnosis.evidence.run
    (findings,) = await _record(monitor, [diagnosis], run.began if run else None)
    return Looked((_card(diagnosis, findings),), learnt=learnt_from([diagnosis], findings))


async def check_pipeline(monitor: Monitor, pipeline_id: ResourceId) -> Looked:
    """Everything that would make the pipeline's next run fail."""
    try:
        diagnosis = await monitor.look_at_pipeline(str(pipeline_id))
    except Gone as error:
        raise no_such_pipeline(pipeline_id, error) from None
    except PermanentError as error:
        kind = "exportPipelines" if pipeline_id.types[1] == "exportpipelines" else "importPipelines"
        right = _READ_PIPELINE.format(kind=kind)
        return await _refused(monitor, error, pipeline_id, f"Pipeline '{pipeline_id.name}'", right, Look.PIPELINE)
    (findings,) = await _record(monitor, [diagnosis])
    return Looked((_card(diagnosis, findings),), learnt=learnt_from([diagnosis], findings))


async def check_blob(monitor: Monitor, address: BlobAddress, *, registries_known: bool) -> Looked:
    """The source-trigger prerequisites of a blob, which is trusted because the user has named it."""
    blob = await _named_blob(monitor, address)
    if not registries_known:
        return await _blob_alone(monitor, address, blob)
    diagnoses = await monitor.look_at_blob(address, trusted=True)
    if not diagnoses:
        raise NoSuchBlob(address, "")
    recorded = await _record(monitor, diagnoses)
    cards = tuple(_card(*pair) for pair in zip(diagnoses, recorded, strict=True))
    return Looked(cards, learnt=learnt_from(diagnoses, itertools.chain(*recorded)))


async def _named_blob(monitor: Monitor, address: BlobAddress) -> Blob | Unavailable:
    try:
        return await monitor.gatherer.blob(address)
    except UnknownHost:
        raise Problem(
            f"There is no storage account '{address.account}': its host name does not resolve.",
            "Check the URL, and AZURE_CLOUD if it is in another cloud than the public one.",
            code=ExitCode.NOT_CHECKED,
        ) from None
    except Gone as error:
        raise NoSuchBlob(address, error.code) from None
    except PermanentError as error:
        if not isinstance(error, ServiceError):
            raise
        await require_token(monitor)
        return Unavailable.because(error)


async def _blob_alone(monitor: Monitor, address: BlobAddress, blob: Blob | Unavailable) -> Looked:
    """What can be said of a blob when no registry is known to have pipelines, and what is left open by that."""
    unknown = Unavailable(
        "no registry is named, so the pipelines that read the container are not known: use --registry", by_choice=True
    )
    evidence = replace(
        monitor.gatherer.blank(Look.BLOB, ""),
        container_address=address.in_container,
        blob_address=address,
        blob=blob,
        watchers=unknown,
        writers=unknown,
        runs_of_blob=unknown,
        waiting_since=blob.last_modified if isinstance(blob, Blob) else None,
    )
    (diagnosis,) = diagnose_blob([evidence])
    (findings,) = await _record(monitor, [diagnosis])
    card = _card(diagnosis, findings)
    judged = {*card.passed, *(finding.rule_id for finding in findings), *_open_rules(findings)}
    left = tuple(rule.id for rule in CATALOGUE.values() if Look.BLOB in rule.looks and rule.id not in judged)
    return Looked((replace(card, left_out=(), open_ends=(OpenEnd(unknown.reason, rules=left),)),))


def _open_rules(findings: tuple[Finding, ...]) -> tuple[str, ...]:
    return tuple(rule for end in open_ends_of(findings) for rule in end.rules)


async def _record(
    monitor: Monitor, diagnoses: Sequence[Diagnosis], began: datetime | None = None
) -> list[tuple[Finding, ...]]:
    """Keeps the findings of the diagnoses in one go, and gives them by diagnosis."""
    built = [await monitor.recorder.build([diagnosis], OCCASION, began) for diagnosis in diagnoses]
    recorded = await monitor.recorder.write([pair for pairs in built for pair in pairs])
    # As they were written: what is muted is no longer open.
    written = iter(recorded.findings)
    return [tuple(itertools.islice(written, len(pairs))) for pairs in built]


async def _refused(
    monitor: Monitor, error: PermanentError, resource: ResourceId, title: str, right: str, look: Look
) -> Looked:
    """The resource itself may not be read: nothing was found, which is not the same as nothing being wrong."""
    if not isinstance(error, ServiceError):
        raise error
    await require_token(monitor)
    registry_id = str(resource.parent)
    missing = Unavailable(str(error), registry_id, right)
    rules = tuple(rule for rule in CATALOGUE.values() if look in rule.looks)
    diagnosis = Diagnosis(monitor.gatherer.blank(look, registry_id), (), (), {missing: rules})
    (findings,) = await _record(monitor, [diagnosis])
    return Looked((Card(title, str(resource), (("Registry", resource.parent.name),), findings=findings),))


def _card(diagnosis: Diagnosis, findings: tuple[Finding, ...]) -> Card:
    evidence = diagnosis.evidence
    run = evidence.run
    title, subject = _title(evidence)
    return Card(
        title,
        subject,
        tuple((name, value) for name, value in _facts(evidence) if value),
        redact(run.error_message) if run else "",
        findings,
        tuple(rule.id for rule in diagnosis.passed),
        left_out_of(diagnosis),
        _not_over(run),
    )


def _not_over(run: PipelineRun | None) -> tuple[OpenEnd, ...]:
    if run is None or run.outcome is not RunOutcome.NOT_OVER:
        return ()
    return (OpenEnd("the run is not over yet, so nothing can be said of how it ends", run.id),)


def _title(evidence: Evidence) -> tuple[str, str]:
    run, pipeline, blob = evidence.run, evidence.known_pipeline, evidence.blob_address
    if run is not None:
        return f"{run.direction or 'Pipeline'} run '{run.name}'", run.id
    if blob is not None:
        return f"Blob '{blob.name}'", blob.url(evidence.cloud)
    name = f"{pipeline.direction} pipeline '{pipeline.name}'" if pipeline else "Pipeline"
    return name, pipeline.id if pipeline else evidence.names.pipeline_id


def _facts(evidence: Evidence) -> list[tuple[str, str]]:
    names, run, pipeline = evidence.names, evidence.run, evidence.known_pipeline
    container = f"{names.account}/{names.container}" if names.container else ""
    blob = evidence.blob
    return [
        ("Status", _status(run) if run else ""),
        ("Registry", names.registry),
        ("Pipeline", _pipeline_words(evidence)),
        ("Container", container),
        ("Blob", names.blob if run else ""),
        *(_blob_facts(blob) if run is None and isinstance(blob, Blob) else ()),
        ("Secret", f"{names.vault}/{names.secret}" if pipeline and pipeline.uses_sas and names.secret else ""),
    ]


def _blob_facts(blob: Blob) -> list[tuple[str, str]]:
    return [
        ("Written", _when(blob.last_modified)),
        ("Size", f"{blob.size:,} bytes"),
        ("Category", next((v for k, v in blob.metadata.items() if k.lower() == "category"), "none")),
        ("Content-MD5", "there" if blob.content_md5 else "none"),
    ]


def _pipeline_words(evidence: Evidence) -> str:
    pipeline = evidence.known_pipeline
    if pipeline is None:
        return evidence.names.pipeline
    mode = "SAS token" if pipeline.uses_sas else "managed identity"
    trigger = ""
    if pipeline.direction == "Import":
        trigger = ", source trigger on" if pipeline.source_trigger_enabled else ", source trigger off"
    return f"{pipeline.name} ({pipeline.direction.lower()}, {mode}{trigger})"


def _status(run: PipelineRun) -> str:
    status = run.status or run.provisioning_state or "unknown"
    if run.finish_time is None:
        return f"{status} since {_when(run.began)}" if run.began else status
    took = f" after {_took(run)}" if run.start_time else ""
    return f"{status} at {_when(run.finish_time)}{took}"


def _took(run: PipelineRun) -> str:
    if run.finish_time is None or run.start_time is None:
        return ""
    seconds = max(0.0, (run.finish_time - run.start_time).total_seconds())
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _when(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else ""
