"""Signatures, places, reach and policies of SAS tokens: what fails, what passes, and what can't be told."""

from __future__ import annotations

import shlex
from typing import Any, Final

import pytest

from shared.addresses import SecretAddress
from shared.evidence.model import Malformed, ProbeResult
from shared.evidence.pieces import NOT_ASKED, Missing, Unavailable
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Confidence, Outcome
from shared.sas_token import SasKind
from tests.rules.builders import ALLOWED, DAY, NOW, account, described, evidence, secret, token

FAIL, WARN, PASS = Outcome.FAIL, Outcome.WARN, Outcome.PASS
UNKNOWN, ELSEWHERE = Outcome.UNKNOWN, Outcome.NOT_APPLICABLE
CONFIRMED, LIKELY, POSSIBLE = Confidence.CONFIRMED, Confidence.LIKELY, Confidence.POSSIBLE
DENIED: Final = Unavailable("the monitor may not read it", "contosokv", "secrets/getSecret/action")
NO_WAY: Final = Unavailable("there is no way to it", "contosostore", passing=True)
BY_CHOICE: Final = Unavailable("SAS_INSPECTION is metadata", by_choice=True)
MALFORMED: Final = Malformed("it is empty")
GONE: Final = Missing("it")

RENEWED: Final = account(key_created=(NOW - DAY, NOW - DAY))
ONE_RENEWED: Final = account(key_created=(NOW - DAY, NOW - 200 * DAY))
UNDATED: Final = account(key_created=())
NO_KEYS: Final = account(allow_shared_key_access=False)
ACCOUNT_SAS: Final = token(kind=SasKind.ACCOUNT, resource="", services=frozenset("b"), resource_types=frozenset("sco"))
DELEGATED: Final = token(kind=SasKind.USER_DELEGATION)
BOUND: Final = token(policy_id="transfers", permissions=None, expires_on=None)


def answer(code: str, detail: str = "") -> ProbeResult:
    return ProbeResult(403, code, detail)


REFUSED: Final = answer("AuthenticationFailed", "Signature did not match. String to sign used was rl")
TOO_LATE: Final = answer("AuthenticationFailed", "Signature not valid in the specified time frame")
NETWORK: Final = answer("AuthorizationFailure")


