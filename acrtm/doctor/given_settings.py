"""The settings that are examined: those of this process, or those of the deployed app in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from acrtm.doctor.checks import Check, Ending
from acrtm.exits import WrongUsage
from shared.errors import SettingsError
from shared.settings import Settings, read_settings, setting_names

AREA: Final = "Settings"
_HOW: Final = "az functionapp config appsettings list --name APP --resource-group GROUP > settings.json"


def settings_in(path: Path) -> dict[str, str]:
    """The settings in a file: what ``az functionapp config appsettings list`` printed, or ``local.settings.json``.

    Only names that the app reads are taken, so that nothing else of the file can change what this process does.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise _unusable(path, error.strerror or "it can't be read") from None
    except ValueError:
        raise _unusable(path, "it is no JSON") from None
    values = _values(document)
    if values is None:
        raise _unusable(path, "it holds no app settings")
    return {name: values[name] for name in setting_names() if name in values}


def _values(document: object) -> dict[str, str] | None:
    if isinstance(document, list):
        entries = [entry for entry in document if isinstance(entry, dict) and isinstance(entry.get("name"), str)]
        if len(entries) != len(document):
            return None
        document = {entry["name"]: entry.get("value") or "" for entry in entries}
    elif isinstance(document, dict) and isinstance(document.get("Values"), dict):
        document = document["Values"]
    if not isinstance(document, dict):
        return None
    return {str(name): value for name, value in document.items() if isinstance(value, str)}


def _unusable(path: Path, why: str) -> WrongUsage:
    return WrongUsage(f"'{path}' is no file of app settings: {why}.", "How to make one:", _HOW)


def examine_settings(given: Mapping[str, str]) -> tuple[list[Check], Settings | None]:
    """A check for every setting that is given or wrong, and the settings as far as they can be used.

    All mistakes are named, not only the first: a wrong setting is taken out, and the rest is read again.
    """
    wrong: dict[str, str] = {}
    usable: Settings | None = None
    left = dict(given)
    while usable is None:
        try:
            usable = read_settings(left, required=False)
        except SettingsError as error:
            if error.setting in wrong:
                # Not there any more and still wanted (a custom cloud wants all its values): nothing can be read.
                break
            wrong[error.setting] = error.problem
            left.pop(error.setting, None)
    wrong |= {name: problem for name, problem in _missing(left).items() if name not in wrong}
    checks = [_check(name, given, wrong) for name in setting_names() if name in wrong or given.get(name, "").strip()]
    return checks, usable


def _missing(given: Mapping[str, str]) -> dict[str, str]:
    """The required settings that are not there."""
    found: dict[str, str] = {}
    filled = dict(given)
    for name in setting_names():
        if filled.get(name, "").strip():
            continue
        try:
            read_settings(filled)
        except SettingsError as error:
            if error.setting == name:
                found[name] = error.problem
                # Something well-formed in its place lets the next one be seen.
                filled[name] = _STAND_INS.get(name, "")
    return found


_STAND_INS: Final = {
    "MONITORED_REGISTRIES": "/subscriptions/00000000-0000-0000-0000-000000000000",
    "LOGS_INGESTION_ENDPOINT": "https://example.invalid",
    "LOGS_DCR_IMMUTABLE_ID": "dcr-0",
    "STATE_CONTAINER_URL": "https://example.invalid/state",
}


def _check(name: str, given: Mapping[str, str], wrong: Mapping[str, str]) -> Check:
    if name not in wrong:
        return Check(AREA, name, Ending.WELL, "set")
    missing = not given.get(name, "").strip()
    remedy = (
        f"Set {name} in the app's settings; docs/settings.md says what it means." if missing else f"Correct {name}."
    )
    return Check(AREA, name, Ending.WRONG, wrong[name], remedy)
