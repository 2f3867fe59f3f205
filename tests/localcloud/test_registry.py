"""A registry's data plane, asked by the library that the product uses, and by plain requests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from azure.containerregistry import GetManifestResult
from azure.containerregistry.aio import ContainerRegistryClient
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.core.pipeline.transport import AioHttpTransport

from localcloud import LocalCloud
from localcloud.service import Origin
from localcloud.world import Registry, foreign_layer, image, index, layer
from localcloud.world.registries import DOCKER_MANIFEST, OCI_INDEX, Manifest
from tests.localcloud.conftest import Monitor

HOST = "https://contosohub.azurecr.io"
ARM = "https://management.azure.com"


@pytest.fixture
def registry(cloud: LocalCloud) -> Registry:
    registry = cloud.world.add_registry("contosohub")
    for tag in ("1.0", "1.1", "2.0"):
        registry.push(f"app/web:{tag}")
    registry.push("hello-world")
    return registry


@pytest.fixture
async def client(monitor: Monitor) -> AsyncIterator[ContainerRegistryClient]:
    transport = AioHttpTransport(session=monitor.session, session_owner=False)
    async with ContainerRegistryClient(
        HOST, monitor.credential, audience=ARM, transport=transport, retry_total=0, permit_redirects=False
    ) as client:
        yield client


async def error_of(response: Any) -> tuple[int, str, str]:
    body = await response.json()
    [error] = body["errors"]
    return response.status, error["code"], error["message"]


def content(result: GetManifestResult) -> dict[str, Any]:
    """The manifest itself."""
    return cast("dict[str, Any]", result.manifest)


async def refusal(error: HttpResponseError) -> tuple[str, str]:
    """Code and message; the client streams manifests, so the body of a refusal is not read yet."""
    response: Any = error.response
    [reason] = json.loads(await response.read())["errors"]
    return reason["code"], reason["message"]


async def test_a_manifest_comes_with_its_digest(client: ContainerRegistryClient, registry: Registry) -> None:
    docker = registry.push("app/docker:1", Manifest((layer("one"),), layer("{}"), DOCKER_MANIFEST))
    for reference in ("1", docker.digest):
        result = await client.get_manifest("app/docker", reference)
        assert (result.digest, result.media_type) == (docker.digest, DOCKER_MANIFEST)
        assert [found["digest"] for found in content(result)["layers"]] == [docker.layers[0].digest]


async def test_an_index_lists_manifests_that_can_be_had(client: ContainerRegistryClient, registry: Registry) -> None:
    registry.push("app/multi", index(image("amd64"), image("arm64", foreign_layer())))
    result = await client.get_manifest("app/multi", "latest")
    assert result.media_type == OCI_INDEX
    digests = [child["digest"] for child in content(result)["manifests"]]
    children = [await client.get_manifest("app/multi", digest) for digest in digests]
    assert [bool(content(child)["layers"][0].get("urls")) for child in children] == [False, True]


async def test_names_are_listed_in_pages(client: ContainerRegistryClient, registry: Registry) -> None:
    assert [name async for name in client.list_repository_names(results_per_page=1)] == ["app/web", "hello-world"]
    tags = [tag async for tag in client.list_tag_properties("app/web", results_per_page=2)]
    assert [tag.name for tag in tags] == ["1.0", "1.1", "2.0"]
    assert tags[0].digest == registry.artifacts["app/web"]["1.0"].digest
    manifests = [found async for found in client.list_manifest_properties("app/web")]
    assert sorted(tag for found in manifests for tag in found.tags or []) == ["1.0", "1.1", "2.0"]


@pytest.mark.parametrize(
    ("repository", "reference", "code", "message"),
    [
        ("app/web", "9.9", "MANIFEST_UNKNOWN", 'manifest tagged by "9.9" is not found'),
        ("app/web", f"sha256:{'0' * 64}", "MANIFEST_UNKNOWN", f'manifest "sha256:{"0" * 64}" is not found'),
        ("app/wep", "1.0", "NAME_UNKNOWN", "repository name not known to registry"),
    ],
)
async def test_what_is_not_there_is_named(
    client: ContainerRegistryClient, registry: Registry, repository: str, reference: str, code: str, message: str
) -> None:
    with pytest.raises(ResourceNotFoundError) as caught:
        await client.get_manifest(repository, reference)
    assert await refusal(caught.value) == (code, message)


async def access_token(monitor: Monitor, scope: str, audience: str = ARM) -> tuple[int, str]:
    form = {
        "grant_type": "access_token",
        "service": "contosohub.azurecr.io",
        "access_token": await monitor.token(audience),
    }
    async with monitor.session.post(f"{HOST}/oauth2/exchange", data=form) as answer:
        if answer.status != 200:
            return answer.status, ""
        refresh = (await answer.json())["refresh_token"]
    form = {"grant_type": "refresh_token", "service": "contosohub.azurecr.io", "scope": scope, "refresh_token": refresh}
    async with monitor.session.post(f"{HOST}/oauth2/token", data=form) as answer:
        return answer.status, (await answer.json())["access_token"]


async def test_the_challenge_names_what_is_wanted(monitor: Monitor, registry: Registry, cloud: LocalCloud) -> None:
    async with monitor.session.get(f"{HOST}/v2/app/web/manifests/1.0") as answer:
        assert (await error_of(answer))[:2] == (401, "UNAUTHORIZED")
        challenge = answer.headers["WWW-Authenticate"]
    assert 'service="contosohub.azurecr.io",scope="repository:app/web:pull"' in challenge
    assert (await access_token(monitor, "", "https://storage.azure.com"))[0] == 401
    _, token = await access_token(monitor, "repository:app/web:pull")
    headers = {"Authorization": f"Bearer {token}"}
    async with monitor.session.head(f"{HOST}/v2/app/web/manifests/1.0", headers=headers) as answer:
        assert answer.status == 200
        assert answer.headers["Docker-Content-Digest"] == registry.artifacts["app/web"]["1.0"].digest
    # A token is for one repository, and every one of them is remembered as a secret.
    async with monitor.session.get(f"{HOST}/v2/hello-world/manifests/latest", headers=headers) as answer:
        assert answer.status == 401
        assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    assert token in cloud.issued_secrets


async def test_a_layer_that_was_not_pushed_is_not_there(monitor: Monitor, registry: Registry) -> None:
    pushed, absent = foreign_layer("pushed", pushed=True), foreign_layer("absent")
    huge = layer("small in truth", size=9 * 1024**3)
    registry.push("app/win", image("win", pushed, absent, huge))
    _, token = await access_token(monitor, "repository:app/win:pull")
    headers = {"Authorization": f"Bearer {token}"}
    for blob, status in ((pushed, 200), (absent, 404), (huge, 200)):
        async with monitor.session.head(f"{HOST}/v2/app/win/blobs/{blob.digest}", headers=headers) as answer:
            assert answer.status == status
    async with monitor.session.get(f"{HOST}/v2/app/win/blobs/{pushed.digest}", headers=headers) as answer:
        assert f"sha256:{hashlib.sha256(await answer.read()).hexdigest()}" == pushed.digest
    async with monitor.session.get(f"{HOST}/v2/app/win/blobs/{absent.digest}", headers=headers) as answer:
        assert (await error_of(answer))[:2] == (404, "BLOB_UNKNOWN")
    async with monitor.session.get(f"{HOST}/v2/app/win/tags/list", headers=headers) as answer:
        assert await answer.json() == {"name": "app/win", "tags": ["latest"]}


async def test_a_closed_registry_names_the_address(
    client: ContainerRegistryClient, registry: Registry, cloud: LocalCloud
) -> None:
    registry.public_network_access = "Disabled"
    with pytest.raises(HttpResponseError, match="Forbidden") as caught:
        await client.get_manifest("app/web", "1.0")
    code, message = await refusal(caught.value)
    assert code == "DENIED"
    assert "client with IP '198.51.100.7' is not allowed access" in message
    registry.private_endpoints.add(Origin.MONITOR)
    assert (await client.get_manifest("app/web", "1.0")).digest
    registry.private_endpoints.clear()
    registry.public_network_access, registry.default_action = "Enabled", "Deny"
    registry.ip_rules.append("198.51.100.0/24")
    assert (await client.get_manifest("app/web", "1.0")).digest


async def test_roles_count_by_the_mode_of_the_registry(
    client: ContainerRegistryClient, registry: Registry, cloud: LocalCloud
) -> None:
    world = cloud.world
    assert (await client.get_manifest("app/web", "1.0")).digest
    # AcrPull and Reader both let pull by registry permissions, and neither does by repository permissions.
    world.access.revoke(world.monitor.id, "AcrPull")
    assert (await client.get_manifest("app/web", "1.0")).digest
    world.use_repository_permissions(registry, monitored=False)
    with pytest.raises(ClientAuthenticationError):
        await client.get_manifest("app/web", "1.0")
    world.use_repository_permissions(registry)
    assert (await client.get_manifest("app/web", "1.0")).digest
    assert [name async for name in client.list_repository_names()] == ["app/web", "hello-world"]
    registry.role_assignment_mode = "LegacyRegistryPermissions"
    world.access.revoke(world.monitor.id, "Reader")
    with pytest.raises(ClientAuthenticationError):
        await client.get_manifest("app/web", "1.0")


async def test_a_domain_label_is_part_of_the_host(monitor: Monitor, registry: Registry, cloud: LocalCloud) -> None:
    registry.domain_label = "a1b2"
    async with monitor.session.get("https://contosohub-a1b2.azurecr.io/v2/") as answer:
        assert answer.status == 401
    _, body = await monitor.arm(registry.id)
    assert body["properties"]["loginServer"] == "contosohub-a1b2.azurecr.io"
