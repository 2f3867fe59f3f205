"""A piece of evidence is a value, or it is missing, or it could not be had. The three are never confused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, Union

from shared.errors import ServiceError, TransientError


@dataclass(frozen=True, slots=True)
class Missing:
    """It was looked for where it would be, and it is not there.

    ``code`` is the service's word for it, which may say more: a blob is also missing where its container is.
    """

    what: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """It could not be looked at, so nothing may be concluded from it.

    ``reason`` is a sentence without its full stop. ``target`` and ``right`` say what is missing on what;
    ``by_choice`` that the settings leave it out, which is no fault; ``passing`` that it may work in a moment.
    """

    reason: str
    target: str = ""
    right: str = ""
    by_choice: bool = False
    passing: bool = False

    @classmethod
    def because(cls, error: ServiceError) -> Unavailable:
        """The piece that ``error`` kept away."""
        return cls(str(error), error.target, error.right, passing=isinstance(error, TransientError))


Value = TypeVar("Value")

# What the field of an evidence holds; narrowed with isinstance.
Piece = Union[Value, Missing, Unavailable]  # noqa: UP007 - a generic alias needs Union before Python 3.12

NOT_ASKED = Unavailable("it was not part of this look", by_choice=True)
