"""Where a registry's data plane is, and which rights it takes there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from shared.clouds import Cloud
from shared.errors import UntrustedAddress
from shared.records.transfer import Registry

SERVICE: Final = "Container registry"
_PROVIDER: Final = "Microsoft.ContainerRegistry/registries"
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class RegistryHost:
    """A registry's data plane. ``by_repository`` says that only the repository roles count there (ABAC)."""

    host: str
    by_repository: bool = False

    @property
    def pull_right(self) -> str:
        """What reading manifests and layers takes: AcrPull has it, or Container Registry Repository Reader."""
        return f"{_PROVIDER}/{'repositories/content/read' if self.by_repository else 'pull/read'}"

    @property
    def list_right(self) -> str:
        """What listing repositories takes."""
        return f"{_PROVIDER}/catalog/read" if self.by_repository else self.pull_right


def registry_host(registry: Registry, cloud: Cloud) -> RegistryHost:
    """The host that ARM names for a registry; raises :class:`UntrustedAddress` outside the cloud's suffix."""
    host = registry.login_server.lower()
    label, _, suffix = host.partition(".")
    if suffix != cloud.registry_dns_suffix or not _LABEL.fullmatch(label):
        detail = f"its login server is outside {cloud.registry_dns_suffix}, so it is not asked"
        raise UntrustedAddress(SERVICE, registry.name or registry.id, detail)
    return RegistryHost(host, registry.by_repository)


def usual_host(name: str, cloud: Cloud) -> RegistryHost:
    """The host of a registry without a domain name label, which is most of them."""
    return RegistryHost(f"{name.lower()}.{cloud.registry_dns_suffix}")
