"""What the embedded store still calls open, and a look of today has found over, is written once more: as resolved.

A command begins without a memory of conditions, so those that the store holds are put into it, and the sweep's own
judgement of what ends a condition is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from acrtm.kept import KeptFindings, OpenRow
from acrtm.learnt import Learnt
from shared.diagnosis.diagnose import Role
from shared.evidence.model import Look
from shared.findings.finding import Finding, Row
from shared.monitor import Monitor
from shared.rules.catalogue import CANNOT_CHECK, CATALOGUE
from shared.rules.model import Subject
from shared.sinks.condition_records import Telling, condition_key, label, resolved_row
from shared.sweep_conditions import ConditionSweep, resolved_because
from shared.sweep_facts import SweepFacts
from shared.times import iso


async def resolve_kept(monitor: Monitor, log: KeptFindings, learnt: Learnt) -> int:
    """Resolves what is kept as open and is over, by what a command has learnt; gives the number.

    A sweep asks for what is about its registries and seems to be gone. A single look asks for nothing more.
    """
    everything, now = await log.open_rows(), datetime.now(UTC)
    facts = _as_judged(learnt, log.findings, everything)
    swept = {registry.lower() for registry in facts.monitored_registries or ()}
    found = {finding.finding_id for finding in log.findings}
    over: list[Row] = []
    for kept in everything:
        why = _over_at_its_run(kept, learnt, found)
        if why:
            over.append(resolved_row({"row": kept.row}, now, why))
            continue
        record = _record(kept)
        in_reach = str(kept.row["RegistryId"]).lower() in swept
        if in_reach or resolved_because(record, str(kept.row["FindingKey"]), facts, now):
            await _remember(monitor, record)
    await monitor.recorder.write_rows(over)
    conditions = ConditionSweep(monitor, facts, now, watches_all=False)
    await conditions.sweep()
    return conditions.resolved + len(over)


def _as_judged(learnt: Learnt, findings: Sequence[Finding], kept: Sequence[OpenRow]) -> SweepFacts:
    """The facts as a next sweep would have them, which knows the runs that this one has found failed.

    A command has no marks of runs, so a sweep by hand finds each failed one anew, also where all is in order by now.
    Nor does it know which other blobs wait, of which a look at one says nothing.
    """
    facts = learnt.facts
    alive = {one.finding_key for one in findings if not one.run_id}
    at_runs = {one.finding_key for one in findings} - alive
    failing = {one.finding_key for one in findings if not _is_left_behind(one, facts)}
    unhealthy = facts.unhealthy - (at_runs & facts.healthy) - (at_runs - failing)
    of_other_blobs = {str(one.row["FindingKey"]) for one in kept if _is_any_blobs(one.row, learnt.triggered)}
    return replace(facts, unhealthy=unhealthy, healthy=facts.healthy - of_other_blobs)


def _is_any_blobs(row: Row, triggered: frozenset[str]) -> bool:
    """Whether it is the fault of a pipeline for as long as any blob waits, which no trigger comes for."""
    rule = CATALOGUE.get(str(row["RuleId"]))
    by_blobs = rule is not None and rule.subject is Subject.PIPELINE and rule.looks == {Look.BLOB}
    return by_blobs and row["PipelineId"] not in triggered


def _is_left_behind(finding: Finding, facts: SweepFacts) -> bool:
    success = facts.last_success.get(finding.pipeline_id.lower())
    return success is not None and finding.run_start_time is not None and success > finding.run_start_time


def _over_at_its_run(kept: OpenRow, learnt: Learnt, found: set[str]) -> str:
    """Why what was found at the very run that was diagnosed again is over. Another run may have it still."""
    row, run = kept.row, learnt.run
    if run is None or row["RunId"] != run.id or kept.runs != {run.id}:
        return ""
    if row["RuleId"] == CANNOT_CHECK:
        return "" if row["FindingKey"] in learnt.gaps else "a later look at the run was not kept from it"
    if row["Role"] == Role.ROOT_CAUSE and row["RunStartTime"] == iso(run.began) and row["FindingId"] not in found:
        return "a later look at the run names another cause"
    passed = row["FindingKey"] in learnt.passed and row["FindingId"] not in found
    return "a later look finds it gone" if passed else ""


async def _remember(monitor: Monitor, record: dict[str, Any]) -> None:
    key = condition_key(str(record["findingKey"]))
    if await monitor.state.create(key, record, label(record)) is None:
        # This command has met it, too.
        stored = await monitor.state.read(key)
        if stored is not None:
            met = {**stored.record, "lastFailed": record["lastFailed"]}
            await monitor.state.replace(key, met, stored.etag, label(met))


def _record(kept: OpenRow) -> dict[str, Any]:
    row = kept.row
    return {
        "findingKey": row["FindingKey"],
        "ruleId": row["RuleId"],
        "openedAt": row["TimeGenerated"],
        "alert": str(Telling.NONE),
        "lastFailed": kept.last_met,
        "row": dict(row),
    }
