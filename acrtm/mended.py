"""What the embedded store still calls open, and a look of today has found gone, is written once more: as resolved.

A command begins without a memory of conditions, so those that the store holds are put into it, and the sweep's own
judgement of what ends a condition is asked.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from acrtm.kept import KeptFindings
from shared.findings.finding import Row
from shared.monitor import Monitor
from shared.recorder import RUN_FAILED
from shared.sinks.condition_records import Telling, condition_key, label
from shared.sweep_conditions import ConditionSweep, resolved_because
from shared.sweep_facts import SweepFacts


async def resolve_kept(monitor: Monitor, log: KeptFindings, facts: SweepFacts) -> int:
    """Resolves what is kept as open and is over, by what a look has learnt; gives the number.

    A sweep asks for what is about its registries and seems to be gone. A single look asks for nothing more.
    """
    # A sweep by hand has no marks and finds each failed run anew. Its look at the pipeline comes later, and counts.
    facts = replace(facts, unhealthy=facts.unhealthy - facts.healthy)
    now = datetime.now(UTC)
    swept = {registry.lower() for registry in facts.monitored_registries or ()}
    for row in await log.open_rows():
        key, record = str(row["FindingKey"]), _record(row)
        in_reach = str(row["RegistryId"]).lower() in swept
        if row["RuleId"] != RUN_FAILED and (in_reach or resolved_because(record, key, facts, now)):
            # What this command has opened itself is there already, and stays as it is.
            await monitor.state.create(condition_key(key), record, label(record))
    conditions = ConditionSweep(monitor, facts, now, watches_all=False)
    await conditions.sweep()
    return conditions.resolved


def _record(row: Row) -> dict[str, Any]:
    return {
        "findingKey": row["FindingKey"],
        "ruleId": row["RuleId"],
        "openedAt": row["TimeGenerated"],
        "alert": str(Telling.NONE),
        "row": dict(row),
    }
