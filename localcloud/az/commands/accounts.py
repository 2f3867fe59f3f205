"""``az storage account``."""

from __future__ import annotations

import re
from argparse import Namespace
from typing import Any

from localcloud.az.commands import shapes
from localcloud.az.errors import AzError, NotThere
from localcloud.az.requests import STORAGE_API, Cloud, Refused
from localcloud.az.storage_access import ACCOUNTS

_ID = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Storage/storageAccounts/[^/]+", re.IGNORECASE
)


def show(cloud: Cloud, options: Namespace) -> Any:
    try:
        return shapes.storage_account(cloud.arm("GET", _id(cloud, options), STORAGE_API))
    except Refused as refusal:
        if refusal.status == 404:
            raise NotThere(str(refusal)) from None
        raise


def update(cloud: Cloud, options: Namespace) -> Any:
    properties: dict[str, Any] = {}
    if options.public_network_access:
        properties["publicNetworkAccess"] = options.public_network_access
    rules = {"defaultAction": options.default_action, "bypass": ", ".join(options.bypass or ()) or None}
    if any(rules.values()):
        properties["networkAcls"] = {name: value for name, value in rules.items() if value}
    if options.allow_shared_key_access is not None:
        properties["allowSharedKeyAccess"] = options.allow_shared_key_access
    return shapes.storage_account(cloud.arm("PATCH", _id(cloud, options), STORAGE_API, {"properties": properties}))


def _id(cloud: Cloud, options: Namespace) -> str:
    ids = options._ids
    if not ids:
        if not options.account_name:
            raise AzError("the following arguments are required: --name/-n")
        return cloud.resource_id(ACCOUNTS, options.account_name, options.resource_group_name, STORAGE_API)
    if len(ids) != 1 or not _ID.fullmatch(ids[0]):
        raise AzError(f"invalid resource ID: {' '.join(ids)}")
    return str(ids[0])
