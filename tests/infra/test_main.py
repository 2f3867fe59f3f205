"""The two entries, ``main.bicep`` and ``monitor.bicep``: what goes in, what comes out, and that nothing has a key."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from localcloud.world.access import BUILT_IN_ROLES
from tools.bicep import BicepFile, Member, Value, read, walk
from tools.bicep.evaluate import Evaluator, Unknown

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "infra"
MAIN = read(INFRA / "main.bicep")
MONITOR = read(INFRA / "monitor.bicep")


def _module(name: str) -> BicepFile:
    return read(INFRA / "modules" / f"{name}.bicep")


def _body(module: str, resource: str, **parameters: Value) -> dict[str, Any]:
    file = _module(module)
    properties = Evaluator(file, parameters).all(file.resources[resource].body)
    assert isinstance(properties, dict)
    return properties


def test_main_hands_on_all_that_the_monitor_takes() -> None:
    own = {"resourceGroupName"}
    assert set(MAIN.parameters) - own == set(MONITOR.parameters) == set(MAIN.modules["monitor"].params)
    for name, parameter in MONITOR.parameters.items():
        if name != "location":  # the resource group has no region to fall back on before it is there
            twin = MAIN.parameters[name]
            assert (twin.type, twin.default) == (parameter.type, parameter.default)
            if name != "tags":
                assert twin.decorators == parameter.decorators


def test_every_property_of_a_parameter_is_read() -> None:
    types = read(INFRA / "types.bicep").types
    readers = (MONITOR, _module("function-app"))
    read_names = {
        part.name
        for file in readers
        for value in file.values()
        for part in walk(value)
        if isinstance(part, Member) and ".?" in part.text
    }
    declared = {name for type_ in types.values() for name in type_.type.properties}
    assert declared - read_names == set()
    named = {parameter.type.text for parameter in MAIN.parameters.values()}
    named |= {
        property_.type.text.rstrip("?") for type_ in types.values() for property_ in type_.type.properties.values()
    }
    assert set(types) - named == set()


def test_only_what_nobody_can_guess_is_required() -> None:
    assert {n for n, p in MAIN.parameters.items() if p.required} == {
        "environmentName",
        "location",
        "monitoredRegistries",
    }
    assert {n for n, p in MONITOR.parameters.items() if p.required} == {"environmentName", "monitoredRegistries"}


def test_azds_parameters_are_parameters_of_main() -> None:
    given = json.loads((INFRA / "main.parameters.json").read_text("utf-8"))["parameters"]
    assert set(given) <= set(MAIN.parameters)
    assert {name for name, parameter in MAIN.parameters.items() if parameter.required} <= set(given)
    types = read(INFRA / "types.bicep").types
    for name, item in given.items():
        if isinstance(item["value"], dict):
            assert set(item["value"]) <= set(types[MAIN.parameters[name].type.text].type.properties)
        else:
            assert re.fullmatch(r"\$\{[A-Z_]+\}", item["value"])


def test_azd_finds_the_app_by_its_tag() -> None:
    services = yaml.safe_load((ROOT / "azure.yaml").read_text("utf-8"))["services"]
    app = _module("function-app")
    tags = Evaluator(app, {"tags": {}}).all(app.resources["app"].body["tags"])
    assert tags == {"azd-service-name": next(iter(services))}
    assert len(services) == 1


def test_outputs_become_variables_of_the_environment() -> None:
    for name in MAIN.outputs:
        assert re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*", name)
    # Another run of azd takes the group that the first one made.
    given = json.loads((INFRA / "main.parameters.json").read_text("utf-8"))["parameters"]
    assert given["resourceGroupName"]["value"] == "${AZURE_RESOURCE_GROUP}"
    assert "AZURE_RESOURCE_GROUP" in MAIN.outputs


def test_the_storage_account_has_no_keys_and_no_public_blobs() -> None:
    properties = _body("storage", "account", publicAccess=True)["properties"]
    assert properties["allowSharedKeyAccess"] is False
    assert properties["allowBlobPublicAccess"] is False
    assert properties["minimumTlsVersion"] == "TLS1_2"
    assert properties["supportsHttpsTrafficOnly"] is True
    storage = _module("storage")
    containers = [r for r in storage.resources.values() if r.type.endswith("/containers")]
    assert {r.body["name"] for r in containers} == {"app-package", "acr-transfer-monitor", "dead-letters"}
    assert all(r.body["properties"] == {"publicAccess": "None"} for r in containers)


def test_queues_and_the_right_on_them_come_only_with_delivery_by_a_queue() -> None:
    storage = _module("storage")
    queues = [r for r in storage.resources.values() if "/queueServices" in r.type]
    assert [r.conditional for r in queues] == [True, True, True]
    for wanted, roles in ((False, 2), (True, 3)):
        grants = Evaluator(storage, {"eventQueue": wanted}).all(storage.variables["grants"].value)
        assert isinstance(grants, list)
        assert len(grants) == roles
    given = MONITOR.modules["storage"].params["eventQueue"]
    for delivery in (None, "function", "queue"):
        network: Value = {} if delivery is None else {"delivery": delivery}
        assert Evaluator(MONITOR, {"network": network}).all(given) is (delivery == "queue")


def test_delivery_is_one_choice_in_both_stages() -> None:
    choices = read(INFRA / "types.bicep").types["Network"].type.properties["delivery"].type.literals
    assert choices == read(INFRA / "events.bicep").parameters["delivery"].type.literals == ("function", "queue")


def test_a_closed_storage_account_still_takes_dead_letters() -> None:
    properties = _body("storage", "account", publicAccess=False)["properties"]
    assert properties["publicNetworkAccess"] == "Disabled"
    assert properties["networkAcls"] == {"bypass": "AzureServices", "defaultAction": "Deny"}


def test_only_dead_letters_are_cleaned_up() -> None:
    [rule] = _body("storage", "lifecycle")["properties"]["policy"]["rules"]
    assert rule["definition"]["filters"]["prefixMatch"] == [Unknown("string")]
    assert "${deadLetters.name}/" in str(_module("storage").resources["lifecycle"].body)


@pytest.mark.parametrize(
    ("module", "resource", "path", "value"),
    [
        ("insights", "component", ("properties", "DisableLocalAuth"), True),
        ("workspace", "workspace", ("properties", "features", "disableLocalAuth"), True),
        ("alert-topic", "topic", ("properties", "disableLocalAuth"), True),
        ("alert-topic", "topic", ("properties", "inputSchema"), "CloudEventSchemaV1_0"),
        ("function-app", "app", ("properties", "httpsOnly"), True),
        ("function-app", "app", ("properties", "siteConfig", "minTlsVersion"), "1.2"),
        ("function-app", "app", ("identity", "type"), "UserAssigned"),
        ("function-app", "noFtp", ("properties", "allow"), False),
        ("function-app", "noScm", ("properties", "allow"), False),
    ],
)
def test_nothing_takes_a_key_or_a_password(module: str, resource: str, path: tuple[str, ...], value: Value) -> None:
    found: Any = _body(module, resource, planSku="FC1")
    for step in path:
        found = found[step]
    assert found == value


def test_flex_takes_its_code_from_the_container_with_the_apps_identity() -> None:
    app = _body("function-app", "app", planSku="FC1", packageContainerUrl="URL", identityId="ID")["properties"]
    assert app["functionAppConfig"]["deployment"]["storage"] == {
        "type": "blobContainer",
        "value": "URL",
        "authentication": {"type": "UserAssignedIdentity", "userAssignedIdentityResourceId": "ID"},
    }
    assert app["functionAppConfig"]["runtime"] == {"name": "python", "version": "3.13"}


def test_the_app_runs_the_python_that_its_requirements_are_for() -> None:
    assert (
        (ROOT / ".python-version")
        .read_text("utf-8")
        .startswith(str(_module("function-app").variables["pythonVersion"].value))
    )


@pytest.mark.parametrize(
    ("sku", "tier", "kind"),
    [
        ("FC1", "FlexConsumption", "functionapp"),
        ("EP1", "ElasticPremium", "elastic"),
        ("B1", "Basic", "linux"),
        ("P0v3", "Premium0V3", "linux"),
    ],
)
def test_each_plan_has_its_tier(sku: str, tier: str, kind: str) -> None:
    plan = _body("plan", "plan", sku=sku, maximumInstanceCount=400)
    assert (plan["sku"], plan["kind"], plan["properties"]["reserved"]) == ({"name": sku, "tier": tier}, kind, True)
    assert plan["properties"]["maximumElasticWorkerCount"] == (100 if sku == "EP1" else None)


def test_the_plans_on_offer_are_the_same_everywhere() -> None:
    offered = read(INFRA / "types.bicep").types["Hosting"].type.properties["plan"].type.literals
    assert offered == _module("plan").parameters["sku"].type.literals
    assert offered == _module("function-app").parameters["planSku"].type.literals


def _roles() -> dict[str, dict[str, str]]:
    roles: dict[str, dict[str, str]] = json.loads((INFRA / "role-ids.json").read_text("utf-8"))
    return roles


def test_role_ids_are_those_of_their_names() -> None:
    roles = _roles()
    assert list(roles) == sorted(roles)
    assert len({role["id"] for role in roles.values()}) == len(roles)
    known = {role.name: role.id for role in BUILT_IN_ROLES}
    # The local cloud plays no workspace, no tables and no queues.
    known |= {
        "Log Analytics Reader": "73c42c96-874c-492b-b04d-ab87d138a893",
        "Storage Table Data Contributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
        "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
        "Storage Queue Data Message Sender": "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a",
    }
    assert {role["name"]: role["id"] for role in roles.values()}.items() <= known.items()


def test_every_role_in_the_table_is_used() -> None:
    sources = "".join(path.read_text("utf-8") for path in INFRA.rglob("*.bicep"))
    assert [key for key in _roles() if f"roles.{key}" not in sources] == []


def test_the_app_has_just_these_roles_on_its_own_resources() -> None:
    granted = {}
    for module in ("storage", "data-collection", "insights", "alert-topic", "findings-table"):
        source = (INFRA / "modules" / f"{module}.bicep").read_text("utf-8")
        granted[module] = sorted(set(re.findall(r"roles\.(\w+)\.id", source)))
    assert granted == {
        "storage": ["storageBlobDataOwner", "storageQueueDataContributor", "storageTableDataContributor"],
        "data-collection": ["monitoringMetricsPublisher"],
        "insights": ["monitoringMetricsPublisher"],
        "alert-topic": ["eventGridDataSender"],
        "findings-table": ["logAnalyticsReader"],
    }
