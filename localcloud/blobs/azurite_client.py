"""The way to Azurite: the only place that talks to it directly."""

from __future__ import annotations

from typing import Self

import aiohttp
from multidict import CIMultiDictProxy

from localcloud.azurite import Azurite

API_VERSION = "2024-11-04"


class AzuriteClient:
    """One session to Azurite, whose token opens everything."""

    def __init__(self, azurite: Azurite) -> None:
        self.azurite = azurite
        self.bearer = azurite.bearer()
        self.session = aiohttp.ClientSession(
            connector=azurite.connector(), auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

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
