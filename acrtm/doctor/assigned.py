"""The roles of the app's own identity, read through ARM: what it may do, seen from anybody's laptop.

Rights that come from elsewhere than role assignments (a vault's access policies, deny assignments) are not seen here.
"""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from acrtm.doctor.advice import failed, left_open
from acrtm.doctor.checks import Check, Ending
from shared.azure.activity_log import READ_RIGHT
from shared.azure.registries import listed_subscription
from shared.errors import MonitorError, ServiceError
from shared.evidence.model import Evidence
from shared.evidence.pieces import NOT_ASKED, Unavailable
from shared.monitor import Monitor
from shared.records.access import Grant
from shared.records.key_vault import Vault
from shared.records.storage import StorageAccount
from shared.records.transfer import Direction, Registry
from shared.resource_ids import parse_resource_id
from shared.rules.monitor import EITHER
from shared.settings import SasInspection

ASSIGNED: Final = "Roles of the app"
_TRANSFER: Final = "Microsoft.ContainerRegistry/registries"
_BLOBS: Final = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
_MESSAGES: Final = "Microsoft.Storage/storageAccounts/queueServices/queues/messages"
_ROLES: Final = "Microsoft.Authorization/roleAssignments/read"
_DEFINITIONS: Final = "Microsoft.Authorization/roleDefinitions/read"


@dataclass(frozen=True, slots=True)
class Need:
    """Actions that are needed at a scope, and the built-in role that grants them. ``data`` tells data actions.

    ``presumed`` says why the scope may be another one: then a role that is missing there proves nothing.
    ``below`` is a resource in the scope to read the assignments at, where those of the scope are seen too.
    """

    scope: str
    actions: tuple[str, ...]
    role: str
    data: bool = False
    presumed: str = ""
    below: str = field(default="", compare=False)


async def examine_assigned(monitor: Monitor, identity: str) -> AsyncIterator[Check]:
    """Every right of ``identity`` that a role assignment can give, where the settings make it necessary."""
    if not identity:
        words = "not asked for: name the app's identity to have its role assignments examined"
        yield Check(ASSIGNED, "Identity", Ending.LEFT_OUT, words, "", "acrtm doctor --identity OBJECT_ID")
        return
    seen: set[Need] = set()
    async for found in _needs(monitor):
        if isinstance(found, Check):
            yield found
        elif found not in seen:
            seen.add(found)
            yield await _examine(monitor, identity, found)
    words = "which roles it has on the data collection rule and the topic is only seen when the app writes"
    yield Check(ASSIGNED, "Logs ingestion and alerts", Ending.LEFT_OUT, words)


async def _examine(monitor: Monitor, identity: str, need: Need) -> Check:
    name = f"{need.role} on {_short(need.scope)}"
    try:
        grants = await monitor.azure.access.grants(need.below or need.scope, identity)
    except ServiceError as error:
        return failed(monitor, ASSIGNED, name, error)
    # What is granted on a part of the scope is not granted on the scope.
    grants = tuple(grant for grant in grants if not grant.scope.lower().startswith(f"{need.scope.lower()}/"))
    lacking = [action for action in need.actions if not _granted(grants, action, data=need.data)]
    if not lacking:
        conditional = any(grant.conditional for grant in grants)
        unsure = conditional and any(not _granted(_sure(grants), a, data=need.data) for a in need.actions)
        if unsure:
            return Check(
                ASSIGNED, name, Ending.UNKNOWN, "an assignment has a condition, which can't be judged from here"
            )
        return Check(ASSIGNED, name, Ending.WELL, "granted")
    words = f"the identity lacks {', '.join(lacking)}"
    who, role, scope = shlex.quote(identity), shlex.quote(need.role), shlex.quote(need.scope)
    command = (
        f"az role assignment create --assignee-object-id {who} --assignee-principal-type ServicePrincipal "
        f"--role {role} --scope {scope}"
    )
    remedy = f"Give the role: {EITHER}. It can take half an hour to have effect."
    if need.presumed:
        return Check(ASSIGNED, name, Ending.UNKNOWN, f"{words}, and {need.presumed}", f"If so: {remedy}", command)
    return Check(ASSIGNED, name, Ending.WRONG, words, remedy, command)


def _granted(grants: Sequence[Grant], action: str, *, data: bool) -> bool:
    return any(grant.allows(action, data=data) for grant in grants)


def _sure(grants: Sequence[Grant]) -> list[Grant]:
    return [grant for grant in grants if not grant.conditional]


def _short(scope: str) -> str:
    parent, _, name = scope.rpartition("/")
    return f"subscription {name}" if parent.lower() == "/subscriptions" else name


async def _needs(monitor: Monitor) -> AsyncIterator[Need | Check]:
    listed = await monitor.gatherer.lookups.monitored_registries()
    for missing in listed.unlisted:
        yield left_open(monitor, ASSIGNED, f"Registries of {listed_subscription(missing.target)}", missing)
    registries = listed.known
    for registry_id in registries:
        async for found in _of_registry(monitor, registry_id):
            yield found
    for need in _of_subscriptions(registries):
        yield need
    async for found in _of_state(monitor, registries):
        yield found


def _subscription_of(resource_id: str) -> str:
    return f"/subscriptions/{parse_resource_id(resource_id).subscription}"


def _of_subscriptions(registries: Sequence[str]) -> list[Need]:
    """What can be asked of a subscription only: why a write was rejected, and what a role permits."""
    one_in_each = {_subscription_of(registry_id): registry_id for registry_id in registries}
    return [Need(scope, (READ_RIGHT, _DEFINITIONS), "Reader", below=one) for scope, one in one_in_each.items()]


