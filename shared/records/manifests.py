"""Manifests of a registry: what an artifact consists of.

Sources: OCI image specification (manifest, index), Docker "Image Manifest Version 2, Schema 2".
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.records.json_fields import Json, integer, objects, text, texts


@dataclass(frozen=True, slots=True)
class LayerEntry:
    """One layer as a manifest lists it; ``size`` is in bytes, ``urls`` are where a foreign one lives."""

    digest: str
    size: int
    media_type: str
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """One manifest.

    ``layers`` is ``None`` where the manifest's form is none that lists layers with their sizes. ``children`` are
    the digests of the manifests that an index lists.
    """

    digest: str
    layers: tuple[LayerEntry, ...] | None
    children: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, source: Json, digest: str) -> Manifest:
        """Reads a manifest or an index, by what it holds: some registries give one the other's media type."""
        children = tuple(text(child, "digest") for child in objects(source, "manifests"))
        if isinstance(source.get("manifests"), list):
            return cls(digest, (), tuple(child for child in children if child))
        # Artifacts without an image's layers list "blobs".
        listed = next((name for name in ("layers", "blobs") if isinstance(source.get(name), list)), None)
        if listed is None:
            return cls(digest, None)
        layers = tuple(
            LayerEntry(
                digest=text(layer, "digest"),
                size=integer(layer, "size") or 0,
                media_type=text(layer, "mediaType"),
                urls=texts(layer, "urls") or (),
            )
            for layer in objects(source, listed)
        )
        return cls(digest, layers)
