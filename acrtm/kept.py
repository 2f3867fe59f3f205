"""The findings of a command: held for printing, and kept in the embedded store unless told otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shared.findings.finding import Finding, Row
from shared.times import iso

if TYPE_CHECKING:
    from embedded import EmbeddedStore

_OPEN: Final = """
AcrTransferFindings_CL
| summarize arg_max(TimeGenerated, *) by FindingKey
| where State in ("Open", "Muted")
"""


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

    async def open_rows(self) -> list[Row]:
        """The newest row of each condition that the store calls open, as it was written."""
        from embedded import EmbeddedError

        if self._store is None or self.problem:
            return []
        try:
            answer = await asyncio.to_thread(self._store.query, _OPEN)
        except EmbeddedError as error:
            self.problem = str(error)
            return []
        return [
            {name: iso(value) if isinstance(value, datetime) else value for name, value in row.items()}
            for row in answer.dicts()
        ]
