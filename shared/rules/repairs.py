"""Repairs of what a pipeline is set to and of what lies in its container; those of tokens are in ``remedies``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from shared.evidence.model import Evidence
from shared.evidence.references import Reference, read_reference
from shared.records.storage import Blob
from shared.records.transfer import OPTIONS, Direction
from shared.rules import remedies
from shared.rules.commands import shell

# The first api-version with storageAccessMode: a write through an older one would drop it.
_PIPELINE_VERSION: Final = "2025-06-01-preview"
_LONGEST_COMMAND: Final = 8_000


def _write_pipeline(pipeline_id: str, setting: str) -> str:
    """Changes one setting of a pipeline: read, changed and written as a whole, so that everything else stays."""
    return shell(
        *("az", "resource", "update", "--ids", pipeline_id, "--api-version", _PIPELINE_VERSION),
        *("--set", setting, "--output", "none"),
    )


def set_option(evidence: Evidence, option: str) -> str:
    """Sets one more option on the pipeline; empty if the pipeline is not known."""
    pipeline = evidence.known_pipeline
    if pipeline is None:
        return ""
    options = [known for known in OPTIONS if pipeline.has_option(known) or known == option]
    return _write_pipeline(pipeline.id, f"properties.options={json.dumps(options)}")


def enable_source_trigger(pipeline_id: str) -> str:
    """Switches a pipeline's source trigger on."""
    return _write_pipeline(pipeline_id, 'properties.trigger={"sourceTrigger":{"status":"Enabled"}}')


def import_blob(evidence: Evidence, blob: str) -> str:
    """Imports one blob by hand, which asks neither for its age nor for its MD5 or metadata."""
    names = evidence.names
    if remedies.direction_of(evidence) is Direction.EXPORT:
        return ""
    return shell(
        *("az", "acr", "pipeline-run", "create", "--registry", names.registry),
        *("--resource-group", names.resource_group, "--pipeline", names.pipeline, "--pipeline-type", "import"),
        *("--name", f"import{evidence.now:%Y%m%d%H%M%S}", "--storage-blob", blob),
    )


def export_artifacts(evidence: Evidence, artifacts: Iterable[str], blob: str, suffix: str = "again") -> str:
    """Exports artifacts into a blob by a run of its own; empty where the command would be too long to paste."""
    names = evidence.names
    command = shell(
        *("az", "acr", "pipeline-run", "create", "--registry", names.registry),
        *("--resource-group", names.resource_group, "--pipeline", names.pipeline, "--pipeline-type", "export"),
        *("--name", f"{names.run.replace('_', '')[: 50 - len(suffix)]}{suffix}", "--storage-blob", blob),
        *("--force-redeploy", "--artifacts", *artifacts),
    )
    return command if names.run and len(command) <= _LONGEST_COMMAND else ""


def restamp(blob: Blob) -> str:
    """Writes a blob's metadata again as it is, with the transfer category: that alone moves its Last-Modified."""
    return remedies.repair_blob(blob, md5=False, category=True)


def blob_command(blob: Blob, *words: str) -> str:
    """``az storage blob …`` on one blob, with the caller's own sign-in."""
    return shell(
        *("az", "storage", "blob", *words, "--account-name", blob.address.account),
        *("--container-name", blob.address.container, "--name", blob.address.name, "--auth-mode", "login"),
    )


def show_blob(evidence: Evidence, query: str) -> str:
    """Shows some properties of the blob that the look was about."""
    names = evidence.names
    return shell(
        *("az", "storage", "blob", "show", "--account-name", names.account, "--container-name", names.container),
        *("--name", names.blob, "--auth-mode", "login", "--query", query),
    )


def list_blobs(evidence: Evidence) -> str:
    """Lists what is in the container."""
    names = evidence.names
    return shell(
        *("az", "storage", "blob", "list", "--account-name", names.account, "--container-name", names.container),
        *("--auth-mode", "login", "--query", "[].{name:name, modified:properties.lastModified}", "--output", "table"),
    )


def check_blob(evidence: Evidence) -> str:
    """The monitor's own check of the blob."""
    address = evidence.blob_address
    return shell("acrtm", "check-blob", address.url(evidence.cloud)) if address else ""


def grant_container_role(evidence: Evidence) -> str:
    """Gives the pipeline's identity the data role that its direction needs, on the container alone."""
    names = evidence.names
    if not (names.account_id and names.container):
        return ""
    writes = remedies.direction_of(evidence) is Direction.EXPORT or remedies.deletes_source(evidence)
    return shell(
        *("az", "role", "assignment", "create", "--assignee-object-id", names.principal),
        *("--assignee-principal-type", "ServicePrincipal"),
        *("--role", f"Storage Blob Data {'Contributor' if writes else 'Reader'}"),
        *("--scope", f"{names.account_id}/blobServices/default/containers/{names.container}"),
    )


def login_server(evidence: Evidence) -> str:
    """The registry's own host."""
    registry = evidence.names.registry
    return f"{registry}.{evidence.cloud.registry_dns_suffix}" if registry else ""


def repository_of(reference: str) -> str:
    """The repository of a reference to an artifact; empty if it is none."""
    read = read_reference(reference)
    return read.repository if isinstance(read, Reference) else ""


def with_tag(reference: str) -> str:
    """The reference as the registry's commands want it, which do not know that no tag means ``latest``."""
    read = read_reference(reference)
    return read.of(read.repositories[0]) if isinstance(read, Reference) else ""


def show_manifest(evidence: Evidence, reference: str, query: str) -> str:
    """Shows a part of an artifact's manifest."""
    return shell(
        *("az", "acr", "manifest", "show", "--registry", evidence.names.registry, "--name", reference),
        *("--query", query),
    )
