"""Rules about what a blob itself must be for a source trigger to take it: young, whole, hashed and marked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from shared.evidence.model import SOURCE_TRIGGER_WINDOW, TRANSFER_CATEGORY, Evidence, Look
from shared.evidence.pieces import Unavailable
from shared.records.storage import Blob
from shared.records.transfer import Direction
from shared.rules import repairs
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
    warned,
)
from shared.rules.waiting import judge_waiting
from shared.rules.words import blob_words, moment, pipeline_words, sentence, shortened

MD5_BYTES: Final = 16
_BLOB_LOOK: Final = frozenset({Look.BLOB})
_NO_TIME: Final = Unavailable("the blob shows no time of its last change", by_choice=True)
_NO_EVENT: Final = "No event follows a repair: the trigger finds the blob within a quarter of an hour."
_TIME: Final = "{modified:properties.lastModified, category:metadata.category}"


def _restamp(evidence: Evidence) -> str:
    return repairs.restamp(evidence.blob) if isinstance(evidence.blob, Blob) else ""


@rule(
    *("ACRT503", "blob-too-old"),
    area=Area.SOURCE_TRIGGER,
    severity=Severity.HIGH,
    subject=Subject.BLOB,
    step=Step.BLOB,
    looks=_BLOB_LOOK,
    causes=False,
)
def blob_too_old(evidence: Evidence) -> Verdict:
    """The blob was changed within the last 60 days.

    What it checks: the Last-Modified time of a blob that still waits for a source-triggered import.

    Why it matters: a source trigger passes over blobs that were last changed more than 60 days ago, and says
    nothing about it. It hits what has waited while a trigger was off or a token was dead.

    How we know: from the blob's properties.

    How to fix: write the blob's metadata again. That moves Last-Modified and makes the blob young. Metadata is
    always written as a whole, so the category has to be written along with it. Or import the blob by hand.

    What can make it wrong: a blob that was left in place on purpose after an import whose run has been deleted.

    References: ACR Transfer troubleshooting, "Problems with Source Trigger Imports"; Azure Storage, "Set Blob
    Metadata".
    """

    def judge(blob: Blob) -> Verdict:
        if blob.last_modified is None:
            return unknown(_NO_TIME)
        if evidence.now - blob.last_modified > SOURCE_TRIGGER_WINDOW:
            return failed(lastModified=blob.last_modified, ageDays=(evidence.now - blob.last_modified).days)
        return passed()

    return judge_waiting(evidence, judge, by_trigger=True)


@blob_too_old.described_by
def _blob_too_old(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    when = moment(facts.get("lastModified"))
    age = f" ({facts['ageDays']} days ago)" if facts.get("ageDays") else ""
    return Description(
        f"{sentence(blob_words(evidence))} was last changed {f'on {when}{age}' if when else 'too long ago'}, and a "
        "source trigger takes no blob that is older than 60 days.",
        "If its images are still wanted, write its metadata again, which makes it young; all of it is kept, with the "
        f"category. {_NO_EVENT} If they are not, remove the blob.",
        _restamp(evidence),
        repairs.show_blob(evidence, _TIME),
    )


@rule(
    *("ACRT504", "blob-window-closing"),
    area=Area.SOURCE_TRIGGER,
    severity=Severity.MEDIUM,
    subject=Subject.BLOB,
    step=Step.BLOB,
    looks=_BLOB_LOOK,
    causes=False,
)
def blob_window_closing(evidence: Evidence) -> Verdict:
    """The blob is not about to pass the age of 60 days.

    What it checks: whether a blob that still waits will have been unchanged for 60 days within
    ``EXPIRY_WARNING_DAYS``.

    Why it matters: until then it can still be imported by its source trigger; afterwards it is passed over.

    How we know: from the blob's Last-Modified time.

    How to fix: find out why it still waits, which is what the other findings about it say. Writing its metadata
    again gives it another 60 days; importing it by hand settles it.

    What can make it wrong: a blob that was left in place on purpose after an import whose run has been deleted.

    References: ACR Transfer troubleshooting, "Problems with Source Trigger Imports".
    """

    def judge(blob: Blob) -> Verdict:
        if blob.last_modified is None:
            return unknown(_NO_TIME)
        left = blob.last_modified + SOURCE_TRIGGER_WINDOW - evidence.now
        # Past its end it is ACRT503's matter. That this passes then ends the warning that was given before: a question
        # that does not arise ends nothing beside a broken step, and what ACRT503 finds is one.
        if timedelta(0) <= left <= evidence.limits.expiry_warning:
            return warned(lastModified=blob.last_modified, windowEnds=blob.last_modified + SOURCE_TRIGGER_WINDOW)
        return passed()

    return judge_waiting(evidence, judge, by_trigger=True)


@blob_window_closing.described_by
def _blob_window_closing(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    end = facts.get("windowEnds")
    left = (end - evidence.now) // timedelta(days=1) if isinstance(end, datetime) else None
    in_days = f" in {left} day{'' if left == 1 else 's'} ({moment(end)})" if left is not None else " soon"
    return Description(
        f"{sentence(blob_words(evidence))} still waits for an import, and will be passed over by its source trigger"
        f"{in_days}, when it is 60 days old.",
        "Find out why it still waits. Writing its metadata again gives it another 60 days; all of it is kept, with the "
        "category.",
        _restamp(evidence),
        repairs.show_blob(evidence, _TIME),
    )


@rule(
    *("ACRT505", "blob-md5-missing"),
    area=Area.SOURCE_TRIGGER,
    severity=Severity.HIGH,
    subject=Subject.BLOB,
    step=Step.BLOB,
    looks=_BLOB_LOOK,
    causes=False,
)
def blob_md5_missing(evidence: Evidence) -> Verdict:
    """The blob has a valid Content-MD5.

    What it checks: that the property Content-MD5 of a blob that still waits holds the 16 bytes of an MD5.

    Why it matters: a source trigger passes over blobs without one and says nothing about it. Storage computes it
    only for uploads in a single request; a larger upload has one only if its tool sends one.

    How we know: from the blob's properties. Whether the hash fits the content is not looked at.

    How to fix: compute the hash over the content and set the property. The command reads the whole blob once, where
    it runs: run it near the blob.

    What can make it wrong: nothing known.

    References: Azure Storage, "Put Block List" and "Set Blob Properties"; ACR Transfer troubleshooting, "Problems
    with Source Trigger Imports".
    """

    def judge(blob: Blob) -> Verdict:
        if blob.content_md5 is None or not blob.content_md5:
            return failed(why="missing", bytes=0)
        return passed() if len(blob.content_md5) == MD5_BYTES else failed(why="invalid", bytes=len(blob.content_md5))

    return judge_waiting(evidence, judge, by_trigger=True)


@blob_md5_missing.described_by
def _blob_md5_missing(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    blob = evidence.blob
    what = f"has a Content-MD5 of {facts['bytes']} bytes, which is none" if facts.get("bytes") else "has no Content-MD5"
    return Description(
        f"{sentence(blob_words(evidence))} {what}, so the source trigger of {pipeline_words(evidence)} passes it over.",
        f"Compute the hash over the content and set it; the command downloads the blob once to do so. {_NO_EVENT}",
        repairs.repair_blob(blob, md5=True, category=False) if isinstance(blob, Blob) else "",
        repairs.show_blob(evidence, repairs.MARKS),
    )


@rule(
    *("ACRT506", "blob-category-missing"),
    area=Area.SOURCE_TRIGGER,
    severity=Severity.HIGH,
    subject=Subject.BLOB,
    step=Step.BLOB,
    looks=_BLOB_LOOK,
    causes=False,
)
def blob_category_missing(evidence: Evidence) -> Verdict:
    """The blob is marked as a transfer blob.

    What it checks: that the metadata of a blob that still waits has ``category`` with exactly the value
    ``acr-transfer-blob``.

    Why it matters: it is how a source trigger tells transfer blobs from all else in the container. An export sets
    it; copies and uploads often lose it, and so does every tool that writes other metadata afterwards.

    How we know: from the blob's metadata. The name is compared without regard to case, as Storage does, the value
    to the letter.

    How to fix: write the metadata again, the category and all that is there already: metadata is always replaced as
    a whole.

    What can make it wrong: a blob in a watched container that is no transfer blob. ``MUTES`` is for those.

    References: Azure Storage, "Set Blob Metadata"; ACR Transfer troubleshooting, "Problems with Source Trigger
    Imports".
    """

    def judge(blob: Blob) -> Verdict:
        found = blob.metadata.get("category")
        if found == TRANSFER_CATEGORY:
            return passed()
        if found is None:
            return failed(why="missing", found=None)
        alike = found.strip().lower() == TRANSFER_CATEGORY
        return failed(why="spelling" if alike else "value", found=shortened(found))

    return judge_waiting(evidence, judge, by_trigger=True)


@blob_category_missing.described_by
def _blob_category_missing(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    blob = evidence.blob
    found, why = facts.get("found"), facts.get("why")
    what = "has no metadata 'category'"
    if why == "spelling":
        what = f"has the metadata category='{found}', which differs from '{TRANSFER_CATEGORY}' in its spelling only"
    elif why == "value":
        what = f"has the metadata category='{found}' instead of '{TRANSFER_CATEGORY}'"
    return Description(
        f"{sentence(blob_words(evidence))} {what}, so the source trigger of {pipeline_words(evidence)} passes it over.",
        f"If it is a transfer blob, write the category; the command keeps all other metadata. {_NO_EVENT} If it is "
        "none, move it out of the container or mute it.",
        repairs.repair_blob(blob, md5=False, category=True) if isinstance(blob, Blob) else "",
        repairs.show_blob(evidence, repairs.MARKS),
    )


@rule(
    *("ACRT509", "blob-not-importable"),
    area=Area.SOURCE_TRIGGER,
    severity=Severity.MEDIUM,
    subject=Subject.BLOB,
    step=Step.BLOB,
    looks=frozenset({Look.BLOB, Look.FAILED_RUN}),
)
def blob_not_importable(evidence: Evidence) -> Verdict:
    """The blob is complete and of a kind that can be imported.

    What it checks: that it is a block blob, that it is not empty, and that a server-side copy that made it has
    ended well.

    Why it matters: page and append blobs are no transfer blobs, an empty one holds no images, and a copy that has
    not ended shows its full size with no content behind it.

    How we know: from the blob's properties.

    How to fix: bring the blob there again as a block blob; let a copy that is still going on come to its end.

    What can make it wrong: a slow copy. On an account with a hierarchical namespace the event for a copy comes at its
    beginning, so one that has gone on for no longer than ``IMPORT_GRACE_MINUTES`` is only a note.

    References: Azure Storage, "Understanding block blobs, append blobs, and page blobs" and "Copy Blob".
    """
    if evidence.look is Look.FAILED_RUN and evidence.direction is not Direction.IMPORT:
        return not_applicable()
    return judge_waiting(evidence, lambda blob: _judge_shape(evidence, blob), by_trigger=False)


def _judge_shape(evidence: Evidence, blob: Blob) -> Verdict:
    if blob.blob_type and blob.blob_type.lower() != "blockblob":
        return failed(why="type", blobType=blob.blob_type)
    status = blob.copy_status.lower()
    if status in {"pending", "failed", "aborted"}:
        if evidence.look is Look.FAILED_RUN:
            return not_applicable()  # ACRT702 says it.
        young = blob.last_modified is not None and evidence.now - blob.last_modified <= evidence.limits.import_grace
        if status == "pending" and young:
            return warned(severity=Severity.INFO, why="copy", copyStatus=blob.copy_status)
        return failed(why="copy", copyStatus=blob.copy_status)
    return failed(why="empty", size=blob.size) if blob.size == 0 else passed()


@blob_not_importable.described_by
def _blob_not_importable(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    why = facts.get("why")
    if why == "copy":
        what = f"the copy that makes it is {facts.get('copyStatus')}"
        advice = "Wait until the copy has ended; if it failed, copy the blob again."
    elif why == "empty":
        what = "it is empty"
        advice = "Export or copy it again, and compare the sizes on both sides."
    else:
        what = f"it is a {facts['blobType']} and no block blob" if facts.get("blobType") else "it is no block blob"
        advice = (
            "Upload it again as a block blob (az storage blob upload --type block, azcopy copy --blob-type BlockBlob), "
            "with its MD5 and the metadata category=acr-transfer-blob."
        )
    return Description(
        f"{sentence(blob_words(evidence))} can't be imported: {what}.",
        advice,
        verify_command=repairs.show_blob(
            evidence, "{type:properties.blobType, size:properties.contentLength, copy:properties.copy.status}"
        ),
    )
