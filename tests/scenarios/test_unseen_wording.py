"""Refusals in wordings that nobody has seen: whatever stands around a service's words, the reading stays the same.

The services' own codes and sentences come from their references and from the field. What ACR puts around them, how it
breaks lines, which case a log turns them into, and how deep they are escaped, is made up here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.evidence.message import read_message
from shared.evidence.phrases import Service

KEY_VAULT, STORAGE, REGISTRY, ARM = Service.KEY_VAULT, Service.STORAGE, Service.REGISTRY, Service.ARM
_TIMES: Final = "Start [Thu, 13 Jun 2019 16:18:07 GMT] - Expiry [Fri, 14 Jun 2019 16:23:07 GMT] - Current [{} GMT]"

# What a service says, and the rules that it stands for, the live evidence choosing among several.
REFUSALS: Final[tuple[tuple[str, set[str], Service], ...]] = (
    ("SecretDisabled", {"ACRT203"}, KEY_VAULT),
    ("Operation get is not allowed on a disabled secret.", {"ACRT203"}, KEY_VAULT),
    ("ForbiddenByFirewall", {"ACRT202"}, KEY_VAULT),
    ("Client address is not authorized and caller is not a trusted service.", {"ACRT202"}, KEY_VAULT),
    ("Public network access is disabled and request is not from a trusted service nor via an approved private link.",
     {"ACRT202"}, KEY_VAULT),
    ("Request was not allowed by NSP rules and the client address is not authorized. Vault: contosovault;location=eu",
     {"ACRT202"}, KEY_VAULT),
    ("AKV10032: Invalid issuer. Expected one of https://sts.windows.net/a/", {"ACRT210"}, KEY_VAULT),
    ("does not have secrets get permission on key vault 'contosovault;location=eastus'.", {"ACRT201"}, KEY_VAULT),
    ("Caller is not authorized to perform action on resource.", {"ACRT201"}, KEY_VAULT),
    ("A secret with (name/id) exportsas was not found in this key vault.", {"ACRT204"}, KEY_VAULT),
    ("Name or service not known (contosovault.vault.azure.net:443)", {"ACRT207"}, KEY_VAULT),
    ("No such host is known. (contosoexport.blob.core.windows.net:443)", {"ACRT407"}, STORAGE),
    (f"Signature not valid in the specified time frame: {_TIMES.format('Sat, 15 Jun 2019 09:22:53')}",
     {"ACRT301"}, STORAGE),
    (f"Signature not valid in the specified time frame: {_TIMES.format('Thu, 13 Jun 2019 09:22:53')}",
     {"ACRT302"}, STORAGE),
    ("Signature did not match. String to sign used was rwla", {"ACRT304", "ACRT309"}, STORAGE),
    ("AuthorizationPermissionMismatch", {"ACRT305", "ACRT351"}, STORAGE),
    ("This request is not authorized to perform this operation using this permission.",
     {"ACRT305", "ACRT351"}, STORAGE),
    ("This request is not authorized to perform this operation using this resource type.",
     {"ACRT306", "ACRT309"}, STORAGE),
    ("AuthorizationServiceMismatch", {"ACRT308"}, STORAGE),
    ("This request is not authorized to perform this operation using this service.", {"ACRT308"}, STORAGE),
    ("The specified signed resource is not allowed for the this resource level", {"ACRT309"}, STORAGE),
    ("This request is not authorized to perform this operation using this source IP 203.0.113.20.",
     {"ACRT310"}, STORAGE),
    ("KeyBasedAuthenticationNotPermitted", {"ACRT312"}, STORAGE),
    ("Key based authentication is not permitted on this storage account.", {"ACRT312"}, STORAGE),
    ("AuthorizationFailure", {"ACRT405"}, STORAGE),
    ("This request is not authorized to perform this operation.", {"ACRT405"}, STORAGE),
    ("ContainerNotFound", {"ACRT401"}, STORAGE),
    ("The specified container does not exist.", {"ACRT401"}, STORAGE),
    ("The specified blob does not exist.", {"ACRT402"}, STORAGE),
    ("BlobAlreadyExists", {"ACRT403"}, STORAGE),
    ("The specified blob already exists.", {"ACRT403"}, STORAGE),
    ("This operation is not permitted on an archived blob.", {"ACRT406"}, STORAGE),
    ("AccountIsDisabled", {"ACRT407"}, STORAGE),
    ("BlobImmutableDueToPolicy", {"ACRT409"}, STORAGE),
    ("There is currently a lease on the blob and no lease ID was specified in the request.", {"ACRT409"}, STORAGE),
    ("PendingCopyOperation", {"ACRT702"}, STORAGE),
    ('manifest tagged by "latest" is not found', {"ACRT601"}, REGISTRY),
    ("MANIFEST_UNKNOWN", {"ACRT601"}, REGISTRY),
    ("NAME_UNKNOWN: repository name not known to registry", {"ACRT601"}, REGISTRY),
    ("Access to contosohub.azurecr.io denied.", {"ACRT118"}, REGISTRY),
    ("does not have authorization to perform action 'Microsoft.ContainerRegistry/registries/pipelineRuns/write'",
     {"ACRT111"}, ARM),
    ("LinkedAuthorizationFailed", {"ACRT112"}, ARM),
    ("it does not have permission to perform action 'read' on the linked scope(s) '/subscriptions/0/y'.",
     {"ACRT112"}, ARM),
)  # fmt: skip

# Sentences of a log in which nothing is refused, though they speak of all that could be.
NEUTRAL: Final = (
    "Export of 3 artifacts started.",
    "Uploading blob images.tar to container transfer.",
    "Retrieved the SAS token from secret exportsas.",
    "Copied layer 4 of 9.",
    "Pushed manifest sha256:aa11 with 12 layers.",
    "TransferAgent exited with code 0x80131500.",
    "Waiting for the storage account to answer.",
    "Authenticated as the pipeline's managed identity.",
    "Progress is at 40 %.",
    "Operation pipelineruns-7d1b1b1a-e01e-0021-5c2f-9be71e000000 failed.",
    "One or more errors occurred.",
    "See inner exception for details.",
    "RequestId:eac84bcc-201e-0073-7b4f-164bd9000000",
    "Time:2026-11-13T14:13:17.7458151Z",
    "Correlation ID: 5a0b7a4a-0c8a-4bd0-9a4e-5a3d3c3a9f10.",
    "   at Azure.Storage.Blobs.BlobRestClient.DownloadAsync(Int64 offset, CancellationToken token)",
    "Zwischenschritt übersprungen; naïve façade ✓.",
)

_BETWEEN: Final = ("\n", "\r\n", "  ", " >>> ", " | ", "\n\n\t", ": ")
_FRAMES: Final[tuple[Callable[[str], str], ...]] = (
    str,
    str.lower,
    str.upper,
    lambda text: text.replace(" ", "\n"),
    lambda text: text.replace(" ", "  \r\n "),
    escape,
    lambda text: escape(text, {'"': "&quot;", "'": "&#39;"}),
    lambda text: f"<Error><Message>{escape(text)}</Message></Error>",
    lambda text: f"<![CDATA[{text}]]>",
    lambda text: json.dumps({"error": {"code": "PipelineRunFailed", "message": text}}),
    lambda text: json.dumps({"status": "Failed", "error": json.dumps({"message": text})}),
    lambda text: json.dumps(text.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}")),
    lambda text: f"({text})",
    lambda text: f"“{text}”",
)

surroundings = st.lists(st.sampled_from(NEUTRAL), max_size=4)
frames = st.lists(st.sampled_from(_FRAMES), max_size=3, unique=True)


def framed(text: str, ways: list[Callable[[str], str]]) -> str:
    for way in ways:
        text = way(text)
    return text


@pytest.mark.parametrize(("said", "rules", "service"), REFUSALS, ids=[said[:40] for said, _, _ in REFUSALS])
def test_as_the_service_says_it(said: str, rules: set[str], service: Service) -> None:
    reading = read_message(said)
    assert set(reading.claims[0].rules) == rules
    assert reading.service is service


@given(st.sampled_from(REFUSALS), surroundings, surroundings, st.sampled_from(_BETWEEN), frames, st.integers(0, 300))
def test_whatever_stands_around_it(
    refusal: tuple[str, set[str], Service],
    before: list[str],
    after: list[str],
    between: str,
    ways: list[Callable[[str], str]],
    cut: int,
) -> None:
    said, rules, service = refusal
    # A text that is cut loses its end, never what stands before the cut.
    tail = between.join(["", *after])[:cut] if after else ""
    reading = read_message(framed(between.join([*before, said]) + tail, ways))
    assert reading.claims
    assert set(reading.claims[0].rules) == rules
    assert reading.service is service


@given(st.lists(st.sampled_from(NEUTRAL), max_size=12), st.sampled_from(_BETWEEN), frames)
def test_what_refuses_nothing_names_nothing(
    sentences: list[str], between: str, ways: list[Callable[[str], str]]
) -> None:
    assert read_message(framed(between.join(sentences), ways)).claims == ()


# Letter by letter: whole texts would be made of the very phrases that stand in the sources.
@given(st.lists(st.characters(exclude_categories=["Cs"], exclude_characters="0123456789"), max_size=200).map("".join))
def test_text_at_random_names_nothing(text: str) -> None:
    assert read_message(text).claims == ()
