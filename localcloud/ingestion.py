"""A fake of the Logs Ingestion API with one data collection rule: what it checks, and what it does to rows.

The rows that the service would take end up in `rows` and, if there is one, in the embedded store. What the
service would change without a word (columns dropped, values lost, strings cut, times replaced) is remembered
in lists, so that a test can ask for them to be empty.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

from embedded.columns import Column, Table, findings_table, stored_value
from embedded.errors import RowError, StoreError
from shared.times import iso, parse_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from embedded.store import EmbeddedStore
    from localcloud.service import Caller
    from localcloud.world import World

API_VERSION = "2023-01-01"
HOST_SUFFIX = ".ingest.monitor.azure.com"
BODY_LIMIT = 1024 * 1024
FIELD_LIMIT = 64 * 1024
PUBLISH_ROWS = "Microsoft.Insights/Telemetry/Write"
"""The data action of Monitoring Metrics Publisher that the upload needs on the rule."""

_OLDEST = timedelta(days=2)
_FURTHEST_AHEAD = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DataCollectionRule:
    """The rule that rows are sent to: by its immutable id, with the rights on its resource."""

    immutable_id: str
    resource_id: str


class LogsIngestion:
    """The service behind one host of `*.ingest.monitor.azure.com`, or behind all of them without a `host`.

    rows             the rows taken, as they are stored; only the newest `keep` of them if that is given
    dropped_columns  columns that the stream lacks, whose values were dropped
    type_errors      values that don't fit their column, stored as null: what was wrong with them
    cut_columns      columns of which a value over 64 KB was cut
    replaced_times   TimeGenerated values that gave way to the time of receipt
    """

    name = "ingestion"

    @classmethod
    def for_world(cls, world: World, **options: Any) -> Self:
        """With the host and the rule that `world` names; `options` as for the class."""
        rule = DataCollectionRule(world.dcr_immutable_id, world.dcr_id)
        return cls(rule, host=world.ingestion_host, **options)

    def __init__(
        self,
        rule: DataCollectionRule,
        *,
        host: str | None = None,
        store: EmbeddedStore | None = None,
        table: Table | None = None,
        keep: int | None = None,
        audience: str = "https://monitor.azure.com",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.rule = rule
        self.store = store
        self.table = table or findings_table()
        self.rows: list[dict[str, Any]] = []
        self.dropped_columns: set[str] = set()
        self.type_errors: list[str] = []
        self.cut_columns: list[str] = []
        self.replaced_times: list[str] = []
        self._keep = keep
        self.host = host
        self._audience = audience
        self._clock = clock
        self._waiting: list[dict[str, Any]] = []
        self._writing = asyncio.Lock()

    def owns(self, host: str) -> bool:
        return host == self.host if self.host else host.endswith(HOST_SUFFIX)

    async def handle(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        refused = self._refused(request, caller)
        if refused is not None:
            return refused
        try:
            uploaded = _json_array(await _body(request))
        except _Refused as refusal:
            return refusal.answer
        rows = [self._received(row) for row in uploaded]
        self.rows.extend(rows)
        if self._keep is not None:
            del self.rows[: max(0, len(self.rows) - self._keep)]
        try:
            await self._keep_in_store(rows)
        except StoreError as error:
            return _error(503, "ServiceUnavailable", str(error))
        return web.Response(status=204)

    def _refused(self, request: web.Request, caller: Caller) -> web.Response | None:
        """The checks that need no body."""
        if caller.anonymous:
            return _error(401, "AuthenticationFailed", caller.token_problem or "A bearer token is required.")
        if not caller.has_audience(self._audience):
            return _error(403, "AuthorizationFailed", f"The token's audience is not {self._audience}.")
        parts = request.path.split("/")
        if len(parts) != 5 or (parts[1].lower(), parts[3].lower()) != ("datacollectionrules", "streams"):
            return _error(404, "NotFound", f"There is no {request.path}.")
        if request.method != "POST":
            return _error(405, "MethodNotAllowed", f"{request.method} is not supported.")
        if request.query.get("api-version") != API_VERSION:
            return _error(400, "InvalidApiVersion", f"The api-version has to be {API_VERSION}.")
        if parts[2] != self.rule.immutable_id:
            return _error(404, "NotFound", f"Data collection rule with immutable Id '{parts[2]}' not found.")
        if not caller.may(PUBLISH_ROWS, self.rule.resource_id, data_action=True):
            return _error(
                403,
                "OperationFailed",
                "The authentication token provided does not have access to ingest data for the data "
                f"collection rule with immutable Id '{parts[2]}'.",
            )
        if parts[4] != self.table.stream:
            return _error(
                404, "InvalidStream", f"The stream {parts[4]} was not configured in the data collection rule."
            )
        return None

    def _received(self, uploaded: dict[str, Any]) -> dict[str, Any]:
        """One row as the table would hold it."""
        columns = {column.name: column for column in self.table.columns}
        self.dropped_columns |= uploaded.keys() - columns.keys()
        row = {name: self._value(columns[name], value) for name, value in uploaded.items() if name in columns}
        if "TimeGenerated" in columns:
            row["TimeGenerated"] = self._time_generated(row.get("TimeGenerated"))
        return row

    def _value(self, column: Column, value: Any) -> Any:
        try:
            stored_value(column, value)
        except RowError as error:
            self.type_errors.append(str(error))
            return None
        if column.type not in {"string", "dynamic"} or value is None:
            return value
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        encoded = text.encode("utf-8", "replace")
        if len(encoded) <= FIELD_LIMIT:
            return value
        self.cut_columns.append(column.name)
        return encoded[:FIELD_LIMIT].decode("utf-8", "ignore")

    def _time_generated(self, given: str | None) -> str:
        now = self._clock()
        moment = parse_time(given)
        if given is not None and moment is not None and now - _OLDEST <= moment <= now + _FURTHEST_AHEAD:
            return given
        if given is not None:
            self.replaced_times.append(given)
        return iso(now) or ""

    async def _keep_in_store(self, rows: Iterable[dict[str, Any]]) -> None:
        """Write the rows before the answer, so that whoever got the answer can ask for them.

        Opening the file costs more than writing a few rows, so requests that arrive during a write share the
        next one: whoever gets the lock first writes what all of them have put down, the rest find it done.
        """
        if self.store is None:
            return
        self._waiting.extend(rows)
        async with self._writing:
            batch, self._waiting = self._waiting, []
            if not batch:
                return
            try:
                await asyncio.to_thread(self.store.append, batch)
            except StoreError:
                # The others whose rows these are have to see that they weren't written.
                self._waiting = batch + self._waiting
                raise


class _Refused(Exception):
    """An answer on its way up."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.answer = _error(status, code, message)


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status)


