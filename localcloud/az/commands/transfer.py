"""``az acr import-pipeline``, ``export-pipeline`` and ``pipeline-run``, of the extension acrtransfer."""

from __future__ import annotations

import json
import time
from argparse import Namespace
from typing import Any

from localcloud.az.commands import shapes
from localcloud.az.errors import AzError, NotThere
from localcloud.az.requests import PIPELINE_API, Cloud, Refused, document_of
from localcloud.az.sign_in import ARM

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5


def create_import(cloud: Cloud, options: Namespace) -> Any:
    on = options.source_trigger_enabled is not False
    trigger = {"sourceTrigger": {"status": "Enabled" if on else "Disabled"}}
    return _create(cloud, options, "importPipelines", {"source": _end(options), "trigger": trigger})


def create_export(cloud: Cloud, options: Namespace) -> Any:
    return _create(cloud, options, "exportPipelines", {"target": _end(options)})


def show_import(cloud: Cloud, options: Namespace) -> Any:
    return _show(cloud, _id(cloud, options, "importPipelines", options.name))


def show_export(cloud: Cloud, options: Namespace) -> Any:
    return _show(cloud, _id(cloud, options, "exportPipelines", options.name))


def list_import(cloud: Cloud, options: Namespace) -> Any:
    return _list(cloud, options, "importPipelines")


def list_export(cloud: Cloud, options: Namespace) -> Any:
    return _list(cloud, options, "exportPipelines")


def delete_import(cloud: Cloud, options: Namespace) -> None:
    _delete(cloud, options, "importPipelines")


def delete_export(cloud: Cloud, options: Namespace) -> None:
    _delete(cloud, options, "exportPipelines")


def create_run(cloud: Cloud, options: Namespace) -> Any:
    """Starts the run and waits for its end, as az does; a run that failed fails the command."""
    imports = options.pipeline_type == "import"
    kind = "importPipelines" if imports else "exportPipelines"
    pipeline = _pipeline(cloud, options, kind)
    request: dict[str, Any] = {"pipelineResourceId": pipeline["id"]}
    end = {"type": "AzureStorageBlob", "name": options.storage_blob}
    if imports:
        request["source"] = end
    else:
        if not options.artifacts:
            raise AzError("artifacts cannot be null for Export PipelineRuns.")
        whole = [name if ":" in name or "@" in name else f"{name}:latest" for name in options.artifacts]
        request |= {"target": end, "artifacts": whole}
    properties: dict[str, Any] = {"request": request}
    if options.force_redeploy:
        properties["forceUpdateTag"] = str(time.time())
    run_id = _id(cloud, options, "pipelineRuns", options.name)
    answer = cloud.send(
        "PUT",
        f"{ARM}{run_id}?api-version={PIPELINE_API}",
        audience=ARM,
        headers={"Content-Type": "application/json"},
        body=json.dumps({"properties": properties}).encode(),
    )
    operation = answer.headers.get("azure-asyncoperation")
    if operation:
        _wait(cloud, operation)
    return shapes.flat(cloud.arm("GET", run_id, PIPELINE_API))


def show_run(cloud: Cloud, options: Namespace) -> Any:
    return _show(cloud, _id(cloud, options, "pipelineRuns", options.name))


def list_runs(cloud: Cloud, options: Namespace) -> Any:
    runs = _list(cloud, options, "pipelineRuns")
    return runs[-options.top :] if options.top else runs


def delete_run(cloud: Cloud, options: Namespace) -> None:
    _delete(cloud, options, "pipelineRuns")


def clean_runs(cloud: Cloud, options: Namespace) -> Any:
    failed = [run for run in _list(cloud, options, "pipelineRuns") if run["provisioningState"] == "Failed"]
    if options.dry_run:
        return failed
    for run in failed:
        cloud.arm("DELETE", run["id"], PIPELINE_API)
    return None


def _wait(cloud: Cloud, operation: str) -> None:
    pause = _FIRST_PAUSE
    while True:
        state = document_of(cloud.send("GET", operation, audience=ARM))
        match state["status"]:
            case "Succeeded":
                return
            case "Failed" | "Canceled":
                error = state.get("error") or {}
                raise AzError(f"({error.get('code', state['status'])}) {error.get('message', '')}")
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _create(cloud: Cloud, options: Namespace, kind: str, properties: dict[str, Any]) -> Any:
    uses_sas = options.access_mode == "SasToken"
    if uses_sas and options.secret_uri is None:
        raise AzError("--secret-uri is required when --storage-access-mode is SasToken")
    if not uses_sas and options.secret_uri is not None:
        raise AzError(
            "The '--secret-uri' flag cannot be supplied when 'ManagedIdentity' is chosen for the flag "
            "'--storage-access-mode'."
        )
    identity: dict[str, Any] = {"type": "SystemAssigned"}
    if options.assign_identity and options.assign_identity.lower() != "[system]":
        identity = {"type": "UserAssigned", "userAssignedIdentities": {options.assign_identity: {}}}
    if options.options:
        properties["options"] = options.options
    path = _id(cloud, options, kind, options.name)
    cloud.arm("PUT", path, PIPELINE_API, {"identity": identity, "properties": properties})
    return _show(cloud, path)


def _end(options: Namespace) -> dict[str, Any]:
    # The extension sends both addresses in lower case.
    end = {"uri": options.container_uri.lower(), "storageAccessMode": options.access_mode}
    if options.secret_uri:
        end["keyVaultUri"] = options.secret_uri.lower()
    return {"type": "AzureStorageBlobContainer", **end}


def _pipeline(cloud: Cloud, options: Namespace, kind: str) -> Any:
    try:
        return cloud.arm("GET", _id(cloud, options, kind, options.pipeline), PIPELINE_API)
    except Refused:
        word = "Import" if kind == "importPipelines" else "Export"
        raise AzError(
            f"{word} pipeline {options.pipeline} not found on registry {options.registry_name} in the "
            f"{options.resource_group_name} resource group."
        ) from None


def _id(cloud: Cloud, options: Namespace, kind: str, name: str) -> str:
    registry = (
        f"/subscriptions/{cloud.subscription_id}/resourceGroups/{options.resource_group_name}"
        f"/providers/Microsoft.ContainerRegistry/registries/{options.registry_name}"
    )
    return f"{registry}/{kind}/{name}" if name else f"{registry}/{kind}"


def _show(cloud: Cloud, path: str) -> Any:
    try:
        return shapes.flat(cloud.arm("GET", path, PIPELINE_API))
    except Refused as refusal:
        if refusal.status == 404:
            raise NotThere(str(refusal)) from None
        raise


def _delete(cloud: Cloud, options: Namespace, kind: str) -> None:
    cloud.arm("DELETE", _id(cloud, options, kind, options.name), PIPELINE_API)


def _list(cloud: Cloud, options: Namespace, kind: str) -> list[Any]:
    return [shapes.flat(item) for item in cloud.arm_list(_id(cloud, options, kind, ""), PIPELINE_API)]
