"""The front of blob storage: judges a request as Azure would, lets Azurite carry it out, and tells of new blobs."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from xml.etree import ElementTree as ET

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from localcloud import sas
from localcloud.blobs import sas_gate
from localcloud.blobs.appearance import dress_headers, dress_listing
from localcloud.blobs.azurite_client import AzuriteClient
from localcloud.blobs.errors import (
    StorageError,
    authentication_failed,
    network_blocked,
    permission_mismatch,
)
from localcloud.blobs.targets import Target, Write
from localcloud.service import Caller
from localcloud.tokens import ORIGIN_HEADER
from localcloud.world import BlobAppearance, StorageAccount, World

AUDIENCE = "https://storage.azure.com"
SUFFIX = ".blob.core.windows.net"
CHUNK = 256 * 1024
_NOT_FORWARDED = {"connection", "keep-alive", "transfer-encoding", "expect", "host", ORIGIN_HEADER}


@dataclass(frozen=True, slots=True)
class Landing:
    """A blob that was written just now."""

    account: StorageAccount
    target: Target
    write: Write
    request: web.Request
    headers: CIMultiDict[str]
    size: int


class BlobService:
    name = "storage"

    def __init__(self, world: World, azurite: AzuriteClient, landed: Callable[[Landing], None]) -> None:
        self._world = world
        self._azurite = azurite
        self._landed = landed

    def owns(self, host: str) -> bool:
        return host.endswith(SUFFIX) and host.removesuffix(SUFFIX) in self._world.storage_accounts

    async def handle(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        account = self._world.storage_accounts[request.host.partition(".")[0].casefold()]
        target = Target.of(request)
        try:
            self._judge(request, caller, account, target)
            response = await self._forward(request, account, target)
        except StorageError as error:
            return error.response(request.method)
        if target.changes_blob and response.status < 300:
            account.appearances.pop((target.container or "", target.blob or ""), None)
        if target.write is not None and response.status in {201, 202}:
            size = await self._azurite.blob_size(account.name, request.rel_url.raw_path)
            self._landed(Landing(account, target, target.write, request, response.headers, size))
        return response

    def _judge(self, request: web.Request, caller: Caller, account: StorageAccount, target: Target) -> None:
        """Authentication first, then the network, then rights: whatever is wrong first is the answer."""
        if account.disabled:
            raise StorageError(403, "AccountIsDisabled", "The specified account is disabled.")
        signed = "sig" in request.query
        if signed:
            sas_gate.authenticate(account, target, request.query)
        else:
            _authenticate_bearer(request, caller, account)
        if not account.network.admits(caller.origin):  # the registry service is not trusted here
            raise network_blocked()
        if signed:
            sas_gate.authorize(self._world, account, target, request.query, caller)
        elif not caller.anonymous:
            scope = account.container_id(target.container) if target.container else account.id
            right = target.right
            if not any(caller.may(action, scope, data_action=right.data) for action in right.actions):
                raise permission_mismatch()

    async def _forward(self, request: web.Request, account: StorageAccount, target: Target) -> web.StreamResponse:
        url, headers = self._azurite_request(request, account, target)
        if request.method == "PUT":
            self._azurite.azurite.written_to.add(account.name)
        body = request.content if request.body_exists else None
        async with self._azurite.session.request(
            request.method,
            url,
            headers=headers,
            data=body,
            allow_redirects=False,
            skip_auto_headers=("User-Agent", "Content-Type", "Accept", "Accept-Encoding"),
        ) as answer:
            shown = CIMultiDict(
                (name, value) for name, value in answer.headers.items() if name.casefold() not in _NOT_FORWARDED
            )
            if answer.status >= 400:
                await self._translate_refusal(request, account, target, answer)
            if target.lists_blobs and answer.status == 200:
                include = request.query.get("include", "")
                listing = dress_listing(await answer.read(), _appearances(account, target), self._public, include)
                shown["Content-Length"] = str(len(listing))
                return web.Response(status=200, headers=shown, body=listing)
            if "x-ms-copy-source" in shown:
                shown["x-ms-copy-source"] = self._public(shown["x-ms-copy-source"])
            appearance = _appearances(account, target).get(target.blob or "")
            if appearance is not None and request.method in {"GET", "HEAD"} and answer.status < 300:
                dress_headers(shown, appearance)
            if request.method != "GET" or (answer.content_length or 0) <= CHUNK:
                # Not sent yet, so that whoever gets it finds the event raised and the request on record.
                whole = await answer.read()
                return web.Response(status=answer.status, reason=answer.reason, headers=shown, body=whole)
            response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=shown)
            await response.prepare(request)
            with contextlib.suppress(ConnectionResetError):
                async for chunk in answer.content.iter_chunked(CHUNK):
                    await response.write(chunk)
                await response.write_eof()
            return response

    def _azurite_request(
        self, request: web.Request, account: StorageAccount, target: Target
    ) -> tuple[URL, CIMultiDict[str]]:
        headers = CIMultiDict(
            (name, value) for name, value in request.headers.items() if name.casefold() not in _NOT_FORWARDED
        )
        if headers.get("Authorization", "").casefold().startswith("bearer ") and target.comp != "userdelegationkey":
            # The caller was judged here. Azurite would hold its token against its own clock, which is never put ahead.
            headers["Authorization"] = self._azurite.bearer
        path = request.raw_path
        if "sig" in request.query:
            path = sas_gate.for_azurite(account, target, request.query, path)
        azurite = self._azurite.azurite
        if target.comp == "acl" and "Authorization" in headers:
            kept = {name: value for name, value in headers.items() if name.casefold() == "content-type"}
            signed = self._azurite.signed(
                request.method,
                account.name,
                f"/{target.container}",
                request.query,
                kept,
                request.content_length or 0,
            )
            headers = CIMultiDict({**signed, "Content-Length": str(request.content_length or 0)})
        if not target.copies:
            # With the production name Azurite finds the account, and signatures made for it hold.
            headers["Host"] = request.host
            return URL(f"https://127.0.0.1:{azurite.port}{path}", encoded=True), headers
        # Azurite reads a copy's source by its URL, and only from its own address.
        headers["x-ms-copy-source"] = self._source_at_azurite(target.copy_source or "")
        return URL(f"{azurite.url(account.name)}{path}", encoded=True), headers

    def _source_at_azurite(self, source: str) -> str:
        url = URL(source, encoded=True)
        host = (url.host or "").casefold()
        if not self.owns(host):
            raise StorageError(404, "CannotVerifyCopySource", "The specified resource does not exist.")
        account = self._world.storage_accounts[host.removesuffix(SUFFIX)]
        path = url.raw_path_qs
        if "sig" in url.query:
            container, _, blob = url.path.lstrip("/").partition("/")
            target = Target("GET", container, blob, "", "", None, None)
            sas_gate.authenticate(account, target, url.query)
            path = sas_gate.for_azurite(account, target, url.query, path)
        return f"{self._azurite.azurite.url(account.name)}{path}"

    def _public(self, source: str) -> str:
        """A copy's source as Azure shows it: by its production name, and without the token."""
        address = self._azurite.azurite.url("")
        if not source.startswith(address):
            return source
        account, _, path = source.removeprefix(address).partition("?")[0].partition("/")
        return f"https://{account}{SUFFIX}/{path}"

    async def _translate_refusal(
        self,
        request: web.Request,
        account: StorageAccount,
        target: Target,
        answer: aiohttp.ClientResponse,
    ) -> None:
        """Azurite often has one code where Azure tells why; raise what Azure would say."""
        code = answer.headers.get("x-ms-error-code", "")
        if answer.status == 403 and code == "AuthorizationFailure":
            policy = request.query.get("si")
            if policy is not None and target.container is not None:
                acl = await self._azurite.container_acl(account.name, target.container)
                raise sas_gate.policy_refusal(_policies(acl), policy)
            if "skoid" in request.query:
                raise authentication_failed("Signature did not match.")
        if code:
            raise StorageError(answer.status, code, answer.reason or code)


