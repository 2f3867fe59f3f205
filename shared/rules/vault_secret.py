"""Rules about the secret that holds the SAS token; never about its value."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from shared.addresses import AddressProblem, BadAddress, SecretAddress
from shared.evidence.model import Evidence, Malformed
from shared.evidence.pieces import Missing, Unavailable
from shared.records.key_vault import SecretAttributes
from shared.records.transfer import Pipeline
from shared.rules import remedies
from shared.rules.commands import shell
from shared.rules.key_vault import secret_words, shown_address
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
    uses_sas,
    warned,
)
from shared.rules.words import pipeline_words, sentence
from shared.sas_token import SasToken
from shared.settings import SasInspection

_OTHER_VERSION: Final = Unavailable(
    "the pipeline names a version of the secret that is not the newest one, and only the newest one's attributes "
    "are known",
    by_choice=True,
)


def names_other_version(evidence: Evidence) -> bool:
    """Whether the pipeline names a version, and not the one that the secret's attributes are about."""
    address, secret = evidence.secret_address, evidence.secret
    if not isinstance(address, SecretAddress) or not address.version or not isinstance(secret, SecretAttributes):
        return False
    return address.version.lower() != secret.version.lower()


def expiry_date(evidence: Evidence) -> datetime | None:
    """The date that the vault gives for the version that the pipeline reads, as far as that is known."""
    secret = evidence.secret
    return secret.expires_on if isinstance(secret, SecretAttributes) and not names_other_version(evidence) else None


def _secret_of(evidence: Evidence) -> SecretAttributes | Verdict:
    """The secret's attributes, or the verdict where there are none: ACRT204, ACRT205 and ACRT207 say why."""
    if isinstance(evidence.vault, Missing) or not isinstance(evidence.secret_address, SecretAddress):
        return not_applicable()
    secret = evidence.secret
    if isinstance(secret, Missing):
        return not_applicable()
    return unknown(secret) if isinstance(secret, Unavailable) else secret


def _value_was_read(evidence: Evidence) -> bool:
    return isinstance(evidence.sas, SasToken | Malformed)


@rule(
    *("ACRT203", "secret-disabled"),
    area=Area.KEY_VAULT,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.VAULT,
    applies=uses_sas,
)
def secret_disabled(evidence: Evidence) -> Verdict:
    """The secret is enabled.

    What it checks: that the version of the secret which the pipeline reads is enabled.

    Why it matters: a disabled secret is refused to everybody, whatever their rights. An expired one is not:
    its date is a note, and the vault still gives it out.

    How we know: from the secret's attributes, from the vault's answer to the monitor where it reads the token
    itself, or from the run's message.

    How to fix: find out why it was disabled. If the token was leaked, store a new one; if it was a slip,
    enable the version again.

    What can make it wrong: a pipeline that names an older version, whose attributes are not looked at.

    References: Key Vault, "About secrets", on secret attributes and date-time controlled operations.
    """
    if evidence.vault_refusal == "SecretDisabled":
        return failed(vaultRefusal=evidence.vault_refusal)
    secret = _secret_of(evidence)
    if isinstance(secret, Verdict):
        return secret
    if names_other_version(evidence):
        return passed() if _value_was_read(evidence) else unknown(_OTHER_VERSION)
    return passed(version=secret.version) if secret.enabled else failed(version=secret.version)


@secret_disabled.described_by
def _secret_disabled(evidence: Evidence, _facts: Mapping[str, object]) -> Description:
    names = evidence.names
    address = evidence.secret_address
    version = ("--version", address.version) if isinstance(address, SecretAddress) and address.version else ()
    return Description(
        f"{sentence(secret_words(evidence))} is disabled, so {pipeline_words(evidence)} can't read its SAS token.",
        "Ask whoever disabled it first: if the token was leaked, store a new one as a new version of the secret. If it "
        "was disabled by mistake, enable it again.",
        shell(
            *("az", "keyvault", "secret", "set-attributes", "--vault-name", names.vault, "--name", names.secret),
            *(*version, "--enabled", "true", "--output", "none"),
        ),
        remedies.show_secret_versions(names),
    )


