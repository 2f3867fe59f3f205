"""Which function carries a command out. What isn't here is well formed and nothing that the local cloud could do."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from localcloud.az.errors import NotCarriedOut

_CARRIED_OUT = {
    "acr export-pipeline create": "transfer:create_export",
    "acr export-pipeline delete": "transfer:delete_export",
    "acr export-pipeline list": "transfer:list_export",
    "acr export-pipeline show": "transfer:show_export",
    "acr import-pipeline create": "transfer:create_import",
    "acr import-pipeline delete": "transfer:delete_import",
    "acr import-pipeline list": "transfer:list_import",
    "acr import-pipeline show": "transfer:show_import",
    "acr manifest list-metadata": "images:list_manifests",
    "acr manifest show": "images:show_manifest",
    "acr pipeline-run clean": "transfer:clean_runs",
    "acr pipeline-run create": "transfer:create_run",
    "acr pipeline-run delete": "transfer:delete_run",
    "acr pipeline-run list": "transfer:list_runs",
    "acr pipeline-run show": "transfer:show_run",
    "acr repository show-tags": "images:show_tags",
    "acr show": "registry:show",
    "acr update": "registry:update",
    "keyvault recover": "keyvault:recover",
    "keyvault secret list-versions": "keyvault:secret_list_versions",
    "keyvault secret recover": "keyvault:secret_recover",
    "keyvault secret set": "keyvault:secret_set",
    "keyvault secret set-attributes": "keyvault:secret_set_attributes",
    "keyvault secret show": "keyvault:secret_show",
    "keyvault set-policy": "keyvault:set_policy",
    "keyvault show": "keyvault:show",
    "keyvault update": "keyvault:update",
    "resource show": "resource:show",
    "resource update": "resource:update",
    "role assignment create": "roles:create",
    "role assignment list": "roles:list_",
    "storage account show": "accounts:show",
    "storage account update": "accounts:update",
    "storage blob copy start": "blobs:copy_start",
    "storage blob delete": "blobs:delete",
    "storage blob download": "blobs:download",
    "storage blob exists": "blobs:exists",
    "storage blob lease break": "blobs:lease_break",
    "storage blob list": "blobs:list_",
    "storage blob metadata show": "blobs:metadata_show",
    "storage blob metadata update": "blobs:metadata_update",
    "storage blob set-tier": "blobs:set_tier",
    "storage blob show": "blobs:show",
    "storage blob update": "blobs:update",
    "storage blob upload": "blobs:upload",
    "storage container create": "containers:create",
    "storage container exists": "containers:exists",
    "storage container generate-sas": "containers:generate_sas",
    "storage container policy list": "containers:policy_list",
    "storage container policy show": "containers:policy_show",
}


def function_of(command: str) -> Callable[..., Any]:
    """What carries the command out; only that module is imported."""
    if command not in _CARRIED_OUT:
        raise NotCarriedOut(f"az {command}")
    module, _, name = _CARRIED_OUT[command].partition(":")
    found: Callable[..., Any] = getattr(import_module(f"localcloud.az.commands.{module}"), name)
    return found
