"""The rows: the columns that are promised, in their order and types, whatever stands in a run."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.findings.columns import columns, schema_version
from shared.findings.finding import CUT_MARK, LONGEST_TEXT, Finding, State, digest, finding_id, finding_key, shortened
from shared.rules.catalogue import CATALOGUE
from shared.sinks.logs import encoded
from shared.times import iso, parse_time
from shared.version import MONITOR_VERSION
from tests.corridor.conftest import Corridor, Row

# Section 3 of the contract, column by column.
PROMISED: Final = """
TimeGenerated FindingId FindingKey RuleId RuleName Area Severity SeverityRank Outcome State Role Confidence
TriggeredBy Direction RegistryId RegistryName PipelineId PipelineName RunId RunName RunStatus RunStartTime
RunFinishTime SourceTriggered StorageAccessMode StorageAccount ContainerName BlobName BlobETag BlobLastModified
KeyVaultName SecretName ExpiresOn DaysToExpiry Summary Recommendation FixCommand VerifyCommand ErrorMessage
HelpUri Evidence EventId CorrelationId MonitorVersion SchemaVersion
""".split()
TYPES: Final[dict[str, type | tuple[type, ...]]] = {
    "string": str,
    "datetime": str,
    "int": int,
    "real": (int, float),
    "boolean": bool,
    "dynamic": dict,
}
SEVERITIES: Final = {"Critical": 4, "High": 3, "Medium": 2, "Low": 1, "Info": 0}
AREAS: Final = set("Run KeyVault Sas ManagedIdentity Storage SourceTrigger Artifacts Copy Monitor".split())


def judge(row: Row) -> None:
    """Holds one row against everything that is promised of every row."""
    for column in columns():
        value = row[column.name]
        assert isinstance(value, TYPES[column.type]) or (value is None and column.type != "string"), column.name
        if column.type == "int":
            assert not isinstance(value, bool)
        if column.type == "datetime" and value is not None:
            assert parse_time(value) is not None
            assert str(value).endswith("Z")
        if column.type == "string":
            assert len(str(value).encode()) <= LONGEST_TEXT
    assert len(json.dumps(row["Evidence"]).encode()) <= LONGEST_TEXT
    assert SEVERITIES[row["Severity"]] == row["SeverityRank"]
    assert row["Area"] in AREAS
    assert row["Outcome"] in {"Fail", "Warn", "Pass", "Unknown"}
    assert row["State"] in {"Open", "Resolved", "Muted", "Info"}
    assert row["Role"] in {"RootCause", "Contributing", "Observation"}
    assert row["Confidence"] in {"Confirmed", "Likely", "Possible"}
    assert row["TriggeredBy"] in {"PipelineRunEvent", "BlobEvent", "Sweep", "Cli"}
    assert row["Direction"] in {"Export", "Import", ""}
    assert row["RuleName"] == CATALOGUE[row["RuleId"]].name
    for name in ("RegistryId", "PipelineId", "RunId"):
        assert row[name] == row[name].lower()
    assert row["HelpUri"].startswith("https://")
    assert row["RuleId"] in row["HelpUri"]
    assert row["MonitorVersion"] == MONITOR_VERSION
    assert row["SchemaVersion"] == schema_version()
    moment = parse_time(row["TimeGenerated"])
    assert moment is not None
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=2)


def test_the_columns_are_the_promised_ones() -> None:
    assert [column.name for column in columns()] == PROMISED
    assert {column.type for column in columns()} == set(TYPES)


async def test_every_row_is_as_promised(corridor: Corridor) -> None:
    scenario = corridor.scenario
    await corridor.run_event(await corridor.export("good01"))
    corridor.cloud.world.allow_secret_reading(scenario.vault)
    inspecting = await corridor.another(SAS_INSPECTION="value")
    for number, artifacts in enumerate((("hello-world",), ("nothing/like:this",), ("app/web:1.0", "gone:1"))):
        await corridor.run_event(await corridor.export(f"mixed{number}", *artifacts), inspecting)
    await scenario.carry_over("good01.tar", metadata={})
    landed = next(event for event in corridor.cloud.events if event.topic.endswith("/contosoimport"))
    await corridor.blob_event(landed.in_schema("CloudEventSchemaV1_0"), inspecting)
    await corridor.run_event(await corridor.failed_export("failed01"))
    await corridor.run_event(corridor.file("run-write-failure", run="neverwas"))
    await corridor.run_event(corridor.file("malformed-run-subject"))
    await corridor.sweep()
    assert len({row["RuleId"] for row in corridor.ingestion.rows}) >= 8
    for row in corridor.ingestion.rows:
        # As it was sent, before any service could put it in order.
        assert list(row) == PROMISED
        judge(row)
    for alert in corridor.alerts:
        judge(alert["data"])


async def test_names_are_as_the_service_gives_them_and_ids_in_lower_case(corridor: Corridor) -> None:
    world = corridor.cloud.world
    registry = world.add_registry("ContosoMixed")
    pipeline = world.add_export_pipeline(registry, "ExportPipe", "https://contosoexport.blob.core.windows.net/transfer")
    registry.push("hello-world")
    await corridor.cloud.put_run(registry, "MixedRun1", pipeline, artifacts=["hello-world"], blob="Mixed.tar")
    monitor = await corridor.another()
    await corridor.run_event(corridor.told("MixedRun1"), monitor)
    [cause] = corridor.root_causes()
    assert (cause["RegistryName"].lower(), cause["PipelineName"], cause["RunName"], cause["BlobName"]) == (
        "contosomixed",
        "ExportPipe",
        "MixedRun1",
        "Mixed.tar",
    )
    assert cause["RunId"] == f"{registry.id}/pipelineRuns/MixedRun1".lower()


# --- one run row, one root cause ----------------------------------------------------------------------------

RUN_ROWS: Final = {"ACRT100", "ACRT101", "ACRT102", "ACRT103"}
MESSAGES: Final = (
    "",
    "403 Forbidden",
    "404 Not Found",
    "Something that nobody has ever seen",
    "Failed to access storage.",
    "Failed to access key vault.",
    "Status: 409 (The specified blob already exists.) ErrorCode: BlobAlreadyExists",
    "ErrorCode: AuthorizationFailed and ErrorCode: LinkedAuthorizationFailed and 429 Too Many Requests",
    "\x00\x01 \U0001f600 \ud800 'quotes' \"double\" <xml> {json: [",
)


@pytest.mark.parametrize("message", MESSAGES)
async def test_a_failed_run_has_one_run_row_and_one_root_cause(corridor: Corridor, message: str) -> None:
    raw = await corridor.export("transfer01")
    run = corridor.scenario.source.runs["transfer01"]
    run.provisioning_state = run.response["status"] = "Failed"
    run.response["pipelineRunErrorMessage"] = message
    await corridor.run_event(raw)
    assert [row["RuleId"] for row in corridor.rows if row["RuleId"] in RUN_ROWS] == ["ACRT101"]
    assert corridor.row("ACRT101")["Role"] == "Observation"
    [cause] = corridor.root_causes()
    assert cause["Outcome"] == "Fail"
    assert cause["Evidence"]["basis"]
    if cause["RuleId"] == "ACRT199":
        assert cause["CorrelationId"] == raw["data"]["correlationId"], "for the ACR team"
        assert cause["RunId"] in cause["Recommendation"]
    assert cause["ErrorMessage"] == message.replace("\ud800", "?"), "what is no text in UTF-8 can't be sent"
    for row in corridor.rows:
        judge(row)


@pytest.mark.parametrize("ends", ["succeeded", "canceled", "partial"])
async def test_other_runs_have_one_run_row_and_no_root_cause(corridor: Corridor, ends: str) -> None:
    raw = await corridor.export("transfer01", "hello-world", "app/web:1.0")
    run = corridor.scenario.source.runs["transfer01"]
    if ends == "canceled":
        run.provisioning_state = run.response["status"] = "Canceled"
    if ends == "partial":
        run.response["importedArtifacts"] = ["app/web:1.0"]
    await corridor.run_event(raw)
    rule = {"succeeded": "ACRT100", "canceled": "ACRT102", "partial": "ACRT103"}[ends]
    assert [row["RuleId"] for row in corridor.rows if row["RuleId"] in RUN_ROWS] == [rule]
    assert corridor.root_causes() == []
    told = [alert["data"]["RuleId"] for alert in corridor.alerts]
    assert told == (["ACRT603"] if ends == "partial" else []), "of the two only the explaining one is told"


# --- long texts ---------------------------------------------------------------------------------------------


async def test_a_message_of_200_kb_is_cut_and_says_so(corridor: Corridor) -> None:
    raw = await corridor.export("transfer01")
    run = corridor.scenario.source.runs["transfer01"]
    run.provisioning_state = run.response["status"] = "Failed"
    # The code stands at the very end, behind what is cut from the row.
    run.response["pipelineRunErrorMessage"] = "größe " * 33_000 + " ErrorCode: BlobAlreadyExists"
    await corridor.run_event(raw)
    for row in corridor.rows:
        judge(row)
        assert row["ErrorMessage"].endswith(CUT_MARK)
        assert row["ErrorMessage"].startswith("größe größe")
        assert len(row["ErrorMessage"].encode()) > LONGEST_TEXT - 10, "no more is cut than has to be"
    assert [row["RuleId"] for row in corridor.root_causes()] == ["ACRT403"]
    for record in (await corridor.state()).values():
        assert len(json.dumps(record)) < 200_000


async def test_thousands_of_artifacts_do_not_burst_the_evidence(corridor: Corridor) -> None:
    raw = await corridor.export("transfer01")
    run = corridor.scenario.source.runs["transfer01"]
    run.provisioning_state = run.response["status"] = "Failed"
    run.request["artifacts"] = [f"repository/with/a/long/name{number}:tag" for number in range(3_000)]
    await corridor.run_event(raw)
    for row in corridor.rows:
        judge(row)
    assert corridor.row("ACRT101")["Evidence"]["artifacts"] == "[cut]"
    assert corridor.row("ACRT101")["Evidence"]["provisioningState"] == "Failed", "what is short is kept"


def finding(**fields: Any) -> Finding:
    """Some finding."""
    source: dict[str, Any] = {
        **dict.fromkeys(("rule_id", "rule_name", "area", "severity", "outcome", "role", "confidence"), "x"),
        **dict.fromkeys(("triggered_by", "summary", "finding_id", "finding_key"), "x"),
        "severity_rank": 0,
        "state": State.INFO,
        "time_generated": datetime(2026, 11, 23, tzinfo=UTC),
    }
    return Finding(**source | fields)


@given(st.text(), st.integers(0, 3))
def test_a_text_of_any_length_fits(piece: str, times: int) -> None:
    text = piece * 10**times
    cut = shortened(text)
    assert len(cut.encode()) <= LONGEST_TEXT
    if len(text.encode("utf-8", "replace")) <= LONGEST_TEXT:
        assert cut == text.encode("utf-8", "replace").decode()
    else:
        assert cut.endswith(CUT_MARK)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes(timezones=st.just(UTC)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), VALUES, max_size=5), st.text())
def test_any_evidence_becomes_json(evidence: dict[str, Any], text: str) -> None:
    row = finding(evidence=evidence, summary=text).row
    sent = json.loads(encoded(row))
    assert list(sent) == PROMISED
    assert len(json.dumps(sent["Evidence"])) <= LONGEST_TEXT


def test_evidence_is_cut_by_its_longest_facts() -> None:
    evidence: dict[str, object] = {"short": 1, "long": ["x" * 1_900] * 5, "longer": ["y" * 1_900] * 8, "none": None}
    assert finding(evidence=evidence).row["Evidence"] == {"short": 1, "long": ["x" * 1_900] * 5, "longer": "[cut]"}
    many = {f"fact {number}": "z" * 100 for number in range(400)}
    assert len(json.dumps(finding(evidence=many).row["Evidence"])) <= LONGEST_TEXT


def test_days_to_expiry() -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert finding(time_generated=now, expires_on=now + timedelta(hours=36)).row["DaysToExpiry"] == 1.5
    assert finding(time_generated=now, expires_on=now - timedelta(days=2)).row["DaysToExpiry"] == -2
    assert finding().row["DaysToExpiry"] is None
    assert finding(expires_on=now).row["ExpiresOn"] == iso(now)


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_ids_tell_different_things_apart(one: list[str], other: list[str]) -> None:
    assert (digest(*one) == digest(*other)) == (one == other)


def test_ids_tell_rules_subjects_and_moments_apart() -> None:
    assert finding_key("ACRT506", "account/container/A.tar") != finding_key("ACRT506", "account/container/a.tar")
    assert finding_id("ACRT506", "account/container/A.tar", "t") != finding_id(
        "ACRT506", "account/container/a.tar", "t"
    )
    assert finding_id("ACRT301", "/sub/a", "t") != finding_id("ACRT302", "/sub/a", "t")
    assert finding_id("ACRT301", "/sub/a", "t") != finding_id("ACRT301", "/sub/a", "u")
