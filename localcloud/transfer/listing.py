"""A container's listing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree as ET


@dataclass(frozen=True, slots=True)
class ListedBlob:
    name: str
    etag: str
    last_modified: datetime
    content_md5: str | None
    blob_type: str
    size: int
    copy_status: str | None
    metadata: dict[str, str]


def listed_blobs(listing: bytes) -> list[ListedBlob]:
    return [_blob(element) for element in ET.fromstring(listing).iter("Blob")]


def _blob(element: ET.Element) -> ListedBlob:
    properties = element.find("Properties")
    assert properties is not None
    metadata = element.find("Metadata")
    return ListedBlob(
        name=element.findtext("Name", ""),
        etag=properties.findtext("Etag", ""),
        last_modified=parsedate_to_datetime(properties.findtext("Last-Modified", "")),
        content_md5=properties.findtext("Content-MD5") or None,
        blob_type=properties.findtext("BlobType", ""),
        size=int(properties.findtext("Content-Length") or 0),
        copy_status=properties.findtext("CopyStatus") or None,
        metadata={} if metadata is None else {item.tag: item.text or "" for item in metadata},
    )
