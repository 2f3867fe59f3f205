"""Who may ask, and what the page may do.

The findings hold text that others wrote, and other pages in the same browser can reach a port on loopback. So only
requests that name this very host and port are answered (a foreign name that was bent to loopback is not one), what
changes nothing for a foreign page to send is refused anyway unless it is JSON, and the page may load and run only
what this server serves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# No inline script, no style in markup, nothing from elsewhere, no frame around it.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def own_hosts(port: int) -> frozenset[str]:
    """What a browser writes into ``Host`` when it is asked for this server by hand."""
    return frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})


def guard(hosts: Callable[[], frozenset[str]]) -> Any:
    """The middleware. ``hosts`` is asked late, since the port is known only once the server listens."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get("Host", "").lower() not in hosts():
            return _refusal(403, "This page is for this machine only: open it as http://127.0.0.1.")
        if request.method == "POST" and request.content_type != "application/json":
            return _refusal(415, "Only JSON is taken here.")
        try:
            response = await handler(request)
        except web.HTTPException as error:
            response = _refusal(error.status, error.reason)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return guarded


def _refusal(status: int, words: str) -> web.Response:
    return web.Response(status=status, text=words, headers=_HEADERS)
