"""A world that works: two registries, with a transfer from one to the other. Break it from there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from localcloud.cloud import LocalCloud
from localcloud.world import AccessMode, IdentityKind, Pipeline, Registry, StorageAccount, Vault
from localcloud.world.clock import now

CONTAINER = "transfer"
TOKEN_LIFE = timedelta(days=90)
ARTIFACTS = ("app/web:1.0", "app/worker:1.0", "hello-world")


@dataclass(frozen=True, slots=True)
class Scenario:
    """What was built. The two sides are usually in two clouds; here one cloud holds both."""

    cloud: LocalCloud
    source: Registry
    target: Registry
    export_pipeline: Pipeline
    import_pipeline: Pipeline
    export_account: StorageAccount
    import_account: StorageAccount
    vault: Vault

    async def carry_over(
        self,
        blob: str,
        *,
        content_md5: bool = True,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """Copy an exported blob to the import side as a tool would; ``{}`` as metadata loses them all."""
        data = await self.cloud.read_blob(self.export_account.name, CONTAINER, blob)
        kept = {"category": "acr-transfer-blob"} if metadata is None else metadata
        return await self.cloud.put_blob(
            self.import_account.name, CONTAINER, blob, data, metadata=kept, content_md5=content_md5
        )


async def transfer_between(
    cloud: LocalCloud,
    *,
    source: str = "contosohub",
    target: str = "contosoedge",
    accounts: tuple[str, str] = ("contosoexport", "contosoimport"),
    vault: str = "contosovault",
    mode: AccessMode | str = AccessMode.SAS_TOKEN,
    identity: IdentityKind | str = IdentityKind.SYSTEM,
    rbac_vault: bool = False,
) -> Scenario:
    """Registries, containers, tokens in the vault (or roles), pipelines and some images: all as documented."""
    world, mode = cloud.world, AccessMode(mode)
    sending, receiving = world.add_registry(source), world.add_registry(target)
    outgoing, incoming = (world.add_storage_account(name) for name in accounts)
    key_vault = world.add_vault(vault, rbac=rbac_vault)
    export_url = await cloud.create_container(outgoing.name, CONTAINER)
    import_url = await cloud.create_container(incoming.name, CONTAINER)
    uris: dict[str, str | None] = {"exportsas": None, "importsas": None}
    if mode is AccessMode.SAS_TOKEN:
        until = now() + TOKEN_LIFE
        tokens = {
            "exportsas": cloud.sas(outgoing.name, CONTAINER, "rwla", expires=until),
            "importsas": cloud.sas(incoming.name, CONTAINER, "rld", expires=until),
        }
        for name, token in tokens.items():
            key_vault.set_secret(name, f"?{token}", expires=until)
            uris[name] = key_vault.secret_uri(name)
    exporting = world.add_export_pipeline(
        sending, "exportpipe", export_url, uris["exportsas"], identity=identity, options=["OverwriteBlobs"]
    )
    importing = world.add_import_pipeline(
        receiving,
        "importpipe",
        import_url,
        uris["importsas"],
        identity=identity,
        options=["OverwriteTags", "DeleteSourceBlobOnSuccess"],
    )
    for pipeline, account in ((exporting, outgoing), (importing, incoming)):
        if mode is AccessMode.SAS_TOKEN:
            world.grant_secret_get(key_vault, pipeline)
        else:
            world.grant_storage(account, pipeline)
    for reference in ARTIFACTS:
        sending.push(reference)
    return Scenario(cloud, sending, receiving, exporting, importing, outgoing, incoming, key_vault)


async def demo(cloud: LocalCloud) -> None:
    """The world that ``python -m localcloud serve`` has if it is given no other."""
    scenario = await transfer_between(cloud)
    await cloud.put_run(scenario.source, "firstexport", scenario.export_pipeline, artifacts=ARTIFACTS, blob="first.tar")
    await scenario.carry_over("first.tar")
