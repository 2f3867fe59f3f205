"""The sweep's second look at registries that kept the monitor from looking at a run's artifacts.

No look at a pipeline asks the registry's data plane, so none of them tells whether the way there is open by now. The
run that met the closed door is looked at again, as far as its evidence goes: whether the same gap opens.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from shared.errors import Gone, ServiceError
from shared.findings.builder import FindingBuilder, Occasion, TriggeredBy
from shared.monitor import Monitor
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Area
from shared.sinks.condition_records import row_of
from shared.sinks.rhythms import Rhythms
from shared.sweep_facts import SweepFacts

CANNOT_CHECK: Final = "ACRT901"
# While the run is younger than a day, what it left out is looked at again anyway, more often than this.
EVERY: Final = timedelta(hours=6)


def is_about_artifacts(row: Mapping[str, Any]) -> bool:
    """Whether a row says that only rules about artifacts were left open."""
    evidence = row.get("Evidence")
    rules = evidence.get("rules") if isinstance(evidence, Mapping) else None
    known = [CATALOGUE.get(str(rule_id)) for rule_id in rules] if isinstance(rules, list) else []
    return bool(known) and all(rule is not None and rule.area is Area.ARTIFACTS for rule in known)


async def sweep_reach(monitor: Monitor, facts: SweepFacts, now: datetime) -> None:
    """Learns which of these gaps are closed. Raises :class:`~shared.errors.NotStored`."""
    rhythms = Rhythms(monitor.state, "reach")
    await rhythms.load()
    for condition in await monitor.conditions.everything():
        key = condition.finding_key
        if condition.rule_id != CANNOT_CHECK or key in facts.unhealthy or not rhythms.is_due(key, EVERY, now):
            continue
        stored = await monitor.conditions.read(condition)
        row = row_of(stored.record) if stored is not None else {}
        if not is_about_artifacts(row) or not row.get("RunId"):
            continue
        await rhythms.note(key, now)
        still = await _still_open(monitor, str(row["RunId"]), key)
        if still is not None:
            (facts.unhealthy if still else facts.healthy).add(key)


async def _still_open(monitor: Monitor, run_id: str, key: str) -> bool | None:
    """Whether the run's look meets the same gap; ``None`` if that can't be told for now."""
    try:
        diagnosis = await monitor.diagnose(run_id)
    except Gone:
        return False
    except ServiceError:
        return None
    if key in FindingBuilder(diagnosis, Occasion(TriggeredBy.SWEEP)).conditions():
        return True
    return None if any(missing.passing for missing in diagnosis.open_rules) else False
