"""Run messages in other words: names are not sayings, and a pause is no reason."""

from __future__ import annotations

import json

import pytest

from shared.evidence.message import read_message
from shared.evidence.phrases import Service

NAMES = (
    "Unexpected end of archive in blob 'sas token has expired.tar'",
    "Failed importing artifact 'firewall:v1' from storage account contoso: unexpected EOF",
    'Corrupt gzip in "container not found.tar.gz"',
    "Corrupt gzip in `blob does not exist.tar.gz`",
    "Container ‘sas-token-expired’ could be opened",
    "Invalid header in blob 'rate limited'",
    "Artifact 'team/manifest-unknown:v1' broke: connection reset",
    "End of stream. https://a.blob.core.windows.net/c/secret%20not found.tar",
)


@pytest.mark.parametrize("message", NAMES)
def test_what_a_thing_is_called_names_no_cause(message: str) -> None:
    assert not read_message(message).claims


@pytest.mark.parametrize(
    ("message", "first"),
    [
        ("Blob 'secret-not-found.tar' in container 'expired-tokens': 'BlobNotFound'", "ACRT402"),
        ("Container 'does not exist' cannot be found", "ACRT401"),
        ("Pipeline failed: 'The SAS token has expired'", "ACRT301"),
        (json.dumps({"code": "PipelineRunFailed", "message": "The SAS token has expired"}), "ACRT301"),
        (json.dumps({"error": {"code": "SecretNotFound"}}), "ACRT204"),
        (json.dumps({"error": {"code": "ServerBusy"}}), "ACRT117"),
        ("The pipeline's container couldn't be found", "ACRT401"),
        ("Resource '/x/registries/contoso/importPipelines/inward' was not found", "ACRT113"),
        ("The Resource 'Microsoft.Storage/storageAccounts/a' under resource group 'g' was not found.", "ACRT407"),
        ("Artifact 'app:v1' does not exist in registry contoso", "ACRT601"),
        ("Artifact blob 'images.tar.gz' was not found", "ACRT402"),
        ("sr is mandatory. Cannot be empty", "ACRT311"),
        ("Access failed with an expired SAS", "ACRT301"),
        ("The storage account key was regenerated", "ACRT304"),
        ("The identity does not have the role Storage Blob Data Contributor", "ACRT351"),
        ("Public access is not permitted on this storage account.", "ACRT311"),
        ("The requested identity has not been assigned to this resource", "ACRT209"),
    ],
)
def test_a_cause_is_found_beside_names_and_in_other_words(message: str, first: str) -> None:
    assert read_message(message).claims[0].rules[0] == first


@pytest.mark.parametrize(
    "message",
    [
        "The access token has expired",
        "container registry host not found in cache",
        "exceeded the maximum of 50 retries while sending artifacts",
        "Unable to read the tag list; file x already exists",
    ],
)
def test_words_of_another_matter_name_no_cause(message: str) -> None:
    assert not read_message(message).claims


@pytest.mark.parametrize(
    "refusal", ["Status: 403 (This request is not authorized to perform this operation)", "403 Forbidden"]
)
def test_what_is_refused_after_a_pause_is_the_reason(refusal: str) -> None:
    rules = [claim.rules for claim in read_message(f"429 Too Many Requests. Then: {refusal}").claims]
    assert "ACRT405" in rules[0]
    assert rules[-1] == ("ACRT117",)


@pytest.mark.parametrize(
    ("message", "rule", "service"),
    [
        ("{}", "ACRT202", Service.KEY_VAULT),
        ("Export of 3 artifacts started. {}", "ACRT202", Service.KEY_VAULT),
        ("https://contosovault.vault.azure.net/: {}", "ACRT202", Service.KEY_VAULT),
        ("The storage SAS token could not be fetched from the key vault. {}", "ACRT202", Service.KEY_VAULT),
        ("https://contosoexport.blob.core.windows.net/: {}", "ACRT405", Service.STORAGE),
        ("Failed to read from the storage account. {}", "ACRT405", Service.STORAGE),
    ],
)
def test_a_perimeter_is_that_of_the_service_beside_it(message: str, rule: str, service: Service) -> None:
    said = read_message(message.format("Request was not allowed by NSP rules and caller was ignored"))
    assert [claim.rules for claim in said.claims] == [(rule,)]
    assert said.service is service


def test_a_name_does_not_say_who_refused() -> None:
    assert read_message("Failed to write 'secret.tar' to container 'vault': 403 Forbidden").service is Service.STORAGE