@rule(
    *("ACRT204", "secret-missing"),
    area=Area.KEY_VAULT,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.VAULT,
    applies=uses_sas,
)
def secret_missing(evidence: Evidence) -> Verdict:
    """The secret exists.

    What it checks: that the vault holds the secret that the pipeline names, at the version that it names.

    Why it matters: without the secret there is no token, and every run fails before it reaches storage.

    How we know: from the vault, through Azure Resource Manager or its own answer, or from the run's message.
    A secret that was deleted a short while ago looks the same from here as one that never was.

    How to fix: recover the secret if it was deleted: until it is recovered or purged its name can't be used
    again. If it never was, store a token under the name, or write the pipeline again with the right one.

    What can make it wrong: a secret that was created within the last minute.

    References: Key Vault, "Soft-delete overview"; ACR Transfer, "Prerequisites", on storing the token.
    """
    token = evidence.sas
    refusals = {evidence.vault_refusal, token.code if isinstance(token, Missing) else ""}
    if "SecretNotFound" in refusals:
        return failed(vaultRefusal="SecretNotFound", versionOnly=isinstance(evidence.secret, SecretAttributes))
    if isinstance(evidence.vault, Missing) or not isinstance(evidence.secret_address, SecretAddress):
        return not_applicable()
    if isinstance(evidence.secret, Missing):
        return failed()
    if isinstance(evidence.secret, Unavailable):
        return passed() if _value_was_read(evidence) else unknown(evidence.secret)
    if names_other_version(evidence) and not _value_was_read(evidence):
        return unknown(_OTHER_VERSION)
    return passed(version=evidence.secret.version)


