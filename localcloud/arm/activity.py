"""The activity log."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from aiohttp import web

from localcloud.arm.lookups import SUBSCRIPTION
from localcloud.arm.requests import ArmError, ArmRequest, Route, page
from localcloud.world import ActivityEntry
from localcloud.world.clock import now, zulu

_READ = "Microsoft.Insights/eventtypes/values/Read"
_TERM = re.compile(r"(\w+) (eq|ge|le) '([^']*)'")


async def _list_events(request: ArmRequest) -> web.Response:
    query = request.http.query.get("$filter", "")
    terms = {(name.casefold(), operator): value for name, operator, value in _TERM.findall(query)}
    if ("eventtimestamp", "ge") not in terms:
        raise ArmError(400, "BadRequest", "The $filter needs a start: eventTimestamp ge '…'.")
    visible_until = now() - request.world.behaviour.activity_log_delay
    found = [
        _entry_json(entry)
        for entry in request.world.activity
        if entry.subscription_id.casefold() == request["subscription"].casefold()
        and entry.timestamp <= visible_until
        and _matches(entry, terms)
        # Without the right the log answers 200 all the same, and is empty.
        and request.caller.may(_READ, entry.resource_id)
    ]
    wanted = request.http.query.get("$select", "")
    return page(request, [_selected(entry, wanted) for entry in found[::-1]])


def _selected(entry: dict[str, Any], wanted: str) -> dict[str, Any]:
    names = {name.strip().casefold() for name in wanted.split(",") if name.strip()}
    return {name: value for name, value in entry.items() if not names or name.casefold() in names}


def _matches(entry: ActivityEntry, terms: dict[tuple[str, str], str]) -> bool:
    values = {
        "correlationid": entry.correlation_id,
        "resourceuri": entry.resource_id,
        "resourceid": entry.resource_id,
        "resourceprovider": entry.operation.partition("/")[0],
        "resourcegroupname": _resource_group(entry.resource_id),
        "status": entry.status,
    }
    for (name, operator), wanted in terms.items():
        if name == "eventtimestamp":
            moment = datetime.fromisoformat(wanted)
            if (operator == "ge" and entry.timestamp < moment) or (operator == "le" and entry.timestamp > moment):
                return False
        elif name not in values:
            raise ArmError(400, "BadRequest", f"The $filter can't hold {name}.")
        elif values[name].casefold() != wanted.casefold():
            return False
    return True


def _resource_group(resource_id: str) -> str:
    match = re.search(r"/resourcegroups/([^/]+)", resource_id, re.IGNORECASE)
    return match[1] if match else ""


def _entry_json(entry: ActivityEntry) -> dict[str, Any]:
    properties: dict[str, Any] = {"eventCategory": "Administrative", "entity": entry.resource_id}
    if entry.status_code:
        properties["statusCode"] = entry.status_code
    if entry.error is not None:
        # A JSON text inside the JSON: so the log has it.
        properties["statusMessage"] = json.dumps({"error": entry.error})
    group = _resource_group(entry.resource_id)
    return {
        "id": f"{entry.resource_id}/events/{entry.id}/ticks/{int(entry.timestamp.timestamp() * 10**7)}",
        "eventDataId": entry.id,
        "correlationId": entry.correlation_id,
        "operationId": entry.correlation_id,
        "eventTimestamp": zulu(entry.timestamp),
        "submissionTimestamp": zulu(entry.timestamp),
        "caller": entry.caller,
        "claims": dict(entry.claims),
        "authorization": {"action": entry.operation, "scope": entry.resource_id},
        "category": {"value": "Administrative", "localizedValue": "Administrative"},
        "level": "Error" if entry.status == "Failed" else "Informational",
        "operationName": {"value": entry.operation, "localizedValue": entry.operation},
        "resourceGroupName": group,
        "resourceProviderName": {"value": entry.operation.partition("/")[0]},
        "resourceType": {"value": entry.operation.rpartition("/")[0]},
        "resourceId": entry.resource_id,
        "status": {"value": entry.status, "localizedValue": entry.status},
        "subStatus": {"value": entry.status_code, "localizedValue": entry.status_code},
        "subscriptionId": entry.subscription_id,
        "properties": properties,
    }


def routes() -> list[Route]:
    return [
        Route(
            "GET",
            SUBSCRIPTION + "/providers/Microsoft.Insights/eventtypes/management/values",
            _list_events,
            _READ,
            filters=True,
        )
    ]
