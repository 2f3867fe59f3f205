"""``az acr``: the registry itself."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from localcloud.az.commands import shapes
from localcloud.az.errors import NotThere
from localcloud.az.requests import REGISTRY_API, Cloud, Refused

_REGISTRIES = "Microsoft.ContainerRegistry/registries"


def show(cloud: Cloud, options: Namespace) -> Any:
    try:
        return shapes.flat(cloud.arm("GET", _id(cloud, options), REGISTRY_API))
    except Refused as refusal:
        if refusal.status == 404:
            raise NotThere(str(refusal)) from None
        raise


def update(cloud: Cloud, options: Namespace) -> Any:
    properties: dict[str, Any] = {}
    if options.allow_exports is not None:
        status = "enabled" if options.allow_exports else "disabled"
        properties["policies"] = {"exportPolicy": {"status": status}}
    if options.public_network_enabled is not None:
        properties["publicNetworkAccess"] = "Enabled" if options.public_network_enabled else "Disabled"
    if options.default_action is not None:
        properties["networkRuleSet"] = {"defaultAction": options.default_action}
    body: dict[str, Any] = {"properties": properties}
    if options.sku is not None:
        body["sku"] = {"name": options.sku}
    return shapes.flat(cloud.arm("PATCH", _id(cloud, options), REGISTRY_API, body))


def login_server(cloud: Cloud, name: str) -> str:
    """The registry's own host."""
    return str(cloud.named(_REGISTRIES, name, REGISTRY_API)["properties"]["loginServer"])


def _id(cloud: Cloud, options: Namespace) -> str:
    return cloud.resource_id(_REGISTRIES, options.registry_name, options.resource_group_name, REGISTRY_API)
