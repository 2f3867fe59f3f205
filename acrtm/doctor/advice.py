"""What to do about a failed check: the role to grant, or the path to open, in the words of ACRT901."""

from __future__ import annotations

import shlex

from acrtm.doctor.checks import Check, ending_of, ending_of_piece
from shared.errors import ServiceError
from shared.evidence.model import Look
from shared.evidence.pieces import Unavailable
from shared.monitor import Monitor
from shared.rules.catalogue import CATALOGUE

# Whoever runs the doctor by hand is asked for by az itself.
_WHO_IS_SIGNED_IN = '"$(az ad signed-in-user show --query id --output tsv)"'


def failed(monitor: Monitor, area: str, name: str, error: ServiceError) -> Check:
    """The check that ``error`` ended."""
    remedy, command = _advice(monitor, Unavailable.because(error))
    return Check(area, name, ending_of(error), str(error), remedy, command)


def left_open(monitor: Monitor, area: str, name: str, missing: Unavailable) -> Check:
    """The check of a piece of evidence that could not be had."""
    if missing.by_choice:
        return Check(area, name, ending_of_piece(missing), missing.reason)
    remedy, command = _advice(monitor, missing)
    return Check(area, name, ending_of_piece(missing), missing.reason, remedy, command)


def _advice(monitor: Monitor, missing: Unavailable) -> tuple[str, str]:
    facts: dict[str, object] = {
        "target": missing.target,
        "right": missing.right,
        "reason": missing.reason,
        "passing": missing.passing,
        "principal": assignee(monitor) or "\0",
    }
    words = CATALOGUE["ACRT901"].describe(monitor.gatherer.blank(Look.OTHER_RUN, ""), facts)
    command = words.fix_command.replace(shlex.quote("\0"), _WHO_IS_SIGNED_IN)
    return words.recommendation, command


def assignee(monitor: Monitor) -> str:
    """The app's own identity, where the settings name it."""
    return monitor.settings.client_id


def grant(monitor: Monitor, role: str, scope: str) -> str:
    """The command that grants a role; ``scope`` is a piece of shell that prints a resource id."""
    who = shlex.quote(assignee(monitor)) if assignee(monitor) else _WHO_IS_SIGNED_IN
    return f"az role assignment create --assignee {who} --role {shlex.quote(role)} --scope {scope}"


def reason_of(error: BaseException | None) -> ServiceError | None:
    """What a service said, behind an error that only tells what it kept from happening."""
    while error is not None and not isinstance(error, ServiceError):
        error = error.__context__
    return error
