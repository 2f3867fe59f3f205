"""``python -m localcloud exec CONNECTION_FILE -- ARGS``: the real command line against a running local cloud.

It takes its settings and its HTTP sessions from the connection file that ``python -m localcloud serve`` has
printed. A setting that the environment has already stays as it is (``SAS_INSPECTION=value``, or an empty
``MONITORED_REGISTRIES``), but who one is logged in as is always the local cloud's.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence

from localcloud.connection import connect

_IDENTITY = ("AZURE_", "IDENTITY_", "MSI_")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The arguments of ``exec``."""
    parser = commands.add_parser("exec", help="run the command line against a running local cloud")
    parser.add_argument("connection_file")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what acrtm is given, after --")


def run(connection_file: str, arguments: Sequence[str]) -> int:
    """Runs ``acrtm`` with ``arguments``, and gives its exit code."""
    from acrtm.main import main
    from shared.runtime import use_sessions

    connection = connect(connection_file)
    lay_over(connection.environment)
    use_sessions(connection.client_session)
    return main(list(arguments[1:] if arguments[:1] == ["--"] else arguments))


def lay_over(environment: Mapping[str, str]) -> None:
    """Puts the local cloud's environment under the settings that are there, and over the identity."""
    for name in [name for name in os.environ if name.startswith(_IDENTITY)]:
        del os.environ[name]
    for name, value in environment.items():
        os.environ.setdefault(name, value)
