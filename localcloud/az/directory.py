"""Who is meant by a name: az asks Microsoft Graph."""

from __future__ import annotations

from urllib.parse import urlencode

from localcloud.az.errors import AzError
from localcloud.az.requests import Cloud, document_of
from localcloud.az.sign_in import GRAPH


def resolved(cloud: Cloud, assignee: str) -> tuple[str, str]:
    """The object id and the kind of whom a name, an application's id or an object id stands for."""
    is_user = "@" in assignee
    collection = "users" if is_user else "servicePrincipals"
    condition = f"userPrincipalName eq '{assignee}'" if is_user else f"servicePrincipalNames/any(c:c eq '{assignee}')"
    url = f"{GRAPH}/v1.0/{collection}?{urlencode({'$filter': condition})}"
    found = document_of(cloud.send("GET", url, audience=GRAPH))["value"]
    if not found:
        raise AzError(f"Cannot find user or service principal in graph database for '{assignee}'.")
    return str(found[0]["id"]), "User" if is_user else "ServicePrincipal"
