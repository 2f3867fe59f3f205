"""The rule about pipelines that get at storage by their managed identity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.evidence.model import Evidence
from shared.evidence.pieces import Missing, Unavailable
from shared.records.transfer import Direction, Pipeline
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
    uses_managed_identity,
)
from shared.rules.words import container_words, pipeline_words, sentence

_BLOBS: Final = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
READ: Final = f"{_BLOBS}/read"
WRITE: Final = f"{_BLOBS}/write"
ADD: Final = f"{_BLOBS}/add/action"
DELETE: Final = f"{_BLOBS}/delete"


def needed_actions(evidence: Evidence) -> tuple[str, ...]:
    """The data actions that the pipeline's direction and options need."""
    if remedies.direction_of(evidence) is Direction.EXPORT:
        return (READ, WRITE, ADD)
    return (READ, DELETE) if remedies.deletes_source(evidence) else (READ,)


def unnamed_principal(pipeline: Pipeline) -> Unavailable:
    """Why nothing is known of what an identity may do that the pipeline gives no principal of."""
    return Unavailable("the pipeline does not say which principal its identity has", pipeline.id)


@rule(
    *("ACRT351", "storage-role-missing"),
    area=Area.MANAGED_IDENTITY,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.TOKEN,
    applies=uses_managed_identity,
)
def storage_role_missing(evidence: Evidence) -> Verdict:
    """The pipeline's identity holds the data roles on storage that its direction needs.

    What it checks: that roles at the container or above allow the identity to read blobs, for an export also
    to write and add them, and for an import with ``DeleteSourceBlobOnSuccess`` to delete them. Reading
    includes listing.

    Why it matters: Storage answers 403 ``AuthorizationPermissionMismatch`` to an identity without a data role.
    Owner and Contributor are no data roles: they give no access to blobs.

    How we know: from the role assignments of the identity, groups included, and from what those roles allow;
    otherwise from the run's message.

    How to fix: give the identity Storage Blob Data Contributor on the container. A pipeline that was deleted
    and made again has a new identity, for which it has to be granted anew.

    What can make it wrong: a deny assignment; a role that was given within the last minutes; a custom role
    that lets blobs be written and not added, which Storage may accept, and which is only called possible.

    References: Azure Storage, "Assign an Azure role for access to blob data"; ACR Transfer, on the storage
    access mode ManagedIdentity.
    """
    pipeline = evidence.known_pipeline
    # A pipeline without an identity is ACRT209's.
    if pipeline is None or pipeline.identity is None or isinstance(evidence.storage_grants, Missing):
        return not_applicable()
    if not pipeline.identity.principals:
        return unknown(unnamed_principal(pipeline))
    grants = evidence.storage_grants
    if isinstance(grants, Unavailable):
        return unknown(grants)
    needed = needed_actions(evidence)
    roles = [grant.role_name for grant in grants]
    missing = [action for action in needed if not any(grant.allows(action) for grant in grants)]
    if missing:
        sure = Confidence.POSSIBLE if missing == [ADD] else Confidence.CONFIRMED
        return failed(confidence=sure, missing=missing, roles=roles, principals=list(pipeline.identity.principals))
    certain = [grant for grant in grants if not grant.conditional]
    if all(any(grant.allows(action) for grant in certain) for action in needed):
        return passed(roles=roles)
    why = "a role that is needed has a condition, which can't be judged from here"
    return unknown(Unavailable(why, evidence.names.account_id, by_choice=True), roles=roles)


_IN_WORDS: Final = {READ: "read", WRITE: "write", ADD: "add", DELETE: "delete"}


@storage_role_missing.described_by
def _storage_role_missing(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    names = evidence.names
    told = facts.get("missing")
    missing = told if isinstance(told, list | tuple) else needed_actions(evidence)
    lacks = ", ".join(_IN_WORDS.get(str(action), str(action)) for action in missing)
    who = f" (identity {names.principal})" if names.principal else ""
    container_id = (
        f"{names.account_id}/blobServices/default/containers/{names.container}"
        if names.account_id and names.container
        else ""
    )
    return Description(
        f"{sentence(pipeline_words(evidence))}{who} has no role that lets it {lacks} blobs in "
        f"{container_words(evidence)}.",
        "Give the pipeline's current identity Storage Blob Data Contributor on the container; it may take some minutes "
        "to have effect. Owner and Contributor do not include it, and a pipeline that was deleted and made again has a "
        "new identity.",
        shell(
            *("az", "role", "assignment", "create", "--role", "Storage Blob Data Contributor"),
            *("--assignee-object-id", names.principal, "--assignee-principal-type", "ServicePrincipal"),
            *("--scope", container_id),
        ),
        shell(
            *("az", "role", "assignment", "list", "--assignee", names.principal, "--scope", container_id),
            *("--include-inherited", "--output", "table"),
        ),
    )
