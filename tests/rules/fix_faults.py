"""Faults that a finding's own command repairs, so that the next look finds nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from localcloud.scenario import CONTAINER
from localcloud.world import IdentityKind
from localcloud.world.clock import now
from tests.rules.fix_bench import BLOB, At, Bench, Case

CATEGORY: Final = {"category": "acr-transfer-blob"}
DAY: Final = timedelta(days=1)


# -- vault and secret --------------------------------------------------------------------------------------------


async def policy_removed(bench: Bench) -> None:
    bench.cloud.world.revoke_secret_get(bench.scenario.vault, bench.pipeline)


async def firewall_closed(bench: Bench) -> None:
    bench.cloud.world.close_firewall(bench.scenario.vault, bypass="None")


async def secret_disabled(bench: Bench) -> None:
    version = bench.scenario.vault.secret(bench.secret)
    assert version is not None
    version.enabled = False


async def secret_deleted(bench: Bench) -> None:
    bench.scenario.vault.delete_secret(bench.secret)


async def version_gone(bench: Bench) -> None:
    bench.pipeline.secret_uri = bench.scenario.vault.secret_uri(bench.secret, "0" * 32)


async def version_pinned(bench: Bench) -> None:
    version = bench.scenario.vault.secret(bench.secret)
    assert version is not None
    bench.pipeline.secret_uri = bench.scenario.vault.secret_uri(bench.secret, version.version)
    bench.store(version.value)


async def vault_deleted(bench: Bench) -> None:
    bench.cloud.world.delete_vault(bench.scenario.vault)


async def no_expiry(bench: Bench) -> None:
    version = bench.scenario.vault.secret(bench.secret)
    assert version is not None
    version.expires = None


async def no_identity(bench: Bench) -> None:
    bench.pipeline.identity, bench.pipeline.identity_kind = None, IdentityKind.NONE


# -- tokens ------------------------------------------------------------------------------------------------------


async def expired(bench: Bench) -> None:
    bench.store(bench.cloud.sas(bench.account.name, CONTAINER, "rwla", expires=now() - DAY))


async def not_yet(bench: Bench) -> None:
    bench.store(bench.cloud.sas(bench.account.name, CONTAINER, "rwla", starts=now() + DAY))


async def expires_soon(bench: Bench) -> None:
    bench.store(bench.cloud.sas(bench.account.name, CONTAINER, "rwla", expires=now() + 5 * DAY))


async def keys_rotated(bench: Bench) -> None:
    bench.account.rotate_key(1)
    bench.account.rotate_key(2)


async def letter_missing(bench: Bench) -> None:
    bench.store(bench.cloud.sas(bench.account.name, CONTAINER, "rw"))


async def without_objects(bench: Bench) -> None:
    bench.store(bench.cloud.account_sas(bench.account.name, resource_types="sc"))


async def plain_http(bench: Bench) -> None:
    bench.store(bench.cloud.sas(bench.account.name, CONTAINER, "rwla", protocol=None))


async def for_files(bench: Bench) -> None:
    bench.store(bench.cloud.account_sas(bench.account.name, services="f"))


async def for_one_blob(bench: Bench) -> None:
    bench.store(bench.cloud.sas(bench.account.name, CONTAINER, "rw", blob="one.tar"))


async def for_an_office(bench: Bench) -> None:
    bench.store(bench.cloud.sas(bench.account.name, CONTAINER, "rwla", ip="192.0.2.77"))


async def no_token(bench: Bench) -> None:
    bench.store("ask Dana for the token")


async def keys_refused(bench: Bench) -> None:
    bench.account.allow_shared_key_access = False


async def role_missing(bench: Bench) -> None:
    assert bench.pipeline.identity is not None
    bench.cloud.world.access.revoke(bench.pipeline.identity.id, "Storage Blob Data Contributor")


# -- registry, account, container --------------------------------------------------------------------------------


async def pipeline_failed(bench: Bench) -> None:
    bench.pipeline.provisioning_state = "Failed"


async def registry_downgraded(bench: Bench) -> None:
    bench.registry.sku = "Standard"


async def container_deleted(bench: Bench) -> None:
    await bench.cloud.delete_container(bench.account.name, CONTAINER)


async def storage_closed(bench: Bench) -> None:
    bench.cloud.world.close_firewall(bench.account)
    bench.account.network.public_network_access = "Disabled"


# -- blobs -------------------------------------------------------------------------------------------------------


async def _land(
    bench: Bench, metadata: dict[str, str], *, age: timedelta = timedelta(0), content_md5: bool = True
) -> None:
    """A blob from the other side, carried over some time ago."""
    await bench.cloud.put_run(
        bench.scenario.source, "outward", bench.scenario.export_pipeline, artifacts=["hello-world"], blob=BLOB
    )
    await bench.scenario.carry_over(BLOB, content_md5=content_md5, metadata=metadata)
    if age:
        bench.cloud.backdate_blob(bench.account.name, CONTAINER, BLOB, age)


async def too_old(bench: Bench) -> None:
    await _land(bench, {**CATEGORY, "note": "a 'b' c"}, age=70 * DAY)


async def soon_too_old(bench: Bench) -> None:
    await _land(bench, CATEGORY, age=55 * DAY)


async def category_missing(bench: Bench) -> None:
    await _land(bench, {"origin": "hub"})


async def all_stripped(bench: Bench) -> None:
    await _land(bench, {}, content_md5=False)


async def md5_missing(bench: Bench) -> None:
    await _land(bench, CATEGORY, content_md5=False)


async def md5_invalid(bench: Bench) -> None:
    await _land(bench, CATEGORY)
    bench.cloud.disguise_blob(bench.account.name, CONTAINER, BLOB, {"Content-MD5": "AAAA"})


async def archived(bench: Bench) -> None:
    await _land(bench, CATEGORY)
    await bench.cloud.archive_blob(bench.account.name, CONTAINER, BLOB)


async def trigger_off(bench: Bench) -> None:
    bench.pipeline.trigger_enabled = False
    await _land(bench, CATEGORY, age=timedelta(hours=2))


async def trigger_silent(bench: Bench) -> None:
    await _land(bench, CATEGORY, age=timedelta(hours=2))


async def list_missing(bench: Bench) -> None:
    bench.store(bench.cloud.sas(bench.account.name, CONTAINER, "rd"))
    await _land(bench, CATEGORY)


async def list_role_missing(bench: Bench) -> None:
    await role_missing(bench)
    await _land(bench, CATEGORY)


async def source_stays(bench: Bench) -> None:
    """An import that succeeded with a token that may not delete."""
    bench.store(bench.cloud.sas(bench.account.name, CONTAINER, "rl"))
    await _land(bench, CATEGORY)
    await bench.run()


_EXPORT, _IMPORT, _BLOB = At.EXPORT_PIPELINE, At.IMPORT_PIPELINE, At.BLOB

CASES: Final = (
    Case("ACRT114", _IMPORT, pipeline_failed),
    Case("ACRT114", _EXPORT, pipeline_failed, mode="ManagedIdentity"),
    Case("ACRT115", _EXPORT, registry_downgraded),
    Case("ACRT201", _EXPORT, policy_removed),
    Case("ACRT201", _IMPORT, policy_removed, rbac=True),
    Case("ACRT202", _IMPORT, firewall_closed),
    Case("ACRT203", _EXPORT, secret_disabled),
    Case("ACRT203", _IMPORT, secret_disabled, inspection="value"),
    Case("ACRT204", _EXPORT, secret_deleted),
    Case("ACRT204", _EXPORT, version_gone, inspection="value"),
    Case("ACRT206", _IMPORT, version_pinned),
    Case("ACRT207", _EXPORT, vault_deleted),
    Case("ACRT208", _EXPORT, no_expiry),
    # Its new identity has no access yet, which the next look says.
    Case("ACRT209", _EXPORT, no_identity, works=False),
    Case("ACRT209", _IMPORT, no_identity, mode="ManagedIdentity", works=False),
    *(
        Case(rule, _EXPORT, fault, inspection="value")
        for rule, fault in (
            ("ACRT301", expired),
            ("ACRT302", not_yet),
            ("ACRT303", expires_soon),
            ("ACRT304", keys_rotated),
            ("ACRT305", letter_missing),
            ("ACRT306", without_objects),
            ("ACRT307", plain_http),
            ("ACRT308", for_files),
            ("ACRT309", for_one_blob),
            ("ACRT310", for_an_office),
            ("ACRT311", no_token),
            ("ACRT312", keys_refused),
        )
    ),
    Case("ACRT305", _IMPORT, letter_missing, inspection="value"),
    Case("ACRT351", _EXPORT, role_missing, mode="ManagedIdentity"),
    Case("ACRT351", _IMPORT, role_missing, mode="ManagedIdentity"),
    Case("ACRT401", _EXPORT, container_deleted),
    Case("ACRT405", _IMPORT, storage_closed),
    Case("ACRT406", _BLOB, archived),
    Case("ACRT501", _BLOB, trigger_off),
    Case("ACRT502", _BLOB, list_missing, inspection="value"),
    Case("ACRT502", _BLOB, list_role_missing, mode="ManagedIdentity"),
    Case("ACRT503", _BLOB, too_old),
    Case("ACRT504", _BLOB, soon_too_old),
    Case("ACRT505", _BLOB, md5_missing),
    Case("ACRT505", _BLOB, md5_invalid),
    Case("ACRT506", _BLOB, category_missing),
    Case("ACRT507", _BLOB, trigger_silent),
    Case("ACRT701", _BLOB, all_stripped),
)
