"""From the services' JSON to the shapes that az prints, which its SDKs have flattened and renamed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any


def flat(resource: Mapping[str, Any]) -> dict[str, Any]:
    """A resource whose properties stand beside its name."""
    outer = {name: value for name, value in resource.items() if name != "properties"}
    group = re.search(r"/resourceGroups/([^/]+)", str(resource.get("id", "")), re.IGNORECASE)
    return {**outer, "resourceGroup": group[1] if group else None, **(resource.get("properties") or {})}


def storage_account(resource: Mapping[str, Any]) -> dict[str, Any]:
    """As ``az storage account show`` has it."""
    shown = flat(resource)
    shown["networkRuleSet"] = shown.pop("networkAcls", None)
    shown.setdefault("allowSharedKeyAccess", None)
    return shown


def secret(bundle: Mapping[str, Any], *, value: bool) -> dict[str, Any]:
    """As ``az keyvault secret`` has it."""
    attributes = bundle.get("attributes") or {}
    identifier = str(bundle["id"])
    shown = {
        "attributes": {
            "created": _iso(attributes.get("created")),
            "enabled": attributes.get("enabled"),
            "expires": _iso(attributes.get("exp")),
            "notBefore": _iso(attributes.get("nbf")),
            "recoverableDays": attributes.get("recoverableDays"),
            "recoveryLevel": attributes.get("recoveryLevel"),
            "updated": _iso(attributes.get("updated")),
        },
        "contentType": bundle.get("contentType"),
        "id": identifier,
        "managed": bundle.get("managed"),
        "name": identifier.rsplit("/secrets/", maxsplit=1)[-1].partition("/")[0],
        "tags": bundle.get("tags"),
    }
    return {**shown, "kid": bundle.get("kid"), "value": bundle.get("value")} if value else shown


def blob(name: str, headers: Mapping[str, str], metadata: Mapping[str, str], container: str) -> dict[str, Any]:
    """As ``az storage blob show`` and ``list`` have it; ``headers`` with names in lower case."""

    def of(header: str) -> str | None:
        return headers.get(header) or None

    modified = of("last-modified")
    return {
        "container": container,
        "content": "",
        "deleted": None,
        "metadata": dict(metadata),
        "name": name,
        "properties": {
            "blobTier": of("x-ms-access-tier"),
            "blobType": of("x-ms-blob-type"),
            "contentLength": int(of("content-length") or 0),
            "contentSettings": {
                "cacheControl": of("cache-control"),
                "contentDisposition": of("content-disposition"),
                "contentEncoding": of("content-encoding"),
                "contentLanguage": of("content-language"),
                "contentMd5": of("content-md5"),
                "contentType": of("content-type"),
            },
            "copy": {
                "completionTime": None,
                "id": of("x-ms-copy-id"),
                "progress": of("x-ms-copy-progress"),
                "source": of("x-ms-copy-source"),
                "status": of("x-ms-copy-status"),
                "statusDescription": of("x-ms-copy-status-description"),
            },
            "etag": of("etag"),
            "lastModified": parsedate_to_datetime(modified).isoformat() if modified else None,
            "lease": {
                "duration": of("x-ms-lease-duration"),
                "state": of("x-ms-lease-state"),
                "status": of("x-ms-lease-status"),
            },
            "rehydrationStatus": of("x-ms-archive-status"),
        },
        "hasLegalHold": None,
        "immutabilityPolicy": {"expiryTime": None, "policyMode": None},
        "snapshot": None,
    }


def _iso(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
