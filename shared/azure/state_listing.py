"""One page of a container's listing, as far as the monitor wants it.

The SDK reads every property of every blob by way of its models, which takes most of the time of a sweep in which
everything is known. Four things are wanted here: name, label, ETag and the time of the last write.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import unquote
from xml.etree import ElementTree as ET

LABEL: Final = "label"
# A page of this many is some 700 KB of XML, read at once.
PAGE_SIZE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as a listing shows it."""

    key: str
    label: str
    written: datetime
    etag: str


def read_page(body: bytes) -> tuple[list[Entry], str]:
    """The entries of a List Blobs answer, and the marker of the next page or an empty string.

    ``body`` is XML as in https://learn.microsoft.com/rest/api/storageservices/list-blobs. Raises ``ValueError`` on
    anything else: read as an empty list it would make every run look unknown.
    """
    try:
        root = ET.fromstring(body)  # noqa: S314 - expat limits entities, and Storage declares none
    except (ET.ParseError, LookupError) as error:  # LookupError: an encoding that there is not
        raise ValueError(f"the listing is no XML: {error}") from None
    blobs = root.find("Blobs")
    if blobs is None:
        raise ValueError("the listing holds no blobs element")
    return [_entry(blob) for blob in blobs.iter("Blob")], root.findtext("NextMarker") or ""


def _entry(blob: ET.Element) -> Entry:
    name = blob.find("Name")
    key = (name.text if name is not None else None) or ""
    etag = blob.findtext("Properties/Etag") or ""
    if name is None or not key or not etag:
        raise ValueError("the listing holds a blob without a name or an ETag")
    if name.get("Encoded") == "true":
        key = unquote(key)
    # A listing gives ETags without the quotation marks that a condition needs.
    quoted = f'"{etag.strip(chr(34))}"'
    written = parsedate_to_datetime(blob.findtext("Properties/Last-Modified") or "")
    return Entry(key, blob.findtext(f"Metadata/{LABEL}") or "", written, quoted)
