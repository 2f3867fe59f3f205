"""Storage accounts and containers: what fails, what passes, and what can't be told."""

from __future__ import annotations

from typing import Any, Final

import pytest

from shared.addresses import read_container_address
from shared.clouds import PUBLIC
from shared.evidence.message import read_message
from shared.evidence.model import Look, ProbeResult
from shared.evidence.pieces import NOT_ASKED, Missing, Unavailable
from shared.records.transfer import StorageAccessMode
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Confidence, Outcome
from tests.rules.builders import (
    ALLOWED,
    SIGNATURE,
    account,
    assert_pasteable,
    blob,
    container,
    described,
    evidence,
    pipeline,
)

FAIL, PASS = Outcome.FAIL, Outcome.PASS
UNKNOWN, ELSEWHERE = Outcome.UNKNOWN, Outcome.NOT_APPLICABLE
DENIED: Final = Unavailable("ARM answered 403", "contosostore", "Microsoft.Storage/storageAccounts/read")
GONE: Final = Missing("it")
IDENTITY: Final = pipeline(storage_access_mode=StorageAccessMode.MANAGED_IDENTITY, key_vault_uri="")


def answered(code: str) -> ProbeResult:
    return ProbeResult(404 if "NotFound" in code else 403, code, "")


def address(uri: str) -> Any:
    return read_container_address(uri, PUBLIC)


NO_CONTAINER: Final = address(f"https://contosostore.blob.core.windows.net/?sv=1&sig={SIGNATURE}")
FOREIGN: Final = address("https://contosostore.blob.core.chinacloudapi.cn/transfer")
PLAIN_HTTP: Final = address("http://contosostore.blob.core.windows.net/transfer")
IN_PERIMETER: Final = account(public_network_access="SecuredByPerimeter")
BY_NSP: Final = "Request was not allowed by NSP rules and the client address is not authorized"
ZONE: Final = address("https://contosostore.z01.blob.storage.azure.net/transfer")


@pytest.mark.parametrize(
    ("rule_id", "changes", "outcome"),
    [
        ("ACRT401", {"container": container()}, PASS),
        ("ACRT401", {"container": GONE}, FAIL),
        ("ACRT401", {"container": container(deleted=True)}, FAIL),
        ("ACRT401", {"container": container(), "probe": answered("ContainerNotFound")}, FAIL),
        ("ACRT401", {"container": DENIED, "probe": answered("ContainerBeingDeleted")}, FAIL),
        ("ACRT401", {"container": DENIED, "probe": DENIED, "blob": Missing("it", "ContainerNotFound")}, FAIL),
        ("ACRT401", {"container": DENIED, "probe": DENIED, "blob": Missing("it", "BlobNotFound")}, UNKNOWN),
        ("ACRT401", {"container": DENIED, "probe": answered("AuthorizationFailure")}, UNKNOWN),
        ("ACRT401", {"container": DENIED, "probe": ALLOWED}, PASS),
        ("ACRT401", {"container": DENIED, "probe": DENIED, "blob": blob()}, PASS),
        ("ACRT401", {"container_address": NO_CONTAINER}, FAIL),
        ("ACRT401", {"container_address": FOREIGN}, ELSEWHERE),
        ("ACRT405", {}, PASS),
        ("ACRT405", {"account": account(default_action="Deny")}, FAIL),
        ("ACRT405", {"account": account(default_action="Deny", network_rules=3, bypass="AzureServices")}, FAIL),
        ("ACRT405", {"account": account(public_network_access="Disabled")}, FAIL),
        ("ACRT405", {"account": IN_PERIMETER}, UNKNOWN),
        ("ACRT405", {"account": account(public_network_access="securedByPerimeter", default_action="Deny")}, UNKNOWN),
        ("ACRT405", {"account": IN_PERIMETER, "message": read_message("403: AuthorizationFailure")}, UNKNOWN),
        ("ACRT405", {"account": IN_PERIMETER, "message": read_message(f"Key vault contosokv: {BY_NSP}")}, UNKNOWN),
        ("ACRT405", {"account": IN_PERIMETER, "message": read_message(f"Blob images.tar.gz: {BY_NSP}")}, FAIL),
        ("ACRT405", {"account": account(default_action="Deny"), "pipeline": IDENTITY}, FAIL),
        ("ACRT405", {"account": account(public_network_access="")}, PASS),
        ("ACRT405", {"account": DENIED}, UNKNOWN),
        ("ACRT405", {"account": GONE}, ELSEWHERE),
        ("ACRT407", {}, PASS),
        ("ACRT407", {"account": GONE}, FAIL),
        ("ACRT407", {"account": DENIED, "probe": GONE}, FAIL),
        ("ACRT407", {"probe": answered("AccountIsDisabled")}, FAIL),
        ("ACRT407", {"account": account(status_of_primary="unavailable")}, FAIL),
        ("ACRT407", {"container_address": FOREIGN}, FAIL),
        ("ACRT407", {"container_address": PLAIN_HTTP}, FAIL),
        ("ACRT407", {"container_address": address("https://example.com/transfer")}, FAIL),
        ("ACRT407", {"container_address": ZONE}, UNKNOWN),
        ("ACRT407", {"container_address": NO_CONTAINER}, ELSEWHERE),
        ("ACRT407", {"account": DENIED, "probe": NOT_ASKED}, UNKNOWN),
        ("ACRT407", {"account": DENIED, "probe": answered("AuthorizationFailure")}, PASS),
        ("ACRT407", {"account": DENIED, "probe": NOT_ASKED, "blob": blob()}, PASS),
    ],
)
@pytest.mark.parametrize("look", [Look.FAILED_RUN, Look.BLOB, Look.PIPELINE])
def test_what_the_rule_finds(rule_id: str, changes: dict[str, Any], outcome: Outcome, look: Look) -> None:
    seen = evidence(look=look, **changes)
    assert CATALOGUE[rule_id](seen).outcome is outcome
    if outcome is FAIL:
        described(CATALOGUE[rule_id], seen)


