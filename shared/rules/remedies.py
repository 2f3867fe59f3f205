"""Repairs of tokens, pipelines and runs that several rules share, with the real names filled in.

Those of blobs and artifacts are in :mod:`shared.rules.repairs`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from shared.addresses import SecretAddress
from shared.evidence.model import Evidence, Names
from shared.records.transfer import OPTIONS, Direction, Pipeline
from shared.rules.commands import NEW_TOKEN_DAYS, shell, steps

EXPORT_PERMISSIONS: Final = "rwla"
IMPORT_PERMISSIONS: Final = "rl"
# The first api-version with storageAccessMode: a write through an older one would drop it.
_PIPELINE_VERSION: Final = "2025-06-01-preview"
_LONGEST_COMMAND: Final = 8_000


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
    return steps(end, *_store_signed(names, sign))


def _store_signed(names: Names, sign: str) -> tuple[str, str]:
    """Signs first and stores only what was signed: a secret is never overwritten by a failure."""
    store = shell("az", "keyvault", "secret", "set", "--vault-name", names.vault, "--name", names.secret)
    if not sign or not store:
        return "", ""
    return f'token="$({sign} --expiry "$end")"', f'{store} --expires "$end" --output none --value "?$token"'


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


def import_blob(evidence: Evidence, blob: str) -> str:
    """Imports one blob by hand, which asks neither for its age nor for its MD5 or metadata."""
    names = evidence.names
    if direction_of(evidence) is Direction.EXPORT:
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


def list_pipelines(evidence: Evidence) -> str:
    """Lists the registry's pipelines of the run's direction."""
    kind = "export-pipeline" if direction_of(evidence) is Direction.EXPORT else "import-pipeline"
    names = evidence.names
    return shell(
        *("az", "acr", kind, "list", "--registry", names.registry, "--resource-group", names.resource_group),
        *("--output", "table"),
    )


def show_run(names: Names) -> str:
    """Shows a run with its states and its message."""
    return shell(
        *("az", "acr", "pipeline-run", "show", "--registry", names.registry),
        *("--resource-group", names.resource_group, "--name", names.run),
    )


def write_pipeline(evidence: Evidence, secret_uri: str = "") -> str:
    """Writes a pipeline again with the settings that it has, or with another address of its secret.

    Only for a system-assigned identity, which a write keeps: one that is assigned by the user would have to be
    named, and its resource id is not known here.
    """
    pipeline = evidence.known_pipeline
    if pipeline is None or (pipeline.identity is not None and "user" in pipeline.identity.kind.lower()):
        return ""
    imports = pipeline.direction is Direction.IMPORT
    names = evidence.names
    # Both addresses are put together from their parts: what somebody wrote may hold a token.
    host = evidence.cloud.blob_host(names.account)
    container = f"https://{host}/{names.container}" if names.account and names.container else ""
    secret = ("--secret-uri", secret_uri or _secret_uri(evidence)) if pipeline.uses_sas else ()
    options = [option for option in OPTIONS if pipeline.has_option(option)]
    return shell(
        *("az", "acr", "import-pipeline" if imports else "export-pipeline", "create"),
        *("--registry", names.registry, "--resource-group", names.resource_group, "--name", pipeline.name),
        *("--storage-access-mode", pipeline.storage_access_mode, "--storage-container-uri", container, *secret),
        *(("--options", *options) if options else ()),
        *(("--source-trigger-enabled", str(pipeline.source_trigger_enabled)) if imports else ()),
    )


def _secret_uri(evidence: Evidence) -> str:
    address = evidence.secret_address
    version = address.version if isinstance(address, SecretAddress) else ""
    return "/".join(part for part in (newest_secret_uri(evidence), version) if part)


def _change(pipeline_id: str, setting: str) -> str:
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
    return _change(pipeline.id, f"properties.options={json.dumps(options)}")


def enable_source_trigger(pipeline_id: str) -> str:
    """Switches a pipeline's source trigger on."""
    return _change(pipeline_id, 'properties.trigger={"sourceTrigger":{"status":"Enabled"}}')


def newest_secret_uri(evidence: Evidence) -> str:
    """The address of the pipeline's secret without a version, which always means the newest one."""
    names = evidence.names
    if not names.vault or not names.secret:
        return ""
    return f"https://{names.vault}.{evidence.cloud.key_vault_dns_suffix}/secrets/{names.secret}"


def show_secret_versions(names: Names) -> str:
    """Lists a secret's versions with their dates and whether they are enabled, without any value."""
    versions = ("az", "keyvault", "secret", "list-versions", "--vault-name", names.vault, "--name", names.secret)
    query = "[].{id:id, enabled:attributes.enabled, created:attributes.created, expires:attributes.expires}"
    return shell(*versions, "--query", query, "--output", "table")


_USER_DELEGATION_DAYS: Final = 6


def new_user_delegation_token(evidence: Evidence) -> str:
    """Like :func:`new_token`, but signed by the caller's own identity, as an account without key access needs.

    Storage lets such a token live for seven days at most.
    """
    names = evidence.names
    end = f"end=\"$(date -u -d '+{_USER_DELEGATION_DAYS} days' '+%Y-%m-%dT%H:%MZ')\""
    sign = shell(
        *("az", "storage", "container", "generate-sas", "--account-name", names.account, "--name", names.container),
        *("--permissions", needed_permissions(evidence), "--https-only", "--as-user", "--auth-mode", "login"),
        *("--output", "tsv"),
    )
    return steps(end, *_store_signed(names, sign))


def match_secret_expiry(names: Names) -> str:
    """Gives a secret the expiry date of the token that it holds, without showing the token."""
    secret = ("--vault-name", names.vault, "--name", names.secret)
    show = shell("az", "keyvault", "secret", "show", *secret, "--query", "value", "--output", "tsv")
    write = shell("az", "keyvault", "secret", "set-attributes", *secret, "--output", "none")
    if not show or not write:
        return ""
    read = f"end=\"$({show} | tr '?&' '\\n\\n' | sed -n 's/%3[Aa]/:/g; s/^se=//p')\""
    return steps(read, 'test -n "$end"', f'{write} --expires "$end"')


def list_runs(names: Names) -> str:
    """Lists a registry's runs with their states."""
    return shell(
        *("az", "acr", "pipeline-run", "list", "--registry", names.registry),
        *("--resource-group", names.resource_group, "--output", "table"),
    )
