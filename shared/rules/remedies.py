"""Repairs that several rules share, with the real names filled in."""

from __future__ import annotations

from typing import Final

from shared.evidence.model import TRANSFER_CATEGORY, Evidence, Names
from shared.records.storage import Blob
from shared.records.transfer import Direction, Pipeline
from shared.rules.commands import NEW_TOKEN_DAYS, shell, steps

EXPORT_PERMISSIONS: Final = "rwla"
IMPORT_PERMISSIONS: Final = "rl"


def direction_of(evidence: Evidence) -> Direction | None:
    """Which way the pipeline carries images, from the pipeline itself or from the run."""
    pipeline = evidence.known_pipeline
    return pipeline.direction if pipeline else evidence.direction


def needed_permissions(evidence: Evidence) -> str:
    """The SAS permissions that the pipeline's direction needs, in the order in which ``az`` writes them."""
    if direction_of(evidence) is Direction.EXPORT:
        return EXPORT_PERMISSIONS
    return IMPORT_PERMISSIONS + ("d" if deletes_source(evidence) else "")


def deletes_source(evidence: Evidence) -> bool:
    """Whether an import deletes the blob when it has succeeded."""
    pipeline = evidence.known_pipeline
    return pipeline is not None and pipeline.has_option("DeleteSourceBlobOnSuccess")


def new_token(evidence: Evidence) -> str:
    """Signs a new container token and stores it as the secret's newest version, showing it nowhere."""
    names = evidence.names
    if not (names.account and names.container and names.vault and names.secret):
        return ""
    end = f"end=\"$(date -u -d '+{NEW_TOKEN_DAYS} days' '+%Y-%m-%dT%H:%MZ')\""
    sign = shell(
        *("az", "storage", "container", "generate-sas", "--account-name", names.account, "--name", names.container),
        *("--permissions", needed_permissions(evidence), "--https-only", "--output", "tsv"),
    )
    store = shell("az", "keyvault", "secret", "set", "--vault-name", names.vault, "--name", names.secret)
    return steps(end, f'{store} --expires "$end" --output none --value "?$({sign} --expiry "$end")"')


def try_token(names: Names) -> str:
    """Lists one blob with the token that the secret holds."""
    if not (names.account and names.container and names.vault and names.secret):
        return ""
    show = shell("az", "keyvault", "secret", "show", "--vault-name", names.vault, "--name", names.secret)
    look = shell("az", "storage", "blob", "list", "--account-name", names.account, "--container-name", names.container)
    return f'{look} --num-results 1 --output table --sas-token "$({show} --query value --output tsv)"'


def run_again(evidence: Evidence) -> str:
    """Runs the same transfer once more: a new tag is what makes the service take it up."""
    run = evidence.run
    names = evidence.names
    if run is None or not names.pipeline_id or not names.blob:
        return ""
    exports = run.direction is Direction.EXPORT
    if exports and not run.artifacts:
        return ""
    artifacts = ("--artifacts", *run.artifacts) if exports else ()
    return shell(
        *("az", "acr", "pipeline-run", "create", "--registry", names.registry),
        *("--resource-group", names.resource_group, "--pipeline", names.pipeline),
        *("--pipeline-type", "export" if exports else "import", "--name", f"{names.run.replace('_', '')}again"[:50]),
        *("--storage-blob", names.blob, "--force-redeploy"),
        *artifacts,
    )


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
        digest = f'"$({read} | openssl md5 -binary | base64)"'
        commands.append(f"{shell('az', 'storage', 'blob', 'update', *place)} --content-md5 {digest} --output none")
    if category:
        kept = [f"{name}={value}" for name, value in sorted(blob.metadata.items()) if name != "category"]
        commands.append(
            shell(
                *("az", "storage", "blob", "metadata", "update", *place),
                *("--metadata", f"category={TRANSFER_CATEGORY}", *kept, "--output", "none"),
            )
        )
    return steps(*commands)


def show_blob(blob: Blob) -> str:
    """Shows what the source trigger looks at."""
    return shell(
        *("az", "storage", "blob", "show", "--account-name", blob.address.account),
        *("--container-name", blob.address.container, "--name", blob.address.name, "--auth-mode", "login"),
        *("--query", "{md5:properties.contentSettings.contentMd5, category:metadata.category}"),
    )


def check_again(pipeline_id: str) -> str:
    """The monitor's own check of a pipeline."""
    return shell("acrtm", "check-pipeline", pipeline_id)


def show_pipeline(pipeline: Pipeline | None, names: Names) -> str:
    """Shows a pipeline with the command line's own command."""
    kind = "export-pipeline" if pipeline is not None and pipeline.direction is Direction.EXPORT else "import-pipeline"
    return shell(
        *("az", "acr", kind, "show", "--registry", names.registry, "--resource-group", names.resource_group),
        *("--name", names.pipeline),
    )
