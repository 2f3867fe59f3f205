"""The alert rules: what each finds, that nothing slips through between them, and the engine's limits.

Limits: Azure Monitor, "Create or edit a log search alert rule" and "Azure Monitor service limits".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import duckdb
import pytest

from embedded import EmbeddedStore
from embedded.kql import answer
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Rule, Severity, Subject
from tools.bicep import Name, read
from tools.kql import CheckedQuery, check_queries
from tools.kql.shipped import ALERTS, APP_REQUESTS, AZURES_TABLES, DCR_LOG_ERRORS, FINDINGS, shipped
from tools.queries import LATER, MODULES, dimensions_of, rules

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
QUERIES = shipped(ALERTS)
RULES = {rule["name"]: rule for rule in rules()}
ON_FINDINGS = [name for name, query in QUERIES.items() if query.table == FINDINGS]
ON_CONDITIONS = [name for name in ON_FINDINGS if name != "monitor-silent"]
WINDOWS = dict.fromkeys(["PT1M", "PT5M", "PT10M", "PT15M", "PT30M", "PT45M", "PT1H", "PT2H", "PT3H", "PT4H", "PT5H",
                         "PT6H", "P1D", "P2D"])  # fmt: skip
# A stateful rule may look every twelve hours at most.
FREQUENCIES = [*list(WINDOWS)[:-2], "PT12H"]
NOT_IN_RULES = {"union", "search", "take", "limit", "ingestion_time", "bag_unpack", "pivot", "narrow", "adx", "arg",
                "externaldata", "AggregatedValue"}  # fmt: skip


@cache
def checked() -> dict[str, CheckedQuery]:
    texts = {name: query.text for name, query in QUERIES.items()}
    return {query.name: query for query in check_queries(texts, tables=AZURES_TABLES)}


def given(rule: Mapping[str, Any], name: str, default: Any) -> Any:
    """A value of a rule; where a parameter stands there, its default."""
    value = rule.get(name, default)
    return read(MODULES / "alerts.bicep").parameters[value.name].default if isinstance(value, Name) else value


def code(text: str) -> str:
    """A query without its comments and texts."""
    return re.sub(r'//[^\n]*|"[^"]*"', "", text)


def test_every_query_belongs_to_the_rule_of_its_name() -> None:
    assert set(RULES) == set(QUERIES)
    for name, rule in RULES.items():
        assert f"../queries/alerts/{name}.kql" in rule["query"].text


@pytest.mark.parametrize("name", QUERIES)
def test_the_parser_takes_it(name: str) -> None:
    assert [str(problem) for problem in checked()[name].errors + checked()[name].warnings] == []
    assert QUERIES[name].text.startswith("// ")


@pytest.mark.parametrize("name", QUERIES)
def test_what_a_rule_names_is_a_column_that_it_may_name(name: str) -> None:
    kinds = dict(checked()[name].columns)
    dimensions = dimensions_of(RULES[name])
    assert len(set(dimensions)) == len(dimensions) <= 6
    assert all(kinds[column] in {"string", "int", "long", "real"} for column in dimensions)
    measure = RULES[name].get("measure")
    assert measure is None or kinds[measure] in {"int", "long", "real"}


@pytest.mark.parametrize("name", QUERIES)
def test_the_engine_takes_it(name: str) -> None:
    rule = RULES[name]
    window, frequency = given(rule, "window", "P2D"), given(rule, "frequency", None)
    words = set(re.findall(r"\w+", code(QUERIES[name].text)))
    # A union of tables that it names is refused to a rule that looks every minute only.
    assert not words & (NOT_IN_RULES if frequency == "PT1M" else NOT_IN_RULES - {"union"})
    assert not re.search(r"\bunion\b[^|]*\*", code(QUERIES[name].text))
    # Only literal spans, and none that says more than the engine gives.
    spans = re.findall(r"\bago\(([^)]*)\)", QUERIES[name].text)
    assert set(spans) <= {"1h", "2d"}
    # Functions of the workspace may hide relative times, and belong to whoever may change them.
    assert "AcrTransfer" not in QUERIES[name].text.replace(FINDINGS, "")
    assert window in WINDOWS
    assert frequency in FREQUENCIES
    assert list(WINDOWS).index(window) >= list(WINDOWS).index(frequency)
    assert rule["severity"] in range(5)
    assert given(rule, "operator", "GreaterThan") in {"GreaterThan", "LessThan", "LessThanOrEqual"}
    assert given(rule, "aggregation", "Count") in {"Count", "Minimum"}
    assert isinstance(given(rule, "threshold", 0), int)
    assert len(QUERIES[name].text.encode()) + 2 * len(rule["text"]) < 32 * 1024


@pytest.mark.parametrize("name", ON_CONDITIONS)
def test_a_condition_is_one_value_over_the_whole_window(name: str) -> None:
    """The engine puts rows with a time into bins of that time, and judges the last bin alone."""
    assert "datetime" not in dict(checked()[name].columns).values()
    assert "window" not in RULES[name]
    assert "| where TimeGenerated > ago(2d)" in QUERIES[name].text
    assert {"Summary", "FixCommand", "Recommendation", "VerifyCommand", "HelpUri"} <= set(dict(checked()[name].columns))


def test_silence_is_told_without_dimensions() -> None:
    """A series that has never been there can't be missing."""
    rule = RULES["monitor-silent"]
    assert (rule["dimensions"], rule["operator"], rule["threshold"]) == ([], "LessThan", 1)
    assert "TimeGenerated" in dict(checked()["monitor-silent"].columns)


