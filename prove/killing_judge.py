"""What must hold at the end of every schedule, whatever was duplicated, reordered, delayed or killed.

Judged is what an outsider sees: the rows and the alerts in their order, beside what truly happened.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from prove.killing_world import Row, Start, Trouble, Truth

_RUN_ROWS: Final = {"Succeeded": "ACRT100", "Failed": "ACRT101"}
_RUN_FAILED: Final = "ACRT101"
_CANNOT_CHECK: Final = "ACRT901"
_MEDIUM: Final = 2
_OF_BARE_BLOB: Final = frozenset({"ACRT505", "ACRT506", "ACRT701"})
# What is wrong with a blob stays so when another one is imported: the contract's section 3.
_OF_BLOB: Final = re.compile(r"ACRT(402|406|409|50[3-9]|7\d\d)")
_CAUSE_OF: Final = {Trouble.VAULT: "ACRT201", Trouble.FIREWALL: "ACRT405", Trouble.ROLES: "ACRT351"}


def faults(truth: Truth) -> list[str]:
    """A sentence for everything that is wrong; empty if all is well."""
    rows = [said for said in truth.said if "RuleId" in said]
    return [*_runs(truth, rows), *_rejections(truth, rows), *_blobs(truth, rows), *_alerts(truth), *_ends(truth)]


# --- runs: each has one row and, if it failed, one root cause ------------------------------------------------


def _runs(truth: Truth, rows: Sequence[Row]) -> Iterator[str]:
    latest = {start.run_id: start for start in truth.starts}
    about: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        about[row["RunId"], row["RunStartTime"] or ""].append(row)
    for start in truth.starts:
        # Of a run that was started anew the service keeps the latest start alone; the others may be missed.
        must = latest[start.run_id] is start
        own = about[start.run_id, start.began]
        yield from _run_row(start, own, must=must)
        if start.outcome == "Failed":
            yield from _causes(f"run {_name(start)}", [row for row in own if row["Role"] == "RootCause"], must=must)


def _run_row(start: Start, own: Sequence[Row], *, must: bool) -> Iterator[str]:
    told = {(row["RuleId"], row["FindingId"]) for row in own if row["RuleId"] in _RUN_ROWS.values()}
    expected = _RUN_ROWS[start.outcome]
    if not told and must:
        yield f"run {_name(start)} is lost"
    if len(told) > 1 or (told and {rule for rule, _ in told} != {expected}):
        yield f"run {_name(start)} has {len(told)} run rows: {sorted(told)}"


def _causes(what: str, causes: Sequence[Row], *, must: bool) -> Iterator[str]:
    """One root cause; an earlier one is taken back."""
    if not causes:
        if must:
            yield f"{what} has no root cause"
        return
    opened = list(dict.fromkeys(row["FindingId"] for row in causes if row["State"] != "Resolved"))
    resolved = {row["FindingId"] for row in causes if row["State"] == "Resolved"}
    standing = [finding for finding in opened if finding not in resolved]
    if len(opened) > 1 and len(standing) > 1:
        rules = list(dict.fromkeys(row["RuleId"] for row in causes if row["FindingId"] in standing))
        yield f"{what} has {len(standing)} root causes: {', '.join(rules)}"


def _rejections(truth: Truth, rows: Sequence[Row]) -> Iterator[str]:
    for run_id, correlation in truth.rejected:
        causes = [r for r in rows if r["RunId"] == run_id and r["CorrelationId"] == correlation]
        yield from _causes(f"rejected {run_id.rpartition('/')[2]}", _root(causes), must=True)


def _root(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["Role"] == "RootCause"]


def _name(start: Start) -> str:
    return f"{start.run_id.rpartition('/')[2]} of {start.began}"


# --- blobs: whatever still waits was looked at --------------------------------------------------------------


def _blobs(truth: Truth, rows: Sequence[Row]) -> Iterator[str]:
    for name, (etag, good) in truth.blobs.items():
        rules = {r["RuleId"] for r in rows if r["BlobName"] == name and r["BlobETag"].strip('"') == etag.strip('"')}
        if good and not rules:
            yield f"the good {name} is lost"
        if not good and not rules >= _OF_BARE_BLOB:
            yield f"of the bare {name} only {sorted(rules)} was found"


# --- alerts: one for each condition that opened, one for each that ended ------------------------------------


def is_told(row: Row) -> bool:
    """Whether a row's condition is one to be told, as the contract's section 3 has it."""
    if row["State"] != "Open" or row["SeverityRank"] < _MEDIUM or row["Outcome"] not in {"Fail", "Warn"}:
        return False
    if row["Confidence"] == "Possible" or row["RuleId"] in {_RUN_FAILED, _CANNOT_CHECK}:
        return False
    return row["Role"] == "RootCause" or (row["Role"] == "Observation" and not row["RunId"])


def _alerts(truth: Truth) -> Iterator[str]:
    replaced = _taken_back([said for said in truth.said if "RuleId" in said])
    by_key: dict[str, list[Row]] = defaultdict(list)
    for said in truth.said:
        by_key[_row(said)["FindingKey"]].append(said)
    for of_one in by_key.values():
        yield from _one_condition(of_one, replaced)


def _taken_back(rows: Iterable[Row]) -> set[str]:
    """The findings that were a run's root cause until a later look named another one."""
    causes: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row in _root(rows):
        if row["RunId"] and row["State"] != "Resolved":
            write = "" if row["RunStartTime"] else row["CorrelationId"]
            causes[row["RunId"], row["RunStartTime"] or "", write].append(row["FindingId"])
    return {finding for found in causes.values() for finding in found if finding != found[-1]}


