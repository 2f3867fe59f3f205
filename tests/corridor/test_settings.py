"""Every setting: its default, its meaning, and the one message that names it when it is wrong."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clouds import CHINA, PUBLIC, US_GOVERNMENT
from shared.errors import SettingsError
from shared.settings import Mute, SasInspection, Settings, read_settings, setting_names

SUBSCRIPTION: Final = "0f0f0f0f-0000-4000-8000-000000000001"
REGISTRY: Final = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Rg/providers/Microsoft.ContainerRegistry/registries/Hub"
)
ACCOUNT: Final = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/store"
VAULT: Final = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/safe"
REQUIRED: Final = {
    "MONITORED_REGISTRIES": REGISTRY,
    "LOGS_INGESTION_ENDPOINT": "https://acr-a1b2.eastus-1.ingest.monitor.azure.com",
    "LOGS_DCR_IMMUTABLE_ID": "dcr-0123456789abcdef0123456789abcdef",
    "STATE_CONTAINER_URL": "https://state.blob.core.windows.net/monitor",
}
CUSTOM: Final = {
    "AZURE_CLOUD": "Custom",
    "ARM_ENDPOINT": "https://management.air.gap/",
    "ARM_SCOPE": "https://management.air.gap/.default",
    "MONITOR_SCOPE": "https://monitor.air.gap",
    "EVENTGRID_SCOPE": "https://eventgrid.air.gap/",
    "STORAGE_AUDIENCE": "https://storage.air.gap",
    "REGISTRY_AUDIENCE": "https://registry.air.gap",
    "KEY_VAULT_DNS_SUFFIX": ".vault.air.gap",
    "STORAGE_DNS_SUFFIX": "Core.Air.Gap",
    "REGISTRY_DNS_SUFFIX": "cr.air.gap",
}


def read(**changes: str) -> Settings:
    """The settings with the required ones and these."""
    return read_settings({**REQUIRED, **changes})


def refused(**changes: str) -> SettingsError:
    """The one message of settings that are wrong."""
    with pytest.raises(SettingsError) as raised:
        read(**changes)
    return raised.value


def test_the_defaults() -> None:
    settings = read()
    assert settings.registries == (REGISTRY.lower(),)
    assert settings.subscriptions == ()
    assert settings.logs_stream_name == "Custom-AcrTransferFindings_CL"
    assert settings.alert_topic_endpoint == ""
    assert settings.sas_inspection is SasInspection.METADATA
    assert (settings.storage_accounts, settings.key_vaults, settings.mutes) == ((), (), ())
    assert settings.acr_api_version == "2025-06-01-preview"
    assert settings.cloud == PUBLIC
    assert settings.client_id == ""
    assert settings.event_queue == ""
    assert settings.sweep_schedule == "0 */5 * * * *"
    assert settings.import_grace == timedelta(minutes=30)
    assert settings.run_stuck_after == timedelta(minutes=120)
    assert settings.sweep_lookback == timedelta(hours=24)
    assert settings.expiry_warning == timedelta(days=14)


VALUES: Final[dict[str, tuple[str, str, object]]] = {
    "LOGS_INGESTION_ENDPOINT": ("logs_ingestion_endpoint", "https://dce.example/", "https://dce.example"),
    "LOGS_DCR_IMMUTABLE_ID": ("logs_dcr_immutable_id", " dcr-1 ", "dcr-1"),
    "LOGS_STREAM_NAME": ("logs_stream_name", "Custom-Other_CL", "Custom-Other_CL"),
    "ALERT_TOPIC_ENDPOINT": ("alert_topic_endpoint", "https://t.example/api/events", "https://t.example/api/events"),
    "STATE_CONTAINER_URL": ("state_container_url", "https://s.blob.x.y/c/", "https://s.blob.x.y/c"),
    "SAS_INSPECTION": ("sas_inspection", "Value", SasInspection.VALUE),
    "STORAGE_ACCOUNTS": ("storage_accounts", f"{ACCOUNT}, {ACCOUNT.upper()},", (ACCOUNT.lower(),)),
    "KEY_VAULTS": ("key_vaults", VAULT, (VAULT.lower(),)),
    "ACR_API_VERSION": ("acr_api_version", "2024-11-01-preview", "2024-11-01-preview"),
    "AZURE_CLIENT_ID": ("client_id", "abc", "abc"),
    "EVENT_QUEUE": ("event_queue", " transfer-events ", "transfer-events"),
    "SWEEP_SCHEDULE": ("sweep_schedule", "0 0/10 8-18 * * MON-FRI", "0 0/10 8-18 * * MON-FRI"),
    "IMPORT_GRACE_MINUTES": ("import_grace", "45", timedelta(minutes=45)),
    "RUN_STUCK_MINUTES": ("run_stuck_after", "7", timedelta(minutes=7)),
    "SWEEP_LOOKBACK_HOURS": ("sweep_lookback", "48", timedelta(hours=48)),
    "EXPIRY_WARNING_DAYS": ("expiry_warning", "0", timedelta(0)),
}


@pytest.mark.parametrize("name", VALUES)
def test_every_setting_is_read(name: str) -> None:
    attribute, text, value = VALUES[name]
    assert getattr(read(**{name: text}), attribute) == value


@pytest.mark.parametrize("name", [*VALUES, "MONITORED_REGISTRIES", "MUTES", "AZURE_CLOUD", *CUSTOM])
@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_setting_is_one_that_is_not_set(name: str, blank: str) -> None:
    if name in REQUIRED:
        assert str(refused(**{name: blank})) == f"Setting {name}: is required and is not set"
    else:
        assert read(**{name: blank}) == read()


@pytest.mark.parametrize("name", REQUIRED)
def test_what_is_required_is_named_when_it_is_missing(name: str) -> None:
    environment = {key: value for key, value in REQUIRED.items() if key != name}
    with pytest.raises(SettingsError) as raised:
        read_settings(environment)
    assert (raised.value.setting, raised.value.problem) == (name, "is required and is not set")


def test_the_command_line_needs_none_of_them() -> None:
    settings = read_settings({}, required=False)
    assert settings == Settings()
    with pytest.raises(SettingsError, match="RUN_STUCK_MINUTES"):
        read_settings({"RUN_STUCK_MINUTES": "soon"}, required=False)


WRONG: Final[dict[str, list[tuple[str, str]]]] = {
    "MONITORED_REGISTRIES": [
        ("contosohub", "neither a registry's resource id nor"),
        (ACCOUNT, "expected the resource id of a container registry"),
        (f"{REGISTRY},nonsense", "'nonsense'"),
        (f"{REGISTRY}/pipelineRuns/x", "container registry"),
        (f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg", "neither"),
        (f"/subscriptions/{SUBSCRIPTION}?x=1", "neither"),
        (f"{REGISTRY}/..", "'..'"),
    ],
    "LOGS_INGESTION_ENDPOINT": [
        ("http://dce.example", "expected an https URL"),
        ("dce.example", "expected an https URL"),
        ("https://", "expected an https URL"),
        ("https://dce.example:port", "expected an https URL"),
        ("https://[::1", "expected an https URL"),
    ],
    "LOGS_DCR_IMMUTABLE_ID": [("0123", "expected dcr-"), ("dcr-", "expected dcr-"), ("dcr-1/../2", "expected dcr-")],
    "LOGS_STREAM_NAME": [
        ("Findings_CL", "expected Custom-"),
        ("Custom-", "expected Custom-"),
        ("Custom-a/b", "Custom-"),
    ],
    "ALERT_TOPIC_ENDPOINT": [("topic", "expected an https URL"), ("ftp://topic.example", "expected an https URL")],
    "STATE_CONTAINER_URL": [
        ("https://s.blob.core.windows.net", "<container>"),
        ("https://s.blob.core.windows.net/a/b", "<container>"),
        ("http://s.blob.core.windows.net/a", "https"),
    ],
    "SAS_INSPECTION": [("all", "none, metadata, value"), ("true", "none, metadata, value")],
    "STORAGE_ACCOUNTS": [(VAULT, "microsoft.storage/storageaccounts"), ("store", "is no resource id")],
    "KEY_VAULTS": [(ACCOUNT, "microsoft.keyvault/vaults"), (f"{VAULT},,x", "is no resource id")],
    "ACR_API_VERSION": [("latest", "yyyy-mm-dd"), ("2025-06-01-beta", "yyyy-mm-dd"), ("2025-6-1", "yyyy-mm-dd")],
    "AZURE_CLOUD": [("AzureGermanCloud", "AzureCloud, AzureUSGovernment, AzureChinaCloud, Custom")],
    "EVENT_QUEUE": [
        ("Events", "3 to 56 lower-case letters"),
        ("ab", "3 to 56"),
        ("a" * 57, "3 to 56"),
        ("a--b", "single hyphens"),
        ("-ab", "single hyphens"),
        ("https://s.queue.core.windows.net/events", "a queue's name"),
    ],
    "SWEEP_SCHEDULE": [("*/5 * * * *", "six fields"), ("0 */5 * * * * *", "six fields"), ("0 */5 * * * ;", "NCRONTAB")],
    "IMPORT_GRACE_MINUTES": [("0", "from 1"), ("-1", "from 1"), ("x", "whole number"), ("1.5", "whole number")],
    "RUN_STUCK_MINUTES": [("0", "from 1"), ("2h", "whole number"), ("99999999999", "to 1000000")],
    "SWEEP_LOOKBACK_HOURS": [("0", "from 1"), ("day", "whole number")],
    "EXPIRY_WARNING_DAYS": [("-1", "from 0"), ("1e3", "whole number"), ("9" * 5000, "whole number")],
    "ARM_ENDPOINT": [("management.azure.com", "https URL")],
    "ARM_SCOPE": [
        ("management.azure.com", "https://<audience>/.default"),
        ("https://a b/.default", "https://<audience>"),
    ],
    "MONITOR_SCOPE": [("api://x", "https://<audience>")],
    "EVENTGRID_SCOPE": [("x", "https://<audience>")],
    "STORAGE_AUDIENCE": [("storage", "https URL")],
    "REGISTRY_AUDIENCE": [("http://x", "https URL")],
    "KEY_VAULT_DNS_SUFFIX": [
        ("https://vault.azure.net", "host suffix"),
        ("net", "host suffix"),
        ("a..b", "host suffix"),
    ],
    "STORAGE_DNS_SUFFIX": [("core.windows.net/", "host suffix"), ("core windows.net", "host suffix")],
    "REGISTRY_DNS_SUFFIX": [("azurecr.io:443", "host suffix"), ("@evil.example", "host suffix")],
    "MUTES": [
        ("{}", "JSON list"),
        ("[", "JSON list"),
        ("[1]", "entry 1: expected an object"),
        ('[{"until":"2030-01-01","reason":"x","rules":"ACRT301"}]', "unknown field 'rules'"),
        ('[{"reason":"x"}]', "until is required"),
        ('[{"until":"2030-01-01"}]', "reason is required"),
        ('[{"until":"2030-01-01","reason":" "}]', "reason is required"),
        ('[{"until":"soon","reason":"x"}]', "no ISO 8601 time"),
        ('[{"until":"2030-01-01","reason":"x"},{"until":5,"reason":"x"}]', "entry 2: until must be text"),
    ],
}


@pytest.mark.parametrize(("name", "text", "says"), [(name, *case) for name, cases in WRONG.items() for case in cases])
def test_a_malformed_setting_is_named_with_what_is_wrong(name: str, text: str, says: str) -> None:
    error = refused(**{name: text})
    assert error.setting == name
    assert str(error).startswith(f"Setting {name}: ")
    assert says in error.problem
    assert len(str(error)) < 400, "one message, not a page"


def test_no_other_setting_may_go_untested() -> None:
    assert {*VALUES, *REQUIRED, "MUTES", *CUSTOM} == {*WRONG, "AZURE_CLIENT_ID"}


@pytest.mark.parametrize(
    "name", ["LOGS_INGESTION_ENDPOINT", "ALERT_TOPIC_ENDPOINT", "STATE_CONTAINER_URL", "ARM_ENDPOINT"]
)
@pytest.mark.parametrize("behind", ["?sv=2024&sig=SECRETSIG", "#sig=SECRETSIG"])
def test_a_token_behind_a_url_is_refused_and_not_shown(name: str, behind: str) -> None:
    error = refused(**{name: f"https://s.blob.core.windows.net/c{behind}"})
    assert "only managed identity is used" in error.problem
    assert "SECRETSIG" not in str(error)
    error = refused(**{name: "https://user:SECRETSIG@s.blob.core.windows.net/c"})
    assert "SECRETSIG" not in str(error)
    for wrong in ("http://", "", "//"):
        assert "SECRETSIG" not in str(refused(**{name: f"{wrong}s.blob.core.windows.net/c?sv=1&sig=SECRETSIG"}))


def test_registries_and_subscriptions_side_by_side() -> None:
    other = SUBSCRIPTION.replace("1", "2")
    settings = read(MONITORED_REGISTRIES=f" {REGISTRY} , /subscriptions/{other.upper()}/, {REGISTRY.lower()}")
    assert settings.registries == (REGISTRY.lower(),)
    assert settings.subscriptions == (other,)
    assert settings.monitors(REGISTRY)
    assert settings.monitors(REGISTRY.upper().replace(SUBSCRIPTION.upper(), other))
    assert not settings.monitors(f"{REGISTRY}2")
    assert not settings.monitors(REGISTRY.replace(SUBSCRIPTION, f"{other}0"))


@pytest.mark.parametrize(
    ("name", "cloud"),
    [("AzureCloud", PUBLIC), ("azureusgovernment", US_GOVERNMENT), ("AzureChinaCloud", CHINA), ("", PUBLIC)],
)
def test_the_known_clouds(name: str, cloud: object) -> None:
    assert read(AZURE_CLOUD=name).cloud == cloud


def test_a_custom_cloud_has_every_value_from_the_settings() -> None:
    cloud = read(**CUSTOM).cloud
    assert cloud.name == "Custom"
    assert (cloud.arm_endpoint, cloud.arm_scope) == ("https://management.air.gap", CUSTOM["ARM_SCOPE"])
    assert cloud.monitor_scope == "https://monitor.air.gap/.default"
    assert cloud.eventgrid_scope == "https://eventgrid.air.gap/.default"
    assert cloud.storage_scope == "https://storage.air.gap/.default"
    assert cloud.registry_audience == "https://registry.air.gap"
    assert cloud.key_vault_scope == "https://vault.air.gap/.default"
    assert cloud.blob_host("store") == "store.blob.core.air.gap"
    assert cloud.registry_dns_suffix == "cr.air.gap"


@pytest.mark.parametrize("name", [name for name in CUSTOM if name != "AZURE_CLOUD"])
def test_a_custom_cloud_needs_each_of_its_values(name: str) -> None:
    error = refused(**{key: value for key, value in CUSTOM.items() if key != name})
    assert (error.setting, error.problem) == (name, "is required and is not set")


@pytest.mark.parametrize("name", [name for name in CUSTOM if name != "AZURE_CLOUD"])
def test_one_value_of_a_known_cloud_can_be_overridden(name: str) -> None:
    cloud = read(AZURE_CLOUD="AzureUSGovernment", **{name: CUSTOM[name]}).cloud
    assert cloud.name == "AzureUSGovernment"
    differing = [field for field in cloud.__slots__ if getattr(cloud, field) != getattr(US_GOVERNMENT, field)]
    assert differing == [name.lower()]


def test_mutes() -> None:
    entries = [
        {"rule": "ACRT301", "registry": "hub*", "until": "2030-01-01", "reason": "known"},
        {"blob": "transfer/*.log", "until": "2030-01-01T12:00:00+02:00", "reason": "logs"},
    ]
    first, second = read(MUTES=json.dumps(entries)).mutes
    assert first == Mute("ACRT301", "hub*", "", "", datetime(2030, 1, 1, tzinfo=UTC), "known")
    assert second.until == datetime(2030, 1, 1, 10, tzinfo=UTC)


@given(st.sampled_from(sorted(WRONG)), st.text())
def test_any_text_is_taken_or_refused_by_name(name: str, text: str) -> None:
    named = name
    try:
        settings: Any = read(**{name: text})
    except SettingsError as error:
        named = error.setting
    else:
        assert isinstance(settings, Settings)
    # A cloud that is chosen asks for its other values.
    assert named == name or text.strip().lower() == "custom"


def test_the_names_of_the_settings_are_those_of_the_documentation() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    first_cells = [line.split("|")[1] for line in documented.splitlines() if line.startswith("| `")]
    assert sorted(setting_names()) == sorted(re.findall(r"`([A-Z_]+)`", " ".join(first_cells)))