@pytest.mark.parametrize(
    ("rule_id", "changes", "outcome", "confidence"),
    [
        ("ACRT304", {}, PASS, None),
        ("ACRT304", {"probe": REFUSED, "account": RENEWED}, FAIL, CONFIRMED),
        ("ACRT304", {"probe": REFUSED, "account": ONE_RENEWED}, FAIL, CONFIRMED),
        ("ACRT304", {"probe": REFUSED, "account": UNDATED}, FAIL, CONFIRMED),
        ("ACRT304", {"probe": REFUSED, "account": NO_WAY}, FAIL, CONFIRMED),
        ("ACRT304", {"probe": REFUSED}, PASS, None),
        ("ACRT304", {"probe": REFUSED, "sas": DELEGATED}, FAIL, CONFIRMED),
        ("ACRT304", {"probe": REFUSED, "sas": BOUND}, FAIL, CONFIRMED),
        ("ACRT304", {"probe": answer("AuthorizationPermissionMismatch"), "account": RENEWED}, PASS, None),
        ("ACRT304", {"probe": ProbeResult(404, "ContainerNotFound", "")}, PASS, None),
        ("ACRT304", {"probe": TOO_LATE, "sas": token(expires_on=NOW)}, ELSEWHERE, None),
        ("ACRT304", {"probe": REFUSED, "sas": token(starts_on=NOW + DAY)}, ELSEWHERE, None),
        ("ACRT304", {"probe": TOO_LATE}, UNKNOWN, None),
        ("ACRT304", {"probe": NETWORK}, UNKNOWN, None),
        ("ACRT304", {"probe": NO_WAY}, UNKNOWN, None),
        ("ACRT304", {"probe": NO_WAY, "account": RENEWED}, FAIL, POSSIBLE),
        ("ACRT304", {"probe": NO_WAY, "account": RENEWED, "sas": DELEGATED}, UNKNOWN, None),
        ("ACRT304", {"sas": BY_CHOICE, "probe": NOT_ASKED, "account": RENEWED}, FAIL, POSSIBLE),
        ("ACRT304", {"sas": BY_CHOICE, "probe": NOT_ASKED, "account": ONE_RENEWED}, UNKNOWN, None),
        ("ACRT304", {"sas": DENIED, "probe": NOT_ASKED}, UNKNOWN, None),
        ("ACRT304", {"sas": GONE, "probe": NOT_ASKED, "account": RENEWED}, ELSEWHERE, None),
        ("ACRT304", {"sas": MALFORMED, "probe": NOT_ASKED}, ELSEWHERE, None),
        ("ACRT306", {}, PASS, None),
        ("ACRT306", {"sas": DELEGATED}, PASS, None),
        ("ACRT306", {"sas": ACCOUNT_SAS}, PASS, None),
        (
            "ACRT306",
            {"sas": token(kind=SasKind.ACCOUNT, services=frozenset("b"), resource_types=frozenset("sc"))},
            FAIL,
            CONFIRMED,
        ),
        (
            "ACRT306",
            {"sas": token(kind=SasKind.ACCOUNT, services=frozenset("b"), resource_types=frozenset("co"))},
            FAIL,
            LIKELY,
        ),
        ("ACRT306", {"sas": ACCOUNT_SAS, "probe": answer("AuthorizationResourceTypeMismatch")}, FAIL, CONFIRMED),
        ("ACRT306", {"probe": answer("AuthorizationResourceTypeMismatch")}, PASS, None),
        ("ACRT306", {"sas": DENIED}, UNKNOWN, None),
        ("ACRT306", {"sas": GONE}, ELSEWHERE, None),
        ("ACRT308", {}, PASS, None),
        ("ACRT308", {"sas": ACCOUNT_SAS}, PASS, None),
        (
            "ACRT308",
            {"sas": token(kind=SasKind.ACCOUNT, services=frozenset("fq"), resource_types=frozenset("sco"))},
            FAIL,
            CONFIRMED,
        ),
        ("ACRT308", {"sas": ACCOUNT_SAS, "probe": answer("AuthorizationServiceMismatch")}, FAIL, CONFIRMED),
        ("ACRT308", {"sas": BY_CHOICE}, UNKNOWN, None),
        ("ACRT308", {"sas": MALFORMED}, ELSEWHERE, None),
        ("ACRT309", {}, PASS, None),
        ("ACRT309", {"sas": ACCOUNT_SAS}, PASS, None),
        ("ACRT309", {"sas": ACCOUNT_SAS, "probe": NOT_ASKED}, PASS, None),
        ("ACRT309", {"sas": token(resource="b")}, FAIL, CONFIRMED),
        ("ACRT309", {"sas": token(resource="bs")}, FAIL, CONFIRMED),
        ("ACRT309", {"sas": token(resource="bv")}, FAIL, CONFIRMED),
        ("ACRT309", {"sas": token(resource="d", kind=SasKind.USER_DELEGATION)}, FAIL, CONFIRMED),
        ("ACRT309", {"probe": answer("AuthorizationResourceTypeMismatch")}, FAIL, CONFIRMED),
        ("ACRT309", {"probe": REFUSED}, FAIL, LIKELY),
        ("ACRT309", {"probe": REFUSED, "sas": ACCOUNT_SAS}, FAIL, LIKELY),
        ("ACRT309", {"probe": REFUSED, "account": ONE_RENEWED}, UNKNOWN, None),
        ("ACRT309", {"probe": REFUSED, "sas": BOUND}, UNKNOWN, None),
        ("ACRT309", {"probe": TOO_LATE, "sas": token(expires_on=NOW)}, ELSEWHERE, None),
        ("ACRT309", {"probe": answer("AuthorizationPermissionMismatch")}, PASS, None),
        ("ACRT309", {"probe": NO_WAY}, UNKNOWN, None),
        ("ACRT309", {"sas": DENIED}, UNKNOWN, None),
        ("ACRT309", {"sas": GONE}, ELSEWHERE, None),
        ("ACRT310", {}, PASS, None),
        ("ACRT310", {"sas": token(ip_range="198.51.100.0-198.51.100.255")}, FAIL, LIKELY),
        (
            "ACRT310",
            {"sas": token(ip_range="198.51.100.7"), "probe": answer("AuthorizationSourceIPMismatch")},
            FAIL,
            CONFIRMED,
        ),
        ("ACRT310", {"sas": DENIED}, UNKNOWN, None),
        ("ACRT310", {"sas": GONE}, ELSEWHERE, None),
        ("ACRT312", {}, PASS, None),
        ("ACRT312", {"account": NO_KEYS}, FAIL, CONFIRMED),
        ("ACRT312", {"account": NO_KEYS, "sas": ACCOUNT_SAS}, FAIL, CONFIRMED),
        ("ACRT312", {"account": NO_KEYS, "sas": BY_CHOICE}, FAIL, LIKELY),
        ("ACRT312", {"account": NO_KEYS, "sas": DELEGATED}, PASS, None),
        ("ACRT312", {"account": NO_WAY, "sas": DELEGATED}, PASS, None),
        ("ACRT312", {"account": NO_WAY, "probe": answer("KeyBasedAuthenticationNotPermitted")}, FAIL, CONFIRMED),
        ("ACRT312", {"account": NO_WAY}, UNKNOWN, None),
        ("ACRT312", {"account": GONE}, ELSEWHERE, None),
        ("ACRT312", {"account": NO_KEYS, "sas": MALFORMED}, ELSEWHERE, None),
        ("ACRT313", {}, PASS, None),
        ("ACRT313", {"sas": BOUND}, WARN, CONFIRMED),
        ("ACRT313", {"sas": token(policy_id="transfers")}, WARN, CONFIRMED),
        ("ACRT313", {"sas": DENIED}, UNKNOWN, None),
        ("ACRT313", {"sas": GONE}, ELSEWHERE, None),
    ],
)
def test_verdicts(rule_id: str, changes: dict[str, Any], outcome: Outcome, confidence: Confidence | None) -> None:
    seen = evidence(**changes)
    verdict = CATALOGUE[rule_id](seen)
    assert verdict.outcome is outcome
    assert (verdict.missing is not None) == (outcome is UNKNOWN)
    if outcome in {FAIL, WARN}:
        assert verdict.confidence is confidence
        summary = described(CATALOGUE[rule_id], seen).summary
        assert "inward" in summary
        assert "contosokv" in summary or "contosostore" in summary