def _one_condition(said: Sequence[Row], replaced: set[str]) -> Iterator[str]:
    """Walks through what was said of one condition: between two ends, all openings have one id."""
    rule = _row(said[0])["RuleId"]
    current, ended, untold = "", True, False
    told: set[str] = set()
    resolved: set[str] = set()
    for item in said:
        row = _row(item)
        finding = row["FindingId"]
        if "type" not in item:
            if row["State"] == "Resolved":
                ended = True
                resolved.add(finding)
                current = current if finding in replaced else ""
            elif is_told(row) and not current and finding not in told | replaced:
                untold = True
        elif item["type"].endswith(".Opened"):
            if not ended and item["id"] != current:
                yield f"{rule} was told with two ids while it was open"
            current, ended, untold = item["id"], False, False
            told.add(finding)
        elif finding not in told:
            yield f"{rule} was called resolved, and nobody had been told of it"
    if untold:
        yield f"{rule} opened, and nobody was told"
    for finding in (told & resolved) - replaced:
        ends = {i["id"] for i in said if i.get("type", "").endswith(".Resolved") and _row(i)["FindingId"] == finding}
        if len(ends) != 1:
            yield f"{rule} ended, and was told so with {len(ends)} ids"


def _row(said: Row) -> Row:
    row: Row = said["data"] if "type" in said else said
    return row


# --- ends: what is said last is what is true ----------------------------------------------------------------


def _ends(truth: Truth) -> Iterator[str]:
    """By pipeline, after its last run: what that run failed on is open, and nothing is open if it succeeded."""
    last_run = {start.pipeline: start for start in truth.starts}
    state: dict[str, Row] = {}
    told: dict[str, Row] = {}
    for said in truth.said:
        (told if "type" in said else state)[_row(said)["FindingKey"]] = said
    for pipeline, last in last_run.items():
        for key, row in state.items():
            if row["PipelineName"] != pipeline or (row["Role"] != "RootCause" and row["RuleId"] != _RUN_FAILED):
                continue
            is_open, alert = row["State"] == "Open", told.get(key)
            if last.outcome == "Succeeded" and is_open and not _OF_BLOB.fullmatch(row["RuleId"]):
                yield f"{row['RuleId']} of {pipeline} is open, though {_name(last)} succeeded"
            if alert is not None and is_open == alert["type"].endswith(".Resolved"):
                yield f"{row['RuleId']} of {pipeline} is {row['State']}, and the last alert says otherwise"
        if last.outcome == "Failed":
            yield from _still_open(truth, last, state, told)


def _still_open(truth: Truth, last: Start, state: dict[str, Row], told: dict[str, Row]) -> Iterator[str]:
    rows = [said for said in truth.said if "RuleId" in said]
    own = [r for r in _root(rows) if r["RunId"] == last.run_id and r["RunStartTime"] == last.began]
    causes = [row for row in own if row["State"] != "Resolved"]
    if not causes:
        return
    cause = causes[-1]
    holding = {_CAUSE_OF[trouble] for trouble in truth.broken}
    # What was repaired meanwhile may be found gone without another run.
    may_end = cause["RuleId"] in _CAUSE_OF.values() and cause["RuleId"] not in holding
    key = cause["FindingKey"]
    if not may_end and state[key]["State"] != "Open":
        yield f"{cause['RuleId']} of {last.pipeline} is called resolved, though {_name(last)} failed on it last"
    if not may_end and is_told({**cause, "State": "Open"}) and key not in told:
        yield f"{cause['RuleId']} of {last.pipeline} was never told"
