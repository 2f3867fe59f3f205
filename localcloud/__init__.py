"""A small Azure on loopback, in which ACR Transfer really transfers. For the demo, tests and benchmarks.

It is a fake, apart from Azurite, which is Microsoft's own storage emulator: its refusals come from Azure's
documentation and from published recordings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.azurite import Azurite
    from localcloud.cloud import LocalCloud
    from localcloud.connection import Connection, connect

__all__ = ["Azurite", "Connection", "LocalCloud", "connect"]

_HOMES = {
    "Azurite": "localcloud.azurite",
    "Connection": "localcloud.connection",
    "LocalCloud": "localcloud.cloud",
    "connect": "localcloud.connection",
}


def __getattr__(name: str) -> object:
    """Imported when first asked for: ``localcloud.world`` alone needs neither aiohttp's server nor trustme."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