async def _of_registry(monitor: Monitor, registry_id: str) -> AsyncIterator[Need | Check]:
    reads = ("read", "importPipelines/read", "exportPipelines/read", "pipelineRuns/read")
    yield Need(registry_id, tuple(f"{_TRANSFER}/{read}" for read in reads), "Reader")
    reader = monitor.azure.registries
    try:
        yield _pulling(await reader.registry(registry_id))
        pipelines = [pipeline for way in Direction for pipeline in await reader.pipelines(registry_id, way)]
    except ServiceError as error:
        yield failed(monitor, ASSIGNED, f"Pipelines of {_short(registry_id)}", error)
        return
    for pipeline in pipelines:
        try:
            evidence = await monitor.gatherer.pipeline(pipeline.id)
        except ServiceError as error:
            yield failed(monitor, ASSIGNED, f"Pipeline {pipeline.name}", error)
        except MonitorError as error:
            yield Check(ASSIGNED, f"Pipeline {pipeline.name}", Ending.UNKNOWN, str(error))
        else:
            for found in _of_pipeline(monitor, evidence):
                yield found


def _pulling(registry: Registry) -> Need:
    if registry.by_repository:
        right = f"{_TRANSFER}/repositories/content/read"
        return Need(registry.id, (right,), "Container Registry Repository Reader", data=True)
    return Need(registry.id, (f"{_TRANSFER}/pull/read",), "AcrPull")


def _of_pipeline(monitor: Monitor, evidence: Evidence) -> list[Need | Check]:
    names, account, vault = evidence.names, evidence.account, evidence.vault
    found: list[Need | Check] = [
        left_open(monitor, ASSIGNED, f"Pipeline {names.pipeline}", piece)
        for piece in (account, vault)
        if isinstance(piece, Unavailable) and not piece.by_choice
    ]
    if isinstance(account, StorageAccount):
        container = f"{account.id}/blobServices/default/containers/{names.container}"
        storage = "Microsoft.Storage/storageAccounts"
        reads = (f"{storage}/read", f"{storage}/blobServices/containers/read", _ROLES)
        found.append(Need(account.id, reads, "Reader"))
        found.append(Need(container, (f"{_BLOBS}/read",), "Storage Blob Data Reader", data=True))
    if isinstance(vault, Vault):
        inspection = monitor.settings.sas_inspection
        dates = ("Microsoft.KeyVault/vaults/secrets/read",) if inspection is not SasInspection.NONE else ()
        found.append(Need(vault.id, ("Microsoft.KeyVault/vaults/read", _ROLES, *dates), "Reader"))
        if inspection is SasInspection.VALUE:
            found.append(_value(vault, names.secret))
    found += _of_other_subscriptions(evidence)
    return found


def _of_other_subscriptions(evidence: Evidence) -> list[Need]:
    """Where roles decide what a pipeline may do, they are defined in the subscription of what they are roles on."""
    own = _subscription_of(evidence.names.registry_id)
    asked = ((evidence.account, evidence.storage_grants), (evidence.vault, evidence.vault_grants))
    decided = [on.id for on, grants in asked if isinstance(on, StorageAccount | Vault) and grants is not NOT_ASKED]
    return [
        Need(_subscription_of(one), (_DEFINITIONS,), "Reader", below=one)
        for one in decided
        if _subscription_of(one).lower() != own.lower()
    ]


def _value(vault: Vault, secret: str) -> Need | Check:
    if not vault.uses_rbac:
        words = f"vault {vault.name} goes by access policies, not by roles: see whether one lets the app get secrets"
        command = f"az keyvault show --name {shlex.quote(vault.name)} --query properties.accessPolicies"
        return Check(ASSIGNED, f"Value of {secret}", Ending.UNKNOWN, words, "", command)
    right = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
    return Need(f"{vault.id}/secrets/{secret}", (right,), "Key Vault Secrets User", data=True)


async def _of_state(monitor: Monitor, registries: Sequence[str]) -> AsyncIterator[Need | Check]:
    parts = urlsplit(monitor.settings.state_container_url)
    account = (parts.hostname or "").partition(".")[0]
    if not account or not registries:
        return
    subscription = parse_resource_id(registries[0]).subscription
    found = await monitor.gatherer.lookups.account(account, subscription)
    if not isinstance(found, StorageAccount):
        words = f"storage account {account} is not seen in the registry's subscription, so its roles can't be read"
        remedy = "Add its resource id to STORAGE_ACCOUNTS of this command's settings to have them examined."
        yield Check(ASSIGNED, "State container", Ending.UNKNOWN, words, remedy)
        if monitor.settings.event_queue:
            yield Check(ASSIGNED, f"Queue {monitor.settings.event_queue}", Ending.UNKNOWN, words, remedy)
        return
    scope = f"{found.id}/blobServices/default/containers/{parts.path.strip('/')}"
    actions = tuple(f"{_BLOBS}/{what}" for what in ("read", "write", "delete"))
    yield Need(scope, actions, "Storage Blob Data Contributor", data=True)
    if monitor.settings.event_queue:
        rights = tuple(f"{_MESSAGES}/{what}" for what in ("read", "write", "delete"))
        presumed = (
            f"the queue {monitor.settings.event_queue} is taken to lie there, beside the state, as infra/ has it: "
            "no setting of the monitor names the host's storage account"
        )
        yield Need(found.id, rights, "Storage Queue Data Contributor", data=True, presumed=presumed)
