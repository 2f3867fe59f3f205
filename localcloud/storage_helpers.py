"""How tests and the demo make containers, blobs and tokens: as the operator, through the front."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import quote
from xml.etree import ElementTree as ET

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from localcloud import sas
from localcloud.core import Core
from localcloud.service import Origin
from localcloud.world import BlobAppearance, Principal
from localcloud.world.clock import now

API_VERSION = "2024-11-04"
_UNSET = timedelta(days=30)


class StorageHelpers:
    """Part of ``LocalCloud``."""

    _core: Core

    # -- tokens ----------------------------------------------------------------------------------------------

    def sas(
        self,
        account: str,
        container: str,
        permissions: str | None = "rwla",
        *,
        expires_in: timedelta = _UNSET,
        starts: datetime | str | None = None,
        expires: datetime | str | None = None,
        blob: str | None = None,
        protocol: str | None = "https",
        ip: str | None = None,
        policy_id: str | None = None,
        key: int = 1,
        version: str | None = None,
    ) -> str:
        """A service SAS: of the container, or of one blob. With a policy, times and permissions may be its."""
        if expires is None and policy_id is None:
            expires = now() + expires_in
        token = sas.service_sas(
            account,
            self._core.world.account(account).keys[key],
            container,
            blob,
            permissions=permissions,
            starts=starts,
            expires=expires,
            protocol=protocol,
            ip=ip,
            policy_id=policy_id,
            version=version or sas.VERSION,
        )
        return self._core.secrets.add_sas(token)

    def account_sas(
        self,
        account: str,
        permissions: str = "rwla",
        *,
        resource_types: str = "sco",
        services: str = "b",
        expires_in: timedelta = _UNSET,
        starts: datetime | str | None = None,
        expires: datetime | str | None = None,
        protocol: str | None = "https",
        ip: str | None = None,
        key: int = 1,
    ) -> str:
        token = sas.account_sas(
            account,
            self._core.world.account(account).keys[key],
            permissions=permissions,
            expires=expires or now() + expires_in,
            starts=starts,
            resource_types=resource_types,
            services=services,
            protocol=protocol,
            ip=ip,
        )
        return self._core.secrets.add_sas(token)

    async def user_delegation_sas(
        self,
        account: str,
        container: str,
        permissions: str = "rwl",
        *,
        delegator: Principal | None = None,
        expires_in: timedelta = timedelta(days=1),
    ) -> str:
        """A SAS signed with a key that Entra ID gave the delegator (the operator without one)."""
        from azure.storage.blob import ContainerSasPermissions, UserDelegationKey, generate_container_sas

        start, end = now() - timedelta(minutes=5), now() + expires_in
        body = (
            '<?xml version="1.0" encoding="utf-8"?><KeyInfo>'
            f"<Start>{start:%Y-%m-%dT%H:%M:%SZ}</Start><Expiry>{end:%Y-%m-%dT%H:%M:%SZ}</Expiry></KeyInfo>"
        )
        delegator = delegator or self._core.world.operator
        url = f"https://{account}.blob.core.windows.net/?restype=service&comp=userdelegationkey"
        _, answer = await self._storage("POST", url, principal=delegator, data=body.encode())
        given = ET.fromstring(answer)
        key = UserDelegationKey()  # type: ignore[no-untyped-call]
        key.signed_oid = delegator.id
        key.signed_tid = self._core.world.tenant_id
        key.signed_start = given.findtext("SignedStart")
        key.signed_expiry = given.findtext("SignedExpiry")
        key.signed_service = given.findtext("SignedService")
        key.signed_version = given.findtext("SignedVersion")
        key.value = given.findtext("Value")
        token = generate_container_sas(
            account,
            container,
            user_delegation_key=key,
            permission=ContainerSasPermissions.from_string(permissions),
            expiry=end,
            protocol="https",
        )
        return self._core.secrets.add_sas(token)

    # -- containers and blobs --------------------------------------------------------------------------------

    async def create_container(self, account: str, name: str) -> str:
        """The container's URL."""
        url = f"https://{account}.blob.core.windows.net/{name}"
        await self._storage("PUT", f"{url}?restype=container")
        return url

    async def delete_container(self, account: str, name: str) -> None:
        await self._storage("DELETE", f"https://{account}.blob.core.windows.net/{name}?restype=container")

    async def set_policy(
        self, account: str, container: str, identifier: str, permissions: str, expires: datetime
    ) -> None:
        """A stored access policy; it replaces those that were there."""
        body = (
            '<?xml version="1.0" encoding="utf-8"?><SignedIdentifiers><SignedIdentifier>'
            f"<Id>{identifier}</Id><AccessPolicy><Expiry>{expires:%Y-%m-%dT%H:%M:%SZ}</Expiry>"
            f"<Permission>{permissions}</Permission></AccessPolicy></SignedIdentifier></SignedIdentifiers>"
        )
        await self._set_acl(account, container, body)

    async def remove_policies(self, account: str, container: str) -> None:
        await self._set_acl(
            account, container, '<?xml version="1.0" encoding="utf-8"?><SignedIdentifiers></SignedIdentifiers>'
        )

    async def _set_acl(self, account: str, container: str, body: str) -> None:
        url = f"https://{account}.blob.core.windows.net/{container}?restype=container&comp=acl"
        await self._storage("PUT", url, data=body.encode(), headers={"Content-Type": "application/xml"})

    async def put_blob(
        self,
        account: str,
        container: str,
        name: str,
        data: bytes = b"content",
        *,
        metadata: Mapping[str, str] | None = None,
        content_md5: bool | bytes = True,
        blob_type: str = "BlockBlob",
    ) -> str:
        """The blob's URL.

        ``content_md5``: true for the right one, false for none (as after a big upload), or any bytes.
        """
        url = blob_url(account, container, name)
        headers = {f"x-ms-meta-{key}": value for key, value in (metadata or {}).items()}
        if blob_type != "BlockBlob":
            headers |= {"x-ms-blob-type": blob_type, "x-ms-blob-content-length": "512"}
            await self._storage("PUT", url, headers=headers)
            return url
        if content_md5 is True:
            # Azurite computes no MD5 of its own for this, where Azure does.
            headers |= {"x-ms-blob-type": blob_type}
            await self._storage("PUT", url, data=data, headers=headers)
            return url
        if content_md5:
            headers["x-ms-blob-content-md5"] = base64.b64encode(content_md5).decode()
        block = base64.b64encode(b"block-000000").decode()
        await self._storage("PUT", f"{url}?comp=block&blockid={quote(block, safe='')}", data=data)
        blocks = f'<?xml version="1.0" encoding="utf-8"?><BlockList><Latest>{block}</Latest></BlockList>'
        await self._storage("PUT", f"{url}?comp=blocklist", data=blocks.encode(), headers=headers)
        return url

    async def set_blob_metadata(self, account: str, container: str, name: str, metadata: Mapping[str, str]) -> None:
        """Replaces all metadata."""
        headers = {f"x-ms-meta-{key}": value for key, value in metadata.items()}
        await self._storage("PUT", f"{blob_url(account, container, name)}?comp=metadata", headers=headers)

    async def copy_blob(
        self, source_url: str, account: str, container: str, name: str, *,
        metadata: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """Copy Blob; a source in another account needs a SAS in its URL."""
        headers = {f"x-ms-meta-{key}": value for key, value in (metadata or {}).items()}
        headers["x-ms-copy-source"] = source_url
        await self._storage("PUT", blob_url(account, container, name), headers=headers)

    async def delete_blob(self, account: str, container: str, name: str) -> None:
        await self._storage("DELETE", blob_url(account, container, name))

    async def read_blob(self, account: str, container: str, name: str) -> bytes:
        return (await self._storage("GET", blob_url(account, container, name)))[1]

    async def blob_properties(self, account: str, container: str, name: str) -> CIMultiDict[str] | None:
        """The blob's headers, metadata as ``x-ms-meta-…``; None without the blob."""
        try:
            headers, _ = await self._storage("HEAD", blob_url(account, container, name))
        except aiohttp.ClientResponseError as error:
            if error.status == 404:
                return None
            raise
        return headers

    async def stored(self, account: str, container: str) -> dict[str, bytes]:
        """Every blob of a container as it is stored, whatever the world lets anybody read."""
        return await self._core.azurite.contents(account, container)

    async def blob_names(self, account: str, container: str) -> list[str]:
        url = f"https://{account}.blob.core.windows.net/{container}?restype=container&comp=list"
        _, listing = await self._storage("GET", url)
        return [element.text or "" for element in ET.fromstring(listing).iter("Name")]

    def backdate_blob(self, account: str, container: str, name: str, age: timedelta) -> None:
        """Show the blob as last modified this long ago, until it is written again."""
        self._appearance(account, container, name).last_modified = now() - age

    def disguise_blob(self, account: str, container: str, name: str, headers: Mapping[str, str]) -> None:
        """Show these headers (``x-ms-copy-status: pending``) with the blob, until it is written again."""
        self._appearance(account, container, name).headers.update(headers)

    async def archive_blob(self, account: str, container: str, name: str) -> None:
        headers = {"x-ms-access-tier": "Archive"}
        await self._storage("PUT", f"{blob_url(account, container, name)}?comp=tier", headers=headers)

    def _appearance(self, account: str, container: str, name: str) -> BlobAppearance:
        appearances = self._core.world.account(account).appearances
        return appearances.setdefault((container, name), BlobAppearance())

    async def _storage(
        self,
        method: str,
        url: str,
        *,
        principal: Principal | None = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[CIMultiDict[str], bytes]:
        bearer = self._core.bearer(principal or self._core.world.operator, "https://storage.azure.com")
        session = self._core.session(Origin.OPERATOR)
        sent = {**bearer, "x-ms-version": API_VERSION, "User-Agent": "operator", **(headers or {})}
        async with session.request(
            method, URL(url, encoded=True), data=None if data is None else io.BytesIO(data), headers=sent
        ) as answer:
            body = await answer.read()
            if answer.status >= 400:
                message = f"{answer.headers.get('x-ms-error-code')}: {answer.reason}\n{body.decode(errors='replace')}"
                raise aiohttp.ClientResponseError(
                    answer.request_info, answer.history, status=answer.status, message=message
                )
            return CIMultiDict(answer.headers), body


def blob_url(account: str, container: str, name: str) -> str:
    return f"https://{account}.blob.core.windows.net/{container}/{quote(name)}"


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
