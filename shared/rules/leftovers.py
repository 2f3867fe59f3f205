"""Rules about what a run leaves in its container: a blob that should be new, or gone, or there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from shared.evidence.model import Evidence, Look
from shared.evidence.pieces import Missing, Unavailable
from shared.records.storage import Blob
from shared.records.transfer import Direction
from shared.rules import remedies, repairs
from shared.rules.blobs import what_locks
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
from shared.rules.words import blob_words, moment, run_words, sentence

_FAILED: Final = frozenset({Look.FAILED_RUN})
_SUCCEEDED: Final = frozenset({Look.SUCCEEDED_RUN})
_NO_TIMES: Final = Unavailable("the run has no start time, or the blob no time of its last change", by_choice=True)
_SHOWN: Final = "{modified:properties.lastModified, size:properties.contentLength, lease:properties.lease.state}"


@rule(
    *("ACRT403", "blob-not-overwritten"),
    area=Area.STORAGE,
    severity=Severity.HIGH,
    subject=Subject.RUN,
    step=Step.BLOB,
    looks=_FAILED | _SUCCEEDED,
)
def blob_not_overwritten(evidence: Evidence) -> Verdict:
    """The export wrote its blob.

    What it checks: for an export pipeline without ``OverwriteBlobs``, whether a blob of the wanted name was there
    before the run and still is as it was.

    Why it matters: without the option the service leaves an existing blob alone. The run may even succeed, and
    whoever fetches the blob gets the images of last time.

    How we know: the blob was last changed before the run began, and the pipeline does not have the option.

    How to fix: set ``OverwriteBlobs`` on the pipeline and run the export again, or export into a blob with a new
    name. The option belongs to the pipeline, not to the run.

    What can make it wrong: a metadata change after the run moves the time of the last change, and hides this.

    References: ACR Transfer troubleshooting, "Problems with export or import of storage blobs".
    """
    run, pipeline = evidence.run, evidence.pipeline
    if run is None or evidence.direction is not Direction.EXPORT or isinstance(pipeline, Missing):
        return not_applicable()
    if isinstance(pipeline, Unavailable):
        return unknown(pipeline)
    blob = evidence.blob
    if pipeline.has_option("OverwriteBlobs") or isinstance(blob, Missing):
        return passed()
    if isinstance(blob, Unavailable):
        return unknown(blob)
    if blob.last_modified is None or run.began is None:
        return unknown(_NO_TIMES)
    # Storage writes whole seconds, the registry service ten millionths of one.
    if blob.last_modified >= run.began.replace(microsecond=0):
        return passed()
    return failed(lastModified=blob.last_modified, runBegan=run.began)


@blob_not_overwritten.described_by
def _blob_not_overwritten(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    pipeline = evidence.known_pipeline
    if pipeline is not None and pipeline.has_option("OverwriteBlobs"):
        return Description(
            f"{sentence(blob_words(evidence))} already existed and could not be overwritten by {run_words(evidence)}, "
            "although the pipeline has the option OverwriteBlobs.",
            "See whether the token may write (w) and not only add (a), and whether the blob is leased or immutable. "
            "Meanwhile export under a new blob name.",
            verify_command=repairs.show_blob(evidence, _SHOWN),
        )
    when = moment(facts.get("lastModified"))
    since = f" (last changed {when}, before the run began)" if when else ""
    again = remedies.run_again(evidence)
    return Description(
        f"{sentence(blob_words(evidence))} already existed{since} and was not overwritten by {run_words(evidence)}: "
        "the pipeline lacks the option OverwriteBlobs.",
        "Set OverwriteBlobs on the pipeline, then export again, which replaces the blob"
        + (f": {again}" if again else ".")
        + " To keep the old blob, export under a new blob name instead.",
        remedies.set_option(evidence, "OverwriteBlobs"),
        repairs.show_blob(evidence, _SHOWN),
    )


@rule(
    *("ACRT404", "source-blob-not-deleted"),
    area=Area.STORAGE,
    severity=Severity.MEDIUM,
    subject=Subject.RUN,
    step=Step.AFTERWARDS,
    looks=_SUCCEEDED,
    causes=False,
)
def source_blob_not_deleted(evidence: Evidence) -> Verdict:
    """The blob that was imported is gone, if the pipeline is to delete it.

    What it checks: after an import that succeeded, whether its blob is still there and unchanged since before the
    run. With ``DeleteSourceBlobOnSuccess`` that is a fault; without it only worth a note.

    Why it matters: deleting happens after the import and its failure is silent. Blobs pile up, cost money, and
    stay readable for longer than somebody has promised.

    How we know: from the blob itself and from the pipeline's options.

    How to fix: give the token the Delete permission (or the identity the role Storage Blob Data Contributor), and
    look for a lease, a legal hold or an immutability policy.

    What can make it wrong: the service may take some moments between the end of the run and the deletion.

    References: ACR Transfer troubleshooting, "Problems with export or import of storage blobs".
    """
    run, blob, pipeline = evidence.run, evidence.blob, evidence.pipeline
    if run is None or evidence.direction is not Direction.IMPORT:
        return not_applicable()
    if isinstance(blob, Missing):
        return passed()
    if isinstance(blob, Unavailable):
        return unknown(blob)
    if isinstance(pipeline, Unavailable):
        return unknown(pipeline)
    if blob.last_modified is None or run.began is None:
        return unknown(_NO_TIMES)
    if blob.last_modified > run.began:
        # Written since: this is another blob of the same name, and it may wait for an import of its own.
        return not_applicable()
    if remedies.deletes_source(evidence):
        return failed(lastModified=blob.last_modified, deletes=True, lockedBy=what_locks(evidence, blob) or None)
    return warned(severity=Severity.INFO, lastModified=blob.last_modified, deletes=False)


@source_blob_not_deleted.described_by
def _source_blob_not_deleted(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    blob, run = sentence(blob_words(evidence)), run_words(evidence)
    if not facts.get("deletes", True):
        return Description(
            f"{blob} is still there after {run} succeeded, because the pipeline does not delete what it has imported.",
            "Nothing to do if that is on purpose; otherwise set DeleteSourceBlobOnSuccess on the pipeline and give its "
            "token or identity the right to delete.",
            verify_command=repairs.show_blob(evidence, _SHOWN),
        )
    lock = facts.get("lockedBy")
    sas = evidence.known_pipeline is None or evidence.known_pipeline.uses_sas
    needed = (
        f"It is held by {lock}: that has to end first."
        if lock
        else "The token needs the Delete permission: sign a new one and store it as a new version of the secret."
        if sas
        else "The pipeline's identity needs the role Storage Blob Data Contributor on the container."
    )
    fix = remedies.new_token(evidence) if sas else repairs.grant_container_role(evidence)
    return Description(
        f"{blob} is still there although {run} succeeded and the pipeline has DeleteSourceBlobOnSuccess.",
        f"{needed} Deleting is not tried again for this blob: remove it by hand once nobody needs it.",
        "" if lock else fix,
        repairs.show_blob(evidence, _SHOWN),
    )


# Later, somebody may have fetched the blob and cleaned up.
_FRESH: Final = timedelta(minutes=15)


@rule(
    *("ACRT408", "exported-blob-missing"),
    area=Area.STORAGE,
    severity=Severity.HIGH,
    subject=Subject.RUN,
    step=Step.AFTERWARDS,
    looks=_SUCCEEDED,
    causes=False,
)
def exported_blob_missing(evidence: Evidence) -> Verdict:
    """The blob that the export wrote is there.

    What it checks: within a quarter of an hour after an export has succeeded, whether the container holds its
    blob. Containers that an import pipeline reads are left out: an import may have deleted the blob already.

    Why it matters: a success that left nothing behind is noticed on the other side, days later.

    How we know: Storage was asked for the blob. It stays possible only, because somebody else may have moved it.

    How to fix: look for a lifecycle rule or a script that empties the container, then export again.

    What can make it wrong: a copy job that moves blobs away as soon as they land; an import pipeline of a registry
    that is not monitored.

    References: ACR Transfer troubleshooting, "Problems with export or import of storage blobs".
    """
    run, blob, watchers = evidence.run, evidence.blob, evidence.watchers
    if run is None or evidence.direction is not Direction.EXPORT or run.finish_time is None:
        return not_applicable()
    if isinstance(blob, Blob):
        return passed()
    if evidence.now - run.finish_time > _FRESH or (isinstance(watchers, tuple) and watchers):
        return not_applicable()
    if isinstance(blob, Unavailable):
        return unknown(blob)
    if isinstance(watchers, Unavailable):
        return unknown(watchers)
    return failed(confidence=Confidence.POSSIBLE, finished=run.finish_time)


@exported_blob_missing.described_by
def _exported_blob_missing(evidence: Evidence, _facts: Mapping[str, object]) -> Description:
    return Description(
        f"{sentence(blob_words(evidence))} is not there, although {run_words(evidence)} has just succeeded.",
        "See whether something moves or deletes blobs in that container (a copy job, a lifecycle rule); if not, export "
        "again.",
        remedies.run_again(evidence),
        repairs.list_blobs(evidence),
    )
