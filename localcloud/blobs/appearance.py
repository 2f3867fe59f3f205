"""Shows blobs as the world says they look: Azurite can't backdate one, nor leave a copy pending."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from xml.etree import ElementTree as ET

from multidict import CIMultiDict

from localcloud.world import BlobAppearance
from localcloud.world.clock import http_date

_LISTED_AS = {
    "x-ms-copy-id": "CopyId",
    "x-ms-copy-status": "CopyStatus",
    "x-ms-copy-status-description": "CopyStatusDescription",
    "x-ms-copy-progress": "CopyProgress",
    "x-ms-copy-source": "CopySource",
    "x-ms-access-tier": "AccessTier",
    "x-ms-blob-type": "BlobType",
    "x-ms-lease-state": "LeaseState",
    "x-ms-lease-status": "LeaseStatus",
    "content-md5": "Content-MD5",
    "content-type": "Content-Type",
    "x-ms-legal-hold": "LegalHold",
    "x-ms-immutability-policy-until-date": "ImmutabilityPolicyUntilDate",
    "x-ms-immutability-policy-mode": "ImmutabilityPolicyMode",
}
# What a listing shows only where it is asked to.
_ASKED_FOR_AS = {
    "LegalHold": "legalhold",
    "ImmutabilityPolicyUntilDate": "immutabilitypolicy",
    "ImmutabilityPolicyMode": "immutabilitypolicy",
}


def dress_headers(headers: CIMultiDict[str], appearance: BlobAppearance) -> None:
    for name, value in _shown(appearance).items():
        headers[name] = value


def dress_listing(
    body: bytes, appearances: Mapping[str, BlobAppearance], public: Callable[[str], str], include: str
) -> bytes:
    """``appearances`` are by blob name; ``public`` makes Azurite's address of a copy's source Azure's.

    ``include`` is what the listing was asked to show besides, parted by commas.
    """
    wanted = include.casefold().split(",")
    root = ET.fromstring(body)
    for source in root.iter("CopySource"):
        source.text = public(source.text or "")
    for blob in root.iter("Blob"):
        appearance = appearances.get(blob.findtext("Name", ""))
        properties = blob.find("Properties")
        if appearance is None or properties is None:
            continue
        for header, value in _shown(appearance).items():
            name = _LISTED_AS.get(header.casefold(), header)
            if name in _ASKED_FOR_AS and _ASKED_FOR_AS[name] not in wanted:
                continue
            element = properties.find(name)
            if element is None:
                element = ET.SubElement(properties, name)
            element.text = value
    return b'<?xml version="1.0" encoding="utf-8"?>' + ET.tostring(root, encoding="unicode").encode()


def _shown(appearance: BlobAppearance) -> dict[str, str]:
    shown = dict(appearance.headers)
    if appearance.last_modified is not None:
        shown["Last-Modified"] = http_date(appearance.last_modified)
    return shown
