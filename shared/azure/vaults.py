"""Key vaults and secrets: settings and attributes through ARM, a value only where the settings allow it."""

from __future__ import annotations

import json
from typing import Final

import aiohttp
from azure.core import AsyncPipelineClient
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy, RequestIdPolicy, UserAgentPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest

from shared.addresses import SecretAddress
from shared.azure.arm import ArmReader
from shared.azure.connection import BoundedRetry, Connection
from shared.azure.failures import asking, for_status
from shared.errors import ServiceError, UnknownHost, Unreachable
from shared.records.json_fields import mapping, text
from shared.records.key_vault import SecretAttributes, Vault
from shared.redaction import Secret
from shared.version import MONITOR_VERSION

SERVICE: Final = "Key Vault"
VAULT_VERSIONS: Final = ("2023-07-01", "2022-07-01", "2019-09-01")
_DATA_VERSION: Final = "7.4"


class VaultReader:
    """Reads vaults by resource id and secrets by address."""

    def __init__(self, arm: ArmReader, connection: Connection) -> None:
        self._arm = arm
        self._connection = connection
        self._client: AsyncPipelineClient[HttpRequest, AsyncHttpResponse] | None = None

    async def vault(self, vault_id: str) -> Vault:
        """A vault's settings."""
        return Vault.from_json(await self._arm.get(vault_id, VAULT_VERSIONS))

    async def vaults(self, subscription: str) -> tuple[Vault, ...]:
        """Every vault of a subscription that the monitor may see."""
        path = f"/subscriptions/{subscription}/providers/Microsoft.KeyVault/vaults"
        return tuple(Vault.from_json(item) for item in await self._arm.everything(path, VAULT_VERSIONS))

    async def secret_attributes(self, vault_id: str, secret: str) -> SecretAttributes:
        """A secret's attributes through ARM, which needs no way through the vault's firewall."""
        return SecretAttributes.from_json(await self._arm.get(f"{vault_id}/secrets/{secret}", VAULT_VERSIONS))

    async def secret_value(self, address: SecretAddress) -> Secret:
        """A secret's value, from the vault itself, at the version that the pipeline names.

        The host is built from the vault's name and the cloud's suffix; the vault's challenge is not followed.
        """
        suffix = self._connection.cloud.key_vault_dns_suffix
        path = "/".join(part for part in (address.secret, address.version) if part)
        url = f"https://{address.vault}.{suffix}/secrets/{path}"
        request = HttpRequest("GET", url, params={"api-version": _DATA_VERSION})
        right = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
        async with asking(SERVICE, str(address), right, named_by_others=True):
            response = await self._opened().send_request(request)
            body = response.text()
        return _value(address, right, response.status_code, body)

    async def exists(self, vault: str) -> bool:
        """Whether the vault's host name resolves. Asked without any token."""
        return await resolves(
            self._connection.session, f"{vault}.{self._connection.cloud.key_vault_dns_suffix}", SERVICE
        )

    def _opened(self) -> AsyncPipelineClient[HttpRequest, AsyncHttpResponse]:
        if self._client is None:
            connection = self._connection
            self._client = AsyncPipelineClient(
                f"https://{connection.cloud.key_vault_dns_suffix}",
                transport=connection.transport(),
                policies=[
                    RequestIdPolicy(),
                    UserAgentPolicy(f"acr-transfer-monitor/{MONITOR_VERSION}"),
                    BoundedRetry(),
                    AsyncBearerTokenCredentialPolicy(connection.credential, connection.cloud.key_vault_scope),
                ],
            )
        return self._client


def _value(address: SecretAddress, right: str, status: int, body: str) -> Secret:
    try:
        answer = mapping(json.loads(body))
    except ValueError:
        answer = {}
    if status >= 400:
        error = mapping(answer, "error")
        code = text(error, "innererror", "code") or text(error, "code")
        raise for_status(SERVICE, str(address), status, code, text(error, "message") or body, right)
    value = answer.get("value")
    if status != 200 or not isinstance(value, str):
        raise Unreachable(SERVICE, str(address), "the answer holds no secret", status=status, right=right)
    return Secret(value)


async def resolves(session: aiohttp.ClientSession, host: str, service: str) -> bool:
    """Whether ``host`` has an address; any answer at all, even a refused connection, says that it has."""
    try:
        async with (
            asking(service, host, named_by_others=True),
            session.head(f"https://{host}/", allow_redirects=False),
        ):
            return True
    except UnknownHost:
        return False
    except ServiceError:
        return True
