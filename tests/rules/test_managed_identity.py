"""Data roles of pipelines that use their managed identity."""

from __future__ import annotations

import shlex
from typing import Any, Final

import pytest

from shared.evidence.pieces import Missing, Unavailable
from shared.records.transfer import Direction, Identity, StorageAccessMode
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Confidence, Outcome
from tests.rules.builders import ACCOUNT_ID, PRINCIPAL, described, evidence, grant, pipeline

RULE: Final = CATALOGUE["ACRT351"]
FAIL, PASS, UNKNOWN, ELSEWHERE = Outcome.FAIL, Outcome.PASS, Outcome.UNKNOWN, Outcome.NOT_APPLICABLE
BLOBS: Final = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
READ, WRITE, DELETE, ADD = f"{BLOBS}/read", f"{BLOBS}/write", f"{BLOBS}/delete", f"{BLOBS}/add/action"
DENIED: Final = Unavailable("not allowed", "contosostore", "Microsoft.Authorization/roleAssignments/read")
IDENTITY: Final[dict[str, Any]] = {"storage_access_mode": StorageAccessMode.MANAGED_IDENTITY, "key_vault_uri": ""}


def seen(grants: object, **changes: Any) -> Any:
    known = pipeline(**IDENTITY, **changes)
    return evidence(pipeline=known, direction=known.direction, secret_address=None, storage_grants=grants)


OUTWARD: Final[dict[str, Any]] = {"direction": Direction.EXPORT}
DELETES: Final[dict[str, Any]] = {"options": frozenset({"deletesourceblobonsuccess"})}


@pytest.mark.parametrize(
    ("grants", "changes", "outcome", "lacks"),
    [
        ((grant(READ),), {}, PASS, ""),
        ((grant(f"{BLOBS}/*"),), OUTWARD, PASS, ""),
        ((grant(READ), grant(WRITE), grant(ADD)), OUTWARD, PASS, ""),
        ((grant(READ, DELETE),), DELETES, PASS, ""),
        ((grant(READ), grant(READ, conditional=True)), {}, PASS, ""),
        ((), {}, FAIL, "read blobs"),
        ((), OUTWARD, FAIL, "read, write, add blobs"),
        ((grant(READ),), OUTWARD, FAIL, "write, add blobs"),
        ((grant(READ),), DELETES, FAIL, "delete blobs"),
        ((grant(READ, conditional=True),), {}, UNKNOWN, ""),
        ((grant(READ), grant(DELETE, conditional=True)), DELETES, UNKNOWN, ""),
        (DENIED, {}, UNKNOWN, ""),
        (Missing("scope"), {}, ELSEWHERE, ""),
        ((), {"identity": Identity("userAssigned", "", ())}, UNKNOWN, ""),
        ((), {"identity": None}, ELSEWHERE, ""),
    ],
)
def test_verdicts(grants: object, changes: dict[str, Any], outcome: Outcome, lacks: str) -> None:
    looked_at = seen(grants, **changes)
    verdict = RULE(looked_at)
    assert verdict.outcome is outcome
    if outcome is FAIL:
        assert verdict.confidence is Confidence.CONFIRMED
        description = described(RULE, looked_at)
        assert lacks in description.summary
        assert "contosostore" in description.summary
        assert shlex.split(description.fix_command)[-1] == f"{ACCOUNT_ID}/blobServices/default/containers/transfer"
        assert PRINCIPAL in description.fix_command


def test_adding_alone_may_be_part_of_writing() -> None:
    assert RULE(seen((grant(READ, WRITE),), **OUTWARD)).confidence is Confidence.POSSIBLE


def test_a_condition_is_no_gap_of_the_monitor() -> None:
    missing = RULE(seen((grant(READ, conditional=True),))).missing
    assert missing is not None
    assert missing.by_choice


def test_pipelines_with_a_token_need_no_role() -> None:
    assert RULE(evidence(storage_grants=())).outcome is ELSEWHERE
