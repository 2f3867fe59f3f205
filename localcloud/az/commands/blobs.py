"""``az storage blob``: every command is a request to the Blob service, as it would be in Azure."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from localcloud import sas
from localcloud.az.commands import shapes
from localcloud.az.errors import AzError, NotCarriedOut, NotThere
from localcloud.az.requests import Cloud, Refused
from localcloud.az.storage_access import Account, account_of, check_metadata, first_key

_META = "x-ms-meta-"
_SINGLE_PUT = 64 * 1024 * 1024
_SETTINGS = {
    "content_type": ("content-type", "x-ms-blob-content-type"),
    "content_encoding": ("content-encoding", "x-ms-blob-content-encoding"),
    "content_language": ("content-language", "x-ms-blob-content-language"),
    "content_disposition": ("content-disposition", "x-ms-blob-content-disposition"),
    "content_cache_control": ("cache-control", "x-ms-blob-cache-control"),
    "content_md5": ("content-md5", "x-ms-blob-content-md5"),
}
_LISTED_HEADERS = {
    "AccessTier": "x-ms-access-tier",
    "BlobType": "x-ms-blob-type",
    "LeaseState": "x-ms-lease-state",
    "LeaseStatus": "x-ms-lease-status",
    "CopyStatus": "x-ms-copy-status",
    "CopySource": "x-ms-copy-source",
}


def show(cloud: Cloud, options: Namespace) -> Any:
    container, name = _place(options)
    try:
        headers = account_of(cloud, options).send("HEAD", container, name).headers
    except Refused as refusal:
        if refusal.status == 404:
            raise NotThere(f"ErrorCode:{refusal.code or 'BlobNotFound'}") from None
        raise
    return shapes.blob(name, headers, _metadata(headers), container)


def exists(cloud: Cloud, options: Namespace) -> Any:
    container, name = _place(options)
    return {"exists": account_of(cloud, options).send("HEAD", container, name, allowed=(404,)).status == 200}


def list_(cloud: Cloud, options: Namespace) -> Any:
    account = account_of(cloud, options)
    wanted = None if options.num_results == "*" else int(options.num_results or 5000)
    query = {"restype": "container", "comp": "list", "include": "metadata"}
    if options.prefix:
        query["prefix"] = options.prefix
    found: list[Any] = []
    while True:
        if wanted is not None:
            query["maxresults"] = str(wanted - len(found))
        root = ET.fromstring(account.send("GET", options.container_name, query=query).body)
        found += [_listed(element, options.container_name) for element in root.iter("Blob")]
        query["marker"] = root.findtext("NextMarker") or ""
        if not query["marker"] or (wanted is not None and len(found) >= wanted):
            return found


def download(cloud: Cloud, options: Namespace) -> Any:
    """To a file, or as it is to standard output."""
    container, name = _place(options)
    answer = account_of(cloud, options).send("GET", container, name)
    if options.file_path:
        Path(options.file_path).write_bytes(answer.body)
        return shapes.blob(name, answer.headers, _metadata(answer.headers), container)
    sys.stdout.buffer.write(answer.body)
    return None


def upload(cloud: Cloud, options: Namespace) -> Any:
    if not options.file_path or options.blob_type not in {None, "block"}:
        raise NotCarriedOut("az storage blob upload without --file, or of another type than block")
    data = Path(options.file_path).read_bytes()
    if len(data) > _SINGLE_PUT:
        raise NotCarriedOut("an upload in blocks")
    name = options.blob_name or Path(options.file_path).name
    headers = {"x-ms-blob-type": "BlockBlob", **check_metadata(options.metadata), **_settings(options, {})}
    if not options.overwrite:
        headers["If-None-Match"] = "*"
    answer = account_of(cloud, options).send("PUT", options.container_name, name, headers=headers, body=data)
    return _written(answer.headers)


def delete(cloud: Cloud, options: Namespace) -> None:
    container, name = _place(options)
    account_of(cloud, options).send("DELETE", container, name)


def update(cloud: Cloud, options: Namespace) -> Any:
    """az sends the settings that the blob has along with those that are given: Storage would drop them."""
    account = account_of(cloud, options)
    old = {} if options.clear_content_settings else account.send("HEAD", *_place(options)).headers
    headers = _settings(options, old)
    answer = account.send("PUT", *_place(options), query={"comp": "properties"}, headers=headers)
    return _written(answer.headers)


def metadata_show(cloud: Cloud, options: Namespace) -> Any:
    return _metadata(account_of(cloud, options).send("HEAD", *_place(options)).headers)


def metadata_update(cloud: Cloud, options: Namespace) -> Any:
    """All metadata is written anew: what isn't given is gone."""
    headers = check_metadata(options.metadata)
    account = account_of(cloud, options)
    return _written(account.send("PUT", *_place(options), query={"comp": "metadata"}, headers=headers).headers)


