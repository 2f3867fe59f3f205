"""Azure resource ids, read without regard to case.

ARM returns ``resourceGroups`` and ``resourcegroups`` for the same thing and Event Grid varies the
provider's casing too, so ids are compared in lower case, while names are kept as they were given.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

REGISTRY_PROVIDER: Final = "microsoft.containerregistry"
_FORBIDDEN: Final = re.compile(r"[?#%\\\x00-\x20\x7f]")


@dataclass(frozen=True, slots=True)
class ResourceId:
    """One parsed resource id.

    ``types`` and ``names`` run in parallel: ``("registries", "pipelineruns")`` and ``("contoso", "run1")``.
    ``types`` and ``provider`` are in lower case, ``names`` as given.
    """

    subscription: str
    resource_group: str
    provider: str
    types: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """The last name: the resource's own."""
        return self.names[-1]

    @property
    def resource_type(self) -> str:
        """``microsoft.containerregistry/registries/pipelineruns``, in lower case."""
        return "/".join((self.provider, *self.types))

    @property
    def parent(self) -> ResourceId:
        """The id of the resource that this one belongs to (itself for a top-level resource)."""
        if len(self.types) == 1:
            return self
        return ResourceId(self.subscription, self.resource_group, self.provider, self.types[:-1], self.names[:-1])

    def __str__(self) -> str:
        path = "/".join(f"{kind}/{name}" for kind, name in zip(self.types, self.names, strict=True))
        return (
            f"/subscriptions/{self.subscription}/resourcegroups/{self.resource_group}/providers/{self.provider}/{path}"
        ).lower()


@lru_cache(maxsize=4_096)
def parse_resource_id(text: str) -> ResourceId:
    """Reads ``/subscriptions/…/resourceGroups/…/providers/NS/type/name[/type/name…]``.

    Raises :class:`ValueError` with what is wrong.
    """
    parts = [part for part in text.strip().split("/") if part]
    if _FORBIDDEN.search(text.strip()):
        raise ValueError("a resource id holds no blanks, control characters, '?', '#', '%' or '\\'")
    if any(part in {".", ".."} for part in parts):
        raise ValueError("a resource id holds no '.' or '..' segment")
    if len(parts) < 8 or len(parts) % 2:
        raise ValueError("expected /subscriptions/…/resourceGroups/…/providers/NAMESPACE/TYPE/NAME")
    keywords = [parts[0].lower(), parts[2].lower(), parts[4].lower()]
    if keywords != ["subscriptions", "resourcegroups", "providers"]:
        raise ValueError("expected /subscriptions/…/resourceGroups/…/providers/NAMESPACE/TYPE/NAME")
    return ResourceId(
        subscription=parts[1],
        resource_group=parts[3],
        provider=parts[5].lower(),
        types=tuple(part.lower() for part in parts[6::2]),
        names=tuple(parts[7::2]),
    )


def _parse_registry_child(text: str, kinds: frozenset[str], what: str) -> ResourceId:
    parsed = parse_resource_id(text)
    is_child = parsed.provider == REGISTRY_PROVIDER and len(parsed.types) == 2 and parsed.types[0] == "registries"
    if not is_child or parsed.types[1] not in kinds:
        raise ValueError(f"expected the resource id of {what}, got one of {parsed.resource_type}")
    return parsed


def parse_run_id(text: str) -> ResourceId:
    """The id of a pipeline run. Names are not validated: the service's own run names hold a ``_``."""
    return _parse_registry_child(text, frozenset({"pipelineruns"}), "a pipeline run")


def parse_pipeline_id(text: str) -> ResourceId:
    """The id of an export or import pipeline."""
    return _parse_registry_child(
        text, frozenset({"exportpipelines", "importpipelines"}), "an export or import pipeline"
    )


def parse_registry_id(text: str) -> ResourceId:
    """The id of a container registry."""
    parsed = parse_resource_id(text)
    if parsed.resource_type != f"{REGISTRY_PROVIDER}/registries":
        raise ValueError(f"expected the resource id of a container registry, got one of {parsed.resource_type}")
    return parsed
