"""An import run: the blob, the artifacts in it, and the blob's end."""

from __future__ import annotations

from localcloud.transfer.access import ContainerAccess
from localcloud.transfer.archive import unpack
from localcloud.transfer.failures import ArtifactFailure, Refused, TransferFailure, Unreachable
from localcloud.transfer.progress import Progress
from localcloud.world import Behaviour, Manifest, Pipeline, Registry
from localcloud.world.registries import sha256, split_reference


async def import_blob(
    registry: Registry,
    pipeline: Pipeline,
    progress: Progress,
    container: ContainerAccess,
    behaviour: Behaviour,
) -> None:
    name = str(progress.run.request["source"]["name"])
    await container.list(name)
    progress.reached(20)
    data = (await container.get(name)).body
    digest = sha256(data)
    wanted = progress.run.request.get("catalogDigest")
    if wanted and wanted != digest:
        raise TransferFailure(f"Failed to import blob '{name}'.  Its digest is {digest}, not {wanted}.")
    progress.reached(50)
    if registry.denies_transfers:
        raise TransferFailure(f"Resource {registry.id} Access to {registry.login_server} denied.")
    imported = []
    for reference, manifest in unpack(data).items():
        try:
            _place(registry, pipeline, reference, manifest, behaviour)
        except ArtifactFailure:
            if not pipeline.has("ContinueOnErrors"):
                raise
        else:
            imported.append(reference)
    progress.response["importedArtifacts"] = imported
    progress.response["catalogDigest"] = digest
    progress.reached(90)
    if pipeline.has("DeleteSourceBlobOnSuccess"):
        await _delete(container, name)


def _place(registry: Registry, pipeline: Pipeline, reference: str, manifest: Manifest, behaviour: Behaviour) -> None:
    repository, tag = split_reference(reference)
    if tag.startswith("sha256:"):
        registry.untagged.setdefault(repository, []).append(manifest)
        return
    tags = registry.artifacts.setdefault(repository, {})
    present = tags.get(tag)
    if present is None or present.digest == manifest.digest or pipeline.has("OverwriteTags"):
        tags[tag] = manifest
    elif behaviour.existing_tag_fails_import:
        raise ArtifactFailure(
            f"Failed to import artifact '{reference}'.  Conflict: Tag {reference} already exists in target registry."
        )


async def _delete(container: ContainerAccess, name: str) -> None:
    """The artifacts are there: a blob that can't be deleted doesn't undo the run, and nothing tells of it."""
    try:
        await container.delete(name)
    except (Refused, Unreachable):
        return
