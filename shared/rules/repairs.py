"""Repairs of what lies in a container or a registry: blobs and artifacts, and who may read them.

Those of tokens, pipelines and runs are in :mod:`shared.rules.remedies`.
"""

from __future__ import annotations

from typing import Final

from shared.evidence.model import TRANSFER_CATEGORY, Evidence
from shared.evidence.references import Reference, read_reference
from shared.records.storage import Blob
from shared.records.transfer import Direction
from shared.rules import remedies
from shared.rules.commands import shell, steps

MARKS: Final = "{md5:properties.contentSettings.contentMd5, category:metadata.category}"
"""What a source trigger looks at."""


def repair_blob(blob: Blob, *, md5: bool, category: bool) -> str:
    """Gives a blob back its Content-MD5, its transfer category, or both, and keeps its other metadata.

    Metadata is always written whole. The MD5 is computed where the command runs, over the content itself.
    """
    place = (
        *("--account-name", blob.address.account, "--container-name", blob.address.container),
        *("--name", blob.address.name, "--auth-mode", "login"),
    )
    commands = []
    if md5:
        read = shell("az", "storage", "blob", "download", *place, "--no-progress")
        # Without pipefail a download that failed would give the blob the MD5 of nothing.
        commands.append(f'md5="$(set -o pipefail; {read} | openssl md5 -binary | base64)"')
        commands.append(f'{shell("az", "storage", "blob", "update", *place)} --content-md5 "$md5" --output none')
    if category:
        kept = [f"{name}={value}" for name, value in sorted(blob.metadata.items()) if name != "category"]
        commands.append(
            shell(
                *("az", "storage", "blob", "metadata", "update", *place),
                *("--metadata", f"category={TRANSFER_CATEGORY}", *kept, "--output", "none"),
            )
        )
    return steps(*commands)


def restamp(blob: Blob) -> str:
    """Writes a blob's metadata again as it is, with the transfer category: that alone moves its Last-Modified."""
    return repair_blob(blob, md5=False, category=True)


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
