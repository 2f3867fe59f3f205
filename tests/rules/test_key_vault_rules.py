"""The identity, the vault and the secret: for each rule what fails, what passes, and what can't be told."""

from __future__ import annotations

import shlex
from typing import Any, Final

import pytest

from shared.addresses import AddressProblem, BadAddress, SecretAddress
from shared.evidence.message import read_message
from shared.evidence.model import Evidence, Malformed
from shared.evidence.pieces import NOT_ASKED, Missing, Unavailable
from shared.records.transfer import Identity, StorageAccessMode
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Confidence, Outcome
from shared.settings import SasInspection
from tests.rules.builders import (
    NOW,
    PRINCIPAL,
    SIGNATURE,
    TENANT,
    VAULT_ID,
    assert_pasteable,
    described,
    evidence,
    grant,
    pipeline,
    policy,
    secret,
    vault,
)

FAIL, WARN, PASS = Outcome.FAIL, Outcome.WARN, Outcome.PASS
UNKNOWN, ELSEWHERE = Outcome.UNKNOWN, Outcome.NOT_APPLICABLE
DENIED: Final = Unavailable("the monitor may not read it", "contosokv", "Microsoft.KeyVault/vaults/read")
OTHER: Final = "bbbbbbbb-0000-0000-0000-000000000002"
GET: Final = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
PINNED: Final = SecretAddress("contosokv", "transfer-sas", "fedcba9876543210fedcba9876543210")
NEWEST: Final = SecretAddress("contosokv", "transfer-sas", "0123456789ABCDEF0123456789abcdef")
WRONG_CLOUD: Final = BadAddress("https://contosokv.vault.azure.cn/secrets/s", AddressProblem.WRONG_CLOUD)
NO_PATH: Final = BadAddress("https://contosokv.vault.azure.net/keys/s", AddressProblem.NO_SECRETS_PATH)
GONE: Final = Missing("it")
USER_ASSIGNED: Final = pipeline(identity=Identity("userAssigned", "", ()))


def rbac(*actions: str, conditional: bool = False, **changes: Any) -> dict[str, Any]:
    grants = (grant(*actions, conditional=conditional),) if actions else ()
    return {"vault": vault(uses_rbac=True, **changes), "vault_grants": grants}


def policies(*given: Any) -> dict[str, Any]:
    return {"vault": vault(access_policies=given)}


