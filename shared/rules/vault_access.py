"""Rules about the pipeline's identity: whether it has one, and whether the vault lets it in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.evidence.model import Evidence
from shared.evidence.pieces import Missing, Unavailable
from shared.records.key_vault import Vault
from shared.records.transfer import Identity
from shared.rules import remedies
from shared.rules.commands import shell
from shared.rules.key_vault import secret_words, vault_of, vault_words
from shared.rules.model import (
    MENDED,
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
)
from shared.rules.words import container_words, pipeline_words, sentence

GET_SECRET: Final = "Microsoft.KeyVault/vaults/secrets/getSecret/action"  # noqa: S105 - an action, no secret
_PRINCIPAL_NOT_SAID: Final = "the pipeline does not say which principal its user-assigned identity has"


def _identity_of(evidence: Evidence) -> Identity | Verdict:
    """The pipeline's identity, or the verdict where there is none: ACRT113 and ACRT209 say why."""
    pipeline = evidence.pipeline
    if isinstance(pipeline, Unavailable):
        return unknown(pipeline)
    if isinstance(pipeline, Missing) or pipeline.identity is None:
        return not_applicable()
    return pipeline.identity


@rule(
    *("ACRT201", "vault-access-denied"),
    area=Area.KEY_VAULT,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.VAULT,
    applies=uses_sas,
)
def vault_access_denied(evidence: Evidence) -> Verdict:
    """The pipeline's identity may read the secret.

    What it checks: on a vault with access policies, that one of them gives the pipeline's identity Get on
    secrets; on a vault with Azure RBAC, that a role at the secret or above allows reading its value.

    Why it matters: the service takes the SAS token from the vault as the pipeline, so without this right no
    run gets as far as storage.

    How we know: from the vault's settings and, with Azure RBAC, from the role assignments of the identity,
    groups included. Otherwise from the run's message, where Key Vault names the identity that it refused.

    How to fix: give the identity Get by an access policy, or the role Key Vault Secrets User on the secret,
    whichever the vault uses. An access policy on a vault with Azure RBAC has no effect. A pipeline that was
    deleted and made again has a new identity, for which everything has to be granted anew.

    What can make it wrong: an access policy for a group that holds the identity, since memberships can't be
    seen from here: where runs have succeeded since the pipeline was made, it is only called possible until one
    fails. A deny assignment; a role that was given within the last minutes.

    References: Key Vault, "Assign an access policy" and "Azure role-based access control"; ACR Transfer
    troubleshooting, "Problems accessing Key Vault".
    """
    vault = vault_of(evidence)
    if isinstance(vault, Verdict):
        return vault
    identity = _identity_of(evidence)
    if isinstance(identity, Verdict):
        return identity
    if not identity.principals:
        return unknown(Unavailable(_PRINCIPAL_NOT_SAID, evidence.names.pipeline_id))
    return _judge_roles(evidence, vault, identity) if vault.uses_rbac else _judge_policies(evidence, vault, identity)


def _judge_policies(evidence: Evidence, vault: Vault, identity: Identity) -> Verdict:
    principals = {principal.lower() for principal in identity.principals}
    tenant = identity.tenant_id.lower()
    others = False
    for policy in vault.policies_reading():
        if tenant and policy.tenant_id and policy.tenant_id != tenant:
            continue
        if policy.object_id in principals:
            return passed(accessModel="policies")
        others = True
    return failed(
        confidence=_how_sure(evidence) if others else Confidence.CONFIRMED,
        accessModel="policies",
        principals=list(identity.principals),
        othersMayRead=others,
        lastSuccess=evidence.last_success,
    )


def _how_sure(evidence: Evidence) -> Confidence:
    """Any other policy may be one for a group that the identity is in, the more so if runs have succeeded with it."""
    pipeline, success = evidence.known_pipeline, evidence.last_success
    made = pipeline.created_at if pipeline else None
    has_worked = success is not None and (made is None or success > made)
    return Confidence.POSSIBLE if has_worked else Confidence.LIKELY


