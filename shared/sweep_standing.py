"""The sweep's word on conditions that last: twice a day each is written once more, as it stands.

Some conditions are found once and then only end: a run failed, and nobody looks at it again until a later one
succeeds. An alert rule sees two days of rows at most, so without a newer row it would call the condition resolved
on the third day. What this sweep has just found has its row already.

What was told before somebody muted it is shown as muted, and as open again when the mute has ended or is lifted. So
all conditions are also said once more when other mutes hold than the last time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.findings.finding import Row, State
from shared.monitor import Monitor
from shared.mutes import as_muted, mark_of, row_muted_by
from shared.settings import Mute
from shared.sinks.condition_records import Condition, Telling, row_of, telling_of
from shared.sinks.rhythms import Rhythms
from shared.sinks.state_store import Stored
from shared.sweep_facts import SweepFacts
from shared.times import iso, parse_time

# Leaves out what opened since the last time: no row is older than a day then, and two times may be missed.
EVERY: Final = timedelta(hours=12)
_WHAT: Final = "conditions"
# Which mutes held when everything was last said.
_MUTES: Final = "sweep/mutes.json"
_AT_ONCE: Final = 32


async def say_what_stands(monitor: Monitor, facts: SweepFacts, now: datetime) -> int:
    """Writes the rows if they are due; gives their number. Raises :class:`~shared.errors.NotStored`."""
    rhythms = Rhythms(monitor.state, "standing")
    await rhythms.load()
    said = await monitor.state.read(_MUTES)
    marks = sorted({mark_of(mute) for mute in monitor.settings.mutes if mute.until > now})
    changed = marks != (said.record.get("mutes") if said is not None else [])
    if not changed and not rhythms.is_due(_WHAT, EVERY, now):
        return 0
    standing = [
        condition
        for condition in await monitor.conditions.everything()
        if condition.finding_key not in facts.unhealthy and (changed or _lasts(condition, now))
    ]
    for start in range(0, len(standing), _AT_ONCE):
        await _say(monitor, standing[start : start + _AT_ONCE], now)
    await rhythms.note(_WHAT, now)
    if changed:
        await _remember(monitor, marks, said)
    return len(standing)


async def _remember(monitor: Monitor, marks: list[str], said: Stored | None) -> None:
    """Losing this to another sweep does no harm: what stands is said once more."""
    if said is None:
        await monitor.state.create(_MUTES, {"mutes": marks})
    else:
        await monitor.state.replace(_MUTES, {"mutes": marks}, said.etag)


def _lasts(condition: Condition, now: datetime) -> bool:
    return condition.opened_at is None or now - condition.opened_at >= EVERY


async def _say(monitor: Monitor, conditions: list[Condition], now: datetime) -> None:
    records = await asyncio.gather(*(monitor.conditions.read(condition) for condition in conditions))
    # One that was closed meanwhile has its own last row.
    await monitor.recorder.write_rows(
        [standing_row(stored, monitor.settings.mutes, now) for stored in records if stored]
    )


def standing_row(stored: Stored, mutes: Sequence[Mute], now: datetime) -> Row:
    """The row of an open condition as it stands: the same occurrence, said again."""
    row = row_of(stored.record)
    mute = row_muted_by(row, mutes, now)
    muted = telling_of(stored.record) is Telling.MUTED
    expires_on = parse_time(row.get("ExpiresOn"))
    if expires_on is not None:
        row["DaysToExpiry"] = round((expires_on - now).total_seconds() / 86_400, 3)
    row |= {"TimeGenerated": iso(now), "State": str(State.MUTED if muted else State.OPEN)}
    return row if mute is None else as_muted(row, mute)
