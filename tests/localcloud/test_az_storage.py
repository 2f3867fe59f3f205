"""The storage commands of az and azcopy against the local cloud, with names that a shell could trip over."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from localcloud import LocalCloud
from localcloud.az import CommandRunner
from localcloud.scenario import CONTAINER, Scenario
from localcloud.world.clock import now
from tests.localcloud.az_shell import done, refused, result

ODD = "folder/odd 'näme' \"x\" $(id) & 100%.tar"
DATA = b"what was carried over\x00\xff"
IN_CONTAINER = f"--account-name contosoimport --container-name {CONTAINER} --auth-mode login"
BLOB = f"{IN_CONTAINER} --name {shlex.quote(ODD)}"


@pytest.fixture
async def shell(cloud: LocalCloud) -> AsyncIterator[CommandRunner]:
    async with CommandRunner(cloud) as runner:
        yield runner


@pytest.fixture
async def blob(scenario: Scenario) -> str:
    """A blob with an odd name that has lost its MD5 and its category."""
    cloud = scenario.cloud
    await cloud.put_blob("contosoimport", CONTAINER, ODD, DATA, metadata={"origin": "hub"}, content_md5=False)
    return ODD


async def test_a_pipe_through_openssl_gives_a_blob_its_md5(shell: CommandRunner, scenario: Scenario, blob: str) -> None:
    digest = f"az storage blob download {BLOB} --no-progress | openssl md5 -binary | base64"
    await done(shell, f'az storage blob update {BLOB} --content-md5 "$({digest})" --output none')
    properties = await scenario.cloud.blob_properties("contosoimport", CONTAINER, blob)
    assert properties is not None
    assert properties["Content-MD5"] == base64.b64encode(hashlib.md5(DATA).digest()).decode()
    assert properties["x-ms-meta-origin"] == "hub"


async def test_metadata_is_replaced_as_a_whole(shell: CommandRunner, scenario: Scenario, blob: str) -> None:
    await done(shell, f"az storage blob metadata update {BLOB} --metadata category=acr-transfer-blob 'note=a b=c'")
    shown = await result(shell, f"az storage blob show {BLOB} --query '{{meta:metadata, name:name}}'")
    assert shown == {"meta": {"category": "acr-transfer-blob", "note": "a b=c"}, "name": blob}
    assert "ASCII" in await refused(shell, f"az storage blob metadata update {BLOB} --metadata name=näme")


async def test_writing_moves_last_modified(shell: CommandRunner, scenario: Scenario, blob: str) -> None:
    scenario.cloud.backdate_blob("contosoimport", CONTAINER, blob, timedelta(days=70))
    shown = f"az storage blob show {BLOB} --query properties.lastModified --output tsv"
    assert await done(shell, shown) < (now() - timedelta(days=69)).isoformat()
    await done(shell, f"az storage blob metadata update {BLOB} --metadata category=acr-transfer-blob")
    assert await done(shell, shown) > (now() - timedelta(days=1)).isoformat()


async def test_upload_download_copy_and_delete(
    shell: CommandRunner, scenario: Scenario, blob: str, tmp_path: Path
) -> None:
    there, back = tmp_path / "it's here", tmp_path / "back"
    there.write_bytes(DATA)
    upload = f"az storage blob upload {IN_CONTAINER} --file {shlex.quote(str(there))} --metadata a=b"
    await done(shell, f"{upload} --name new.tar --output none")
    assert "BlobAlreadyExists" in await refused(shell, f"{upload} --name new.tar --output none")
    await done(shell, f"{upload} --name new.tar --overwrite --output none")
    await done(shell, f"az storage blob download {IN_CONTAINER} --name new.tar --file {back} --output none")
    assert back.read_bytes() == DATA
    await done(
        shell,
        "az storage blob copy start --account-name contosoexport --auth-mode login --destination-container transfer"
        f" --destination-blob 'a copy' --source-account-name contosoimport --source-container {CONTAINER}"
        f" --source-blob {shlex.quote(blob)} --output none",
    )
    assert await scenario.cloud.read_blob("contosoexport", CONTAINER, "a copy") == DATA
    await done(shell, f"az storage blob delete {BLOB}")
    assert await result(shell, f"az storage blob exists {BLOB}") == {"exists": False}
    assert "BlobNotFound" in await refused(shell, f"az storage blob show {BLOB}", 3)


async def test_tiers_and_leases(shell: CommandRunner, scenario: Scenario, blob: str) -> None:
    await scenario.cloud.archive_blob("contosoimport", CONTAINER, blob)
    tier = f"az storage blob show {BLOB} --query properties.blobTier --output tsv"
    assert await done(shell, tier) == "Archive\n"
    await done(shell, f"az storage blob set-tier {BLOB} --tier Hot --rehydrate-priority High")
    assert await done(shell, tier) == "Hot\n"
    lease = f"az storage blob lease break {IN_CONTAINER} --blob-name {shlex.quote(blob)}"
    assert "LeaseNotPresent" in await refused(shell, lease)


async def test_containers(shell: CommandRunner, scenario: Scenario) -> None:
    place = "--account-name contosoimport --name second --auth-mode login"
    assert await result(shell, f"az storage container exists {place}") == {"exists": False}
    assert await result(shell, f"az storage container create {place}") == {"created": True}
    assert await result(shell, f"az storage container create {place}") == {"created": False}
    await scenario.cloud.set_policy("contosoimport", CONTAINER, "reading", "rl", now() + timedelta(days=9))
    policy = f"az storage container policy show --account-name contosoimport --container-name {CONTAINER}"
    assert (await result(shell, f"{policy} --name reading"))["permission"] == "rl"
    await refused(shell, f"{policy} --name nothing", 3)


SIGN = f"az storage container generate-sas --account-name contosoimport --name {CONTAINER} --https-only --output tsv"


@pytest.mark.parametrize("rotated", [False, True])
async def test_a_token_that_az_signs_opens_the_container(
    shell: CommandRunner, scenario: Scenario, blob: str, rotated: bool
) -> None:
    if rotated:
        scenario.import_account.rotate_key(1)
    await done(
        shell,
        'end="$(date -u -d "+90 days" "+%Y-%m-%dT%H:%MZ")"'
        " && az keyvault secret set --vault-name contosovault --name importsas --output none"
        f' --expires "$end" --value "?$({SIGN} --permissions rl --expiry "$end")"',
    )
    token = '"$(az keyvault secret show --vault-name contosovault --name importsas --query value --output tsv)"'
    place = f"--account-name contosoimport --container-name {CONTAINER}"
    listing = f"az storage blob list {place} --sas-token {token} --query '[].name'"
    assert await result(shell, listing) == [blob]
    assert "AuthorizationPermissionMismatch" in await refused(
        shell, f"az storage blob delete {place} --name {shlex.quote(blob)} --sas-token {token}"
    )
    stored = scenario.vault.secret("importsas")
    assert stored is not None
    assert stored.value.removeprefix("?") in scenario.cloud.issued_secrets


async def test_a_token_without_the_account_key(shell: CommandRunner, scenario: Scenario, blob: str) -> None:
    scenario.import_account.allow_shared_key_access = False
    end = f"{now() + timedelta(days=6):%Y-%m-%dT%H:%MZ}"
    listing = f"az storage blob list --account-name contosoimport --container-name {CONTAINER} --query '[].name'"
    signed = f"{SIGN} --permissions rl --expiry {end}"
    assert "KeyBasedAuthenticationNotPermitted" in await refused(shell, f'{listing} --sas-token "$({signed})"')
    assert "KeyBasedAuthenticationNotPermitted" in await refused(shell, listing)
    signed += " --as-user --auth-mode login"
    assert await result(shell, f'{listing} --sas-token "$({signed})"') == [blob]
    too_long = f"{now() + timedelta(days=8):%Y-%m-%dT%H:%MZ}"
    assert "within 7 days" in await refused(shell, signed.replace(end, too_long))


async def test_nothing_of_the_sign_in_is_printed(shell: CommandRunner, scenario: Scenario, blob: str) -> None:
    completed = await shell.run(f"az storage blob list {IN_CONTAINER}; az keyvault show --name contosovault")
    printed = completed.stdout + completed.stderr
    assert not [secret for secret in scenario.cloud.issued_secrets if secret in printed]


async def test_azcopy_uploads_with_what_the_source_trigger_wants(
    shell: CommandRunner, scenario: Scenario, tmp_path: Path
) -> None:
    file = tmp_path / "web shop.tar"
    file.write_bytes(DATA)
    address = f"https://contosoimport.blob.core.windows.net/{CONTAINER}"
    copy = f"azcopy copy {shlex.quote(str(file))}"
    await done(shell, f"{copy} {address}/plain.tar")
    await done(shell, f"{copy} {address} --put-md5 --metadata 'category=acr-transfer-blob;note=x'")
    plain = await scenario.cloud.blob_properties("contosoimport", CONTAINER, "plain.tar")
    whole = await scenario.cloud.blob_properties("contosoimport", CONTAINER, "web shop.tar")
    assert plain is not None
    assert whole is not None
    assert "Content-MD5" not in plain
    assert whole["Content-MD5"] == base64.b64encode(hashlib.md5(DATA).digest()).decode()
    assert (whole["x-ms-meta-category"], whole["x-ms-meta-note"]) == ("acr-transfer-blob", "x")
    read = scenario.cloud.sas("contosoimport", CONTAINER, "r")
    write = scenario.cloud.sas("contosoexport", CONTAINER, "w")
    target = f"https://contosoexport.blob.core.windows.net/{CONTAINER}/over%20there?{write}"
    await done(shell, f"azcopy copy '{address}/web%20shop.tar?{read}' '{target}' --overwrite=false")
    kept = await scenario.cloud.blob_properties("contosoexport", CONTAINER, "over there")
    assert kept is not None
    assert (kept["Content-MD5"], kept["x-ms-meta-category"]) == (whole["Content-MD5"], "acr-transfer-blob")
    await refused(shell, f"azcopy copy '{address}/web%20shop.tar?{read}' '{target}' --overwrite=false")
    assert "unrecognized" in await refused(shell, f"{copy} {address}/x --put-md5sum", 2)
    assert "unknown command" in await refused(shell, f"azcopy move {file} {address}/x", 2)