def copy_start(cloud: Cloud, options: Namespace) -> Any:
    account = account_of(cloud, options)
    headers = {"x-ms-copy-source": _copy_source(cloud, account, options), **check_metadata(options.metadata)}
    answer = account.send("PUT", options.container_name, options.blob_name, headers=headers)
    return {
        **_written(answer.headers),
        "copy_id": answer.headers.get("x-ms-copy-id"),
        "copy_status": answer.headers.get("x-ms-copy-status"),
    }


def set_tier(cloud: Cloud, options: Namespace) -> None:
    headers = {"x-ms-access-tier": options.tier}
    if options.rehydrate_priority:
        headers["x-ms-rehydrate-priority"] = options.rehydrate_priority
    account_of(cloud, options).send("PUT", *_place(options), query={"comp": "tier"}, headers=headers)


def lease_break(cloud: Cloud, options: Namespace) -> Any:
    headers = {"x-ms-lease-action": "break"}
    if options.lease_break_period is not None:
        headers["x-ms-lease-break-period"] = str(options.lease_break_period)
    answer = account_of(cloud, options).send("PUT", *_place(options), query={"comp": "lease"}, headers=headers)
    return int(answer.headers.get("x-ms-lease-time", "0"))


def _place(options: Namespace) -> tuple[str, str]:
    if getattr(options, "blob_url", None):
        raise NotCarriedOut("--blob-url")
    if not options.container_name or not options.blob_name:
        raise AzError("Please specify --container-name and --name.")
    return str(options.container_name), str(options.blob_name)


def _copy_source(cloud: Cloud, target: Account, options: Namespace) -> str:
    if options.source_url:
        separator = "&" if "?" in options.source_url else "?"
        token = (options.source_sas or "").lstrip("?")
        return f"{options.source_url}{separator}{token}" if token else str(options.source_url)
    if not options.source_container or not options.source_blob:
        raise AzError("Please specify --source-uri, or --source-container and --source-blob.")
    source = Account(cloud, options.source_account_name or target.name)
    url = source.url(options.source_container, options.source_blob)
    token = (options.source_sas or "").lstrip("?")
    if not token:
        # az signs a token that lives long enough for the copy.
        key = options.source_account_key or first_key(cloud, source.name)
        end = datetime.now(UTC) + timedelta(hours=8)
        place = (options.source_container, options.source_blob)
        token = sas.service_sas(source.name, key, *place, permissions="r", expires=end)
    return f"{url}?{token}"


def _settings(options: Namespace, old: Mapping[str, str]) -> dict[str, str]:
    headers = {}
    for option, (shown, sent) in _SETTINGS.items():
        value = getattr(options, option, None) or old.get(shown)
        if value:
            headers[sent] = value
    return headers


def _metadata(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix(_META): value for name, value in headers.items() if name.startswith(_META)}


def _written(headers: Mapping[str, str]) -> dict[str, Any]:
    return {"etag": headers.get("etag"), "lastModified": headers.get("last-modified")}


def _listed(element: ET.Element, container: str) -> Any:
    properties = element.find("Properties")
    assert properties is not None
    headers = {_LISTED_HEADERS.get(item.tag, item.tag.lower()): item.text or "" for item in properties}
    metadata = element.find("Metadata")
    kept = {} if metadata is None else {item.tag: item.text or "" for item in metadata}
    return shapes.blob(element.findtext("Name", ""), headers, kept, container)
