"""Rules about the SAS token of a pipeline that uses one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from shared.evidence.message import MessageReading, read_message
from shared.evidence.model import Evidence, Malformed, ProbeResult
from shared.evidence.pieces import Missing, Unavailable
from shared.records.key_vault import SecretAttributes
from shared.records.storage import StorageAccount
from shared.rules import remedies
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
from shared.rules.vault_secret import expiry_date, names_other_version
from shared.rules.words import moment
from shared.sas_token import SasToken

_IN_POLICY: Final = Unavailable(
    "it is set in a stored access policy on the container, which the token only names", by_choice=True
)
_LIFETIME_PART: Final = 5


def token_name(evidence: Evidence) -> str:
    """The token in words: where it lives and whose it is."""
    names = evidence.names
    place = f"secret '{names.secret}' of key vault '{names.vault}'" if names.secret else "the pipeline's secret"
    return f"The SAS token in {place} for pipeline '{names.pipeline or 'unknown'}'"


def without_token(token: Malformed | Missing | Unavailable) -> Verdict:
    """The verdict where there is no token to judge: others say why, unless it could not be read."""
    return unknown(token) if isinstance(token, Unavailable) else not_applicable()


def _refused_for_its_times(evidence: Evidence, rule_id: str) -> MessageReading | None:
    """What Storage said of the token's times when it was tried, if that is what ``rule_id`` says."""
    probe = evidence.probe
    if not isinstance(probe, ProbeResult) or "time frame" not in probe.detail:
        return None
    said = read_message(probe.detail)
    return said if any(claim.rules == (rule_id,) for claim in said.claims) else None


@rule(
    *("ACRT301", "sas-expired"),
    area=Area.SAS,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.TOKEN,
    applies=uses_sas,
)
def sas_expired(evidence: Evidence) -> Verdict:
    """The SAS token has not expired.

    What it checks: the end (``se``) of the token that the pipeline's secret holds; for a user-delegation SAS
    also the end of its key (``ske``).

    Why it matters: storage refuses an expired token with 403, and the run fails at its first request. This is
    the most common way in which a transfer that has worked for months stops.

    How we know: with ``SAS_INSPECTION=value`` from the token itself; with ``metadata`` from the expiry date of
    the secret, which is the token's only if its owner keeps them alike; otherwise from the run's message,
    where Storage writes the token's start and end and the time of the request.

    How to fix: sign a new token with the permissions that the direction needs and store it as a new version
    of the same secret. Give the secret the same expiry date, so that the next end is seen coming.

    What can make it wrong: a secret that is past its own date while its token still holds; the monitor's
    clock; a message about a token that has been renewed since the run failed.

    References: Azure Storage, "Delegate access with a shared access signature"; ACR Transfer troubleshooting,
    "Problems accessing storage".
    """
    token = evidence.sas
    if isinstance(token, SasToken):
        if token.expires_on is None:
            said = _refused_for_its_times(evidence, "ACRT301")
            ended = said.times[1] if said else None
            return failed(expires_on=ended, expiredOn=ended, inPolicy=True) if said else unknown(_IN_POLICY)
        if token.expires_on <= evidence.now:
            return failed(expires_on=token.expires_on, expiredOn=token.expires_on)
        return passed(expiresOn=token.expires_on)
    end = expiry_date(evidence) if isinstance(token, Unavailable) else None
    if end is not None and end <= evidence.now:
        return failed(confidence=Confidence.LIKELY, expires_on=end, expiredOn=end, fromSecret=True)
    return without_token(token)