def _judge_roles(evidence: Evidence, vault: Vault, identity: Identity) -> Verdict:
    grants = evidence.vault_grants
    if isinstance(grants, Unavailable):
        return unknown(grants)
    if isinstance(grants, Missing):
        return not_applicable()
    allowing = [grant for grant in grants if grant.allows(GET_SECRET)]
    if any(not grant.conditional for grant in allowing):
        return passed(accessModel="roles")
    if allowing:
        why = "the role that allows it has a condition, which can't be judged from here"
        return unknown(Unavailable(why, vault.id, by_choice=True), roles=[grant.role_name for grant in allowing])
    return failed(
        accessModel="roles",
        principals=list(identity.principals),
        roles=[grant.role_name for grant in grants],
        policyWithoutEffect=bool(_own_policies(vault, identity.principals)),
    )


def _own_policies(vault: Vault, principals: tuple[str, ...]) -> frozenset[str]:
    """The rights on secrets that access policies give to the principals themselves."""
    wanted = {principal.lower() for principal in principals}
    return frozenset[str]().union(*(policy.secrets for policy in vault.access_policies if policy.object_id in wanted))


@vault_access_denied.described_by
def _vault_access_denied(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    names = evidence.names
    model = _access_model(evidence, facts)
    who = f" (identity {names.principal})" if names.principal else ""
    why = {
        "policies": ": no access policy of the vault gives its identity Get on secrets",
        "roles": ": its identity holds no role that allows it",
    }.get(model, "")
    if facts.get(MENDED):
        why = ""
    if facts.get("policyWithoutEffect"):
        why += ", and its access policy has no effect because the vault uses Azure RBAC"
    refused = evidence.message.object_id
    renewed = (
        f" The run was refused as identity {refused}, which is not the one that the pipeline has now."
        if refused and names.principal and refused != names.principal.lower()
        else ""
    )
    grouped = " If access is meant to come through a group, check that the identity is in it."
    return Description(
        f"{sentence(pipeline_words(evidence))}{who} may not read {secret_words(evidence)}{why}.",
        "Let the pipeline's current identity read the secret. A pipeline that was deleted and made again has a new "
        f"identity, and what the old one was given does not carry over.{renewed}"
        f"{grouped if facts.get('othersMayRead') else ''}",
        *_access_commands(evidence, model),
    )


def _access_model(evidence: Evidence, facts: Mapping[str, object]) -> str:
    """How the vault decides on access: from the verdict, the vault, or the words of its refusal."""
    if facts.get("accessModel"):
        return str(facts["accessModel"])
    if isinstance(evidence.vault, Vault):
        return "roles" if evidence.vault.uses_rbac else "policies"
    said = evidence.message.text.lower()
    if "forbiddenbyrbac" in said or "getsecret/action" in said:
        return "roles"
    return "policies" if "forbiddenbypolicy" in said or "get permission on key vault" in said else ""


def _access_commands(evidence: Evidence, model: str) -> tuple[str, str]:
    names = evidence.names
    vault = evidence.vault if isinstance(evidence.vault, Vault) else None
    if model == "roles":
        scope = f"{vault.id}/secrets/{names.secret}" if vault and names.secret else ""
        return (
            shell(
                *("az", "role", "assignment", "create", "--role", "Key Vault Secrets User"),
                *("--assignee-object-id", names.principal, "--assignee-principal-type", "ServicePrincipal"),
                *("--scope", scope),
            ),
            shell(
                *("az", "role", "assignment", "list", "--assignee", names.principal, "--scope", scope),
                *("--include-inherited", "--output", "table"),
            ),
        )
    if model == "policies":
        # The command writes the whole list of rights, so those that the identity has already stay in it.
        rights = sorted({"get"} | (_own_policies(vault, (names.principal,)) if vault else set()))
        held = f"properties.accessPolicies[?objectId=='{names.principal}'].permissions.secrets"
        return (
            shell(
                *("az", "keyvault", "set-policy", "--name", names.vault, "--object-id", names.principal),
                *("--secret-permissions", *rights),
            ),
            shell("az", "keyvault", "show", "--name", names.vault, "--query", held if names.principal else ""),
        )
    return "", remedies.check_again(names.pipeline_id)


@rule(
    *("ACRT209", "pipeline-identity-missing"),
    area=Area.KEY_VAULT,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.PIPELINE,
)
def pipeline_identity_missing(evidence: Evidence) -> Verdict:
    """The pipeline has a managed identity.

    What it checks: that the pipeline names a system-assigned identity with a principal, or a user-assigned
    one.

    Why it matters: the identity is what opens the vault, or storage itself where no token is used. Without
    one the service has nothing to present.

    How we know: from the pipeline, or from the run's message.

    How to fix: write the pipeline again with an identity, and then give that identity access to the secret or
    to the container.

    What can make it wrong: a user-assigned identity that was deleted while the pipeline still names it: that
    is not seen here.

    References: ACR Transfer, "Create ExportPipeline" and "Create ImportPipeline", on identities.
    """
    pipeline = evidence.pipeline
    if isinstance(pipeline, Unavailable):
        return unknown(pipeline)
    if isinstance(pipeline, Missing):
        return not_applicable()
    identity = pipeline.identity
    if identity is not None and (identity.principals or "user" in identity.kind.lower()):
        return passed(kind=identity.kind)
    return failed(kind=identity.kind if identity else "None")


@pipeline_identity_missing.described_by
def _pipeline_identity_missing(evidence: Evidence, _facts: Mapping[str, object]) -> Description:
    pipeline = evidence.known_pipeline
    opened = secret_words(evidence) if pipeline is None or pipeline.uses_sas else container_words(evidence)
    return Description(
        f"{sentence(pipeline_words(evidence))} has no managed identity, so it can't open {opened}.",
        "Write the pipeline again: it then gets a system-assigned identity, unless a user-assigned one is named. Then "
        "give the new identity access, which the next check of the pipeline asks for.",
        remedies.write_pipeline(evidence),
        remedies.show_pipeline(pipeline, evidence.names),
    )


@rule(
    *("ACRT210", "vault-tenant-mismatch"),
    area=Area.KEY_VAULT,
    severity=Severity.HIGH,
    subject=Subject.PIPELINE,
    step=Step.VAULT,
    applies=uses_sas,
)
def vault_tenant_mismatch(evidence: Evidence) -> Verdict:
    """The vault trusts the tenant that the pipeline's identity comes from.

    What it checks: the tenant of the vault against that of the pipeline's identity.

    Why it matters: a vault takes tokens of one tenant only. An identity of another one is turned away with
    401 before any policy or role is looked at.

    How we know: from the vault and the pipeline; a user-assigned identity does not say its tenant there.
    Otherwise from the run's message, where Key Vault writes ``AKV10032``.

    How to fix: keep the token in a vault of the identity's tenant. A vault that stayed behind when its
    subscription moved to another tenant has to be moved to the new tenant by its owner.

    What can make it wrong: nothing known.

    References: Key Vault, "Moving a subscription to another tenant"; Key Vault error codes, 401.
    """
    vault = vault_of(evidence)
    if isinstance(vault, Verdict):
        return vault
    identity = _identity_of(evidence)
    if isinstance(identity, Verdict):
        return identity
    if not identity.tenant_id or not vault.tenant_id:
        who = "the vault" if identity.tenant_id else "the pipeline's identity"
        return unknown(Unavailable(f"the tenant of {who} is not said", by_choice=True))
    facts: dict[str, Any] = {"vaultTenant": vault.tenant_id, "identityTenant": identity.tenant_id}
    return passed(**facts) if vault.tenant_id.lower() == identity.tenant_id.lower() else failed(**facts)


@vault_tenant_mismatch.described_by
def _vault_tenant_mismatch(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    tenants = f" ({facts['vaultTenant']}, not {facts['identityTenant']})" if "vaultTenant" in facts else ""
    return Description(
        f"{sentence(vault_words(evidence))} belongs to another tenant than the identity of {pipeline_words(evidence)}"
        f"{tenants}.",
        "Store the token in a vault of the identity's tenant and write the pipeline again with that address. If the "
        "vault's subscription has changed its tenant, the vault's owner has to move the vault along.",
        "",
        shell("az", "keyvault", "show", "--name", evidence.names.vault, "--query", "properties.tenantId"),
    )