def test_every_alert_says_what_to_do_now() -> None:
    described = [rule["text"] for rule in RULES.values()]
    texts = [module.params["text"] for module in read(MODULES / "alerts.bicep").modules.values()]
    topics = read(MODULES / "alerts-topics.bicep").variables["undelivered"].value
    assert isinstance(topics, list)
    texts += [item["text"] for item in topics]  # type: ignore[index, call-overload]
    activity = read(MODULES / "alerts.bicep").resources["ruleSwitchedOff"].body["properties"]
    assert isinstance(activity, dict)
    for text in [*described, *texts, activity["description"]]:
        assert isinstance(text, str)
        assert "Do now: " in text
        assert len(text) < 600
    for name in ON_CONDITIONS:
        assert "open the query results linked in this alert" in RULES[name]["text"]
        assert "The alert ends when " in RULES[name]["text"]


# --- what they find ---

PLACE = {
    "RegistryName": "hub", "Direction": "Import", "PipelineName": "pipe", "RunName": "run1",
    "StorageAccount": "account", "ContainerName": "transfer", "BlobName": "one.tar",
    "KeyVaultName": "vault", "SecretName": "token",
    "RunId": "/runs/run1",
}  # fmt: skip


def row(rule_id: str, *, key: str = "", hours: float = 1, **fields: Any) -> dict[str, Any]:
    """A row of a rule, open and about everything at once unless told otherwise."""
    rule = CATALOGUE[rule_id]
    moment = NOW - timedelta(hours=hours)
    return {
        **PLACE, "RuleId": rule.id, "RuleName": rule.name, "Area": str(rule.area), "Severity": rule.severity.label,
        "SeverityRank": int(rule.severity), "State": "Open", "Outcome": "Fail", "Role": "Observation",
        "Confidence": "Confirmed", "FindingKey": key or rule.id, "FindingId": f"{rule.id}{hours}",
        "ExpiresOn": (NOW + timedelta(days=3)).isoformat(), "TimeGenerated": moment.isoformat(),
        "Evidence": {"target": "/registry", "right": "read"}, **fields,
    }  # fmt: skip


