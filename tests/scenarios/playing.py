"""Plays one scenario and holds what the monitor wrote against what it should have written."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from localcloud import LocalCloud
from shared.errors import MonitorError
from tests.scenarios.loading import Expected, ScenarioFile
from tests.scenarios.stage import Stage, staged

Row = dict[str, Any]
RUN_FAILED: Final = "ACRT101"
CANNOT_CHECK: Final = "ACRT901"
_MEDIUM: Final = 2
_TEXTS: Final = ("Summary", "Recommendation", "FixCommand", "VerifyCommand")


@dataclass(frozen=True, slots=True)
class Played:
    """What the monitor wrote in a scenario."""

    rows: tuple[Row, ...]
    alerts: tuple[str, ...]
    raised: tuple[str, ...]
    leaks: tuple[str, ...]
    written: str

    @property
    def root_causes(self) -> tuple[Row, ...]:
        """The rows that name a root cause, in the order in which they were written."""
        return tuple(row for row in self.rows if row["Role"] == "RootCause" and row["State"] != "Resolved")

    @property
    def root_cause(self) -> str:
        """The last root cause's rule."""
        return str(self.root_causes[-1]["RuleId"]) if self.root_causes else ""

    @property
    def findings(self) -> tuple[str, ...]:
        """Whatever may raise an alert by itself, beside root causes and the failed run's own row."""
        found = {
            row["RuleId"] for row in self.rows if alertable(row) and row["Role"] != "RootCause"
        } - {RUN_FAILED, *(row["RuleId"] for row in self.root_causes)}  # fmt: skip
        return tuple(sorted(found))

    @property
    def label(self) -> str:
        """As :attr:`ScenarioFile.label` has it, of what was found."""
        return self.root_cause or "+".join(self.findings) or "healthy"

    @property
    def false_alarms(self) -> tuple[str, ...]:
        """The rows that would raise an alert where nothing is wrong."""
        return tuple(sorted({row["RuleId"] for row in self.rows if alertable(row)}))


def alertable(row: Row) -> bool:
    """Open, failed or warned, medium or higher, and more than possible."""
    return (
        row["State"] == "Open"
        and row["Outcome"] in {"Fail", "Warn"}
        and row["SeverityRank"] >= _MEDIUM
        and row["Confidence"] != "Possible"
    )


async def play(scenario: ScenarioFile, cloud: LocalCloud) -> Played:
    """Builds the world, breaks it, lets things happen, and gives back what was written."""
    async with staged(cloud, scenario.world) as stage:
        for step in scenario.faults:
            await step.take(stage)
        for step in scenario.actions:
            try:
                await step.take(stage)
            except MonitorError as error:
                stage.raised.append(str(error))
        return _played(stage)


def _played(stage: Stage) -> Played:
    published = [
        str(alert["data"]["RuleId"])
        for alert in stage.topic.published
        if alert["type"] == "AcrTransfer.Finding.Opened"
    ]  # fmt: skip
    written = json.dumps([stage.ingestion.rows, stage.topic.published], default=str)
    secret = stage.cloud.issued_secrets | stage.cloud.world.personal_data
    leaks = [text for text in secret if text and json.dumps(text)[1:-1] in written]
    wrong = [*stage.ingestion.type_errors, *stage.ingestion.dropped_columns, *stage.ingestion.cut_columns]
    return Played(tuple(stage.rows), tuple(sorted(published)), tuple(stage.raised), (*leaks, *wrong), written)


def problems(scenario: ScenarioFile, played: Played) -> list[str]:
    """Everything in which the monitor was wrong, in sentences."""
    expect = scenario.expect
    wrong = [*_about_root_cause(expect, played), *_about_findings(expect, played)]
    wanted = _alerts(expect)
    if wanted is not None and Counter(wanted) != Counter(played.alerts):
        wrong.append(f"published {_words(played.alerts)}, not {_words(wanted)}")
    wrong += [f"no row says {note!r}" for note in expect.notes if not any(_notes(note, row) for row in played.rows)]
    for pattern in expect.absent:
        rows = [row for row in played.rows if fnmatchcase(row["RuleId"], pattern) and row["Outcome"] != "Pass"]
        wrong += [f"{row['RuleId']} must not be there: {row['Summary']}" for row in rows]
    told = " ".join(str(row[name]) for row in (played.root_causes or played.rows) for name in _TEXTS)
    wrong += [f"nothing says {text!r} in: {told}" for text in expect.says if text not in told]
    if bool(played.raised) != expect.raises:
        wrong.append(f"raised {'; '.join(played.raised) or 'nothing'}")
    leaks = [*played.leaks, *(text for text in expect.unwritten if text in played.written)]
    wrong += [f"this must never be written: {leak}" for leak in leaks]
    return wrong


def _alerts(expect: Expected) -> Sequence[str] | None:
    """What is to be published, if the scenario tells or a root cause implies it."""
    if expect.alerts is not None:
        return expect.alerts
    if expect.root_cause:
        return [expect.root_cause] if expect.confidence != "Possible" and expect.root_cause != "ACRT199" else None
    return [] if expect.healthy else None


def _about_root_cause(expect: Expected, played: Played) -> list[str]:
    wrong = []
    if played.root_cause != expect.root_cause:
        wrong.append(f"the root cause is {expect.root_cause or 'none'}, found was {_shown(played)}")
    elif played.root_causes and expect.confidence not in {"", played.root_causes[-1]["Confidence"]}:
        wrong.append(f"{played.root_cause} is {played.root_causes[-1]['Confidence']}, not {expect.confidence}")
    failed = {row["RunId"] for row in played.rows if row["RuleId"] == RUN_FAILED}
    for run in failed:
        count = len({row["FindingId"] for row in played.root_causes if row["RunId"] == run})
        if count != 1:
            wrong.append(f"run {run.rpartition('/')[2]} failed and has {count} root causes")
    return wrong


def _shown(played: Played) -> str:
    if not played.root_causes:
        return "none"
    row = played.root_causes[-1]
    basis = row["Evidence"].get("basis", "") if isinstance(row["Evidence"], dict) else ""
    return f"{row['RuleId']} ({basis}): {row['ErrorMessage'][:400]}"


def _about_findings(expect: Expected, played: Played) -> list[str]:
    found, wanted = set(played.findings), set(expect.findings)
    rows = {row["RuleId"]: row for row in played.rows}
    wrong = [f"{rule} is not found" for rule in sorted(wanted - found)]
    wrong += [f"{rule} is found and should not be: {rows[rule]['Summary']}" for rule in sorted(found - wanted)]
    if expect.healthy:
        wrong += [f"false alarm: {rule}" for rule in played.false_alarms if rule not in found]
    unchecked = [row for row in played.rows if row["RuleId"] == CANNOT_CHECK]
    wrong += [
        f"could not be checked: {row['Summary']}"
        for row in unchecked
        if not any(target in row["Summary"] for target in expect.unchecked)
    ]
    wrong += [
        f"nothing says that {target} could not be checked"
        for target in expect.unchecked
        if not any(target in row["Summary"] for row in unchecked)
    ]
    return wrong


def _notes(note: str, row: Row) -> bool:
    rule, *words = note.split()
    columns = {str(row[name]) for name in ("Outcome", "Severity", "Confidence", "State", "Role", "TriggeredBy")}
    return row["RuleId"] == rule and set(words) <= columns


def _words(rules: Sequence[str]) -> str:
    return ", ".join(sorted(rules)) or "nothing"
