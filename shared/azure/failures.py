"""What went wrong when a service was asked, in the monitor's own words.

Every call to a service stands inside :func:`asking`, so that whatever the SDK, aiohttp or the socket raises
becomes one branch of :mod:`shared.errors`, in bounded time.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from azure.core.exceptions import (
    AzureError,
    DecodeError,
    HttpResponseError,
    IncompleteReadError,
    ODataV4Format,
)

from shared.errors import AccessDenied, Gone, MonitorError, Refused, ServiceError, UnknownHost, Unreachable
from shared.redaction import redact

# Longest wait for one question with its retry; a handler's whole time is 25 s.
ANSWER_WITHIN: Final = 9.0
_LONGEST_DETAIL: Final = 2_000
# What the storage SDK raises itself where an error has no message, or a listing an empty body.
_OF_STUMBLING: Final = (TypeError, AttributeError)
# "No such name" and "no address for it": final. "Try again" (EAI_AGAIN) is not.
_NO_SUCH_NAME: Final = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})


@asynccontextmanager
async def asking(
    service: str,
    target: str,
    right: str = "",
    *,
    within: float = ANSWER_WITHIN,
    named_by_others: bool = False,
) -> AsyncIterator[None]:
    """Turns every failure of the block into a :class:`ServiceError`, and a silence into :class:`Unreachable`.

    ``named_by_others`` says that the host's name came from a pipeline (a vault, a storage account), so that a
    name that doesn't resolve is its owner's mistake and not a passing trouble of ours.
    """
    try:
        async with asyncio.timeout(within):
            yield
    except MonitorError:
        raise
    except TimeoutError:
        raise Unreachable(service, target, f"no answer within {within:g} s", right=right) from None
    except (AzureError, aiohttp.ClientError, OSError, ValueError, *_OF_STUMBLING) as error:
        # Without its cause: an SDK's exception carries the request, and the request carries the token.
        raise describe(error, service, target, right, named_by_others=named_by_others) from None


def describe(
    error: Exception, service: str, target: str, right: str = "", *, named_by_others: bool = False
) -> ServiceError:
    """The branch of :mod:`shared.errors` that ``error`` belongs to."""
    answered = isinstance(error, HttpResponseError) and not isinstance(error, DecodeError | IncompleteReadError)
    if answered and isinstance(error, HttpResponseError) and error.status_code is not None:
        return for_status(service, target, error.status_code, code_of(error), described(error), right)
    if named_by_others and _unknown_name(error):
        return UnknownHost(service, target, "the host name does not resolve", right=right)
    return Unreachable(service, target, described(error), right=right)


def for_status(service: str, target: str, status: int, code: str, detail: str, right: str = "") -> ServiceError:
    """The branch for an HTTP status."""
    kind: type[ServiceError]
    if status in {401, 403}:
        kind = AccessDenied
    elif status == 404:
        kind = Gone
    elif status in {408, 429} or status >= 500 or status < 400:
        kind = Unreachable
    else:
        kind = Refused
    return kind(service, target, _shortened(detail), status=status, code=code, right=right)


def code_of(error: HttpResponseError) -> str:
    """The service's error code: Storage's header, ARM's and Key Vault's body, or empty."""
    code = getattr(error, "error_code", None)
    if code:
        return str(getattr(code, "value", code))
    body = error.error
    if isinstance(body, ODataV4Format) and body.code:
        inner = body.innererror if isinstance(body.innererror, dict) else {}
        return str(inner.get("code") or body.code)
    headers: Mapping[str, str] = getattr(error.response, "headers", {})
    return str(headers.get("x-ms-error-code", ""))


def _unknown_name(error: BaseException) -> bool:
    return any(
        isinstance(cause, OSError) and cause.errno in _NO_SUCH_NAME and _is_name_lookup(cause)
        for cause in _causes(error)
    )


def _is_name_lookup(error: OSError) -> bool:
    return isinstance(error, socket.gaierror | aiohttp.ClientConnectorDNSError)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        cause = waiting.pop()
        if cause is None or any(cause is known for known in seen):
            continue
        seen.append(cause)
        yield cause
        waiting += [cause.__cause__, cause.__context__, getattr(cause, "inner_exception", None)]
        waiting.append(getattr(cause, "os_error", None))


def described(error: Exception) -> str:
    """What ``error`` says, without secrets and not too long."""
    message = error.message if isinstance(error, AzureError) else str(error)
    return _shortened(message or type(error).__name__)


def _shortened(text: str) -> str:
    text = redact(text)
    return text if len(text) <= _LONGEST_DETAIL else f"{text[:_LONGEST_DETAIL]}…"
