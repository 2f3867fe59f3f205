"""What the monitor says about itself. These rules ask nothing: those who notice make the finding."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.evidence.model import Evidence, Look
from shared.rules.commands import shell
from shared.rules.model import Area, Description, Severity, Step, Subject, Verdict, not_applicable, rule
from shared.rules.words import shortened

_NO_LOOK: Final = frozenset[Look]()


@dataclass(frozen=True, slots=True)
class _Role:
    """The smallest built-in role that grants a right, and where to assign it."""

    name: str
    where: str


_READER: Final = _Role("Reader", "on the resource, its group or its subscription")
# The first pattern that stands in the right decides.
_ROLES: Final = (
    ("blobservices/containers/blobs/", _Role("Storage Blob Data Reader", "on the container")),
    ("vaults/secrets/getsecret", _Role("Key Vault Secrets User", "on the secret")),
    ("registries/pull/", _Role("AcrPull", "on the registry")),
    ("registries/repositories/", _Role("Container Registry Repository Reader", "on the registry")),
    ("registries/catalog/", _Role("Container Registry Repository Catalog Lister", "on the registry")),
    ("insights/eventtypes/", _READER),
    ("insights/", _Role("Monitoring Metrics Publisher", "on the data collection rule")),
    ("eventgrid/events/", _Role("EventGrid Data Sender", "on the topic")),
)
EITHER: Final = (
    "either deploy infra/ again, or assign it by hand and delete that assignment before the next deployment, which "
    "fails on it (RoleAssignmentExists)"
)
"""How to give a role: Azure takes one assignment of it, whatever its name, and templates choose their own name."""
# Refusals that no role changes: the way there is closed.
_CLOSED_WAY: Final = re.compile(
    r"AuthorizationFailure|ForbiddenByFirewall|ForbiddenByConnection|NSP rules|client with IP"
)


def way_is_closed(reason: str) -> bool:
    """Whether a refusal is the network's, which no role changes."""
    return _CLOSED_WAY.search(reason) is not None


def role_for(right: str) -> _Role | None:
    """The role that grants ``right``; ``None`` for a right that no role is known for."""
    wanted = right.lower()
    found = next((role for part, role in _ROLES if part in wanted), None)
    if found is not None:
        return found
    return _READER if wanted == "read" or wanted.endswith("/read") else None


def scope_of(target: str) -> str:
    """The resource to assign a role on for a request to ``target``, empty if that is no path of ARM.

    What is listed below a resource is granted on the resource; what is listed below a subscription, on that.
    """
    before, found, provider = re.sub(
        r"/providers/microsoft\.authorization/.*", "", target.strip(), flags=re.IGNORECASE
    ).partition("/providers/")
    if not before.lower().startswith("/subscriptions/"):
        return ""
    parts = provider.split("/")
    # The activity log has a path below a provider, but it is the subscription's.
    is_resource = found and len(parts) >= 3 and parts[1].lower() != "eventtypes"
    return f"{before}/providers/{'/'.join(parts[:3])}" if is_resource else before


def _scope(evidence: Evidence, right: str, target: str) -> str:
    names = evidence.names
    wanted = right.lower()
    if "blobservices/containers/blobs/" in wanted:
        known = (
            names.account_id and names.container and f"/{target}/".startswith(f"/{names.account}/{names.container}/")
        )
        return f"{names.account_id}/blobServices/default/containers/{names.container}" if known else ""
    if "registries/" in wanted and not target.startswith("/"):
        return names.registry_id
    return scope_of(target)


@rule(
    *("ACRT901", "cannot-check"),
    area=Area.MONITOR,
    severity=Severity.MEDIUM,
    subject=Subject.MONITOR,
    step=Step.AFTERWARDS,
    looks=_NO_LOOK,
    causes=False,
)
def cannot_check(_evidence: Evidence) -> Verdict:
    """The monitor could look at everything that it needs.

    What it checks: nothing by itself. It is what becomes of every check that could not be carried out, one finding
    for each target and missing right, with the rules that were left open.

    Why it matters: a check that was not carried out is no all-clear.

    How we know: from what the service answered to the monitor's own identity: a refusal, silence, or a name that
    leads nowhere.

    How to fix: give the monitor's identity the role that is named, where it is named, or open the network path. A
    role that ``infra/`` gives comes back when that is deployed again. One that was assigned by hand makes the next
    deployment fail (``RoleAssignmentExists``): delete that assignment before. What ``SAS_INSPECTION`` leaves out on
    purpose is never listed here.

    What can make it wrong: a role that was given some minutes ago takes up to half an hour to have effect.

    References: SECURITY.md, "What it may see and do"; Azure RBAC, "Troubleshoot Azure RBAC".
    """
    return not_applicable()


