"""Rules about the pipeline itself and the registry that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.evidence.model import Evidence
from shared.evidence.pieces import Missing, Unavailable
from shared.records.transfer import Direction, Registry
from shared.rules import remedies
from shared.rules.commands import shell
from shared.rules.model import (
    Area,
    Confidence,
    Description,
    Severity,
    Step,
    Subject,
    Verdict,
    failed,
    not_applicable,
    passed,
    rule,
    unknown,
    warned,
)
from shared.rules.words import named, pipeline_words, sentence


@rule(
    *("ACRT113", "pipeline-missing"),
    area=Area.RUN,
    severity=Severity.HIGH,
    subject=Subject.RUN,
    step=Step.PIPELINE,
)
def pipeline_missing(evidence: Evidence) -> Verdict:
    """The run's pipeline exists.

    What it checks: that the pipeline which the run names is there.

    Why it matters: the pipeline holds the container, the secret and the identity; a run without it can do
    nothing.

    How we know: Azure Resource Manager answers that there is no such pipeline, or the run's message says so.

    How to fix: create the pipeline again and give its new identity access to the secret or the container; or
    start the run with the name of an existing one.

    What can make it wrong: a pipeline that was deleted after the run had failed for another reason.

    References: ACR Transfer, "Create ExportPipeline" and "Create ImportPipeline".
    """
    pipeline = evidence.pipeline
    if isinstance(pipeline, Unavailable):
        return unknown(pipeline)
    return failed(pipeline=evidence.names.pipeline_id) if isinstance(pipeline, Missing) else passed()


@pipeline_missing.described_by
def _pipeline_missing(evidence: Evidence, _facts: Mapping[str, object]) -> Description:
    return Description(
        f"{sentence(pipeline_words(evidence))}, which {named('run', evidence.names.run)} needs, does not exist.",
        "Check the name that the run uses against the pipelines that exist. If the pipeline was deleted, create it "
        "again: it gets a new identity, which needs access to the secret or the container anew.",
        "",
        remedies.list_pipelines(evidence),
    )


_ON_THE_WAY: Final = frozenset({"creating", "updating"})


@rule(
    *("ACRT114", "pipeline-not-ready"),
    area=Area.RUN,
    severity=Severity.MEDIUM,
    subject=Subject.PIPELINE,
    step=Step.PIPELINE,
)
def pipeline_not_ready(evidence: Evidence) -> Verdict:
    """The pipeline was set up to its end.

    What it checks: that the pipeline's ``provisioningState`` is ``Succeeded``. While it is being created or
    updated this is only a warning.

    Why it matters: a pipeline whose last write failed or was stopped may lack what that write was to bring,
    and runs of it fail for no reason of their own.

    How we know: from the pipeline. That this made a run fail is likely, not certain.

    How to fix: write the pipeline again with the settings that it should have.

    What can make it wrong: a failed update of a pipeline that still works as it did before.

    References: REST reference, "Import Pipelines - Get" and "Export Pipelines - Get", on provisioning states.
    """
    pipeline = evidence.pipeline
    if isinstance(pipeline, Missing):
        return not_applicable()
    if isinstance(pipeline, Unavailable):
        return unknown(pipeline)
    state = pipeline.provisioning_state
    if not state:
        return unknown(Unavailable("the pipeline does not say its provisioning state", by_choice=True))
    if state.lower() == "succeeded":
        return passed(provisioningState=state)
    if state.lower() in _ON_THE_WAY:
        return warned(confidence=Confidence.LIKELY, provisioningState=state)
    return failed(confidence=Confidence.LIKELY, provisioningState=state)


@pipeline_not_ready.described_by
def _pipeline_not_ready(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    pipeline = evidence.known_pipeline
    state = str(facts.get("provisioningState") or (pipeline.provisioning_state if pipeline else ""))
    waiting = state.lower() in _ON_THE_WAY
    return Description(
        f"{sentence(pipeline_words(evidence))} is not ready{f': its provisioning state is {state}' if state else ''}.",
        "Wait until it is, then run the transfer again."
        if waiting
        else "Write the pipeline again with the settings that it should have, and check that its state is Succeeded.",
        "" if waiting or state.lower() == "deleting" else remedies.write_pipeline(evidence),
        remedies.show_pipeline(pipeline, evidence.names),
    )


def _registry_of(evidence: Evidence) -> Registry | Verdict:
    registry = evidence.registry
    if isinstance(registry, Unavailable):
        return unknown(registry)
    return not_applicable() if isinstance(registry, Missing) else registry


@rule(
    *("ACRT115", "registry-not-premium"),
    area=Area.RUN,
    severity=Severity.MEDIUM,
    subject=Subject.PIPELINE,
    step=Step.PIPELINE,
)
def registry_not_premium(evidence: Evidence) -> Verdict:
    """The registry has the Premium tier.

    What it checks: the tier (SKU) of the registry that the pipeline belongs to.

    Why it matters: transfers are a feature of Premium. A registry that was taken down to a lower tier keeps
    its pipelines, and they stop working.

    How we know: from the registry, or from the run's message.

    How to fix: raise the tier, which takes effect at once, interrupts nothing and costs more.

    What can make it wrong: nothing known.

    References: ACR Transfer, "Prerequisites"; Container Registry service tiers.
    """
    registry = _registry_of(evidence)
    if isinstance(registry, Verdict):
        return registry
    if not registry.sku:
        return unknown(Unavailable("the registry does not say its tier", by_choice=True))
    return passed(sku=registry.sku) if registry.sku.lower() == "premium" else failed(sku=registry.sku)


@registry_not_premium.described_by
def _registry_not_premium(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    names = evidence.names
    has = f"has the tier {facts['sku']}" if facts.get("sku") else "does not have the tier Premium"
    place = ("--name", names.registry, "--resource-group", names.resource_group)
    return Description(
        f"{sentence(named('registry', names.registry))} {has}, and {pipeline_words(evidence)} needs Premium.",
        "Raise the registry's tier to Premium, if its owner agrees to the price, then run the transfer again.",
        shell("az", "acr", "update", *place, "--sku", "Premium"),
        shell("az", "acr", "show", *place, "--query", "sku.name"),
    )


@rule(
    *("ACRT116", "export-policy-disabled"),
    area=Area.RUN,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.PIPELINE,
)
def export_policy_disabled(evidence: Evidence) -> Verdict:
    """The registry lets images out.

    What it checks: for export pipelines, that the registry's export policy is not disabled.

    Why it matters: the policy keeps images from leaving the registry. While it is disabled, no export
    pipeline can be made and none gets anything out.

    How we know: from the registry (``policies.exportPolicy.status``), or from the run's message.

    How to fix: ask whoever is responsible for the registry's data. The policy is a guard against data loss
    that somebody has set on purpose, so no command is offered that takes it away.

    What can make it wrong: nothing known.

    References: Container Registry, "Disable export of artifacts".
    """
    direction = remedies.direction_of(evidence)
    if direction is None and isinstance(evidence.pipeline, Unavailable):
        return unknown(evidence.pipeline)
    if direction is not Direction.EXPORT:
        return not_applicable()
    registry = _registry_of(evidence)
    if isinstance(registry, Verdict):
        return registry
    # The service's default: a policy that is not mentioned lets images out.
    policy = registry.export_policy or "enabled"
    return failed(exportPolicy=policy) if policy.lower() == "disabled" else passed(exportPolicy=policy)


@export_policy_disabled.described_by
def _export_policy_disabled(evidence: Evidence, _facts: Mapping[str, object]) -> Description:
    names = evidence.names
    return Description(
        f"{sentence(named('registry', names.registry))} lets no image out (its export policy is disabled), so "
        f"{pipeline_words(evidence)} can't export.",
        "Ask whoever is responsible for the registry's data before anything else: the policy guards against data loss. "
        "If exports are wanted, they can allow them (az acr update --allow-exports true), or images can be exported "
        "from another registry.",
        "",
        shell(
            *("az", "acr", "show", "--name", names.registry, "--resource-group", names.resource_group),
            *("--query", "policies.exportPolicy.status"),
        ),
    )