@pytest.mark.parametrize(
    ("rule_id", "changes", "outcome"),
    [
        ("ACRT201", {}, PASS),
        ("ACRT201", policies(policy("all")), PASS),
        ("ACRT201", policies(policy("get", who=OTHER), policy("list", "get")), PASS),
        ("ACRT201", policies(), FAIL),
        ("ACRT201", policies(policy("list", "set")), FAIL),
        ("ACRT201", policies(policy("get", who=OTHER)), FAIL),
        ("ACRT201", policies(policy("get", tenant="another")), FAIL),
        ("ACRT201", rbac(GET), PASS),
        ("ACRT201", rbac("Microsoft.KeyVault/vaults/secrets/*"), PASS),
        ("ACRT201", rbac(), FAIL),
        ("ACRT201", rbac("Microsoft.KeyVault/vaults/secrets/readMetadata/action"), FAIL),
        ("ACRT201", rbac(GET, conditional=True), UNKNOWN),
        ("ACRT201", {"vault": vault(uses_rbac=True), "vault_grants": DENIED}, UNKNOWN),
        ("ACRT201", {"vault": vault(uses_rbac=True), "vault_grants": GONE}, ELSEWHERE),
        ("ACRT201", {"vault": DENIED}, UNKNOWN),
        ("ACRT201", {"vault": GONE}, ELSEWHERE),
        ("ACRT201", {"pipeline": USER_ASSIGNED}, UNKNOWN),
        ("ACRT201", {"pipeline": pipeline(identity=None)}, ELSEWHERE),
        ("ACRT201", {"pipeline": DENIED}, UNKNOWN),
        ("ACRT201", {"pipeline": GONE}, ELSEWHERE),
        ("ACRT201", {"secret_address": NO_PATH}, ELSEWHERE),
        ("ACRT202", {}, PASS),
        ("ACRT202", {"vault": vault(default_action="Deny")}, PASS),
        ("ACRT202", {"vault": vault(public_network_access="Disabled", bypass="")}, PASS),
        ("ACRT202", {"vault": vault(default_action="Deny", bypass="None")}, FAIL),
        ("ACRT202", {"vault": vault(public_network_access="disabled", bypass="None")}, FAIL),
        ("ACRT202", {"vault": vault(public_network_access="SecuredByPerimeter")}, UNKNOWN),
        ("ACRT202", {"vault": DENIED}, UNKNOWN),
        ("ACRT202", {"vault": GONE}, ELSEWHERE),
        ("ACRT203", {}, PASS),
        ("ACRT203", {"secret": secret(enabled=False)}, FAIL),
        ("ACRT203", {"secret": DENIED, "vault_refusal": "SecretDisabled"}, FAIL),
        ("ACRT203", {"secret": secret(enabled=False), "secret_address": PINNED, "sas": DENIED}, UNKNOWN),
        ("ACRT203", {"secret": secret(enabled=False), "secret_address": PINNED}, PASS),
        ("ACRT203", {"secret": secret(enabled=False), "secret_address": NEWEST}, FAIL),
        ("ACRT203", {"secret": DENIED}, UNKNOWN),
        ("ACRT203", {"secret": GONE}, ELSEWHERE),
        ("ACRT204", {}, PASS),
        ("ACRT204", {"secret": GONE}, FAIL),
        ("ACRT204", {"vault_refusal": "SecretNotFound"}, FAIL),
        ("ACRT204", {"secret_address": PINNED, "sas": Missing("it", "SecretNotFound")}, FAIL),
        ("ACRT204", {"secret_address": PINNED, "sas": GONE}, UNKNOWN),
        ("ACRT204", {"secret": DENIED, "sas": DENIED}, UNKNOWN),
        ("ACRT204", {"secret": DENIED}, PASS),
        ("ACRT204", {"secret_address": PINNED, "sas": DENIED}, UNKNOWN),
        ("ACRT204", {"vault": GONE, "secret": NOT_ASKED}, ELSEWHERE),
        ("ACRT205", {}, PASS),
        ("ACRT205", {"secret_address": NO_PATH}, FAIL),
        ("ACRT205", {"secret_address": None, "pipeline": pipeline(key_vault_uri="")}, FAIL),
        (
            "ACRT205",
            {
                "secret_address": BadAddress("", AddressProblem.NOT_HTTPS),
                "pipeline": pipeline(key_vault_uri=""),
            },
            FAIL,
        ),
        ("ACRT205", {"secret_address": WRONG_CLOUD}, ELSEWHERE),
        ("ACRT206", {}, PASS),
        ("ACRT206", {"secret_address": NEWEST}, PASS),
        ("ACRT206", {"secret_address": PINNED}, WARN),
        ("ACRT206", {"secret_address": PINNED, "secret": DENIED}, UNKNOWN),
        ("ACRT206", {"secret_address": PINNED, "secret": secret(version="")}, UNKNOWN),
        ("ACRT206", {"secret_address": PINNED, "secret": GONE}, ELSEWHERE),
        ("ACRT207", {}, PASS),
        ("ACRT207", {"vault": GONE}, FAIL),
        ("ACRT207", {"secret_address": WRONG_CLOUD, "vault": NOT_ASKED}, FAIL),
        ("ACRT207", {"secret_address": NO_PATH, "vault": NOT_ASKED}, ELSEWHERE),
        ("ACRT207", {"vault": DENIED}, UNKNOWN),
        ("ACRT208", {}, PASS),
        ("ACRT208", {"secret": secret(expires_on=None)}, WARN),
        ("ACRT208", {"secret": secret(expires_on=None), "sas_inspection": SasInspection.VALUE}, ELSEWHERE),
        ("ACRT208", {"secret": secret(expires_on=None), "secret_address": PINNED}, UNKNOWN),
        ("ACRT208", {"secret": DENIED}, UNKNOWN),
        ("ACRT209", {}, PASS),
        ("ACRT209", {"pipeline": USER_ASSIGNED}, PASS),
        ("ACRT209", {"pipeline": pipeline(identity=None)}, FAIL),
        ("ACRT209", {"pipeline": pipeline(identity=Identity("systemAssigned", TENANT, ()))}, FAIL),
        ("ACRT209", {"pipeline": DENIED}, UNKNOWN),
        ("ACRT209", {"pipeline": GONE}, ELSEWHERE),
        ("ACRT210", {}, PASS),
        ("ACRT210", {"vault": vault(tenant_id=TENANT.upper())}, PASS),
        ("ACRT210", {"vault": vault(tenant_id=OTHER)}, FAIL),
        ("ACRT210", {"pipeline": USER_ASSIGNED}, UNKNOWN),
        ("ACRT210", {"vault": vault(tenant_id="")}, UNKNOWN),
        ("ACRT210", {"vault": DENIED}, UNKNOWN),
    ],
)
def test_verdicts(rule_id: str, changes: dict[str, Any], outcome: Outcome) -> None:
    seen = evidence(**changes)
    verdict = CATALOGUE[rule_id](seen)
    assert verdict.outcome is outcome
    assert (verdict.missing is not None) == (outcome is UNKNOWN)
    if outcome in {FAIL, WARN}:
        description = described(CATALOGUE[rule_id], seen)
        named = "contosokv" if rule_id not in {"ACRT205", "ACRT209"} else "inward"
        assert named in description.summary
        assert "contoso" in description.summary


