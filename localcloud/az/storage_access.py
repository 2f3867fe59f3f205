"""How a storage command proves who it is: a sign-in, a token, or the account's key."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

from localcloud import sas
from localcloud.az.errors import AzError, NotCarriedOut
from localcloud.az.requests import STORAGE_API, Cloud
from localcloud.az.sign_in import STORAGE
from localcloud.az.wire import Answer

DATA_VERSION = "2024-11-04"
ACCOUNTS = "Microsoft.Storage/storageAccounts"
_NO_CREDENTIALS = (
    "\nThere are no credentials provided in your command and environment, we will query for account key for your "
    "storage account.\nIt is recommended to provide --connection-string, --account-key or --sas-token in your "
    "command as credentials.\n"
)


class Account:
    """A storage account, with whatever opens it."""

    __slots__ = ("_token", "audience", "cloud", "name")

    def __init__(self, cloud: Cloud, name: str, *, audience: str | None = None, token: str = "") -> None:
        self.cloud = cloud
        self.name = name
        self.audience = audience
        self._token = token

    def url(self, container: str, blob: str = "", query: Mapping[str, str] | None = None) -> str:
        """The address of a container or a blob, without any token."""
        address = f"https://{self.name}.blob.core.windows.net/{quote(container, safe='$')}"
        address += f"/{quote(blob, safe='~/')}" if blob else ""
        return f"{address}?{urlencode(query, quote_via=quote)}" if query else address

    def send(
        self,
        method: str,
        container: str,
        blob: str = "",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        allowed: tuple[int, ...] = (),
    ) -> Answer:
        """One request to the Blob service."""
        url = self.url(container, blob, query)
        if self._token:
            url += ("&" if "?" in url else "?") + self._token
        sent = {"x-ms-version": DATA_VERSION, **(headers or {})}
        if method == "PUT" and body is None:
            body = b""
        return self.cloud.send(method, url, audience=self.audience, headers=sent, body=body, allowed=allowed)


def account_of(cloud: Cloud, options: Namespace) -> Account:
    """The account that the command is about, opened as its options say."""
    if options.connection_string or options.account_url:
        raise NotCarriedOut("--connection-string and --blob-endpoint")
    name = options.account_name
    if not name:
        raise AzError("Missing one of --account-name, --connection-string or --blob-endpoint.")
    if options.auth_mode == "login":
        return Account(cloud, name, audience=STORAGE)
    if options.sas_token:
        return Account(cloud, name, token=options.sas_token.lstrip("?"))
    return Account(cloud, name, token=_own_token(name, account_key(cloud, options)))


def account_key(cloud: Cloud, options: Namespace) -> str:
    """The key that is given, or the account's first one, which az asks ARM for."""
    if options.account_key:
        return str(options.account_key)
    print(_NO_CREDENTIALS, file=sys.stderr)
    return first_key(cloud, options.account_name)


def first_key(cloud: Cloud, account: str) -> str:
    """The first of an account's keys."""
    resource_id = cloud.named(ACCOUNTS, account, STORAGE_API)["id"]
    return str(cloud.arm("POST", f"{resource_id}/listKeys", STORAGE_API)["keys"][0]["value"])


def _own_token(account: str, key: str) -> str:
    """A short-lived account SAS.

    az signs each request with the key itself; a token of that key is worth the same and is refused alike, and
    the local cloud takes it after a rotation too.
    """
    end = datetime.now(UTC) + timedelta(minutes=5)
    return sas.account_sas(account, key, permissions="racwdl", expires=end)


def check_metadata(pairs: list[str] | None) -> dict[str, str]:
    """``key=value`` pairs as the headers that carry them."""
    headers = {}
    for pair in pairs or ():
        name, _, value = pair.partition("=")
        if not name.isidentifier():
            raise AzError(f"(InvalidMetadata) '{name}' can't be the name of metadata.")
        if not value.isascii():
            raise AzError(f"(InvalidMetadata) Only ASCII characters are allowed in the value of '{name}'.")
        headers[f"x-ms-meta-{name}"] = value
    return headers
