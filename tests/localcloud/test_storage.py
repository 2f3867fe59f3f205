"""Blob storage through the SDK: what Azure would answer, over Azurite."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceExistsError, ServiceRequestError

from localcloud import LocalCloud
from localcloud.world import World

if TYPE_CHECKING:
    from tests.localcloud.conftest import Monitor


ACCOUNT, CONTAINER = "contosoexport", "transfer"
DAY = timedelta(days=1)


@pytest.fixture
async def world(cloud: LocalCloud) -> World:
    cloud.world.add_storage_account(ACCOUNT)
    await cloud.create_container(ACCOUNT, CONTAINER)
    await cloud.put_blob(ACCOUNT, CONTAINER, "folder/a b.tar", b"x" * 1000, metadata={"category": "acr-transfer-blob"})
    return cloud.world


async def names(monitor: Monitor, token: str | None = None) -> list[str]:
    async with monitor.blobs(ACCOUNT, token) as client:
        listing = client.get_container_client(CONTAINER).list_blobs()
        return [blob.name async for blob in listing]


async def refusal(monitor: Monitor, token: str | None = None) -> HttpResponseError:
    with pytest.raises(HttpResponseError) as caught:
        await names(monitor, token)
    return caught.value


def code(error: HttpResponseError) -> str:
    return str(getattr(error.error_code, "value", error.error_code))  # type: ignore[attr-defined]


async def test_properties_listing_and_content(monitor: Monitor, world: World) -> None:
    async with monitor.blobs(ACCOUNT) as client:
        blob = client.get_blob_client(CONTAINER, "folder/a b.tar")
        properties = await blob.get_blob_properties()
        assert properties.metadata == {"category": "acr-transfer-blob"}
        assert properties.content_settings.content_md5 is not None
        assert len(await (await blob.download_blob()).readall()) == 1000
    assert await names(monitor) == ["folder/a b.tar"]


async def test_what_is_stored_is_seen_whatever_may_be_read(world: World, cloud: LocalCloud) -> None:
    world.storage_accounts[ACCOUNT].disabled = True
    assert await cloud.stored(ACCOUNT, CONTAINER) == {"folder/a b.tar": b"x" * 1000}
    assert await cloud.stored(ACCOUNT, "nothing-here") == {}


async def test_the_monitor_may_read_and_not_write(monitor: Monitor, world: World) -> None:
    async with monitor.blobs(ACCOUNT) as client:
        with pytest.raises(HttpResponseError) as caught:
            await client.get_blob_client(CONTAINER, "new").upload_blob(b"x")
    assert code(caught.value) == "AuthorizationPermissionMismatch"
    world.access.revoke(world.monitor.id, "Storage Blob Data Reader", world.account(ACCOUNT).id)
    assert code(await refusal(monitor)) == "AuthorizationPermissionMismatch"


async def test_the_state_container_is_the_monitors(monitor: Monitor, cloud: LocalCloud) -> None:
    container = cloud.environment["STATE_CONTAINER_URL"].rpartition("/")[2]
    async with monitor.blobs("monitorstate") as client:
        await client.create_container(container)
        blob = client.get_blob_client(container, "runs/one.json")
        await blob.upload_blob(b"{}")
        with pytest.raises(ResourceExistsError):
            await blob.upload_blob(b"{}")
        with pytest.raises(ResourceExistsError):
            await client.create_container(container)
    assert cloud.events == [], "nobody subscribes to the monitor's own account"


SasMaker = Callable[[LocalCloud], str]


@pytest.mark.parametrize(
    ("make", "expected", "detail"),
    [
        pytest.param(
            lambda cloud: cloud.sas(ACCOUNT, CONTAINER, starts=datetime.now(UTC) - 9 * DAY, expires_in=-DAY),
            "AuthenticationFailed",
            r"time frame: Start \[\w{3}, .* GMT\] - Expiry \[.* GMT\] - Current \[.* GMT\]",
            id="expired",
        ),
        pytest.param(
            lambda cloud: cloud.sas(ACCOUNT, CONTAINER, starts=datetime.now(UTC) + DAY),
            "AuthenticationFailed",
            r"Signature not valid in the specified time frame: Start \[",
            id="not-yet-valid",
        ),
        pytest.param(
            lambda cloud: cloud.sas(ACCOUNT, "other"), "AuthenticationFailed", "did not match", id="other-container"
        ),
        pytest.param(
            lambda cloud: cloud.sas(ACCOUNT, CONTAINER, blob="folder/a b.tar"),
            "AuthenticationFailed",
            "signed resource is not allowed",
            id="one-blob",
        ),
        pytest.param(
            lambda cloud: cloud.sas(ACCOUNT, CONTAINER, "rw"),
            "AuthorizationPermissionMismatch",
            None,
            id="permission",
        ),
        pytest.param(
            lambda cloud: cloud.account_sas(ACCOUNT, resource_types="so"),
            "AuthorizationResourceTypeMismatch",
            None,
            id="resource-type",
        ),
        pytest.param(
            lambda cloud: cloud.account_sas(ACCOUNT, services="q"),
            "AuthorizationServiceMismatch",
            None,
            id="service",
        ),
        pytest.param(
            lambda cloud: cloud.sas(ACCOUNT, CONTAINER, ip="10.0.0.1-10.0.0.9"),
            "AuthorizationSourceIPMismatch",
            None,
            id="address",
        ),
        pytest.param(
            lambda cloud: cloud.sas(ACCOUNT, CONTAINER, None, policy_id="gone"),
            "AuthenticationFailed",
            "SAS identifier not found",
            id="policy-gone",
        ),
    ],
)
async def test_refused_tokens(
    monitor: Monitor, world: World, cloud: LocalCloud, make: SasMaker, expected: str, detail: str | None
) -> None:
    async with monitor.session.get(
        f"https://{ACCOUNT}.blob.core.windows.net/{CONTAINER}?restype=container&comp=list&{make(cloud)}"
    ) as answer:
        body = await answer.text()
        assert (answer.status, answer.headers["x-ms-error-code"]) == (403, expected)
        assert answer.reason is not None
    assert f"<Code>{expected}</Code>" in body
    if detail:
        import re

        assert re.search(f"<AuthenticationErrorDetail>[^<]*{detail}", body)
    assert code(await refusal(monitor, make(cloud))) == expected


async def test_good_tokens(monitor: Monitor, world: World, cloud: LocalCloud) -> None:
    await cloud.set_policy(ACCOUNT, CONTAINER, "weekly", "rl", datetime.now(UTC) + DAY)
    for token in (
        cloud.sas(ACCOUNT, CONTAINER),
        cloud.sas(ACCOUNT, CONTAINER, key=2, ip="198.51.100.7"),
        cloud.account_sas(ACCOUNT),
        cloud.sas(ACCOUNT, CONTAINER, None, policy_id="weekly"),
        await cloud.user_delegation_sas(ACCOUNT, CONTAINER),
    ):
        assert await names(monitor, token) == ["folder/a b.tar"]
        assert token in cloud.issued_secrets
    await cloud.remove_policies(ACCOUNT, CONTAINER)
    assert (
        code(await refusal(monitor, cloud.sas(ACCOUNT, CONTAINER, None, policy_id="weekly"))) == "AuthenticationFailed"
    )


async def test_a_rotated_key_kills_its_tokens(monitor: Monitor, world: World, cloud: LocalCloud) -> None:
    account = world.account(ACCOUNT)
    old, other = cloud.sas(ACCOUNT, CONTAINER), cloud.sas(ACCOUNT, CONTAINER, key=2)
    before = account.key_created[1]
    account.rotate_key(1)
    assert account.key_created[1] > before
    assert code(await refusal(monitor, old)) == "AuthenticationFailed"
    assert await names(monitor, other)
    assert await names(monitor, cloud.sas(ACCOUNT, CONTAINER))
    assert await names(monitor, cloud.account_sas(ACCOUNT))


async def test_accounts_may_refuse_shared_keys(monitor: Monitor, world: World, cloud: LocalCloud) -> None:
    world.account(ACCOUNT).allow_shared_key_access = False
    assert code(await refusal(monitor, cloud.sas(ACCOUNT, CONTAINER))) == "KeyBasedAuthenticationNotPermitted"
    assert await names(monitor, await cloud.user_delegation_sas(ACCOUNT, CONTAINER))
    assert await names(monitor)


async def test_a_delegated_token_dies_with_its_signers_role(monitor: Monitor, world: World, cloud: LocalCloud) -> None:
    token = await cloud.user_delegation_sas(ACCOUNT, CONTAINER)
    world.access.revoke(world.operator.id, "Storage Blob Data Owner")
    assert code(await refusal(monitor, token)) == "AuthorizationPermissionMismatch"


async def test_firewall(monitor: Monitor, world: World, cloud: LocalCloud) -> None:
    world.close_firewall(ACCOUNT)
    for token in (None, cloud.sas(ACCOUNT, CONTAINER)):
        error = await refusal(monitor, token)
        assert code(error) == "AuthorizationFailure"
        assert error.reason == "This request is not authorized to perform this operation."
    world.account(ACCOUNT).network.ip_rules = ["198.51.100.0/24"]
    assert await names(monitor)
    world.account(ACCOUNT).network.public_network_access = "Disabled"
    assert code(await refusal(monitor)) == "AuthorizationFailure"
    world.allow_monitor(ACCOUNT)
    assert await names(monitor)


async def test_accounts_that_are_disabled_or_gone(monitor: Monitor, world: World) -> None:
    world.account(ACCOUNT).disabled = True
    assert code(await refusal(monitor)) == "AccountIsDisabled"
    del world.storage_accounts[ACCOUNT]
    with pytest.raises(ServiceRequestError):
        await names(monitor)


async def test_anonymous_and_foreign_tokens(monitor: Monitor, world: World) -> None:
    url = f"https://{ACCOUNT}.blob.core.windows.net/{CONTAINER}?restype=container&comp=list"
    async with monitor.session.get(url) as answer:
        assert (answer.status, answer.headers["x-ms-error-code"]) == (401, "NoAuthenticationInformation")
    headers = {"Authorization": f"Bearer {await monitor.token('https://vault.azure.net')}"}
    async with monitor.session.get(url, headers=headers) as answer:
        assert (answer.status, answer.headers["x-ms-error-code"]) == (401, "InvalidAuthenticationInfo")
    with pytest.raises(ClientAuthenticationError):
        await names(monitor, "sig=AAAA&se=2030-01-01&sp=rl&sr=c&sv=2024-11-04")


async def test_blobs_look_as_the_world_says(monitor: Monitor, world: World, cloud: LocalCloud) -> None:
    await cloud.put_blob(ACCOUNT, CONTAINER, "old.tar", b"old")
    cloud.backdate_blob(ACCOUNT, CONTAINER, "old.tar", 70 * DAY)
    cloud.disguise_blob(ACCOUNT, CONTAINER, "old.tar", {"x-ms-copy-status": "pending", "x-ms-copy-id": "1"})
    async with monitor.blobs(ACCOUNT) as client:
        container = client.get_container_client(CONTAINER)
        shown = await container.get_blob_client("old.tar").get_blob_properties()
        [_, listed] = [blob async for blob in container.list_blobs(include=["copy"])]
        assert shown.last_modified == listed.last_modified
        assert datetime.now(UTC) - shown.last_modified > 69 * DAY
        assert shown.copy.status == listed.copy.status == "pending"
        await cloud.set_blob_metadata(ACCOUNT, CONTAINER, "old.tar", {"refreshed": "yes"})
        fresh = await container.get_blob_client("old.tar").get_blob_properties()
        assert datetime.now(UTC) - fresh.last_modified < DAY


async def test_holds_are_listed_where_they_are_asked_for(monitor: Monitor, world: World, cloud: LocalCloud) -> None:
    until = {"x-ms-immutability-policy-until-date": "Fri, 01 Jan 2038 00:00:00 GMT", "x-ms-legal-hold": "true"}
    cloud.disguise_blob(ACCOUNT, CONTAINER, "folder/a b.tar", until)
    async with monitor.blobs(ACCOUNT) as client:
        container = client.get_container_client(CONTAINER)
        [bare] = [blob async for blob in container.list_blobs(include=["metadata", "copy"])]
        assert (bare.has_legal_hold, bare.immutability_policy.expiry_time) == (None, None)
        [held] = [blob async for blob in container.list_blobs(include=["legalhold"])]
        assert (held.has_legal_hold, held.immutability_policy.expiry_time) == (True, None)
        [both] = [blob async for blob in container.list_blobs(include=["immutabilitypolicy", "legalhold"])]
        assert both.has_legal_hold
        assert both.immutability_policy.expiry_time == datetime(2038, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("content_md5", "expected"), [(True, 16), (False, None), (b"short", 5)])
async def test_content_md5(
    monitor: Monitor, world: World, cloud: LocalCloud, content_md5: bool | bytes, expected: int | None
) -> None:
    await cloud.put_blob(ACCOUNT, CONTAINER, "md5.tar", b"data", content_md5=content_md5)
    async with monitor.blobs(ACCOUNT) as client:
        shown = await client.get_blob_client(CONTAINER, "md5.tar").get_blob_properties()
    value = shown.content_settings.content_md5
    assert (None if value is None else len(value)) == expected


async def test_copies_between_accounts(monitor: Monitor, world: World, cloud: LocalCloud) -> None:
    world.add_storage_account("contosoimport")
    await cloud.create_container("contosoimport", "landing")
    source = f"https://{ACCOUNT}.blob.core.windows.net/{CONTAINER}/folder/a%20b.tar"
    token = cloud.sas(ACCOUNT, CONTAINER, "r")
    await cloud.copy_blob(f"{source}?{token}", "contosoimport", "landing", "copied.tar")
    headers = await cloud.blob_properties("contosoimport", "landing", "copied.tar")
    assert headers is not None
    assert headers["x-ms-meta-category"] == "acr-transfer-blob"
    assert headers["x-ms-copy-source"] == source, "neither Azurite's address nor the token is shown"
    assert cloud.events[-1].data["api"] == "CopyBlob"


async def test_archived_blobs_cannot_be_read(world: World, cloud: LocalCloud) -> None:
    await cloud.archive_blob(ACCOUNT, CONTAINER, "folder/a b.tar")
    with pytest.raises(Exception, match="BlobArchived"):
        await cloud.read_blob(ACCOUNT, CONTAINER, "folder/a b.tar")


async def test_a_large_blob_streams_through(cloud: LocalCloud, world: World) -> None:
    data = bytes(range(256)) * 4096 * 8
    await cloud.put_blob(ACCOUNT, CONTAINER, "large.tar", data)
    assert await cloud.read_blob(ACCOUNT, CONTAINER, "large.tar") == data
