"""Query files as the workbook needs them: the parameters of the workbook in the places of the files' own.

The files in infra/queries begin with a comment, then one `let name = default;` for each parameter, and read the
table on a line of its own. So there is one way in which each of them is narrowed down:

    let lookback = 7d;                         (gone)
    let grain = 1h;                            let grain = {TimeRange:grain};
    AcrTransferFindings_CL                     AcrTransferFindings_CL
                                               | where <the row is of the chosen registries and pipelines>
    | where TimeGenerated > ago(lookback)      | where TimeGenerated {TimeRange}

Which of these a query gets depends on what it asks. What is open now is open whatever the time range says; such
queries keep their lookback.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[2] / "infra" / "queries"
TABLE: Final = "AcrTransferFindings_CL"

# A parameter that is not set leaves the list empty, and all is shown. `*` stands for all.
_CHOSEN: Final = "let Chosen{name} = dynamic([{{{name}}}]);"
# A row that names no registry (the monitor's own, for instance) concerns every one of them.
_FILTER: Final = (
    "| where array_length(Chosen{name}) == 0 or '*' in (Chosen{name}) or isempty({name}Name)"
    " or {name}Name in (Chosen{name})"
)


def query_text(
    name: str,
    *,
    ranged: str = "",
    given: Mapping[str, str] | None = None,
    chosen: tuple[str, ...] = ("Registry", "Pipeline"),
    then: str = "",
) -> str:
    """The query of the file `name` below infra/queries, with the workbook's tokens.

    `ranged` names the file's parameter that the workbook's time range takes the place of, `given` has KQL for its
    other parameters, `chosen` names the drop-downs that narrow the rows, and `then` is added at the end.
    """
    text = (FOLDER / f"{name}.kql").read_text("utf-8").strip()
    if ranged:
        text = _without(name, text, f"^let {ranged} = [^;]+;\n", "")
        text = _without(name, text, rf" > ago\({ranged}\)", " {TimeRange}")
    for parameter, kql in (given or {}).items():
        text = _without(name, text, f"^let {parameter} = [^;]*;", f"let {parameter} = {kql};")
    filters = "\n".join((TABLE, *(_FILTER.format(name=one) for one in chosen)))
    text = _without(name, text, f"^{TABLE}$", filters)
    lines = text.split("\n")
    head = next(number for number, line in enumerate(lines) if not line.startswith("//"))
    lets = [_CHOSEN.format(name=one) for one in chosen]
    return "\n".join((*lines[:head], *lets, *lines[head:], *([then] if then else [])))


def _without(name: str, text: str, pattern: str, replacement: str) -> str:
    changed, times = re.subn(pattern, lambda _: replacement, text, flags=re.MULTILINE)
    if not times:
        raise ValueError(f"infra/queries/{name}.kql has nothing like {pattern!r}")
    return changed