def fired(*rows: dict[str, Any], now: datetime = NOW) -> dict[str, list[dict[str, Any]]]:
    """The rows that each rule on conditions finds, where there are any."""
    store = EmbeddedStore.open(":memory:")
    store.append(rows)
    found = {name: store.query(QUERIES[name].text, now).dicts() for name in ON_CONDITIONS}
    return {name: answered for name, answered in found.items() if answered}


def about(name: str, found: dict[str, Any]) -> tuple[Any, ...]:
    """What tells an alert from others."""
    return tuple(found[column] for column in dimensions_of(RULES[name]))


OF_THEIR_OWN = {
    "ACRT103": "run-partial", "ACRT603": "run-partial", "ACRT104": "run-failed", "ACRT303": "token-expiring",
    "ACRT507": "blob-not-imported", "ACRT901": "cannot-check",
}  # fmt: skip
NEVER_OPEN = {"ACRT102"}
TOLD = [rule for rule in CATALOGUE.values() if rule.severity >= Severity.MEDIUM and rule.id not in NEVER_OPEN]
SUBJECTS = {Subject.RUN: "run1", Subject.PIPELINE: "pipe", Subject.BLOB: "account/transfer/one.tar"}


@cache
def found_of_all(**fields: Any) -> dict[str, dict[str, dict[str, Any]]]:
    """What each alert rule finds of a row of every rule with these fields, by the rule that was found."""
    rows = [row(rule.id, RunId=f"/runs/{rule.id}", hours=hours, **fields) for rule in TOLD for hours in (1, 3)]
    found: dict[str, dict[str, dict[str, Any]]] = {rule.id: {} for rule in TOLD}
    for name, alerts in fired(*rows).items():
        for alert in alerts:
            assert name not in found[alert["FindingKey"]]
            found[alert["FindingKey"]][name] = alert
    return found


@pytest.mark.parametrize("rule", [rule for rule in TOLD if rule.id != "ACRT101"], ids=lambda rule: rule.id)
def test_whatever_is_found_fires_exactly_one_rule(rule: Rule) -> None:
    expected = OF_THEIR_OWN.get(rule.id, "prerequisite-unmet")
    found = found_of_all(Role="Observation")[rule.id]
    assert list(found) == [expected]
    if "Subject" in found[expected] and rule.id != "ACRT303":
        assert found[expected]["Subject"] == SUBJECTS[rule.subject]


@pytest.mark.parametrize(
    "rule",
    [rule for rule in TOLD if rule.id not in {*OF_THEIR_OWN, "ACRT101"}],
    ids=lambda rule: rule.id,
)
def test_whatever_made_a_run_fail_fires_the_rule_for_failed_runs_alone(rule: Rule) -> None:
    found = found_of_all(Role="RootCause")[rule.id]
    assert list(found) == ["run-failed"]
    assert found["run-failed"]["Subject"] == SUBJECTS[rule.subject]
    assert found["run-failed"]["Rule"] == f"{rule.id} {rule.name}"


def test_the_row_of_a_failed_run_fires_nothing_beside_its_cause() -> None:
    assert found_of_all(Role="Observation")["ACRT101"] == {}


@pytest.mark.parametrize(
    "fields",
    [{"State": "Resolved"}, {"State": "Muted"}, {"State": "Info"}, {"Role": "Contributing"},
     {"Confidence": "Possible"}, {"SeverityRank": 1}, {"Outcome": "Unknown"}],
    ids=str,
)  # fmt: skip
def test_what_is_not_to_be_told_fires_nothing(fields: dict[str, Any]) -> None:
    assert fired(row("ACRT301", **fields)) == {}


@pytest.mark.parametrize("state", ["Resolved", "Muted"])
@pytest.mark.parametrize("role", ["Observation", "RootCause"])
def test_an_alert_ends_with_its_condition(role: str, state: str) -> None:
    rules = ["ACRT201", "ACRT601", "ACRT701"] + (["ACRT103", "ACRT303", "ACRT507", "ACRT901"] * (role == "Observation"))
    opened = [row(rule_id, hours=hours, Role=role) for rule_id in rules for hours in (6, 5)]
    assert sum(len(alerts) for alerts in fired(*opened).values()) == len(rules)
    assert fired(*opened, *(row(rule_id, hours=1, Role=role, State=state) for rule_id in rules)) == {}


