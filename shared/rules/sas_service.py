"""Rules about what only Storage can tell of a SAS token: its signature, its place, and whether keys count at all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from shared.evidence.model import Evidence, Malformed, ProbeResult
from shared.evidence.pieces import Missing, Unavailable
from shared.records.key_vault import SecretAttributes
from shared.records.storage import StorageAccount
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
    uses_sas,
    warned,
)
from shared.rules.sas import keys_are_newer, signature_refused, token_name, without_token
from shared.rules.vault_secret import names_other_version
from shared.rules.words import container_words, named, pipeline_words, sentence
from shared.sas_token import SasKind, SasToken

# Answers that Storage gives once it has found the signature right. Any other may come from before that.
_AFTER_SIGNATURE: Final = frozenset(
    {
        "AuthorizationPermissionMismatch",
        "AuthorizationProtocolMismatch",
        "AuthorizationResourceTypeMismatch",
        "AuthorizationServiceMismatch",
        "AuthorizationSourceIPMismatch",
        "ContainerBeingDeleted",
        "ContainerNotFound",
    }
)
# Answers that say nothing of the token, but whose own meaning another rule tells.
_TOLD_ELSEWHERE: Final = frozenset(
    {"AccountIsDisabled", "AuthenticationFailed", "AuthorizationFailure", "KeyBasedAuthenticationNotPermitted"}
)
_NOT_TOLD: Final = Unavailable("Storage's answer does not tell", by_choice=True)


def _out_of_its_dates(evidence: Evidence, token: SasToken) -> bool:
    """Whether the token is refused for its dates, which ACRT301 and ACRT302 say."""
    now = evidence.now
    return (token.expires_on is not None and token.expires_on <= now) or (
        token.starts_on is not None and token.starts_on > now
    )


def _is_past_signature(probe: ProbeResult) -> bool:
    return probe.allowed or probe.code in _AFTER_SIGNATURE


def _not_told(evidence: Evidence, probe: ProbeResult) -> Unavailable:
    """Why the answer leaves the token unjudged; by choice only where another rule says what the answer means."""
    if probe.code in _TOLD_ELSEWHERE:
        return _NOT_TOLD
    reason = f"Storage answered {f'{probe.status} {probe.code}'.strip()} to the token, which tells nothing of it"
    return Unavailable(reason, str(evidence.container_address), "list with the pipeline's token")


def _keys_are_older(evidence: Evidence) -> bool:
    """Whether it is known that no account key was changed after the token had been stored."""
    account, secret = evidence.account, evidence.secret
    if not isinstance(account, StorageAccount) or not isinstance(secret, SecretAttributes):
        return False
    # Changing a secret's attributes moves its "updated", so only its creation tells when the token came in.
    if secret.created is None or len(account.key_created) < 2 or names_other_version(evidence):
        return False
    return all(made <= secret.created for made in account.key_created)


def _signed_for_elsewhere(evidence: Evidence, token: SasToken, probe: ProbeResult) -> bool:
    """Whether the signature is refused although the keys are the same: then it is one for another place."""
    by_key = token.kind is not SasKind.USER_DELEGATION and not token.policy_id
    return by_key and signature_refused(probe) and _keys_are_older(evidence)


@rule(
    *("ACRT304", "sas-signature-invalid"),
    area=Area.SAS,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.TOKEN,
    applies=uses_sas,
)
def sas_signature_invalid(evidence: Evidence) -> Verdict:
    """Storage accepts the signature of the SAS token.

    What it checks: one List of the pipeline's container with the token; without that, whether both account
    keys were made after the secret was stored.

    Why it matters: a token dies with the key that signed it, with the stored access policy that it names, or
    with the delegation of the user who signed it. Its dates still look fine, and Storage answers 403.

    How we know: with ``SAS_INSPECTION=value`` from Storage's own answer; with ``metadata`` from the age of the
    keys, which is only a hint; otherwise from the run's message ("Signature did not match").

    How to fix: sign a new token and store it as a new version of the same secret.

    What can make it wrong: a token for another account or container is refused in the same words, which
    ACRT309 takes up where no key was changed; an old token that was stored anew after a key was changed.

    References: Azure Storage, "Manage account access keys" and "Define a stored access policy"; ACR Transfer
    troubleshooting, "Problems accessing storage".
    """
    token, probe = evidence.sas, evidence.probe
    if isinstance(token, Malformed | Missing):
        return not_applicable()
    if isinstance(token, SasToken) and isinstance(probe, ProbeResult):
        return _judge_signature(evidence, token, probe)
    by_key = not isinstance(token, SasToken) or token.kind is not SasKind.USER_DELEGATION
    if by_key and keys_are_newer(evidence):
        return failed(confidence=Confidence.POSSIBLE, keysAreNewer=True)
    if isinstance(token, Unavailable):
        return unknown(token)
    return unknown(probe) if isinstance(probe, Unavailable) else unknown(_NOT_TOLD)


def _judge_signature(evidence: Evidence, token: SasToken, probe: ProbeResult) -> Verdict:
    if _is_past_signature(probe):
        return passed(probe=probe.code or "allowed")
    if _out_of_its_dates(evidence, token):
        return not_applicable()
    if not signature_refused(probe):
        return unknown(_not_told(evidence, probe), probe=probe.code)
    if _signed_for_elsewhere(evidence, token, probe):
        return passed(probe=probe.code, keysAreOlder=True)
    return failed(probe=probe.code, keysAreNewer=keys_are_newer(evidence), policy=token.policy_id or None)


@sas_signature_invalid.described_by
def _sas_signature_invalid(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    names = evidence.names
    account = named("storage account", names.account)
    policy = facts.get("policy")
    if facts.get("keysAreNewer") and "probe" not in facts:
        said = f"may have lost its key: both keys of {account} were made after the secret was stored"
    else:
        said = f"carries a signature that {account} refuses"
    cause = (
        f"Its stored access policy '{policy}' was changed or removed, or an account key was made anew."
        if policy
        else "Most likely an account key was made anew after the token had been signed."
    )
    return Description(
        f"{token_name(evidence)} {said}.",
        f"{cause} Sign a new token and store it as a new version of the same secret.",
        remedies.new_token(evidence),
        remedies.try_token(names),
    )


@rule(
    *("ACRT309", "sas-wrong-scope"),
    area=Area.SAS,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.TOKEN,
    applies=uses_sas,
)
def sas_wrong_scope(evidence: Evidence) -> Verdict:
    """The SAS token is signed for the whole container that the pipeline uses.

    What it checks: that a service or user-delegation SAS says ``sr=c``, and not a blob, a snapshot, a version
    or a directory; and whether its signature holds for this container.

    Why it matters: a token for one blob works in a browser and still opens no container. One for another
    container is refused as if its signature were forged, because the path is part of what is signed.

    How we know: with ``SAS_INSPECTION=value`` from the token itself, and from one List with it: a signature
    that is refused although no account key is younger than the secret belongs to another place.

    How to fix: sign a token for the pipeline's container and store it as a new version of the same secret.

    What can make it wrong: an old token that was stored anew after a key had been changed, which then looks
    like one for another place.

    References: Azure Storage, "Create a service SAS", on the signed resource.
    """
    token, probe = evidence.sas, evidence.probe
    if not isinstance(token, SasToken):
        return without_token(token)
    by_account = token.kind is SasKind.ACCOUNT
    if not by_account and token.resource in _NARROW:
        return failed(resource=token.resource)
    if not isinstance(probe, ProbeResult):
        return passed() if by_account else unknown(probe if isinstance(probe, Unavailable) else _NOT_TOLD)
    if probe.code == "AuthorizationResourceTypeMismatch" and not by_account:
        return failed(resource=token.resource, probe=probe.code)
    if _is_past_signature(probe):
        return passed(resource=token.resource)
    if _out_of_its_dates(evidence, token):
        return not_applicable()
    if _signed_for_elsewhere(evidence, token, probe):
        return failed(confidence=Confidence.LIKELY, resource=token.resource, probe=probe.code)
    return unknown(_not_told(evidence, probe), probe=probe.code)


_NARROW: Final = {"b": "one blob", "bs": "one snapshot", "bv": "one version of a blob", "d": "one directory"}


@sas_wrong_scope.described_by
def _sas_wrong_scope(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    narrow = _NARROW.get(str(facts.get("resource")))
    said = f"is signed for {narrow} only" if narrow else "is signed for another place"
    return Description(
        f"{token_name(evidence)} {said}, not for {container_words(evidence)}.",
        "Sign a token for the whole container (sr=c) that the pipeline names, and store it as a new version of the "
        "same secret.",
        remedies.new_token(evidence),
        remedies.try_token(evidence.names),
    )


@rule(
    *("ACRT312", "shared-key-access-disabled"),
    area=Area.SAS,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.TOKEN,
    applies=uses_sas,
)
def shared_key_access_disabled(evidence: Evidence) -> Verdict:
    """The storage account accepts the kind of SAS token that the pipeline has.

    What it checks: whether the account allows access by key, which every account SAS and every service SAS
    needs. A user-delegation SAS is signed without an account key.

    Why it matters: many organisations turn key access off by policy. From that moment every token that a key
    has signed is refused, however new it is.

    How we know: from the account's settings and, with ``SAS_INSPECTION=value``, from the kind of the token;
    or from Storage's answer ``KeyBasedAuthenticationNotPermitted``.

    How to fix: let the pipeline use its managed identity (storage access mode ManagedIdentity), which needs
    no token at all. Until then a user-delegation SAS works, for seven days at most.

    What can make it wrong: where the token is not read, it may be a user-delegation SAS; a secret that lives for a
    week at most may well hold one, so this is only called possible then.

    References: Azure Storage, "Prevent authorization with Shared Key".
    """
    token, account, probe = evidence.sas, evidence.account, evidence.probe
    if isinstance(token, Malformed | Missing):
        return not_applicable()
    if isinstance(probe, ProbeResult) and probe.code == "KeyBasedAuthenticationNotPermitted":
        return failed(probe=probe.code)
    if isinstance(token, SasToken) and token.kind is SasKind.USER_DELEGATION:
        return passed(kind=str(token.kind))
    if isinstance(account, Missing):
        return not_applicable()
    if isinstance(account, Unavailable):
        return unknown(account)
    if account.allow_shared_key_access:
        return passed()
    if isinstance(token, SasToken):
        return failed(kind=str(token.kind))
    return failed(confidence=Confidence.POSSIBLE if _may_be_delegated(evidence) else Confidence.LIKELY)


# A delegated token's key lives for seven days at most.
_LONGEST_DELEGATION: Final = timedelta(days=7, hours=1)


def _may_be_delegated(evidence: Evidence) -> bool:
    """Whether the secret's dates are those of a token that no account key has signed."""
    secret = evidence.secret
    if not isinstance(secret, SecretAttributes) or secret.created is None or secret.expires_on is None:
        return False
    return secret.expires_on - secret.created <= _LONGEST_DELEGATION


