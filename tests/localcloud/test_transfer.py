"""Runs: what they carry, and what they say when something in the world keeps them from it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from localcloud import LocalCloud
from localcloud.run_helpers import WriteRejectedError
from localcloud.scenario import Scenario, transfer_between
from localcloud.service import Fault, Origin, Status
from localcloud.world import GIB, AccessMode, IdentityKind, MessageStyle, foreign_layer, image, layer

DAY = timedelta(days=1)


async def export(scenario: Scenario, name: str = "export01", *artifacts: str, blob: str = "a.tar") -> dict[str, Any]:
    run = await scenario.cloud.put_run(
        scenario.source,
        name,
        scenario.export_pipeline,
        artifacts=artifacts or ("app/web:1.0", "hello-world"),
        blob=blob,
    )
    properties: dict[str, Any] = run["properties"]
    return properties


async def imported(scenario: Scenario, name: str = "import01", blob: str = "a.tar") -> dict[str, Any]:
    run = await scenario.cloud.put_run(scenario.target, name, scenario.import_pipeline, blob=blob)
    properties: dict[str, Any] = run["properties"]
    return properties


def message(properties: dict[str, Any]) -> str:
    assert properties["provisioningState"] == properties["response"]["status"] == "Failed"
    return str(properties["response"]["pipelineRunErrorMessage"])


@pytest.mark.parametrize("mode", list(AccessMode))
@pytest.mark.parametrize("identity", [IdentityKind.SYSTEM, IdentityKind.USER])
@pytest.mark.parametrize("rbac_vault", [False, True])
async def test_there_and_back(cloud: LocalCloud, mode: AccessMode, identity: IdentityKind, rbac_vault: bool) -> None:
    scenario = await transfer_between(cloud, mode=mode, identity=identity, rbac_vault=rbac_vault)
    scenario.source.push("windows:1", image("windows", foreign_layer(), layer("app")))
    sent = await export(scenario, "export01", "app/web:1.0", "hello-world", "windows:1")
    assert sent["provisioningState"] == sent["response"]["status"] == "Succeeded"
    assert sent["response"]["progress"] == {"percentage": "100"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}\+00:00", sent["response"]["startTime"])
    assert sent["response"]["finishTime"] > sent["response"]["startTime"]
    assert sent["response"]["target"]["storageAccessMode"] == mode
    assert sent["response"]["target"]["uri"].endswith("/transfer/a.tar")
    headers = await cloud.blob_properties("contosoexport", "transfer", "a.tar")
    assert headers is not None
    assert headers["x-ms-meta-category"] == "acr-transfer-blob"
    assert headers["Content-MD5"]

    await scenario.carry_over("a.tar")
    received = await imported(scenario)
    assert received["response"]["importedArtifacts"] == ["app/web:1.0", "hello-world:latest", "windows:1"]
    assert received["response"]["catalogDigest"] == sent["response"]["catalogDigest"]
    for reference in ("app/web:1.0", "hello-world", "windows:1"):
        there, here = scenario.source.find(reference), scenario.target.find(reference)
        assert there is not None
        assert there == here
    assert await cloud.blob_names("contosoimport", "transfer") == [], "DeleteSourceBlobOnSuccess"


async def test_a_digest_names_an_artifact(scenario: Scenario) -> None:
    manifest = scenario.source.find("hello-world")
    assert manifest is not None
    reference = f"hello-world@{manifest.digest}"
    await export(scenario, "export01", reference)
    await scenario.carry_over("a.tar")
    assert (await imported(scenario))["response"]["importedArtifacts"] == [reference]
    assert scenario.target.find(reference) == manifest


Break = Callable[[Scenario], Awaitable[object] | None]


def secret(value: Callable[[Scenario], str]) -> Break:
    def broken(scenario: Scenario) -> None:
        scenario.vault.set_secret("exportsas", value(scenario))

    return broken


def sas(permissions: str | None = "rwla", container: str = "transfer", **options: Any) -> Break:
    return secret(lambda scenario: scenario.cloud.sas("contosoexport", container, permissions, **options))


def account_sas(**options: Any) -> Break:
    return secret(lambda scenario: scenario.cloud.account_sas("contosoexport", **options))


def disable_secret(scenario: Scenario) -> None:
    version = scenario.vault.secret("exportsas")
    assert version is not None
    version.enabled = False


def no_identity(scenario: Scenario) -> None:
    scenario.export_pipeline.identity = None


def other_uri(uri: str) -> Break:
    def broken(scenario: Scenario) -> None:
        scenario.export_pipeline.secret_uri = uri

    return broken


def vault_setting(**settings: object) -> Break:
    def broken(scenario: Scenario) -> None:
        for name, value in settings.items():
            setattr(scenario.vault, name, value)

    return broken


def account_setting(**settings: object) -> Break:
    def broken(scenario: Scenario) -> None:
        for name, value in settings.items():
            setattr(scenario.export_account, name, value)

    return broken


def closed_vault(scenario: Scenario) -> None:
    scenario.cloud.world.close_firewall(scenario.vault, bypass="None")


def throttled(scenario: Scenario) -> None:
    busy = Status(503, {"x-ms-error-code": "ServerBusy"})
    scenario.cloud.faults.append(Fault("storage", lambda request: request.method == "PUT", busy))


def layer_of(size: int) -> Break:
    def broken(scenario: Scenario) -> None:
        scenario.source.push("hello-world", image("big", layer("big", size=size)))

    return broken


@pytest.mark.parametrize(
    ("breaking", "expected"),
    [
        (lambda s: s.cloud.world.revoke_secret_get(s.vault, s.export_pipeline), "ForbiddenByPolicy"),
        (vault_setting(rbac=True), "ForbiddenByRbac"),
        (closed_vault, "caller is not a trusted service"),
        (disable_secret, "Operation get is not allowed on a disabled secret"),
        (lambda s: s.vault.delete_secret("exportsas"), "SecretNotFound"),
        (vault_setting(tenant_id="another"), "AKV10032: Invalid issuer"),
        (lambda s: s.cloud.world.vaults.clear(), r"Name or service not known \(contosovault.vault.azure.net:443\)"),
        (other_uri("https://contosovault.vault.azure.net/keys/exportsas"), "Invalid Key Vault secret URI"),
        (other_uri("http://contosovault.vault.azure.net/secrets/exportsas"), "Invalid Key Vault secret URI"),
        (no_identity, "no managed identity"),
        (sas(starts=datetime.now(UTC) - 9 * DAY, expires_in=-DAY), r"time frame: Start \[.*Expiry \[.*Current \["),
        (sas(starts=datetime.now(UTC) + DAY), r"Signature not valid in the specified time frame"),
        (lambda s: s.export_account.rotate_key(1) and None, "Signature did not match"),
        (sas(container="other"), "Signature did not match"),
        (sas("wla"), "AuthorizationPermissionMismatch"),
        (sas("rla"), "AuthorizationPermissionMismatch"),
        (sas("rwa"), "AuthorizationPermissionMismatch"),
        (sas(ip="10.0.0.1"), r"AuthorizationSourceIPMismatch"),
        (sas(None, policy_id="gone"), "SAS identifier not found"),
        (account_sas(resource_types="o"), "AuthorizationResourceTypeMismatch"),
        (account_sas(services="f"), "AuthorizationServiceMismatch"),
        (secret(lambda _: "not a token"), "NoAuthenticationInformation"),
        (account_setting(allow_shared_key_access=False), "KeyBasedAuthenticationNotPermitted"),
        (lambda s: s.cloud.world.close_firewall(s.export_account), "ErrorCode: AuthorizationFailure"),
        (account_setting(disabled=True), "AccountIsDisabled"),
        (lambda s: s.cloud.world.storage_accounts.clear(), "Name or service not known"),
        (lambda s: s.cloud.delete_container("contosoexport", "transfer"), "ContainerNotFound"),
        (throttled, r"Status: 503 \(Service Unavailable\)"),
        (lambda s: s.source.artifacts["hello-world"].clear(), 'manifest tagged by "latest" is not found'),
        (lambda s: s.source.artifacts.clear(), "NAME_UNKNOWN"),
        (layer_of(8 * GIB + 1), "exceeds the maximum layer size"),
        (lambda s: setattr(s.source, "denies_transfers", True), "Access to contosohub.azurecr.io denied"),
        (lambda s: setattr(s.source, "export_policy", "disabled"), "exportPolicy"),
        (lambda s: setattr(s.source, "sku", "Standard"), "Standard SKU"),
        (lambda s: setattr(s.export_pipeline, "provisioning_state", "Failed"), "in state Failed"),
    ],
)
async def test_a_run_says_what_refused_it(scenario: Scenario, breaking: Break, expected: str) -> None:
    done = breaking(scenario)
    if done is not None:
        await done
    said = message(await export(scenario))
    assert re.search(expected, said)
    assert not any(secret in said for secret in scenario.cloud.issued_secrets)


async def test_how_much_is_said(scenario: Scenario) -> None:
    world = scenario.cloud.world
    world.close_firewall(scenario.export_account)
    world.behaviour.message_style = MessageStyle.PLAIN
    assert message(await export(scenario, "plain")) == (
        "Failed to access storage.  Service request failed.  "
        "Status: 403 (This request is not authorized to perform this operation)"
    ), "the one message of a real run that is public"
    world.behaviour.message_style = MessageStyle.BARE
    assert message(await export(scenario, "barely")) == "403 Forbidden"


async def test_trusted_by_the_vault_and_not_by_storage(scenario: Scenario) -> None:
    scenario.cloud.world.close_firewall(scenario.vault)
    assert (await export(scenario))["provisioningState"] == "Succeeded"
    scenario.cloud.world.close_firewall(scenario.export_account, bypass="AzureServices")
    assert "AuthorizationFailure" in message(await export(scenario, "export02"))


async def test_a_role_is_missing_in_managed_identity_mode(cloud: LocalCloud) -> None:
    scenario = await transfer_between(cloud, mode=AccessMode.MANAGED_IDENTITY)
    identity = scenario.export_pipeline.identity
    assert identity is not None
    cloud.world.access.revoke(identity.id, "Storage Blob Data Contributor")
    cloud.world.grant_storage(scenario.export_account, scenario.export_pipeline, "Storage Blob Data Reader")
    assert "AuthorizationPermissionMismatch" in message(await export(scenario))
    assert cloud.requests.count(service="keyvault") == 0


async def test_blobs_are_overwritten_if_the_pipeline_says_so(scenario: Scenario) -> None:
    await export(scenario)
    assert (await export(scenario, "export02"))["provisioningState"] == "Succeeded"
    scenario.export_pipeline.options.clear()
    assert "BlobAlreadyExists" in message(await export(scenario, "export03"))
    scenario.cloud.world.behaviour.existing_blob_fails_export = False
    before = await scenario.cloud.blob_properties("contosoexport", "transfer", "a.tar")
    assert (await export(scenario, "export04"))["provisioningState"] == "Succeeded"
    after = await scenario.cloud.blob_properties("contosoexport", "transfer", "a.tar")
    assert before is not None
    assert after is not None
    assert before["ETag"] == after["ETag"]


async def test_errors_can_be_passed_over(scenario: Scenario) -> None:
    scenario.export_pipeline.options.append("ContinueOnErrors")
    run = await export(scenario, "partial", "hello-world", "nosuch:1.0")
    assert run["provisioningState"] == "Succeeded"
    assert run["response"]["importedArtifacts"] == ["hello-world:latest"]
    await scenario.carry_over("a.tar")
    scenario.import_pipeline.options = ["ContinueOnErrors"]
    scenario.target.push("hello-world", image("another"))
    assert (await imported(scenario))["response"]["importedArtifacts"] == []


async def test_too_many_artifacts(scenario: Scenario) -> None:
    artifacts = [f"app/web:{number}" for number in range(51)]
    assert "exceeds the maximum of 50" in message(await export(scenario, "toomany", *artifacts))
    scenario.cloud.world.behaviour.rejects_invalid_requests = True
    with pytest.raises(WriteRejectedError, match="exceeds the maximum of 50"):
        await export(scenario, "toomany2", *artifacts)
    assert "toomany2" not in scenario.source.runs


@pytest.mark.parametrize(
    ("breaking", "expected"),
    [
        (lambda s: s.cloud.delete_blob("contosoimport", "transfer", "a.tar"), "BlobNotFound"),
        (lambda s: s.cloud.archive_blob("contosoimport", "transfer", "a.tar"), "BlobArchived"),
        (lambda s: s.cloud.put_blob("contosoimport", "transfer", "a.tar", b"no tar"), "not a valid transfer archive"),
    ],
)
async def test_an_import_says_what_is_wrong_with_its_blob(
    scenario: Scenario, breaking: Callable[[Scenario], Awaitable[object]], expected: str
) -> None:
    await export(scenario)
    await scenario.carry_over("a.tar")
    await breaking(scenario)
    assert expected in message(await imported(scenario))


async def test_tags_are_overwritten_if_the_pipeline_says_so(scenario: Scenario) -> None:
    await export(scenario)
    await scenario.carry_over("a.tar")
    other = scenario.target.push("hello-world", image("another"))
    scenario.import_pipeline.options.remove("OverwriteTags")
    assert "already exists in target registry" in message(await imported(scenario))
    assert scenario.target.find("hello-world") == other
    scenario.import_pipeline.options.append("OverwriteTags")
    await imported(scenario, "import02")
    assert scenario.target.find("hello-world") == scenario.source.find("hello-world")


async def test_a_blob_that_cannot_be_deleted_stays(scenario: Scenario) -> None:
    await export(scenario)
    await scenario.carry_over("a.tar")
    scenario.vault.set_secret("importsas", scenario.cloud.sas("contosoimport", "transfer", "rl"))
    assert (await imported(scenario))["provisioningState"] == "Succeeded"
    assert await scenario.cloud.blob_names("contosoimport", "transfer") == ["a.tar"]


async def test_the_catalog_digest_is_held_against_the_blob(scenario: Scenario) -> None:
    await export(scenario)
    await scenario.carry_over("a.tar")
    run = await scenario.cloud.put_run(
        scenario.target, "import01", scenario.import_pipeline, blob="a.tar", catalog_digest="sha256:00"
    )
    assert "not sha256:00" in message(run["properties"])


async def test_storage_is_used_with_the_very_token_of_the_vault(scenario: Scenario) -> None:
    scenario.cloud.requests.clear()
    await export(scenario)
    used = scenario.cloud.requests.matching(origin=Origin.REGISTRY_SERVICE, service="storage")
    assert [record.method for record in used] == ["GET", "PUT", "HEAD"]
    version = scenario.vault.secret("exportsas")
    assert version is not None
    assert all(record.query["se"] in version.value.replace("%3A", ":") for record in used)
    fetched = scenario.cloud.requests.matching(service="keyvault")
    assert [record.status for record in fetched] == [401, 200]
    assert scenario.export_pipeline.identity is not None
    assert fetched[1].principal == scenario.export_pipeline.identity.id
