"""How a command ends other than well, with the exit code that az has for it.

::

    AzError              1  the cloud has refused, or the words make no sense together
    ├── UsageError       2  the command line itself is wrong: no such command or flag, a required one is missing
    ├── NotThere         3  a ``show`` of something that isn't there, as az has it
    └── NotCarriedOut    3  well formed, and the local cloud has nothing that it could act upon
"""

from __future__ import annotations


class AzError(Exception):
    """The message goes to standard error."""

    exit_code = 1


class UsageError(AzError):
    """The command line is not one that az takes."""

    exit_code = 2


class NotThere(AzError):
    """What is to be shown isn't there."""

    exit_code = 3


class NotCarriedOut(AzError):
    """The local cloud has no such part."""

    exit_code = 3

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: not carried out by the local cloud")
