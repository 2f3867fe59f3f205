"""What the registry's data plane says of the artifacts that a run was to carry."""

from __future__ import annotations

from dataclasses import dataclass

from shared.evidence.pieces import Unavailable

# The service's limit, written "8 GB" without saying which; between the two the verdict is only possible.
GB = 1_000_000_000
GIB = 1_073_741_824
LARGEST_LAYER_GB = 8
MOST_ARTIFACTS = 50


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a manifest. ``in_registry`` is ``None`` if it was not asked for, or not told (``unavailable``)."""

    digest: str
    size: int
    media_type: str
    urls: tuple[str, ...]
    in_registry: bool | None = None
    unavailable: Unavailable | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """One artifact that was asked for: ``repo``, ``repo:tag`` or ``repo@sha256:…``.

    ``found`` is ``None`` where the registry could not tell; ``similar`` are close names that exist, the only one being
    the same without a host where it is there ``but_for_host``. With ``unavailable`` not all of its layers are known,
    and why.
    """

    reference: str
    found: bool | None
    layers: tuple[Layer, ...] = ()
    similar: tuple[str, ...] = ()
    unavailable: Unavailable | None = None
    but_for_host: bool = False


@dataclass(frozen=True, slots=True)
class ArtifactFacts:
    """All artifacts of a run as far as they were looked at."""

    artifacts: tuple[Artifact, ...]