@sas_expired.described_by
def _sas_expired(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    when = moment(facts.get("expiredOn") or evidence.message.times[1])
    said = f" on {when}" if when else ""
    judged = " (judged by the expiry date of the secret)" if facts.get("fromSecret") else ""
    return Description(
        f"{token_name(evidence)} expired{said}{judged}.",
        "Sign a new token, store it as a new version of the same secret with the same expiry date, then run the "
        "transfer again.",
        remedies.new_token(evidence),
        remedies.try_token(evidence.names),
    )


@rule(
    *("ACRT302", "sas-not-yet-valid"),
    area=Area.SAS,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.TOKEN,
    applies=uses_sas,
)
def sas_not_yet_valid(evidence: Evidence) -> Verdict:
    """The SAS token is already valid.

    What it checks: the start (``st``) of the token that the pipeline's secret holds.

    Why it matters: storage refuses a token before its start with the same 403 as an expired one. A start in
    local time that was written as UTC is enough.

    How we know: with ``SAS_INSPECTION=value`` from the token itself; otherwise from the run's message, where
    Storage writes the token's start and the time of the request.

    How to fix: wait for the start, or sign a token without one: it is then valid at once.

    What can make it wrong: clocks that differ by some minutes; a token that has been replaced since.

    References: Azure Storage, "Create a service SAS", on the start time and clock skew.
    """
    token = evidence.sas
    if not isinstance(token, SasToken):
        return without_token(token)
    if token.starts_on is None:
        said = _refused_for_its_times(evidence, "ACRT302")
        if said:
            return failed(startsOn=said.times[0], inPolicy=True)
        return passed() if not token.policy_id else unknown(_IN_POLICY)
    if token.starts_on > evidence.now:
        return failed(startsOn=token.starts_on)
    return passed(startsOn=token.starts_on)


@sas_not_yet_valid.described_by
def _sas_not_yet_valid(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    when = moment(facts.get("startsOn") or evidence.message.times[0])
    said = f" before {when}" if when else " yet"
    return Description(
        f"{token_name(evidence)} is not valid{said}.",
        "Sign a token without a start time, which is valid at once, and store it as a new version of the same secret.",
        remedies.new_token(evidence),
        remedies.try_token(evidence.names),
    )


@rule(
    *("ACRT303", "sas-expires-soon"),
    area=Area.SAS,
    severity=Severity.MEDIUM,
    subject=Subject.PIPELINE,
    step=Step.TOKEN,
    applies=uses_sas,
    causes=False,
)
def sas_expires_soon(evidence: Evidence) -> Verdict:
    """The SAS token will not expire soon.

    What it checks: whether the token ends within ``EXPIRY_WARNING_DAYS``, and within the last fifth of its own
    lifetime, so that a token that is made for a day does not warn all day.

    Why it matters: renewing a token takes people and approvals, in air-gapped clouds sometimes weeks.

    How we know: with ``SAS_INSPECTION=value`` from the token itself; with ``metadata`` from the expiry date of
    the secret.

    How to fix: sign a new token now and store it as a new version of the same secret.

    What can make it wrong: a rotation that is automated and simply has not run yet; a secret whose date was
    not moved along with its token.

    References: Key Vault, "About secrets", on expiry dates.
    """
    token = evidence.sas
    if isinstance(token, SasToken):
        if token.expires_on is None:
            return unknown(_IN_POLICY)
        warn_from = token.expires_on - evidence.limits.expiry_warning
        if token.starts_on is not None and token.starts_on < token.expires_on:
            warn_from = max(warn_from, token.expires_on - (token.expires_on - token.starts_on) / _LIFETIME_PART)
        if warn_from <= evidence.now < token.expires_on:
            return warned(expires_on=token.expires_on, expiresOn=token.expires_on)
        return passed(expiresOn=token.expires_on)
    end = expiry_date(evidence) if isinstance(token, Unavailable) else None
    if end is not None and end - evidence.limits.expiry_warning <= evidence.now < end:
        return warned(confidence=Confidence.LIKELY, expires_on=end, expiresOn=end, fromSecret=True)
    return without_token(token)


@sas_expires_soon.described_by
def _sas_expires_soon(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    end = facts.get("expiresOn")
    left = (end - evidence.now) // timedelta(days=1) if isinstance(end, datetime) else None
    in_days = f" in {left} day{'' if left == 1 else 's'}" if left is not None else " soon"
    judged = ", judged by the expiry date of the secret" if facts.get("fromSecret") else ""
    return Description(
        f"{token_name(evidence)} expires{in_days} ({moment(end)}{judged}).",
        "Sign a new token before that and store it as a new version of the same secret, with the same expiry date.",
        remedies.new_token(evidence),
        remedies.try_token(evidence.names),
    )


def signature_refused(probe: ProbeResult) -> bool:
    """Whether Storage refused the token for its signature, and not for its dates."""
    return probe.code == "AuthenticationFailed" and "time frame" not in probe.detail


def keys_are_newer(evidence: Evidence) -> bool | None:
    """Whether both account keys were made after the secret; ``None`` if that is not known."""
    account, secret = evidence.account, evidence.secret
    if not isinstance(account, StorageAccount) or not isinstance(secret, SecretAttributes):
        return None
    stored = secret.updated or secret.created
    if stored is None or len(account.key_created) < 2 or names_other_version(evidence):
        return None
    return all(made > stored for made in account.key_created)


@rule(
    *("ACRT305", "sas-permissions-missing"),
    area=Area.SAS,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.TOKEN,
    applies=uses_sas,
)
def sas_permissions_missing(evidence: Evidence) -> Verdict:
    """The SAS token has every permission that the pipeline's direction needs.

    What it checks: the token's permissions (``sp``). An export needs Read, Write, List and Add; an import
    needs Read and List, and Delete if the pipeline has ``DeleteSourceBlobOnSuccess``. More is fine.

    Why it matters: Storage answers 403 ``AuthorizationPermissionMismatch`` at the first step whose letter is
    missing. Without List no source trigger ever finds a blob, and nothing says so.

    How we know: with ``SAS_INSPECTION=value`` from the token's own letters and from one List with it;
    otherwise from the run's message. Letters in a stored access policy can't be seen.

    How to fix: sign a token with the needed permissions and store it as a new version of the same secret.

    What can make it wrong: permissions that a stored access policy adds to those in the token.

    References: ACR Transfer troubleshooting, "Problems accessing storage" and "Problems with Source Trigger
    Imports".
    """
    token = evidence.sas
    if not isinstance(token, SasToken):
        return without_token(token)
    probe = evidence.probe
    cannot_list = isinstance(probe, ProbeResult) and probe.code == "AuthorizationPermissionMismatch"
    needed = remedies.needed_permissions(evidence)
    if token.permissions is None or token.policy_id:
        if cannot_list:
            return failed(missing="l", needed=needed, inPolicy=True)
        if token.permissions is None or not set(needed) <= token.permissions:
            return unknown(_IN_POLICY)
        return passed(permissions="".join(sorted(token.permissions)))
    missing = "".join(letter for letter in needed if letter not in token.permissions)
    if missing or cannot_list:
        return failed(missing=missing or "l", needed=needed, permissions="".join(sorted(token.permissions)))
    return passed(permissions="".join(sorted(token.permissions)))


_PERMISSION_NAMES: Final = {"r": "Read", "w": "Write", "l": "List", "a": "Add", "d": "Delete"}


@sas_permissions_missing.described_by
def _sas_permissions_missing(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    letters = str(facts.get("missing", ""))
    lacks = ", ".join(_PERMISSION_NAMES.get(letter, letter) for letter in letters)
    needed = remedies.needed_permissions(evidence)
    direction = remedies.direction_of(evidence)
    return Description(
        f"{token_name(evidence)} lacks {lacks or 'a permission'}, which an {(direction or 'import').lower()} needs.",
        f"Sign a token with the permissions {needed} and store it as a new version of the same secret.",
        remedies.new_token(evidence),
        remedies.try_token(evidence.names),
    )


@rule(
    *("ACRT307", "sas-not-https-only"),
    area=Area.SAS,
    severity=Severity.LOW,
    subject=Subject.PIPELINE,
    step=Step.TOKEN,
    applies=uses_sas,
    causes=False,
)
def sas_not_https_only(evidence: Evidence) -> Verdict:
    """The SAS token is for HTTPS only.

    What it checks: that the token says ``spr=https``. Without ``spr`` it is good over plain HTTP too.

    Why it matters: who sees one plain request holds the token. It never makes a run fail, because the service
    uses HTTPS itself.

    How we know: with ``SAS_INSPECTION=value`` from the token itself.

    How to fix: sign the next token with ``--https-only``.

    What can make it wrong: nothing known.

    References: ACR Transfer troubleshooting, "Problems accessing storage".
    """
    token = evidence.sas
    if not isinstance(token, SasToken):
        return without_token(token)
    return passed() if token.https_only else warned(protocol=token.protocol or "absent")


@sas_not_https_only.described_by
def _sas_not_https_only(evidence: Evidence, _facts: Mapping[str, object]) -> Description:
    return Description(
        f"{token_name(evidence)} may be used over plain HTTP.",
        "Sign the next token for HTTPS only (spr=https) and store it as a new version of the same secret.",
        remedies.new_token(evidence),
        remedies.try_token(evidence.names),
    )


@rule(
    *("ACRT311", "sas-malformed"),
    area=Area.SAS,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.TOKEN,
    applies=uses_sas,
)
def sas_malformed(evidence: Evidence) -> Verdict:
    """The secret holds a SAS token.

    What it checks: that the secret's value reads as a token: with a signature, a version, an end and either
    ``sr`` (service SAS) or ``ss`` and ``srt`` (account SAS). A leading ``?`` is fine.

    Why it matters: a connection string, an account key, a whole URL or a token in quotation marks is refused
    by Storage with a message that speaks of authentication only.

    How we know: with ``SAS_INSPECTION=value`` from the value's shape, of which nothing is kept; otherwise from
    the run's message.

    How to fix: store the token alone, without quotation marks and without the URL before it.

    What can make it wrong: a field that a newer version of Storage made mandatory.

    References: Azure Storage, "Create a service SAS" and "Create an account SAS".
    """
    token = evidence.sas
    if isinstance(token, Malformed):
        return failed(why=token.why)
    return passed() if isinstance(token, SasToken) else without_token(token)


@sas_malformed.described_by
def _sas_malformed(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    names = evidence.names
    why = facts.get("why")
    return Description(
        f"Secret '{names.secret}' of key vault '{names.vault}' holds no SAS token"
        f"{f': {why}' if why else ''} (pipeline '{names.pipeline}').",
        "Store the token alone as a new version of the secret: no quotation marks, no URL before it, no connection "
        "string.",
        remedies.new_token(evidence),
        remedies.try_token(names),
    )
