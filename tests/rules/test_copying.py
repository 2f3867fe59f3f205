"""Copies between clouds: what is lost on the way, and copies that did not end."""

from __future__ import annotations

import shlex
from datetime import timedelta
from typing import Any, Final

import pytest

from shared.evidence.pieces import Missing, Unavailable
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Confidence, Outcome, Severity
from tests.rules.builders import NOW, SIGNATURE, blob, described, landed

FAIL, WARN, PASS = Outcome.FAIL, Outcome.WARN, Outcome.PASS
UNKNOWN, ELSEWHERE = Outcome.UNKNOWN, Outcome.NOT_APPLICABLE
MARKED: Final = {"category": "acr-transfer-blob"}
UPLOADED: Final[dict[str, Any]] = {"content_md5": None, "metadata": {}}


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, PASS),
        (UPLOADED, FAIL),
        ({**UPLOADED, "size": 1000}, FAIL),
        ({**UPLOADED, "content_type": "application/x-tar"}, FAIL),
        ({"content_md5": None}, FAIL),
        ({"metadata": {}}, FAIL),
        ({"metadata": {"posix_mtime": "1", "modtime": "2"}}, FAIL),
        ({"metadata": {"owner": "somebody"}}, ELSEWHERE),
        ({"content_md5": None, "metadata": {"owner": "somebody"}}, FAIL),
        ({"metadata": {"category": "backup"}}, PASS),
        ({"content_md5": bytes(24)}, PASS),
        ({**UPLOADED, "copy_status": "success"}, ELSEWHERE),
        ({**UPLOADED, "blob_type": "PageBlob"}, ELSEWHERE),
    ],
)
def test_an_upload_that_lost_something_is_known_by_its_signs(changes: dict[str, Any], outcome: Outcome) -> None:
    seen = landed(blob=blob(**changes))
    verdict = CATALOGUE["ACRT701"](seen)
    assert verdict.outcome is outcome
    if outcome is FAIL:
        assert verdict.confidence is Confidence.LIKELY
        assert "'images.tar.gz'" in described(CATALOGUE["ACRT701"], seen).summary


@pytest.mark.parametrize(
    ("changes", "lost", "flags"),
    [
        (UPLOADED, ["Content-MD5", "category"], "azcopy copy --put-md5 --metadata category=acr-transfer-blob"),
        ({"content_md5": None, "metadata": MARKED}, ["Content-MD5"], "azcopy copy --put-md5`"),
        ({"metadata": {}}, ["category"], "azcopy copy --metadata category=acr-transfer-blob"),
    ],
)
def test_what_is_lost_is_restored_and_kept_next_time(changes: dict[str, Any], lost: list[str], flags: str) -> None:
    seen = landed(blob=blob(**changes))
    assert CATALOGUE["ACRT701"](seen).facts["lost"] == lost
    said = described(CATALOGUE["ACRT701"], seen)
    assert flags in said.recommendation
    words = shlex.split(said.fix_command)
    assert ("--content-md5" in words) is ("Content-MD5" in lost)
    assert ("category=acr-transfer-blob" in words) is ("category" in lost)


@pytest.mark.parametrize(
    ("changes", "outcome", "severity"),
    [
        ({}, PASS, None),
        ({"copy_status": "success"}, PASS, None),
        ({"copy_status": "pending"}, WARN, None),
        ({"copy_status": "pending", "last_modified": NOW - timedelta(minutes=10)}, WARN, Severity.INFO),
        ({"copy_status": "pending", "last_modified": None}, WARN, None),
        ({"copy_status": "failed", "copy_description": "403 Forbidden"}, FAIL, None),
        ({"copy_status": "aborted"}, FAIL, None),
    ],
)
def test_a_copy_has_to_come_to_a_good_end(changes: dict[str, Any], outcome: Outcome, severity: Severity | None) -> None:
    seen = landed(blob=blob(**changes))
    verdict = CATALOGUE["ACRT702"](seen)
    assert (verdict.outcome, verdict.severity) == (outcome, severity)
    if outcome is not PASS:
        said = described(CATALOGUE["ACRT702"], seen)
        assert "blob 'images.tar.gz' in container 'transfer'" in said.summary.lower()


def test_why_a_copy_failed_is_said_without_a_token() -> None:
    failed_copy = blob(copy_status="failed", copy_description=f"404 from https://a/b?se=1&sig={SIGNATURE}")
    verdict = CATALOGUE["ACRT702"](landed(blob=failed_copy))
    assert SIGNATURE not in f"{verdict.facts}"
    assert "404 from" in described_without_check(failed_copy)


def described_without_check(seen: Any) -> str:
    evidence = landed(blob=seen)
    return CATALOGUE["ACRT702"].describe(evidence, CATALOGUE["ACRT702"](evidence).facts).summary


@pytest.mark.parametrize("rule_id", ["ACRT701", "ACRT702"])
def test_a_blob_that_can_not_be_read_is_unknown_and_one_that_is_gone_no_matter(rule_id: str) -> None:
    assert CATALOGUE[rule_id](landed(blob=Unavailable("403"))).outcome is UNKNOWN
    assert CATALOGUE[rule_id](landed(blob=Missing("it"))).outcome is ELSEWHERE