def test_what_is_unknown_for_a_reason_of_its_own_is_said_aloud() -> None:
    zone = CATALOGUE["ACRT407"](evidence(container_address=ZONE)).missing
    assert zone is not None
    assert not zone.by_choice
    assert "DNS zone" in zone.reason


def test_an_account_that_is_merely_called_unavailable_is_likely() -> None:
    verdict = CATALOGUE["ACRT407"](evidence(account=account(status_of_primary="unavailable")))
    assert verdict.confidence is Confidence.LIKELY


def test_a_missing_container_is_named_and_made() -> None:
    said = described(CATALOGUE["ACRT401"], evidence(container=GONE))
    assert "container 'transfer' of storage account 'contosostore'" in said.summary.lower()
    assert "import pipeline 'inward' of registry 'contoso'" in said.summary
    assert said.fix_command == (
        "az storage container create --account-name contosostore --name transfer --auth-mode login"
    )


def test_an_address_is_shown_without_the_token_behind_it() -> None:
    said = described(CATALOGUE["ACRT401"], evidence(container_address=NO_CONTAINER))
    assert "'https://contosostore.blob.core.windows.net/'" in said.summary
    assert said.fix_command == ""


def test_opening_a_closed_account_is_left_to_its_owner() -> None:
    seen = evidence(account=account(default_action="Deny"))
    said = described(CATALOGUE["ACRT405"], seen)
    assert "'contosostore'" in said.summary
    assert "Deny" in said.summary
    assert "for its owner to decide" in said.recommendation
    assert "az storage account update --ids" in f"{said.fix_command}{said.recommendation}"
    assert said.verify_command.startswith("az storage account show --name contosostore")


def test_what_a_perimeter_lets_in_no_right_would_tell() -> None:
    missing = CATALOGUE["ACRT405"](evidence(account=IN_PERIMETER)).missing
    assert missing is not None
    assert missing.by_choice
    assert "perimeter" in missing.reason


def test_nobody_is_told_to_take_an_account_out_of_its_perimeter() -> None:
    refused = evidence(account=IN_PERIMETER, message=read_message(f"Blob images.tar.gz: {BY_NSP}"))
    for said in (
        described(CATALOGUE["ACRT405"], refused),
        CATALOGUE["ACRT405"].describe(evidence(account=IN_PERIMETER), {}),
    ):
        assert_pasteable(said)
        assert "network security perimeter" in said.summary
        assert "owner of the perimeter" in said.recommendation
        assert said.fix_command == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"account": GONE}, "there is no account of that name"),
        ({"probe": answered("AccountIsDisabled")}, "is disabled"),
        ({"container_address": FOREIGN}, "its host belongs to another cloud"),
    ],
)
def test_an_account_out_of_reach_says_why(changes: dict[str, Any], words: str) -> None:
    said = described(CATALOGUE["ACRT407"], evidence(**changes))
    assert words in said.summary
    assert "contosostore" in said.summary


@pytest.mark.parametrize("rule_id", ["ACRT401", "ACRT405", "ACRT407"])
def test_where_only_the_message_speaks_the_present_is_not_claimed(rule_id: str) -> None:
    said = CATALOGUE[rule_id].describe(evidence(look=Look.FAILED_RUN, container=container()), {})
    assert_pasteable(said)
    assert "does not exist" not in said.summary
    assert "there is no account" not in said.summary
