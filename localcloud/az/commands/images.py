"""``az acr repository`` and ``az acr manifest``: the registry's own host, with its own tokens."""

from __future__ import annotations

from argparse import Namespace
from typing import Any
from urllib.parse import urlencode

from localcloud.az.commands.registry import login_server
from localcloud.az.errors import AzError
from localcloud.az.requests import Cloud, document_of
from localcloud.az.sign_in import ARM

_MANIFESTS = (
    *("application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"),
    *("application/vnd.docker.distribution.manifest.v2+json", "*/*"),
)


def show_tags(cloud: Cloud, options: Namespace) -> Any:
    answer = _ask(cloud, options.registry_name, options.repository, "metadata_read", "/acr/v1/{name}/_tags")
    tags = [tag if options.detail else tag["name"] for tag in answer.get("tags") or []]
    return tags[: options.top] if options.top else tags


def list_manifests(cloud: Cloud, options: Namespace) -> Any:
    name = options.repository or ""
    return _ask(cloud, options.registry_name, name, "metadata_read", "/acr/v1/{name}/_manifests")["manifests"]


def show_manifest(cloud: Cloud, options: Namespace) -> Any:
    reference = options.manifest_spec or ""
    if options.manifest_id or not options.registry_name or not reference:
        raise AzError("You must provide either a fully qualified manifest specifier or --registry and --name.")
    name, separator, digest = reference.partition("@")
    if not separator:
        name, separator, digest = reference.rpartition(":")
    if not separator or "/" in digest:
        raise AzError(f"A tag or a digest is needed: '{reference}' names a repository.")
    return _ask(cloud, options.registry_name, name, "pull", f"/v2/{{name}}/manifests/{digest}")


def _ask(cloud: Cloud, registry: str, name: str, right: str, path: str) -> Any:
    host = login_server(cloud, registry)
    entra = {"grant_type": "access_token", "service": host, "access_token": cloud.sign_in.tokens[ARM]}
    exchanged = _token(cloud, f"https://{host}/oauth2/exchange", entra)
    scope = {"scope": f"repository:{name}:{right}", "refresh_token": exchanged["refresh_token"]}
    token = _token(cloud, f"https://{host}/oauth2/token", {"grant_type": "refresh_token", "service": host, **scope})
    headers = {"Authorization": f"Bearer {token['access_token']}", "Accept": ", ".join(_MANIFESTS)}
    return document_of(cloud.send("GET", f"https://{host}{path.format(name=name)}", headers=headers))


def _token(cloud: Cloud, url: str, form: dict[str, str]) -> Any:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return document_of(cloud.send("POST", url, headers=headers, body=urlencode(form).encode()))