@cannot_check.described_by
def _cannot_check(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    target, right = str(facts.get("target") or ""), str(facts.get("right") or "")
    reason = shortened(str(facts.get("reason") or "it could not be asked"))
    left = facts.get("rules")
    rules = ", ".join(str(rule_id) for rule_id in left) if isinstance(left, list | tuple) and left else "some rules"
    principal = str(facts.get("principal") or "")
    role = role_for(right)
    fix = ""
    if facts.get("passing"):
        advice = "Nothing to grant: the monitor asks again by itself. If it lasts, see whether the service is well."
    elif way_is_closed(reason):
        advice = (
            "The network keeps the monitor out, which no role changes: let the monitor's outbound addresses, its "
            "virtual network or its private endpoint through the firewall of the target."
        )
    elif role is not None:
        assigned = f" (or the custom role ACR Transfer Monitor Reader, {_READER.where})" if role is _READER else ""
        advice = (
            f"Give the monitor's identity the role {role.name} {role.where}{assigned}, if it lacks it: {EITHER}. A "
            "new assignment can take half an hour to have effect."
        )
        fix = shell(
            *("az", "role", "assignment", "create", "--assignee", principal, "--role", role.name),
            *("--scope", _scope(evidence, right, target)),
        )
    else:
        advice = "See whether the target exists and can be reached from where the monitor runs."
    tried = f" ({right})" if right and right != "read" else ""
    what = f"'{target}'" if target else "something it needs"
    return Description(
        f"The monitor could not look at {what}{tried}, which left {rules} open: {reason.rstrip('.')}.",
        advice,
        fix,
        shell("acrtm", "doctor"),
    )


@rule(
    *("ACRT902", "event-malformed"),
    area=Area.MONITOR,
    severity=Severity.LOW,
    subject=Subject.MONITOR,
    step=Step.AFTERWARDS,
    looks=_NO_LOOK,
    causes=False,
)
def event_malformed(_evidence: Evidence) -> Verdict:
    """Every event that was delivered could be read.

    What it checks: whether an event of a type that the monitor subscribes to names a pipeline run, or a blob, in the
    way in which Azure documents it.

    Why it matters: such an event is acknowledged, since it would be the same the next time. If Azure has changed the
    shape of its events, the sweep alone finds runs and blobs, some minutes later.

    How we know: from the event's type, source and subject. Nothing else of it is kept.

    How to fix: see who sends it: a test event by hand is the usual sender. If Azure is, tell the maintainers its
    type and what was wrong.

    What can make it wrong: nothing known.

    References: Event Grid, "Azure subscription as an Event Grid source" and "Azure Blob Storage as an Event Grid
    source".
    """
    return not_applicable()


@event_malformed.described_by
def _event_malformed(_evidence: Evidence, facts: Mapping[str, object]) -> Description:
    kind = shortened(str(facts.get("eventType") or "of unknown type"), 120)
    event = shortened(str(facts.get("eventId") or "without an id"), 120)
    why = shortened(str(facts.get("why") or "it can't be read"))
    return Description(
        f"Event {event} ({kind}) could not be read: {why.rstrip('.')}.",
        "See who sent it; events that are sent by hand are the usual ones. The sweep finds runs and blobs without "
        "events.",
    )


@rule(
    *("ACRT903", "heartbeat"),
    area=Area.MONITOR,
    severity=Severity.INFO,
    subject=Subject.MONITOR,
    step=Step.AFTERWARDS,
    looks=_NO_LOOK,
    causes=False,
)
def heartbeat(_evidence: Evidence) -> Verdict:
    """The monitor is alive.

    What it checks: nothing. Each sweep writes one, with what it has looked at and how long that took, and does so
    when a part of it has failed.

    Why it matters: a monitor that has stopped looks like a registry where all is well. An alert on a missing
    heartbeat tells them apart.

    How we know: the sweep writes it itself, at its end.

    How to fix: nothing to fix. Where it is missing, look at the function app first: whether it runs, and whether it
    can store findings.

    What can make it wrong: findings that arrive late, since logs take some minutes to show up.

    References: docs/operate.md, "Alerts"; Azure Monitor, "Log data ingestion time".
    """
    return not_applicable()


@heartbeat.described_by
def _heartbeat(_evidence: Evidence, facts: Mapping[str, object]) -> Description:
    counts = [
        f"{_spaced(name)} {value}"
        for name, value in facts.items()
        if isinstance(value, int) and not isinstance(value, bool) and name != "seconds"
    ]
    seconds = facts.get("seconds")
    took = f" after {seconds:.1f} s" if isinstance(seconds, int | float) else ""
    ended = "stopped before its end" if facts.get("finished") is False else "has ended"
    problems = facts.get("problems")
    trouble = [str(problem) for problem in problems] if isinstance(problems, list | tuple) else []
    counted = f" ({shortened(', '.join(counts))})" if counts else ""
    wrong = f" with {len(trouble)} problem{'' if len(trouble) == 1 else 's'}" if trouble else ""
    return Description(
        f"The sweep {ended}{took}{counted}{wrong}.",
        f"The next sweep takes it up again: {shortened('; '.join(trouble))}." if trouble else "Nothing to do.",
    )


def _spaced(name: str) -> str:
    """``runsDiagnosed`` as ``runs diagnosed``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


@rule(
    *("ACRT904", "test-finding"),
    area=Area.MONITOR,
    severity=Severity.INFO,
    subject=Subject.MONITOR,
    step=Step.AFTERWARDS,
    looks=_NO_LOOK,
    causes=False,
)
def trial(_evidence: Evidence) -> Verdict:
    """Findings and alerts arrive where people look.

    What it checks: nothing. ``acrtm doctor --send-test`` writes one on request, and publishes it as an alert that
    opens and resolves.

    Why it matters: a finding that nobody gets is as good as none, and the day of a failure is a bad one to learn that.

    How we know: somebody has asked for it; the row's time is the time of the request.

    How to fix: nothing to fix. Where it doesn't arrive, ``acrtm doctor`` says which path or right is missing.

    What can make it wrong: the first row of a new table can take a quarter of an hour to be seen.

    References: docs/deploy.md, "Afterwards"; Azure Monitor, "Log data ingestion time".
    """
    return not_applicable()


@trial.described_by
def _trial(_evidence: Evidence, _facts: Mapping[str, object]) -> Description:
    return Description(
        "This is a test of the monitor: nothing is wrong, and somebody has asked for it with acrtm doctor.",
        "Nothing to do, but to see that it has arrived.",
    )
