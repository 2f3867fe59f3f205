"""The reader of registries against the local cloud: what it gives, what it refuses, and what it costs."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from aiohttp import web

from localcloud import LocalCloud
from localcloud.service import Fault, Hang, MalformedJson, Reset, Status
from localcloud.world import Registry, foreign_layer, image, index
from shared.azure.readers import Azure
from shared.azure.registry_host import RegistryHost, registry_host, usual_host
from shared.clouds import PUBLIC, US_GOVERNMENT
from shared.errors import AccessDenied, Gone, ServiceError, UnknownHost, Unreachable, UntrustedAddress
from tests.rules.builders import registry as registry_record

HUB = RegistryHost("contosohub.azurecr.io")
PULL = "Microsoft.ContainerRegistry/registries/pull/read"


@pytest.fixture
def registry(cloud: LocalCloud) -> Registry:
    registry = cloud.world.add_registry("contosohub")
    for tag in ("1.0", "1.1"):
        registry.push(f"app/web:{tag}")
    return registry


def registry_requests(cloud: LocalCloud) -> int:
    return cloud.requests.count(service="registry")


async def test_a_manifest_is_read_by_tag_and_by_digest(azure: Azure, registry: Registry) -> None:
    pushed = registry.push("app/win", image("win", foreign_layer()))
    for reference in ("latest", pushed.digest):
        manifest = await azure.content.manifest(HUB, "app/win", reference)
        assert manifest.digest == pushed.digest
        assert manifest.layers is not None
        [layer] = manifest.layers
        assert layer.urls == pushed.layers[0].urls
        assert layer.size == pushed.layers[0].size
    assert not manifest.children


async def test_an_index_names_its_manifests(azure: Azure, registry: Registry) -> None:
    pushed = registry.push("app/multi", index(image("amd64"), image("arm64")))
    manifest = await azure.content.manifest(HUB, "app/multi", "latest")
    assert manifest.children == tuple(child.digest for child in pushed.children)
    assert not manifest.layers


@pytest.mark.parametrize(
    ("repository", "reference", "code"),
    [
        ("app/web", "9.9", "MANIFEST_UNKNOWN"),
        ("app/wep", "1.0", "NAME_UNKNOWN"),
        ("app/web", f"sha256:{'0' * 64}", "MANIFEST_UNKNOWN"),
    ],
)
async def test_what_is_not_there_has_the_code_of_the_registry(
    azure: Azure, registry: Registry, repository: str, reference: str, code: str
) -> None:
    with pytest.raises(Gone) as caught:
        await azure.content.manifest(HUB, repository, reference)
    assert (caught.value.code, caught.value.target) == (code, HUB.host)


@pytest.mark.parametrize("redirects", [False, True])
async def test_a_layer_is_asked_for_without_following_anything(
    azure: Azure, registry: Registry, cloud: LocalCloud, redirects: bool
) -> None:
    cloud.world.behaviour.redirects_layers = redirects
    pushed, absent = foreign_layer("pushed", pushed=True), foreign_layer("absent")
    registry.push("app/win", image("win", pushed, absent))
    assert await azure.content.has_layer(HUB, "app/win", pushed.digest)
    assert not await azure.content.has_layer(HUB, "app/win", absent.digest)
    assert {record.host for record in cloud.requests if record.service == "registry"} == {HUB.host}


async def test_names_are_listed(azure: Azure, registry: Registry) -> None:
    for number in range(120):
        registry.push(f"app/many:{number:03}")
    assert len(await azure.content.tags(HUB, "app/many")) == 120
    assert await azure.content.repositories(HUB) == ("app/many", "app/web")
    with pytest.raises(Gone, match="NAME_UNKNOWN"):
        await azure.content.tags(HUB, "app/wep")


async def test_a_token_is_kept_for_its_repository(azure: Azure, registry: Registry, cloud: LocalCloud) -> None:
    await azure.content.manifest(HUB, "app/web", "1.0")
    first = registry_requests(cloud)
    assert first == 4
    for tag in ("1.1", "1.0"):
        await azure.content.manifest(HUB, "app/web", tag)
    assert registry_requests(cloud) == first + 2
    # One that is refused is replaced.
    cloud.faults.append(Fault("registry", lambda request: "/manifests/" in request.path, _challenged(), times=1))
    await azure.content.manifest(HUB, "app/web", "1.0")
    assert registry_requests(cloud) == first + 2 + 4


def _challenged() -> Status:
    challenge = f'Bearer realm="https://{HUB.host}/oauth2/token",service="{HUB.host}",scope="repository:app/web:pull"'
    return Status(401, {"WWW-Authenticate": challenge, "Content-Type": "application/json"}, '{"errors": []}')


async def test_a_missing_right_is_named(azure: Azure, registry: Registry, cloud: LocalCloud) -> None:
    cloud.world.use_repository_permissions(registry, monitored=False)
    place = replace(HUB, by_repository=True)
    with pytest.raises(AccessDenied) as caught:
        await azure.content.manifest(place, "app/web", "1.0")
    error = caught.value
    assert (error.status, error.code, error.target) == (401, "UNAUTHORIZED", HUB.host)
    assert error.right == "Microsoft.ContainerRegistry/registries/repositories/content/read"
    with pytest.raises(AccessDenied) as caught:
        await azure.content.repositories(place)
    assert caught.value.right == "Microsoft.ContainerRegistry/registries/catalog/read"


async def test_closed_networks_say_so(azure: Azure, registry: Registry) -> None:
    registry.public_network_access = "Disabled"
    with pytest.raises(AccessDenied, match=r"client with IP '198\.51\.100\.7' is not allowed access") as caught:
        await azure.content.manifest(HUB, "app/web", "1.0")
    assert (caught.value.code, caught.value.right) == ("DENIED", PULL)


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        (Reset(), Unreachable),
        (Status(503, {}, "busy"), Unreachable),
        (Status(404, {}, "<html>not here</html>"), Gone),
        (Status(200, {}, "{}"), Unreachable),
        (MalformedJson(), Unreachable),
        (Status(401, {"WWW-Authenticate": "Bearer nonsense"}), Unreachable),
        (Status(401, {}), AccessDenied),
    ],
)
async def test_bad_answers_end_in_a_branch(
    azure: Azure,
    registry: Registry,
    cloud: LocalCloud,
    action: Reset | Status | MalformedJson,
    kind: type[ServiceError],
) -> None:
    cloud.faults.append(Fault("registry", lambda request: request.path.startswith("/v2/"), action))
    with pytest.raises(kind) as caught:
        await azure.content.manifest(HUB, "app/web", "1.0")
    assert caught.value.target == HUB.host


async def test_a_manifest_with_another_digest_is_not_believed(
    azure: Azure, registry: Registry, cloud: LocalCloud
) -> None:
    headers = {"Docker-Content-Digest": f"sha256:{'0' * 64}", "Content-Type": "application/json"}
    cloud.faults.append(Fault("registry", lambda request: "/manifests/" in request.path, Status(200, headers, "{}")))
    with pytest.raises(Unreachable, match="digest"):
        await azure.content.manifest(HUB, "app/web", "1.0")


async def test_a_link_to_another_host_is_not_followed(azure: Azure, registry: Registry, cloud: LocalCloud) -> None:
    cloud.world.add_registry("stranger").push("bait")
    headers = {
        "Link": '<https://stranger.azurecr.io/acr/v1/_catalog?last=x>; rel="next"',
        "Content-Type": "application/json",
    }

    def first_page(request: web.Request) -> bool:
        return request.path == "/acr/v1/_catalog"

    cloud.faults.append(Fault("registry", first_page, Status(200, headers, '{"repositories": ["a"]}')))
    with pytest.raises(UntrustedAddress):
        await azure.content.repositories(HUB)
    assert {record.host for record in cloud.requests if record.service == "registry"} == {HUB.host}


async def test_silence_ends(azure: Azure, registry: Registry, cloud: LocalCloud) -> None:
    cloud.faults.append(Fault("registry", None, Hang()))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await azure.content.manifest(HUB, "app/web", "1.0")


async def test_a_host_that_does_not_resolve_is_said(azure: Azure) -> None:
    with pytest.raises(UnknownHost):
        await azure.content.manifest(RegistryHost("nosuch.azurecr.io"), "app/web", "1.0")


@pytest.mark.parametrize(
    "login_server",
    [
        "",
        "contoso.azurecr.io.evil.example",
        "evil.example",
        "contoso.azurecr.us",
        "azurecr.io",
        ".azurecr.io",
        "a.b.azurecr.io",
        "contoso.azurecr.io/x",
        "user@contoso.azurecr.io",
        "contoso.azurecr.io:444",
    ],
)
def test_a_login_server_outside_the_cloud_is_not_trusted(login_server: str) -> None:
    with pytest.raises(UntrustedAddress):
        registry_host(registry_record(login_server=login_server), PUBLIC)


def test_the_host_and_its_rights_follow_the_registry() -> None:
    assert registry_host(registry_record(login_server="Contoso-a1b2.azurecr.io"), PUBLIC).host == (
        "contoso-a1b2.azurecr.io"
    )
    assert registry_host(registry_record(), PUBLIC).pull_right == PULL
    by_repository = registry_host(registry_record(role_assignment_mode="AbacRepositoryPermissions"), PUBLIC)
    assert by_repository.pull_right.endswith("/repositories/content/read")
    assert usual_host("Contoso", US_GOVERNMENT).host == "contoso.azurecr.us"
