"""``acrtm`` against a local cloud: the product's own command line, with nothing changed but the way out.

The monitor is the one whose host this is, so it signs in as the local cloud's managed identity.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from localcloud.az.errors import AzError
from localcloud.connection import connect

VARIABLE = "LOCALCLOUD_CONNECTION"


def run(words: Sequence[str]) -> int:
    """Carry one command line of acrtm out; its exit code."""
    path = os.environ.get(VARIABLE)
    if path is None:
        raise AzError(f"{VARIABLE} names no local cloud.")
    connection = connect(path)
    os.environ.update(connection.environment)
    # By name: the local cloud needs the product for nothing else, and knows nothing of it.
    runtime: Any = import_module("shared.runtime")
    runtime.use_sessions(connection.client_session)
    return int(import_module("acrtm.main").main(list(words)))
