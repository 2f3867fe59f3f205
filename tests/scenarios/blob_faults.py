"""What blobs look like that landed before anybody watched, and what keeps them from being read or written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from localcloud.scenario import CONTAINER
from localcloud.storage_helpers import blob_url
from tests.scenarios.operations import fault
from tests.scenarios.stage import BLOB, CATEGORY, Stage

Md5 = Literal["right", "missing", "too short"]


@fault
async def landed(
    stage: Stage,
    *,
    blob: str = BLOB,
    days_ago: float = 0,
    md5: Md5 = "right",
    metadata: dict[str, str] | None = None,
    content: Literal["images", "nothing", "something else"] = "images",
    blob_type: Literal["BlockBlob", "PageBlob", "AppendBlob"] = "BlockBlob",
    container: str = CONTAINER,
) -> None:
    """A blob in the import side's container. It is there without an event: from before the monitor."""
    name = stage.transfer.import_account.name
    if container != CONTAINER:
        await stage.cloud.create_container(name, container)
    await put(stage, blob, container, md5, metadata, content, blob_type)
    if days_ago:
        stage.cloud.backdate_blob(name, container, blob, timedelta(days=days_ago))


async def put(
    stage: Stage,
    blob: str,
    container: str,
    md5: Md5,
    metadata: dict[str, str] | None,
    content: str,
    blob_type: str,
) -> None:
    """Writes a blob as :func:`landed` and the action ``land`` describe it."""
    hashes: dict[str, bool | bytes] = {"right": True, "missing": False, "too short": b"twelve bytes"}
    given: dict[str, Any] = {
        "metadata": CATEGORY if metadata is None else metadata,
        "content_md5": hashes[md5],
        "blob_type": blob_type,
    }
    if container != CONTAINER:
        await stage.cloud.put_blob(stage.transfer.import_account.name, container, blob, b"images", **given)
        return
    if content != "images":
        given["data"] = b"" if content == "nothing" else b"no archive at all"
    await stage.put_images(blob, **given)


@fault
async def exported_before(stage: Stage, *, blob: str = BLOB, days_ago: float = 3) -> None:
    """A blob of that name lies in the export's container since some time."""
    name = stage.transfer.export_account.name
    await stage.cloud.put_blob(name, CONTAINER, blob, b"the images of last time", metadata=CATEGORY)
    stage.cloud.backdate_blob(name, CONTAINER, blob, timedelta(days=days_ago))


@fault
async def blob_archived(stage: Stage, *, blob: str = BLOB) -> None:
    """The blob was moved into the archive tier."""
    await stage.cloud.archive_blob(stage.account.name, CONTAINER, blob)


@fault
async def blob_leased(stage: Stage, *, blob: str = BLOB) -> None:
    """Somebody holds an endless lease on the blob."""
    url = f"{blob_url(stage.account.name, CONTAINER, blob)}?comp=lease"
    headers = {"x-ms-lease-action": "acquire", "x-ms-lease-duration": "-1"}
    await stage.cloud._storage("PUT", url, headers=headers)


@fault
async def blob_held(stage: Stage, *, blob: str = BLOB, by: Literal["legal hold", "policy"] = "legal hold") -> None:
    """A legal hold or an immutability policy is on the blob; Storage refuses to change it."""
    headers = {"x-ms-legal-hold": "true"}
    if by == "policy":
        headers = {
            "x-ms-immutability-policy-until-date": "Fri, 01 Jan 2038 00:00:00 GMT",
            "x-ms-immutability-policy-mode": "locked",
        }
    stage.cloud.disguise_blob(stage.account.name, CONTAINER, blob, headers)


@fault
async def blob_shows(stage: Stage, *, blob: str = BLOB, headers: dict[str, str]) -> None:
    """The blob's properties, as Storage's headers have them."""
    stage.cloud.disguise_blob(stage.account.name, CONTAINER, blob, headers)


@fault
async def blob_copying(
    stage: Stage,
    *,
    blob: str = BLOB,
    status: Literal["pending", "failed", "aborted", "success"],
    description: str = "",
    minutes_ago: float = 120,
) -> None:
    """A server-side copy made the blob, and this is what became of it."""
    name = stage.account.name
    headers = {"x-ms-copy-id": "6f4e2f4b-5c80-4a4e-8a4a-1b8f8e3a9d11", "x-ms-copy-status": status}
    headers["x-ms-copy-source"] = f"https://contosoexport.blob.core.windows.net/{CONTAINER}/{blob}"
    if description:
        headers["x-ms-copy-status-description"] = description
    stage.cloud.disguise_blob(name, CONTAINER, blob, headers)
    stage.cloud.backdate_blob(name, CONTAINER, blob, timedelta(minutes=minutes_ago))
