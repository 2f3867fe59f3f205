"""Addresses of containers, blobs and secrets: taken apart, built again, and never asked where they must not be."""

from __future__ import annotations

import base64
import pickle
import string
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.addresses import (
    AddressProblem,
    BadAddress,
    BlobAddress,
    ContainerAddress,
    SecretAddress,
    read_blob_address,
    read_container_address,
    read_secret_address,
    require_trusted_host,
)
from shared.clouds import CHINA, KNOWN_CLOUDS, PUBLIC, US_GOVERNMENT, Cloud
from shared.errors import UntrustedAddress
from tests.parsers.texts import HOSTILE, LONGEST, SIGNATURES, TEXTS, takes_linear_time

LOWER = string.ascii_lowercase + string.digits
ACCOUNTS = st.text(LOWER, min_size=3, max_size=24)
CONTAINERS = st.text(LOWER, min_size=3, max_size=63) | st.just("$web") | st.just("a-b-c")
BLOBS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=60)
CLOUDS = st.sampled_from(tuple(KNOWN_CLOUDS.values()))
READERS = (read_container_address, read_blob_address, read_secret_address)


@given(ACCOUNTS, CONTAINERS, CLOUDS)
def test_a_container_is_found_in_its_address(account: str, container: str, cloud: Cloud) -> None:
    found = ContainerAddress(account, container)
    assert read_container_address(f"https://{cloud.blob_host(account)}/{container}/", cloud) == found
    assert read_container_address(f" HTTPS://{cloud.blob_host(account).upper()}:443/{container} ", cloud) == found
    for other in KNOWN_CLOUDS.values():
        if other is not cloud:
            bad = read_container_address(f"https://{cloud.blob_host(account)}/{container}", other)
            assert isinstance(bad, BadAddress)
            assert bad.problem is AddressProblem.WRONG_CLOUD


@given(ACCOUNTS, CONTAINERS, BLOBS)
def test_a_blob_comes_back_from_its_url(account: str, container: str, name: str) -> None:
    address = BlobAddress(account, container, name)
    # Dot segments and blanks at the ends do not survive a URL; no event leads to such a name.
    assume(not any(segment in {".", ".."} for segment in name.split("/")))
    assert read_blob_address(address.url(PUBLIC), PUBLIC) == address
    assert read_blob_address(f"{address.url(PUBLIC)}?sv=1&sig=x", PUBLIC) == address
    assert address.in_container == ContainerAddress(account, container)


@given(st.text(string.ascii_lowercase, min_size=3, max_size=24), st.text(LOWER, min_size=1, max_size=127))
def test_a_secret_is_found_in_its_address(vault: str, secret: str) -> None:
    uri = f"https://{vault}.vault.azure.net/secrets/{secret}"
    assert read_secret_address(uri, PUBLIC) == SecretAddress(vault, secret, "")
    assert read_secret_address(f"{uri}/0123abcd", PUBLIC) == SecretAddress(vault, secret, "0123abcd")


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("", AddressProblem.NOT_HTTPS),
        ("http://contosostore.blob.core.windows.net/transfer", AddressProblem.NOT_HTTPS),
        ("https://contosostore.blob.core.windows.net:8443/transfer", AddressProblem.NOT_HTTPS),
        ("https://contosostore.blob.core.windows.net:99999999/transfer", AddressProblem.NOT_HTTPS),
        ("https://[::1/transfer", AddressProblem.NOT_HTTPS),
        ("https://contosostore.blob.core.windows.net", AddressProblem.NO_CONTAINER),
        ("https://contosostore.blob.core.windows.net/transfer/folder", AddressProblem.NO_CONTAINER),
        ("https://contosostore.blob.core.windows.net/Transfer", AddressProblem.NO_CONTAINER),
        ("https://contosostore.blob.core.chinacloudapi.cn/transfer", AddressProblem.WRONG_CLOUD),
        ("https://contosostore.blob.core.windows.net.evil.example/transfer", AddressProblem.WRONG_CLOUD),
        ("https://contosostore.file.core.windows.net/transfer", AddressProblem.NO_ACCOUNT_HOST),
        ("https://evil.example/contosostore.blob.core.windows.net", AddressProblem.NO_ACCOUNT_HOST),
        ("https://contosostore.blob.core.windows.net@evil.example/transfer", AddressProblem.NO_ACCOUNT_HOST),
        ("https://user@contosostore.blob.core.windows.net/transfer", AddressProblem.NO_ACCOUNT_HOST),
        ("https://contosostore.z01.blob.storage.azure.net/transfer", AddressProblem.DNS_ZONE),
    ],
)
def test_a_container_that_can_not_be_used_says_why(uri: str, problem: AddressProblem) -> None:
    found = read_container_address(uri, PUBLIC)
    assert isinstance(found, BadAddress)
    assert found.problem is problem


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("https://contosokv.vault.azure.cn/secrets/sas", AddressProblem.WRONG_CLOUD),
        ("https://contosokv.vault.azure.net/keys/sas", AddressProblem.NO_SECRETS_PATH),
        ("https://contosokv.vault.azure.net/secrets/", AddressProblem.NO_SECRETS_PATH),
        ("https://contosokv.vault.azure.net/secrets/a/b/c", AddressProblem.NO_SECRETS_PATH),
        ("https://contosokv.example/secrets/sas", AddressProblem.NO_VAULT_HOST),
        ("contosokv.vault.azure.net/secrets/sas", AddressProblem.NOT_HTTPS),
    ],
)
def test_a_secret_that_can_not_be_used_says_why(uri: str, problem: AddressProblem) -> None:
    found = read_secret_address(uri, PUBLIC)
    assert isinstance(found, BadAddress)
    assert found.problem is problem


