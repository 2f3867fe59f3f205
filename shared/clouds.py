"""The Azure clouds and the addresses that differ between them.

Sources: ``azure.mgmt.core.tools.get_arm_endpoints`` for ARM, the Logs Ingestion overview for its audiences,
``environment()`` of Bicep for the suffixes. An air-gapped cloud is ``Custom``: every value is a setting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Cloud:
    """Where a cloud's services live and which audience each one's token is for.

    Scopes end in ``/.default``. Suffixes are host suffixes without a leading dot: ``core.windows.net``,
    ``vault.azure.net``, ``azurecr.io``.
    """

    name: str
    arm_endpoint: str
    arm_scope: str
    monitor_scope: str
    eventgrid_scope: str
    storage_audience: str
    registry_audience: str
    key_vault_dns_suffix: str
    storage_dns_suffix: str
    registry_dns_suffix: str

    @property
    def key_vault_scope(self) -> str:
        """The scope of the vault's data plane, which is the suffix's own host."""
        return f"https://{self.key_vault_dns_suffix}/.default"

    @property
    def storage_scope(self) -> str:
        """The scope for blobs."""
        return f"{self.storage_audience.rstrip('/')}/.default"

    def blob_host(self, account: str) -> str:
        """The host of an account's blobs."""
        return f"{account}.blob.{self.storage_dns_suffix}"


PUBLIC: Final = Cloud(
    name="AzureCloud",
    arm_endpoint="https://management.azure.com",
    arm_scope="https://management.azure.com/.default",
    monitor_scope="https://monitor.azure.com/.default",
    eventgrid_scope="https://eventgrid.azure.net/.default",
    storage_audience="https://storage.azure.com",
    registry_audience="https://management.azure.com",
    key_vault_dns_suffix="vault.azure.net",
    storage_dns_suffix="core.windows.net",
    registry_dns_suffix="azurecr.io",
)

US_GOVERNMENT: Final = Cloud(
    name="AzureUSGovernment",
    arm_endpoint="https://management.usgovcloudapi.net",
    arm_scope="https://management.core.usgovcloudapi.net/.default",
    monitor_scope="https://monitor.azure.us/.default",
    # Assumed to be the public audience, as the SDK knows no other: docs/assumptions.md.
    eventgrid_scope="https://eventgrid.azure.net/.default",
    storage_audience="https://storage.azure.com",
    registry_audience="https://management.usgovcloudapi.net",
    key_vault_dns_suffix="vault.usgovcloudapi.net",
    storage_dns_suffix="core.usgovcloudapi.net",
    registry_dns_suffix="azurecr.us",
)

CHINA: Final = Cloud(
    name="AzureChinaCloud",
    arm_endpoint="https://management.chinacloudapi.cn",
    arm_scope="https://management.chinacloudapi.cn/.default",
    monitor_scope="https://monitor.azure.cn/.default",
    eventgrid_scope="https://eventgrid.azure.net/.default",
    storage_audience="https://storage.azure.com",
    registry_audience="https://management.chinacloudapi.cn",
    key_vault_dns_suffix="vault.azure.cn",
    storage_dns_suffix="core.chinacloudapi.cn",
    registry_dns_suffix="azurecr.cn",
)

KNOWN_CLOUDS: Final = {cloud.name: cloud for cloud in (PUBLIC, US_GOVERNMENT, CHINA)}
CUSTOM: Final = "Custom"
