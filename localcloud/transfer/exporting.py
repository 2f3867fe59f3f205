"""An export run: storage first, then the artifacts, then one block blob."""

from __future__ import annotations

from localcloud.storage_helpers import md5
from localcloud.transfer.access import ContainerAccess
from localcloud.transfer.archive import pack
from localcloud.transfer.failures import ArtifactFailure, TransferFailure
from localcloud.transfer.listing import listed_blobs
from localcloud.transfer.progress import Progress
from localcloud.world import GIB, Behaviour, Manifest, Pipeline, Registry
from localcloud.world.registries import sha256, split_reference

MAX_ARTIFACTS = 50
MAX_LAYER = 8 * GIB
CATEGORY = {"x-ms-meta-category": "acr-transfer-blob"}


async def export(
    registry: Registry,
    pipeline: Pipeline,
    progress: Progress,
    container: ContainerAccess,
    behaviour: Behaviour,
) -> None:
    request = progress.run.request
    references: list[str] = list(request.get("artifacts") or [])
    if len(references) > MAX_ARTIFACTS:
        raise TransferFailure(too_many_artifacts(len(references)))
    name = str(request["target"]["name"])
    exists = any(blob.name == name for blob in listed_blobs(await container.list(name)))
    progress.reached(20)
    artifacts = collect(registry, references, skip_errors=pipeline.has("ContinueOnErrors"))
    progress.reached(50)
    if exists and not pipeline.has("OverwriteBlobs") and not behaviour.existing_blob_fails_export:
        return
    data = pack(artifacts)
    headers = {**CATEGORY, "x-ms-blob-content-md5": md5(data)}
    if not pipeline.has("OverwriteBlobs"):
        headers["If-None-Match"] = "*"
    await container.put(name, data, headers)
    progress.reached(90)
    written = await container.head(name)
    if int(written.headers.get("Content-Length", "-1")) != len(data):
        raise TransferFailure(f"Failed to verify the target blob '{name}'.")
    progress.response["catalogDigest"] = sha256(data)
    if behaviour.lists_exported_artifacts:
        progress.response["importedArtifacts"] = list(artifacts)


def collect(registry: Registry, references: list[str], *, skip_errors: bool) -> dict[str, Manifest]:
    """The artifacts by their full reference. One that can't be had fails the run, or is left out."""
    if registry.denies_transfers:
        raise TransferFailure(f"Resource {registry.id} Access to {registry.login_server} denied.")
    found: dict[str, Manifest] = {}
    for reference in references:
        repository, tag = split_reference(reference)
        separator = "@" if tag.startswith("sha256:") else ":"
        try:
            found[f"{repository}{separator}{tag}"] = _artifact(registry, reference)
        except ArtifactFailure:
            if not skip_errors:
                raise
    return found


def _artifact(registry: Registry, reference: str) -> Manifest:
    repository, tag = split_reference(reference)
    manifest = registry.find(reference)
    failed = f"Failed to export artifact '{reference}'."
    if manifest is None and repository not in registry.artifacts:
        raise ArtifactFailure(f"{failed}  NAME_UNKNOWN: repository name not known to registry")
    if manifest is None:
        kind = "" if tag.startswith("sha256:") else "tagged by "
        raise ArtifactFailure(f'{failed}  MANIFEST_UNKNOWN: manifest {kind}"{tag}" is not found')
    for layer in manifest.blobs:
        if layer.size > MAX_LAYER:
            raise ArtifactFailure(
                f"{failed}  Layer {layer.digest} has {layer.size} bytes, which exceeds the maximum layer size "
                f"of {MAX_LAYER} bytes."
            )
    return manifest


def too_many_artifacts(count: int) -> str:
    return f"The number of artifacts ({count}) exceeds the maximum of {MAX_ARTIFACTS} artifacts per pipeline run."
