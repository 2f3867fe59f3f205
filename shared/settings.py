"""The app settings: read once, checked whole, then passed on as one value.

Names, meanings and defaults are those of docs/settings.md. Nothing here is secret, and nothing here asks
Azure: a wrong value stops start-up with one message that names the setting.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from shared.clouds import CUSTOM, KNOWN_CLOUDS, PUBLIC, Cloud
from shared.errors import SettingsError
from shared.redaction import redact
from shared.resource_ids import parse_registry_id, parse_resource_id

DEFAULT_STREAM: Final = "Custom-AcrTransferFindings_CL"
DEFAULT_API_VERSION: Final = "2025-06-01-preview"
DEFAULT_SCHEDULE: Final = "0 */5 * * * *"

_SUBSCRIPTION: Final = re.compile(r"/subscriptions/([0-9a-zA-Z-]{1,64})/?")
_API_VERSION: Final = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
_HOST_SUFFIX: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
# The host adds "-poison" for the queue of what was given up, and a queue's name has 63 characters at most.
_QUEUE: Final = re.compile(r"(?=.{3,56}$)[a-z0-9]+(-[a-z0-9]+)*")
_SCHEDULE_FIELD: Final = re.compile(r"[\d*/,\-A-Za-z]+")


class SasInspection(StrEnum):
    """How much of a SAS token the monitor may learn."""

    NONE = "none"
    METADATA = "metadata"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Mute:
    """One entry of ``MUTES``. Empty patterns match everything; globs are allowed."""

    rule: str
    registry: str
    pipeline: str
    blob: str
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set. Durations are :class:`timedelta`, ids are in lower case."""

    registries: tuple[str, ...] = ()
    subscriptions: tuple[str, ...] = ()
    logs_ingestion_endpoint: str = ""
    logs_dcr_immutable_id: str = ""
    logs_stream_name: str = DEFAULT_STREAM
    alert_topic_endpoint: str = ""
    state_container_url: str = ""
    sas_inspection: SasInspection = SasInspection.METADATA
    storage_accounts: tuple[str, ...] = ()
    key_vaults: tuple[str, ...] = ()
    acr_api_version: str = DEFAULT_API_VERSION
    cloud: Cloud = PUBLIC
    client_id: str = ""
    event_queue: str = ""
    sweep_schedule: str = DEFAULT_SCHEDULE
    import_grace: timedelta = timedelta(minutes=30)
    run_stuck_after: timedelta = timedelta(minutes=120)
    sweep_lookback: timedelta = timedelta(hours=24)
    expiry_warning: timedelta = timedelta(days=14)
    mutes: tuple[Mute, ...] = ()

    def __repr__(self) -> str:
        # Never whole: a log line is no place for other people's resource ids, reasons and endpoints.
        return (
            f"Settings(registries={len(self.registries)}, subscriptions={len(self.subscriptions)}, "
            f"cloud={self.cloud.name}, sas_inspection={self.sas_inspection}, "
            f"acr_api_version={self.acr_api_version}, mutes={len(self.mutes)})"
        )

    def monitors(self, registry_id: str) -> bool:
        """Whether the registry is one that ``MONITORED_REGISTRIES`` names, by its id or its subscription."""
        wanted = registry_id.lower()
        if wanted in self.registries:
            return True
        return any(wanted.startswith(f"/subscriptions/{subscription}/") for subscription in self.subscriptions)


def read_settings(environment: Mapping[str, str], *, required: bool = True) -> Settings:
    """The settings in ``environment``.

    With ``required`` the app's required settings must be there; the command line does without them.
    Raises :class:`SettingsError`.
    """
    read = _Reader(environment)
    registries, subscriptions = _registries(read.text("MONITORED_REGISTRIES", required=required))
    return Settings(
        registries=registries,
        subscriptions=subscriptions,
        logs_ingestion_endpoint=read.https("LOGS_INGESTION_ENDPOINT", required=required),
        logs_dcr_immutable_id=_dcr(read.text("LOGS_DCR_IMMUTABLE_ID", required=required)),
        logs_stream_name=_stream(read.text("LOGS_STREAM_NAME", DEFAULT_STREAM)),
        alert_topic_endpoint=read.https("ALERT_TOPIC_ENDPOINT"),
        state_container_url=_container_url(read.https("STATE_CONTAINER_URL", required=required)),
        sas_inspection=_sas_inspection(read.text("SAS_INSPECTION", SasInspection.METADATA)),
        storage_accounts=read.ids("STORAGE_ACCOUNTS", "microsoft.storage/storageaccounts"),
        key_vaults=read.ids("KEY_VAULTS", "microsoft.keyvault/vaults"),
        acr_api_version=_api_version(read.text("ACR_API_VERSION", DEFAULT_API_VERSION)),
        cloud=_cloud(read),
        client_id=read.text("AZURE_CLIENT_ID"),
        event_queue=_queue(read.text("EVENT_QUEUE")),
        sweep_schedule=_schedule(read.text("SWEEP_SCHEDULE", DEFAULT_SCHEDULE)),
        import_grace=timedelta(minutes=read.number("IMPORT_GRACE_MINUTES", 30, at_least=1)),
        run_stuck_after=timedelta(minutes=read.number("RUN_STUCK_MINUTES", 120, at_least=1)),
        sweep_lookback=timedelta(hours=read.number("SWEEP_LOOKBACK_HOURS", 24, at_least=1)),
        expiry_warning=timedelta(days=read.number("EXPIRY_WARNING_DAYS", 14, at_least=0)),
        mutes=_mutes(read.text("MUTES", "[]")),
    )


