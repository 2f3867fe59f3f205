"""Rules about what a SAS token reaches: services, kinds of resources, and from which addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.evidence.model import Evidence
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
    passed,
    rule,
    uses_sas,
)
from shared.rules.sas import token_name, without_token
from shared.sas_token import SasKind, SasToken

# Some organisations' policies want a range in every token, and get one that holds all addresses.
_EVERYWHERE: Final = "0.0.0.0-255.255.255.255"
_RESOURCE_TYPES: Final = {"s": "Service", "c": "Container", "o": "Object"}


@rule(
    *("ACRT306", "sas-resource-types-missing"),
    area=Area.SAS,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.TOKEN,
    applies=uses_sas,
)
def sas_resource_types_missing(evidence: Evidence) -> Verdict:
    """An account SAS reaches services, containers and objects.

    What it checks: that an account SAS says ``srt=sco``, in any order. A token for a container has no such
    field and needs none.

    Why it matters: without Container nothing can be listed, without Object no blob is read or written;
    Storage answers 403 ``AuthorizationResourceTypeMismatch``.

    How we know: with ``SAS_INSPECTION=value`` from the token itself and from one List with it; otherwise from
    the run's message.

    How to fix: sign a token for the container, which is the smaller one and needs no resource types, and
    store it as a new version of the same secret.

    What can make it wrong: a token that lacks Service only: ACR's documentation asks for it, and Storage may
    not.

    References: Azure Storage, "Create an account SAS"; ACR Transfer troubleshooting, "Problems accessing
    storage".
    """
    token = evidence.sas
    if not isinstance(token, SasToken):
        return without_token(token)
    if token.kind is not SasKind.ACCOUNT:
        return passed(kind=str(token.kind))
    has = "".join(sorted(token.resource_types))
    missing = "".join(letter for letter in _RESOURCE_TYPES if letter not in token.resource_types)
    if missing or evidence.probe_code == "AuthorizationResourceTypeMismatch":
        sure = Confidence.LIKELY if missing == "s" else Confidence.CONFIRMED
        return failed(confidence=sure, missing=missing, resourceTypes=has)
    return passed(resourceTypes=has)


@sas_resource_types_missing.described_by
def _sas_resource_types_missing(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    lacks = ", ".join(_RESOURCE_TYPES.get(letter, letter) for letter in str(facts.get("missing", "")))
    return Description(
        f"{token_name(evidence)} is an account SAS that lacks {lacks or 'a resource type'} (it needs srt=sco).",
        "Sign a token for the container instead, which needs no resource types, and store it as a new version of the "
        "same secret. If it has to be an account SAS, sign it with srt=sco.",
        remedies.new_token(evidence),
        remedies.try_token(evidence.names),
    )


@rule(
    *("ACRT308", "sas-service-missing"),
    area=Area.SAS,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.TOKEN,
    applies=uses_sas,
)
def sas_service_missing(evidence: Evidence) -> Verdict:
    """An account SAS is good for the Blob service.

    What it checks: that an account SAS names ``b`` among its services (``ss``). A token for a container has
    no such field and needs none.

    Why it matters: a token for files, queues or tables is refused by the Blob service with 403
    ``AuthorizationServiceMismatch``.

    How we know: with ``SAS_INSPECTION=value`` from the token itself and from one List with it; otherwise from
    the run's message.

    How to fix: sign a token for the container and store it as a new version of the same secret.

    What can make it wrong: nothing known.

    References: Azure Storage, "Create an account SAS".
    """
    token = evidence.sas
    if not isinstance(token, SasToken):
        return without_token(token)
    if token.kind is not SasKind.ACCOUNT:
        return passed(kind=str(token.kind))
    services = "".join(sorted(token.services))
    if "b" not in token.services or evidence.probe_code == "AuthorizationServiceMismatch":
        return failed(services=services)
    return passed(services=services)


@sas_service_missing.described_by
def _sas_service_missing(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    services = facts.get("services")
    said = f" (ss={services})" if services else ""
    return Description(
        f"{token_name(evidence)} is an account SAS that is not good for the Blob service{said}.",
        "Sign a token for the container instead, which is always for blobs, and store it as a new version of the same "
        "secret. If it has to be an account SAS, sign it with b among its services.",
        remedies.new_token(evidence),
        remedies.try_token(evidence.names),
    )


@rule(
    *("ACRT310", "sas-ip-restricted"),
    area=Area.SAS,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.TOKEN,
    applies=uses_sas,
)
def sas_ip_restricted(evidence: Evidence) -> Verdict:
    """The SAS token may be used from any address.

    What it checks: whether the token is bound to addresses (``sip``).

    Why it matters: the service reads and writes from addresses of its own, which it does not publish. A token
    that is bound to somebody's office is refused with 403 ``AuthorizationSourceIPMismatch``.

    How we know: with ``SAS_INSPECTION=value`` from the token itself, and for certain if Storage refuses one
    List with it for its address; otherwise from the run's message.

    How to fix: sign a token without addresses and store it as a new version of the same secret.

    What can make it wrong: a range so wide that it holds the service's addresses too.

    References: Azure Storage, "Create a service SAS", on the signed IP range.
    """
    token = evidence.sas
    if not isinstance(token, SasToken):
        return without_token(token)
    refused = evidence.probe_code == "AuthorizationSourceIPMismatch"
    if refused or (token.ip_range and token.ip_range != _EVERYWHERE):
        sure = Confidence.CONFIRMED if refused else Confidence.LIKELY
        return failed(confidence=sure, ipRange=token.ip_range)
    return passed()


@sas_ip_restricted.described_by
def _sas_ip_restricted(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    addresses = facts.get("ipRange")
    said = f" {addresses}" if addresses else ""
    return Description(
        f"{token_name(evidence)} may only be used from certain addresses{said}, and the service comes from others.",
        "Sign a token that is not bound to addresses and store it as a new version of the same secret.",
        remedies.new_token(evidence),
        remedies.try_token(evidence.names),
    )
