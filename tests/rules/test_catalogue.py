"""What every rule of the catalogue has to have, and what the contract says of those that are entered here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.evidence.message import read_message
from shared.evidence.model import Evidence, Look
from shared.rules.catalogue import CATALOGUE, find_rule
from shared.rules.model import HEADINGS, Rule, Subject
from tests.rules.builders import NOW, REGISTRY_ID, assert_pasteable, evidence, run

# id, name, severity, area, subject, modes, and whether it can be a root cause
_EXPECTED = """
ACRT100 run-succeeded               Info   Run             run      both            no
ACRT101 run-failed                  High   Run             run      both            no
ACRT102 run-canceled                Medium Run             run      both            no
ACRT103 run-partial                 High   Run             run      both            no
ACRT104 run-stuck                   High   Run             run      both            no
ACRT105 run-not-resubmitted         Low    Run             run      both            no
ACRT106 run-gone                    Low    Run             run      both            no
ACRT110 deployment-rejected         High   Run             run      both            yes
ACRT111 caller-not-authorized       High   Run             run      both            yes
ACRT112 linked-authorization-failed High   Run             run      both            yes
ACRT113 pipeline-missing            High   Run             run      both            yes
ACRT114 pipeline-not-ready          Medium Run             pipeline both            yes
ACRT115 registry-not-premium        Medium Run             pipeline both            yes
ACRT116 export-policy-disabled      High   Run             pipeline both            yes
ACRT117 service-throttled           Medium Run             run      both            yes
ACRT118 registry-access-denied      High   Run             run      both            yes
ACRT199 cause-unknown               High   Run             run      both            yes
ACRT201 vault-access-denied         High   KeyVault        pipeline SasToken        yes
ACRT202 vault-network-blocked       High   KeyVault        pipeline SasToken        yes
ACRT203 secret-disabled             High   KeyVault        pipeline SasToken        yes
ACRT204 secret-missing              High   KeyVault        pipeline SasToken        yes
ACRT205 secret-uri-invalid          High   KeyVault        pipeline SasToken        yes
ACRT206 secret-version-pinned       Medium KeyVault        pipeline SasToken        no
ACRT207 vault-unreachable           High   KeyVault        pipeline SasToken        yes
ACRT208 secret-expiry-unset         Low    KeyVault        pipeline SasToken        no
ACRT209 pipeline-identity-missing   High   KeyVault        pipeline both            yes
ACRT210 vault-tenant-mismatch       High   KeyVault        pipeline SasToken        yes
ACRT301 sas-expired                 High   Sas             pipeline SasToken        yes
ACRT302 sas-not-yet-valid           High   Sas             pipeline SasToken        yes
ACRT303 sas-expires-soon            Medium Sas             pipeline SasToken        no
ACRT304 sas-signature-invalid       High   Sas             pipeline SasToken        yes
ACRT305 sas-permissions-missing     High   Sas             pipeline SasToken        yes
ACRT306 sas-resource-types-missing  High   Sas             pipeline SasToken        yes
ACRT307 sas-not-https-only          Low    Sas             pipeline SasToken        no
ACRT308 sas-service-missing         High   Sas             pipeline SasToken        yes
ACRT309 sas-wrong-scope             High   Sas             pipeline SasToken        yes
ACRT310 sas-ip-restricted           High   Sas             pipeline SasToken        yes
ACRT311 sas-malformed               High   Sas             pipeline SasToken        yes
ACRT312 shared-key-access-disabled  High   Sas             pipeline SasToken        yes
ACRT313 sas-policy-bound            Low    Sas             pipeline SasToken        no
ACRT351 storage-role-missing        High   ManagedIdentity pipeline ManagedIdentity yes
ACRT401 container-missing             High   Storage         pipeline both            yes
ACRT402 blob-missing                  High   Storage         blob     both            yes
ACRT403 blob-not-overwritten          High   Storage         run      both            yes
ACRT404 source-blob-not-deleted       Medium Storage         run      both            no
ACRT405 storage-network-blocked       High   Storage         pipeline both            yes
ACRT406 blob-archived                 Medium Storage         blob     both            yes
ACRT407 storage-account-unreachable   High   Storage         pipeline both            yes
ACRT408 exported-blob-missing         High   Storage         run      both            no
ACRT409 blob-locked                   Medium Storage         blob     both            yes
ACRT501 source-trigger-disabled       Medium SourceTrigger   pipeline both            no
ACRT502 source-trigger-cannot-list    High   SourceTrigger   pipeline both            no
ACRT503 blob-too-old                  High   SourceTrigger   blob     both            no
ACRT504 blob-window-closing           Medium SourceTrigger   blob     both            no
ACRT505 blob-md5-missing              High   SourceTrigger   blob     both            no
ACRT506 blob-category-missing         High   SourceTrigger   blob     both            no
ACRT507 blob-not-imported             High   SourceTrigger   blob     both            no
ACRT508 no-pipeline-watches-container Medium SourceTrigger   blob     both            no
ACRT509 blob-not-importable           Medium SourceTrigger   blob     both            yes
ACRT510 source-trigger-ready          Info   SourceTrigger   blob     both            no
ACRT601 artifact-not-found            High   Artifacts       run      both            yes
ACRT602 too-many-artifacts            High   Artifacts       run      both            yes
ACRT603 artifacts-not-transferred     Medium Artifacts       run      both            no
ACRT604 foreign-layers                Medium Artifacts       run      both            no
ACRT605 layer-too-large               High   Artifacts       run      both            yes
ACRT606 tag-not-overwritten           Medium Artifacts       run      both            yes
ACRT701 copy-stripped-properties      Medium Copy            blob     both            no
ACRT702 copy-incomplete               Medium Copy            blob     both            yes
ACRT901 cannot-check                  Medium Monitor         monitor  both            no
ACRT902 event-malformed               Low    Monitor         monitor  both            no
ACRT903 heartbeat                     Info   Monitor         monitor  both            no
ACRT904 test-finding                  Info   Monitor         monitor  both            no
"""
EXPECTED = [tuple(line.split()) for line in _EXPECTED.strip().splitlines()]
ALL_RULES = list(CATALOGUE.values())

_BLANK = Evidence(NOW, Look.FAILED_RUN)
_NEARLY_EMPTY = {
    "blank": _BLANK,
    "registry": replace(_BLANK, registry_id=REGISTRY_ID),
    "run": replace(_BLANK, registry_id=REGISTRY_ID, run=run(artifacts=("app",)), message=read_message("403 Forbidden")),
    "healthy": evidence(),
}


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda row: row[0])
def test_the_contract_says_what_a_rule_is(expected: tuple[str, ...]) -> None:
    rule = CATALOGUE[expected[0]]
    causes = "yes" if rule.causes else "no"
    found = (rule.id, rule.name, rule.severity.label, str(rule.area), str(rule.subject), rule.modes, causes)
    assert found == expected


def test_every_rule_of_the_contract_is_there_and_no_other() -> None:
    assert list(CATALOGUE) == [row[0] for row in EXPECTED]


def test_the_catalogue_is_in_the_order_of_its_ids_and_names_are_unique() -> None:
    assert list(CATALOGUE) == sorted(CATALOGUE)
    names = [rule.name for rule in ALL_RULES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("wanted", ["ACRT301", "acrt301", " sas-expired "])
def test_a_rule_is_found_by_id_and_by_name(wanted: str) -> None:
    assert find_rule(wanted) is CATALOGUE["ACRT301"]
    assert find_rule("ACRT000") is None


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.id)
def test_a_page_has_a_title_and_every_heading_in_order(rule: Rule) -> None:
    paragraphs = [" ".join(part.split()) for part in rule.page.split("\n\n")]
    assert paragraphs[0].endswith(".")
    assert rule.title == paragraphs[0][:-1]
    assert [part.partition(":")[0] for part in paragraphs[1:] if part.partition(":")[0] in HEADINGS] == list(HEADINGS)
    assert len(paragraphs) == len(HEADINGS) + 1
    for paragraph in paragraphs[1:]:
        assert paragraph.partition(": ")[2], paragraph
        assert paragraph.endswith("."), paragraph


@pytest.mark.parametrize("seen", _NEARLY_EMPTY.values(), ids=list(_NEARLY_EMPTY))
@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.id)
def test_a_description_needs_no_facts(rule: Rule, seen: Evidence) -> None:
    description = rule.describe(seen, {})
    assert_pasteable(description)
    assert "None" not in f"{description}"


@pytest.mark.parametrize("look", list(Look))
@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.id)
def test_a_rule_can_be_asked_where_nothing_is_known(rule: Rule, look: Look) -> None:
    verdict = rule(replace(_BLANK, look=look))
    assert verdict.outcome.name in {"UNKNOWN", "NOT_APPLICABLE"}, f"{rule.id} concluded from nothing"


def test_what_is_about_the_monitor_is_asked_in_no_look() -> None:
    assert all(not rule.looks for rule in ALL_RULES if rule.subject is Subject.MONITOR)
