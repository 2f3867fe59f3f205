"""The world: subscriptions with their resources, identities with their rights, and helpers to change both."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from localcloud.service import Origin
from localcloud.world.access import AccessControl, Principal
from localcloud.world.activity import ActivityEntry
from localcloud.world.behaviour import Behaviour
from localcloud.world.network import ADDRESSES
from localcloud.world.pipelines import AccessMode, Direction, IdentityKind, Pipeline
from localcloud.world.registries import Registry
from localcloud.world.storage import StorageAccount
from localcloud.world.vaults import AccessPolicy, Vault

MONITOR_GROUP = "acr-transfer-monitor"
TRANSFER_GROUP = "transfer"
STATE_ACCOUNT = "monitorstate"
OPERATOR_ROLES = (
    "Reader",
    "Container Registry Transfer Pipeline Contributor",
    "Container Registry Contributor and Data Access Configuration Administrator",
    "Storage Blob Data Owner",
    "Storage Account Contributor",
    "Key Vault Contributor",
    "User Access Administrator",
)


@dataclass(slots=True)
class World:
    """Everything there is. Change it as you like; every request sees it as it is at that moment."""

    account_keys: Mapping[str, tuple[str, str]] = field(repr=False)
    """The pool: the storage accounts that Azurite knows, with their keys."""
    tenant_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    subscription_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    subscriptions: dict[str, str] = field(default_factory=dict)
    """Id to display name."""
    access: AccessControl = field(default_factory=AccessControl)
    behaviour: Behaviour = field(default_factory=Behaviour)
    registries: dict[str, Registry] = field(default_factory=dict)
    """By lower-case name, as vaults are; accounts have lower-case names anyway."""
    storage_accounts: dict[str, StorageAccount] = field(default_factory=dict)
    vaults: dict[str, Vault] = field(default_factory=dict)
    deleted_vaults: dict[str, Vault] = field(default_factory=dict)
    """Soft-deleted: each can be recovered with its secrets and policies."""
    identities: dict[str, Principal] = field(default_factory=dict)
    """What the managed identity endpoint of the monitor's host knows, by client id."""
    system_identity: Principal | None = None
    """Of the monitor's host; absent unless a test gives it one."""
    activity: list[ActivityEntry] = field(default_factory=list)
    unresolvable: set[str] = field(default_factory=set)
    """Host names that exist and that DNS doesn't find all the same."""
    ingestion_host: str = "acr-transfer-monitor-a1b2.eastus-1.ingest.monitor.azure.com"
    dcr_immutable_id: str = field(default_factory=lambda: f"dcr-{uuid.uuid4().hex}")
    topic_host: str = "acr-transfer-alerts.eastus-1.eventgrid.azure.net"
    monitor: Principal = field(init=False)
    operator: Principal = field(init=False)

    def __post_init__(self) -> None:
        self.subscriptions.setdefault(self.subscription_id, "Contoso Transfer")
        subscription = f"/subscriptions/{self.subscription_id}"
        self.monitor = Principal("acr-transfer-monitor")
        self.monitor.resource_id = self.resource_id(
            "Microsoft.ManagedIdentity/userAssignedIdentities", "acr-transfer-monitor", MONITOR_GROUP
        )
        self.identities[self.monitor.client_id] = self.monitor
        self.operator = Principal(
            "Dana Transfer-Admin", kind="User", user_principal_name="transfer.admin@contoso.example"
        )
        self.access.assign(self.monitor.id, "Reader", subscription)
        self.access.assign(self.monitor.id, "Monitoring Metrics Publisher", self.dcr_id)
        self.access.assign(self.monitor.id, "EventGrid Data Sender", self.topic_id)
        for role in OPERATOR_ROLES:
            self.access.assign(self.operator.id, role, "/", principal_type="User")
        state = self.add_storage_account(STATE_ACCOUNT, resource_group=MONITOR_GROUP, monitored=False)
        state.raises_events = False
        self.access.assign(self.monitor.id, "Storage Blob Data Contributor", state.id)

    @property
    def dcr_id(self) -> str:
        return self.resource_id("Microsoft.Insights/dataCollectionRules", "acr-transfer-findings", MONITOR_GROUP)

    @property
    def personal_data(self) -> set[str]:
        """What ARM's events and log tell of the operator, and no row, alert or log line may repeat."""
        named = {self.operator.name, self.operator.user_principal_name or "", ADDRESSES[Origin.OPERATOR]}
        return named | {"Subscription Admin"}

    @property
    def topic_id(self) -> str:
        return self.resource_id("Microsoft.EventGrid/topics", "acr-transfer-alerts", MONITOR_GROUP)

    def resource_id(self, resource_type: str, name: str, resource_group: str, subscription: str | None = None) -> str:
        return (
            f"/subscriptions/{subscription or self.subscription_id}/resourceGroups/{resource_group}"
            f"/providers/{resource_type}/{name}"
        )

    def add_subscription(self, name: str) -> str:
        """Another subscription of the same tenant, in which nobody has rights yet; its id."""
        subscription = str(uuid.uuid4())
        self.subscriptions[subscription] = name
        return subscription

    # -- resources -------------------------------------------------------------------------------------------

    def add_registry(
        self, name: str, *, sku: str = "Premium", subscription: str | None = None,
        resource_group: str = TRANSFER_GROUP, monitored: bool = True,
    ) -> Registry:  # fmt: skip
        """A registry; ``monitored`` lets the monitor pull from it."""
        identifier = self.resource_id("Microsoft.ContainerRegistry/registries", name, resource_group, subscription)
        registry = Registry(name, identifier, subscription or self.subscription_id, resource_group, sku=sku)
        self.registries[name.casefold()] = registry
        if monitored:
            self.access.assign(self.monitor.id, "AcrPull", identifier)
        return registry

    def add_storage_account(
        self, name: str, *, subscription: str | None = None, resource_group: str = TRANSFER_GROUP,
        monitored: bool = True,
    ) -> StorageAccount:  # fmt: skip
        """An account of the pool; ``monitored`` lets the monitor read its blobs."""
        if name not in self.account_keys:
            raise ValueError(f"{name} is not in the pool of accounts: {', '.join(sorted(self.account_keys))}")
        identifier = self.resource_id("Microsoft.Storage/storageAccounts", name, resource_group, subscription)
        keys = dict(enumerate(self.account_keys[name], start=1))
        account = StorageAccount(
            name, identifier, subscription or self.subscription_id, resource_group, dict(keys), keys
        )
        account.key_created = dict.fromkeys(keys, account.created)
        self.storage_accounts[name] = account
        if monitored:
            self.access.assign(self.monitor.id, "Storage Blob Data Reader", identifier)
        return account

    def add_vault(
        self, name: str, *, rbac: bool = False, subscription: str | None = None,
        resource_group: str = TRANSFER_GROUP,
    ) -> Vault:  # fmt: skip
        identifier = self.resource_id("Microsoft.KeyVault/vaults", name, resource_group, subscription)
        vault = Vault(name, identifier, subscription or self.subscription_id, resource_group, self.tenant_id, rbac=rbac)
        self.vaults[name.casefold()] = vault
        return vault

    def delete_vault(self, vault: Vault | str) -> None:
        """Soft-delete: its name no longer resolves, and it can be recovered."""
        gone = self.vault(vault)
        self.deleted_vaults[gone.name.casefold()] = self.vaults.pop(gone.name.casefold())

    def add_export_pipeline(
        self, registry: Registry | str, name: str, container_url: str, secret_uri: str | None = None, *,
        identity: IdentityKind | str = IdentityKind.SYSTEM, options: Iterable[str] = (),
    ) -> Pipeline:  # fmt: skip
        """Without a secret's URI the pipeline uses its managed identity on the storage account."""
        return self._add_pipeline(
            Direction.EXPORT, registry, name, container_url, secret_uri, IdentityKind(identity), options
        )

    def add_import_pipeline(
        self, registry: Registry | str, name: str, container_url: str, secret_uri: str | None = None, *,
        identity: IdentityKind | str = IdentityKind.SYSTEM, options: Iterable[str] = (),
        trigger_enabled: bool = True,
    ) -> Pipeline:  # fmt: skip
        pipeline = self._add_pipeline(
            Direction.IMPORT, registry, name, container_url, secret_uri, IdentityKind(identity), options
        )
        pipeline.trigger_enabled = trigger_enabled
        return pipeline

    def _add_pipeline(
        self, direction: Direction, registry: Registry | str, name: str, container_url: str,
        secret_uri: str | None, identity: IdentityKind, options: Iterable[str],
    ) -> Pipeline:  # fmt: skip
        home = self.registry(registry)
        pipeline = Pipeline(
            name,
            f"{home.id}/{direction}/{name}",
            direction,
            container_url,
            secret_uri,
            AccessMode.SAS_TOKEN if secret_uri else AccessMode.MANAGED_IDENTITY,
            identity_kind=identity,
            identity=self.new_identity(f"{name}-identity", identity),
            options=list(options),
        )
        self.pipelines_of(home, direction)[name.casefold()] = pipeline
        return pipeline

    def new_identity(self, name: str, kind: IdentityKind) -> Principal | None:
        if kind is IdentityKind.NONE:
            return None
        principal = Principal(name)
        if kind is IdentityKind.USER:
            principal.resource_id = self.resource_id(
                "Microsoft.ManagedIdentity/userAssignedIdentities", name, TRANSFER_GROUP
            )
        return principal

    def user_assigned_identity(self, resource_id: str) -> Principal:
        """The one with this resource id; it is made when it is first asked for."""
        known = [pipeline.identity for registry in self.registries.values() for pipeline in registry.pipelines()]
        for identity in (*known, *self.identities.values()):
            if identity and (identity.resource_id or "").casefold() == resource_id.casefold():
                return identity
        return Principal(resource_id.rpartition("/")[2], resource_id=resource_id)

    # -- looking up ------------------------------------------------------------------------------------------

    def registry(self, registry: Registry | str) -> Registry:
        return registry if isinstance(registry, Registry) else self.registries[registry.casefold()]

    def vault(self, vault: Vault | str) -> Vault:
        return vault if isinstance(vault, Vault) else self.vaults[vault.casefold()]

    def account(self, account: StorageAccount | str) -> StorageAccount:
        return account if isinstance(account, StorageAccount) else self.storage_accounts[account]

    @staticmethod
    def pipelines_of(registry: Registry, direction: Direction) -> dict[str, Pipeline]:
        return registry.export_pipelines if direction is Direction.EXPORT else registry.import_pipelines

    def find_pipeline(self, identifier: str) -> tuple[Registry, Pipeline] | None:
        wanted = identifier.casefold()
        for registry in self.registries.values():
            for pipeline in registry.pipelines():
                if pipeline.id.casefold() == wanted:
                    return registry, pipeline
        return None

    # -- rights and networks ---------------------------------------------------------------------------------

    def grant_secret_get(self, vault: Vault | str, pipeline: Pipeline) -> None:
        """What the documentation asks for: the pipeline's identity may get secrets."""
        if pipeline.identity is None:
            raise ValueError(f"pipeline {pipeline.name} has no identity to grant anything to")
        self._allow_secrets(self.vault(vault), pipeline.identity.id, None)

    def revoke_secret_get(self, vault: Vault | str, pipeline: Pipeline) -> None:
        home, identity = self.vault(vault), pipeline.identity
        if identity is None:
            raise ValueError(f"pipeline {pipeline.name} has no identity to take anything from")
        if home.rbac:
            self.access.revoke(identity.id, "Key Vault Secrets User", home.id)
        else:
            home.access_policies = [policy for policy in home.access_policies if policy.object_id != identity.id]

    def allow_secret_reading(self, vault: Vault | str, secret: str | None = None) -> None:
        """Let the monitor read secrets' values: what ``SAS_INSPECTION=value`` needs."""
        self._allow_secrets(self.vault(vault), self.monitor.id, secret)

    def _allow_secrets(self, vault: Vault, principal_id: str, secret: str | None) -> None:
        if vault.rbac:
            scope = f"{vault.id}/secrets/{secret}" if secret else vault.id
            self.access.assign(principal_id, "Key Vault Secrets User", scope)
        else:
            vault.access_policies.append(AccessPolicy(principal_id, self.tenant_id, ["get"]))

    def grant_storage(
        self, account: StorageAccount | str, pipeline: Pipeline, role: str = "Storage Blob Data Contributor"
    ) -> None:
        """What a pipeline in managed-identity mode needs."""
        if pipeline.identity is None:
            raise ValueError(f"pipeline {pipeline.name} has no identity to grant anything to")
        self.access.assign(pipeline.identity.id, role, self.account(account).id)

    def use_repository_permissions(self, registry: Registry | str, *, monitored: bool = True) -> None:
        """Let only the repository roles count on the registry; ``monitored`` gives them to the monitor."""
        home = self.registry(registry)
        home.role_assignment_mode = "AbacRepositoryPermissions"
        if monitored:
            for role in ("Container Registry Repository Reader", "Container Registry Repository Catalog Lister"):
                self.access.assign(self.monitor.id, role, home.id)

    def close_firewall(self, resource: StorageAccount | Vault | str, *, bypass: str | None = None) -> None:
        self._networked(resource).network.close()
        if bypass is not None:
            self._networked(resource).network.bypass = bypass

    def open_firewall(self, resource: StorageAccount | Vault | str) -> None:
        self._networked(resource).network.open()

    def allow_monitor(self, resource: StorageAccount | Vault | str) -> None:
        """Give the monitor a private endpoint past the firewall."""
        self._networked(resource).network.private_endpoints.add(Origin.MONITOR)

    def _networked(self, resource: StorageAccount | Vault | str) -> StorageAccount | Vault:
        if not isinstance(resource, str):
            return resource
        return self.storage_accounts.get(resource) or self.vault(resource)
