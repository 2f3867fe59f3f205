"""``acrtm query``: KQL over the findings on this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from acrtm.answering import answering
from acrtm.exits import ExitCode, Problem, WrongUsage

if TYPE_CHECKING:
    from embedded import EmbeddedStore


# What shipped queries are called: words with a hyphen between them, which is no KQL of ours.
_NAME: Final = re.compile(r"[a-z]+(?:-[a-z]+)+|runs")


def query(kql: str, *, output: str) -> int:
    """Answers a query that is shipped, stands in a file or in the argument itself."""
    with answering(output) as out:
        text = _text(kql)
        store = _store()
        out.answer(store.query(text))
    return int(ExitCode.OK)


def _text(kql: str) -> str:
    """The query; what ends like a file but is none is no query either."""
    wanted = kql.strip()
    if not wanted:
        raise WrongUsage("The query is empty.", "For example:", "acrtm query 'AcrTransferFindings_CL | take 10'")
    if "\n" in wanted or "|" in wanted:
        return kql
    file = Path(wanted)
    try:
        if file.is_file():
            return file.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        raise WrongUsage(f"{wanted[:200]} can't be read: {error}.") from None
    if file.suffix.lower() == ".kql":
        raise WrongUsage(f"There is no file {wanted[:200]}.")
    return _shipped(wanted) if _NAME.fullmatch(wanted) else kql


def _shipped(name: str) -> str:
    from acrtm.view.files import shipped_queries

    shipped = {query.name: query.kql for query in shipped_queries()}
    if name not in shipped:
        raise WrongUsage(f"There is no query '{name[:200]}', but {', '.join(shipped) or 'none at all'}.")
    return shipped[name]


def _store() -> EmbeddedStore:
    """The store, which is not made by asking it: an empty answer would read as 'nothing is wrong'."""
    from embedded import EmbeddedStore, default_path

    path = default_path()
    if path.exists():
        store = EmbeddedStore.open(path)
        if store.count():
            return store
    raise Problem(
        f"There are no findings in {path} yet.",
        "Look at something first, or see the demo (or name another file in ACRTM_STORE):",
        "acrtm sweep",
        code=ExitCode.NOT_CHECKED,
    )
