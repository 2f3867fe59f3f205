"""Rules about the artifacts that a run carries: whether they exist, fit, and arrive whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.evidence.artifacts import (
    MOST_ARTIFACTS,
    Artifact,
    ArtifactFacts,
)
from shared.evidence.model import Evidence, Look
from shared.evidence.pieces import Missing, Unavailable
from shared.records.transfer import Direction, Registry
from shared.rules import remedies, repairs
from shared.rules.commands import shell, steps
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
)
from shared.rules.references import lacking
from shared.rules.words import pipeline_words, run_words, sentence

PULL_RIGHT: Final = "Microsoft.ContainerRegistry/registries/pull/read"
REPOSITORY_RIGHT: Final = "Microsoft.ContainerRegistry/registries/repositories/content/read"
_FAILED: Final = frozenset({Look.FAILED_RUN})
_OVER: Final = frozenset({Look.FAILED_RUN, Look.SUCCEEDED_RUN})
_MOST_NAMED: Final = 5


def listed(facts: Mapping[str, object], name: str) -> list[str]:
    """The list of names that a verdict's facts hold under ``name``."""
    value = facts.get(name)
    return [str(item) for item in value] if isinstance(value, list | tuple) else []


def some(names: list[str], kind: str = "artifact") -> str:
    """``artifacts 'a', 'b' and 3 more``."""
    shown = ", ".join(f"'{name}'" for name in names[:_MOST_NAMED])
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"{kind}{'' if len(names) == 1 else 's'} {shown}{more}"


def artifact_facts(evidence: Evidence) -> ArtifactFacts | Verdict:
    """What is known of the run's artifacts, or the verdict where nothing is."""
    facts = evidence.artifacts
    if isinstance(facts, Unavailable):
        return unknown(facts)
    return not_applicable() if isinstance(facts, Missing) else facts


def not_told(evidence: Evidence, artifact: Artifact, why: Unavailable | None = None) -> Verdict:
    """The verdict where the registry did not say enough of one artifact."""
    reason = f"the registry did not say what '{artifact.reference}' holds"
    registry = evidence.registry
    right = REPOSITORY_RIGHT if isinstance(registry, Registry) and registry.by_repository else PULL_RIGHT
    return unknown(why or artifact.unavailable or Unavailable(reason, repairs.login_server(evidence), right))


@rule(
    *("ACRT601", "artifact-not-found"),
    area=Area.ARTIFACTS,
    severity=Severity.HIGH,
    subject=Subject.RUN,
    step=Step.ARTIFACTS,
    looks=_OVER,
)
def artifact_not_found(evidence: Evidence) -> Verdict:
    """Every artifact that the export was asked for is in the registry.

    What it checks: the names in the run, ``repo:tag`` or ``repo@sha256:…``, against the registry. A name without a
    tag means ``latest``. An export that succeeded is only looked at where its pipeline has ``ContinueOnErrors``.

    Why it matters: one name that is not there fails the whole run. With ``ContinueOnErrors`` it is left out, and
    the run succeeds without it.

    How we know: the registry was asked for the manifest of each. Names that are close and do exist are suggested.

    How to fix: run the export again with the right names. Repositories are in lower case, tags are compared to the
    letter.

    What can make it wrong: a tag that was deleted or moved between the run and the look. A name that is there but for
    the host in front of it is less certain: no document says whether the service takes one.

    References: ACR Transfer troubleshooting, "Artifacts transfer problems".
    """
    if evidence.direction is not Direction.EXPORT:
        return not_applicable()
    succeeded = evidence.look is Look.SUCCEEDED_RUN
    pipeline = evidence.known_pipeline
    if succeeded and (pipeline is None or not pipeline.has_option("ContinueOnErrors")):
        return not_applicable()
    facts = artifact_facts(evidence)
    if isinstance(facts, Verdict):
        return facts
    absent = [artifact for artifact in facts.artifacts if artifact.found is False]
    if absent:
        sure = Confidence.LIKELY if succeeded else Confidence.CONFIRMED
        if all(artifact.but_for_host for artifact in absent):
            sure = Confidence.POSSIBLE if succeeded else Confidence.LIKELY
        return failed(
            confidence=sure,
            missing=[artifact.reference for artifact in absent],
            similar=[artifact.similar[0] if artifact.similar else "" for artifact in absent],
        )
    open_one = next((artifact for artifact in facts.artifacts if artifact.found is None), None)
    return not_told(evidence, open_one) if open_one else passed()