@secret_missing.described_by
def _secret_missing(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    names = evidence.names
    if facts.get("versionOnly"):
        return Description(
            f"{sentence(secret_words(evidence))} no longer has the version that {pipeline_words(evidence)} names.",
            "Write the pipeline again with the secret's address without a version: it then always reads the newest.",
            remedies.write_pipeline(evidence, remedies.newest_secret_uri(evidence)),
            remedies.show_secret_versions(names),
        )
    return Description(
        f"{sentence(secret_words(evidence))}, which {pipeline_words(evidence)} takes its SAS token from, is not there.",
        "If the secret was deleted, recover it. If it never existed, store a new token under this name, or write the "
        "pipeline again with the name of the right secret.",
        shell("az", "keyvault", "secret", "recover", "--vault-name", names.vault, "--name", names.secret),
        remedies.show_secret_versions(names),
    )


@rule(
    *("ACRT205", "secret-uri-invalid"),
    area=Area.KEY_VAULT,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.VAULT,
    applies=uses_sas,
)
def secret_uri_invalid(evidence: Evidence) -> Verdict:
    """The pipeline names its secret by a valid address.

    What it checks: that the address begins with ``https://``, has the host of a key vault and the path
    ``/secrets/<name>``, with or without a version.

    Why it matters: the service takes any text when the pipeline is made, and the command line only warns. The
    first run is what finds out.

    How we know: from the pipeline.

    How to fix: write the pipeline again with the address of the secret, best without a version.

    What can make it wrong: a vault behind a host name of somebody's own.

    References: Key Vault, "About keys, secrets, and certificates", on identifiers.
    """
    address = evidence.secret_address
    if isinstance(address, SecretAddress):
        return passed()
    if isinstance(address, BadAddress) and address.text.strip():
        # Another cloud's vault is a valid address in the wrong place: ACRT207.
        wrong_cloud = address.problem is AddressProblem.WRONG_CLOUD
        return not_applicable() if wrong_cloud else failed(address=shown_address(address), why=str(address.problem))
    pipeline = evidence.pipeline
    if isinstance(pipeline, Unavailable):
        return unknown(pipeline)
    if isinstance(pipeline, Pipeline) and not pipeline.key_vault_uri.strip():
        return failed(address="", why="it is empty")
    return not_applicable()


@secret_uri_invalid.described_by
def _secret_uri_invalid(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    why = f": {facts['why']}" if facts.get("why") else ""
    address = f" ('{facts['address']}')" if facts.get("address") else ""
    suffix = evidence.cloud.key_vault_dns_suffix
    return Description(
        f"{sentence(pipeline_words(evidence))} has no valid address of its secret{address}{why}.",
        f"Write the pipeline again with the secret's address, https://<vault>.{suffix}/secrets/<name>.",
        "",
        remedies.show_pipeline(evidence.known_pipeline, evidence.names),
    )


@rule(
    *("ACRT206", "secret-version-pinned"),
    area=Area.KEY_VAULT,
    severity=Severity.MEDIUM,
    subject=Subject.PIPELINE,
    step=Step.VAULT,
    applies=uses_sas,
    causes=False,
)
def secret_version_pinned(evidence: Evidence) -> Verdict:
    """The pipeline reads the newest version of its secret.

    What it checks: whether the pipeline's address names a version, and whether that is still the newest.

    Why it matters: a new token is stored as a new version. A pipeline that names an older one goes on with
    the old token until it ends, however often the token is renewed.

    How we know: from the pipeline's address and the newest version that the vault has.

    How to fix: write the pipeline again with the secret's address without a version.

    What can make it wrong: a version that is named on purpose, because every change has to be approved.

    References: Key Vault, "About keys, secrets, and certificates", on object versioning.
    """
    secret = _secret_of(evidence)
    address = evidence.secret_address
    if isinstance(address, SecretAddress) and not address.version:
        return passed()
    if isinstance(secret, Verdict):
        return secret
    if not secret.version:
        return unknown(Unavailable("the vault does not say which version is the newest", by_choice=True))
    if names_other_version(evidence) and isinstance(address, SecretAddress):
        return warned(version=address.version, newestVersion=secret.version)
    return passed(version=secret.version)


@secret_version_pinned.described_by
def _secret_version_pinned(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    versions = f" ({facts['version']}, the newest is {facts['newestVersion']})" if "newestVersion" in facts else ""
    return Description(
        f"{sentence(pipeline_words(evidence))} reads an old version of {secret_words(evidence)}{versions}.",
        "Write the pipeline again with the secret's address without a version, so that it picks up renewed tokens.",
        remedies.write_pipeline(evidence, remedies.newest_secret_uri(evidence)),
        remedies.show_secret_versions(evidence.names),
    )


@rule(
    *("ACRT208", "secret-expiry-unset"),
    area=Area.KEY_VAULT,
    severity=Severity.LOW,
    subject=Subject.PIPELINE,
    step=Step.VAULT,
    applies=uses_sas,
    causes=False,
)
def secret_expiry_unset(evidence: Evidence) -> Verdict:
    """The secret has an expiry date.

    What it checks: whether the secret has an expiry date, where that is all that the monitor may know of its
    token (``SAS_INSPECTION=metadata``).

    Why it matters: the token inside ends on a day that nobody sees coming. With the date on the secret, the
    monitor and Key Vault's own events warn in time.

    How we know: from the secret's attributes.

    How to fix: give the secret the date on which its token ends, or let the monitor read the token with
    ``SAS_INSPECTION=value``.

    What can make it wrong: a token that is renewed by machine long before it ends.

    References: Key Vault, "About secrets", on expiry dates; Key Vault as an Event Grid source.
    """
    if evidence.sas_inspection is not SasInspection.METADATA:
        return not_applicable()
    secret = _secret_of(evidence)
    if isinstance(secret, Verdict):
        return secret
    if names_other_version(evidence):
        return unknown(_OTHER_VERSION)
    return passed(expiresOn=secret.expires_on) if secret.expires_on else warned(version=secret.version)


@secret_expiry_unset.described_by
def _secret_expiry_unset(evidence: Evidence, _facts: Mapping[str, object]) -> Description:
    return Description(
        f"{sentence(secret_words(evidence))} has no expiry date, so the end of the SAS token of "
        f"{pipeline_words(evidence)} can't be watched.",
        "Give the secret the date on which its token ends. The command takes it from the token itself and shows "
        "nothing of it; a token whose dates live in a stored access policy has none to take.",
        remedies.match_secret_expiry(evidence.names),
        remedies.show_secret_versions(evidence.names),
    )
