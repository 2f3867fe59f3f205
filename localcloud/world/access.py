"""Who may do what: principals, groups, role definitions and assignments, judged as Azure RBAC judges them."""

from __future__ import annotations

import fnmatch
import re
import uuid
from dataclasses import dataclass, field
from functools import lru_cache


@dataclass(slots=True)
class Principal:
    """A user or a managed identity."""

    name: str
    kind: str = "ServicePrincipal"
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    client_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    resource_id: str | None = None
    """Of a user-assigned identity."""
    user_principal_name: str | None = None
    """Of a user."""


@dataclass(slots=True)
class RoleDefinition:
    name: str
    id: str
    """The GUID, the same in every subscription for a built-in role."""
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()
    custom: bool = False

    def permits(self, action: str, *, data: bool) -> bool:
        granted, taken = (self.data_actions, self.not_data_actions) if data else (self.actions, self.not_actions)
        return _any_matches(granted, action) and not _any_matches(taken, action)


@dataclass(slots=True)
class RoleAssignment:
    role: RoleDefinition
    principal_id: str
    scope: str
    principal_type: str = "ServicePrincipal"
    condition: str | None = None
    condition_holds: bool = True
    """What the condition comes to: the local cloud doesn't evaluate ABAC expressions."""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def covers(self, scope: str) -> bool:
        """The assignment is at ``scope`` or above it."""
        mine, asked = self.scope.casefold().rstrip("/"), scope.casefold().rstrip("/")
        return asked == mine or asked.startswith(mine + "/")


_STORAGE = "Microsoft.Storage/storageAccounts/blobServices"
_QUEUES = "Microsoft.Storage/storageAccounts/queueServices/queues"

