"""Searches what the suite wrote for every secret that a local cloud has issued.

A secret is a SAS signature, an access token, an account key or the identity endpoint's header. Looked at are the
rows, the alerts and the state that the product wrote, the texts of log records, and what a test printed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from localcloud import LocalCloud

# Shorter texts would be found in anything.
_SHORTEST: Final = 12
# No secret begins with a blank or has one among its first characters.
_RUN: Final = re.compile(rf"\S{{{_SHORTEST},}}")
_STATE: Final = ("monitorstate", "acr-transfer-monitor")


class SecretsSeen:
    """Every secret of the session, gathered as the clouds close.

    There are thousands of them, and each is looked for in whatever thousands of tests have written: so texts are
    walked through once, and not once for each secret.
    """

    def __init__(self) -> None:
        self.secrets: set[str] = set()
        self._by_beginning: dict[str, set[str]] = {}

    def add(self, secrets: Iterable[str]) -> None:
        """Remembers secrets that are long enough to be told from other text."""
        for secret in secrets:
            if len(secret) >= _SHORTEST:
                self.secrets.add(secret)
                self._by_beginning.setdefault(secret[:_SHORTEST], set()).add(secret)

    def found_in(self, text: str) -> list[str]:
        """The beginnings of the secrets that stand in ``text``."""
        found = {
            secret
            for run in _RUN.finditer(text)
            for at in range(run.start(), run.end() - _SHORTEST + 1)
            for secret in self._by_beginning.get(text[at : at + _SHORTEST], ())
            if text.startswith(secret, at)
        }
        return [f"{secret[:6]}…" for secret in sorted(found)]


async def written_by_the_product(cloud: LocalCloud) -> str:
    """The rows, alerts and state records in a cloud, as one text."""
    written: list[Any] = []
    for name, attribute in (("ingestion", "rows"), ("topic", "published")):
        try:
            written.append(list(getattr(cloud.service(name), attribute)))
        except (KeyError, LookupError, StopIteration):
            continue
    state = await cloud.stored(*_STATE)
    return json.dumps(written, default=str) + "".join(record.decode("utf-8", "replace") for record in state.values())


def sections_of(report: Any) -> Iterator[str]:
    """What a test printed and logged."""
    for title, text in report.sections:
        if "log" in title.lower() or "std" in title.lower():
            yield text
