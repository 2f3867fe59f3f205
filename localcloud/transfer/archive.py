"""What lies in a transfer blob: a tar with a catalog, manifests and layers. The real format isn't public."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping

from localcloud.transfer.failures import TransferFailure
from localcloud.world import Layer, Manifest
from localcloud.world.registries import sha256

CATALOG = "catalog.json"


def pack(artifacts: Mapping[str, Manifest]) -> bytes:
    """``artifacts`` are by ``repo:tag`` or ``repo@digest``."""
    files = {CATALOG: json.dumps({name: manifest.digest for name, manifest in artifacts.items()}).encode()}
    for manifest in artifacts.values():
        files |= {_member(member.digest): member.body for member in manifest.family}
        for layer in manifest.blobs:
            if layer.content is not None:
                files[_member(layer.digest)] = layer.content
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, Manifest]:
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            files = {member.name: _content(tar, member) for member in tar if member.isfile()}
        catalog: dict[str, str] = json.loads(files[CATALOG])
        return {reference: _manifest(files, digest) for reference, digest in catalog.items()}
    except (tarfile.TarError, ValueError, KeyError, TypeError, AttributeError, EOFError):
        raise TransferFailure("Failed to read the source blob.  It is not a valid transfer archive.") from None


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return file.read() if file is not None else b""


def _manifest(files: Mapping[str, bytes], digest: str) -> Manifest:
    document = json.loads(files[_member(digest)])
    if "manifests" in document:
        children = tuple(_manifest(files, child["digest"]) for child in document["manifests"])
        return Manifest((), None, document["mediaType"], children)
    layers = tuple(_layer(files, descriptor) for descriptor in document["layers"])
    return Manifest(layers, _layer(files, document["config"]), document["mediaType"])


def _layer(files: Mapping[str, bytes], descriptor: Mapping[str, object]) -> Layer:
    digest, urls = str(descriptor["digest"]), descriptor.get("urls")
    content = files.get(_member(digest))
    if content is not None and sha256(content) != digest:
        raise ValueError(f"{digest} has other content")
    return Layer(
        digest,
        int(str(descriptor["size"])),
        str(descriptor["mediaType"]),
        tuple(urls) if isinstance(urls, list) else (),
        content,
    )


def _member(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")
