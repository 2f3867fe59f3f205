"""Registries and what lies in them: small manifests with small layers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from localcloud.service import Origin
from localcloud.world.clock import now
from localcloud.world.network import NetworkRules
from localcloud.world.pipelines import Pipeline, Run

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer. Its size is what the manifest claims: a layer of 9 GiB needs no 9 GiB here."""

    digest: str
    size: int
    media_type: str = OCI_LAYER
    urls: tuple[str, ...] = ()
    content: bytes | None = None
    """Absent for a foreign layer that was never pushed."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """An artifact's manifest, whose digest is that of its bytes. An index has ``children`` and nothing else."""

    layers: tuple[Layer, ...]
    config: Layer | None
    media_type: str = OCI_MANIFEST
    children: tuple[Manifest, ...] = ()

    @property
    def body(self) -> bytes:
        document: dict[str, object] = {"schemaVersion": 2, "mediaType": self.media_type}
        if self.config is None:
            document["manifests"] = [
                {"mediaType": child.media_type, "size": len(child.body), "digest": child.digest}
                for child in self.children
            ]
        else:
            document["config"] = _descriptor(self.config)
            document["layers"] = [_descriptor(layer) for layer in self.layers]
        return json.dumps(document, separators=(",", ":")).encode()

    @property
    def family(self) -> tuple[Manifest, ...]:
        """The manifest, and those that it lists if it is an index."""
        return (self, *self.children)

    @property
    def blobs(self) -> tuple[Layer, ...]:
        """Every layer and configuration of the family."""
        return tuple(
            blob for manifest in self.family for blob in (manifest.config, *manifest.layers) if blob is not None
        )

    @property
    def digest(self) -> str:
        return sha256(self.body)


def _descriptor(layer: Layer) -> dict[str, object]:
    descriptor: dict[str, object] = {
        "mediaType": layer.media_type,
        "size": layer.size,
        "digest": layer.digest,
    }
    return {**descriptor, "urls": list(layer.urls)} if layer.urls else descriptor


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def layer(content: bytes | str, *, size: int | None = None, media_type: str = OCI_LAYER) -> Layer:
    """A layer of this content; ``size`` makes the manifest claim another size."""
    data = content.encode() if isinstance(content, str) else content
    return Layer(sha256(data), len(data) if size is None else size, media_type, (), data)


def foreign_layer(name: str = "windows", *, pushed: bool = False) -> Layer:
    """A non-distributable layer that stays at its publisher, unless it was pushed all the same."""
    data = f"foreign layer {name}".encode()
    digest = sha256(data)
    url = f"https://mcr.microsoft.com/v2/windows/servercore/blobs/{digest}"
    return Layer(digest, len(data), FOREIGN_LAYER, (url,), data if pushed else None)


def image(name: str, *layers: Layer) -> Manifest:
    """A manifest over these layers, over one small layer of its own without any."""
    config = layer(json.dumps({"architecture": "amd64", "os": "linux", "name": name}), media_type=OCI_CONFIG)
    return Manifest(layers or (layer(f"content of {name}"),), config)


def index(*manifests: Manifest) -> Manifest:
    """An index over images for several platforms."""
    return Manifest((), None, OCI_INDEX, manifests)


@dataclass(slots=True)
class Registry:
    name: str
    id: str
    subscription_id: str
    resource_group: str
    location: str = "eastus"
    sku: str = "Premium"
    export_policy: str = "enabled"
    public_network_access: str = "Enabled"
    default_action: str = "Allow"
    ip_rules: list[str] = field(default_factory=list)
    private_endpoints: set[Origin] = field(default_factory=lambda: {Origin.OPERATOR})
    role_assignment_mode: str = "LegacyRegistryPermissions"
    domain_label: str = ""
    """The part that a domain name label adds to the name in the login server."""
    provisioning_state: str = "Succeeded"
    denies_transfers: bool = False
    """The registry's own network rules or roles keep the transfer from reading or writing artifacts."""
    artifacts: dict[str, dict[str, Manifest]] = field(default_factory=dict)
    """Repository to tag to manifest."""
    untagged: dict[str, list[Manifest]] = field(default_factory=dict)
    export_pipelines: dict[str, Pipeline] = field(default_factory=dict)
    import_pipelines: dict[str, Pipeline] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    """By lower-case name, as pipelines are."""
    created: datetime = field(default_factory=now)

    @property
    def login_server(self) -> str:
        label = f"-{self.domain_label}" if self.domain_label else ""
        return f"{self.name.lower()}{label}.azurecr.io"

    @property
    def network(self) -> NetworkRules:
        """The rules of the data plane; no service is trusted there by itself."""
        return NetworkRules(
            self.public_network_access, self.default_action, "None", self.ip_rules, self.private_endpoints
        )

    def push(self, reference: str, manifest: Manifest | None = None) -> Manifest:
        """Put ``repo:tag`` (``:latest`` without one) into the registry."""
        repository, tag = split_reference(reference)
        if tag.startswith("sha256:"):
            raise ValueError(f"push a tag, not a digest: {reference}")
        manifest = manifest or image(reference)
        self.artifacts.setdefault(repository, {})[tag] = manifest
        return manifest

    def find(self, reference: str) -> Manifest | None:
        """The manifest of ``repo``, ``repo:tag`` or ``repo@digest``."""
        repository, tag = split_reference(reference)
        tags = self.artifacts.get(repository, {})
        if not tag.startswith("sha256:"):
            return tags.get(tag)
        return next((manifest for manifest in self.manifests(repository) if manifest.digest == tag), None)

    def manifests(self, repository: str) -> list[Manifest]:
        """Every manifest of a repository, those that an index lists among them."""
        known = [*self.artifacts.get(repository, {}).values(), *self.untagged.get(repository, [])]
        return [member for manifest in known for member in manifest.family]

    @property
    def repositories(self) -> list[str]:
        return sorted({*self.artifacts, *self.untagged})

    def pipelines(self) -> Iterable[Pipeline]:
        return (*self.export_pipelines.values(), *self.import_pipelines.values())


def split_reference(reference: str) -> tuple[str, str]:
    """Repository, and tag or digest."""
    if "@" in reference:
        repository, _, digest = reference.partition("@")
        return repository, digest
    head, separator, last = reference.rpartition("/")
    name, _, tag = last.partition(":")
    return f"{head}{separator}{name}", tag or "latest"
