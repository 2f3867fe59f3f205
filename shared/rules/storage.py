"""Rules about the storage account and the container that a pipeline uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.addresses import AddressProblem, BadAddress
from shared.evidence.model import Evidence, ProbeResult
from shared.evidence.pieces import Missing, Unavailable
from shared.records.storage import Blob, Container, StorageAccount
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
)
from shared.rules.words import PERIMETER, container_words, named, pipeline_words, run_words, sentence, shortened

# What Storage answers where a container is not, or not any more; a blob in it is missing with the same words.
_NO_CONTAINER_CODES: Final = frozenset({"ContainerNotFound", "ContainerBeingDeleted", "ContainerDisabled"})


@rule(
    *("ACRT401", "container-missing"),
    area=Area.STORAGE,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.CONTAINER,
)
def container_missing(evidence: Evidence) -> Verdict:
    """The container that the pipeline names exists.

    What it checks: that the pipeline's address names a container and that the storage account has it.

    Why it matters: neither an export nor an import makes the container. A run fails when it first asks for it,
    and a source trigger finds nothing there, without a word.

    How we know: from ARM, from one List with the pipeline's own token where ``SAS_INSPECTION=value`` allows it,
    and from what Storage says when it is asked for the blob. A blob that can be read proves its container.

    How to fix: make the container, or correct the name that the pipeline has if the container lives under
    another one. Container names are in lower case. A container that was deleted by mistake can be brought back
    while the account's soft delete for containers keeps it.

    What can make it wrong: a container that is being deleted keeps its name for some time; a container that was
    made between the failure and the look.

    References: Azure Storage, "Naming and referencing containers, blobs, and metadata" and "Soft delete for
    containers"; ACR Transfer troubleshooting, "Problems with export or import of storage blobs".
    """
    address = evidence.container_address
    if isinstance(address, BadAddress):
        if address.problem is AddressProblem.NO_CONTAINER:
            return failed(address=address.text, why=str(address.problem))
        return not_applicable()
    code = evidence.probe_code
    if code not in _NO_CONTAINER_CODES and isinstance(evidence.blob, Missing):
        code = evidence.blob.code
    if code in _NO_CONTAINER_CODES:
        return failed(code=code)
    container = evidence.container
    if isinstance(container, Missing):
        return failed(missing=True)
    if isinstance(container, Container):
        return failed(deleted=True) if container.deleted else passed()
    opened = isinstance(evidence.probe, ProbeResult) and evidence.probe.allowed
    return passed() if opened or isinstance(evidence.blob, Blob) else unknown(container)


@container_missing.described_by
def _container_missing(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    names = evidence.names
    if facts.get("address") is not None:
        return Description(
            f"{sentence(pipeline_words(evidence))} names no container: its address is '{facts['address']}'.",
            "Write the pipeline again with https://<account>.blob.<suffix>/<container> as its address; one container, "
            "no folder behind it.",
            verify_command=remedies.show_pipeline(evidence.known_pipeline, names),
        )
    how = "has been deleted" if facts.get("deleted") or "Being" in str(facts.get("code")) else "does not exist"
    if not facts:
        how = f"was not there when {run_words(evidence)} asked for it"
    return Description(
        f"{sentence(container_words(evidence))}, which {pipeline_words(evidence)} uses, {how}.",
        "If the name is right, make the container; if it was deleted by mistake, restore it in the portal while soft "
        "delete keeps it. If the name is wrong, write the pipeline again with the right one.",
        _on_container(evidence, "create"),
        _on_container(evidence, "exists"),
    )


def _on_container(evidence: Evidence, verb: str) -> str:
    names = evidence.names
    return shell(
        *("az", "storage", "container", verb, "--account-name", names.account, "--name", names.container),
        *("--auth-mode", "login"),
    )


@rule(
    *("ACRT405", "storage-network-blocked"),
    area=Area.STORAGE,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.NETWORK,
)
def storage_network_blocked(evidence: Evidence) -> Verdict:
    """The storage account lets the transfer service in from its own network.

    What it checks: that the account's public endpoint is on and its default network rule is to allow.

    Why it matters: the service comes from Microsoft's network, not from yours. Container Registry is none of the
    services that Storage trusts, so neither the exception for trusted services nor an IP rule, a virtual network
    rule or a private endpoint lets it in, and it makes no difference whether the pipeline has a SAS token or a
    managed identity. Storage answers 403 without a reason.

    How we know: from the account's settings through ARM. In a run's message it is the bare sentence that the
    request is not authorized to perform this operation. Of an account in a network security perimeter the settings
    say nothing either way: its rules can't be seen from here, so that only a run's message tells.

    How to fix: have transfers use an account of their own whose endpoint is open to all networks, where the token
    or the role is what protects the data; or open this one, if its owner agrees. Of a perimeter the owner has to be
    asked.

    What can make it wrong: a setting that was changed after the run; that Container Registry has become a trusted
    service since this was written; a network security perimeter that gives the bare sentence for another reason.

    References: Azure Storage, "Configure Azure Storage firewalls and virtual networks", on trusted services;
    issue 857 of the repository Azure/acr.
    """
    account = evidence.account
    if isinstance(account, Unavailable):
        return unknown(account)
    if isinstance(account, Missing):
        return not_applicable()
    facts: dict[str, Any] = {
        "publicNetworkAccess": account.public_network_access or None,
        "defaultAction": account.default_action or None,
        "bypass": account.bypass or None,
        "networkRules": account.network_rules,
    }
    if account.in_perimeter and not _named_by_message(evidence):
        return unknown(Unavailable(PERIMETER, account.id, by_choice=True), **facts)
    return failed(**facts) if account.in_perimeter or account.network_is_closed else passed()


def _named_by_message(evidence: Evidence) -> bool:
    """Whether Storage told the run itself that it was its network rules, or those of a perimeter."""
    return any(claim.decides and claim.rules == ("ACRT405",) for claim in evidence.message.claims)


@storage_network_blocked.described_by
def _storage_network_blocked(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    names = evidence.names
    if isinstance(evidence.account, StorageAccount) and evidence.account.in_perimeter:
        return Description(
            f"{sentence(named('storage account', names.account))} keeps the transfer service out: {PERIMETER}, so "
            f"{pipeline_words(evidence)} can't use {named('container', names.container)}.",
            "Ask the owner of the perimeter whether it has an inbound rule that lets the service in, or move the "
            "transfers to an account of their own outside of it, where the token or the role protects the data.",
            verify_command=_show_account(evidence),
        )
    public = str(facts.get("publicNetworkAccess") or "")
    if public.lower() == "disabled":
        how = f"public network access is {public}"
    elif facts.get("defaultAction"):
        how = f"its firewall's default action is {facts['defaultAction']}"
    elif _named_by_message(evidence):
        how = "its network rules refused a request"
    else:
        how = "it refused a request without giving a reason, which is what its network rules do"
    opening = shell(
        *("az", "storage", "account", "update", "--ids", names.account_id),
        *("--public-network-access", "Enabled", "--default-action", "Allow"),
    )
    return Description(
        f"{sentence(named('storage account', names.account))} keeps the transfer service out: {how}, so "
        f"{pipeline_words(evidence)} can't use {named('container', names.container)}.",
        "Container Registry is no trusted service for Storage: no exception, IP rule or private endpoint lets it in. "
        "Open the account to all networks, where the token or the role still protects the data, or move the transfers "
        "to an account of their own that is open. Whether this account may be opened is for its owner to decide: it "
        "holds nothing but transfers in the best case.",
        opening,
        _show_account(evidence),
    )


def _show_account(evidence: Evidence) -> str:
    query = (
        "{status:statusOfPrimary, state:provisioningState, public:publicNetworkAccess, "
        "default:networkRuleSet.defaultAction, endpoint:primaryEndpoints.blob}"
    )
    return shell("az", "storage", "account", "show", "--name", evidence.names.account, "--query", query)


_NO_ACCOUNT: Final = frozenset(
    {AddressProblem.NOT_HTTPS, AddressProblem.NO_ACCOUNT_HOST, AddressProblem.WRONG_CLOUD},
)
_OUT_OF_SERVICE: Final = frozenset({"disabled", "unavailable", "deleting"})


@rule(
    *("ACRT407", "storage-account-unreachable"),
    area=Area.STORAGE,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.NETWORK,
)
def storage_account_unreachable(evidence: Evidence) -> Verdict:
    """The storage account that the pipeline names exists and is in service.

    What it checks: that the pipeline's address is an https blob endpoint of the cloud that the registry is in,
    that the account behind it exists, and that it is neither disabled nor unavailable.

    Why it matters: nothing of a transfer works without the account, and a name that leads nowhere shows up only
    as a failure to connect.

    How we know: from the shape of the address, from ARM, and from whether the name of the account resolves.

    How to fix: correct the address, with the storage suffix of the registry's own cloud. For an account that was
    deleted, make it again or have it restored; one that is disabled waits for its subscription.

    What can make it wrong: an account in a subscription that the monitor does not see is not called missing while
    its name resolves. An account with a DNS zone endpoint can't be judged.

    References: Azure Storage, "Storage account overview", on endpoints, and "Recover a deleted storage account".
    """
    address = evidence.container_address
    if isinstance(address, BadAddress):
        if address.problem in _NO_ACCOUNT:
            return failed(address=address.text, why=str(address.problem))
        if address.problem is AddressProblem.DNS_ZONE:
            return unknown(Unavailable(str(address.problem), address.text))
        return not_applicable()
    if "AccountIsDisabled" in {evidence.probe_code, evidence.blob.code if isinstance(evidence.blob, Missing) else ""}:
        return failed(state="disabled")
    account = evidence.account
    if isinstance(account, Missing) or isinstance(evidence.probe, Missing):
        return failed(missing=True)
    if isinstance(account, StorageAccount):
        states = (account.status_of_primary, account.provisioning_state)
        state = next((state for state in states if state.lower() in _OUT_OF_SERVICE), "")
        return failed(confidence=Confidence.LIKELY, state=state) if state else passed()
    answered = isinstance(evidence.probe, ProbeResult) or isinstance(evidence.blob, Blob)
    return passed() if answered else unknown(account)


@storage_account_unreachable.described_by
def _storage_account_unreachable(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    names = evidence.names
    pipeline = pipeline_words(evidence)
    if facts.get("address") is not None:
        return Description(
            f"{sentence(pipeline)} has '{shortened(str(facts['address']))}' for its storage, which can't be used: "
            f"{facts.get('why')}.",
            "Write the pipeline again with the container's address in this cloud: "
            f"https://<account>.blob.{evidence.cloud.storage_dns_suffix}/<container>.",
            verify_command=remedies.show_pipeline(evidence.known_pipeline, names),
        )
    account = named("storage account", names.account)
    state = str(facts.get("state") or "").lower()
    if state:
        return Description(
            f"{sentence(account)}, which {pipeline} uses, is {state}.",
            "Bring the account back into service: look at its subscription first, since one that is past due or "
            "disabled takes its accounts along, then at the region's health.",
            verify_command=_show_account(evidence),
        )
    how = "can't be reached: there is no account of that name"
    if not facts:
        how = f"could not be reached by {run_words(evidence)}"
    return Description(
        f"{sentence(account)}, which {pipeline} uses, {how}.",
        "Compare the name in the pipeline with the accounts that there are. If the account was deleted, make it again "
        "or have it restored, with its container; else write the pipeline again with the right address.",
        verify_command=_show_account(evidence),
    )
