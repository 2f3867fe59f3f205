"""Addresses that pipelines name: storage containers and vault secrets.

They come from other people, so they are taken apart here, and a host outside the cloud's own suffixes is
never asked. URLs that the monitor does ask are built from the parts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

from shared.clouds import KNOWN_CLOUDS, Cloud
from shared.errors import UntrustedAddress
from shared.redaction import redact

_ACCOUNT: Final = re.compile(r"[a-z0-9]{3,24}")
_CONTAINER: Final = re.compile(r"\$root|\$web|[a-z0-9](?:-?[a-z0-9]){2,62}")
_VAULT: Final = re.compile(r"[a-z][a-z0-9-]{1,22}[a-z0-9]")
_SECRET: Final = re.compile(r"[0-9A-Za-z-]{1,127}")
_ALL_VAULT_SUFFIXES: Final = tuple(cloud.key_vault_dns_suffix for cloud in KNOWN_CLOUDS.values())
# Accounts with a DNS zone endpoint (account.z01.blob.storage.azure.net) exist too: not wrong, but not judged.
_DNS_ZONE: Final = re.compile(r"[a-z0-9]{3,24}\.z\d{1,3}\.blob\.storage\.azure\.net")


class AddressProblem(StrEnum):
    """Why an address can't be used."""

    NOT_HTTPS = "it does not begin with https://"
    NO_ACCOUNT_HOST = "its host is no blob endpoint"
    NO_CONTAINER = "it names no container (3 to 63 lower-case letters, digits and single hyphens)"
    WRONG_CLOUD = "its host belongs to another cloud"
    DNS_ZONE = "its host is a DNS zone endpoint, which the monitor does not ask"
    NO_VAULT_HOST = "its host is no key vault"
    NO_SECRETS_PATH = "its path is not /secrets/<name>"


@dataclass(frozen=True, slots=True)
class BadAddress:
    """An address that can't be used, and why.

    ``text`` is what may be shown of it: who writes a token behind the address, or a user before it, put them in
    the wrong place.
    """

    text: str
    problem: AddressProblem


@dataclass(frozen=True, slots=True)
class ContainerAddress:
    """A blob container by the names of its account and itself."""

    account: str
    container: str

    def __str__(self) -> str:
        return f"{self.account}/{self.container}"


@dataclass(frozen=True, slots=True)
class BlobAddress:
    """A blob by the names of its account, its container and itself (the name as stored, not encoded)."""

    account: str
    container: str
    name: str

    @property
    def in_container(self) -> ContainerAddress:
        """The container that holds it."""
        return ContainerAddress(self.account, self.container)

    def url(self, cloud: Cloud) -> str:
        """Its URL in ``cloud``, without any token."""
        return f"https://{cloud.blob_host(self.account)}/{self.container}/{quote(self.name, safe='/')}"

    def __str__(self) -> str:
        return f"{self.account}/{self.container}/{self.name}"


@dataclass(frozen=True, slots=True)
class SecretAddress:
    """A secret in a vault; ``version`` is empty when the newest one is meant."""

    vault: str
    secret: str
    version: str

    def __str__(self) -> str:
        return f"{self.vault}/{self.secret}"


def _split(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text.strip())
        # Reading the port is what makes urlsplit look at it.
        return parts if parts.port in (None, 443) else None
    except ValueError:
        return None


_LONGEST_SHOWN: Final = 300
_USER: Final = re.compile(r"//[^/@]*@")


def _bad(uri: str, problem: AddressProblem) -> BadAddress:
    address = re.split(r"[?#]", uri.strip()[: 4 * _LONGEST_SHOWN], maxsplit=1)[0]
    return BadAddress(redact(_USER.sub("//", address))[:_LONGEST_SHOWN], problem)


def read_container_address(uri: str, cloud: Cloud) -> ContainerAddress | BadAddress:
    """Takes a pipeline's ``https://<account>.blob.<suffix>/<container>`` apart."""
    parts = _split(uri)
    if parts is None or parts.scheme.lower() != "https":
        return _bad(uri, AddressProblem.NOT_HTTPS)
    account = _account(parts, cloud)
    if isinstance(account, AddressProblem):
        return _bad(uri, account)
    segments = [segment for segment in parts.path.split("/") if segment]
    if len(segments) != 1 or not _CONTAINER.fullmatch(segments[0]):
        return _bad(uri, AddressProblem.NO_CONTAINER)
    return ContainerAddress(account, segments[0])


def read_blob_address(uri: str, cloud: Cloud) -> BlobAddress | BadAddress:
    """Takes ``https://<account>.blob.<suffix>/<container>/<blob>`` apart; a query (a token) is dropped."""
    parts = _split(uri)
    if parts is None or parts.scheme.lower() != "https":
        return _bad(uri, AddressProblem.NOT_HTTPS)
    account = _account(parts, cloud)
    if isinstance(account, AddressProblem):
        return _bad(uri, account)
    container, _, name = parts.path.removeprefix("/").partition("/")
    if not _CONTAINER.fullmatch(container) or not name:
        return _bad(uri, AddressProblem.NO_CONTAINER)
    return BlobAddress(account, container, unquote(name))


def _account(parts: SplitResult, cloud: Cloud) -> str | AddressProblem:
    host = (parts.hostname or "").rstrip(".").lower()
    account, _, rest = host.partition(".")
    if parts.username is not None or not _ACCOUNT.fullmatch(account):
        return AddressProblem.NO_ACCOUNT_HOST
    if rest == f"blob.{cloud.storage_dns_suffix}":
        return account
    if _DNS_ZONE.fullmatch(host):
        return AddressProblem.DNS_ZONE
    return AddressProblem.WRONG_CLOUD if rest.startswith("blob.") else AddressProblem.NO_ACCOUNT_HOST


def read_secret_address(uri: str, cloud: Cloud) -> SecretAddress | BadAddress:
    """Takes a pipeline's ``https://<vault>.<suffix>/secrets/<name>[/<version>]`` apart."""
    parts = _split(uri)
    if parts is None or parts.scheme.lower() != "https":
        return _bad(uri, AddressProblem.NOT_HTTPS)
    host = (parts.hostname or "").rstrip(".").lower()
    vault, _, suffix = host.partition(".")
    if parts.username is not None or not _VAULT.fullmatch(vault):
        return _bad(uri, AddressProblem.NO_VAULT_HOST)
    if suffix != cloud.key_vault_dns_suffix:
        other_cloud = suffix in _ALL_VAULT_SUFFIXES or suffix.startswith("vault.")
        return _bad(uri, AddressProblem.WRONG_CLOUD if other_cloud else AddressProblem.NO_VAULT_HOST)
    segments = [segment for segment in parts.path.split("/") if segment]
    if len(segments) not in (2, 3) or segments[0].lower() != "secrets" or not _SECRET.fullmatch(segments[1]):
        return _bad(uri, AddressProblem.NO_SECRETS_PATH)
    return SecretAddress(vault, segments[1], segments[2] if len(segments) == 3 else "")


def require_trusted_host(url: str, allowed_host: str, service: str) -> None:
    """Raises :class:`UntrustedAddress` unless ``url`` is https on exactly ``allowed_host``."""
    parts = _split(url)
    if parts is None or parts.scheme.lower() != "https" or (parts.hostname or "").lower() != allowed_host.lower():
        raise UntrustedAddress(service, allowed_host, "a redirect or a next page leads to another host")
