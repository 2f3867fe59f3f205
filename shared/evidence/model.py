"""The evidence that the rules are functions of. No I/O, no clock, no settings look-up happens behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import cached_property
from typing import Final

from shared.addresses import BadAddress, BlobAddress, ContainerAddress, SecretAddress
from shared.clouds import PUBLIC, Cloud
from shared.evidence.artifacts import ArtifactFacts
from shared.evidence.message import NO_MESSAGE, MessageReading
from shared.evidence.pieces import NOT_ASKED, Missing, Piece, Unavailable
from shared.records.access import Grant
from shared.records.key_vault import SecretAttributes, Vault
from shared.records.storage import Blob, Container, StorageAccount
from shared.records.transfer import Direction, Pipeline, PipelineRun, Registry, RunOutcome, StorageAccessMode
from shared.resource_ids import parse_resource_id
from shared.sas_token import SasToken
from shared.settings import SasInspection, Settings

# A source trigger only takes blobs that were modified within this time.
SOURCE_TRIGGER_WINDOW: Final = timedelta(days=60)
TRANSFER_CATEGORY: Final = "acr-transfer-blob"


class Look(Enum):
    """What is being looked at, which decides the rules that are asked."""

    FAILED_RUN = auto()
    SUCCEEDED_RUN = auto()
    OTHER_RUN = auto()
    BLOB = auto()
    PIPELINE = auto()


@dataclass(frozen=True, slots=True)
class Malformed:
    """The secret's value is no SAS token; why, without any of it."""

    why: str


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one List with the pipeline's own token was answered: ``code`` is empty if it was allowed."""

    status: int
    code: str
    detail: str

    @property
    def allowed(self) -> bool:
        """Whether the token opened the container."""
        return self.status < 400


