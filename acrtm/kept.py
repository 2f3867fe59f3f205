"""The findings of a command: held for printing, and kept in the embedded store unless told otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shared.findings.finding import Finding, Row
from shared.times import iso

if TYPE_CHECKING:
    from embedded import EmbeddedStore

_OPEN: Final = """
AcrTransferFindings_CL
| extend Met = iff(State == "Resolved", datetime(null), iff(isnull(RunStartTime), TimeGenerated, RunStartTime))
| summarize arg_max(TimeGenerated, *), LastMet = max(Met), Runs = make_set(RunId) by FindingKey
| where State in ("Open", "Muted")
"""


@dataclass(frozen=True, slots=True)
class OpenRow:
    """The newest row of a condition that the store calls open, as it was written.

    ``last_met`` is when it was last seen, or when the last run began that was: people look at runs in any order.
    ``runs`` are all runs that it was ever found at.
    """

    row: Row
    last_met: str
    runs: frozenset[str]


class KeptFindings:
    """A :class:`~shared.sinks.logs.FindingLog` over the embedded store; without a store it only remembers.

    A store that fails halfway takes nothing away from what was found: ``problem`` says so afterwards.
    """

    def __init__(self, store: EmbeddedStore | None) -> None:
        self._store = store
        self.findings: list[Finding] = []
        self.problem = ""

    @property
    def place(self) -> str:
        """Where the findings are kept; empty if nowhere."""
        return str(self._store.path or "memory") if self._store is not None and not self.problem else ""

    async def write(self, findings: Sequence[Finding]) -> None:
        """Keeps the findings."""
        self.findings += findings
        await self.write_rows([finding.to_row() for finding in findings])

    async def write_rows(self, rows: Sequence[Row]) -> None:
        """Keeps rows that were findings before."""
        from embedded import EmbeddedError

        if self._store is None or self.problem:
            return
        try:
            await asyncio.to_thread(self._store.append, rows)
        except EmbeddedError as error:
            self.problem = str(error)

    async def open_rows(self) -> list[OpenRow]:
        """What the store calls open."""
        from embedded import EmbeddedError

        if self._store is None or self.problem:
            return []
        try:
            answer = await asyncio.to_thread(self._store.query, _OPEN)
        except EmbeddedError as error:
            self.problem = str(error)
            return []
        return [_open_row(row) for row in answer.dicts()]


def _open_row(found: Mapping[str, object]) -> OpenRow:
    row = {name: iso(value) if isinstance(value, datetime) else value for name, value in found.items()}
    last_met, runs = str(row.pop("LastMet")), row.pop("Runs")
    del row["Met"]
    return OpenRow(row, last_met, frozenset(map(str, runs if isinstance(runs, list) else ())))
