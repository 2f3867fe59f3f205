"""The function app gets the settings that the code reads: all of them, by their names, in a form that it takes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from shared.errors import SettingsError
from shared.settings import SasInspection, Settings, read_settings, setting_names
from tools.bicep import Name, Value, read
from tools.bicep.evaluate import Evaluator

APP = read(Path(__file__).resolve().parents[2] / "infra" / "modules" / "function-app.bicep")
TYPES = read(APP.path.parent.parent / "types.bicep").types
_REGISTRY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/r"
_GIVEN: dict[str, Value] = {
    "monitoredRegistries": _REGISTRY,
    "logsIngestionEndpoint": "https://dcr.example",
    "dcrImmutableId": "dcr-0123",
    "streamName": "Custom-AcrTransferFindings_CL",
    "stateContainerUrl": "https://account.example/state",
    "alertTopicEndpoint": "",
    "eventQueueName": "",
    "identityClientId": "client",
    "settings": {},
    "cloud": {"name": "AzureCloud"},
}
_PLATFORM = {
    "FC1": set[str](),
    "EP1": {"WEBSITE_RUN_FROM_PACKAGE", "WEBSITE_RUN_FROM_PACKAGE_BLOB_MI_RESOURCE_ID"},
    "B1": {"SCM_DO_BUILD_DURING_DEPLOYMENT", "ENABLE_ORYX_BUILD"},
    "P0v3": {"SCM_DO_BUILD_DURING_DEPLOYMENT", "ENABLE_ORYX_BUILD"},
}
_HOST_STORAGE = {
    f"AzureWebJobsStorage__{name}"
    for name in ("blobServiceUri", "queueServiceUri", "tableServiceUri", "credential", "clientId")
}
_TELEMETRY = {"APPLICATIONINSIGHTS_CONNECTION_STRING", "APPLICATIONINSIGHTS_AUTHENTICATION_STRING"}


def _environment(**changed: Value) -> dict[str, str]:
    """The contract's part of what the app finds in its environment."""
    contract = Evaluator(APP, {**_GIVEN, **changed}).all(APP.variables["contract"].value)
    assert isinstance(contract, dict)
    return {name: value for name, value in contract.items() if isinstance(value, str) and value}


def _settings(**changed: Value) -> Settings:
    return read_settings(_environment(**changed))


def test_the_app_gets_every_setting_that_the_code_reads_and_no_other() -> None:
    contract = APP.variables["contract"].value
    assert isinstance(contract, dict)
    assert set(contract) == set(setting_names())


@pytest.mark.parametrize("plan", list(_PLATFORM))
def test_beside_them_stands_what_the_plan_needs(plan: str) -> None:
    body = Evaluator(APP, {**_GIVEN, "planSku": plan}).all(APP.resources["app"].body["properties"])
    assert isinstance(body, dict)
    site = body["siteConfig"]
    assert isinstance(site, dict)
    assert isinstance(site["appSettings"], list)
    names = [setting["name"] for setting in site["appSettings"] if isinstance(setting, dict)]
    runtime = set() if plan == "FC1" else {"FUNCTIONS_EXTENSION_VERSION", "FUNCTIONS_WORKER_RUNTIME"}
    assert len(names) == len({str(name) for name in names})
    assert {str(n) for n in names} - set(setting_names()) == _HOST_STORAGE | _TELEMETRY | runtime | _PLATFORM[plan]
    flex = plan == "FC1"
    assert (body["functionAppConfig"] is not None) is flex
    assert site["linuxFxVersion"] == (None if flex else "Python|3.13")


def test_what_is_left_out_keeps_the_default_of_the_app() -> None:
    assert _settings() == read_settings(
        {
            "MONITORED_REGISTRIES": _REGISTRY,
            "LOGS_INGESTION_ENDPOINT": "https://dcr.example",
            "LOGS_DCR_IMMUTABLE_ID": "dcr-0123",
            "STATE_CONTAINER_URL": "https://account.example/state",
            "AZURE_CLIENT_ID": "client",
        }
    )