def test_ten_runs_that_fail_on_one_dead_token_are_one_alert() -> None:
    runs = [row("ACRT301", hours=hours, Role="RootCause", RunName=f"run{hours}") for hours in range(1, 11)]
    [alert] = fired(*runs)["run-failed"]
    assert about("run-failed", alert) == ("hub", "Import", "pipe", "ACRT301 sas-expired", "pipe")
    assert alert["RunName"] == "run1"


def test_an_alert_stays_the_same_while_looks_come_and_go() -> None:
    """The sweep's look at the pipeline finds the condition that a run has failed on, an hour later and ever again."""
    failed = row("ACRT301", hours=9, Role="RootCause")
    looks = [row("ACRT301", hours=hours, RunName="", RunId="", Summary=f"look {hours}") for hours in (8, 7, 6)]
    seen = [fired(failed, *looks[:count]) for count in range(4)]
    assert {tuple(alerts) for alerts in seen} == {("run-failed",)}
    assert len({about("run-failed", alerts["run-failed"][0]) for alerts in seen}) == 1


@pytest.mark.parametrize(
    ("rule_id", "role", "name"),
    [
        ("ACRT507", "Observation", "blob-not-imported"),
        ("ACRT701", "Observation", "prerequisite-unmet"),
        ("ACRT402", "RootCause", "run-failed"),
    ],
)
def test_a_blob_that_two_pipelines_read_is_one_alert_that_names_both(rule_id: str, role: str, name: str) -> None:
    looks = [
        row(rule_id, hours=hours, PipelineName=pipeline, Role=role)
        for hours in (3, 2)
        for pipeline in ("second", "first")
    ]
    for order in (looks, looks[::-1]):
        [alert] = fired(*order)[name]
        assert alert["PipelineName"] == "first, second"
        assert alert["Subject"] == "account/transfer/one.tar"
    # What was resolved before is another matter, whoever had read the blob then.
    before = [row(rule_id, hours=hours, PipelineName="gone", Role=role, State=state)
              for hours, state in ((30, "Open"), (28, "Resolved"))]  # fmt: skip
    [alert] = fired(*before, *looks)[name]
    assert alert["PipelineName"] == "first, second"


def test_what_is_found_and_then_makes_a_run_fail_is_told_once_more_and_then_as_a_failed_run() -> None:
    found, failed = row("ACRT201", hours=5), row("ACRT201", hours=2, Role="RootCause")
    assert list(fired(found)) == ["prerequisite-unmet"]
    assert list(fired(found, failed)) == ["run-failed"]


@pytest.mark.parametrize("role", ["RootCause", "Observation", "Contributing"])
def test_what_came_before_a_condition_was_resolved_is_over(role: str) -> None:
    """A run failed on it, the token was renewed, and today a look finds it expired again: no run has failed on that."""
    failed, resolved = row("ACRT301", hours=30, Role=role), row("ACRT301", hours=28, Role=role, State="Resolved")
    again = row("ACRT301", hours=0.2)
    assert list(fired(failed, resolved, again)) == ["prerequisite-unmet"]
    assert list(fired(failed, resolved, again, row("ACRT301", hours=0.1, Role="RootCause"))) == ["run-failed"]
    # What merely follows from another finding does not count, though a look had found it on its own before.
    assert fired(failed, resolved, row("ACRT301", hours=0.2, Role="Contributing")) == {}