@pytest.mark.parametrize(
    ("rule_id", "changes"),
    [
        ("ACRT201", rbac(GET, conditional=True)),
        ("ACRT202", {"vault": vault(public_network_access="SecuredByPerimeter")}),
        ("ACRT203", {"secret_address": PINNED, "sas": DENIED}),
        ("ACRT206", {"secret_address": PINNED, "secret": secret(version="")}),
        ("ACRT208", {"secret_address": PINNED}),
        ("ACRT210", {"pipeline": USER_ASSIGNED}),
    ],
)
def test_what_no_right_would_tell_stays_quiet(rule_id: str, changes: dict[str, Any]) -> None:
    missing = CATALOGUE[rule_id](evidence(**changes)).missing
    assert missing is not None
    assert missing.by_choice


def test_a_policy_of_somebody_else_may_be_for_a_group() -> None:
    rule = CATALOGUE["ACRT201"]
    assert rule(evidence(**policies(policy("list")))).confidence is Confidence.CONFIRMED
    seen = evidence(**policies(policy("get", who=OTHER)))
    assert rule(seen).confidence is Confidence.LIKELY
    assert "group" in described(rule, seen).recommendation


def test_a_new_policy_keeps_the_rights_that_the_identity_has() -> None:
    fix = described(CATALOGUE["ACRT201"], evidence(**policies(policy("list", "set")))).fix_command
    assert shlex.split(fix) == [
        *("az", "keyvault", "set-policy", "--name", "contosokv", "--object-id", PRINCIPAL),
        *("--secret-permissions", "get", "list", "set"),
    ]


def test_a_vault_with_roles_gets_a_role_and_says_that_its_policy_is_without_effect() -> None:
    description = described(CATALOGUE["ACRT201"], evidence(**rbac()))
    assert "no effect" in description.summary
    assert shlex.split(description.fix_command) == [
        *("az", "role", "assignment", "create", "--role", "Key Vault Secrets User"),
        *("--assignee-object-id", PRINCIPAL, "--assignee-principal-type", "ServicePrincipal"),
        *("--scope", f"{VAULT_ID}/secrets/transfer-sas"),
    ]
    without = described(CATALOGUE["ACRT201"], evidence(**rbac(access_policies=())))
    assert "no effect" not in without.summary


REFUSED_BY_ROLES: Final = (
    f"Caller is not authorized to perform action on resource. Caller: appid=x;oid={OTHER};iss=y Action: '{GET}'"
)
REFUSED_BY_POLICY: Final = f"'appid=x;oid={OTHER}' does not have secrets get permission on key vault 'contosokv'"