@shared_key_access_disabled.described_by
def _shared_key_access_disabled(evidence: Evidence, _facts: Mapping[str, object]) -> Description:
    name = evidence.names.account
    return Description(
        f"{sentence(named('storage account', name))} refuses tokens that are signed with an account key, and so the "
        f"SAS token of {pipeline_words(evidence)}.",
        "Ask the owner of the account whether key access is off on purpose. The lasting way is a pipeline with the "
        "storage access mode ManagedIdentity. The command stores a token that is signed without a key; it ends within "
        "seven days.",
        remedies.new_user_delegation_token(evidence),
        shell("az", "storage", "account", "show", "--name", name, "--query", "allowSharedKeyAccess"),
    )


@rule(
    *("ACRT313", "sas-policy-bound"),
    area=Area.SAS,
    severity=Severity.LOW,
    subject=Subject.PIPELINE,
    step=Step.TOKEN,
    applies=uses_sas,
    causes=False,
)
def sas_policy_bound(evidence: Evidence) -> Verdict:
    """The SAS token says by itself what it allows and until when.

    What it checks: whether the token leans on a stored access policy (``si``) of the container.

    Why it matters: its permissions and dates may then change or end without a new token, and what stands in
    the policy can't be seen from here.

    How we know: with ``SAS_INSPECTION=value`` from the token itself. One List with it shows whether it is good
    for listing now, and nothing else.

    How to fix: nothing has to be done. To have the end of the token watched, sign one with its own dates and
    permissions.

    What can make it wrong: nothing known.

    References: Azure Storage, "Define a stored access policy".
    """
    token = evidence.sas
    if not isinstance(token, SasToken):
        return without_token(token)
    if not token.policy_id:
        return passed()
    unseen = [
        name
        for name, value in (
            ("start", token.starts_on),
            ("expiry", token.expires_on),
            ("permissions", token.permissions),
        )
        if value is None
    ]
    probe = evidence.probe
    listed = probe.allowed if isinstance(probe, ProbeResult) else None
    return warned(policy=token.policy_id, notSeen=unseen, mayList=listed)


@sas_policy_bound.described_by
def _sas_policy_bound(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    names = evidence.names
    policy = str(facts.get("policy") or "")
    unseen = facts.get("notSeen")
    what = ", ".join(str(item) for item in unseen) if isinstance(unseen, list | tuple) and unseen else "some of it"
    listing = {True: " One List with it was allowed.", False: " One List with it was refused."}
    may_list = facts.get("mayList")
    return Description(
        f"{token_name(evidence)} leans on {named('stored access policy', policy)} of {container_words(evidence)}, "
        f"so what it allows can't be judged in full ({what}).",
        "Look at the policy and note when it ends. A token with its own dates and permissions is watched to its end."
        f"{listing[may_list] if isinstance(may_list, bool) else ''}",
        "",
        shell(
            *("az", "storage", "container", "policy", "show", "--account-name", names.account),
            *("--container-name", names.container, "--name", policy),
        ),
    )
