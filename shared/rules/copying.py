"""Rules about copies between clouds: what gets lost on the way, and copies that never ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.evidence.model import TRANSFER_CATEGORY, Evidence, Look
from shared.records.storage import Blob
from shared.records.transfer import Direction
from shared.redaction import redact
from shared.rules import repairs
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
    warned,
)
from shared.rules.waiting import judge_waiting
from shared.rules.words import blob_words, sentence, shortened

_BLOB_LOOK: Final = frozenset({Look.BLOB})
MD5: Final = "Content-MD5"
CATEGORY: Final = "category"
# Up to this size the tools upload in one request, for which Storage computes the MD5 itself.
_ONE_REQUEST: Final = 64 * 1024 * 1024
_NO_TYPE: Final = frozenset({"", "application/octet-stream"})
# What AzCopy and its like write themselves: the file's own attributes.
_TOOL_NAMES: Final = frozenset({"modtime", "mtime", "hdi_isfolder", "is_symlink"})
_TOOL_PREFIXES: Final = ("posix_", "linux_", "azcopy")


def _written_by_tools(metadata: Mapping[str, str]) -> bool:
    return all(name in _TOOL_NAMES or name.startswith(_TOOL_PREFIXES) for name in metadata)


@rule(
    *("ACRT701", "copy-stripped-properties"),
    area=Area.COPY,
    severity=Severity.MEDIUM,
    subject=Subject.BLOB,
    step=Step.BLOB,
    looks=_BLOB_LOOK,
    causes=False,
)
def copy_stripped_properties(evidence: Evidence) -> Verdict:
    """The blob came over with its Content-MD5 and its transfer category.

    What it checks: whether a blob that waits for its source trigger looks like an upload by AzCopy, the Azure CLI, an
    SDK or a transfer appliance that left behind the MD5, the metadata ``category=acr-transfer-blob``, or both.

    Why it matters: source triggers take only blobs that have both. A copy from account to account keeps them; a
    way over a disk does not, unless the upload is told to.

    How we know: the blob is a block blob that no server-side copy made, and it has no MD5 although a single upload
    would have given it one, or no metadata but a tool's own. It stays likely: a blob does not tell how it came.

    How to fix: the command gives back what is lost and keeps the rest. Next time upload with
    ``azcopy copy --put-md5 --metadata "category=acr-transfer-blob"``, or with ``--content-md5`` and ``--metadata``
    of ``az storage blob upload``.

    What can make it wrong: a blob in a watched container that is no transfer blob; metadata that somebody removed
    afterwards.

    References: Azure Storage, "Put Block List" and "azcopy copy"; ACR Transfer troubleshooting, "Problems with
    Source Trigger Imports".
    """
    return judge_waiting(evidence, _judge_upload, by_trigger=True)


def _judge_upload(blob: Blob) -> Verdict:
    if blob.blob_type and blob.blob_type.lower() != "blockblob":
        return not_applicable()
    no_md5, no_category = not blob.content_md5, CATEGORY not in blob.metadata
    if not no_md5 and not no_category:
        return passed()
    # Other people's metadata without the category was written by somebody, not lost by a tool.
    if blob.copy_status or not (no_md5 or _written_by_tools(blob.metadata)):
        return not_applicable()
    signs = []
    if no_md5:
        signs.append("uploaded in blocks" if blob.size > _ONE_REQUEST else "committed without a hash")
    if blob.content_type.lower() in _NO_TYPE:
        signs.append("no content type of its own")
    if _written_by_tools(blob.metadata):
        signs.append("only metadata that tools write" if blob.metadata else "no metadata")
    lost = [*((MD5,) if no_md5 else ()), *((CATEGORY,) if no_category else ())]
    return failed(confidence=Confidence.LIKELY, lost=lost, signs=signs, size=blob.size)


@copy_stripped_properties.described_by
def _copy_stripped_properties(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    told = facts.get("lost")
    lost = [str(item) for item in told] if isinstance(told, list | tuple) else [MD5, CATEGORY]
    words = {MD5: "Content-MD5", CATEGORY: f"metadata category={TRANSFER_CATEGORY}"}
    blob = evidence.blob
    azcopy = shell(
        *("azcopy", "copy", *(("--put-md5",) if MD5 in lost else ())),
        *(("--metadata", f"category={TRANSFER_CATEGORY}") if CATEGORY in lost else ()),
    )
    az = " and ".join(
        [
            *(("--content-md5 <base64 of the MD5>",) if MD5 in lost else ()),
            *((f"--metadata category={TRANSFER_CATEGORY}",) if CATEGORY in lost else ()),
        ]
    )
    return Description(
        f"{sentence(blob_words(evidence))} lost its {' and its '.join(words.get(item, item) for item in lost)} on the "
        "way, as uploads by AzCopy, the Azure CLI or an SDK do, so no source trigger takes it.",
        f"The command restores what is lost and keeps the rest. Next time upload with `{azcopy}`, or with {az} of "
        "`az storage blob upload`; a copy from account to account keeps both by itself.",
        repairs.repair_blob(blob, md5=MD5 in lost, category=CATEGORY in lost) if isinstance(blob, Blob) else "",
        repairs.show_blob(evidence, repairs.MARKS),
    )


@rule(
    *("ACRT702", "copy-incomplete"),
    area=Area.COPY,
    severity=Severity.MEDIUM,
    subject=Subject.BLOB,
    step=Step.BLOB,
    looks=frozenset({Look.BLOB, Look.FAILED_RUN}),
)
def copy_incomplete(evidence: Evidence) -> Verdict:
    """The server-side copy that made the blob has ended well.

    What it checks: the copy status of a blob that waits for an import, or that an import could not read.

    Why it matters: a copy between accounts goes on behind the scenes for as long as it takes. Until then the blob
    has its final size and no content; after a failed one it stays empty.

    How we know: from the blob's properties. A copy that has gone on for no longer than ``IMPORT_GRACE_MINUTES`` is
    only a note.

    How to fix: let it come to its end; copy again if it failed. Most copies fail because the source's token has
    expired while they were going on, or because the source has been changed.

    What can make it wrong: a large blob that is copied slowly between regions.

    References: Azure Storage, "Copy Blob" and "Abort Copy Blob".
    """

    def judge(blob: Blob) -> Verdict:
        status = blob.copy_status.lower()
        if status in {"failed", "aborted"}:
            return failed(status=status, detail=redact(shortened(blob.copy_description)) or None)
        if status != "pending":
            return passed()
        began = blob.last_modified
        if evidence.look is Look.FAILED_RUN:
            return failed(status=status, began=began)
        young = began is not None and evidence.now - began <= evidence.limits.import_grace
        return warned(severity=Severity.INFO if young else None, status=status, began=began)

    if evidence.look is Look.FAILED_RUN and evidence.direction is not Direction.IMPORT:
        return not_applicable()
    return judge_waiting(evidence, judge, by_trigger=False)


@copy_incomplete.described_by
def _copy_incomplete(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    status = str(facts.get("status") or "pending")
    detail = f" ({facts['detail']})" if facts.get("detail") else ""
    verify = repairs.show_blob(evidence, "properties.copy")
    blob = sentence(blob_words(evidence))
    if status == "pending":
        return Description(
            f"{blob} is still being copied, so it can't be imported yet.",
            "Wait for the copy to end; its progress shows whether it moves. The source's token has to last that long.",
            verify_command=verify,
        )
    return Description(
        f"The copy that was to make {blob_words(evidence)} {'has failed' if status == 'failed' else 'was aborted'}"
        f"{detail}.",
        "Copy it again from its source, with a token that lasts as long as the copy (az storage blob copy start, or "
        "azcopy copy from URL to URL). Both keep the MD5 and the metadata.",
        verify_command=verify,
    )
