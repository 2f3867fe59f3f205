"""The Azure CLI of the local cloud: each kind of command, and what it does to the world."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator

import pytest

from localcloud import LocalCloud
from localcloud.az import CommandRunner, Completed
from localcloud.az.errors import UsageError
from localcloud.az.syntax import commands, parse
from localcloud.az.table import _CARRIED_OUT
from localcloud.scenario import CONTAINER, Scenario
from localcloud.world import IdentityKind
from tests.leaks import outputs, search
from tests.localcloud.az_shell import done, refused, result

GROUP = "--resource-group transfer"


@pytest.fixture
async def shell(cloud: LocalCloud) -> AsyncIterator[CommandRunner]:
    async with CommandRunner(cloud) as runner:
        yield runner


# -- the command line --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("keyvault shw --name a", "misspelled or not recognized"),
        ("keyvault", "misspelled or not recognized"),
        ("acr import-pipeline update --registry a -g b --name c", "misspelled or not recognized"),
        ("keyvault show --vault-name a", "unrecognized arguments"),
        ("keyvault show --nam a", "unrecognized arguments"),
        ("keyvault update --bypass AzureServices", "required: --name"),
        ("keyvault update --name a --bypass Azure", "not a valid value"),
        ("keyvault set-policy --name a --object-id b --secret-permissions get fly", "not a valid value"),
        ("keyvault secret set --vault-name a --name b --value c --expires tomorrow", "not valid"),
        ("keyvault secret set --vault-name a --name b --value c --expires ''", "not valid"),
        ("keyvault secret set-attributes --vault-name a --name b --enabled maybe", "neither true nor false"),
        ("role assignment create --role Reader --assignee a", "required: --scope"),
        ("storage account update --name a --default-action Permit", "not a valid value"),
        ("storage container generate-sas --account-name a --container-name b", "required: --name"),
        ("storage blob update --container-name b --content-md5 c", "required: --name"),
        ("storage blob list --account-name a --container-name b --output xml", "invalid choice"),
        ("acr pipeline-run create --registry a -g b --name c --pipeline d --pipeline-type both -b e", "not a valid"),
        ("acr import-pipeline create --registry a -g b --name c -c https://d", "required: --storage-access-mode"),
        ("acr pipeline-run show --registry a --name b", "required: --resource-group"),
    ],
)
def test_a_command_line_that_az_refuses(line: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        parse(shlex.split(line))


def test_everything_that_is_carried_out_is_a_command_of_az() -> None:
    assert set(_CARRIED_OUT) <= set(commands())


async def test_exit_codes(shell: CommandRunner, scenario: Scenario) -> None:
    assert "misspelled" in await refused(shell, "az keyvault shw", 2)
    assert "invalid jmespath_type" in await refused(shell, "az keyvault show --name contosovault --query '[?'", 2)
    assert "not found" in await refused(shell, "az keyvault show --name nosuchvault", 3)
    line = "az acr repository list --name contosohub"
    assert "not carried out by the local cloud" in await refused(shell, line, 3)
    assert "not carried out by the local cloud" in await refused(shell, "az keyvault show -n contosovault -o yaml", 3)


async def test_what_takes_too_long_is_killed_with_all_that_it_started(shell: CommandRunner) -> None:
    # Whoever is left keeps the output open, which is read to its end.
    async with asyncio.timeout(60):
        completed = await shell.run("sleep 3600 | sleep 3600; echo never", seconds=0.2)
    assert completed == Completed(124, "", "killed after 0.2 s")


async def test_the_product_itself_looks_at_the_local_cloud(shell: CommandRunner, scenario: Scenario) -> None:
    check = f"acrtm check-pipeline {scenario.export_pipeline.id} --no-store --output json"
    assert (await shell.run(check)).exit_code == 0
    scenario.cloud.world.revoke_secret_get(scenario.vault, scenario.export_pipeline)
    completed = await shell.run(check)
    search(scenario.cloud, outputs(completed.stdout, completed.stderr))
    assert completed.exit_code == 3, completed.stderr
    assert "ACRT201" in completed.stdout


async def test_output_formats(shell: CommandRunner, scenario: Scenario) -> None:
    show = "az keyvault show --name contosovault"
    assert await done(shell, f"{show} --query properties.vaultUri --output tsv") == (
        "https://contosovault.vault.azure.net/\n"
    )
    assert await done(shell, f"{show} --output none") == ""
    table = await done(shell, f"{show} --query '[].{{a:name}}' -o table; {show} --query '{{a:name, b:id}}' -o table")
    assert [line.split()[0] for line in table.splitlines()] == ["A", "------------", "contosovault"]
    assert await result(shell, f"{show} --query 'properties.nothing'") is None


# -- vaults, accounts, registries, roles -------------------------------------------------------------------------


async def test_a_vault_is_opened_and_its_policies_are_written(shell: CommandRunner, scenario: Scenario) -> None:
    vault, pipeline = scenario.vault, scenario.export_pipeline
    assert pipeline.identity is not None
    policies = len(vault.access_policies)
    scenario.cloud.world.revoke_secret_get(vault, pipeline)
    scenario.cloud.world.close_firewall(vault, bypass="None")
    await done(
        shell,
        f"az keyvault set-policy --name contosovault --object-id {pipeline.identity.id} --secret-permissions get list"
        " && az keyvault update --name contosovault --bypass AzureServices",
    )
    assert len(vault.access_policies) == policies
    assert vault.access_policies[-1].secrets == ["get", "list"]
    assert (vault.network.bypass, vault.network.default_action) == ("AzureServices", "Deny")
    await done(
        shell,
        f"az keyvault set-policy --name contosovault --object-id {pipeline.identity.id} --secret-permissions get"
        " && az keyvault update --name contosovault --default-action Allow --public-network-access Disabled",
    )
    assert vault.access_policies[-1].secrets == ["get"]
    assert (vault.network.default_action, vault.network.public_network_access) == ("Allow", "Disabled")
    monitor = scenario.cloud.world.monitor
    await done(shell, f"az keyvault set-policy --name contosovault --spn {monitor.client_id} --secret-permissions get")
    assert (vault.access_policies[-1].object_id, len(vault.access_policies)) == (monitor.id, policies + 1)
    vault.rbac = True
    line = f"az keyvault set-policy --name contosovault --object-id {pipeline.identity.id} --secret-permissions get"
    assert "Cannot set policies" in await refused(shell, line)


async def test_a_deleted_vault_comes_back(shell: CommandRunner, scenario: Scenario) -> None:
    scenario.cloud.world.delete_vault(scenario.vault)
    await refused(shell, "az keyvault show --name contosovault", 3)
    await done(shell, "az keyvault recover --name contosovault")
    assert scenario.vault.secret("exportsas") is not None
    await done(shell, "az keyvault secret show --vault-name contosovault --name exportsas --output none")
    assert "No deleted Vault" in await refused(shell, "az keyvault recover --name contosovault")


async def test_secrets(shell: CommandRunner, scenario: Scenario) -> None:
    vault = scenario.vault
    place = "--vault-name contosovault --name exportsas"
    await done(shell, f"az keyvault secret set {place} --value 'a b' --expires 2031-02-03T04:05Z --output none")
    newest = vault.secret("exportsas")
    assert newest is not None
    assert newest.value == "a b"
    assert f"{newest.expires:%Y-%m-%dT%H:%M}" == "2031-02-03T04:05"
    assert await done(shell, f"az keyvault secret show {place} --query value --output tsv") == "a b\n"
    await done(shell, f"az keyvault secret set-attributes {place} --enabled false --expires 2032-01-01 --output none")
    assert (newest.enabled, newest.expires.year if newest.expires else None) == (False, 2032)
    versions = await result(shell, f"az keyvault secret list-versions {place} --query '[].attributes.enabled'")
    assert versions == [True, False]
    first = vault.secrets["exportsas"][0].version
    await done(shell, f"az keyvault secret set-attributes {place} --version {first} --enabled false --output none")
    assert not vault.secrets["exportsas"][0].enabled
    vault.delete_secret("exportsas")
    assert "deleted but recoverable" in await refused(shell, f"az keyvault secret set {place} --value x")
    await done(shell, f"az keyvault secret recover {place} --output none")
    assert len(vault.secrets["exportsas"]) == 2
    assert "SecretNotFound" in await refused(
        shell, "az keyvault secret show --vault-name contosovault --name nothing", 3
    )


async def test_roles(shell: CommandRunner, scenario: Scenario) -> None:
    access, vault = scenario.cloud.world.access, scenario.vault
    assert scenario.export_pipeline.identity is not None
    principal = scenario.export_pipeline.identity.id
    secret, container = f"{vault.id}/secrets/exportsas", scenario.export_account.container_id(CONTAINER)
    who = f"--assignee-object-id {principal} --assignee-principal-type ServicePrincipal"
    line = f"az role assignment create --role 'Key Vault Secrets User' {who} --scope {secret}"
    given = await result(shell, line)
    assert await result(shell, line) == {**given, "roleDefinitionName": "Key Vault Secrets User"}
    action = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
    assert access.allows(principal, action, secret, data=True)
    assert not access.allows(principal, action, f"{vault.id}/secrets/other", data=True)
    await done(shell, f"az role assignment create --role 'Storage Blob Data Reader' {who} --scope {container}")
    listing = (
        f"az role assignment list --assignee {principal} --scope {container}/blobs --query '[].roleDefinitionName'"
    )
    assert await result(shell, listing) == []
    assert await result(shell, f"{listing} --include-inherited") == ["Storage Blob Data Reader"]
    monitor = scenario.cloud.world.monitor
    by_client = f"--assignee {monitor.client_id} --scope {container} --role 'Storage Blob Data Contributor'"
    await done(shell, f"az role assignment create {by_client}")
    assert [given.role.name for given in access.assigned_to(monitor.id) if given.scope == container] == [
        "Storage Blob Data Contributor"
    ]
    unknown = by_client.replace(monitor.client_id, "nobody@contoso.example")
    assert "Cannot find user" in await refused(shell, f"az role assignment create {unknown}")
    wrong = f"az role assignment create --role 'Blob Friend' {who} --scope {container}"
    assert "doesn't exist" in await refused(shell, wrong)


async def test_accounts(shell: CommandRunner, scenario: Scenario) -> None:
    account = scenario.export_account
    account.allow_shared_key_access = False
    scenario.cloud.world.close_firewall(account)
    account.network.public_network_access = "Disabled"
    update = f"az storage account update --ids {account.id} --public-network-access Enabled --default-action Allow"
    await done(shell, f"{update} --allow-shared-key-access true --bypass Logging Metrics --output none")
    assert account.allow_shared_key_access is True
    assert account.network.bypass == "Logging, Metrics"
    query = "{default:networkRuleSet.defaultAction, public:publicNetworkAccess, endpoint:primaryEndpoints.blob}"
    assert await result(shell, f"az storage account show --name contosoexport --query '{query}'") == {
        "default": "Allow",
        "public": "Enabled",
        "endpoint": "https://contosoexport.blob.core.windows.net/",
    }
    await refused(shell, "az storage account show --name nosuchaccount", 3)


async def test_registries(shell: CommandRunner, scenario: Scenario) -> None:
    scenario.source.export_policy, scenario.source.sku = "disabled", "Standard"
    update = "az acr update --name contosohub --sku Premium --allow-exports true --output none"
    shown = await done(shell, f"{update} && az acr show --name contosohub --query policies.exportPolicy.status -o tsv")
    assert (shown, scenario.source.sku, scenario.source.export_policy) == ("enabled\n", "Premium", "enabled")


async def test_images(shell: CommandRunner, scenario: Scenario) -> None:
    tags = "az acr repository show-tags --name contosohub --repository"
    scenario.source.push("app/web:2.0")
    assert await result(shell, f"{tags} app/web") == ["1.0", "2.0"]
    assert await done(shell, f"{tags} app/web --top 1 --output tsv") == "1.0\n"
    assert "NAME_UNKNOWN" in await refused(shell, f"{tags} app/nothing")
    show = "az acr manifest show --registry contosohub --name app/web"
    query = "--query 'layers[].{digest:digest, size:size}'"
    manifest = scenario.source.find("app/web:2.0")
    assert manifest is not None
    first = manifest.layers[0]
    assert await result(shell, f"{show}:2.0 {query}") == [{"digest": first.digest, "size": first.size}]
    assert await result(shell, f"{show}@{manifest.digest} --query schemaVersion") == 2
    assert "MANIFEST_UNKNOWN" in await refused(shell, f"{show}:3.0")
    assert "tag or a digest" in await refused(shell, show)


# -- pipelines and runs ------------------------------------------------------------------------------------------


async def test_pipelines(shell: CommandRunner, scenario: Scenario) -> None:
    home = f"--registry contosoedge {GROUP}"
    old = scenario.import_pipeline
    await done(
        shell,
        f"az acr import-pipeline create {home} --name importpipe --storage-access-mode SasToken"
        f" --storage-container-uri {old.container_url} --secret-uri {old.secret_uri}/ABC --options OverwriteTags"
        " --source-trigger-enabled False",
    )
    new = scenario.target.import_pipelines["importpipe"]
    assert (new.options, new.trigger_enabled, new.secret_uri) == (["OverwriteTags"], False, f"{old.secret_uri}/abc")
    assert new.identity is old.identity
    set_option = """--set 'properties.options=["OverwriteTags","ContinueOnErrors"]'"""
    trigger = """'properties.trigger={"sourceTrigger":{"status":"Enabled"}}'"""
    await done(shell, f"az resource update --ids {new.id} --api-version 2025-06-01-preview {set_option} {trigger}")
    new = scenario.target.import_pipelines["importpipe"]
    assert (new.options, new.trigger_enabled) == (["OverwriteTags", "ContinueOnErrors"], True)
    assert (new.identity, new.secret_uri) == (old.identity, f"{old.secret_uri}/abc")
    show = f"az acr import-pipeline show {home} --name importpipe --query trigger.sourceTrigger.status -o tsv"
    assert await done(shell, show) == "Enabled\n"
    assert await result(shell, f"az acr export-pipeline list --registry contosohub {GROUP} --query '[].name'") == [
        "exportpipe"
    ]
    await done(
        shell,
        f"az acr export-pipeline create {home} --name second --storage-access-mode ManagedIdentity"
        f" --storage-container-uri {old.container_url}",
    )
    assert scenario.target.export_pipelines["second"].identity_kind is IdentityKind.SYSTEM
    await done(shell, f"az acr export-pipeline delete {home} --name second")
    assert not scenario.target.export_pipelines
    await refused(shell, f"az acr export-pipeline show {home} --name second", 3)
    line = f"az acr export-pipeline create {home} --name third --storage-access-mode SasToken -c {old.container_url}"
    assert "--secret-uri is required" in await refused(shell, line)


async def test_runs(shell: CommandRunner, scenario: Scenario) -> None:
    place = f"--registry contosohub {GROUP}"
    create = f"az acr pipeline-run create {place} --pipeline exportpipe --pipeline-type export --storage-blob again.tar"
    status = "--query '[provisioningState, request.artifacts]'"
    given = await result(shell, f"{create} --name first1 --artifacts hello-world app/web:1.0 {status}")
    assert given == ["Succeeded", ["hello-world:latest", "app/web:1.0"]]
    await result(shell, f"{create} --name first1 --artifacts hello-world app/web:1.0 --force-redeploy")
    assert scenario.source.runs["first1"].force_update_tag
    assert "NAME_UNKNOWN" in await refused(shell, f"{create} --name second --artifacts nothing:1")
    assert "artifacts cannot be null" in await refused(shell, f"{create} --name third")
    listed = f"az acr pipeline-run list {place} --query '[].name'"
    assert await result(shell, listed) == ["first1", "second"]
    assert await result(shell, f"{listed} --top 1") == ["second"]
    shown = await result(shell, f"az acr pipeline-run show {place} --name second --query response.status")
    assert shown == "Failed"
    await done(shell, f"az acr pipeline-run clean {place} && az acr pipeline-run delete {place} --name first1")
    assert not scenario.source.runs
    assert "not found on registry" in await refused(shell, f"{create} --name third --artifacts a --pipeline nothing")
