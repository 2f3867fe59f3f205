"""The resources of ACR Transfer: registries, pipelines and runs.

Source of the shapes: ``Azure/azure-rest-api-specs``, ``specification/containerregistry``, api-versions
2019-12-01-preview to 2025-06-01-preview, and recorded answers of the service.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from shared.addresses import BadAddress, BlobAddress, ContainerAddress, read_blob_address
from shared.clouds import Cloud
from shared.records.json_fields import Json, mapping, objects, text, texts
from shared.resource_ids import ResourceId, parse_pipeline_id, parse_run_id
from shared.times import parse_time


class Direction(StrEnum):
    """Which way a pipeline carries images."""

    EXPORT = "Export"
    IMPORT = "Import"


class StorageAccessMode(StrEnum):
    """How a pipeline gets at its storage account."""

    SAS_TOKEN = "SasToken"  # noqa: S105 - the name of a mode, no secret
    MANAGED_IDENTITY = "ManagedIdentity"


class RunOutcome(StrEnum):
    """Whether a run is over, and how it ended."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"
    NOT_OVER = "NotOver"


OPTIONS: Final = ("OverwriteTags", "OverwriteBlobs", "DeleteSourceBlobOnSuccess", "ContinueOnErrors")
"""What a pipeline can be told to do, as the service spells it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A pipeline's managed identity.

    ``principals`` are object ids: the system-assigned one first, then user-assigned ones.
    """

    kind: str
    tenant_id: str
    principals: tuple[str, ...]

    @classmethod
    def from_json(cls, source: Json) -> Identity | None:
        """``None`` where the resource has no identity."""
        kind = text(source, "identity", "type")
        system = text(source, "identity", "principalId")
        assigned = mapping(source, "identity", "userAssignedIdentities")
        users = tuple(text(value, "principalId") for value in assigned.values())
        principals = tuple(principal for principal in (system, *users) if principal)
        if kind.lower() in {"", "none"} and not principals and not assigned:
            return None
        return cls(kind, text(source, "identity", "tenantId"), principals)


@dataclass(frozen=True, slots=True)
class Registry:
    """A container registry; only what the rules ask about."""

    id: str
    name: str
    sku: str
    login_server: str
    export_policy: str
    public_network_access: str
    role_assignment_mode: str

    @property
    def by_repository(self) -> bool:
        """Whether only the repository roles count for what lies in it, and AcrPull does not."""
        return self.role_assignment_mode.lower() == "abacrepositorypermissions"

    @classmethod
    def from_json(cls, source: Json) -> Registry:
        """Reads ARM's ``Microsoft.ContainerRegistry/registries``."""
        properties = mapping(source, "properties")
        return cls(
            id=text(source, "id").lower(),
            name=text(source, "name"),
            sku=text(source, "sku", "name"),
            login_server=text(properties, "loginServer"),
            export_policy=text(properties, "policies", "exportPolicy", "status"),
            public_network_access=text(properties, "publicNetworkAccess"),
            role_assignment_mode=text(properties, "roleAssignmentMode"),
        )


@dataclass(frozen=True, slots=True)
class Pipeline:
    """An export or import pipeline.

    ``container_uri`` and ``key_vault_uri`` are other people's text and are taken apart by
    :mod:`shared.addresses`. ``options`` are in lower case.
    """

    id: str
    name: str
    direction: Direction
    provisioning_state: str
    identity: Identity | None
    container_uri: str
    key_vault_uri: str
    storage_access_mode: StorageAccessMode
    options: frozenset[str]
    source_trigger_enabled: bool
    created_at: datetime | None

    @property
    def uses_sas(self) -> bool:
        """Whether it gets at storage by a SAS token from a vault."""
        return self.storage_access_mode is StorageAccessMode.SAS_TOKEN

    def has_option(self, option: str) -> bool:
        """Whether ``option`` (``OverwriteBlobs``, ``DeleteSourceBlobOnSuccess`` …) is set."""
        return option.lower() in self.options

    @property
    def registry_id(self) -> str:
        """The registry that it belongs to, in lower case."""
        return str(parse_pipeline_id(self.id).parent)

    @classmethod
    def from_json(cls, source: Json) -> Pipeline:
        """Reads ARM's ``exportPipelines`` or ``importPipelines``; raises ``ValueError`` on a foreign id."""
        parsed = parse_pipeline_id(text(source, "id"))
        exports = parsed.types[1] == "exportpipelines"
        properties = mapping(source, "properties")
        end = mapping(properties, "target" if exports else "source")
        trigger = text(properties, "trigger", "sourceTrigger", "status")
        return cls(
            id=str(parsed),
            name=text(source, "name") or parsed.name,
            direction=Direction.EXPORT if exports else Direction.IMPORT,
            provisioning_state=text(properties, "provisioningState"),
            identity=Identity.from_json(source),
            container_uri=text(end, "uri"),
            key_vault_uri=text(end, "keyVaultUri"),
            storage_access_mode=_access_mode(end),
            options=frozenset(option.lower() for option in texts(properties, "options") or ()),
            # The service's default: a trigger that is not mentioned is on.
            source_trigger_enabled=not exports and trigger.lower() != "disabled",
            created_at=parse_time(text(source, "systemData", "createdAt")),
        )


