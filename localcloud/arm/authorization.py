"""Role assignments and definitions."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from localcloud.arm.requests import ArmError, ArmRequest, Route, page
from localcloud.world import RoleAssignment, RoleDefinition

_ASSIGNED_TO = re.compile(r"assignedTo\('([^']+)'\)", re.IGNORECASE)
_PRINCIPAL = re.compile(r"principalId eq '([^']+)'", re.IGNORECASE)
_PROVIDER = "/providers/Microsoft.Authorization/"


async def _list_assignments(request: ArmRequest) -> web.Response:
    scope = request.parameters["scope"]
    query = request.http.query.get("$filter", "")
    access = request.world.access
    assigned_to, principal = _ASSIGNED_TO.search(query), _PRINCIPAL.search(query)
    if assigned_to:
        candidates = access.assigned_to(assigned_to[1])
    elif principal:
        candidates = [known for known in access.assignments if known.principal_id == principal[1]]
    else:
        candidates = access.assignments
    at_scope_only = "atscope()" in query.casefold()
    found = [
        assignment
        for assignment in candidates
        if assignment.covers(scope) or (not at_scope_only and _below(assignment, scope))
    ]
    return page(request, [assignment_json(assignment, request) for assignment in found])


def _below(assignment: RoleAssignment, scope: str) -> bool:
    return assignment.scope.casefold().startswith(scope.casefold().rstrip("/") + "/")


async def _get_definition(request: ArmRequest) -> web.Response:
    try:
        role = request.world.access.definition(request["definition"])
    except KeyError:
        raise ArmError(
            404,
            "RoleDefinitionDoesNotExist",
            f"The specified role definition with ID '{request['definition']}' does not exist.",
        ) from None
    return web.json_response(_definition_json(role, request))


async def _list_definitions(request: ArmRequest) -> web.Response:
    return page(request, [_definition_json(role, request) for role in request.world.access.definitions])


def _definition_id(role: RoleDefinition, request: ArmRequest) -> str:
    subscription = re.match(r"/subscriptions/[^/]+", request.path, re.IGNORECASE)
    scope = subscription[0] if subscription else ""
    return f"{scope}{_PROVIDER}roleDefinitions/{role.id}"


def assignment_json(assignment: RoleAssignment, request: ArmRequest) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "roleDefinitionId": _definition_id(assignment.role, request),
        "principalId": assignment.principal_id,
        "principalType": assignment.principal_type,
        "scope": assignment.scope,
        "condition": assignment.condition,
        "conditionVersion": "2.0" if assignment.condition else None,
    }
    return {
        "id": f"{assignment.scope}{_PROVIDER}roleAssignments/{assignment.id}",
        "name": assignment.id,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": properties,
    }


def _definition_json(role: RoleDefinition, request: ArmRequest) -> dict[str, Any]:
    return {
        "id": _definition_id(role, request),
        "name": role.id,
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": {
            "roleName": role.name,
            "type": "CustomRole" if role.custom else "BuiltInRole",
            "description": "",
            "assignableScopes": ["/"],
            "permissions": [
                {
                    "actions": list(role.actions),
                    "notActions": list(role.not_actions),
                    "dataActions": list(role.data_actions),
                    "notDataActions": list(role.not_data_actions),
                }
            ],
        },
    }


def routes() -> list[Route]:
    assignments, definitions = (f"{_PROVIDER}{collection}" for collection in ("roleAssignments", "roleDefinitions"))
    reads_definition = "Microsoft.Authorization/roleDefinitions/read"
    one = definitions + "/{definition}"
    return [
        Route(
            "GET",
            "{scope*}" + assignments,
            _list_assignments,
            "Microsoft.Authorization/roleAssignments/read",
        ),
        # Built-in roles can be read without a scope, and by anybody.
        Route("GET", one, _get_definition, reads_definition, own_refusals=True),
        Route("GET", "{scope*}" + one, _get_definition, reads_definition),
        Route("GET", "{scope*}" + definitions, _list_definitions, reads_definition),
    ]