def test_a_cause_that_another_run_still_has_stays_a_failed_run() -> None:
    """A later look at one of the runs names another cause: its row is resolved, and the other's is said again."""
    first, second = (row("ACRT301", hours=hours, Role="RootCause", RunName=f"run{hours}") for hours in (5, 4))
    taken_back = {**first, "State": "Resolved", "TimeGenerated": (NOW - timedelta(hours=1)).isoformat()}
    still = {**second, "TimeGenerated": (NOW - timedelta(hours=1) + timedelta(milliseconds=1)).isoformat()}
    [alert] = fired(first, second, taken_back, still)["run-failed"]
    assert alert["RunName"] == "run4"


def test_a_condition_that_lasts_for_weeks_is_seen_by_what_the_sweep_says_again() -> None:
    last_said = row("ACRT601", hours=23, Role="RootCause")
    assert list(fired(row("ACRT601", hours=600, Role="RootCause"), last_said)) == ["run-failed"]
    assert fired(row("ACRT601", hours=600, Role="RootCause")) == {}


def test_a_partial_run_is_one_alert_that_names_what_is_missing() -> None:
    [alert] = fired(row("ACRT103", Role="Contributing"), row("ACRT603", Summary="app/web:9.9 is missing"))[
        "run-partial"
    ]
    assert (alert["Rule"], alert["Summary"]) == ("ACRT603 artifacts-not-transferred", "app/web:9.9 is missing")


def test_what_cannot_be_checked_is_told_after_an_hour() -> None:
    assert fired(row("ACRT901", hours=0.5)) == {}
    [alert] = fired(row("ACRT901", hours=1.5), row("ACRT901", hours=0.5, PipelineName="other"))["cannot-check"]
    assert about("cannot-check", alert) == ("ACRT901 cannot-check", "/registry", "read")


def test_what_cannot_be_checked_once_more_is_told_after_another_hour() -> None:
    yesterday = {"FindingId": "yesterday"}
    before = [row("ACRT901", hours=26, **yesterday), row("ACRT901", hours=24, State="Resolved", **yesterday)]
    today = [row("ACRT901", hours=hours, FindingId="today") for hours in (1.2, 0.1)]
    assert fired(*before, today[1]) == {}
    assert list(fired(*before, *today)) == ["cannot-check"]


def test_the_days_that_are_left_are_counted_anew() -> None:
    [alert] = fired(row("ACRT303", hours=20, DaysToExpiry=99.0))["token-expiring"]
    assert (alert["DaysLeft"], alert["Subject"]) == (3.0, "vault/token")


def test_the_alerts_over_what_the_product_wrote(shown: EmbeddedStore) -> None:
    newest = shown.newest()
    assert newest is not None
    found = {name: shown.query(QUERIES[name].text, newest + LATER).dicts() for name in ON_CONDITIONS}
    told = {name: sorted(about(name, alert) for alert in alerts) for name, alerts in found.items()}
    target = told.pop("cannot-check")[0][1]
    assert target.startswith("contosohub.azurecr.io")
    export, imports = ("contosohub", "Export"), ("contosoedge", "Import", "importpipe")
    assert told == {
        "run-failed": [(*export, "exportpipe", "ACRT601 artifact-not-found", "missing")],
        "run-partial": [(*export, "exportpipe", "ACRT603 artifacts-not-transferred", "partial")],
        "prerequisite-unmet": [
            (*imports, "ACRT701 copy-stripped-properties", "contosoimport/transfer/stripped.tar"),
            (*export, "refusedpipe", "ACRT201 vault-access-denied", "refusedpipe"),
        ],
        "blob-not-imported": [(*imports, "ACRT507 blob-not-imported", "contosoimport/transfer/overdue.tar")],
        "token-expiring": [(*export, "nightly", "ACRT303 sas-expires-soon", "contosovault/nightly")],
    }
    for name in ("run-partial", "prerequisite-unmet", "blob-not-imported", "token-expiring"):
        assert all(alert["Summary"] and alert["Recommendation"] for alert in found[name])
    assert all(alert["FixCommand"] for name in ("prerequisite-unmet", "token-expiring") for alert in found[name])


