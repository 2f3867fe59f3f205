"""The shipped queries: Microsoft's parser takes them, the embedded store answers them, and rightly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from embedded import EmbeddedStore
from tools.kql import CheckedQuery, check_queries

FOLDER = Path(__file__).parents[2] / "infra" / "queries"
QUERIES = {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.kql"))}
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)

EXPORT = {"PipelineId": "/pipelines/export", "PipelineName": "export", "Direction": "Export"}
IMPORT = {"PipelineId": "/pipelines/import", "PipelineName": "import", "Direction": "Import"}
EXPIRED = {"RuleId": "ACRT301", "RuleName": "sas-expired", "Area": "Sas", "Severity": "High", "SeverityRank": 3}
FAILED = {"RuleId": "ACRT101", "RuleName": "run-failed", "Area": "Run", "Severity": "High", "SeverityRank": 3}
HEARTBEAT = {"RuleId": "ACRT903", "RuleName": "heartbeat", "Area": "Monitor", "State": "Info"}


def ago(**span: float) -> str:
    return (NOW - timedelta(**span)).isoformat()


def row(rule: dict[str, Any], *facts: dict[str, Any], key: str, id: str, **span: float) -> dict[str, Any]:  # noqa: A002
    """A row `span` ago: of the condition `key` and the occurrence `id`."""
    merged: dict[str, Any] = {"State": "Open", "Outcome": "Fail", "Role": "Observation", "Confidence": "Confirmed"}
    merged |= {"TimeGenerated": ago(**span), "FindingKey": key, "FindingId": id, "Summary": f"{key} {id}"}
    for part in (rule, *facts):
        merged |= part
    return merged


def cause(**more: Any) -> dict[str, Any]:
    return {"Role": "RootCause", **more}


def run(name: str, started: float, ended: float) -> dict[str, Any]:
    return {
        "RunId": f"/runs/{name}", "RunName": name,
        "RunStartTime": ago(minutes=started), "RunFinishTime": ago(minutes=ended),
    }  # fmt: skip


TOKEN = {"KeyVaultName": "vault", "SecretName": "token", "ExpiresOn": ago(days=2)}
FIRST, SECOND = run("first", 300, 290), run("second", 200, 180)
ROWS = [
    # Two runs failed on one dead token; the second row of the first run is Event Grid delivering again.
    row(FAILED, EXPORT, FIRST, key="failed-first", id="failed-first", minutes=288),
    row(FAILED, EXPORT, FIRST, key="failed-first", id="failed-first", minutes=287),
    row(EXPIRED, EXPORT, TOKEN, FIRST, cause(), key="token", id="token-first", minutes=288),
    row(FAILED, EXPORT, SECOND, key="failed-second", id="failed-second", minutes=178),
    row(EXPIRED, EXPORT, TOKEN, SECOND, cause(), key="token", id="token-second", minutes=178),
    # A third run failed; the cause was thought to be the network, and a later look found the container missing.
    row(
        FAILED, IMPORT, run("third", 150, 149), key="failed-third", id="failed-third", minutes=148,
    ),
    row(
        {"RuleId": "ACRT405", "RuleName": "storage-network-blocked", "Area": "Storage"}, IMPORT,
        run("third", 150, 149), cause(Confidence="Likely"), key="network", id="network-third", minutes=148,
    ),
    row(
        {"RuleId": "ACRT405", "RuleName": "storage-network-blocked", "Area": "Storage"}, IMPORT,
        run("third", 150, 149), cause(State="Resolved"), key="network", id="network-third", minutes=140,
    ),
    row(
        {"RuleId": "ACRT401", "RuleName": "container-missing", "Area": "Storage", "SeverityRank": 3}, IMPORT,
        run("third", 150, 149), cause(), key="container", id="container-third", minutes=140,
    ),
    # It was repaired, and the next run succeeded.
    row(
        {"RuleId": "ACRT401", "RuleName": "container-missing", "Area": "Storage", "SeverityRank": 3}, IMPORT,
        run("third", 150, 149), cause(State="Resolved"), key="container", id="container-third", minutes=58,
    ),
    row(FAILED, IMPORT, {"State": "Resolved"}, key="failed-third", id="failed-third", minutes=58),
    row(
        {"RuleId": "ACRT100", "RuleName": "run-succeeded", "State": "Info", "Outcome": "Pass"}, IMPORT,
        run("fourth", 61, 60), key="succeeded", id="succeeded-fourth", minutes=58,
    ),
    # A token of another vault that was about to expire has been replaced, a third one is about to.
    row(
        {**EXPIRED, "RuleId": "ACRT303"}, IMPORT,
        {"KeyVaultName": "other", "SecretName": "token", "ExpiresOn": ago(days=-1)}, key="other", id="o", days=3,
    ),
    row(
        {**EXPIRED, "RuleId": "ACRT303", "State": "Resolved"}, IMPORT,
        {"KeyVaultName": "other", "SecretName": "token", "ExpiresOn": ago(days=-1)}, key="other", id="o", days=2,
    ),
    row(
        {**EXPIRED, "RuleId": "ACRT303", "RuleName": "sas-expires-soon", "Severity": "Medium", "SeverityRank": 2},
        IMPORT, {"KeyVaultName": "vault", "SecretName": "fresh", "ExpiresOn": ago(days=-6)},
        key="soon", id="soon", days=1,
    ),
    row(HEARTBEAT, key="heartbeat", id="sweep-1", minutes=8),
    row(HEARTBEAT, key="heartbeat", id="sweep-2", minutes=3),
    row(
        {"RuleId": "ACRT901", "RuleName": "cannot-check", "Area": "Monitor", "SeverityRank": 2}, {"Outcome": "Unknown"},
        key="blind", id="blind", hours=2,
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def store() -> EmbeddedStore:
    store = EmbeddedStore.open(":memory:")
    store.append(ROWS)
    return store


@cache
def checked() -> dict[str, CheckedQuery]:
    return {query.name: query for query in check_queries(QUERIES)}


def answer(store: EmbeddedStore, name: str) -> list[dict[str, Any]]:
    return store.query(QUERIES[name], NOW).dicts()


def columns(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


@pytest.mark.parametrize("name", QUERIES)
def test_both_tools_agree_on_it(store: EmbeddedStore, name: str) -> None:
    query = checked()[name]
    assert [str(problem) for problem in query.errors + query.warnings] == []
    assert store.query(QUERIES[name], NOW).columns == list(query.columns)


@pytest.mark.parametrize("name", QUERIES)
def test_it_begins_with_its_purpose_and_answers_on_an_empty_table(name: str) -> None:
    assert QUERIES[name].startswith("// ")
    assert EmbeddedStore.open(":memory:").query(QUERIES[name], NOW).rows == []


def test_latest_state(store: EmbeddedStore) -> None:
    rows = answer(store, "latest-state")
    assert columns(rows, "FindingKey", "State", "Occurrences") == [
        ("container", "Resolved", 1), ("failed-third", "Resolved", 1), ("blind", "Open", 1),
        ("network", "Resolved", 1), ("failed-second", "Open", 1), ("token", "Open", 2),
        ("failed-first", "Open", 1), ("soon", "Open", 1), ("other", "Resolved", 1),
    ]  # fmt: skip
    [token] = [row for row in rows if row["FindingKey"] == "token"]
    assert (token["FirstSeen"], token["LastSeen"]) == (
        NOW - timedelta(minutes=288), NOW - timedelta(minutes=178),
    )  # fmt: skip


def test_open_findings(store: EmbeddedStore) -> None:
    assert columns(answer(store, "open-findings"), "FindingKey", "SeverityRank", "OpenHours") == [
        ("failed-first", 3, 4.8), ("token", 3, 4.8), ("failed-second", 3, 3.0), ("soon", 2, 24.0),
        ("blind", 2, 2.0),
    ]  # fmt: skip


def test_failed_runs_by_cause(store: EmbeddedStore) -> None:
    rows = answer(store, "failed-runs-by-cause")
    # The run whose cause changed counts for the cause that was found in the end, repaired or not.
    assert columns(rows, "RuleId", "FailedRuns", "Pipelines", "Confirmed", "LastRun") == [
        ("ACRT301", 2, 1, 2, "second"), ("ACRT401", 1, 1, 1, "third"),
    ]  # fmt: skip


def test_transfer_timeline(store: EmbeddedStore) -> None:
    hour = NOW.replace(minute=0)
    rows = answer(store, "transfer-timeline")
    assert columns(rows, "Hour", "Direction", "Succeeded", "Failed", "AverageMinutes") == [
        (hour - timedelta(hours=5), "Export", 0, 1, 10.0), (hour - timedelta(hours=3), "Export", 0, 1, 20.0),
        (hour - timedelta(hours=3), "Import", 0, 1, 1.0), (hour - timedelta(hours=1), "Import", 1, 0, 1.0),
    ]  # fmt: skip


def test_monitor_health(store: EmbeddedStore) -> None:
    assert columns(answer(store, "monitor-health"), "RuleId", "Rows", "MinutesAgo") == [
        ("ACRT903", 2, 3.0), ("ACRT901", 1, 120.0),
    ]  # fmt: skip


def test_expiring_credentials(store: EmbeddedStore) -> None:
    rows = answer(store, "expiring-credentials")
    assert columns(rows, "KeyVaultName", "SecretName", "DaysLeft", "RuleId", "Pipelines") == [
        ("vault", "token", -2.0, "ACRT301", ["export"]), ("vault", "fresh", 6.0, "ACRT303", ["import"]),
    ]  # fmt: skip
