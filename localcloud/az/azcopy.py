"""``azcopy copy``: to a blob, from a blob, or from one blob to another."""

from __future__ import annotations

import argparse
import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, unquote, urlsplit

from localcloud.az.errors import AzError, NotCarriedOut, UsageError
from localcloud.az.requests import Cloud
from localcloud.az.sign_in import STORAGE, signed_in
from localcloud.az.storage_access import DATA_VERSION, check_metadata
from localcloud.az.wire import Answer

_SWITCHES = (
    *("--as-subdir", "--check-length", "--decompress", "--dry-run", "--no-guess-mime-type", "--preserve-permissions"),
    *("--put-md5", "--recursive", "--s2s-detect-source-changed", "--s2s-preserve-access-tier"),
    *("--s2s-preserve-blob-tags", "--s2s-preserve-properties"),
)
_VALUES = (
    *("--blob-type", "--block-blob-tier", "--block-size-mb", "--blob-tags", "--cache-control", "--cap-mbps"),
    *("--check-md5", "--content-disposition", "--content-encoding", "--content-language", "--content-type"),
    *("--exclude-path", "--exclude-pattern", "--from-to", "--include-path", "--include-pattern", "--log-level"),
    *("--metadata", "--output-level", "--output-type", "--overwrite", "--s2s-handle-invalid-metadata"),
)


def run(words: Sequence[str]) -> None:
    """Carry out one command line of azcopy."""
    if not words or words[0] not in {"copy", "cp", "c"}:
        raise UsageError(f'unknown command "{words[0] if words else ""}" for "azcopy"')
    options = _parse(words[1:])
    sign_in = signed_in()
    if sign_in is None:
        raise AzError(
            "failed to parse user input: no SAS token or OAuth token is present and the resource is not public"
        )
    _copy(Cloud(sign_in), options)
    print("Final Job Status: Completed")


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(prog="azcopy copy", add_help=False, allow_abbrev=False)
    parser.add_argument("source")
    parser.add_argument("target")
    for flag in _SWITCHES:
        parser.add_argument(flag, nargs="?", const="true", default=None, choices=["true", "false"])
    for flag in _VALUES:
        parser.add_argument(flag)
    # A switch takes its value after "=" alone: what follows it is the next word.
    return parser.parse_args([f"{word}=true" if word in _SWITCHES else word for word in words])


def _copy(cloud: Cloud, options: argparse.Namespace) -> None:
    from_url, to_url = _is_url(options.source), _is_url(options.target)
    if options.overwrite not in {None, "true", "false"} or options.recursive == "true":
        raise NotCarriedOut("azcopy copy with --recursive, or --overwrite other than true or false")
    if not (from_url or to_url):
        raise AzError("failed to parse user input: the inferred source/destination combination is not supported")
    if not to_url:
        Path(options.target).write_bytes(_blob(cloud, "GET", options.source).body)
        return
    target = options.target
    if target.partition("?")[0].endswith("/") or urlsplit(target).path.strip("/").count("/") == 0:
        address, separator, token = target.partition("?")
        name = urlsplit(options.source).path.rpartition("/")[2] if from_url else quote(Path(options.source).name)
        target = f"{address.rstrip('/')}/{name}{separator}{token}"
    headers = {"x-ms-blob-type": "BlockBlob"}
    if from_url:
        given = _blob(cloud, "GET", options.source)
        data, kept = given.body, _kept(given, options)
    else:
        data, kept = Path(options.source).read_bytes(), {}
    if options.metadata is not None:
        kept = {name: value for name, value in kept.items() if not name.startswith("x-ms-meta-")}
        kept |= check_metadata([pair for pair in options.metadata.split(";") if pair])
    if options.put_md5 == "true" and not from_url:
        digest = hashlib.md5(data, usedforsecurity=False).digest()
        kept["x-ms-blob-content-md5"] = base64.b64encode(digest).decode()
    if options.overwrite == "false":
        headers["If-None-Match"] = "*"
    _put(cloud, target, data, {**headers, **kept})


def _put(cloud: Cloud, target: str, data: bytes, headers: dict[str, str]) -> None:
    """In blocks, as azcopy uploads what isn't small: Storage then has no MD5 unless it is given one."""
    separator = "&" if "?" in target else "?"
    block = base64.b64encode(b"azcopy-00000").decode()
    plain = {name: value for name, value in headers.items() if name != "x-ms-blob-type"}
    _blob(cloud, "PUT", f"{target}{separator}comp=block&blockid={block.replace('=', '%3D')}", data)
    listing = f'<?xml version="1.0" encoding="utf-8"?><BlockList><Latest>{block}</Latest></BlockList>'
    _blob(cloud, "PUT", f"{target}{separator}comp=blocklist", listing.encode(), plain)


def _kept(source: Answer, options: argparse.Namespace) -> dict[str, str]:
    """From service to service the properties and the metadata go along, unless that is switched off."""
    if options.s2s_preserve_properties == "false":
        return {}
    kept = {name: value for name, value in source.headers.items() if name.startswith("x-ms-meta-")}
    for shown, sent in (("content-type", "x-ms-blob-content-type"), ("content-md5", "x-ms-blob-content-md5")):
        if source.headers.get(shown):
            kept[sent] = source.headers[shown]
    return kept


def _blob(
    cloud: Cloud, method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> Answer:
    """With the token in the address, or with the sign-in where there is none."""
    audience = None if "sig=" in url else STORAGE
    sent = {"x-ms-version": DATA_VERSION, **(headers or {})}
    return cloud.send(method, url, audience=audience, headers=sent, body=body)


def _is_url(place: str) -> bool:
    parts = urlsplit(place)
    return parts.scheme == "https" and unquote(parts.hostname or "").endswith(".blob.core.windows.net")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}")
