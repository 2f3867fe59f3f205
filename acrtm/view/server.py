"""The live page's server, on loopback. Everything that it answers comes from this machine.

::

    GET  /                       the page
    GET  /page/NAME              our scripts and styles
    GET  /libraries/NAME         the libraries of the page
    GET  /api/schema             the table's columns, and the shipped queries
    GET  /api/version            changes whenever the store has changed: the page asks it now and then
    POST /api/draw   {chosen}    the workbook in the state that was chosen
    POST /api/query  {kql}       the answer to a query
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from acrtm.view import files
from acrtm.view.asking import BadRequest, chosen_in, query_in
from acrtm.view.cells import cell
from acrtm.view.drawing import Drawing
from acrtm.view.guard import guard, own_hosts
from embedded import EmbeddedStore
from embedded.columns import findings_table
from embedded.errors import EmbeddedError, QueryError
from embedded.store import StoreReader
from embedded.workbook import Workbook
from shared.evidence.lookups import utc_now

HOST: Final = "127.0.0.1"
_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
_LARGEST_BODY: Final = 1_000_000
_MOST_ROWS: Final = 10_000
# Nobody can write findings while a query reads them, so one that doesn't end must not keep the demo or a sweep waiting.
_QUERY_SECONDS: Final = 30.0
# What is still being answered when the server ends: after this nobody waits for it.
_ENDING_SECONDS: Final = 2.0


class Server:
    """Serves one store until it is closed."""

    def __init__(self, store: EmbeddedStore, workbook: Workbook) -> None:
        self.store = store
        self._workbook = workbook
        self._runner: web.AppRunner | None = None
        self._asked: set[StoreReader] = set()
        self.port = 0

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://{HOST}:{self.port}/"

    async def start(self, port: int = 0) -> None:
        """Listens on loopback; on a free port unless one is named. Raises OSError if that one is taken."""
        app = web.Application(middlewares=[guard(lambda: own_hosts(self.port))], client_max_size=_LARGEST_BODY)
        app.router.add_get("/", self._page)
        app.router.add_get("/page/{name}", self._own)
        app.router.add_get("/libraries/{name}", self._library)
        app.router.add_get("/api/schema", self._schema)
        app.router.add_get("/api/version", self._version)
        app.router.add_post("/api/draw", self._draw)
        app.router.add_post("/api/query", self._query)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_ENDING_SECONDS)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, port)
        try:
            await site.start()
        except OSError:
            await self.close()
            raise
        self.port = int(self._runner.addresses[0][1])

    @property
    def queries(self) -> int:
        """How many queries of the query tab are being answered."""
        return len(self._asked)

    async def warm_up(self) -> None:
        """Draws once for nobody: translating the workbook's queries takes longer than answering them."""
        with contextlib.suppress(EmbeddedError):  # whoever opens the page is told
            await asyncio.to_thread(self._drawn, {"chosen": {}})

    async def close(self) -> None:
        """Stops listening, and ends queries that still run: their threads would keep the process from ending."""
        await asyncio.to_thread(self._end_queries)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _page(self, _request: web.Request) -> web.Response:
        return _file("index.html", files.page_file("index.html"))

    async def _own(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in {path.name for path in files.PAGE.iterdir()}:
            raise web.HTTPNotFound
        return _file(name, files.page_file(name))

    async def _library(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in files.LIBRARIES:
            raise web.HTTPNotFound
        return _file(name, await asyncio.to_thread(files.library, name))

    async def _schema(self, _request: web.Request) -> web.Response:
        table = findings_table()
        columns = [{"name": column.name, "type": column.type} for column in table.columns]
        queries = [{"name": query.name, "kql": query.kql} for query in files.shipped_queries()]
        return _json({"table": table.name, "columns": columns, "queries": queries})

    async def _version(self, _request: web.Request) -> web.Response:
        return _json({"version": await asyncio.to_thread(version_of, self.store.path)})

    async def _draw(self, request: web.Request) -> web.Response:
        return await self._answered(request, self._drawn)

    def _drawn(self, body: object) -> dict[str, Any]:
        chosen = chosen_in(body)
        # Before the drawing: what is written meanwhile is then seen as a change, and never missed.
        version = version_of(self.store.path)
        with self.store.reading() as reader:
            return Drawing(self._workbook, reader, utc_now()).draw(chosen) | {"version": version}

    async def _query(self, request: web.Request) -> web.Response:
        return await self._answered(request, lambda body: self._answer(query_in(body)))

    def _answer(self, kql: str) -> dict[str, Any]:
        with self.store.reading() as reader, self._limited(reader):
            result = reader.query(kql)
        return {
            "columns": [{"name": name, "type": kind} for name, kind in result.columns],
            "rows": [[cell(value) for value in row] for row in result.rows[:_MOST_ROWS]],
            "left": max(0, len(result.rows) - _MOST_ROWS),
        }

    def _end_queries(self) -> None:
        # Again and again: one that is still being translated has nothing yet that could be interrupted.
        while self._asked:
            for reader in tuple(self._asked):
                reader.interrupt()
            time.sleep(0.02)

    @contextlib.contextmanager
    def _limited(self, reader: StoreReader) -> Iterator[None]:
        """Ends what ``reader`` is asked in the block when it takes too long, and when the server ends."""
        timer = threading.Timer(_QUERY_SECONDS, reader.interrupt)
        timer.start()
        self._asked.add(reader)
        try:
            yield
        finally:
            self._asked.discard(reader)
            timer.cancel()
            timer.join()

    async def _answered(self, request: web.Request, answer: Callable[[object], dict[str, Any]]) -> web.Response:
        """What ``answer`` makes of the request's JSON, in a thread; what went wrong is said in words."""
        sent = await request.read()
        try:
            body = json.loads(sent)
        except (ValueError, RecursionError):
            return _json({"error": "that is no JSON"}, status=400)
        try:
            return _json(await asyncio.to_thread(answer, body))
        except (BadRequest, QueryError) as error:
            return _json({"error": str(error)}, status=400)
        except EmbeddedError as error:
            return _json({"error": str(error)}, status=503)


def version_of(path: Path | None) -> str:
    """Something that is another one after each write to the store's file."""
    if path is None:
        return ""
    try:
        found = path.stat()
    except FileNotFoundError:
        return ""
    return f"{found.st_mtime_ns}-{found.st_size}"


def _file(name: str, text: str) -> web.Response:
    return web.Response(text=text, content_type=_TYPES[Path(name).suffix], charset="utf-8")


def _json(document: dict[str, Any], status: int = 200) -> web.Response:
    return web.json_response(document, status=status)
