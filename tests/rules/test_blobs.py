"""Blobs that runs read, write and leave behind: what fails, what passes, and what can't be told."""

from __future__ import annotations

import shlex
from datetime import timedelta
from typing import Any, Final

import pytest

from shared.evidence.message import read_message
from shared.evidence.model import Look
from shared.evidence.pieces import NOT_ASKED, Missing, Unavailable
from shared.records.transfer import Direction, StorageAccessMode
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Confidence, Outcome, Severity
from tests.rules.builders import DAY, NOW, after_run, blob, container, described, landed, pipeline, run

FAIL, WARN, PASS = Outcome.FAIL, Outcome.WARN, Outcome.PASS
UNKNOWN, ELSEWHERE = Outcome.UNKNOWN, Outcome.NOT_APPLICABLE
EXPORT, IMPORT = Direction.EXPORT, Direction.IMPORT
FAILED, SUCCEEDED = Look.FAILED_RUN, Look.SUCCEEDED_RUN
DENIED: Final = Unavailable("Storage answered 403", "contosostore/transfer", "blobs/read")
GONE: Final = Missing("it", "BlobNotFound")
AFTER_THE_RUN: Final = blob(last_modified=NOW - timedelta(minutes=55))

OVERWRITES: Final = pipeline(direction=EXPORT, options=frozenset({"overwriteblobs"}))
DELETES: Final = pipeline(options=frozenset({"deletesourceblobonsuccess"}))
IDENTITY_DELETES: Final = pipeline(
    options=frozenset({"deletesourceblobonsuccess"}),
    storage_access_mode=StorageAccessMode.MANAGED_IDENTITY,
    key_vault_uri="",
)
LEASED: Final = blob(lease_state="leased", lease_status="locked")
JUST_ENDED: Final = run(direction=EXPORT, artifacts=("app:v1",), finish_time=NOW - timedelta(minutes=3))


