"""Who may ask, and what the page may do.

The findings hold text that others wrote, and other pages in the same browser can reach a port on loopback. So only
requests that name this very host and port are answered (a foreign name that was bent to loopback is not one), what
changes nothing for a foreign page to send is refused anyway unless it is JSON, and the page may load and run only
what this server serves. A page of another origin could still keep this machine busy with requests whose answers it
can't read; a browser says where each request comes from (``Sec-Fetch-Site``), and only following a link is let through.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PORT_OF_HTTP: Final = 80
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
    names = frozenset({"127.0.0.1", "localhost"})
    with_port = frozenset(f"{name}:{port}" for name in names)
    # The port that http means by itself is left out by browsers.
    return with_port | names if port == _PORT_OF_HTTP else with_port


def of_another_page(headers: Mapping[str, str]) -> bool:
    """Whether a page of another origin sends this. What is no browser doesn't say so, and isn't lured by a page."""
    if headers.get("Sec-Fetch-Site", "none") in {"none", "same-origin"}:
        return False
    return (headers.get("Sec-Fetch-Mode"), headers.get("Sec-Fetch-Dest")) != ("navigate", "document")


def guard(hosts: Callable[[], frozenset[str]]) -> Any:
    """The middleware. ``hosts`` is asked late, since the port is known only once the server listens."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get("Host", "").lower() not in hosts():
            return _refusal(403, "This page is for this machine only: open it as http://127.0.0.1.")
        if of_another_page(request.headers):
            return _refusal(403, "Another page can't ask here.")
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
