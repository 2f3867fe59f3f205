"""Source triggers: whether anything looks for a blob, and what the blob itself must be."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from shared.diagnosis.diagnose import diagnose_blob
from shared.evidence.model import Evidence, Malformed, ProbeResult
from shared.evidence.pieces import NOT_ASKED, Missing, Unavailable
from shared.findings.finding import finding_key
from shared.records.transfer import Direction, Identity, StorageAccessMode
from shared.rules.catalogue import CATALOGUE
from shared.rules.managed_identity import READ
from shared.rules.model import Outcome
from shared.sas_token import SasToken
from shared.sweep_facts import SweepFacts
from tests.rules.builders import (
    ALLOWED,
    BLOB_ADDRESS,
    DAY,
    NOW,
    PRINCIPAL,
    assert_pasteable,
    blob,
    described,
    evidence,
    grant,
    landed,
    pipeline,
    run,
    token,
)

FAIL, WARN, PASS = Outcome.FAIL, Outcome.WARN, Outcome.PASS
UNKNOWN, ELSEWHERE = Outcome.UNKNOWN, Outcome.NOT_APPLICABLE
DENIED: Final = Unavailable("ARM answered 403", "/subscriptions/x", "read")
UNREAD: Final = Unavailable("SAS_INSPECTION is metadata, so the token is not read", by_choice=True)
GONE: Final = Missing("it")

OFF: Final = pipeline(source_trigger_enabled=False)
LONG_AGO: Final = NOW - timedelta(minutes=31)
IN_VAIN: Final = run(provisioning_state="Failed", status="Failed")
IDENTITY: Final = pipeline(storage_access_mode=StorageAccessMode.MANAGED_IDENTITY, key_vault_uri="")
UNNAMED: Final = replace(IDENTITY, identity=Identity("userAssigned", "", ()))
MISMATCH: Final = ProbeResult(403, "AuthorizationPermissionMismatch", "")
BOUND: Final = token(permissions=None, policy_id="transfers")
WAITS_IN_VAIN: Final[dict[str, Any]] = {"pipeline": OFF, "watchers": (OFF,), "waiting_since": LONG_AGO}


@pytest.mark.parametrize(
    ("rule_id", "changes", "outcome"),
    [
        ("ACRT501", WAITS_IN_VAIN, FAIL),
        ("ACRT501", {**WAITS_IN_VAIN, "watchers": (OFF, pipeline())}, PASS),
        ("ACRT501", {**WAITS_IN_VAIN, "waiting_since": NOW - timedelta(minutes=29)}, ELSEWHERE),
        ("ACRT501", {**WAITS_IN_VAIN, "waiting_since": NOW - timedelta(minutes=30)}, FAIL),
        ("ACRT501", {**WAITS_IN_VAIN, "waiting_since": None}, ELSEWHERE),
        ("ACRT501", {**WAITS_IN_VAIN, "runs_of_blob": (IN_VAIN,)}, PASS),
        ("ACRT501", {**WAITS_IN_VAIN, "runs_of_blob": DENIED}, UNKNOWN),
        ("ACRT501", {**WAITS_IN_VAIN, "watchers": DENIED}, UNKNOWN),
        ("ACRT501", {**WAITS_IN_VAIN, "open_ends": DENIED}, UNKNOWN),
        ("ACRT501", {**WAITS_IN_VAIN, "open_ends": DENIED, "runs_of_blob": (IN_VAIN,)}, PASS),
        ("ACRT501", {**WAITS_IN_VAIN, "open_ends": DENIED, "watchers": (OFF, pipeline())}, PASS),
        ("ACRT501", {**WAITS_IN_VAIN, "open_ends": DENIED, "waiting_since": None}, ELSEWHERE),
        ("ACRT501", {**WAITS_IN_VAIN, "watchers": ()}, ELSEWHERE),
        ("ACRT501", {**WAITS_IN_VAIN, "blob": GONE}, ELSEWHERE),
        ("ACRT501", {**WAITS_IN_VAIN, "blob": DENIED}, UNKNOWN),
        ("ACRT502", {}, PASS),
        ("ACRT502", {"sas": token(permissions=frozenset("rd"))}, FAIL),
        ("ACRT502", {"sas": token(permissions=frozenset("rd")), "probe": NOT_ASKED}, FAIL),
        ("ACRT502", {"probe": MISMATCH}, FAIL),
        ("ACRT502", {"sas": BOUND, "probe": MISMATCH}, FAIL),
        ("ACRT502", {"sas": BOUND, "probe": ALLOWED}, PASS),
        ("ACRT502", {"sas": BOUND, "probe": NOT_ASKED}, UNKNOWN),
        ("ACRT502", {"sas": BOUND, "probe": ProbeResult(403, "AuthenticationFailed", "")}, UNKNOWN),
        ("ACRT502", {"sas": UNREAD, "probe": NOT_ASKED}, UNKNOWN),
        ("ACRT502", {"sas": Malformed("it is empty"), "probe": NOT_ASKED}, ELSEWHERE),
        ("ACRT502", {"sas": GONE, "probe": NOT_ASKED}, ELSEWHERE),
        ("ACRT502", {"pipeline": OFF, "probe": MISMATCH}, ELSEWHERE),
        ("ACRT502", {"pipeline": pipeline(direction=Direction.EXPORT), "probe": MISMATCH}, ELSEWHERE),
        ("ACRT502", {"pipeline": DENIED}, UNKNOWN),
        ("ACRT502", {"pipeline": IDENTITY, "storage_grants": (grant(READ),)}, PASS),
        ("ACRT502", {"pipeline": IDENTITY, "storage_grants": (grant("*"),)}, PASS),
        ("ACRT502", {"pipeline": IDENTITY, "storage_grants": ()}, FAIL),
        ("ACRT502", {"pipeline": IDENTITY, "storage_grants": (grant("Microsoft.Storage/*/queues/read"),)}, FAIL),
        ("ACRT502", {"pipeline": IDENTITY, "storage_grants": (grant(READ, conditional=True),)}, UNKNOWN),
        ("ACRT502", {"pipeline": IDENTITY, "storage_grants": DENIED}, UNKNOWN),
        ("ACRT502", {"pipeline": UNNAMED, "storage_grants": ()}, UNKNOWN),
        ("ACRT502", {"pipeline": IDENTITY, "storage_grants": GONE}, ELSEWHERE),
        ("ACRT503", {}, PASS),
        ("ACRT503", {"blob": blob(last_modified=NOW - 61 * DAY)}, FAIL),
        ("ACRT503", {"blob": blob(last_modified=NOW - 60 * DAY)}, PASS),
        ("ACRT503", {"blob": blob(last_modified=None)}, UNKNOWN),
        ("ACRT504", {}, PASS),
        ("ACRT504", {"blob": blob(last_modified=NOW - 47 * DAY)}, WARN),
        ("ACRT504", {"blob": blob(last_modified=NOW - 45 * DAY)}, PASS),
        ("ACRT504", {"blob": blob(last_modified=NOW - 61 * DAY)}, PASS),
        ("ACRT504", {"blob": blob(last_modified=None)}, UNKNOWN),
        ("ACRT505", {}, PASS),
        ("ACRT505", {"blob": blob(content_md5=None)}, FAIL),
        ("ACRT505", {"blob": blob(content_md5=b"")}, FAIL),
        ("ACRT505", {"blob": blob(content_md5=bytes(24))}, FAIL),
        ("ACRT506", {}, PASS),
        ("ACRT506", {"blob": blob(metadata={})}, FAIL),
        ("ACRT506", {"blob": blob(metadata={"category": "Acr-Transfer-Blob"})}, FAIL),
        ("ACRT506", {"blob": blob(metadata={"category": "backup"})}, FAIL),
        ("ACRT507", {}, ELSEWHERE),
        ("ACRT507", {"waiting_since": LONG_AGO}, FAIL),
        ("ACRT507", {"waiting_since": LONG_AGO, "runs_of_blob": (IN_VAIN,)}, PASS),
        ("ACRT507", {"waiting_since": LONG_AGO, "runs_of_blob": DENIED}, UNKNOWN),
        ("ACRT507", {"waiting_since": LONG_AGO, "open_ends": DENIED}, UNKNOWN),
        ("ACRT507", {"waiting_since": LONG_AGO, "open_ends": DENIED, "runs_of_blob": (IN_VAIN,)}, PASS),
        ("ACRT507", {**WAITS_IN_VAIN, "open_ends": DENIED}, UNKNOWN),
        ("ACRT507", {"waiting_since": LONG_AGO, "runs_of_blob": NOT_ASKED}, UNKNOWN),
        ("ACRT507", {"waiting_since": LONG_AGO, "blob": GONE}, ELSEWHERE),
        ("ACRT507", {"waiting_since": LONG_AGO, "blob": DENIED}, UNKNOWN),
        ("ACRT507", WAITS_IN_VAIN, ELSEWHERE),
        ("ACRT507", {**WAITS_IN_VAIN, "watchers": DENIED}, UNKNOWN),
        ("ACRT508", {}, PASS),
        ("ACRT508", {"pipeline": GONE, "watchers": ()}, FAIL),
        ("ACRT508", {"pipeline": GONE, "watchers": (), "writers": (pipeline(direction=Direction.EXPORT),)}, PASS),
        ("ACRT508", {"pipeline": GONE, "watchers": (), "blob": blob(metadata={})}, ELSEWHERE),
        ("ACRT508", {"pipeline": GONE, "watchers": DENIED}, UNKNOWN),
        ("ACRT508", {"pipeline": GONE, "watchers": (), "writers": DENIED}, UNKNOWN),
        ("ACRT508", {"pipeline": GONE, "watchers": (), "blob": GONE}, ELSEWHERE),
        ("ACRT508", {"pipeline": GONE, "watchers": (), "blob": DENIED}, UNKNOWN),
        ("ACRT509", {}, PASS),
        ("ACRT509", {"blob": blob(blob_type="AppendBlob")}, FAIL),
        ("ACRT509", {"blob": blob(copy_status="pending")}, FAIL),
        ("ACRT509", {"blob": blob(copy_status="aborted")}, FAIL),
        ("ACRT509", {"blob": blob(copy_status="success")}, PASS),
        ("ACRT509", {"blob": blob(size=0)}, FAIL),
        ("ACRT510", {}, ELSEWHERE),
    ],
)
def test_what_the_rule_finds(rule_id: str, changes: dict[str, Any], outcome: Outcome) -> None:
    seen = landed(**changes)
    assert CATALOGUE[rule_id](seen).outcome is outcome
    if outcome in {FAIL, WARN}:
        said = described(CATALOGUE[rule_id], seen)
        assert "'contosostore'" in said.summary
        assert "'transfer'" in said.summary


FAULTS: Final[dict[str, dict[str, Any]]] = {
    "ACRT503": {"last_modified": NOW - 61 * DAY},
    "ACRT504": {"last_modified": NOW - 50 * DAY},
    "ACRT505": {"content_md5": None},
    "ACRT506": {"metadata": {}},
    "ACRT509": {"size": 0},
    "ACRT701": {"content_md5": None, "metadata": {}},
    "ACRT702": {"copy_status": "failed"},
}


@pytest.mark.parametrize(("rule_id", "fault"), FAULTS.items(), ids=list(FAULTS))
def test_a_fault_counts_only_while_the_blob_waits(rule_id: str, fault: dict[str, Any]) -> None:
    rule = CATALOGUE[rule_id]
    faulty = blob(**fault)
    assert rule(landed(blob=faulty)).outcome in {FAIL, WARN}
    assert rule(landed(blob=faulty, runs_of_blob=NOT_ASKED)).outcome in {FAIL, WARN}
    assert rule(landed(blob=faulty, runs_of_blob=(IN_VAIN,))).outcome in {FAIL, WARN}
    assert rule(landed(blob=faulty, runs_of_blob=(IN_VAIN, run()))).outcome is ELSEWHERE
    assert rule(landed(blob=GONE)).outcome is ELSEWHERE
    assert rule(landed(blob=faulty, pipeline=GONE, watchers=())).outcome is ELSEWHERE


@pytest.mark.parametrize(("rule_id", "fault"), FAULTS.items(), ids=list(FAULTS))
def test_a_fault_is_unknown_where_it_is_not_known_whether_the_blob_waits(rule_id: str, fault: dict[str, Any]) -> None:
    rule = CATALOGUE[rule_id]
    assert rule(landed(blob=DENIED)).missing is DENIED
    assert rule(landed(blob=blob(**fault), runs_of_blob=DENIED)).missing is DENIED
    assert rule(landed(blob=blob(**fault), pipeline=GONE, watchers=DENIED)).missing is DENIED
    # That all is well can be said without knowing it.
    assert rule(landed(runs_of_blob=DENIED)).outcome is PASS


@pytest.mark.parametrize("rule_id", ["ACRT503", "ACRT504", "ACRT505", "ACRT506", "ACRT701"])
def test_what_only_a_source_trigger_wants_is_no_fault_where_every_trigger_is_off(rule_id: str) -> None:
    seen = landed(blob=blob(**FAULTS[rule_id]), pipeline=OFF, watchers=(OFF,))
    assert CATALOGUE[rule_id](seen).outcome is ELSEWHERE


def test_a_trigger_that_is_off_is_switched_on_and_nothing_else_is_changed() -> None:
    said = described(CATALOGUE["ACRT501"], landed(**WAITS_IN_VAIN))
    assert "source trigger of import pipeline 'inward' of registry 'contoso' is off" in said.summary
    words = shlex.split(said.fix_command)
    assert words[words.index("--set") + 1] == 'properties.trigger={"sourceTrigger":{"status":"Enabled"}}'
    assert words[words.index("--ids") + 1] == pipeline().id
    assert "--pipeline-type import" in said.recommendation


def test_listing_needs_a_token_with_list() -> None:
    said = described(CATALOGUE["ACRT502"], landed(sas=token(permissions=frozenset("r"))))
    assert "secret 'transfer-sas' of key vault 'contosokv'" in said.summary
    assert "--permissions rl " in said.fix_command


@pytest.mark.parametrize(("options", "role"), [((), "Reader"), (("deletesourceblobonsuccess",), "Contributor")])
def test_listing_needs_a_role_of_the_identity(options: tuple[str, ...], role: str) -> None:
    identity = pipeline(
        storage_access_mode=StorageAccessMode.MANAGED_IDENTITY, key_vault_uri="", options=frozenset(options)
    )
    said = described(CATALOGUE["ACRT502"], landed(pipeline=identity, storage_grants=()))
    assert PRINCIPAL in said.summary
    words = shlex.split(said.fix_command)
    assert words[words.index("--role") + 1] == f"Storage Blob Data {role}"
    assert words[words.index("--scope") + 1].endswith("/blobServices/default/containers/transfer")


def metadata_written(command: str) -> list[str]:
    words = shlex.split(command)
    after = words[words.index("--metadata") + 1 :]
    return after[: after.index("--output")]


@pytest.mark.parametrize(("rule_id", "age"), [("ACRT503", 61), ("ACRT504", 50)])
def test_an_old_blob_is_made_young_with_all_its_metadata(rule_id: str, age: int) -> None:
    kept = {"category": "acr-transfer-blob", "owner": "team a"}
    said = described(CATALOGUE[rule_id], landed(blob=blob(last_modified=NOW - age * DAY, metadata=kept)))
    assert metadata_written(said.fix_command) == ["category=acr-transfer-blob", "owner=team a"]
    assert "--content-md5" not in said.fix_command


def test_the_days_that_are_left_are_named() -> None:
    said = described(CATALOGUE["ACRT504"], landed(blob=blob(last_modified=NOW - 59 * DAY)))
    assert "in 1 day (" in said.summary
    assert "61 days ago" in described(CATALOGUE["ACRT503"], landed(blob=blob(last_modified=NOW - 61 * DAY))).summary


@pytest.mark.parametrize("sas", [token(), token(expires_on=NOW - DAY)], ids=["alone", "behind-a-dead-token"])
def test_a_blob_that_is_past_the_window_is_no_more_about_to_pass_it(sas: SasToken) -> None:
    facts = SweepFacts()
    for diagnosis in diagnose_blob([landed(blob=blob(last_modified=NOW - 70 * DAY), sas=sas)]):
        facts.add_look(diagnosis)
    assert finding_key("ACRT504", str(BLOB_ADDRESS)) in facts.healthy, "the warning is over"
    # What is printed of a check that passed has to be true of this blob, too.
    assert CATALOGUE["ACRT504"].title == "The blob is not about to pass the age of 60 days"


def test_a_missing_md5_is_computed_over_the_content() -> None:
    said = described(CATALOGUE["ACRT505"], landed(blob=blob(content_md5=None)))
    assert "has no Content-MD5" in said.summary
    assert "openssl md5 -binary | base64" in said.fix_command
    assert "--metadata" not in said.fix_command
    wrong = described(CATALOGUE["ACRT505"], landed(blob=blob(content_md5=bytes(24))))
    assert "24 bytes" in wrong.summary


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({}, "has no metadata 'category'"),
        ({"category": "ACR-transfer-blob"}, "in its spelling only"),
        ({"category": "acr-transfer-blob "}, "in its spelling only"),
        ({"category": "backup"}, "category='backup' instead of 'acr-transfer-blob'"),
    ],
)
def test_the_category_is_told_apart_and_other_metadata_is_kept(metadata: dict[str, str], words: str) -> None:
    said = described(CATALOGUE["ACRT506"], landed(blob=blob(metadata={**metadata, "owner": "it's mine"})))
    assert words in said.summary
    assert metadata_written(said.fix_command) == ["category=acr-transfer-blob", "owner=it's mine"]


def test_a_blob_that_nobody_took_can_be_imported_by_hand() -> None:
    said = described(CATALOGUE["ACRT507"], landed(waiting_since=LONG_AGO))
    assert "since 2026-11-23 09:29 UTC" in said.summary
    assert "--pipeline inward --pipeline-type import" in said.fix_command
    assert said.verify_command == f"acrtm check-blob {BLOB_ADDRESS.url(landed().cloud)}"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"blob_type": "PageBlob"}, "it is a PageBlob and no block blob"),
        ({"copy_status": "failed"}, "the copy that makes it is failed"),
        ({"size": 0}, "it is empty"),
    ],
)
def test_a_blob_that_is_no_transfer_says_why(changes: dict[str, Any], words: str) -> None:
    assert words in described(CATALOGUE["ACRT509"], landed(blob=blob(**changes))).summary


@pytest.mark.parametrize(
    ("facts", "summary", "advice"),
    [
        ({"expectedBy": NOW, "unjudged": []}, "meets every prerequisite", "Nothing to do."),
        ({"expectedBy": NOW, "unjudged": ["ACRT502"]}, "that could be judged", "Not judged: ACRT502."),
    ],
)
def test_readiness_names_the_time_and_what_was_left_open(facts: dict[str, object], summary: str, advice: str) -> None:
    said = CATALOGUE["ACRT510"].describe(landed(), facts)
    assert_pasteable(said)
    assert summary in said.summary
    assert "by 2026-11-23 10:00 UTC" in said.summary
    assert said.recommendation.startswith(advice)


def blob_of_another_cloud() -> Evidence:
    return evidence(look=landed().look, blob=blob(), pipeline=GONE)


def test_nothing_is_concluded_where_nobody_was_asked_who_watches() -> None:
    seen = blob_of_another_cloud()
    assert all(
        CATALOGUE[rule_id](seen).outcome in {UNKNOWN, PASS, ELSEWHERE}
        for rule_id in ("ACRT501", "ACRT502", "ACRT503", "ACRT505", "ACRT507", "ACRT508", "ACRT509")
    )