@pytest.mark.parametrize("rule_id", ["ACRT304", "ACRT306", "ACRT308", "ACRT309", "ACRT310", "ACRT312", "ACRT313"])
@pytest.mark.parametrize(("sas", "quiet"), [(BY_CHOICE, True), (DENIED, False)])
def test_what_is_left_out_by_choice_stays_quiet(rule_id: str, sas: Unavailable, quiet: bool) -> None:
    missing = CATALOGUE[rule_id](evidence(sas=sas, probe=NOT_ASKED)).missing
    # Key access is the account's own setting, which needs no token to be read.
    assert (missing is None) if rule_id == "ACRT312" else (missing is not None and missing.by_choice is quiet)


@pytest.mark.parametrize("rule_id", ["ACRT304", "ACRT309"])
def test_a_list_that_could_not_be_tried_is_told(rule_id: str) -> None:
    assert CATALOGUE[rule_id](evidence(probe=NO_WAY)).missing is NO_WAY
    quiet = CATALOGUE[rule_id](evidence(probe=NETWORK)).missing
    assert quiet is not None
    assert quiet.by_choice


@pytest.mark.parametrize(
    "changes",
    [
        {"secret": secret(created=None)},
        {"secret": secret(created=NOW - 300 * DAY)},
        {"secret": NOT_ASKED},
        {"secret_address": SecretAddress("contosokv", "transfer-sas", "another")},
        {"account": UNDATED},
    ],
)
def test_keys_are_only_older_where_both_and_the_stored_token_have_a_date(changes: dict[str, Any]) -> None:
    seen = evidence(probe=REFUSED, **changes)
    assert CATALOGUE["ACRT304"](seen).outcome is FAIL
    assert CATALOGUE["ACRT309"](seen).outcome is UNKNOWN


def test_a_changed_attribute_does_not_make_the_token_younger() -> None:
    seen = evidence(probe=REFUSED, secret=secret(created=NOW - 10 * DAY, updated=NOW), account=ONE_RENEWED)
    assert CATALOGUE["ACRT304"](seen).outcome is FAIL


def test_one_refusal_is_never_both_a_dead_key_and_another_place() -> None:
    for keys in (RENEWED, ONE_RENEWED, UNDATED, account()):
        for sas in (token(), ACCOUNT_SAS, DELEGATED, BOUND):
            seen = evidence(probe=REFUSED, account=keys, sas=sas)
            outcomes = [CATALOGUE[rule_id](seen).outcome for rule_id in ("ACRT304", "ACRT309")]
            assert outcomes.count(FAIL) == 1


def test_a_stored_access_policy_is_named_as_what_may_have_changed() -> None:
    seen = evidence(probe=REFUSED, sas=BOUND)
    assert "'transfers'" in described(CATALOGUE["ACRT304"], seen).recommendation
    description = described(CATALOGUE["ACRT313"], seen)
    assert "expiry, permissions" in description.summary
    assert "was refused" in description.recommendation
    assert shlex.split(description.verify_command)[-1] == "transfers"
    assert "was allowed" in described(CATALOGUE["ACRT313"], evidence(sas=BOUND, probe=ALLOWED)).recommendation


def test_an_account_without_key_access_gets_a_token_that_no_key_signs() -> None:
    fix = described(CATALOGUE["ACRT312"], evidence(account=NO_KEYS)).fix_command
    assert "--as-user --auth-mode login" in fix
    assert "+6 days" in fix
    assert "--permissions rl " in fix


def test_the_words_follow_the_fault() -> None:
    assert "one blob only" in described(CATALOGUE["ACRT309"], evidence(sas=token(resource="b"))).summary
    assert "another place" in described(CATALOGUE["ACRT309"], evidence(probe=REFUSED)).summary
    hint = described(CATALOGUE["ACRT304"], evidence(sas=BY_CHOICE, probe=NOT_ASKED, account=RENEWED)).summary
    assert "may have lost its key" in hint
    few = token(kind=SasKind.ACCOUNT, services=frozenset("f"), resource_types=frozenset("s"))
    assert "lacks Container, Object" in described(CATALOGUE["ACRT306"], evidence(sas=few)).summary
    assert "(ss=f)" in described(CATALOGUE["ACRT308"], evidence(sas=few)).summary