@artifact_not_found.described_by
def _artifact_not_found(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    missing, similar = listed(facts, "missing"), listed(facts, "similar")
    instead = dict(zip(missing, similar, strict=False))
    close = [f"'{found}' for '{name}'" for name, found in instead.items() if found]
    run = evidence.run
    fix = ""
    if run is not None and missing and all(instead.values()):
        corrected = [instead.get(artifact, artifact) for artifact in run.artifacts]
        fix = remedies.export_artifacts(evidence, corrected, evidence.names.blob)
    what = some(missing) if missing else "an artifact"
    hint = f" Close names that exist: {', '.join(close[:_MOST_NAMED])}." if close else ""
    one = missing[0] if missing else (run.artifacts[0] if run is not None and run.artifacts else "")
    return Description(
        f"{sentence(run_words(evidence))} was to carry {what}, which the registry does not hold.",
        f"Correct the names and export again; without a tag, 'latest' is meant.{hint}",
        fix,
        shell(
            *("az", "acr", "repository", "show-tags", "--name", evidence.names.registry),
            *("--repository", repairs.repository_of(one) if one else "", "--output", "table"),
        ),
    )


@rule(
    *("ACRT602", "too-many-artifacts"),
    area=Area.ARTIFACTS,
    severity=Severity.HIGH,
    subject=Subject.RUN,
    step=Step.ARTIFACTS,
    looks=_FAILED,
)
def too_many_artifacts(evidence: Evidence) -> Verdict:
    """The export was asked for no more artifacts than one run may carry.

    What it checks: that the run names at most 50 artifacts.

    Why it matters: the service refuses to carry more in one run, and none of them is exported.

    How we know: from the run itself.

    How to fix: share the artifacts out among several runs, each with a blob of its own.

    What can make it wrong: a limit that the service has raised.

    References: ACR Transfer prerequisites, on limits; ACR Transfer troubleshooting, "Artifacts transfer problems".
    """
    run = evidence.run
    if run is None or evidence.direction is not Direction.EXPORT:
        return not_applicable()
    count = len(run.artifacts)
    return failed(count=count, most=MOST_ARTIFACTS) if count > MOST_ARTIFACTS else passed()


@too_many_artifacts.described_by
def _too_many_artifacts(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    artifacts = evidence.run.artifacts if evidence.run is not None else ()
    blob = evidence.names.blob
    parts = [artifacts[start : start + MOST_ARTIFACTS] for start in range(0, len(artifacts), MOST_ARTIFACTS)]
    fix = ""
    if len(parts) > 1 and blob:
        fix = steps(
            *(
                remedies.export_artifacts(evidence, part, f"part{number}-{blob}", f"part{number}")
                for number, part in enumerate(parts, start=1)
            )
        )
    count = facts.get("count") or (len(artifacts) if len(artifacts) > MOST_ARTIFACTS else f"over {MOST_ARTIFACTS}")
    return Description(
        f"{sentence(run_words(evidence))} was asked for {count} artifacts, and one run may carry {MOST_ARTIFACTS}.",
        "Share them out among several runs, each with a blob of its own.",
        fix,
        remedies.show_run(evidence.names),
    )


@rule(
    *("ACRT603", "artifacts-not-transferred"),
    area=Area.ARTIFACTS,
    severity=Severity.MEDIUM,
    subject=Subject.RUN,
    step=Step.ARTIFACTS,
    looks=_OVER,
    causes=False,
)
def artifacts_not_transferred(evidence: Evidence) -> Verdict:
    """Everything that the run was asked for arrived.

    What it checks: the artifacts that the run names against those that it reports as transferred, where it reports
    any. ``repo`` is ``repo:latest``.

    Why it matters: with ``ContinueOnErrors`` a run succeeds although some of its artifacts were left behind.

    How we know: from the run's own list. A run without one says nothing about what arrived.

    How to fix: export what is missing by a run of its own, and see why each was left out: its name, its size, its
    layers.

    What can make it wrong: a service that reports an artifact in another form than it was asked for.

    References: ACR Transfer troubleshooting, "Artifacts transfer problems".
    """
    run = evidence.run
    if run is None or not run.artifacts or run.imported_artifacts is None:
        return not_applicable()
    missing = lacking(run.artifacts, run.imported_artifacts)
    return failed(missing=list(missing), asked=len(run.artifacts)) if missing else passed()


@artifacts_not_transferred.described_by
def _artifacts_not_transferred(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    missing = listed(facts, "missing")
    blob = evidence.names.blob
    exports = evidence.direction is Direction.EXPORT
    return Description(
        f"{sentence(run_words(evidence))} did not transfer {some(missing) if missing else 'all of its artifacts'}.",
        "See why each was left out (its name, a layer that is too large), then transfer what is missing by a run of "
        "its own.",
        remedies.export_artifacts(evidence, missing, f"rest-{blob}", "rest") if exports and missing and blob else "",
        remedies.show_run(evidence.names),
    )


@rule(
    *("ACRT606", "tag-not-overwritten"),
    area=Area.ARTIFACTS,
    severity=Severity.MEDIUM,
    subject=Subject.RUN,
    step=Step.ARTIFACTS,
    looks=_FAILED,
)
def tag_not_overwritten(evidence: Evidence) -> Verdict:
    """The import could write its tags.

    What it checks: for an import whose message says that a tag exists already, whether the pipeline has the option
    ``OverwriteTags``.

    Why it matters: without the option an import leaves a tag alone that the registry has already.

    How we know: from the run's message together with the pipeline's options.

    How to fix: set ``OverwriteTags`` on the pipeline and import again. The tags then point to the new images; what
    they pointed to stays in the registry without a tag.

    What can make it wrong: a repository or tag that is locked against writing, which the option does not change.

    References: ACR Transfer with the Azure CLI, on the options of an import pipeline.
    """
    if evidence.direction is not Direction.IMPORT or not evidence.message.claims_rule("ACRT606"):
        return not_applicable()
    pipeline = evidence.pipeline
    if isinstance(pipeline, Unavailable):
        return unknown(pipeline)
    if isinstance(pipeline, Missing):
        return not_applicable()
    return passed() if pipeline.has_option("OverwriteTags") else failed(confidence=Confidence.LIKELY)


@tag_not_overwritten.described_by
def _tag_not_overwritten(evidence: Evidence, _facts: Mapping[str, object]) -> Description:
    pipeline = evidence.known_pipeline
    met = f"{sentence(run_words(evidence))} met a tag that the registry has already"
    show = remedies.show_pipeline(pipeline, evidence.names)
    if pipeline is not None and pipeline.has_option("OverwriteTags"):
        return Description(
            f"{met}, and could not write it although {pipeline_words(evidence)} has the option OverwriteTags.",
            "See whether the tag or its repository is locked (az acr repository show, changeableAttributes), unlock "
            "it, then import again.",
            verify_command=show,
        )
    again = remedies.run_again(evidence)
    return Description(
        f"{met}, and {pipeline_words(evidence)} lacks the option OverwriteTags.",
        "Set OverwriteTags on the pipeline if the tags are to move to the new images (the old ones stay without a "
        "tag), then import again" + (f": {again}" if again else "."),
        remedies.set_option(evidence, "OverwriteTags"),
        show,
    )
