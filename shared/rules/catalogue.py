"""The whole catalogue: importing it enters every rule, in the order of their ids."""

from __future__ import annotations

import importlib
from types import MappingProxyType
from typing import Final

from shared.rules.model import Rule, entered_rules

_FAMILIES: Final = (
    "run",
    "run_causes",
    "pipeline",
    "vault_access",
    "key_vault",
    "vault_secret",
    "sas",
    "sas_service",
    "sas_reach",
    "managed_identity",
    "storage",
    "blobs",
    "leftovers",
    "source_trigger",
    "prerequisites",
    "artifacts",
    "layers",
    "copying",
    "monitor",
)

for _family in _FAMILIES:
    importlib.import_module(f"shared.rules.{_family}")

CANNOT_CHECK: Final = "ACRT901"
CATALOGUE: Final = MappingProxyType(dict(sorted(entered_rules().items())))


def find_rule(id_or_name: str) -> Rule | None:
    """The rule with this id or name, without regard to case."""
    wanted = id_or_name.strip().lower()
    return next((rule for rule in CATALOGUE.values() if wanted in {rule.id.lower(), rule.name}), None)