@given(TEXTS)
def test_any_text_is_an_address_or_a_bad_one(text: str) -> None:
    for read in READERS:
        for cloud in (PUBLIC, US_GOVERNMENT, CHINA):
            for uri in (text, f"https://{text}", f"https://contosostore.blob.core.windows.net/{text}"):
                found = read(uri, cloud)
                if not isinstance(found, BadAddress):
                    assert not set(" /?#@:%\\") & set(str(found).partition("/")[0])


@given(st.sampled_from(("", "https://", "https://user:", "https://h.example/")), TEXTS, SIGNATURES)
def test_a_bad_address_is_shown_without_a_token(start: str, text: str, signature: bytes) -> None:
    plain = base64.b64encode(signature).decode()
    encoded = quote(plain, safe="")
    clean = text.replace("?", "").replace("#", "")
    for secret in (plain, encoded):
        for read in READERS:
            found = read(f"{start}{clean}?sv=2024-11-04&sig={secret}", PUBLIC)
            if isinstance(found, BadAddress):
                for shown in (repr(found), str(found), found.text, pickle.dumps(found).decode("latin-1")):
                    assert secret not in shown
                assert len(found.text) <= 300


def test_a_user_before_the_host_is_not_shown() -> None:
    found = read_container_address("https://contosostore:p4ssw0rd@evil.example/transfer", PUBLIC)
    assert isinstance(found, BadAddress)
    assert found.text == "https://evil.example/transfer"


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("https://management.azure.com/next?$skiptoken=1", True),
        ("https://MANAGEMENT.azure.com:443/next", True),
        ("http://management.azure.com/next", False),
        ("https://management.azure.com.evil.example/next", False),
        ("https://management.azure.com@evil.example/next", False),
        ("https://management.azure.com:8443/next", False),
        ("//management.azure.com/next", False),
        ("https://[", False),
    ],
)
def test_only_the_very_host_is_trusted(url: str, trusted: bool) -> None:
    if trusted:
        require_trusted_host(url, "management.azure.com", "ARM")
    else:
        with pytest.raises(UntrustedAddress) as refused:
            require_trusted_host(url, "management.azure.com", "ARM")
        assert "evil" not in str(refused.value)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_reading_takes_linear_time(text: str) -> None:
    for read in READERS:
        for start in ("", "https://", "https://contosostore.blob.core.windows.net/transfer/"):
            takes_linear_time(lambda uri, read=read: read(uri, PUBLIC), f"{start}{text}"[:LONGEST])  # type: ignore[misc]