def test_heartbeats_are_counted_and_nothing_else(shown: EmbeddedStore) -> None:
    assert len(shown.query(QUERIES["monitor-silent"].text).rows) == 1
    silent = EmbeddedStore.open(":memory:")
    silent.append([row("ACRT301"), row("ACRT901")])
    assert silent.query(QUERIES["monitor-silent"].text, NOW).rows == []


def azures(name: str, *rows: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The answer of a query over one of Azure's own tables."""
    table = next(table for table in (APP_REQUESTS, DCR_LOG_ERRORS) if table.name == QUERIES[name].table)
    kinds = {"datetime": "TIMESTAMP", "string": "VARCHAR", "bool": "BOOLEAN", "real": "DOUBLE"}
    columns = ", ".join(f'"{column}" {kinds[kind]}' for column, kind in table.columns.items())
    with duckdb.connect(":memory:") as connection:
        connection.execute(f'CREATE TABLE "{table.name}" ({columns})')
        for filled in rows:
            values = [filled.get(column) for column in table.columns]
            connection.execute(f'INSERT INTO "{table.name}" VALUES ({", ".join("?" * len(values))})', values)
        schema = {table.name: list(table.columns)}
        return answer(connection, QUERIES[name].text, now=NOW, schema=schema, functions=()).rows


def test_failed_invocations_of_this_component_count() -> None:
    moment = NOW.replace(tzinfo=None)
    request = {"TimeGenerated": moment, "OperationName": "sweep", "Success": False, "_ResourceId": "/Component"}
    found = azures("function-failing", request, {**request, "Success": True}, {**request, "_ResourceId": "/other"})
    assert [line[1] for line in found] == ["sweep"]


def test_errors_of_this_data_collection_rule_count() -> None:
    error = {"TimeGenerated": NOW.replace(tzinfo=None), "OperationName": "Ingestion", "_ResourceId": "/RULE"}
    found = azures("ingestion-errors", {**error, "Message": "403"}, {**error, "_ResourceId": "/other"})
    assert [(line[1], line[3]) for line in found] == [("Ingestion", "403")]


@pytest.mark.parametrize("name", [name for name in QUERIES if name not in ON_FINDINGS])
def test_a_table_of_azures_may_be_unknown_until_it_has_rows(name: str) -> None:
    """A rule whose query fails sees nothing, and is switched off after a week."""
    text = QUERIES[name].text
    [unknown] = check_queries({name: text})
    assert [str(problem) for problem in unknown.errors] == []
    assert unknown.columns == checked()[name].columns
    with duckdb.connect(":memory:") as connection:
        nothing = answer(connection, text, now=NOW, schema={}, functions=())
    assert (nothing.columns, nothing.rows) == (list(unknown.columns), [])


# --- the resources ---


def test_the_rules_are_stateful_and_ask_with_an_identity_of_their_own() -> None:
    body = read(MODULES / "alerts.bicep").resources["findingAlerts"].body
    properties = body["properties"]
    assert isinstance(properties, dict)
    assert (properties["autoMitigate"], properties["skipQueryValidation"]) == (True, True)
    # Muting actions is for rules without a state.
    assert "muteActionsDuration" not in properties
    assert isinstance(body["identity"], dict)
    assert body["identity"]["type"] == "UserAssigned"
    assert "rulesSwitchedOff" in properties["enabled"].text  # type: ignore[union-attr]


def test_the_link_to_the_findings_is_taken_from_the_alert_itself() -> None:
    properties = read(MODULES / "alerts.bicep").resources["findingAlerts"].body["properties"]
    custom: Any = properties["actions"]["customProperties"]  # type: ignore[index, call-overload]
    assert custom["findings"] == "${data.alertContext.condition.allOf[0].linkToFilteredSearchResultsUI}"
    assert custom["whatToDo"].text == "rule.text"
