"""Causes of a failed run that only its message or the activity log tells, and the one for when nothing is known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from shared.evidence.model import Evidence
from shared.records.transfer import Registry
from shared.rules import remedies
from shared.rules.commands import shell
from shared.rules.model import (
    Area,
    Description,
    Severity,
    Step,
    Subject,
    Verdict,
    failed,
    not_applicable,
    rule,
)
from shared.rules.run import ANY_RUN
from shared.rules.words import named, pipeline_words, run_words, sentence, shortened

# The message names the caller, but a message may quote what others have chosen, a blob's name for one. So no
# command that grants something takes the caller from there.
_LINKED: Final = re.compile(
    r"permission\s{1,5}to\s{1,5}perform\s{1,5}action(?:\(s\))?\s{1,5}'([^'\n]{1,300})'\s{1,5}on\s{1,5}the\s{1,5}linked"
    r"\s{1,5}scope(?:\(s\))?\s{1,5}'([^'\n]{1,500})'",
    re.IGNORECASE,
)
_LOG_REACHES_BACK: Final = "7d"
_LOG_FIELDS: Final = "[].{operation:operationName.value, state:status.value, text:properties.statusMessage}"


def _correlation_id(evidence: Evidence, facts: Mapping[str, object]) -> str:
    known = facts.get("correlationId")
    return str(known) if known else (evidence.lost_write.correlation_id if evidence.lost_write else "")


def _log_of(correlation_id: str) -> str:
    return shell(
        *("az", "monitor", "activity-log", "list", "--correlation-id", correlation_id),
        *("--offset", _LOG_REACHES_BACK, "--query", _LOG_FIELDS),
    )


def _caller(evidence: Evidence) -> str:
    who = evidence.message.object_id
    return f"the caller (object id {who})" if who else "the caller"


def _of_pipeline(evidence: Evidence) -> bool:
    """Whether what was rejected is the write of a pipeline, and not of a run."""
    lost = evidence.lost_write
    return lost is not None and bool(lost.pipeline_id) and not lost.run_name


def _written(evidence: Evidence) -> str:
    return f"the write of {pipeline_words(evidence)}" if _of_pipeline(evidence) else run_words(evidence)


@rule(
    *("ACRT110", "deployment-rejected"),
    area=Area.RUN,
    severity=Severity.HIGH,
    subject=Subject.RUN,
    step=Step.PIPELINE,
    looks=ANY_RUN,
)
def deployment_rejected(evidence: Evidence) -> Verdict:
    """A run or a pipeline that was submitted was accepted.

    What it checks: whether Azure Resource Manager reported the write of a run as failed, and there is no run, or the
    write of a pipeline.

    Why it matters: the transfer has not begun, or can't begin, and as there is no run, no run tells why.

    How we know: from the event of the failed write; its reason stands in the activity log under the same
    correlation id, which follows some minutes later.

    How to fix: look at what the deployment was answered, mend the template or the command, and submit it
    again.

    What can make it wrong: a run that was deleted right after its write had failed.

    References: Azure Resource Manager, "Troubleshoot common Azure deployment errors"; ACR Transfer
    troubleshooting, "Template deployment failures or errors".
    """
    lost = evidence.lost_write
    if lost is None or not lost.rejected:
        return not_applicable()
    return failed(correlationId=lost.correlation_id, code=lost.code or None)


@deployment_rejected.described_by
def _deployment_rejected(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    lost = evidence.lost_write
    correlation_id = _correlation_id(evidence, facts)
    text = shortened(evidence.message.text).rstrip(".")
    code = str(facts.get("code") or (lost.code if lost else ""))
    said = ": ".join(part for part in (code, text) if part)
    left = "so nothing has changed" if _of_pipeline(evidence) else "so there is no run"
    what = pipeline_words(evidence) if _of_pipeline(evidence) else run_words(evidence)
    return Description(
        f"The write of {what} was rejected, {left}"
        f"{f' (correlation id {correlation_id})' if correlation_id else ''}{f': {said}' if said else ''}.",
        "Read what the deployment was answered, mend the template or the command, and submit it again. The "
        "activity log has the answer some minutes after the write.",
        "",
        _log_of(correlation_id),
    )


@rule(
    *("ACRT111", "caller-not-authorized"),
    area=Area.RUN,
    severity=Severity.HIGH,
    subject=Subject.RUN,
    step=Step.PIPELINE,
)
def caller_not_authorized(_evidence: Evidence) -> Verdict:
    """Whoever starts transfers may do so.

    What it checks: whether the run's message, or the activity log, says that the caller was not authorized or
    that the scope is invalid.

    Why it matters: without the right on the registry nobody can create pipelines or runs there.

    How we know: from the text alone (``AuthorizationFailed``). Who may submit runs is not looked at.

    How to fix: give the caller the role Container Registry Transfer Pipeline Contributor on the registry, or
    on its subscription; who deploys a template also needs to be allowed deployments in the resource group.
    No command is offered, because the caller is known from a text only.

    What can make it wrong: a misspelt registry or resource group, which is answered in the same words; a role
    that was given within the last minutes.

    References: ACR Transfer troubleshooting, "Artifacts transfer problems", on
    Container Registry Transfer Pipeline Contributor.
    """
    return not_applicable()


@caller_not_authorized.described_by
def _caller_not_authorized(evidence: Evidence, _facts: Mapping[str, object]) -> Description:
    names = evidence.names
    wanted = "write pipelines" if _of_pipeline(evidence) else "start transfers"
    return Description(
        f"{sentence(_caller(evidence))} of {_written(evidence)} may not {wanted} on "
        f"{named('registry', names.registry)}.",
        f"Check that this is who should {wanted} and that the names in the command are right. Then give it the "
        f"role Container Registry Transfer Pipeline Contributor on {named('registry', names.registry)}, and submit it "
        "again after a few minutes.",
        "",
        shell(
            *("az", "role", "assignment", "list", "--scope", names.registry_id, "--include-inherited"),
            *("--role", "Container Registry Transfer Pipeline Contributor", "--output", "table"),
        ),
    )


@rule(
    *("ACRT112", "linked-authorization-failed"),
    area=Area.RUN,
    severity=Severity.HIGH,
    subject=Subject.RUN,
    step=Step.PIPELINE,
)
def linked_authorization_failed(_evidence: Evidence) -> Verdict:
    """Whoever starts transfers may use what the transfer refers to.

    What it checks: whether the run's message, or the activity log, says that the caller may write the resource
    and lacks a right on another one that it refers to.

    Why it matters: a pipeline that names a user-assigned identity, or a run that names a pipeline of another
    registry, needs rights there too.

    How we know: from the text alone (``LinkedAuthorizationFailed``), which names the action and the resource.

    How to fix: give the caller a role with that action on that resource; for a user-assigned identity it is
    Managed Identity Operator. No command is offered, because the caller is known from a text only.

    What can make it wrong: a role that was given within the last minutes.

    References: Azure Resource Manager, "Resolve errors for linked authorization"; managed identities, "Assign
    a user-assigned identity".
    """
    return not_applicable()


@linked_authorization_failed.described_by
def _linked_authorization_failed(evidence: Evidence, _facts: Mapping[str, object]) -> Description:
    match = _LINKED.search(evidence.message.text)
    action, scope = match.groups() if match else ("", "")
    lacks = f"the action {action} on {scope}" if match else "a right on a resource that it refers to"
    operator = " (Managed Identity Operator has it)" if "userassignedidentities/assign" in action.lower() else ""
    return Description(
        f"{sentence(_caller(evidence))} of {_written(evidence)} lacks {lacks}.",
        f"Check that this is who should start transfers. Then give it a role with the action that is missing{operator} "
        "on the resource that is named, and submit it again after a few minutes.",
        "",
        shell("az", "role", "assignment", "list", "--scope", scope, "--include-inherited", "--output", "table"),
    )


@rule(
    *("ACRT117", "service-throttled"),
    area=Area.RUN,
    severity=Severity.MEDIUM,
    subject=Subject.RUN,
    step=Step.AFTERWARDS,
)
def service_throttled(_evidence: Evidence) -> Verdict:
    """The services behind a transfer take its requests.

    What it checks: whether the run's message says that a service was busy or turned requests away as too many
    (429, 503).

    Why it matters: nothing is misconfigured; the same transfer may well succeed later.

    How we know: from the run's message alone, and only if it names no other cause.

    How to fix: wait for some minutes and run the transfer again. If it comes back, start fewer transfers at
    the same time, or carry fewer artifacts with each.

    What can make it wrong: a message that quotes an earlier attempt before the one that failed.

    References: Container Registry service tiers and limits; Azure Storage, scalability targets; Key Vault
    service limits.
    """
    return not_applicable()


@service_throttled.described_by
def _service_throttled(evidence: Evidence, _facts: Mapping[str, object]) -> Description:
    service = evidence.message.service
    return Description(
        f"{sentence(run_words(evidence))} failed because {service or 'a service'} was busy or had too many requests.",
        "Wait for some minutes and run the transfer again. If this happens often, start fewer transfers at the same "
        "time or carry fewer artifacts with each.",
        remedies.run_again(evidence),
        remedies.show_run(evidence.names),
    )


@rule(
    *("ACRT118", "registry-access-denied"),
    area=Area.RUN,
    severity=Severity.HIGH,
    subject=Subject.RUN,
    step=Step.PIPELINE,
)
def registry_access_denied(_evidence: Evidence) -> Verdict:
    """The transfer may use the registry itself.

    What it checks: whether the run's message says that access to the registry was denied.

    Why it matters: images are read from the registry, or written to it, by the service on behalf of the
    pipeline; its network rules or its permissions then stand in the way.

    How we know: from the run's message alone. The registry's public access is shown beside it.

    How to fix: look at the registry's network rules, and let trusted services pass; then at the role
    assignments on the registry. No command is offered, because opening a registry is its owner's choice.

    What can make it wrong: a message about another registry that an image refers to.

    References: Container Registry, "Configure rules to access a registry" and "Allow trusted services".
    """
    return not_applicable()


@registry_access_denied.described_by
def _registry_access_denied(evidence: Evidence, _facts: Mapping[str, object]) -> Description:
    registry = evidence.registry
    public = registry.public_network_access if isinstance(registry, Registry) else ""
    return Description(
        f"{sentence(run_words(evidence))} was denied access to {named('registry', evidence.names.registry)}"
        f"{f', whose public network access is {public.lower()}' if public else ''}.",
        "Look at the registry's network rules first: whether public access is off, which addresses are allowed, and "
        "whether trusted services may pass. Then look at the roles that were taken away on it lately.",
        "",
        shell(
            *("az", "acr", "show", "--name", evidence.names.registry, "--query"),
            "{public:publicNetworkAccess, rules:networkRuleSet, trusted:networkRuleBypassOptions}",
        ),
    )


@rule(
    *("ACRT199", "cause-unknown"),
    area=Area.RUN,
    severity=Severity.HIGH,
    subject=Subject.RUN,
    step=Step.AFTERWARDS,
)
def cause_unknown(_evidence: Evidence) -> Verdict:
    """The cause of a failed run is known.

    What it checks: nothing by itself. It stands where neither the run's message nor any live check names a
    cause.

    Why it matters: every failed run has exactly one root cause in the log, so this row is the list of what
    the monitor does not understand yet.

    How we know: from the absence of anything better. What was looked at and found well is listed.

    How to fix: read the message. If it says nothing to you either, send it to the Azure Container Registry
    team with the correlation id and the run's id.

    What can make it wrong: checks that could not be carried out, which have rows of their own (ACRT901).

    References: ACR Transfer troubleshooting, "Artifacts transfer problems", on correlation ids.
    """
    return not_applicable()


@cause_unknown.described_by
def _cause_unknown(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    text = shortened(evidence.message.text, 1_000).rstrip(".")
    correlation_id = _correlation_id(evidence, facts)
    told = facts.get("ruledOut")
    well = ", ".join(str(rule_id) for rule_id in told) if isinstance(told, list | tuple) else ""
    send = f"correlation id {correlation_id}" if correlation_id else "the correlation id of this finding"
    run_id = f" and the run's id {evidence.run.id}" if evidence.run else ""
    return Description(
        f"{sentence(run_words(evidence))} failed for a cause that neither its message nor a live check tells.",
        f"{f'The run says: {text}. ' if text else 'The run left no message. '}"
        f"{f'Ruled out: {well}. ' if well else ''}"
        f"Check {pipeline_words(evidence)} again for what could not be looked at. If that does not help, send the "
        f"message, {send}{run_id} to the Azure Container Registry team.",
        "",
        remedies.show_run(evidence.names),
    )