def _access_mode(end: Json) -> StorageAccessMode:
    """Before 2025-06-01-preview there was no mode, and a pipeline without a vault could not exist."""
    mode = text(end, "storageAccessMode").lower()
    if mode == StorageAccessMode.MANAGED_IDENTITY.lower():
        return StorageAccessMode.MANAGED_IDENTITY
    if mode == StorageAccessMode.SAS_TOKEN.lower() or text(end, "keyVaultUri"):
        return StorageAccessMode.SAS_TOKEN
    return StorageAccessMode.MANAGED_IDENTITY


@dataclass(frozen=True, slots=True)
class NamedBlob:
    """A blob as a run names it; ``place`` is ``None`` where that is only a name in its pipeline's container."""

    name: str
    place: ContainerAddress | None = None

    def may_be(self, address: BlobAddress) -> bool:
        """Whether a run of a pipeline that reads the container of ``address`` means that blob."""
        return self.name == address.name and self.place in {None, address.in_container}


@dataclass(frozen=True, slots=True)
class PipelineRun:
    """One pipeline run.

    ``imported_artifacts`` is ``None`` where the service gave no list, which says nothing about what arrived.
    """

    id: str
    name: str
    provisioning_state: str
    status: str
    pipeline_id: str
    direction: Direction | None
    artifacts: tuple[str, ...]
    requested_blob: str
    imported_artifacts: tuple[str, ...] | None
    blob_uri: str
    catalog_digest: str
    force_update_tag: str
    error_message: str
    progress: str
    start_time: datetime | None
    finish_time: datetime | None
    created_at: datetime | None
    modified_at: datetime | None
    has_source_trigger: bool

    @property
    def registry_id(self) -> str:
        """The registry that it belongs to, in lower case."""
        return str(parse_run_id(self.id).parent)

    @property
    def began(self) -> datetime | None:
        """The run's own moment: its start, or else when the resource was made."""
        return self.start_time or self.created_at

    @property
    def source_triggered(self) -> bool:
        """The service made the run for a blob that had landed.

        Either sign will do: the trigger in the response, or the ``_`` that no user can put into a name.
        """
        return self.has_source_trigger or (self.direction is Direction.IMPORT and "_" in self.name)

    @property
    def outcome(self) -> RunOutcome:
        """Both state words are read; a word that nobody knows means that the run is not over."""
        words = {self.provisioning_state.lower(), self.status.lower()}
        if "failed" in words:
            return RunOutcome.FAILED
        if "canceled" in words:
            return RunOutcome.CANCELED
        if self.provisioning_state.lower() == "succeeded" and self.status.lower() in {"succeeded", ""}:
            return RunOutcome.SUCCEEDED
        return RunOutcome.NOT_OVER

    def named_blob(self, cloud: Cloud) -> NamedBlob | None:
        """The blob that it is about: the one that was asked for, else the one that the service says it took."""
        if self.requested_blob:
            return NamedBlob(self.requested_blob)
        address = read_blob_address(self.blob_uri, cloud)
        return None if isinstance(address, BadAddress) else NamedBlob(address.name, address.in_container)

    @classmethod
    def from_json(cls, source: Json) -> PipelineRun:
        """Reads ARM's ``pipelineRuns``; raises ``ValueError`` on a foreign id."""
        parsed = parse_run_id(text(source, "id"))
        properties = mapping(source, "properties")
        request = mapping(properties, "request")
        response = mapping(properties, "response")
        direction = _direction_of(text(request, "pipelineResourceId"))
        end = "target" if direction is Direction.EXPORT else "source"
        source_trigger = mapping(response, "trigger").get("sourceTrigger")
        return cls(
            id=str(parsed),
            name=text(source, "name") or parsed.name,
            provisioning_state=text(properties, "provisioningState"),
            status=text(response, "status"),
            pipeline_id=text(request, "pipelineResourceId"),
            direction=direction,
            artifacts=texts(request, "artifacts") or (),
            requested_blob=text(request, end, "name"),
            imported_artifacts=texts(response, "importedArtifacts"),
            blob_uri=text(response, end, "uri"),
            catalog_digest=text(response, "catalogDigest") or text(request, "catalogDigest"),
            force_update_tag=text(properties, "forceUpdateTag"),
            error_message=_error_message(properties),
            progress=text(response, "progress", "percentage"),
            start_time=parse_time(text(response, "startTime")),
            finish_time=parse_time(text(response, "finishTime")),
            created_at=parse_time(text(source, "systemData", "createdAt")),
            modified_at=parse_time(text(source, "systemData", "lastModifiedAt")),
            has_source_trigger=bool(source_trigger),
        )


def _direction_of(pipeline_id: str) -> Direction | None:
    try:
        parsed: ResourceId = parse_pipeline_id(pipeline_id)
    except ValueError:
        return None
    return Direction.EXPORT if parsed.types[1] == "exportpipelines" else Direction.IMPORT


def _error_message(properties: Json) -> str:
    """The run's own text; where the service only left ARM's ``error`` object, its code, text and details."""
    own = text(properties, "response", "pipelineRunErrorMessage")
    if own:
        return own
    error = mapping(properties, "error") or mapping(properties, "response", "error")
    lines = [
        ": ".join(part for part in (text(item, "code"), text(item, "message")) if part)
        for item in (error, *objects(error, "details"))
    ]
    return "\n".join(line for line in lines if line)
