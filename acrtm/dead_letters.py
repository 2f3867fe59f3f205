"""Where events that were given up come from: files, or the blob container that Event Grid writes dead letters to.

Files may also hold messages of a storage queue, as ``az storage message get`` or ``peek`` prints them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from acrtm.exits import WrongUsage
from shared.addresses import BadAddress, ContainerAddress, read_blob_address, read_container_address
from shared.azure.connection import Connection
from shared.azure.dead_letters import DeadLetterReader
from shared.clouds import Cloud
from shared.errors import ServiceError
from shared.events import message_content
from shared.redaction import redact

_SUFFIXES: Final = frozenset({".json", ".jsonl", ".ndjson"})
# Without any of them it is no event, whatever else it may be.
_MARKS: Final = ("eventType", "type", "subject")


@dataclass(frozen=True, slots=True)
class Letter:
    """One event as it was found, or why nothing could be made of what was found.

    ``where`` is the file or blob, with the number of the event in it if there are several.
    """

    where: str
    event: Mapping[str, Any] | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class BlobFolder:
    """A container, or what lies below a folder in it."""

    container: ContainerAddress
    prefix: str = ""


def source_of(text: str, cloud: Cloud) -> Path | BlobFolder:
    """What the argument of ``acrtm replay`` names. Raises :class:`~acrtm.exits.WrongUsage`."""
    if "://" not in text:
        path = Path(text)
        if not path.exists():
            raise WrongUsage(f"There is no file or folder {text[:200]}.")
        return path
    container = read_container_address(text, cloud)
    if isinstance(container, ContainerAddress):
        return BlobFolder(container)
    blob = read_blob_address(text, cloud)
    if not isinstance(blob, BadAddress):
        return BlobFolder(blob.in_container, blob.name)
    raise WrongUsage(
        f"'{container.text}' is no URL of a container of {cloud.name}: {container.problem}.",
        "It looks like this (a folder in it may follow; AZURE_CLOUD says which cloud it is in):",
        f"https://ACCOUNT.blob.{cloud.storage_dns_suffix}/CONTAINER",
    )


def letters_in(path: Path) -> list[Letter]:
    """The events in a file, or in all JSON files below a folder."""
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in _SUFFIXES and file.is_file())
    letters: list[Letter] = []
    for file in files:
        try:
            content = file.read_bytes()
        except OSError as error:
            letters.append(Letter(str(file), None, f"it can't be read: {error.strerror or type(error).__name__}"))
            continue
        letters += read_letters(str(file), content)
    return letters


async def letters_of(connection: Connection, folder: BlobFolder) -> list[Letter]:
    """The events in a container. Raises a :class:`~shared.errors.ServiceError` if it can't be listed."""
    reader = DeadLetterReader(connection, folder.container)
    letters: list[Letter] = []
    async for name in reader.names(folder.prefix):
        if not name.lower().endswith(tuple(_SUFFIXES)):
            continue
        try:
            letters += read_letters(name, await reader.read(name))
        except ServiceError as error:
            letters.append(Letter(name, None, f"it can't be read: {error}"))
    return letters


def read_letters(where: str, content: bytes) -> list[Letter]:
    """The events in one file: a list of them, a single one, or one on each line."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return [Letter(where, None, "it is no text in UTF-8")]
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return list(_lines(where, text))
    if isinstance(found, list):
        return [_letter(f"{where}#{n}" if len(found) > 1 else where, item) for n, item in enumerate(found, 1)]
    return [_letter(where, found)]


def _lines(where: str, text: str) -> Iterator[Letter]:
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if len(lines) < 2 or not lines[0][1].rstrip().endswith("}"):
        yield Letter(where, None, "it is no JSON")
        return
    for number, line in lines:
        place = f"{where}:{number}"
        try:
            yield _letter(place, json.loads(line))
        except (ValueError, RecursionError):
            yield Letter(place, None, "it is no JSON")


def _letter(where: str, item: object) -> Letter:
    if isinstance(item, dict) and isinstance(item.get("content"), str) and not any(item.get(mark) for mark in _MARKS):
        try:
            item = message_content(item["content"])
        except ValueError as error:
            return Letter(redact(where), None, f"the message's content can't be read: {error}")
    if isinstance(item, dict) and any(item.get(mark) for mark in _MARKS):
        return Letter(redact(where), item)
    return Letter(redact(where), None, "it is no event")
