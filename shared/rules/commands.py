"""Commands that can be pasted: every word quoted for a POSIX shell, nothing destructive, no secret.

The end of a new token is computed where the command runs, with GNU date as in Azure Cloud Shell.
"""

from __future__ import annotations

import shlex
from typing import Final

NEW_TOKEN_DAYS: Final = 90


def shell(*words: str) -> str:
    """The words as one command line. An empty word means that a name is unknown: then there is no command."""
    if any(not word for word in words):
        return ""
    return " ".join(shlex.quote(word) for word in words)


def steps(*commands: str) -> str:
    """Several commands, each only run if the one before worked; empty if one of them could not be made."""
    return " && ".join(commands) if all(commands) else ""