@pytest.mark.parametrize(
    ("rule_id", "direction", "look", "changes", "outcome"),
    [
        ("ACRT402", IMPORT, FAILED, {}, PASS),
        ("ACRT402", IMPORT, FAILED, {"blob": GONE}, FAIL),
        ("ACRT402", IMPORT, FAILED, {"blob": DENIED}, UNKNOWN),
        ("ACRT402", IMPORT, FAILED, {"blob": GONE, "run": run(has_source_trigger=True)}, ELSEWHERE),
        ("ACRT402", EXPORT, FAILED, {"blob": GONE}, ELSEWHERE),
        ("ACRT402", IMPORT, SUCCEEDED, {"blob": GONE}, ELSEWHERE),
        ("ACRT403", EXPORT, FAILED, {}, FAIL),
        ("ACRT403", EXPORT, SUCCEEDED, {}, FAIL),
        ("ACRT403", EXPORT, SUCCEEDED, {"pipeline": OVERWRITES}, PASS),
        ("ACRT403", EXPORT, SUCCEEDED, {"blob": AFTER_THE_RUN}, PASS),
        ("ACRT403", EXPORT, SUCCEEDED, {"blob": GONE}, PASS),
        ("ACRT403", EXPORT, FAILED, {"blob": DENIED}, UNKNOWN),
        ("ACRT403", EXPORT, FAILED, {"pipeline": DENIED}, UNKNOWN),
        ("ACRT403", EXPORT, FAILED, {"pipeline": GONE}, ELSEWHERE),
        ("ACRT403", EXPORT, FAILED, {"blob": blob(last_modified=None)}, UNKNOWN),
        ("ACRT403", IMPORT, FAILED, {}, ELSEWHERE),
        ("ACRT404", IMPORT, SUCCEEDED, {"pipeline": DELETES}, FAIL),
        ("ACRT404", IMPORT, SUCCEEDED, {"pipeline": IDENTITY_DELETES}, FAIL),
        ("ACRT404", IMPORT, SUCCEEDED, {}, WARN),
        ("ACRT404", IMPORT, SUCCEEDED, {"pipeline": DELETES, "blob": GONE}, PASS),
        ("ACRT404", IMPORT, SUCCEEDED, {"pipeline": DELETES, "blob": AFTER_THE_RUN}, ELSEWHERE),
        ("ACRT404", IMPORT, SUCCEEDED, {"pipeline": DELETES, "blob": DENIED}, UNKNOWN),
        ("ACRT404", IMPORT, SUCCEEDED, {"pipeline": DENIED}, UNKNOWN),
        ("ACRT404", IMPORT, FAILED, {"pipeline": DELETES}, ELSEWHERE),
        ("ACRT406", IMPORT, FAILED, {"blob": blob(tier="Archive")}, FAIL),
        ("ACRT406", IMPORT, FAILED, {}, PASS),
        ("ACRT406", IMPORT, FAILED, {"blob": DENIED}, UNKNOWN),
        ("ACRT406", EXPORT, FAILED, {"blob": blob(tier="Archive")}, ELSEWHERE),
        ("ACRT408", EXPORT, SUCCEEDED, {"run": JUST_ENDED, "blob": GONE, "watchers": ()}, FAIL),
        ("ACRT408", EXPORT, SUCCEEDED, {"run": JUST_ENDED}, PASS),
        ("ACRT408", EXPORT, SUCCEEDED, {"run": JUST_ENDED, "blob": GONE, "watchers": (pipeline(),)}, ELSEWHERE),
        ("ACRT408", EXPORT, SUCCEEDED, {"run": JUST_ENDED, "blob": GONE}, UNKNOWN),
        ("ACRT408", EXPORT, SUCCEEDED, {"run": JUST_ENDED, "blob": GONE, "watchers": DENIED}, UNKNOWN),
        ("ACRT408", EXPORT, SUCCEEDED, {"run": JUST_ENDED, "blob": DENIED, "watchers": ()}, UNKNOWN),
        ("ACRT408", EXPORT, SUCCEEDED, {"blob": GONE, "watchers": ()}, ELSEWHERE),
        ("ACRT408", IMPORT, SUCCEEDED, {"blob": GONE, "watchers": ()}, ELSEWHERE),
        ("ACRT409", EXPORT, FAILED, {"pipeline": OVERWRITES, "blob": LEASED}, FAIL),
        ("ACRT409", EXPORT, FAILED, {"blob": LEASED}, ELSEWHERE),
        ("ACRT409", EXPORT, FAILED, {"pipeline": DENIED, "blob": LEASED}, UNKNOWN),
        ("ACRT409", IMPORT, FAILED, {"pipeline": DELETES, "blob": blob(legal_hold=True)}, FAIL),
        ("ACRT409", IMPORT, FAILED, {"pipeline": DELETES, "blob": blob(immutable_until=NOW + DAY)}, FAIL),
        ("ACRT409", IMPORT, FAILED, {"pipeline": DELETES, "blob": blob(immutable_until=NOW - DAY)}, PASS),
        ("ACRT409", IMPORT, FAILED, {"pipeline": DELETES, "container": container(has_legal_hold=True)}, FAIL),
        ("ACRT409", IMPORT, FAILED, {"pipeline": DELETES, "container": container(has_immutability_policy=True)}, FAIL),
        ("ACRT409", IMPORT, FAILED, {"pipeline": DELETES, "container": DENIED}, UNKNOWN),
        ("ACRT409", IMPORT, FAILED, {"pipeline": DELETES}, PASS),
        ("ACRT409", IMPORT, FAILED, {"pipeline": DELETES, "blob": blob(holds_known=False)}, UNKNOWN),
        ("ACRT409", IMPORT, FAILED, {"pipeline": DELETES, "blob": blob(legal_hold=True, holds_known=False)}, FAIL),
        ("ACRT409", IMPORT, FAILED, {"pipeline": DELETES, "blob": GONE}, ELSEWHERE),
    ],
)
def test_what_the_rule_finds(
    rule_id: str, direction: Direction, look: Look, changes: dict[str, Any], outcome: Outcome
) -> None:
    seen = after_run(direction, look, **changes)
    assert CATALOGUE[rule_id](seen).outcome is outcome
    if outcome in {FAIL, WARN}:
        said = described(CATALOGUE[rule_id], seen)
        assert "'images.tar.gz'" in said.summary
        assert "'transfer'" in said.summary
        assert "'contosostore'" in said.summary


@pytest.mark.parametrize(
    ("rule_id", "changes", "outcome"),
    [
        ("ACRT406", {}, PASS),
        ("ACRT406", {"blob": blob(tier="Archive")}, FAIL),
        ("ACRT406", {"blob": blob(tier="Archive", archive_status="rehydrate-pending-to-hot")}, FAIL),
        ("ACRT406", {"blob": blob(tier="Archive"), "watchers": (pipeline(source_trigger_enabled=False),)}, FAIL),
        ("ACRT406", {"blob": blob(tier="Archive"), "runs_of_blob": (run(),)}, ELSEWHERE),
        ("ACRT406", {"blob": blob(tier="Archive"), "runs_of_blob": DENIED}, UNKNOWN),
        ("ACRT406", {"blob": blob(tier="Archive"), "pipeline": GONE, "watchers": ()}, ELSEWHERE),
        ("ACRT406", {"blob": GONE}, ELSEWHERE),
        ("ACRT406", {"blob": DENIED}, UNKNOWN),
        ("ACRT409", {"pipeline": DELETES, "blob": LEASED}, FAIL),
        ("ACRT409", {"blob": LEASED}, ELSEWHERE),
        ("ACRT409", {"pipeline": DELETES}, PASS),
        ("ACRT409", {"pipeline": DELETES, "container": NOT_ASKED}, UNKNOWN),
    ],
)
def test_what_the_rule_finds_in_a_blob_that_has_landed(rule_id: str, changes: dict[str, Any], outcome: Outcome) -> None:
    seen = landed(**changes)
    assert CATALOGUE[rule_id](seen).outcome is outcome
    if outcome is FAIL:
        described(CATALOGUE[rule_id], seen)


