"""A registry's data plane: manifests, layers, tags and the catalog, for whoever may pull.

Sources: the OCI distribution specification, and ACR's own ``/acr/v1`` (swagger of Azure/acr).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from aiohttp import web

from localcloud.registry_access import RegistryAccess, RegistryError
from localcloud.service import Caller
from localcloud.tokens import Tokens
from localcloud.world import Layer, Manifest, Registry, World
from localcloud.world.clock import zulu

_PAGE = 100
_NAME = "(?P<name>.+?)"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# What ACR takes for a repository: lower case, parts between slashes.
_REPOSITORY = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")

Answer = Callable[[web.Request, Registry, dict[str, str]], web.Response]


class RegistryService:
    name = "registry"

    def __init__(self, world: World, tokens: Tokens) -> None:
        self._world = world
        self._access = RegistryAccess(world, tokens)
        patterns: list[tuple[str, str, Answer]] = [
            (rf"/v2/{_NAME}/manifests/(?P<reference>[^/]+)", "pull", self._manifest),
            (rf"/v2/{_NAME}/blobs/(?P<digest>[^/]+)", "pull", self._blob),
            (rf"/v2/{_NAME}/tags/list", "pull", self._tag_names),
            (rf"/acr/v1/{_NAME}/_tags", "metadata_read", self._tags),
            (rf"/acr/v1/{_NAME}/_manifests", "metadata_read", self._manifests),
        ]
        self._of_repository = [(re.compile(pattern), action, answer) for pattern, action, answer in patterns]

    def owns(self, host: str) -> bool:
        return self._registry(host) is not None

    async def handle(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        registry = self._registry(request.host.partition(":")[0].casefold())
        assert registry is not None
        try:
            self._access.check_network(caller, registry)
            answer = await self._answer(request, registry)
        except RegistryError as error:
            answer = web.json_response(error.body, status=error.status, headers=error.headers)
        answer.headers["Docker-Distribution-Api-Version"] = "registry/2.0"
        answer.headers["X-Ms-Correlation-Request-Id"] = str(uuid.uuid4())
        return answer

    def _registry(self, host: str) -> Registry | None:
        return next((known for known in self._world.registries.values() if known.login_server == host), None)

    async def _answer(self, request: web.Request, registry: Registry) -> web.Response:
        if (request.method, request.path) == ("POST", "/oauth2/exchange"):
            return await self._access.exchange(request, registry)
        if (request.method, request.path) == ("POST", "/oauth2/token"):
            return await self._access.token(request, registry)
        if request.method not in {"GET", "HEAD"}:
            raise RegistryError(405, "UNSUPPORTED", "The operation is unsupported.")
        if request.path in {"/v2/_catalog", "/acr/v1/_catalog"}:
            self._access.check_scope(request, registry, "registry", "catalog", "*")
            return _page(request, registry.repositories, lambda names: {"repositories": names or None})
        for pattern, action, answer in self._of_repository:
            match = pattern.fullmatch(request.path)
            if match is not None:
                self._access.check_scope(request, registry, "repository", match["name"], action)
                return answer(request, registry, match.groupdict())
        if request.path == "/v2/":
            raise self._access.challenge(registry.login_server)
        raise RegistryError(404, "NOT_FOUND", "404 page not found")

    def _manifest(self, request: web.Request, registry: Registry, found: dict[str, str]) -> web.Response:
        name, reference = found["name"], found["reference"]
        _require(registry, name)
        by_digest = _DIGEST.fullmatch(reference)
        manifest = registry.find(f"{name}{'@' if by_digest else ':'}{reference}")
        if manifest is None:
            tagged = "" if by_digest else "tagged by "
            detail = {"Name": name, "Digest" if by_digest else "Tag": reference}
            raise RegistryError(404, "MANIFEST_UNKNOWN", f'manifest {tagged}"{reference}" is not found', detail)
        accepted = request.headers.get("Accept", "*/*")
        if "*/*" not in accepted and manifest.media_type not in accepted:
            raise RegistryError(
                404, "MANIFEST_UNKNOWN", f"the manifest is {manifest.media_type}, which Accept does not name"
            )
        headers = {"Docker-Content-Digest": manifest.digest, "ETag": f'"{manifest.digest}"'}
        return web.Response(body=manifest.body, content_type=manifest.media_type, headers=headers)

    def _blob(self, _request: web.Request, registry: Registry, found: dict[str, str]) -> web.Response:
        name, digest = found["name"], found["digest"]
        blob = _blob_of(registry, name, digest)
        if blob is None or blob.content is None:
            raise RegistryError(404, "BLOB_UNKNOWN", "blob unknown to registry", {"digest": digest})
        if self._world.behaviour.redirects_layers:
            # Layers lie in a storage account of the service's own, which is not part of this cloud.
            location = f"https://managed.blob.core.windows.net/{digest.replace(':', '/')}?sig=none"
            return web.Response(status=307, headers={"Location": location})
        headers = {"Docker-Content-Digest": digest}
        return web.Response(body=blob.content, content_type="application/octet-stream", headers=headers)

    def _tag_names(self, request: web.Request, registry: Registry, found: dict[str, str]) -> web.Response:
        _require(registry, found["name"])
        tags = sorted(registry.artifacts.get(found["name"], {}))
        return _page(request, tags, lambda names: {"name": found["name"], "tags": names})

    def _tags(self, request: web.Request, registry: Registry, found: dict[str, str]) -> web.Response:
        _require(registry, found["name"])
        tags = registry.artifacts.get(found["name"], {})

        def body(names: list[str]) -> dict[str, Any]:
            listed = [{"name": tag, "digest": tags[tag].digest, "signed": False, **_times(registry)} for tag in names]
            return {"registry": registry.login_server, "imageName": found["name"], "tags": listed}

        return _page(request, sorted(tags), body)

    def _manifests(self, request: web.Request, registry: Registry, found: dict[str, str]) -> web.Response:
        _require(registry, found["name"])
        tags = registry.artifacts.get(found["name"], {})
        manifests = {manifest.digest: manifest for manifest in registry.manifests(found["name"])}

        def body(digests: list[str]) -> dict[str, Any]:
            listed = [_listed(registry, manifests[digest], tags) for digest in digests]
            return {"registry": registry.login_server, "imageName": found["name"], "manifests": listed}

        return _page(request, sorted(manifests), body)


def _require(registry: Registry, name: str) -> None:
    if not _REPOSITORY.fullmatch(name):
        raise RegistryError(400, "NAME_INVALID", "invalid repository name", {"name": name})
    if name not in registry.repositories:
        raise RegistryError(404, "NAME_UNKNOWN", "repository name not known to registry", {"name": name})


def _blob_of(registry: Registry, name: str, digest: str) -> Layer | None:
    blobs = (blob for manifest in registry.manifests(name) for blob in manifest.blobs)
    return next((blob for blob in blobs if blob.digest == digest), None)


def _listed(registry: Registry, manifest: Manifest, tags: dict[str, Manifest]) -> dict[str, Any]:
    return {
        "digest": manifest.digest,
        "mediaType": manifest.media_type,
        "imageSize": sum(blob.size for blob in manifest.blobs),
        "tags": [tag for tag, tagged in tags.items() if tagged.digest == manifest.digest],
        **_times(registry),
    }


def _times(registry: Registry) -> dict[str, Any]:
    moment = zulu(registry.created)
    attributes = dict.fromkeys(("deleteEnabled", "writeEnabled", "readEnabled", "listEnabled"), True)
    return {"createdTime": moment, "lastUpdateTime": moment, "changeableAttributes": attributes}


def _page(request: web.Request, items: list[str], body: Callable[[list[str]], dict[str, Any]]) -> web.Response:
    """``n`` names after ``last``, and a link to the rest."""
    last = request.query.get("last", "")
    rest = [item for item in items if item > last]
    size = max(1, int(request.query.get("n", _PAGE)))
    response = web.json_response(body(rest[:size]))
    if len(rest) > size:
        following = quote(rest[size - 1], safe="")
        response.headers["Link"] = f'<{request.rel_url.raw_path}?last={following}&n={size}>; rel="next"'
    return response
