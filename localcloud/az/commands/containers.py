"""``az storage container``."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

from localcloud import sas
from localcloud.az.errors import AzError, NotThere
from localcloud.az.requests import Cloud
from localcloud.az.sign_in import STORAGE
from localcloud.az.storage_access import Account, account_key, account_of, check_metadata
from localcloud.az.syntax import moment

_CONTAINER = {"restype": "container"}
_USER_KEY = {"restype": "service", "comp": "userdelegationkey"}


def create(cloud: Cloud, options: Namespace) -> Any:
    headers = check_metadata(options.metadata)
    account = account_of(cloud, options)
    answer = account.send("PUT", options.container_name, query=_CONTAINER, headers=headers, allowed=(409,))
    if answer.status == 409 and options.fail_on_exist:
        raise AzError("The specified container already exists.")
    return {"created": answer.status == 201}


def exists(cloud: Cloud, options: Namespace) -> Any:
    answer = account_of(cloud, options).send("HEAD", options.container_name, query=_CONTAINER, allowed=(404,))
    return {"exists": answer.status == 200}


def policy_show(cloud: Cloud, options: Namespace) -> Any:
    policies = policy_list(cloud, options)
    if options.policy_name not in policies:
        raise NotThere("(PolicyNotFound) There is no stored access policy of that name.")
    return policies[options.policy_name]


def policy_list(cloud: Cloud, options: Namespace) -> Any:
    # The key alone opens these; the front signs the request itself, so whose it is matters and nothing else.
    account = Account(cloud, options.account_name, audience=STORAGE)
    answer = account.send("GET", options.container_name, query={**_CONTAINER, "comp": "acl"})
    found = {}
    for identifier in ET.fromstring(answer.body.removeprefix(b"\xef\xbb\xbf")).iter("SignedIdentifier"):
        found[identifier.findtext("Id", "")] = {
            "expiry": identifier.findtext("AccessPolicy/Expiry"),
            "permission": identifier.findtext("AccessPolicy/Permission"),
            "start": identifier.findtext("AccessPolicy/Start"),
        }
    return found


def generate_sas(cloud: Cloud, options: Namespace) -> Any:
    """Signs here, with a key that ARM or Storage gives: no request is made for the token itself."""
    if not options.id and not (options.expiry and options.permission):
        raise AzError("Both --permissions and --expiry are needed without --policy-name.")
    if options.as_user:
        return _user_delegation(cloud, options)
    return sas.service_sas(
        options.account_name,
        account_key(cloud, options),
        options.container_name,
        permissions=options.permission,
        starts=options.start,
        expires=options.expiry,
        protocol="https" if options.protocol else None,
        ip=options.ip,
        policy_id=options.id,
    )


def _user_delegation(cloud: Cloud, options: Namespace) -> str:
    if options.auth_mode != "login":
        raise AzError("incorrect usage: specify --as-user when --auth-mode login is given.")
    end = moment(options.expiry)
    start = datetime.now(UTC) - timedelta(minutes=1)
    if end - start > timedelta(days=7, minutes=1):
        raise AzError("incorrect usage: --expiry should be within 7 days from now")
    # The SDK knows what is signed here; it is slow to import, and only this command needs it.
    from azure.storage.blob import UserDelegationKey, generate_container_sas

    body = (
        f'<?xml version="1.0" encoding="utf-8"?><KeyInfo><Start>{start:%Y-%m-%dT%H:%M:%SZ}</Start>'
        f"<Expiry>{end:%Y-%m-%dT%H:%M:%SZ}</Expiry></KeyInfo>"
    )
    answer = account_of(cloud, options).send("POST", "", query=_USER_KEY, body=body.encode())
    given = ET.fromstring(answer.body.removeprefix(b"\xef\xbb\xbf"))
    key = UserDelegationKey()  # type: ignore[no-untyped-call]
    key.signed_oid = given.findtext("SignedOid")
    key.signed_tid = given.findtext("SignedTid")
    key.signed_start = given.findtext("SignedStart")
    key.signed_expiry = given.findtext("SignedExpiry")
    key.signed_service = given.findtext("SignedService")
    key.signed_version = given.findtext("SignedVersion")
    key.value = given.findtext("Value")
    return str(
        generate_container_sas(
            options.account_name,
            options.container_name,
            user_delegation_key=key,
            permission=options.permission,
            expiry=options.expiry,
            start=options.start,
            protocol="https" if options.protocol else None,
        )
    )