def _appearances(account: StorageAccount, target: Target) -> dict[str, BlobAppearance]:
    return {
        name: appearance
        for (container, name), appearance in account.appearances.items()
        if container == target.container
    }


def _authenticate_bearer(request: web.Request, caller: Caller, account: StorageAccount) -> None:
    scheme = request.headers.get("Authorization", "").partition(" ")[0].casefold()
    if scheme.startswith("sharedkey"):
        if account.allow_shared_key_access is False:
            raise StorageError(
                403,
                "KeyBasedAuthenticationNotPermitted",
                "Key based authentication is not permitted on this storage account.",
            )
        return
    challenge = {
        "WWW-Authenticate": "Bearer authorization_uri=https://login.microsoftonline.com/common/oauth2/authorize "
        f"resource_id={AUDIENCE}"
    }
    if scheme != "bearer":
        raise StorageError(
            401,
            "NoAuthenticationInformation",
            "Server failed to authenticate the request. Please refer to the information in the "
            "www-authenticate header.",
            headers=challenge,
        )
    accepted = caller.has_audience(AUDIENCE) or caller.has_audience(account.url)
    if caller.anonymous or not accepted:
        detail = caller.token_problem or "Audience validation failed. Audience did not match."
        raise StorageError(
            401,
            "InvalidAuthenticationInfo",
            "Server failed to authenticate the request. Please refer to the information in the "
            "www-authenticate header.",
            detail,
            headers=challenge,
        )


def _policies(acl: bytes) -> sas_gate.Policies:
    policies: sas_gate.Policies = {}
    for identifier in ET.fromstring(re.sub(rb"^\xef\xbb\xbf", b"", acl)).iter("SignedIdentifier"):
        policies[identifier.findtext("Id", "")] = (
            sas.moment_of(identifier.findtext("AccessPolicy/Start")),
            sas.moment_of(identifier.findtext("AccessPolicy/Expiry")),
        )
    return policies
