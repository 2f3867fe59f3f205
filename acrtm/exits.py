"""Exit codes, and the errors that are expected: they carry what to do and never a traceback."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class ExitCode(IntEnum):
    """What a command ends with; ``FINDINGS`` wins over ``NOT_CHECKED``."""

    OK = 0
    FAILED = 1
    USAGE = 2
    FINDINGS = 3
    NOT_CHECKED = 4


EXIT_CODES: Final = (
    "Exit code: 0 nothing wrong; 3 findings of severity Medium or higher (Low ones are shown and leave it at 0); "
    "4 something could not be checked (3 wins); 2 wrong usage; 1 the tool itself failed."
)

DOCTOR_EXIT_CODES: Final = (
    "Exit code: 0 everything that was asked for is well; 3 something is wrong; 4 something could not be checked (3 "
    "wins); 2 wrong usage; 1 the tool itself failed."
)

REPLAY_EXIT_CODES: Final = (
    "Exit code: 0 every event was taken and nothing is wrong; 3 every event was taken, and findings of severity "
    "Medium or higher were stored; 4 some events have to be replayed again, or something could not be checked; "
    "1 something is no event, or the tool itself failed; 2 wrong usage. Events that were not taken win over findings."
)


class Problem(Exception):
    """Something that was to be expected went wrong: what it is, and what to do about it.

    ``remedy`` is a sentence, ``command`` something to paste; both may be empty.
    """

    def __init__(self, what: str, remedy: str = "", command: str = "", *, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.command = command
        self.code = code


class WrongUsage(Problem):
    """The command was given something that it can't use."""

    def __init__(self, what: str, remedy: str = "", command: str = "") -> None:
        super().__init__(what, remedy, command, code=ExitCode.USAGE)
