"""What a request to blob storage is about: container, blob, operation, and the right that it needs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote

from aiohttp import web

_CONTAINERS = "Microsoft.Storage/storageAccounts/blobServices/containers"


class Write(StrEnum):
    """Operations that put content into a blob, by the name that Event Grid has for them."""

    PUT_BLOB = "PutBlob"
    PUT_BLOCK_LIST = "PutBlockList"
    COPY_BLOB = "CopyBlob"


@dataclass(frozen=True, slots=True)
class Right:
    """Any of these actions will do."""

    actions: tuple[str, ...]
    data: bool = True


@dataclass(frozen=True, slots=True)
class Target:
    method: str
    container: str | None
    blob: str | None
    comp: str
    restype: str
    copy_source: str | None
    blob_type: str | None

    @classmethod
    def of(cls, request: web.Request) -> Target:
        container, _, blob = unquote(request.rel_url.raw_path).lstrip("/").partition("/")
        return cls(
            request.method,
            container or None,
            blob or None,
            request.query.get("comp", ""),
            request.query.get("restype", ""),
            request.headers.get("x-ms-copy-source"),
            request.headers.get("x-ms-blob-type"),
        )

    @property
    def lists_blobs(self) -> bool:
        return self.blob is None and self.restype == "container" and self.comp == "list"

    @property
    def copies(self) -> bool:
        return self.method == "PUT" and self.blob is not None and self.copy_source is not None

    @property
    def write(self) -> Write | None:
        """The operation, if it lets a blob land."""
        if self.method != "PUT" or self.blob is None:
            return None
        if self.comp == "blocklist":
            return Write.PUT_BLOCK_LIST
        if self.comp:
            return None
        if self.blob_type is not None:
            return Write.PUT_BLOB
        return Write.COPY_BLOB if self.copy_source is not None else None

    @property
    def changes_blob(self) -> bool:
        """Last-Modified is new after it."""
        return self.blob is not None and self.method in {"PUT", "DELETE"} and self.comp not in {"block", "lease"}

    @property
    def right(self) -> Right:
        if self.blob is not None:
            return self._blob_right()
        if self.container is not None:
            return self._container_right()
        if self.comp == "userdelegationkey":
            services = _CONTAINERS.rpartition("/")[0]
            return Right((f"{services}/generateUserDelegationKey/action",), data=False)
        return Right((f"{_CONTAINERS}/read",), data=False)

    def _blob_right(self) -> Right:
        blobs = f"{_CONTAINERS}/blobs"
        if self.method in {"GET", "HEAD"}:
            return Right((f"{blobs}/read",))
        if self.method == "DELETE":
            return Right((f"{blobs}/delete",))
        if self.write is not None or self.comp == "block":
            return Right((f"{blobs}/write", f"{blobs}/add/action"))
        return Right((f"{blobs}/write",))

    def _container_right(self) -> Right:
        if self.lists_blobs:
            return Right((f"{_CONTAINERS}/blobs/read",))
        match self.method, self.comp:
            case "DELETE", _:
                return Right((f"{_CONTAINERS}/delete",), data=False)
            case (("GET" | "HEAD"), "acl"):
                return Right((f"{_CONTAINERS}/getAcl/action",), data=False)
            case "PUT", "acl":
                return Right((f"{_CONTAINERS}/setAcl/action",), data=False)
            case (("GET" | "HEAD"), _):
                return Right((f"{_CONTAINERS}/read",), data=False)
            case _:
                return Right((f"{_CONTAINERS}/write",), data=False)
