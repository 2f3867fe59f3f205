"""Network rules of storage accounts and vaults, and the addresses that requests come from."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from localcloud.service import Origin

ADDRESSES = {
    Origin.MONITOR: "198.51.100.7",
    Origin.REGISTRY_SERVICE: "203.0.113.20",
    Origin.OPERATOR: "192.0.2.10",
}
"""All is on loopback in truth; firewalls and ``sip`` see these documentation addresses instead."""


@dataclass(slots=True)
class NetworkRules:
    """``networkAcls`` and ``publicNetworkAccess``, with the private endpoints that lead past them."""

    public_network_access: str | None = "Enabled"
    default_action: str = "Allow"
    bypass: str = "AzureServices"
    ip_rules: list[str] = field(default_factory=list)
    private_endpoints: set[Origin] = field(default_factory=lambda: {Origin.OPERATOR})

    def close(self) -> None:
        """Only private endpoints and exceptions are left."""
        self.default_action = "Deny"

    def open(self) -> None:
        self.public_network_access = "Enabled"
        self.default_action = "Allow"

    @property
    def public_access_disabled(self) -> bool:
        return (self.public_network_access or "").casefold() == "disabled"

    def admits(self, origin: Origin, *, trusted: bool = False) -> bool:
        """``trusted`` says that the service which asks is a trusted service of this one."""
        if origin in self.private_endpoints:
            return True
        if trusted and "azureservices" in self.bypass.casefold():
            return True
        if self.public_access_disabled:
            return False
        return self.default_action.casefold() == "allow" or address_in(ADDRESSES[origin], self.ip_rules)


def address_in(address: str, rules: list[str]) -> bool:
    """``rules`` are addresses, CIDR ranges or ``first-last`` ranges."""
    wanted = ipaddress.ip_address(address)
    for rule in rules:
        first, separator, last = rule.partition("-")
        if separator:
            low, high = ipaddress.IPv4Address(first.strip()), ipaddress.IPv4Address(last.strip())
            if int(low) <= int(wanted) <= int(high):
                return True
        elif wanted in ipaddress.ip_network(rule, strict=False):
            return True
    return False