def setting_names() -> tuple[str, ...]:
    """The names of all settings, in the order in which they are read."""
    asked = _Asked()
    read_settings(asked, required=False)
    return tuple(asked.names)


class _Asked(dict[str, str]):
    """An empty environment that remembers what it was asked for: the one list that can't be out of date."""

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, None] = {}

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
        """Nothing but the default."""
        self.names[key] = None
        return default


class _Reader:
    """Single values out of the environment, with one wording for what is wrong."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str, default: str = "", *, required: bool = False) -> str:
        value = self._environment.get(name, "").strip()
        if not value and required:
            raise SettingsError(name, "is required and is not set")
        return value or default

    def number(self, name: str, default: int, *, at_least: int) -> int:
        text = self.text(name, str(default))
        try:
            value = int(text)
        except ValueError:
            raise SettingsError(name, f"expected a whole number, got {_shown(text)}") from None
        # timedelta overflows far above this; nobody waits a century for an import.
        if not at_least <= value <= 1_000_000:
            raise SettingsError(name, f"expected a number from {at_least} to 1000000, got {value}")
        return value

    def https(self, name: str, default: str = "", *, required: bool = False) -> str:
        text = self.text(name, default, required=required)
        if not text:
            return ""
        try:
            parts = urlsplit(text)
            port_is_fine = parts.port is None or parts.port > 0
        except ValueError:
            raise SettingsError(name, f"expected an https URL, got {_shown(text)}") from None
        if parts.scheme != "https" or not parts.hostname or not port_is_fine:
            raise SettingsError(name, f"expected an https URL, got {_shown(text)}")
        if parts.query or parts.fragment or parts.username or parts.password:
            # Not shown: a SAS token pasted behind the URL is the likely mistake.
            raise SettingsError(name, "expected a URL without query, fragment or user: only managed identity is used")
        return text.rstrip("/")

    def ids(self, name: str, resource_type: str) -> tuple[str, ...]:
        found = []
        for item in _items(self.text(name)):
            try:
                parsed = parse_resource_id(item)
            except ValueError as error:
                raise SettingsError(name, f"{_shown(item)} is no resource id: {error}") from None
            if parsed.resource_type != resource_type:
                raise SettingsError(name, f"{_shown(item)} is not a resource of type {resource_type}")
            found.append(str(parsed))
        return tuple(dict.fromkeys(found))


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _shown(text: str) -> str:
    # Redacted before it is cut: half a token is still a secret.
    text = redact(text)
    return repr(text if len(text) <= 120 else f"{text[:120]}…")


def _registries(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    registries: list[str] = []
    subscriptions: list[str] = []
    for item in _items(text):
        subscription = _SUBSCRIPTION.fullmatch(item.lower())
        if subscription:
            subscriptions.append(subscription.group(1))
            continue
        try:
            registries.append(str(parse_registry_id(item)))
        except ValueError as error:
            raise SettingsError(
                "MONITORED_REGISTRIES",
                f"{_shown(item)} is neither a registry's resource id nor /subscriptions/<id>: {error}",
            ) from None
    return tuple(dict.fromkeys(registries)), tuple(dict.fromkeys(subscriptions))


def _dcr(text: str) -> str:
    if text and not re.fullmatch(r"dcr-[0-9A-Za-z]+", text):
        raise SettingsError("LOGS_DCR_IMMUTABLE_ID", f"expected dcr-…, the rule's immutable id, got {_shown(text)}")
    return text


def _stream(text: str) -> str:
    if not re.fullmatch(r"Custom-[A-Za-z][A-Za-z0-9_]*", text):
        raise SettingsError("LOGS_STREAM_NAME", f"expected Custom-<name>, got {_shown(text)}")
    return text


def _container_url(text: str) -> str:
    if text and len([part for part in urlsplit(text).path.split("/") if part]) != 1:
        raise SettingsError(
            "STATE_CONTAINER_URL", f"expected https://<account>.blob.<suffix>/<container>, got {_shown(text)}"
        )
    return text


def _sas_inspection(text: str) -> SasInspection:
    try:
        return SasInspection(text.lower())
    except ValueError:
        allowed = ", ".join(SasInspection)
        raise SettingsError("SAS_INSPECTION", f"expected one of {allowed}, got {_shown(text)}") from None


def _api_version(text: str) -> str:
    if not _API_VERSION.fullmatch(text):
        raise SettingsError("ACR_API_VERSION", f"expected yyyy-mm-dd or yyyy-mm-dd-preview, got {_shown(text)}")
    return text


def _queue(text: str) -> str:
    if text and not _QUEUE.fullmatch(text):
        raise SettingsError(
            "EVENT_QUEUE",
            f"expected a queue's name, 3 to 56 lower-case letters, digits and single hyphens, got {_shown(text)}",
        )
    return text


def _schedule(text: str) -> str:
    fields = text.split()
    if len(fields) != 6 or not all(_SCHEDULE_FIELD.fullmatch(field) for field in fields):
        raise SettingsError("SWEEP_SCHEDULE", f"expected an NCRONTAB expression of six fields, got {_shown(text)}")
    return text


_SCOPES: Final = {
    "ARM_SCOPE": "arm_scope",
    "MONITOR_SCOPE": "monitor_scope",
    "EVENTGRID_SCOPE": "eventgrid_scope",
}
_URLS: Final = {
    "ARM_ENDPOINT": "arm_endpoint",
    "STORAGE_AUDIENCE": "storage_audience",
    "REGISTRY_AUDIENCE": "registry_audience",
}
_SUFFIXES: Final = {
    "KEY_VAULT_DNS_SUFFIX": "key_vault_dns_suffix",
    "STORAGE_DNS_SUFFIX": "storage_dns_suffix",
    "REGISTRY_DNS_SUFFIX": "registry_dns_suffix",
}


def _cloud(read: _Reader) -> Cloud:
    """A known cloud with single values overridden, or a custom one in which every value must be given."""
    name = read.text("AZURE_CLOUD", PUBLIC.name)
    known = {cloud.lower(): value for cloud, value in KNOWN_CLOUDS.items()}
    custom = name.lower() == CUSTOM.lower()
    if not custom and name.lower() not in known:
        allowed = ", ".join((*KNOWN_CLOUDS, CUSTOM))
        raise SettingsError("AZURE_CLOUD", f"expected one of {allowed}, got {_shown(name)}")
    overrides: dict[str, str] = {}
    for setting, field in _URLS.items():
        overrides[field] = read.https(setting, required=custom)
    for setting, field in _SCOPES.items():
        overrides[field] = _scope(setting, read.text(setting, required=custom))
    for setting, field in _SUFFIXES.items():
        overrides[field] = _suffix(setting, read.text(setting, required=custom))
    given = {field: value for field, value in overrides.items() if value}
    if custom:
        return Cloud(name=CUSTOM, **given)
    return replace(known[name.lower()], **given)


def _scope(setting: str, text: str) -> str:
    if not text:
        return ""
    if not text.startswith("https://") or any(ch.isspace() for ch in text):
        raise SettingsError(setting, f"expected https://<audience>/.default, got {_shown(text)}")
    return text if text.endswith("/.default") else f"{text.rstrip('/')}/.default"


def _suffix(setting: str, text: str) -> str:
    suffix = text.lower().lstrip(".")
    if suffix and not _HOST_SUFFIX.fullmatch(suffix):
        raise SettingsError(setting, f"expected a host suffix such as core.windows.net, got {_shown(text)}")
    return suffix


def _mutes(text: str) -> tuple[Mute, ...]:
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise SettingsError("MUTES", f"expected a JSON list: {error}") from None
    if not isinstance(entries, list):
        raise SettingsError("MUTES", "expected a JSON list of objects")
    return tuple(_mute(number, entry) for number, entry in enumerate(entries, start=1))


_MUTE_FIELDS: Final = ("rule", "registry", "pipeline", "blob", "until", "reason")


def _mute(number: int, entry: object) -> Mute:
    if not isinstance(entry, dict):
        raise SettingsError("MUTES", f"entry {number}: expected an object")
    unknown = sorted(str(key) for key in entry if key not in _MUTE_FIELDS)
    if unknown:
        raise SettingsError("MUTES", f"entry {number}: unknown field {_shown(unknown[0])}")
    for field in _MUTE_FIELDS:
        if not isinstance(entry.get(field, ""), str):
            raise SettingsError("MUTES", f"entry {number}: {field} must be text")
    for field in ("until", "reason"):
        if not str(entry.get(field, "")).strip():
            raise SettingsError("MUTES", f"entry {number}: {field} is required")
    try:
        until = datetime.fromisoformat(entry["until"])
    except ValueError:
        raise SettingsError("MUTES", f"entry {number}: until is no ISO 8601 time") from None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    fields = {field: str(entry.get(field, "")).strip() for field in ("rule", "registry", "pipeline", "blob", "reason")}
    return Mute(until=until, **fields)