@dataclass(frozen=True, slots=True)
class Limits:
    """The settings that rules weigh times against."""

    import_grace: timedelta = timedelta(minutes=30)
    run_stuck_after: timedelta = timedelta(minutes=120)
    expiry_warning: timedelta = timedelta(days=14)

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits that the settings give."""
        return cls(settings.import_grace, settings.run_stuck_after, settings.expiry_warning)


@dataclass(frozen=True, slots=True)
class LostWrite:
    """A write of a run after which there is no run to be read, or a write of a pipeline that was rejected.

    ``rejected`` says that ARM reported the write as failed. ``code`` and ``text`` are what the activity log holds
    of it, empty while it holds nothing. ``run_name`` or ``pipeline_id`` is what was to be written; with both, the
    pipeline is the run's, which an event does not say and other things may.
    """

    rejected: bool
    correlation_id: str
    code: str = ""
    text: str = ""
    run_name: str = ""
    pipeline_id: str = ""


@dataclass(frozen=True)
class Evidence:
    """Everything that one look found out.

    A piece that was not part of the look is :data:`~shared.evidence.pieces.NOT_ASKED`. ``vault_refusal`` is the
    code with which the vault refused the secret's value to the monitor itself (``SecretDisabled``). ``last_success``
    is when a run of the pipeline began that succeeded, where that was worth asking. ``watchers``
    are the import pipelines that read the container of the blob, ``writers`` the export pipelines that write it;
    ``open_ends`` is why there may be others, in registries whose pipelines could not be listed;
    ``waiting_since`` is when the blob was first known to wait for an import, and ``runs_of_blob`` are the runs
    that name it and began after it was written. ``event_time`` is the moment of the write that led here and
    ``diagnosed_until`` the end of the run as it was diagnosed before.
    """

    now: datetime
    look: Look
    cloud: Cloud = PUBLIC
    limits: Limits = Limits()
    sas_inspection: SasInspection = SasInspection.METADATA
    registry_id: str = ""
    monitor_client_id: str = ""
    direction: Direction | None = None
    message: MessageReading = NO_MESSAGE
    run: PipelineRun | None = None
    pipeline: Piece[Pipeline] = NOT_ASKED
    registry: Piece[Registry] = NOT_ASKED
    container_address: ContainerAddress | BadAddress | None = None
    secret_address: SecretAddress | BadAddress | None = None
    vault: Piece[Vault] = NOT_ASKED
    vault_grants: Piece[tuple[Grant, ...]] = NOT_ASKED
    secret: Piece[SecretAttributes] = NOT_ASKED
    vault_refusal: str = ""
    last_success: datetime | None = None
    sas: SasToken | Malformed | Missing | Unavailable = NOT_ASKED
    probe: Piece[ProbeResult] = NOT_ASKED
    account: Piece[StorageAccount] = NOT_ASKED
    storage_grants: Piece[tuple[Grant, ...]] = NOT_ASKED
    container: Piece[Container] = NOT_ASKED
    blob_address: BlobAddress | None = None
    blob: Piece[Blob] = NOT_ASKED
    similar_blobs: tuple[str, ...] = ()
    watchers: Piece[tuple[Pipeline, ...]] = NOT_ASKED
    writers: Piece[tuple[Pipeline, ...]] = NOT_ASKED
    open_ends: Unavailable | None = None
    runs_of_blob: Piece[tuple[PipelineRun, ...]] = NOT_ASKED
    waiting_since: datetime | None = None
    artifacts: Piece[ArtifactFacts] = NOT_ASKED
    lost_write: LostWrite | None = None
    event_time: datetime | None = None
    diagnosed_until: datetime | None = None

    @property
    def known_pipeline(self) -> Pipeline | None:
        """The pipeline, if it could be read."""
        return self.pipeline if isinstance(self.pipeline, Pipeline) else None

    @property
    def access_mode(self) -> StorageAccessMode | None:
        """How the pipeline gets at storage, if that is known."""
        pipeline = self.known_pipeline
        return pipeline.storage_access_mode if pipeline else None

    @property
    def probe_code(self) -> str:
        """The code with which Storage refused one List with the token; empty if it did not, or was not asked."""
        return self.probe.code if isinstance(self.probe, ProbeResult) else ""

    @property
    def already_imported(self) -> bool:
        """Whether a run that names the blob and began after it was written has succeeded."""
        runs = self.runs_of_blob
        return isinstance(runs, tuple) and any(run.outcome is RunOutcome.SUCCEEDED for run in runs)

    @cached_property
    def names(self) -> Names:
        """Names for texts and commands."""
        return Names.of(self)


@dataclass(frozen=True, slots=True)
class Names:
    """The names of what was looked at, for sentences and commands; empty where nothing is known."""

    registry: str
    registry_id: str
    resource_group: str
    subscription: str
    pipeline: str
    pipeline_id: str
    run: str
    vault: str
    secret: str
    account: str
    account_id: str
    container: str
    blob: str
    principal: str

    @classmethod
    def of(cls, evidence: Evidence) -> Names:
        """Takes the names out of ``evidence``, wherever they stand."""
        pipeline = evidence.known_pipeline
        run, lost = evidence.run, evidence.lost_write
        written = run.pipeline_id.lower() if run else (lost.pipeline_id if lost else "")
        pipeline_id = pipeline.id if pipeline else written
        registry = parse_resource_id(evidence.registry_id) if evidence.registry_id else None
        secret = evidence.secret_address if isinstance(evidence.secret_address, SecretAddress) else None
        place = evidence.container_address if isinstance(evidence.container_address, ContainerAddress) else None
        blob = evidence.blob_address
        identity = pipeline.identity if pipeline else None
        return cls(
            registry=registry.name if registry else "",
            registry_id=evidence.registry_id,
            resource_group=registry.resource_group if registry else "",
            subscription=registry.subscription if registry else "",
            pipeline=pipeline.name if pipeline else pipeline_id.rpartition("/")[2],
            pipeline_id=pipeline_id,
            run=run.name if run else (lost.run_name if lost else ""),
            vault=secret.vault if secret else "",
            secret=secret.secret if secret else "",
            account=place.account if place else (blob.account if blob else ""),
            account_id=evidence.account.id if isinstance(evidence.account, StorageAccount) else "",
            container=place.container if place else (blob.container if blob else ""),
            blob=blob.name if blob else (run.requested_blob if run else ""),
            principal=identity.principals[0] if identity and identity.principals else "",
        )
