"""``infra/roles.bicep`` against the code's own names of rights, and against what the documents say of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from localcloud.world.access import BUILT_IN_ROLES
from tests.infra.planning import Planned, Scope, plan, role_of

ROOT: Final = Path(__file__).parents[2]
ROLES: Final = ROOT / "infra" / "roles.bicep"
NAMES: Final = {
    role["id"]: role["name"] for role in json.loads((ROOT / "infra" / "role-ids.json").read_text("utf-8")).values()
}
SUBSCRIPTION: Final = "0f0f0f0f-0000-4000-8000-000000000001"
OTHER: Final = "0f0f0f0f-0000-4000-8000-000000000002"
# Rights in places of the monitor's own: stage one gives those.
OWN: Final = {
    "Microsoft.EventGrid/events/send/action",
    "Microsoft.Insights/Telemetry/Write",
    "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",
}
_RIGHT: Final = re.compile(r"Microsoft\.[A-Za-z]+/[A-Za-z/]+/(?:read|write|action)\b", re.IGNORECASE)


def registry(subscription: str = SUBSCRIPTION) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/Transfer/providers/Microsoft.ContainerRegistry/registries/hub"


def vault(subscription: str = SUBSCRIPTION) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/Transfer/providers/Microsoft.KeyVault/vaults/contoso"


def container(subscription: str = SUBSCRIPTION) -> str:
    account = (
        f"/subscriptions/{subscription}/resourceGroups/Transfer/providers/Microsoft.Storage/storageAccounts/contoso"
    )
    return f"{account}/blobServices/default/containers/transfer"


EVERYTHING: Final = {
    "principalId": "11111111-0000-4000-8000-000000000000",
    "registryIds": [registry(), registry(OTHER)],
    "repositoryPermissionRegistryIds": [registry().replace("hub", "edge")],
    "containerIds": [container(), container(OTHER)],
    "vaultIds": [vault(), vault(OTHER)],
    "secretIds": [f"{vault()}/secrets/importsas"],
    "sasInspection": "value",
}


def planned(subscription: str = SUBSCRIPTION, **parameters: Any) -> list[Planned]:
    return plan(ROLES, {**EVERYTHING, **parameters}, Scope(subscription))


def definitions(resources: list[Planned]) -> dict[str, Planned]:
    return {one.name: one for one in resources if one.type.endswith("/roleDefinitions")}


def assignments(resources: list[Planned]) -> list[Planned]:
    return [one for one in resources if one.type.endswith("/roleAssignments")]


def permissions(definition: Planned) -> dict[str, list[str]]:
    [block] = definition.body["properties"]["permissions"]
    return dict(block)


def rights_named_in_code() -> Iterator[str]:
    for file in (ROOT / "shared").rglob("*.py"):
        for match in _RIGHT.finditer(file.read_text("utf-8")):
            # The rights of pipelines' identities and of people are named in rules; the readers ask for the monitor's.
            if "rules" not in file.parts and not match.group().lower().endswith("pipelineruns/write"):
                yield match.group()


def test_every_right_that_the_code_names_is_given() -> None:
    resources = planned()
    granted = {right.lower() for one in definitions(resources).values() for right in permissions(one)["actions"]}
    built_in = {role.id: role for role in BUILT_IN_ROLES}
    for one in assignments(resources):
        role = built_in.get(role_of(one))
        granted |= {right.lower() for right in (*role.actions, *role.data_actions)} if role else set()
    named = set(rights_named_in_code()) - OWN
    assert {"Microsoft.KeyVault/vaults/read", "Microsoft.Insights/eventtypes/values/read"} <= named
    assert {right for right in named if right.lower() not in granted} == set()


def test_the_custom_roles_only_read() -> None:
    for definition in definitions(planned()).values():
        given = permissions(definition)
        assert given["actions"]
        assert all(action.endswith("/read") and "*" not in action for action in given["actions"])
        assert given["dataActions"] == given["notActions"] == given["notDataActions"] == []
        assert definition.body["properties"]["type"] == "CustomRole"
        assert definition.body["properties"]["assignableScopes"] == [f"/subscriptions/{SUBSCRIPTION}"]


def test_each_assignment_says_why() -> None:
    given = assignments(planned(registryIds=[registry(), f"/subscriptions/{SUBSCRIPTION}"]))
    for one in given:
        why = one.body["properties"]["description"]
        assert why.startswith("ACR Transfer Monitor: ")
        assert len(why) > 40
        assert one.body["properties"]["principalType"] == "ServicePrincipal"
    assert len({one.id for one in given}) == len(given), "one name, one scope"


def test_each_subscription_gets_what_lies_in_it() -> None:
    for mine, count in ((SUBSCRIPTION, 10), (OTHER, 6)):
        given = assignments(planned(mine))
        assert {one.scope.split("/")[2] for one in given} == {mine}
        assert len(given) == count, [(one.symbol, one.scope) for one in given]
    assert assignments(planned("0f0f0f0f-0000-4000-8000-000000000009", readSubscription=False)) == []


def test_blobs_and_secrets_are_given_one_by_one() -> None:
    by_role = {NAMES[role_of(one)]: one.scope.lower() for one in assignments(planned()) if role_of(one) in NAMES}
    assert by_role["Storage Blob Data Reader"] == container().lower()
    assert by_role["Key Vault Secrets User"] == f"{vault()}/secrets/importsas".lower()
    assert by_role["AcrPull"] == registry().lower()
    assert by_role["Container Registry Repository Reader"].endswith("/edge")
    assert by_role["Container Registry Repository Catalog Lister"].endswith("/edge")


@pytest.mark.parametrize("inspection", ["none", "metadata"])
def test_no_secret_is_given_unless_the_setting_asks_for_values(inspection: str) -> None:
    assert "Key Vault Secrets User" not in {
        NAMES.get(role_of(one)) for one in assignments(planned(sasInspection=inspection))
    }


def test_the_built_in_reader_stands_in_for_the_custom_roles() -> None:
    resources = planned(customRoles=False, registryIds=[registry(), f"/subscriptions/{SUBSCRIPTION}"])
    assert definitions(resources) == {}
    readers = [one.scope for one in assignments(resources) if NAMES[role_of(one)] == "Reader"]
    assert f"/subscriptions/{SUBSCRIPTION}" in readers
    assert len(readers) == len(set(readers))


@pytest.mark.parametrize("document", ["SECURITY.md", "docs/deploy.md"])
def test_the_documents_name_every_role(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    resources = planned()
    custom = definitions(resources)
    for one in assignments(resources):
        role = role_of(one)
        name = custom[role].body["properties"]["roleName"].partition(" (")[0] if role in custom else NAMES[role]
        assert name in text or name.replace("Container Registry Repository ", "") in text, name


def test_the_document_counts_the_actions() -> None:
    text = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    counts = sorted(len(permissions(one)["actions"]) for one in definitions(planned()).values())
    assert counts == [2, 9]
    assert "ACR Transfer Monitor Reader (custom, nine actions, all `read`)" in text
    assert "ACR Transfer Monitor Subscription Reader (custom, two actions)" in text
