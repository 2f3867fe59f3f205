"""The shipped queries: Microsoft's parser takes them, the embedded store answers them, and rightly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from embedded import EmbeddedStore, QueryResult
from tools.bicep import read
from tools.kql import CheckedQuery, Function, check_functions, check_queries
from tools.kql.shipped import FINDINGS, shipped
from tools.queries import MODULES, PAGE, functions, page, row_counts

QUERIES = {name: query.text for name, query in shipped().items()}
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
    row(FAILED, EXPORT, SECOND, key="failed-second", id="failed-second", minutes=177),
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
    # What stays open is said again long after the run: it is no second failure, and not a new one either.
    row(
        {"RuleId": "ACRT601", "RuleName": "artifact-not-found", "Area": "Artifacts"}, EXPORT,
        run("old", 60 * 24 * 40, 60 * 24 * 40 - 5), cause(), key="old", id="old", hours=20,
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


@pytest.fixture(scope="module")
def empty() -> EmbeddedStore:
    return EmbeddedStore.open(":memory:")


@cache
def checked() -> dict[str, CheckedQuery]:
    return {query.name: query for query in check_queries(QUERIES)}


@cache
def answered(store: EmbeddedStore, name: str) -> QueryResult:
    """What a store, which nobody writes to any more, says to a query of that name."""
    return store.query(QUERIES[name], NOW)


def answer(store: EmbeddedStore, name: str) -> list[dict[str, Any]]:
    return answered(store, name).dicts()


def columns(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


@pytest.mark.parametrize("name", QUERIES)
def test_both_tools_agree_on_it(store: EmbeddedStore, name: str) -> None:
    query = checked()[name]
    assert [str(problem) for problem in query.errors + query.warnings] == []
    assert answered(store, name).columns == list(query.columns)


@pytest.mark.parametrize("name", QUERIES)
def test_it_begins_with_its_purpose_and_answers_on_an_empty_table(empty: EmbeddedStore, name: str) -> None:
    assert QUERIES[name].startswith("// ")
    assert empty.query(QUERIES[name], NOW).rows == []


def test_latest_state(store: EmbeddedStore) -> None:
    rows = answer(store, "latest-state")
    assert columns(rows, "FindingKey", "State", "Occurrences") == [
        ("container", "Resolved", 1), ("failed-third", "Resolved", 1), ("blind", "Open", 1),
        ("network", "Resolved", 1), ("failed-second", "Open", 1), ("token", "Open", 2),
        ("failed-first", "Open", 1), ("old", "Open", 1), ("soon", "Open", 1), ("other", "Resolved", 1),
    ]  # fmt: skip
    [token] = [row for row in rows if row["FindingKey"] == "token"]
    assert (token["FirstSeen"], token["LastSeen"]) == (
        NOW - timedelta(minutes=288), NOW - timedelta(minutes=178),
    )  # fmt: skip


def test_open_findings(store: EmbeddedStore) -> None:
    assert columns(answer(store, "open-findings"), "FindingKey", "SeverityRank", "OpenHours") == [
        ("failed-first", 3, 4.8), ("token", 3, 4.8), ("failed-second", 3, 3.0), ("soon", 2, 24.0),
        ("blind", 2, 2.0), ("old", None, 20.0),
    ]  # fmt: skip


def test_what_is_open_again_is_open_since_then() -> None:
    def said(state: str, **span: float) -> dict[str, Any]:
        return row(EXPIRED, EXPORT, TOKEN, {"State": state}, key="token", id=state, **span)

    before = [said("Open", days=60), said("Resolved", days=50), said("Open", days=40), said("Resolved", days=30)]
    again = [said("Open", hours=5), said("Muted", hours=4), said("Open", hours=3)]
    for rows in (again, before + again, again[::-1] + before[::-1]):
        [found] = answer(blob_store(*rows), "open-findings")
        assert (found["FirstSeen"], found["OpenHours"]) == (NOW - timedelta(hours=5), 5.0)
        assert found["LastSeen"] == NOW - timedelta(hours=3)


def test_failed_runs_by_cause(store: EmbeddedStore) -> None:
    rows = answer(store, "failed-runs-by-cause")
    # The run whose cause changed counts for the cause that was found in the end, repaired or not.
    assert columns(rows, "RuleId", "FailedRuns", "Pipelines", "Confirmed", "LastRun") == [
        ("ACRT301", 2, 1, 2, "second"), ("ACRT401", 1, 1, 1, "third"),
    ]  # fmt: skip


def test_runs_by_hour(store: EmbeddedStore) -> None:
    hour = NOW.replace(minute=0)
    rows = answer(store, "runs-by-hour")
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


@pytest.mark.parametrize("query", ["expiring-credentials", "workbook/tile-next-expiry"])
def test_what_else_is_wrong_with_a_credential_is_no_end(query: str) -> None:
    far = {"KeyVaultName": "vault", "SecretName": "token", "ExpiresOn": ago(days=-90)}
    denied = row({"RuleId": "ACRT201", "RuleName": "vault-access-denied", "Area": "KeyVault"}, EXPORT, far,
                 key="denied", id="denied", hours=1)  # fmt: skip
    expired = row(EXPIRED, EXPORT, {**far, "ExpiresOn": ago(days=2)}, key="expired", id="expired", hours=1)
    kql = (MODULES.parent / "queries" / f"{query}.kql").read_text("utf-8")
    said = blob_store(denied).query(kql, NOW).dicts()
    assert said == [] or (said[0]["Value"], said[0]["Status"]) == (None, "unknown")
    [found] = blob_store(denied, expired).query(kql, NOW).dicts()
    assert found.get("DaysLeft", found.get("Value")) == -2.0


def test_runs_name_their_cause(store: EmbeddedStore) -> None:
    rows = answer(store, "runs")
    assert columns(rows, "RunName", "Status", "Minutes", "Cause") == [
        ("fourth", "succeeded", 1.0, ""), ("third", "failed", 1.0, "ACRT401 container-missing"),
        ("second", "failed", 20.0, "ACRT301 sas-expired"), ("first", "failed", 10.0, "ACRT301 sas-expired"),
    ]  # fmt: skip


def test_success_rate(store: EmbeddedStore) -> None:
    rows = answer(store, "success-rate")
    assert columns(rows, "PipelineName", "Runs", "Failed", "SuccessPercent", "MedianMinutes", "LastRun") == [
        ("export", 2, 2, 0.0, 10.0, "second"), ("import", 2, 1, 50.0, 1.0, "fourth"),
    ]  # fmt: skip


def test_time_to_finding_counts_the_first_row_of_a_run(store: EmbeddedStore) -> None:
    rows = answer(store, "time-to-finding")
    assert columns(rows, "FoundBy", "Direction", "FailedRuns", "LongestMinutes", "LongestRun") == [
        ("", "Export", 2, 3.0, "second"), ("", "Import", 1, 1.0, "third"),
    ]  # fmt: skip
    assert rows[1]["MedianMinutes"] == 1.0


BLOB = {
    **IMPORT, "StorageAccount": "account", "ContainerName": "transfer", "BlobName": "one.tar",
    "BlobLastModified": ago(hours=5), "Area": "SourceTrigger",
}  # fmt: skip
READY = {"RuleId": "ACRT510", "RuleName": "source-trigger-ready", "State": "Info", "Outcome": "Pass"}
OVERDUE = {"RuleId": "ACRT507", "RuleName": "blob-not-imported", "SeverityRank": 3}


def blob_store(*rows: dict[str, Any]) -> EmbeddedStore:
    store = EmbeddedStore.open(":memory:")
    store.append(rows)
    return store


def imported(**when: float) -> dict[str, Any]:
    began = {"RunStartTime": ago(**when), "RunId": "/runs/import", "Area": "Run"}
    return row({"RuleId": "ACRT100", "RuleName": "run-succeeded"}, BLOB, began, {"State": "Info"}, key="i", id="i")


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        ([row(READY, BLOB, {"Evidence": {"expectedBy": ago(hours=-1)}}, key="r", id="r", hours=5)], ["Expected"]),
        # Nobody knows any more whether it is there: what is overdue has a finding of its own.
        ([row(READY, BLOB, {"Evidence": {"expectedBy": ago(hours=4)}}, key="r", id="r", hours=5)], []),
        ([row(OVERDUE, BLOB, key="o", id="o", hours=1)], ["Overdue"]),
        ([row(OVERDUE, BLOB, {"State": "Muted"}, key="o", id="o", hours=1)], ["Muted"]),
        ([row(OVERDUE, BLOB, {"State": state}, key="o", id="o", hours=hours)
          for state, hours in (("Open", 2), ("Resolved", 1))], []),
        ([row({**OVERDUE, "RuleId": "ACRT701"}, BLOB, key="s", id="s", hours=2),
          row({**OVERDUE, "RuleId": "ACRT505"}, BLOB, {"Role": "Contributing"}, key="m", id="m", hours=1)],
         ["Blocked"]),
        ([row(OVERDUE, BLOB, key="o", id="o", hours=4), imported(hours=1)], []),
        # That import was of an earlier blob with this name.
        ([row(OVERDUE, BLOB, key="o", id="o", hours=4), imported(hours=9)], ["Overdue"]),
    ],
)  # fmt: skip
def test_blobs_waiting(rows: list[dict[str, Any]], status: list[str]) -> None:
    found = answer(blob_store(*rows), "blobs-waiting")
    assert [blob["Status"] for blob in found] == status
    assert all(blob["WaitingHours"] == 5.0 for blob in found)
    assert "ACRT505" not in {blob["RuleId"] for blob in found}


def test_the_time_line_of_one_blob() -> None:
    other = {"BlobName": "two.tar"}
    store = blob_store(
        row(OVERDUE, BLOB, key="o", id="o", hours=4),
        row(OVERDUE, BLOB, key="o", id="o", hours=3),
        row(OVERDUE, BLOB, {"State": "Resolved"}, key="o", id="o", minutes=30),
        imported(hours=1),
        row(READY, BLOB, key="r", id="r", hours=5),
        row(OVERDUE, BLOB, other, key="x", id="x", hours=2),
    )
    lines = ["check passed", "finding", "import succeeded", "resolved"]
    for name in ("one.tar", "transfer/one.tar"):
        text = QUERIES["transfer-timeline"].replace('let blob = "";', f'let blob = "{name}";')
        assert [line["What"] for line in store.query(text, NOW).dicts()] == lines
    assert len(answer(store, "transfer-timeline")) == len(lines) + 1


def test_the_mute_list_is_what_is_muted_still() -> None:
    muted = {"State": "Muted", "Evidence": {"mutedUntil": ago(days=-3), "muteReason": "being rebuilt"}}
    store = blob_store(
        row(OVERDUE, BLOB, muted, key="m", id="m", days=1),
        row(OVERDUE, BLOB, muted, key="gone", id="gone", days=2),
        row(OVERDUE, BLOB, {"State": "Open"}, key="gone", id="gone", days=1),
    )
    assert columns(answer(store, "mute-list"), "FindingKey", "DaysLeft", "Reason") == [("m", 3.0, "being rebuilt")]


@pytest.mark.parametrize("name", QUERIES)
def test_it_reads_the_table_once_and_declares_how_far_back(name: str) -> None:
    query = shipped()[name]
    assert [line for line in query.text.splitlines() if FINDINGS in line] == [FINDINGS]
    assert query.declarations["lookback"].endswith("d")
    assert "| where TimeGenerated > ago(lookback)" in query.text
    assert query.purpose.endswith(".")


@cache
def workspace_functions() -> dict[str, Function]:
    made = {}
    for name, listed in functions().items():
        body = QUERIES[name]
        for declaration in listed["declarations"]:
            assert body.count(declaration) == 1
            body = body.replace(declaration, "")
        assert "let " not in body
        made[name] = Function(listed["alias"], body, f"({listed['parameters']})")
    return made


def test_every_query_is_a_function_with_the_files_defaults() -> None:
    made = workspace_functions()
    assert set(made) == set(QUERIES)
    assert len({function.name for function in made.values()}) == len(made)
    for name, function in made.items():
        declared = [f"{key}:{'timespan' if key == 'lookback' else 'string'} = {default}"
                    for key, default in shipped()[name].declarations.items()]  # fmt: skip
        assert function.parameters == f"({', '.join(declared)})"
    assert [str(problem) for checked in check_functions(list(made.values())) for problem in checked.errors] == []


@pytest.mark.parametrize("name", QUERIES)
def test_the_function_answers_as_the_file_does(store: EmbeddedStore, name: str) -> None:
    function = workspace_functions()[name]
    declared = f"function {function.name}{function.parameters} {{\n{function.body}\n}}"
    assert store.query(f"{function.name}()", NOW, functions=[declared]).rows == answered(store, name).rows


@pytest.mark.parametrize("module", ["queries.bicep", "queries-pack.bicep"])
def test_each_entry_loads_the_file_of_its_name(module: str) -> None:
    file = read(MODULES / module)
    listed = file.variables["functions" if module == "queries.bicep" else "queries"].value
    assert isinstance(listed, list)
    loaded = {item["name"]: item["query"].arguments for item in listed}  # type: ignore[index, call-overload, union-attr]
    assert loaded == {name: (f"../queries/{name}.kql",) for name in QUERIES}


def test_every_query_finds_something_in_what_the_product_wrote(shown: EmbeddedStore) -> None:
    counts = row_counts(shown)
    # Where the hour ends in between, the runs are in two.
    assert 2 <= counts.pop("runs-by-hour") <= 4
    assert all(counts.values()), counts
    assert page(counts | {"runs-by-hour": 2}) == PAGE.read_text("utf-8"), "run `python -m tools.queries`"


def test_what_the_product_wrote_is_shown_rightly(shown: EmbeddedStore) -> None:
    def of(name: str, *wanted: str) -> list[tuple[Any, ...]]:
        return columns(shown.query(QUERIES[name]).dicts(), *wanted)

    assert sorted(of("blobs-waiting", "BlobName", "Status")) == [
        ("notes.txt", "Muted"), ("overdue.tar", "Overdue"), ("stripped.tar", "Blocked"), ("waiting.tar", "Expected"),
    ]  # fmt: skip
    assert sorted(of("failed-runs-by-cause", "RuleId", "LastRun")) == [("ACRT201", "refused"), ("ACRT601", "missing")]
    assert ("nightly", 5.0) in of("expiring-credentials", "SecretName", "DaysLeft")
    assert dict(of("runs", "RunName", "Cause"))["missing"] == "ACRT601 artifact-not-found"
    assert {reason for (reason,) in of("mute-list", "Reason")} == {"notes of the operators, no transfer"}
    text = QUERIES["transfer-timeline"].replace('let blob = "";', 'let blob = "transfer/webshop.tar";')
    assert columns(shown.query(text).dicts(), "What", "RuleId") == [
        ("export succeeded", "ACRT100"), ("check passed", "ACRT510"), ("import succeeded", "ACRT100"),
    ]  # fmt: skip
