"""Rules about a blob that is to be imported or written, and can't be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.evidence.model import Evidence, Look
from shared.evidence.pieces import Missing, Unavailable
from shared.records.storage import Blob, Container
from shared.records.transfer import Direction, Pipeline
from shared.rules import remedies, repairs
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
)
from shared.rules.waiting import judge_waiting
from shared.rules.words import blob_words, moment, pipeline_words, run_words, sentence

_FAILED: Final = frozenset({Look.FAILED_RUN})
_BLOB_OR_FAILED: Final = frozenset({Look.BLOB, Look.FAILED_RUN})
_HOLDS_NOT_LISTED: Final = Unavailable(
    "the account refuses to list legal holds and immutability with its blobs", by_choice=True
)


@rule(
    *("ACRT402", "blob-missing"),
    area=Area.STORAGE,
    severity=Severity.HIGH,
    subject=Subject.BLOB,
    step=Step.BLOB,
    looks=_FAILED,
)
def blob_missing(evidence: Evidence) -> Verdict:
    """The blob that the import was asked to read is there.

    What it checks: that the container holds a blob of exactly the name that somebody gave to the run. Runs that
    the source trigger made are not asked: they take their name from the blob itself.

    Why it matters: an import by hand reads one blob by name. Names are compared to the letter, folders and upper
    case included, and the file extension is part of the name.

    How we know: Storage was asked for the blob after the run had failed. Alone that makes it likely, together
    with the run's message it is certain.

    How to fix: run the import again with the right name, or bring the blob there first.

    What can make it wrong: a blob that was there and has been deleted since, by hand, by a lifecycle rule, or by
    an import that deletes what it has read.

    References: ACR Transfer troubleshooting, "Problems with export or import of storage blobs".
    """
    run = evidence.run
    if run is None or evidence.direction is not Direction.IMPORT or run.source_triggered:
        return not_applicable()
    blob = evidence.blob
    if isinstance(blob, Unavailable):
        return unknown(blob)
    if isinstance(blob, Blob):
        return passed()
    place_missing = isinstance(evidence.account, Missing) or isinstance(evidence.container, Missing)
    if place_missing or blob.code.startswith(("Container", "Account")):
        # Nothing is in a container that is not there, or in an account out of service: ACRT401 and ACRT407 say so.
        return not_applicable()
    confidence = Confidence.CONFIRMED if evidence.message.claims_rule("ACRT402") else Confidence.LIKELY
    return failed(confidence=confidence, similar=list(evidence.similar_blobs))


@blob_missing.described_by
def _blob_missing(evidence: Evidence, _facts: Mapping[str, object]) -> Description:
    if isinstance(evidence.blob, Blob):
        return Description(
            f"{sentence(blob_words(evidence))} was not there when {run_words(evidence)} asked for it; it is now.",
            "Run the import again.",
            remedies.run_again(evidence),
            repairs.list_blobs(evidence),
        )
    close = evidence.similar_blobs
    others = ", ".join(f"'{name}'" for name in close)
    said = f"; the container holds {others}, which is close" if close else ""
    advice = (
        f"If '{close[0]}' is what was meant, import that; otherwise bring the blob into the container first."
        if close
        else "List the container to find the right name, or bring the blob there, and run the import again."
    )
    return Description(
        f"{sentence(blob_words(evidence))} is not there, but {run_words(evidence)} was to import it{said}.",
        advice,
        remedies.import_blob(evidence, close[0]) if close else "",
        repairs.list_blobs(evidence),
    )


@rule(
    *("ACRT406", "blob-archived"),
    area=Area.STORAGE,
    severity=Severity.MEDIUM,
    subject=Subject.BLOB,
    step=Step.BLOB,
    looks=_BLOB_OR_FAILED,
)
def blob_archived(evidence: Evidence) -> Verdict:
    """The blob is in an access tier that can be read.

    What it checks: that a blob that is to be imported is not in the archive tier, nor on its way out of it.

    Why it matters: an archived blob is offline. Its properties and metadata can be seen, its content can't, so an
    import fails with ``BlobArchived``.

    How we know: from the blob's tier and its rehydration status.

    How to fix: set its tier to Hot or Cool and wait: hours with standard priority, for a small blob often less
    than one with high priority. Keep lifecycle rules away from the container.

    What can make it wrong: nothing known.

    References: Azure Storage, "Blob rehydration from the archive tier".
    """
    if evidence.look is Look.FAILED_RUN and evidence.direction is not Direction.IMPORT:
        return not_applicable()
    return judge_waiting(evidence, _in_archive, by_trigger=False)


def _in_archive(blob: Blob) -> Verdict:
    if blob.tier.lower() != "archive" and "rehydrate" not in blob.archive_status.lower():
        return passed()
    return failed(tier=blob.tier, archiveStatus=blob.archive_status or None)


@blob_archived.described_by
def _blob_archived(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    blob = evidence.blob
    verify = repairs.show_blob(evidence, "{tier:properties.blobTier, rehydration:properties.rehydrationStatus}")
    if facts.get("archiveStatus"):
        return Description(
            f"{sentence(blob_words(evidence))} is still being brought back from the archive tier, so it can't be "
            "imported.",
            "Wait until it is in its new tier, then import it again.",
            verify_command=verify,
        )
    tier = ("set-tier", "--tier", "Hot", "--rehydrate-priority", "High")
    now = "is in the archive tier" if facts else f"was in the archive tier when {run_words(evidence)} asked for it"
    return Description(
        f"{sentence(blob_words(evidence))} {now}, so its content can't be read or imported.",
        "Bring it back into the hot tier, wait until that is done (up to 15 hours), then import it again. High "
        "priority costs more than standard.",
        repairs.blob_command(blob, *tier) if isinstance(blob, Blob) else "",
        verify,
    )


@rule(
    *("ACRT409", "blob-locked"),
    area=Area.STORAGE,
    severity=Severity.MEDIUM,
    subject=Subject.BLOB,
    step=Step.BLOB,
    looks=_BLOB_OR_FAILED,
)
def blob_locked(evidence: Evidence) -> Verdict:
    """Nothing keeps the pipeline from overwriting or deleting the blob.

    What it checks: leases, legal holds and immutability, on the blob and on its container, where the pipeline has
    ``OverwriteBlobs`` or ``DeleteSourceBlobOnSuccess``. Reading is never hindered by them.

    Why it matters: an export into such a blob fails; an import from it succeeds and can't clean up.

    How we know: from the blob's properties and from the container's settings.

    How to fix: let the holder release the lease, or break it once it is known that nobody needs it. A legal hold is
    lifted by whoever set it, and a retention period has to pass: export under a new blob name meanwhile.

    What can make it wrong: a lease that ends a moment later; a container's retention period that has already
    passed for this blob. An account that does not list holds leaves the sweep without an answer.

    References: Azure Storage, "Store business-critical blob data with immutable storage" and "Lease Blob".
    """
    pipeline = evidence.pipeline
    if isinstance(pipeline, Unavailable):
        return unknown(pipeline)
    if isinstance(pipeline, Missing) or not _changes_blob(pipeline):
        return not_applicable()
    return judge_waiting(evidence, lambda blob: _judge_locks(evidence, blob), by_trigger=False)


def _changes_blob(pipeline: Pipeline) -> bool:
    exports = pipeline.direction is Direction.EXPORT
    return pipeline.has_option("OverwriteBlobs" if exports else "DeleteSourceBlobOnSuccess")


def what_locks(evidence: Evidence, blob: Blob) -> str:
    """What keeps the blob from being written or deleted, in words; empty if nothing does."""
    if blob.lease_status.lower() == "locked" or blob.lease_state.lower() in {"leased", "breaking"}:
        return "a lease"
    if blob.legal_hold:
        return "a legal hold"
    if blob.immutable_until is not None and blob.immutable_until > evidence.now:
        return f"an immutability policy until {moment(blob.immutable_until)}"
    container = evidence.container
    if isinstance(container, Container) and container.has_legal_hold:
        return "a legal hold on its container"
    return ""


def _judge_locks(evidence: Evidence, blob: Blob) -> Verdict:
    container = evidence.container
    lock = what_locks(evidence, blob)
    if lock:
        return failed(lockedBy=lock, immutableUntil=blob.immutable_until)
    if isinstance(container, Unavailable):
        return unknown(container)
    if isinstance(container, Container) and container.has_immutability_policy:
        # How old the blob has to be is not read, so the period may be over for it.
        return failed(confidence=Confidence.LIKELY, lockedBy="an immutability policy of its container")
    return passed() if blob.holds_known else unknown(_HOLDS_NOT_LISTED)


@blob_locked.described_by
def _blob_locked(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    lock = str(facts.get("lockedBy") or "a lease, a legal hold or an immutability policy")
    exports = remedies.direction_of(evidence) is Direction.EXPORT
    breaking = ""
    if lock == "a lease" and isinstance(evidence.blob, Blob):
        address = evidence.blob.address
        breaking = shell(
            *("az", "storage", "blob", "lease", "break", "--account-name", address.account),
            *("--container-name", address.container, "--blob-name", address.name, "--auth-mode", "login"),
        )
    advice = (
        "Find out who holds the lease and let them release it. Once it is certain that nobody needs it, break it"
        + (f": {breaking}" if breaking else ".")
        if lock == "a lease"
        else "Only whoever set it can lift a hold, and a retention period has to pass."
    )
    meanwhile = " Meanwhile export under a new blob name." if exports else ""
    query = "{lease:properties.lease, immutability:immutabilityPolicy, hold:hasLegalHold}"
    held = f"is held by {lock}, so {pipeline_words(evidence)} can't"
    if not facts:
        held = f"was held by {lock}, so {run_words(evidence)} could not"
    return Description(
        f"{sentence(blob_words(evidence))} {held} {'overwrite' if exports else 'delete'} it.",
        f"{advice}{meanwhile}",
        verify_command=repairs.show_blob(evidence, query),
    )
