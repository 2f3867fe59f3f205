"""The Azure CLI and azcopy for a local cloud, so that the commands of findings can be run as they stand.

The words are taken as strictly as az takes them (its own syntax, read from azure-cli), and what they ask for is
done to the local cloud with real requests. Many processes start for one command line: importing this is cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.az.runner import CommandRunner, Completed

__all__ = ["CommandRunner", "Completed"]


def __getattr__(name: str) -> object:
    """The runner needs asyncio, the commands don't."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from localcloud.az import runner

    return getattr(runner, name)
