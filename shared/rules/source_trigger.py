"""Rules about source triggers: whether anything looks for the blobs that land, and may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.evidence.model import TRANSFER_CATEGORY, Evidence, Look, Malformed, ProbeResult
from shared.evidence.pieces import Missing, Unavailable
from shared.records.transfer import Pipeline
from shared.rules import remedies, repairs
from shared.rules.commands import shell
from shared.rules.managed_identity import READ, unnamed_principal
from shared.rules.model import (
    Area,
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
from shared.rules.waiting import is_watched
from shared.rules.words import blob_words, container_words, moment, pipeline_words, sentence

_BLOB_LOOK: Final = frozenset({Look.BLOB})
_CONDITIONAL: Final = Unavailable(
    "the role assignment that would allow it has a condition, which is not judged", by_choice=True
)
_IN_POLICY: Final = Unavailable(
    "the permissions are set in a stored access policy on the container, which the token only names", by_choice=True
)


def _grace_is_over(evidence: Evidence) -> bool:
    since = evidence.waiting_since
    return since is not None and since + evidence.limits.import_grace <= evidence.now


def _names(pipelines: tuple[Pipeline, ...]) -> list[str]:
    return [pipeline.name for pipeline in pipelines]


@rule(
    *("ACRT501", "source-trigger-disabled"),
    area=Area.SOURCE_TRIGGER,
    severity=Severity.MEDIUM,
    subject=Subject.PIPELINE,
    step=Step.BLOB,
    looks=_BLOB_LOOK,
    causes=False,
)
def source_trigger_disabled(evidence: Evidence) -> Verdict:
    """No blob waits where every source trigger is off.

    What it checks: for a blob that has waited for longer than ``IMPORT_GRACE_MINUTES``, whether any import pipeline
    that reads its container has its source trigger on, and whether a run names the blob.

    Why it matters: with the trigger off nothing imports by itself. That is a choice where imports are started by
    hand or by a script, and a long silence where somebody switched it off for an evening.

    How we know: from the pipelines of all monitored registries and from the list of their runs. While some can't be
    listed, one of them may import the blob, so the answer is unknown.

    How to fix: switch the trigger on, or import the blob by hand. A trigger that is switched on also finds what is
    waiting, as far as it meets the other prerequisites.

    What can make it wrong: a script that imports less often than every ``IMPORT_GRACE_MINUTES``; a pipeline of a
    registry that is not monitored.

    References: ACR Transfer with the Azure CLI, "Create ImportPipeline", on the source trigger.
    """
    watchers, blob = evidence.watchers, evidence.blob
    if isinstance(watchers, Unavailable):
        return unknown(watchers)
    if isinstance(watchers, Missing) or not watchers or isinstance(blob, Missing):
        return not_applicable()
    if any(watcher.source_trigger_enabled for watcher in watchers):
        return passed()
    if not _grace_is_over(evidence):
        return not_applicable()
    if isinstance(blob, Unavailable):
        return unknown(blob)
    runs = evidence.runs_of_blob
    if isinstance(runs, Unavailable):
        return unknown(runs)
    if runs and not isinstance(runs, Missing):
        return passed()
    if evidence.open_ends is not None:
        # Another pipeline may have its trigger on, or have imported the blob.
        return unknown(evidence.open_ends)
    return failed(waitingSince=evidence.waiting_since, pipelines=_names(watchers))


@source_trigger_disabled.described_by
def _source_trigger_disabled(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    since = moment(facts.get("waitingSince") or evidence.waiting_since)
    waits = f"has waited since {since}" if since else "waits"
    return Description(
        f"{sentence(blob_words(evidence))} {waits}, because the source trigger of {pipeline_words(evidence)} is off "
        "and no other pipeline imports from there.",
        "Switch the source trigger on. If imports are started by hand here, import the blob"
        + _in_brackets(remedies.import_blob(evidence, evidence.names.blob))
        + " and mute this rule for the pipeline.",
        remedies.enable_source_trigger(evidence.names.pipeline_id),
        remedies.show_pipeline(evidence.known_pipeline, evidence.names),
    )


def _in_brackets(command: str) -> str:
    return f" ({command})" if command else ""


@rule(
    *("ACRT502", "source-trigger-cannot-list"),
    area=Area.SOURCE_TRIGGER,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.BLOB,
    looks=frozenset({Look.BLOB, Look.PIPELINE}),
    causes=False,
)
def source_trigger_cannot_list(evidence: Evidence) -> Verdict:
    """The pipeline may list its container, so that its source trigger can find blobs.

    What it checks: for an import pipeline whose source trigger is on, the List permission (``l``) of its SAS token,
    or a role of its managed identity that allows blobs to be listed.

    Why it matters: the trigger finds new blobs by listing the container again and again. Without the right it finds
    none, makes no run, and so nothing ever fails.

    How we know: with ``SAS_INSPECTION=value`` from the token's permissions and from one List with it; for a managed
    identity from the role assignments on the container and above it.

    How to fix: sign a token that has List as well, or give the identity a data role on the container.

    What can make it wrong: a role assignment that is some minutes old may not work yet; one with a condition is not
    judged; permissions in a stored access policy show only in the List.

    References: ACR Transfer troubleshooting, "Problems with Source Trigger Imports".
    """
    pipeline = evidence.pipeline
    if isinstance(pipeline, Unavailable):
        return unknown(pipeline)
    if isinstance(pipeline, Missing) or not pipeline.source_trigger_enabled:
        return not_applicable()
    return _token_lists(evidence) if pipeline.uses_sas else _identity_lists(evidence, pipeline)


def _token_lists(evidence: Evidence) -> Verdict:
    token, probe = evidence.sas, evidence.probe
    if isinstance(token, Unavailable):
        return unknown(token)
    if isinstance(token, Malformed | Missing):
        return not_applicable()
    if isinstance(probe, ProbeResult) and probe.code == "AuthorizationPermissionMismatch":
        return failed(missing="l", seen="List was refused")
    letters = token.permissions
    if letters is not None and "l" in letters:
        return passed()
    if letters is not None and not token.policy_id:
        return failed(missing="l", permissions="".join(sorted(letters)))
    return passed() if isinstance(probe, ProbeResult) and probe.allowed else unknown(_IN_POLICY)


def _identity_lists(evidence: Evidence, pipeline: Pipeline) -> Verdict:
    grants = evidence.storage_grants
    if pipeline.identity is not None and not pipeline.identity.principals:
        return unknown(unnamed_principal(pipeline))
    if isinstance(grants, Unavailable):
        return unknown(grants)
    if isinstance(grants, Missing):
        return not_applicable()
    allowing = [grant for grant in grants if grant.allows(READ)]
    if any(not grant.conditional for grant in allowing):
        return passed()
    return unknown(_CONDITIONAL) if allowing else failed(missing=READ, principal=evidence.names.principal or None)


@source_trigger_cannot_list.described_by
def _source_trigger_cannot_list(evidence: Evidence, _facts: Mapping[str, object]) -> Description:
    names = evidence.names
    pipeline = evidence.known_pipeline
    where = container_words(evidence)
    if pipeline is None or pipeline.uses_sas:
        secret = f" (secret '{names.secret}' of key vault '{names.vault}')" if names.secret else ""
        return Description(
            f"The SAS token of {pipeline_words(evidence)}{secret} lacks List, so its source trigger finds no blob in "
            f"{where}.",
            f"Sign a token with the permissions {remedies.needed_permissions(evidence)} and store it as a new version "
            "of the same secret.",
            remedies.new_token(evidence),
            remedies.try_token(names),
        )
    who = f" '{names.principal}'" if names.principal else ""
    scope = f"{names.account_id}/blobServices/default/containers/{names.container}" if names.account_id else ""
    return Description(
        f"The managed identity{who} of {pipeline_words(evidence)} has no role that lets it list {where}, so its source "
        "trigger finds no blob there.",
        "Give the identity a data role on the container: Storage Blob Data Reader, or Storage Blob Data Contributor if "
        "the pipeline deletes what it has imported. It works after some minutes.",
        repairs.grant_container_role(evidence),
        shell(
            *("az", "role", "assignment", "list", "--assignee", names.principal, "--scope", scope),
            *("--include-inherited", "--output", "table"),
        ),
    )


@rule(
    *("ACRT507", "blob-not-imported"),
    area=Area.SOURCE_TRIGGER,
    severity=Severity.HIGH,
    subject=Subject.BLOB,
    step=Step.BLOB,
    looks=_BLOB_LOOK,
    causes=False,
)
def blob_not_imported(evidence: Evidence) -> Verdict:
    """A blob that has landed is imported within the grace.

    What it checks: whether a run names the blob once it has waited for ``IMPORT_GRACE_MINUTES``. It is only said
    where nothing else explains the silence.

    Why it matters: the service says that an import starts within a quarter of an hour. When none does although all
    prerequisites hold, nobody is told.

    How we know: from the runs of every registry with a pipeline that reads the container. While the pipelines of some
    can't be listed, one of them may have imported the blob, so the answer is unknown.

    How to fix: import the blob by hand, which needs none of the prerequisites, and give the ACR team the pipeline's
    id and the blob's name and time if it happens again.

    What can make it wrong: a busy service that is merely late; a run that was deleted again before it was seen; a
    prerequisite that could not be judged.

    References: ACR Transfer with the Azure CLI, "Import from storage"; ACR Transfer troubleshooting, "Problems with
    Source Trigger Imports".
    """
    blob, runs = evidence.blob, evidence.runs_of_blob
    if not _grace_is_over(evidence) or isinstance(blob, Missing):
        return not_applicable()
    if isinstance(runs, tuple) and runs:
        return passed()
    watched = is_watched(evidence, by_trigger=True)
    if watched is False:
        return not_applicable()
    parts = (blob, watched, runs, evidence.open_ends)
    missing = next((part for part in parts if isinstance(part, Unavailable)), None)
    return unknown(missing) if missing else failed(waitingSince=evidence.waiting_since)


@blob_not_imported.described_by
def _blob_not_imported(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    since = moment(facts.get("waitingSince") or evidence.waiting_since)
    return Description(
        f"{sentence(blob_words(evidence))} has waited for an import{f' since {since}' if since else ''}, and no run of "
        f"{pipeline_words(evidence)} names it, although nothing is seen to be wrong.",
        "Import it by hand, which needs no source trigger. If it happens again, give the ACR team the pipeline's id "
        "and the blob's name and time.",
        remedies.import_blob(evidence, evidence.names.blob),
        repairs.check_blob(evidence),
    )


@rule(
    *("ACRT508", "no-pipeline-watches-container"),
    area=Area.SOURCE_TRIGGER,
    severity=Severity.MEDIUM,
    subject=Subject.BLOB,
    step=Step.BLOB,
    looks=_BLOB_LOOK,
    causes=False,
)
def no_pipeline_watches_container(evidence: Evidence) -> Verdict:
    """A transfer blob lies where a pipeline reads or has written it.

    What it checks: for a blob with the metadata ``category=acr-transfer-blob``, whether any import pipeline reads
    its container, or any export pipeline writes there.

    Why it matters: a blob that was copied into the wrong container or account waits for ever.

    How we know: from the pipelines of all monitored registries.

    How to fix: copy the blob into the container that the import pipeline reads, or make a pipeline for this one.

    What can make it wrong: a pipeline of a registry that is not monitored; a container that is only a stop on the
    way, which ``MUTES`` is for.

    References: ACR Transfer with the Azure CLI, "Create ImportPipeline".
    """
    blob = evidence.blob
    if isinstance(blob, Unavailable):
        return unknown(blob)
    if isinstance(blob, Missing) or blob.metadata.get("category") != TRANSFER_CATEGORY or evidence.already_imported:
        return not_applicable()
    ends = (evidence.watchers, evidence.writers)
    if any(isinstance(end, tuple) and end for end in ends):
        return passed()
    missing = next((end for end in ends if isinstance(end, Unavailable)), None)
    return unknown(missing) if missing else failed(container=str(blob.address.in_container))


@no_pipeline_watches_container.described_by
def _no_pipeline_watches_container(evidence: Evidence, _facts: Mapping[str, object]) -> Description:
    return Description(
        f"{sentence(blob_words(evidence))} is a transfer blob, but no pipeline of a monitored registry reads or writes "
        "that container.",
        "Compare the container with the addresses of the import pipelines: copy the blob to where one reads, keeping "
        "its MD5 and metadata, or make a pipeline for this container. A container that is only a stop on the way can "
        "be muted.",
        verify_command=repairs.check_blob(evidence),
    )


@rule(
    *("ACRT510", "source-trigger-ready"),
    area=Area.SOURCE_TRIGGER,
    severity=Severity.INFO,
    subject=Subject.BLOB,
    step=Step.BLOB,
    looks=_BLOB_LOOK,
    causes=False,
)
def source_trigger_ready(_evidence: Evidence) -> Verdict:
    """A blob that has landed meets every prerequisite of a source-triggered import.

    What it checks: nothing by itself. It is the sum of what the other rules found about the blob and the pipelines
    that read its container.

    Why it matters: it says that the monitor has looked, and by when the import has to have started. If it has not
    by then, ``ACRT507`` speaks up.

    How we know: it passes only if every prerequisite was judged and holds. If one could not be judged, the outcome
    is unknown, and the row names the rules that were left open.

    How to fix: nothing to fix. For an unknown outcome see ``ACRT901``, or read the token as well with
    ``SAS_INSPECTION=value``.

    What can make it wrong: prerequisites that the service has and nobody has written down.

    References: ACR Transfer troubleshooting, "Problems with Source Trigger Imports".
    """
    return not_applicable()


@source_trigger_ready.described_by
def _source_trigger_ready(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    by = moment(facts.get("expectedBy"))
    expected = f"; {pipeline_words(evidence)} is expected to import it{f' by {by}' if by else ''}"
    left = facts.get("unjudged")
    unjudged = [str(rule_id) for rule_id in left] if isinstance(left, list | tuple) else []
    if unjudged:
        return Description(
            f"{sentence(blob_words(evidence))} meets the prerequisites that could be judged{expected}.",
            f"Not judged: {', '.join(unjudged)}. If no import appears by then, start with these.",
            verify_command=repairs.check_blob(evidence),
        )
    return Description(
        f"{sentence(blob_words(evidence))} meets every prerequisite{expected}.",
        "Nothing to do.",
        verify_command=remedies.list_runs(evidence.names),
    )