@pytest.mark.parametrize(
    ("message", "command"),
    [(REFUSED_BY_ROLES, ""), (REFUSED_BY_POLICY, "az keyvault set-policy"), ("403 Forbidden", "")],
)
def test_the_words_of_the_refusal_say_how_a_vault_decides_that_could_not_be_read(message: str, command: str) -> None:
    seen = evidence(vault=DENIED, message=read_message(message))
    description = CATALOGUE["ACRT201"].describe(seen, {})
    assert_pasteable(description)
    # A role's scope is the vault's resource id, which only the vault itself tells.
    assert description.fix_command.startswith(command)
    assert bool(description.fix_command) == bool(command)


def test_a_recreated_pipeline_is_told_from_its_old_identity() -> None:
    seen = evidence(message=read_message(REFUSED_BY_POLICY), **policies())
    assert f"refused as identity {OTHER}" in described(CATALOGUE["ACRT201"], seen).recommendation


def test_a_disabled_version_is_enabled_by_its_name() -> None:
    seen = evidence(secret_address=PINNED, vault_refusal="SecretDisabled")
    fix = shlex.split(described(CATALOGUE["ACRT203"], seen).fix_command)
    assert fix[fix.index("--version") + 1] == PINNED.version
    assert fix[fix.index("--enabled") + 1] == "true"


def test_a_secret_may_be_there_without_the_version_that_is_named() -> None:
    seen = evidence(secret_address=PINNED, vault_refusal="SecretNotFound", sas=GONE)
    description = described(CATALOGUE["ACRT204"], seen)
    assert "no longer has the version" in description.summary
    assert "--secret-uri https://contosokv.vault.azure.net/secrets/transfer-sas " in description.fix_command
    whole = described(CATALOGUE["ACRT204"], evidence(secret=GONE))
    assert whole.fix_command == "az keyvault secret recover --vault-name contosokv --name transfer-sas"


def test_a_pipeline_is_only_written_again_where_its_identity_stays() -> None:
    seen = evidence(secret_address=PINNED, pipeline=pipeline(options=frozenset({"overwritetags"})))
    fix = shlex.split(described(CATALOGUE["ACRT206"], seen).fix_command)
    assert fix[:4] == ["az", "acr", "import-pipeline", "create"]
    assert fix[fix.index("--options") + 1] == "OverwriteTags"
    assert fix[fix.index("--source-trigger-enabled") + 1] == "True"
    user = evidence(secret_address=PINNED, pipeline=pipeline(identity=Identity("userAssigned", "", (PRINCIPAL,))))
    assert described(CATALOGUE["ACRT206"], user).fix_command == ""


def test_an_address_that_holds_a_token_does_not_show_it() -> None:
    text = f"https://contosostore.blob.core.windows.net/transfer?sv=2024&sig={SIGNATURE}"
    seen = evidence(secret_address=BadAddress(text, AddressProblem.NO_VAULT_HOST))
    description = CATALOGUE["ACRT205"].describe(seen, CATALOGUE["ACRT205"](seen).facts)
    assert SIGNATURE not in f"{description} {CATALOGUE['ACRT205'](seen).facts}"
    assert "its host is no key vault" in description.summary


def test_the_expiry_is_taken_from_the_token_and_shown_nowhere() -> None:
    fix = described(CATALOGUE["ACRT208"], evidence(secret=secret(expires_on=None))).fix_command
    assert fix.endswith('--output none --expires "$end"')
    assert "s/^se=//p" in fix


def test_secrets_may_be_out_of_date_and_still_be_read() -> None:
    assert CATALOGUE["ACRT203"](evidence(secret=secret(expires_on=NOW))).outcome is PASS
    seen: Evidence = evidence(secret=DENIED, sas=Malformed("it is empty"))
    assert CATALOGUE["ACRT204"](seen).outcome is PASS


def test_pipelines_with_a_managed_identity_have_no_vault() -> None:
    seen = evidence(pipeline=pipeline(storage_access_mode=StorageAccessMode.MANAGED_IDENTITY), vault=GONE)
    outcomes = {CATALOGUE[f"ACRT{number}"](seen).outcome for number in (201, 202, 203, 204, 205, 206, 207, 208, 210)}
    assert outcomes == {ELSEWHERE}
    assert CATALOGUE["ACRT209"](seen).outcome is PASS