def test_every_choice_reaches_the_app() -> None:
    account = "/subscriptions/s/resourceGroups/g/providers/microsoft.storage/storageaccounts/a"
    vault = "/subscriptions/s/resourceGroups/g/providers/microsoft.keyvault/vaults/v"
    chosen: dict[str, Value] = {
        "sasInspection": "value",
        "storageAccounts": account,
        "keyVaults": vault,
        "acrApiVersion": "2023-11-01-preview",
        "sweepSchedule": "0 */2 * * * *",
        "importGraceMinutes": 7,
        "runStuckMinutes": 8,
        "sweepLookbackHours": 9,
        "expiryWarningDays": 0,
        "mutes": '[{"rule": "ACRT307", "until": "2030-01-01", "reason": "known"}]',
    }
    assert set(chosen) == set(TYPES["MonitorSettings"].type.properties)
    settings = _settings(settings=chosen, alertTopicEndpoint="https://topic.example/api/events")
    assert settings.sas_inspection is SasInspection.VALUE
    assert (settings.storage_accounts, settings.key_vaults) == ((account.lower(),), (vault.lower(),))
    assert (settings.acr_api_version, settings.sweep_schedule) == ("2023-11-01-preview", "0 */2 * * * *")
    assert settings.import_grace == timedelta(minutes=7)
    assert settings.run_stuck_after == timedelta(minutes=8)
    assert settings.sweep_lookback == timedelta(hours=9)
    assert settings.expiry_warning == timedelta(0)
    assert [mute.rule for mute in settings.mutes] == ["ACRT307"]
    assert settings.alert_topic_endpoint == "https://topic.example/api/events"


def test_the_queue_that_event_grid_writes_to_is_the_one_that_the_app_reads() -> None:
    storage = read(APP.path.parent / "storage.bicep")
    name = storage.variables["queueName"].value
    assert isinstance(name, str)
    assert storage.resources["events"].body["name"] == Name("queueName", "queueName")
    assert Evaluator(storage, {"eventQueue": True}).all(storage.resources["poison"].body["name"]) == f"{name}-poison"
    for wanted, queue in ((True, name), (False, "")):
        said = Evaluator(storage, {"eventQueue": wanted}).all(storage.outputs["eventQueueName"].value)
        assert said == queue
        assert _settings(eventQueueName=queue).event_queue == queue


def test_the_choices_of_sas_inspection_are_those_of_the_code() -> None:
    assert TYPES["MonitorSettings"].type.properties["sasInspection"].type.literals == tuple(SasInspection)


def test_every_address_of_a_custom_cloud_reaches_the_app() -> None:
    addresses: dict[str, Value] = {
        "name": "Custom",
        "armEndpoint": "https://arm.example",
        "armScope": "https://arm-audience.example/.default",
        "monitorScope": "https://monitor.example/.default",
        "eventGridScope": "https://grid.example/.default",
        "storageAudience": "https://storage.example",
        "registryAudience": "https://registry.example",
        "keyVaultDnsSuffix": "vault.example",
        "storageDnsSuffix": "core.example",
        "registryDnsSuffix": "cr.example",
    }
    assert set(addresses) == set(TYPES["CloudSettings"].type.properties)
    cloud = _settings(cloud=addresses).cloud
    assert (cloud.name, cloud.arm_endpoint, cloud.arm_scope, cloud.monitor_scope, cloud.eventgrid_scope) == (
        "Custom",
        "https://arm.example",
        "https://arm-audience.example/.default",
        "https://monitor.example/.default",
        "https://grid.example/.default",
    )
    assert (cloud.storage_audience, cloud.registry_audience) == ("https://storage.example", "https://registry.example")
    assert (cloud.key_vault_dns_suffix, cloud.storage_dns_suffix, cloud.registry_dns_suffix) == (
        "vault.example",
        "core.example",
        "cr.example",
    )


@pytest.mark.parametrize("name", ["MONITOR_SCOPE", "EVENTGRID_SCOPE", "STORAGE_AUDIENCE"])
def test_what_a_custom_cloud_can_not_say_of_itself_is_asked_for(name: str) -> None:
    """The description of the type says that these are needed; the app says it too, by the setting's name."""
    given = {
        "ARM_ENDPOINT": "https://arm.example",
        "ARM_SCOPE": "https://arm.example",
        "REGISTRY_AUDIENCE": "https://arm.example",
        "KEY_VAULT_DNS_SUFFIX": ".vault.example",
        "STORAGE_DNS_SUFFIX": "core.example",
        "REGISTRY_DNS_SUFFIX": ".cr.example",
        "MONITOR_SCOPE": "https://m.example",
        "EVENTGRID_SCOPE": "https://e.example",
        "STORAGE_AUDIENCE": "https://s.example",
    }
    environment = {**_environment(cloud={"name": "Custom"}), **given}
    assert read_settings(environment).cloud.name == "Custom"
    with pytest.raises(SettingsError, match=name):
        read_settings({key: value for key, value in environment.items() if key != name})
