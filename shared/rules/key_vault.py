"""Rules about the key vault that holds the SAS token: whether it is there and whether the way to it is open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.addresses import AddressProblem, BadAddress, SecretAddress
from shared.evidence.model import Evidence
from shared.evidence.pieces import Missing, Unavailable
from shared.records.key_vault import Vault
from shared.redaction import redact
from shared.rules import remedies
from shared.rules.commands import shell
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
)
from shared.rules.words import PERIMETER, named, pipeline_words, sentence, shortened


def vault_words(evidence: Evidence) -> str:
    """``key vault 'contosokv'``."""
    return named("key vault", evidence.names.vault)


def secret_words(evidence: Evidence) -> str:
    """``secret 'transfer-sas' of key vault 'contosokv'``."""
    return f"{named('secret', evidence.names.secret)} of {vault_words(evidence)}"


def vault_of(evidence: Evidence) -> Vault | Verdict:
    """The vault, or the verdict where there is none to judge: ACRT205 and ACRT207 say why."""
    vault = evidence.vault
    if isinstance(vault, Missing) or not isinstance(evidence.secret_address, SecretAddress):
        return not_applicable()
    return unknown(vault) if isinstance(vault, Unavailable) else vault


def shown_address(address: BadAddress) -> str:
    """What somebody wrote as an address, without secrets and not too long."""
    return shortened(redact(address.text), 200)


@rule(
    *("ACRT202", "vault-network-blocked"),
    area=Area.KEY_VAULT,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.VAULT,
    applies=uses_sas,
)
def vault_network_blocked(evidence: Evidence) -> Verdict:
    """The vault's network rules let the service in.

    What it checks: a vault that is closed to the internet, by its firewall or because public access is off,
    must let trusted Microsoft services pass.

    Why it matters: the service asks the vault from Azure's own network. Its addresses can't be listed in a
    firewall; being a trusted service is its only way in.

    How we know: from the vault's network settings, or from the run's message, where Key Vault says that
    neither the address nor the service is allowed.

    How to fix: allow trusted Microsoft services on the vault. Its firewall stays as it is otherwise.

    What can make it wrong: a network security perimeter, whose rules can't be seen from here; whether the
    way for trusted services also holds for user-assigned identities is not documented.

    References: Key Vault, "Configure network security", on trusted services.
    """
    vault = vault_of(evidence)
    if isinstance(vault, Verdict):
        return vault
    facts: dict[str, Any] = {
        "publicNetworkAccess": vault.public_network_access,
        "defaultAction": vault.default_action,
        "bypass": vault.bypass,
    }
    if vault.in_perimeter:
        return unknown(Unavailable(PERIMETER, vault.id, by_choice=True), **facts)
    return failed(**facts) if vault.network_is_closed else passed(**facts)


@vault_network_blocked.described_by
def _vault_network_blocked(evidence: Evidence, _facts: Mapping[str, object]) -> Description:
    name = evidence.names.vault
    shown = "{public:properties.publicNetworkAccess, rules:properties.networkAcls}"
    return Description(
        f"{sentence(vault_words(evidence))} is closed to the network and does not let trusted Microsoft services pass, "
        f"so {pipeline_words(evidence)} can't fetch its SAS token.",
        "Allow trusted Microsoft services on the vault; its firewall stays closed to everybody else. If the vault lies "
        "in a network security perimeter, ask its owner for an inbound rule instead.",
        shell("az", "keyvault", "update", "--name", name, "--bypass", "AzureServices"),
        shell("az", "keyvault", "show", "--name", name, "--query", shown),
    )


@rule(
    *("ACRT207", "vault-unreachable"),
    area=Area.KEY_VAULT,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.VAULT,
    applies=uses_sas,
)
def vault_unreachable(evidence: Evidence) -> Verdict:
    """The vault that the pipeline names exists.

    What it checks: that the vault is there, and that its host belongs to the cloud of the registry.

    Why it matters: without the vault there is no token, and every run fails at once.

    How we know: the vault is neither among those that the monitor may see nor does its host name resolve; or
    the run's message says that a vault's name does not resolve.

    How to fix: recover the vault if it was deleted, which keeps its secrets; otherwise point the pipeline at
    the right one. The host ends in the suffix of the cloud, which differs between public and sovereign clouds.

    What can make it wrong: name servers of the monitor's network that do not know a private endpoint's zone.

    References: Key Vault, "Soft-delete overview"; the list of DNS suffixes of each Azure cloud.
    """
    address = evidence.secret_address
    if isinstance(address, BadAddress):
        wrong = address.problem is AddressProblem.WRONG_CLOUD
        return failed(address=shown_address(address), wrongCloud=True) if wrong else not_applicable()
    if address is None:
        return not_applicable()
    vault = evidence.vault
    if isinstance(vault, Missing):
        return failed(vault=address.vault)
    return unknown(vault) if isinstance(vault, Unavailable) else passed(vault=vault.name)


@vault_unreachable.described_by
def _vault_unreachable(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    suffix = evidence.cloud.key_vault_dns_suffix
    if facts.get("wrongCloud"):
        return Description(
            f"{sentence(pipeline_words(evidence))} names a secret in another cloud ('{facts.get('address', '')}'): "
            f"here the host of a key vault ends in {suffix}.",
            "Write the pipeline again with the address of a secret in a vault of this cloud.",
            "",
            remedies.check_again(evidence.names.pipeline_id),
        )
    name = evidence.names.vault
    return Description(
        f"{sentence(vault_words(evidence))}, where {pipeline_words(evidence)} looks for its SAS token, is not there.",
        "If the vault was deleted, recover it: its secrets and access policies come back with it. If the pipeline "
        f"names the wrong vault, write the pipeline again with the right address (https://<vault>.{suffix}/secrets/"
        "<name>).",
        shell("az", "keyvault", "recover", "--name", name),
        shell("az", "keyvault", "show", "--name", name, "--query", "properties.vaultUri"),
    )
