"""What a write leaves behind: entries in the activity log, and an event."""

from __future__ import annotations

import re
from typing import Any

from localcloud.events import Event, EventBus
from localcloud.service import Origin
from localcloud.world import ADDRESSES, ActivityEntry, Principal, World

_SUFFIX = {"Succeeded": "Success", "Failed": "Failure", "Canceled": "Cancel"}


class Trail:
    def __init__(self, world: World, bus: EventBus) -> None:
        self._world = world
        self._bus = bus

    def write(
        self,
        resource_id: str,
        operation: str,
        status: str,
        *,
        caller: Principal,
        correlation_id: str,
        method: str = "PUT",
        existed: bool = False,
        status_code: str = "",
        error: dict[str, Any] | None = None,
    ) -> None:
        """An end of a write (or a delete): ``status`` is ``Succeeded``, ``Failed`` or ``Canceled``."""
        subscription = _subscription(resource_id)
        claims = self._claims(caller)
        for known in ("Started", status):
            self._world.activity.append(
                ActivityEntry(
                    resource_id,
                    operation,
                    known,
                    correlation_id,
                    subscription,
                    caller.user_principal_name or caller.id,
                    claims,
                    status_code if known == status else "",
                    error if known == status else None,
                )
            )
        kind = "Delete" if method == "DELETE" else "Write"
        # ARM's events spell the group's segment in lower case, where GETs don't.
        uri = re.sub("/resourcegroups/", "/resourcegroups/", resource_id, flags=re.IGNORECASE)
        data: dict[str, Any] = {
            "authorization": {
                "scope": uri,
                "action": operation,
                "evidence": {"role": "Subscription Admin", "principalId": caller.id},
            },
            "claims": claims,
            "correlationId": correlation_id,
            "resourceProvider": operation.partition("/")[0],
            "resourceUri": uri,
            "operationName": operation,
            "status": status,
            "subscriptionId": subscription,
            "tenantId": self._world.tenant_id,
        }
        if existed:
            data["httpRequest"] = {
                "clientRequestId": correlation_id,
                "clientIpAddress": ADDRESSES[Origin.OPERATOR],
                "method": method,
                "url": f"https://management.azure.com{resource_id}",
            }
        event_type = f"Microsoft.Resources.Resource{kind}{_SUFFIX[status]}"
        self._bus.publish(Event(event_type, f"/subscriptions/{subscription}", uri, data, data_version="2"))

    def _claims(self, caller: Principal) -> dict[str, str]:
        claims = {
            "aud": "https://management.core.windows.net/",
            "iss": f"https://sts.windows.net/{self._world.tenant_id}/",
            "appid": caller.client_id,
            "ipaddr": ADDRESSES[Origin.OPERATOR],
            "http://schemas.microsoft.com/identity/claims/objectidentifier": caller.id,
        }
        if caller.user_principal_name:
            claims["name"] = caller.name
            claims["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"] = caller.user_principal_name
        return claims


def _subscription(resource_id: str) -> str:
    match = re.match(r"/subscriptions/([^/]+)", resource_id, re.IGNORECASE)
    return match[1] if match else ""