BUILT_IN_ROLES = (
    RoleDefinition("Owner", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", ("*",)),
    RoleDefinition("Contributor", "b24988ac-6180-42a0-ab88-20f7382dd24c", ("*",), ("Microsoft.Authorization/*/Write",)),
    RoleDefinition("Reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7", ("*/read",)),
    RoleDefinition(
        "Container Registry Transfer Pipeline Contributor",
        "bf94e731-3a51-4a7c-8c54-a1ab9971dfc1",
        (
            "Microsoft.ContainerRegistry/registries/read",
            "Microsoft.ContainerRegistry/registries/exportPipelines/*",
            "Microsoft.ContainerRegistry/registries/importPipelines/*",
            "Microsoft.ContainerRegistry/registries/pipelineRuns/*",
        ),
    ),
    RoleDefinition(
        "AcrPull",
        "7f951dda-4ed3-4680-a7ca-43fe172d538d",
        ("Microsoft.ContainerRegistry/registries/pull/read",),
    ),
    RoleDefinition(
        "Container Registry Repository Reader",
        "b93aa761-3e63-49ed-ac28-beffa264f7ac",
        data_actions=(
            "Microsoft.ContainerRegistry/registries/repositories/content/read",
            "Microsoft.ContainerRegistry/registries/repositories/metadata/read",
        ),
    ),
    RoleDefinition(
        "Container Registry Repository Catalog Lister",
        "bfdb9389-c9a5-478a-bb2f-ba9ca092c3c7",
        data_actions=("Microsoft.ContainerRegistry/registries/catalog/read",),
    ),
    RoleDefinition(
        "Storage Blob Data Reader",
        "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
        (f"{_STORAGE}/containers/read", f"{_STORAGE}/generateUserDelegationKey/action"),
        data_actions=(f"{_STORAGE}/containers/blobs/read",),
    ),
    RoleDefinition(
        "Storage Blob Data Contributor",
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
        (
            f"{_STORAGE}/containers/delete",
            f"{_STORAGE}/containers/read",
            f"{_STORAGE}/containers/write",
            f"{_STORAGE}/generateUserDelegationKey/action",
        ),
        data_actions=(
            f"{_STORAGE}/containers/blobs/delete",
            f"{_STORAGE}/containers/blobs/read",
            f"{_STORAGE}/containers/blobs/write",
            f"{_STORAGE}/containers/blobs/add/action",
            f"{_STORAGE}/containers/blobs/move/action",
        ),
    ),
    RoleDefinition(
        "Storage Blob Data Owner",
        "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
        (f"{_STORAGE}/containers/*", f"{_STORAGE}/generateUserDelegationKey/action"),
        data_actions=(f"{_STORAGE}/containers/blobs/*",),
    ),
    RoleDefinition(
        "Storage Queue Data Contributor",
        "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
        (f"{_QUEUES}/delete", f"{_QUEUES}/read", f"{_QUEUES}/write"),
        data_actions=(
            f"{_QUEUES}/messages/delete",
            f"{_QUEUES}/messages/read",
            f"{_QUEUES}/messages/write",
            f"{_QUEUES}/messages/process/action",
        ),
    ),
    RoleDefinition(
        "Key Vault Secrets User",
        "4633458b-17de-408a-b874-0445c86b69e6",
        data_actions=(
            "Microsoft.KeyVault/vaults/secrets/getSecret/action",
            "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
        ),
    ),
    RoleDefinition(
        "Key Vault Reader",
        "21090545-7ca7-4776-b22c-e363652d74d2",
        ("Microsoft.KeyVault/vaults/*/read",),
        data_actions=(
            "Microsoft.KeyVault/vaults/*/read",
            "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
        ),
    ),
    RoleDefinition(
        "Key Vault Contributor",
        "f25e0fa2-a7c8-4377-a976-54943a77a395",
        ("Microsoft.KeyVault/*",),
        ("Microsoft.KeyVault/locations/deletedVaults/purge/action", "Microsoft.KeyVault/hsmPools/*"),
    ),
    RoleDefinition(
        "Storage Account Contributor",
        "17d1049b-9a84-46fb-8f53-869881c3d3ab",
        ("Microsoft.Storage/storageAccounts/*",),
    ),
    RoleDefinition(
        "User Access Administrator",
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        ("*/read", "Microsoft.Authorization/*"),
    ),
    RoleDefinition(
        "Container Registry Contributor and Data Access Configuration Administrator",
        "3bc748fc-213d-45c1-8d91-9da5725539b9",
        (
            "Microsoft.ContainerRegistry/registries/operationStatuses/read",
            "Microsoft.ContainerRegistry/registries/read",
            "Microsoft.ContainerRegistry/registries/write",
        ),
    ),
    RoleDefinition(
        "Monitoring Metrics Publisher",
        "3913510d-42f4-4e42-8a64-420c390055eb",
        data_actions=("Microsoft.Insights/Metrics/Write", "Microsoft.Insights/Telemetry/Write"),
    ),
    RoleDefinition(
        "EventGrid Data Sender",
        "d5a91429-5739-47e2-a06b-3470a27159e7",
        ("Microsoft.EventGrid/topics/read",),
        data_actions=("Microsoft.EventGrid/events/send/action",),
    ),
)


@dataclass(slots=True)
class AccessControl:
    """Every role definition and assignment of the world."""

    definitions: list[RoleDefinition] = field(default_factory=lambda: list(BUILT_IN_ROLES))
    assignments: list[RoleAssignment] = field(default_factory=list)
    groups: dict[str, set[str]] = field(default_factory=dict)
    """Group id to the ids of its members, groups among them."""

    def definition(self, name_or_id: str) -> RoleDefinition:
        for role in self.definitions:
            if name_or_id.casefold() in {role.name.casefold(), role.id.casefold()}:
                return role
        raise KeyError(f"no role {name_or_id!r}; known are {', '.join(role.name for role in self.definitions)}")

    def assign(
        self,
        principal_id: str,
        role: str | RoleDefinition,
        scope: str,
        *,
        condition: str | None = None,
        condition_holds: bool = True,
        principal_type: str = "ServicePrincipal",
    ) -> RoleAssignment:
        definition = self.definition(role) if isinstance(role, str) else role
        if definition not in self.definitions:
            self.definitions.append(definition)
        assignment = RoleAssignment(definition, principal_id, scope, principal_type, condition, condition_holds)
        self.assignments.append(assignment)
        return assignment

    def revoke(self, principal_id: str, role: str, scope: str | None = None) -> None:
        """Take the role away again, at one scope or everywhere; taking what nobody has is a mistake."""
        definition = self.definition(role)
        remaining = [
            assignment
            for assignment in self.assignments
            if assignment.principal_id != principal_id
            or assignment.role is not definition
            or (scope is not None and assignment.scope.casefold() != scope.casefold())
        ]
        if len(remaining) == len(self.assignments):
            raise KeyError(f"{principal_id} has no role {role!r} to take away at {scope or 'any scope'}")
        self.assignments = remaining

    def memberships(self, principal_id: str) -> set[str]:
        """The principal and every group that it belongs to, through other groups too."""
        belongs_to = {principal_id}
        while True:
            more = {group for group, members in self.groups.items() if members & belongs_to} - belongs_to
            if not more:
                return belongs_to
            belongs_to |= more

    def assigned_to(self, principal_id: str) -> list[RoleAssignment]:
        """Directly or through groups: what the ``assignedTo()`` filter gives."""
        identities = self.memberships(principal_id)
        return [assignment for assignment in self.assignments if assignment.principal_id in identities]

    def allows(self, principal_id: str, action: str, scope: str, data: bool = False) -> bool:
        return any(
            assignment.covers(scope) and assignment.condition_holds and assignment.role.permits(action, data=data)
            for assignment in self.assigned_to(principal_id)
        )


def _any_matches(patterns: tuple[str, ...], action: str) -> bool:
    return any(_pattern(pattern).match(action) for pattern in patterns)


@lru_cache(maxsize=256)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern), re.IGNORECASE)
