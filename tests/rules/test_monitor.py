"""What the monitor says about itself."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any, Final

import pytest

from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Description, Outcome
from shared.rules.monitor import role_for, scope_of
from tests.rules.builders import ACCOUNT_ID, REGISTRY_ID, SUBSCRIPTION, VAULT_ID, assert_pasteable, landed

ROOT: Final = Path(__file__).parents[2]
MONITOR: Final = "bbbbbbbb-0000-0000-0000-000000000002"
BLOBS_READ: Final = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
GET_SECRET: Final = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
PULL: Final = "Microsoft.ContainerRegistry/registries/pull/read"


def said(rule_id: str, facts: dict[str, Any]) -> Description:
    description = CATALOGUE[rule_id].describe(landed(), facts)
    assert_pasteable(description)
    return description


def open_end(**changes: Any) -> dict[str, Any]:
    known = {
        "target": "contosostore/transfer/images.tar.gz",
        "right": BLOBS_READ,
        "reason": "Storage answered 403 AuthorizationPermissionMismatch for contosostore/transfer/images.tar.gz: no",
        "rules": ["ACRT505", "ACRT506"],
        "principal": MONITOR,
    }
    return {**known, **changes}


@pytest.mark.parametrize("rule_id", ["ACRT901", "ACRT902", "ACRT903", "ACRT904"])
def test_these_rules_ask_nothing(rule_id: str) -> None:
    assert CATALOGUE[rule_id](landed()).outcome is Outcome.NOT_APPLICABLE
    assert not CATALOGUE[rule_id].causes


@pytest.mark.parametrize(
    ("target", "right", "role", "scope"),
    [
        (f"{REGISTRY_ID}/pipelineRuns", "read", "Reader", REGISTRY_ID),
        (f"{VAULT_ID}/secrets/transfer-sas", "Microsoft.KeyVault/vaults/secrets/read", "Reader", VAULT_ID),
        (f"{SUBSCRIPTION}/providers/Microsoft.KeyVault/vaults", "read", "Reader", SUBSCRIPTION),
        (f"{SUBSCRIPTION}/providers/Microsoft.Insights/eventtypes/management/values", "read", "Reader", SUBSCRIPTION),
        (
            f"{ACCOUNT_ID}/providers/Microsoft.Authorization/roleAssignments",
            "Microsoft.Authorization/roleAssignments/read",
            "Reader",
            ACCOUNT_ID,
        ),
        (
            "contosostore/transfer",
            BLOBS_READ,
            "Storage Blob Data Reader",
            f"{ACCOUNT_ID}/blobServices/default/containers/transfer",
        ),
        ("contoso.azurecr.io", PULL, "AcrPull", REGISTRY_ID),
    ],
)
def test_a_missing_right_is_granted_by_the_smallest_role(target: str, right: str, role: str, scope: str) -> None:
    description = said("ACRT901", open_end(target=target, right=right))
    assert target in description.summary
    assert "ACRT505, ACRT506" in description.summary
    assert f"role {role} " in description.recommendation
    words = shlex.split(description.fix_command)
    assert words[words.index("--role") + 1] == role
    assert words[words.index("--scope") + 1] == scope
    assert words[words.index("--assignee") + 1] == MONITOR


@pytest.mark.parametrize(
    "changes",
    [
        {"principal": ""},
        {"target": "otherstore/transfer"},
        {"target": "contosokv/transfer-sas", "right": GET_SECRET},
        {"target": "contosokv", "right": "Microsoft.KeyVault/vaults/read"},
    ],
)
def test_without_the_identity_or_the_scope_there_is_no_command(changes: dict[str, Any]) -> None:
    description = said("ACRT901", open_end(**changes))
    assert description.fix_command == ""
    assert "Give the monitor's identity the role" in description.recommendation


def test_a_role_by_hand_is_said_to_stand_in_the_way_of_a_deployment() -> None:
    assert "RoleAssignmentExists" in said("ACRT901", open_end()).recommendation


@pytest.mark.parametrize("rule_id", ["ACRT901", "ACRT903", "ACRT904"])
def test_what_a_page_refers_to_is_there(rule_id: str) -> None:
    references = re.findall(r'(\S+\.md), "([^"]+)"', CATALOGUE[rule_id].page)
    assert references
    for page, heading in references:
        assert f"\n## {heading}\n" in (ROOT / page).read_text("utf-8"), page


@pytest.mark.parametrize("code", ["AuthorizationFailure", "ForbiddenByFirewall", "ForbiddenByConnection"])
def test_a_closed_way_is_not_opened_by_a_role(code: str) -> None:
    description = said("ACRT901", open_end(reason=f"Storage answered 403 {code} for it: no"))
    assert "network" in description.recommendation
    assert description.fix_command == ""


def test_passing_trouble_asks_for_nothing() -> None:
    description = said("ACRT901", open_end(reason="ARM answered 429 for it: slow down", passing=True))
    assert description.recommendation.startswith("Nothing to grant")
    assert description.fix_command == ""


def test_the_roles_cover_the_rights_that_the_readers_ask_for() -> None:
    found = {right: role.name for right in (GET_SECRET, BLOBS_READ, PULL, "read") if (role := role_for(right))}
    assert found == {
        GET_SECRET: "Key Vault Secrets User",
        BLOBS_READ: "Storage Blob Data Reader",
        PULL: "AcrPull",
        "read": "Reader",
    }
    assert role_for("") is None
    assert scope_of("contosokv") == ""


def test_an_event_that_can_not_be_read_names_itself_and_what_is_wrong() -> None:
    facts = {"why": "its subject names no pipeline run", "eventType": "Microsoft.Resources.X", "eventId": "1-2-3"}
    assert said("ACRT902", facts).summary == (
        "Event 1-2-3 (Microsoft.Resources.X) could not be read: its subject names no pipeline run."
    )


def test_a_heartbeat_counts_and_admits_what_went_wrong() -> None:
    facts: dict[str, Any] = {
        "seconds": 3.25,
        "runsDiagnosed": 4,
        "finished": True,
        "problems": [],
        "monitorVersion": "1",
    }
    assert said("ACRT903", facts).summary == "The sweep has ended after 3.2 s (runs diagnosed 4)."
    troubled = said("ACRT903", {**facts, "finished": False, "problems": ["ARM answered 503"]})
    assert troubled.summary == "The sweep stopped before its end after 3.2 s (runs diagnosed 4) with 1 problem."
    assert "ARM answered 503" in troubled.recommendation
