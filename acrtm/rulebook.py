"""The catalogue on the command line: ``acrtm rules`` and ``acrtm explain``."""

from __future__ import annotations

from acrtm.answering import answering
from acrtm.exits import ExitCode, WrongUsage
from acrtm.pages import known_rule
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Area, Severity


def list_rules(*, area: str, severity: str, output: str) -> int:
    """``acrtm rules``."""
    with answering(output) as out:
        wanted = _area(area) if area else None
        least = _severity(severity) if severity else Severity.INFO
        out.rules([r for r in CATALOGUE.values() if (wanted is None or r.area is wanted) and r.severity >= least])
    return int(ExitCode.OK)


def explain(rule: str, *, output: str) -> int:
    """``acrtm explain``."""
    with answering(output) as out:
        out.page(known_rule(rule))
    return int(ExitCode.OK)


def _area(text: str) -> Area:
    known = {area.lower(): area for area in Area}
    if text.lower() not in known:
        raise WrongUsage(f"There is no area '{text[:80]}', but {', '.join(Area)}.")
    return known[text.lower()]


def _severity(text: str) -> Severity:
    known = {severity.label.lower(): severity for severity in Severity}
    if text.lower() not in known:
        raise WrongUsage(f"There is no severity '{text[:80]}', but {', '.join(s.label for s in Severity)}.")
    return known[text.lower()]
