"""What the doctor checks, and how a check ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from acrtm.exits import ExitCode
from shared.errors import AccessDenied, Gone, Refused, ServiceError, UnknownHost, UntrustedAddress
from shared.evidence.pieces import Unavailable


class Ending(StrEnum):
    """How a check ended, in the words that are printed."""

    WELL = "well"
    WRONG = "wrong"
    UNKNOWN = "unknown"
    """It could not be carried out, which is no answer."""
    LEFT_OUT = "left out"
    """Not asked for, by the settings or by the caller."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: ``area`` and ``name`` say what was looked at, ``words`` what came of it.

    ``remedy`` is a sentence, ``command`` something to paste; both are empty where there is nothing to do.
    """

    area: str
    name: str
    ending: Ending
    words: str = ""
    remedy: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Examined:
    """All checks, in the order in which they were made."""

    checks: tuple[Check, ...]

    @property
    def exit_code(self) -> ExitCode:
        """3 for what is wrong, else 4 for what is unknown, else 0."""
        endings = {check.ending for check in self.checks}
        if Ending.WRONG in endings:
            return ExitCode.FINDINGS
        return ExitCode.NOT_CHECKED if Ending.UNKNOWN in endings else ExitCode.OK

    @property
    def counts(self) -> Mapping[str, int]:
        """How many checks ended how."""
        return {str(ending): sum(check.ending is ending for check in self.checks) for ending in Ending}


_CERTAIN = (AccessDenied, Gone, Refused, UnknownHost, UntrustedAddress)


def ending_of(error: ServiceError) -> Ending:
    """A refusal is wrong; silence and throttling may be over in a moment, so they tell nothing."""
    return Ending.WRONG if isinstance(error, _CERTAIN) else Ending.UNKNOWN


def ending_of_piece(missing: Unavailable) -> Ending:
    """The same for a piece of evidence that could not be had."""
    if missing.by_choice:
        return Ending.LEFT_OUT
    return Ending.UNKNOWN if missing.passing else Ending.WRONG
