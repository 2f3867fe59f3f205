"""Azure Storage's refusals."""

from __future__ import annotations

import uuid
from datetime import datetime
from xml.sax.saxutils import escape

from aiohttp import web

from localcloud.world.clock import http_date, now, zulu

NOT_AUTHENTICATED = (
    "Server failed to authenticate the request. Make sure the value of Authorization header is formed "
    "correctly including the signature."
)
NOT_AUTHORIZED = "This request is not authorized to perform this operation"


class StorageError(Exception):
    """A refusal, with the code that clients look at and the detail that tells why."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        detail: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.detail = detail
        self.headers = headers or {}

    def response(self, method: str) -> web.Response:
        request_id = str(uuid.uuid4())
        text = f"{self.message}\nRequestId:{request_id}\nTime:{zulu(now())}"
        detail = f"<AuthenticationErrorDetail>{escape(self.detail)}</AuthenticationErrorDetail>" if self.detail else ""
        body = (
            f'\ufeff<?xml version="1.0" encoding="utf-8"?><Error><Code>{self.code}</Code>'
            f"<Message>{escape(text)}</Message>{detail}</Error>"
        )
        headers = {
            "x-ms-error-code": self.code,
            "x-ms-request-id": request_id,
            "x-ms-version": "2024-11-04",
            "Server": "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0",
            **self.headers,
        }
        if method == "HEAD":
            return web.Response(status=self.status, reason=self.message, headers=headers)
        headers["Content-Type"] = "application/xml"
        return web.Response(status=self.status, reason=self.message, headers=headers, body=body.encode())


def authentication_failed(detail: str) -> StorageError:
    return StorageError(403, "AuthenticationFailed", NOT_AUTHENTICATED, detail)


def outside_time_frame(
    starts: datetime | None, expires: datetime, current: datetime, *, key: bool = False
) -> StorageError:
    kind, prefix = ("key ", "Key ") if key else ("", "")
    start = f"{prefix}Start [{http_date(starts)}] - " if starts else ""
    # Without a start Azure shows the expiry alone.
    return authentication_failed(
        f"Signature not valid in the specified {kind}time frame: {start}{prefix}Expiry [{http_date(expires)}] - "
        f"Current [{http_date(current)}]"
    )


def network_blocked() -> StorageError:
    return StorageError(403, "AuthorizationFailure", f"{NOT_AUTHORIZED}.")


def mismatch(code: str, what: str) -> StorageError:
    return StorageError(403, code, f"{NOT_AUTHORIZED} using this {what}.")


def permission_mismatch() -> StorageError:
    return mismatch("AuthorizationPermissionMismatch", "permission")