_TOO_LARGE = (413, "ContentLengthLimitExceeded", "Maximum allowed content length: 1048576 bytes (1 MB).")


async def _body(request: web.Request) -> bytes:
    """The decompressed body. 1 MB is the limit before and after decompression."""
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if encoding not in {"gzip", "identity"}:
        raise _Refused(415, "UnsupportedMediaType", f"Content-Encoding {encoding} is not supported.")
    if (request.content_length or 0) > BODY_LIMIT:
        raise _Refused(*_TOO_LARGE)
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:  # the server in front has a limit of its own
        raise _Refused(*_TOO_LARGE) from None
    # Depending on how it is set up, the server in front has decompressed the body already.
    if encoding == "gzip" and body.startswith(b"\x1f\x8b"):
        if len(body) > BODY_LIMIT:
            raise _Refused(*_TOO_LARGE)
        body = _decompressed(body)
    if len(body) > BODY_LIMIT:
        raise _Refused(*_TOO_LARGE)
    return body


def _decompressed(body: bytes) -> bytes:
    # Bounded: a few KB of gzip can hold gigabytes.
    decompressor = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        data = decompressor.decompress(body, BODY_LIMIT + 1)
    except zlib.error:
        raise _Refused(400, "InvalidRequest", "The body is not valid gzip.") from None
    if not decompressor.eof and len(data) <= BODY_LIMIT:
        raise _Refused(400, "InvalidRequest", "The gzip body ends too early.")
    return data


def _json_array(body: bytes) -> list[dict[str, Any]]:
    try:
        # Python's parser takes NaN and Infinity, JSON has neither.
        rows = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise _Refused(400, "InvalidRequest", "The body is not valid JSON.") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _Refused(400, "InvalidRequest", "The body has to be a JSON array of objects.")
    return rows


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
