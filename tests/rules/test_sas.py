"""The SAS token of a pipeline: what fails, what passes, and what can't be told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import pytest

from shared.evidence.message import read_message
from shared.evidence.model import Look, Malformed, ProbeResult
from shared.evidence.pieces import Missing, Unavailable
from shared.records.transfer import Direction, StorageAccessMode
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Confidence, Outcome
from tests.rules.builders import DAY, NOW, described, evidence, pipeline, secret, token

FAIL, WARN, PASS = Outcome.FAIL, Outcome.WARN, Outcome.PASS
UNKNOWN, ELSEWHERE = Outcome.UNKNOWN, Outcome.NOT_APPLICABLE
UNREAD: Final = Unavailable("SAS_INSPECTION is metadata, so the token is not read", by_choice=True)
DENIED: Final = Unavailable("Key Vault answered 403", "contosokv/transfer-sas", "getSecret")
GONE: Final = Missing("it")
NO_TOKEN: Final = Malformed("it has no signature (sig)")
BOUND: Final = token(permissions=None, starts_on=None, expires_on=None, policy_id="transfers")
REFUSED: Final = ProbeResult(403, "AuthorizationPermissionMismatch", "")
EXPORT: Final = pipeline(direction=Direction.EXPORT)
DELETES: Final = pipeline(options=frozenset({"deletesourceblobonsuccess"}))
HALF_A_DAY: Final = timedelta(hours=12)
SIX: Final = ("ACRT301", "ACRT302", "ACRT303", "ACRT305", "ACRT307", "ACRT311")


@pytest.mark.parametrize(
    ("rule_id", "changes", "outcome", "confidence"),
    [
        ("ACRT301", {}, PASS, None),
        ("ACRT301", {"sas": token(expires_on=NOW)}, FAIL, Confidence.CONFIRMED),
        ("ACRT301", {"sas": token(expires_on=NOW + timedelta(seconds=1))}, PASS, None),
        ("ACRT301", {"sas": BOUND}, UNKNOWN, None),
        ("ACRT301", {"sas": UNREAD}, UNKNOWN, None),
        ("ACRT301", {"sas": UNREAD, "secret": secret(expires_on=NOW - DAY)}, FAIL, Confidence.LIKELY),
        ("ACRT301", {"sas": UNREAD, "secret": secret(expires_on=None)}, UNKNOWN, None),
        ("ACRT301", {"sas": DENIED, "secret": DENIED}, UNKNOWN, None),
        # The token's own end wins over the secret's.
        ("ACRT301", {"secret": secret(expires_on=NOW - DAY)}, PASS, None),
        ("ACRT302", {}, PASS, None),
        ("ACRT302", {"sas": token(starts_on=NOW + HALF_A_DAY)}, FAIL, Confidence.CONFIRMED),
        ("ACRT302", {"sas": token(starts_on=NOW)}, PASS, None),
        ("ACRT302", {"sas": BOUND}, UNKNOWN, None),
        ("ACRT302", {"sas": UNREAD}, UNKNOWN, None),
        ("ACRT303", {}, PASS, None),
        ("ACRT303", {"sas": token(expires_on=NOW + 13 * DAY)}, WARN, Confidence.CONFIRMED),
        ("ACRT303", {"sas": token(expires_on=NOW + 15 * DAY)}, PASS, None),
        ("ACRT303", {"sas": token(expires_on=NOW - DAY)}, PASS, None),
        # A token for ten days warns in its last two.
        ("ACRT303", {"sas": token(starts_on=NOW - 7 * DAY, expires_on=NOW + 3 * DAY)}, PASS, None),
        ("ACRT303", {"sas": token(starts_on=NOW - 9 * DAY, expires_on=NOW + DAY)}, WARN, Confidence.CONFIRMED),
        ("ACRT303", {"sas": UNREAD, "secret": secret(expires_on=NOW + 3 * DAY)}, WARN, Confidence.LIKELY),
        ("ACRT303", {"sas": UNREAD}, UNKNOWN, None),
        ("ACRT303", {"sas": BOUND}, UNKNOWN, None),
        ("ACRT305", {}, PASS, None),
        ("ACRT305", {"sas": token(permissions=frozenset("rl"))}, PASS, None),
        ("ACRT305", {"sas": token(permissions=frozenset("r"))}, FAIL, Confidence.CONFIRMED),
        ("ACRT305", {"sas": token(permissions=frozenset("rl")), "pipeline": DELETES}, FAIL, Confidence.CONFIRMED),
        ("ACRT305", {"sas": token(permissions=frozenset("rwl")), "pipeline": EXPORT}, FAIL, Confidence.CONFIRMED),
        ("ACRT305", {"sas": token(permissions=frozenset("rwla")), "pipeline": EXPORT}, PASS, None),
        ("ACRT305", {"probe": REFUSED}, FAIL, Confidence.CONFIRMED),
        ("ACRT305", {"sas": BOUND}, UNKNOWN, None),
        ("ACRT305", {"sas": BOUND, "probe": REFUSED}, FAIL, Confidence.CONFIRMED),
        ("ACRT305", {"sas": token(permissions=frozenset("r"), policy_id="transfers")}, UNKNOWN, None),
        ("ACRT305", {"sas": UNREAD}, UNKNOWN, None),
        ("ACRT307", {}, PASS, None),
        ("ACRT307", {"sas": token(protocol="https,http")}, WARN, Confidence.CONFIRMED),
        ("ACRT307", {"sas": token(protocol="")}, WARN, Confidence.CONFIRMED),
        ("ACRT307", {"sas": UNREAD}, UNKNOWN, None),
        ("ACRT311", {}, PASS, None),
        ("ACRT311", {"sas": NO_TOKEN}, FAIL, Confidence.CONFIRMED),
        ("ACRT311", {"sas": UNREAD}, UNKNOWN, None),
    ],
)
def test_what_the_rule_finds(
    rule_id: str, changes: dict[str, Any], outcome: Outcome, confidence: Confidence | None
) -> None:
    seen = evidence(**changes)
    verdict = CATALOGUE[rule_id](seen)
    assert verdict.outcome is outcome
    if confidence is not None:
        assert verdict.confidence is confidence
        said = described(CATALOGUE[rule_id], seen)
        assert "key vault 'contosokv'" in said.summary
        assert "pipeline '" in said.summary
        assert "az storage container generate-sas --account-name contosostore --name transfer" in said.fix_command
        assert "--sas-token" in said.verify_command


@pytest.mark.parametrize("rule_id", SIX)
def test_a_pipeline_without_a_token_is_not_asked_for_one(rule_id: str) -> None:
    identity = pipeline(storage_access_mode=StorageAccessMode.MANAGED_IDENTITY, key_vault_uri="")
    assert CATALOGUE[rule_id](evidence(pipeline=identity)).outcome is ELSEWHERE


@pytest.mark.parametrize("rule_id", SIX)
@pytest.mark.parametrize("absent", [GONE, NO_TOKEN])
def test_where_there_is_no_token_other_rules_say_so(rule_id: str, absent: Missing | Malformed) -> None:
    expected = FAIL if rule_id == "ACRT311" and absent is NO_TOKEN else ELSEWHERE
    assert CATALOGUE[rule_id](evidence(sas=absent)).outcome is expected


@pytest.mark.parametrize("rule_id", SIX)
def test_a_token_that_may_not_be_read_is_unknown_with_the_reason(rule_id: str) -> None:
    assert CATALOGUE[rule_id](evidence(sas=DENIED, secret=DENIED)).missing is DENIED


def test_the_end_of_the_token_goes_into_its_column() -> None:
    assert CATALOGUE["ACRT301"](evidence(sas=token(expires_on=NOW - DAY))).expires_on == NOW - DAY
    assert CATALOGUE["ACRT303"](evidence(sas=token(expires_on=NOW + DAY))).expires_on == NOW + DAY


def test_what_rests_on_the_secret_alone_says_so() -> None:
    seen = evidence(sas=UNREAD, secret=secret(expires_on=NOW - DAY))
    assert "judged by the expiry date of the secret" in described(CATALOGUE["ACRT301"], seen).summary


def test_the_times_of_the_message_speak_where_nothing_else_does() -> None:
    message = read_message(
        "Signature not valid in the specified time frame: Start [Thu, 13 Jun 2019 16:18:07 GMT] - Expiry "
        "[Fri, 14 Jun 2019 16:23:07 GMT] - Current [Sat, 15 Jun 2019 09:22:53 GMT]"
    )
    seen = evidence(look=Look.FAILED_RUN, sas=UNREAD, message=message)
    assert "expired on 2019-06-14 16:23 UTC" in CATALOGUE["ACRT301"].describe(seen, {}).summary
    assert "not valid before 2019-06-13 16:18 UTC" in CATALOGUE["ACRT302"].describe(seen, {}).summary


@pytest.mark.parametrize(
    ("left", "words"),
    [(timedelta(hours=2), "in 0 days"), (DAY, "in 1 day ("), (5 * DAY, "in 5 days")],
)
def test_the_days_that_are_left_are_named(left: timedelta, words: str) -> None:
    assert words in described(CATALOGUE["ACRT303"], evidence(sas=token(expires_on=NOW + left))).summary


def test_missing_permissions_are_named_and_the_new_token_has_them() -> None:
    said = described(CATALOGUE["ACRT305"], evidence(sas=token(permissions=frozenset("r")), pipeline=EXPORT))
    assert "lacks Write, List, Add, which an export needs" in said.summary
    assert "--permissions rwla --https-only" in said.fix_command


def test_a_secret_without_a_token_says_what_it_is() -> None:
    said = described(CATALOGUE["ACRT311"], evidence(sas=NO_TOKEN))
    assert "Secret 'transfer-sas' of key vault 'contosokv' holds no SAS token: it has no signature" in said.summary
