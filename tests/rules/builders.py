"""Evidence for the rules' tests: a healthy pipeline and everything it uses, of which a test changes one thing."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from shared.addresses import BlobAddress, ContainerAddress, SecretAddress
from shared.evidence.model import Evidence, Look, ProbeResult
from shared.records.access import Grant, Permission
from shared.records.key_vault import AccessPolicy, SecretAttributes, Vault
from shared.records.storage import Blob, Container, StorageAccount
from shared.records.transfer import Direction, Identity, Pipeline, PipelineRun, Registry, StorageAccessMode
from shared.redaction import Secret
from shared.rules.model import Description, Rule
from shared.sas_token import SasKind, SasToken

NOW: Final = datetime(2026, 11, 23, 10, tzinfo=UTC)
DAY: Final = timedelta(days=1)
SUBSCRIPTION: Final = "/subscriptions/11111111-2222-3333-4444-555555555555"
REGISTRY_ID: Final = f"{SUBSCRIPTION}/resourcegroups/transfer/providers/microsoft.containerregistry/registries/contoso"
VAULT_ID: Final = f"{SUBSCRIPTION}/resourcegroups/transfer/providers/microsoft.keyvault/vaults/contosokv"
ACCOUNT_ID: Final = f"{SUBSCRIPTION}/resourcegroups/transfer/providers/microsoft.storage/storageaccounts/contosostore"
TENANT: Final = "72f988bf-0000-0000-0000-000000000001"
PRINCIPAL: Final = "aaaaaaaa-0000-0000-0000-000000000001"
SIGNATURE: Final = "c2VjcmV0LXNpZ25hdHVyZQ=="
ALLOWED: Final = ProbeResult(200, "", "")


def pipeline(**changes: Any) -> Pipeline:
    """An import pipeline that uses a SAS token, with a system-assigned identity."""
    direction = changes.get("direction", Direction.IMPORT)
    kind, name = ("exportpipelines", "outward") if direction is Direction.EXPORT else ("importpipelines", "inward")
    known = Pipeline(
        id=f"{REGISTRY_ID}/{kind}/{name}",
        name=name,
        direction=direction,
        provisioning_state="Succeeded",
        identity=Identity("systemAssigned", TENANT, (PRINCIPAL,)),
        container_uri="https://contosostore.blob.core.windows.net/transfer",
        key_vault_uri="https://contosokv.vault.azure.net/secrets/transfer-sas",
        storage_access_mode=StorageAccessMode.SAS_TOKEN,
        options=frozenset(),
        source_trigger_enabled=direction is Direction.IMPORT,
        created_at=NOW - 100 * DAY,
    )
    return replace(known, **changes)


def run(**changes: Any) -> PipelineRun:
    """A run that succeeded an hour ago."""
    direction = changes.get("direction", Direction.IMPORT)
    known = PipelineRun(
        id=f"{REGISTRY_ID}/pipelineruns/nightly",
        name="nightly",
        provisioning_state="Succeeded",
        status="Succeeded",
        pipeline_id=pipeline(direction=direction).id,
        direction=direction,
        artifacts=(),
        requested_blob="images.tar.gz",
        imported_artifacts=None,
        blob_uri="",
        catalog_digest="",
        force_update_tag="",
        error_message="",
        progress="100",
        start_time=NOW - timedelta(hours=1),
        finish_time=NOW - timedelta(minutes=50),
        created_at=NOW - timedelta(hours=1),
        modified_at=None,
        has_source_trigger=False,
    )
    return replace(known, **changes)


def registry(**changes: Any) -> Registry:
    """A Premium registry that allows exports."""
    known = Registry(
        id=REGISTRY_ID,
        name="contoso",
        sku="Premium",
        login_server="contoso.azurecr.io",
        export_policy="enabled",
        public_network_access="Enabled",
        role_assignment_mode="LegacyRegistryPermissions",
    )
    return replace(known, **changes)


def policy(*rights: str, who: str = PRINCIPAL, tenant: str = TENANT) -> AccessPolicy:
    """One access policy of a vault."""
    return AccessPolicy(tenant, who, frozenset(rights))


def vault(**changes: Any) -> Vault:
    """A vault with access policies, one of which lets the pipeline in."""
    known = Vault(
        id=VAULT_ID,
        name="contosokv",
        tenant_id=TENANT,
        uses_rbac=False,
        access_policies=(policy("get"),),
        public_network_access="Enabled",
        default_action="Allow",
        bypass="AzureServices",
    )
    return replace(known, **changes)


def secret(**changes: Any) -> SecretAttributes:
    """A secret that was stored ten days ago and ends in eighty days."""
    known = SecretAttributes(
        name="transfer-sas",
        version="0123456789abcdef0123456789abcdef",
        enabled=True,
        expires_on=NOW + 80 * DAY,
        created=NOW - 10 * DAY,
        updated=NOW - 10 * DAY,
    )
    return replace(known, **changes)


def token(**changes: Any) -> SasToken:
    """A container SAS, signed with an account key, that is good for every direction."""
    known = SasToken(
        kind=SasKind.SERVICE,
        version="2024-11-04",
        permissions=frozenset("racwdl"),
        starts_on=None,
        expires_on=NOW + 80 * DAY,
        protocol="https",
        resource="c",
        services=frozenset(),
        resource_types=frozenset(),
        ip_range="",
        policy_id="",
        signed=Secret(f"sv=2024-11-04&sig={SIGNATURE}"),
    )
    return replace(known, **changes)


def account(**changes: Any) -> StorageAccount:
    """A storage account that is open to the internet and whose keys are older than the secret."""
    known = StorageAccount(
        id=ACCOUNT_ID,
        name="contosostore",
        kind="StorageV2",
        provisioning_state="Succeeded",
        status_of_primary="available",
        allow_shared_key_access=True,
        public_network_access="Enabled",
        default_action="Allow",
        bypass="AzureServices",
        network_rules=0,
        key_created=(NOW - 200 * DAY, NOW - 200 * DAY),
    )
    return replace(known, **changes)


def grant(*actions: str, conditional: bool = False) -> Grant:
    """A role assignment that allows data actions."""
    return Grant("Some Role", SUBSCRIPTION, conditional, (Permission(actions, ()),))


def evidence(**changes: Any) -> Evidence:
    """A look at a healthy pipeline. Nothing was asked of blobs, runs and role assignments."""
    known = Evidence(
        now=NOW,
        look=Look.PIPELINE,
        registry_id=REGISTRY_ID,
        direction=Direction.IMPORT,
        pipeline=pipeline(),
        registry=registry(),
        container_address=ContainerAddress("contosostore", "transfer"),
        secret_address=SecretAddress("contosokv", "transfer-sas", ""),
        vault=vault(),
        secret=secret(),
        sas=token(),
        probe=ALLOWED,
        account=account(),
    )
    return replace(known, **changes)


def container(**changes: Any) -> Container:
    """A container without holds and policies."""
    known = Container(name="transfer", deleted=False, has_immutability_policy=False, has_legal_hold=False)
    return replace(known, **changes)


BLOB_ADDRESS: Final = BlobAddress("contosostore", "transfer", "images.tar.gz")


def blob(**changes: Any) -> Blob:
    """A blob that landed two hours ago with all that a source trigger wants."""
    known = Blob(
        address=BLOB_ADDRESS,
        etag="0x8DC0FFEE",
        last_modified=NOW - timedelta(hours=2),
        created=NOW - timedelta(hours=2),
        size=300_000_000,
        blob_type="BlockBlob",
        content_md5=bytes(range(16)),
        metadata={"category": "acr-transfer-blob"},
        tier="Hot",
        archive_status="",
        lease_state="available",
        lease_status="unlocked",
        copy_status="",
        copy_description="",
        immutable_until=None,
        legal_hold=False,
        content_type="application/octet-stream",
    )
    return replace(known, **changes)


def landed(**changes: Any) -> Evidence:
    """A look at a blob that landed five minutes ago in a container that one import pipeline watches."""
    known: dict[str, Any] = {
        "look": Look.BLOB,
        "container": container(),
        "blob_address": BLOB_ADDRESS,
        "blob": blob(),
        "watchers": (pipeline(),),
        "writers": (),
        "runs_of_blob": (),
        "waiting_since": NOW - timedelta(minutes=5),
    }
    return evidence(**{**known, **changes})


def after_run(direction: Direction, look: Look = Look.FAILED_RUN, **changes: Any) -> Evidence:
    """A look at a run that is over and at its blob, which was written before the run began."""
    known: dict[str, Any] = {
        "look": look,
        "direction": direction,
        "run": run(direction=direction, artifacts=("app:v1",) if direction is Direction.EXPORT else ()),
        "pipeline": pipeline(direction=direction),
        "container": container(),
        "blob_address": BLOB_ADDRESS,
        "blob": blob(),
    }
    return evidence(**{**known, **changes})


def described(rule: Rule, seen: Evidence) -> Description:
    """What ``rule`` says of ``seen``; its commands can be pasted and show no secret."""
    assert_plain(rule(seen).facts)
    description = rule.describe(seen, rule(seen).facts)
    assert_pasteable(description)
    return description


def assert_plain(facts: Mapping[str, object]) -> None:
    """Facts are values that a row can hold, and lists of them."""
    for name, fact in facts.items():
        for value in fact if isinstance(fact, list | tuple) else (fact,):
            assert value is None or isinstance(value, str | int | float | datetime), name


def assert_pasteable(description: Description) -> None:
    """The commands are valid shell, and nothing that is said holds a signature."""
    for command in (description.fix_command, description.verify_command):
        assert not command or shlex.split(command)[0], command
        assert "''" not in command, f"an empty word in {command}"
    said = f"{description}"
    assert SIGNATURE not in said
    assert "sig=" not in said
    assert description.summary.endswith(".")
    assert description.recommendation
