"""``az role assignment``."""

from __future__ import annotations

import uuid
from argparse import Namespace
from typing import Any

from localcloud.az.commands import shapes
from localcloud.az.directory import resolved
from localcloud.az.errors import AzError
from localcloud.az.requests import ROLE_API, Cloud, Refused

_PROVIDER = "/providers/Microsoft.Authorization"


def create(cloud: Cloud, options: Namespace) -> Any:
    if bool(options.assignee) == bool(options.assignee_object_id):
        raise AzError("usage error: --assignee STRING | --assignee-object-id GUID")
    if options.assignee_principal_type and not options.assignee_object_id:
        raise AzError("usage error: --assignee-object-id GUID --assignee-principal-type TYPE")
    scope = _scope(options)
    kind = options.assignee_principal_type
    principal_id = options.assignee_object_id
    if not principal_id:
        principal_id, kind = resolved(cloud, options.assignee)
    properties = {
        "roleDefinitionId": _role(cloud, options.role, scope)["id"],
        "principalId": principal_id,
        "principalType": kind,
    }
    path = f"{scope}{_PROVIDER}/roleAssignments/{uuid.uuid4()}"
    try:
        assignment = cloud.arm("PUT", path, ROLE_API, {"properties": properties})
    except Refused as refusal:
        if refusal.code != "RoleAssignmentExists":
            raise
        # az gives the one that is there.
        options.include_inherited = False
        return _listed(cloud, options, principal_id)[0]
    return shapes.flat(assignment)


def list_(cloud: Cloud, options: Namespace) -> Any:
    if options.assignee and options.assignee_object_id:
        raise AzError("Usage error: Provide only one of --assignee or --assignee-object-id.")
    assignee = resolved(cloud, options.assignee)[0] if options.assignee else options.assignee_object_id
    return _listed(cloud, options, assignee)


def _listed(cloud: Cloud, options: Namespace, principal_id: str | None) -> list[Any]:
    scope = _scope(options)
    names = {role["name"]: role["properties"]["roleName"] for role in _roles(cloud, scope)}
    only = {"$filter": f"principalId eq '{principal_id}'"} if principal_id else {}
    found = []
    for assignment in cloud.arm_list(f"{scope}{_PROVIDER}/roleAssignments", ROLE_API, **only):
        shown = shapes.flat(assignment)
        shown["roleDefinitionName"] = names[shown["roleDefinitionId"].rpartition("/")[2]]
        here = shown["scope"].lower().rstrip("/") == scope.lower()
        above = scope.lower().startswith(shown["scope"].lower().rstrip("/") + "/")
        wanted = options.role is None or options.role.lower() == shown["roleDefinitionName"].lower()
        if wanted and (here or (above and options.include_inherited)):
            found.append(shown)
    return found


def _scope(options: Namespace) -> str:
    scope = str(options.scope or "").rstrip("/")
    if not scope.startswith("/subscriptions/"):
        raise AzError(f"Invalid scope '{scope}'.")
    return scope


def _role(cloud: Cloud, name_or_id: str, scope: str) -> Any:
    wanted = name_or_id.rpartition("/")[2].lower()
    for role in _roles(cloud, scope):
        if wanted in {role["name"].lower(), role["properties"]["roleName"].lower()}:
            return role
    raise AzError(f"Role '{name_or_id}' doesn't exist.")


def _roles(cloud: Cloud, scope: str) -> list[Any]:
    return cloud.arm_list(f"{scope}{_PROVIDER}/roleDefinitions", ROLE_API)