def test_a_missing_blob_is_likely_alone_and_certain_together_with_the_message() -> None:
    rule = CATALOGUE["ACRT402"]
    assert rule(after_run(IMPORT, blob=GONE)).confidence is Confidence.LIKELY
    told = after_run(IMPORT, blob=GONE, message=read_message("Status: 404 (The specified blob does not exist.)"))
    assert rule(told).confidence is Confidence.CONFIRMED


def test_a_close_name_is_suggested_and_can_be_imported() -> None:
    said = described(CATALOGUE["ACRT402"], after_run(IMPORT, blob=GONE, similar_blobs=("image's.tar.gz",)))
    assert "image's.tar.gz" in said.summary
    words = shlex.split(said.fix_command)
    assert words[words.index("--storage-blob") + 1] == "image's.tar.gz"
    assert words[words.index("--name") + 1].isalnum()


def test_a_blob_that_has_come_since_is_not_called_missing() -> None:
    said = CATALOGUE["ACRT402"].describe(after_run(IMPORT), {})
    assert "it is now" in said.summary
    assert "pipeline-run create" in said.fix_command


def test_overwriting_is_switched_on_beside_the_options_that_are_there() -> None:
    seen = after_run(EXPORT, pipeline=pipeline(direction=EXPORT, options=frozenset({"continueonerrors"})))
    said = described(CATALOGUE["ACRT403"], seen)
    assert "export run 'nightly'" in said.summary
    words = shlex.split(said.fix_command)
    assert words[:3] == ["az", "resource", "update"]
    assert words[words.index("--set") + 1] == 'properties.options=["OverwriteBlobs", "ContinueOnErrors"]'
    assert "--force-redeploy" in said.recommendation


def test_a_pipeline_that_overwrites_is_not_said_to_lack_it() -> None:
    said = CATALOGUE["ACRT403"].describe(after_run(EXPORT, pipeline=OVERWRITES), {})
    assert "although" in said.summary
    assert said.fix_command == ""


def test_a_blob_that_stays_is_medium_if_it_should_be_gone_and_info_otherwise() -> None:
    rule = CATALOGUE["ACRT404"]
    assert rule(after_run(IMPORT, SUCCEEDED)).severity is Severity.INFO
    assert rule(after_run(IMPORT, SUCCEEDED, pipeline=DELETES)).severity is None
    assert rule.severity is Severity.MEDIUM
    assert described(rule, after_run(IMPORT, SUCCEEDED)).fix_command == ""


def test_deleting_needs_a_right_that_suits_the_way_to_storage() -> None:
    rule = CATALOGUE["ACRT404"]
    by_token = described(rule, after_run(IMPORT, SUCCEEDED, pipeline=DELETES))
    assert "--permissions rld" in by_token.fix_command
    by_identity = described(rule, after_run(IMPORT, SUCCEEDED, pipeline=IDENTITY_DELETES))
    assert "'Storage Blob Data Contributor'" in by_identity.fix_command
    locked = described(rule, after_run(IMPORT, SUCCEEDED, pipeline=DELETES, blob=LEASED))
    assert "held by a lease" in locked.recommendation
    assert locked.fix_command == ""


def test_an_archived_blob_is_brought_back_once() -> None:
    said = described(CATALOGUE["ACRT406"], landed(blob=blob(tier="Archive")))
    assert "--tier Hot --rehydrate-priority High" in said.fix_command
    waiting = landed(blob=blob(tier="Archive", archive_status="rehydrate-pending-to-hot"))
    assert described(CATALOGUE["ACRT406"], waiting).fix_command == ""


def test_an_export_without_its_blob_is_only_possible() -> None:
    seen = after_run(EXPORT, SUCCEEDED, run=JUST_ENDED, blob=GONE, watchers=())
    assert CATALOGUE["ACRT408"](seen).confidence is Confidence.POSSIBLE
    assert "just succeeded" in described(CATALOGUE["ACRT408"], seen).summary


def test_a_lease_is_not_broken_by_a_paste() -> None:
    said = described(CATALOGUE["ACRT409"], after_run(EXPORT, pipeline=OVERWRITES, blob=LEASED))
    assert "held by a lease" in said.summary
    assert "can't overwrite" in said.summary
    assert said.fix_command == ""
    assert "az storage blob lease break" in said.recommendation


def test_a_retention_period_of_the_container_is_only_likely() -> None:
    seen = after_run(IMPORT, pipeline=DELETES, container=container(has_immutability_policy=True))
    assert CATALOGUE["ACRT409"](seen).confidence is Confidence.LIKELY
