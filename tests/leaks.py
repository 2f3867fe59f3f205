"""Searches what the suite wrote for every secret that a local cloud has issued.

A secret is a SAS signature, an access token, an account key or the identity endpoint's header. Looked at are the
rows, the alerts and the state that the product wrote, the texts of log records, what a test printed, and all that a
command wrote: its output, the rows in its store, and other files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import duckdb

from localcloud import LocalCloud

# Shorter texts would be found in anything.
_SHORTEST: Final = 12
# No secret begins with a blank or has one among its first characters.
_RUN: Final = re.compile(rf"\S{{{_SHORTEST},}}")
_STATE: Final = ("monitorstate", "acr-transfer-monitor")
# Behind a checksum of eight bytes.
_DUCKDB: Final = b"DUCK"


class SecretWritten(AssertionError):
    """The product wrote a secret."""


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


def search(cloud: LocalCloud, written: Mapping[str, str]) -> None:
    """Looks for every secret of a cloud in what was written, by the names of the places; also where a line broke it.

    A table is folded to the width of the terminal, so each text is looked through a second time without its blanks.
    """
    issued = SecretsSeen()
    issued.add(cloud.issued_secrets)
    leaked = {
        place: found
        for place, text in written.items()
        if (found := sorted({*issued.found_in(text), *issued.found_in("".join(text.split()))}))
    }
    if leaked:
        raise SecretWritten(f"the product wrote secrets: {leaked}")


@contextmanager
def searched(cloud: LocalCloud, folder: Path) -> Iterator[dict[str, str]]:
    """Around a command: what it printed is to be put into the dictionary; what it writes below the folder is found."""
    before = _stamps(folder)
    printed: dict[str, str] = {}
    yield printed
    changed = [path for path, stamp in _stamps(folder).items() if before.get(path) != stamp]
    search(cloud, printed | {str(path.relative_to(folder)): text_of(path) for path in changed})


def outputs(out: str, err: str) -> dict[str, str]:
    """What a command printed, by the names of the places."""
    return {"standard output": out, "standard error": err}


def text_of(path: Path) -> str:
    """What a file says; of a store its rows, whose texts are compressed in the file itself."""
    content = path.read_bytes()
    if content[8:12] != _DUCKDB:
        return content.decode("utf-8", "replace")
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute("SELECT table_name FROM duckdb_tables() WHERE NOT internal").fetchall()
        return "\n".join(str(connection.table(name).fetchall()) for (name,) in tables)


def _stamps(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """What changes when a file does."""
    found = ((path, path.stat()) for path in folder.rglob("*") if path.is_file())
    return {path: (status.st_ino, status.st_size, status.st_mtime_ns) for path, status in found}
