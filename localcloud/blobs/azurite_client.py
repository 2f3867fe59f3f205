"""The way to Azurite: the only place that talks to it directly."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import quote
from xml.etree import ElementTree as ET

from multidict import CIMultiDictProxy
from yarl import URL

from localcloud.azurite import Azurite
from localcloud.sas import shared_key
from localcloud.world.clock import http_date, now

API_VERSION = "2024-11-04"
ACL_QUERY = {"comp": "acl", "restype": "container"}


class AzuriteClient:
    """Azurite's session, with a token that opens everything."""

    def __init__(self, azurite: Azurite) -> None:
        self.azurite = azurite
        self.bearer = azurite.bearer()
        self.session = azurite.session

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": self.bearer, "x-ms-version": API_VERSION}

    async def container_properties(self, account: str, container: str) -> CIMultiDictProxy[str] | None:
        """The container's headers, or None without one."""
        url = f"{self.azurite.url(account)}/{container}?restype=container"
        async with self.session.head(url, headers=self.headers) as answer:
            if answer.status == 404:
                return None
            answer.raise_for_status()
            return answer.headers

    async def container_acl(self, account: str, container: str) -> bytes:
        """The stored access policies, as XML."""
        url = f"{self.azurite.url(account)}/{container}?restype=container&comp=acl"
        headers = self.signed("GET", account, f"/{account}/{container}", ACL_QUERY)
        async with self.session.get(url, headers=headers) as answer:
            answer.raise_for_status()
            return await answer.read()

    async def contents(self, account: str, container: str) -> dict[str, bytes]:
        """Every blob of a container by its name; empty without one."""
        place, headers = f"{self.azurite.url(account)}/{container}", self.headers
        async with self.session.get(f"{place}?restype=container&comp=list", headers=headers) as answer:
            if answer.status == 404:
                return {}
            answer.raise_for_status()
            names = [element.text or "" for element in ET.fromstring(await answer.read()).iter("Name")]

        async def read(name: str) -> bytes:
            async with self.session.get(URL(f"{place}/{quote(name)}", encoded=True), headers=headers) as answer:
                answer.raise_for_status()
                return await answer.read()

        return dict(zip(names, await asyncio.gather(*map(read, names)), strict=True))

    def signed(
        self,
        method: str,
        account: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        length: int = 0,
    ) -> dict[str, str]:
        """Azurite gives access policies to the account's key alone, and not to any token."""
        complete = {**(headers or {}), "x-ms-version": API_VERSION, "x-ms-date": http_date(now())}
        key = self.azurite.account_keys[account][0]
        complete["Authorization"] = shared_key(account, key, method, path, query, complete, length)
        return complete

    async def blob_size(self, account: str, path: str) -> int:
        """Of the blob at this path below the account."""
        async with self.session.head(
            URL(f"{self.azurite.url(account)}{path}", encoded=True), headers=self.headers
        ) as answer:
            return int(answer.headers.get("Content-Length", "0"))
