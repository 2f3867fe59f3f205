"""Tokens made here are those that the SDK makes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from azure.storage.blob import (
    AccountSasPermissions,
    BlobSasPermissions,
    ContainerSasPermissions,
    ResourceTypes,
    generate_account_sas,
    generate_blob_sas,
    generate_container_sas,
)
from hypothesis import given
from hypothesis import strategies as st

from localcloud import sas
from localcloud.world.storage import new_account_key

KEY = new_account_key()
STARTS = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EXPIRES = STARTS + timedelta(days=3)


def signature(token: str) -> str:
    return unquote(token.partition("sig=")[2].partition("&")[0])


@given(
    permissions=st.sets(st.sampled_from("racwdl"), min_size=1).map("".join),
    starts=st.sampled_from([None, STARTS]),
    ip=st.sampled_from([None, "168.1.5.60", "168.1.5.60-168.1.5.70"]),
    protocol=st.sampled_from([None, "https", "https,http"]),
    policy=st.sampled_from([None, "a-policy"]),
    blob=st.sampled_from([None, "folder/a b.tar"]),
)
def test_a_service_sas_is_the_sdks(
    permissions: str,
    starts: datetime | None,
    ip: str | None,
    protocol: str | None,
    policy: str | None,
    blob: str | None,
) -> None:
    common: Any = {"start": starts, "ip": ip, "protocol": protocol, "policy_id": policy, "expiry": EXPIRES}
    theirs = (
        generate_container_sas(
            "contoso", "box", KEY, permission=ContainerSasPermissions.from_string(permissions), **common
        )
        if blob is None
        else generate_blob_sas(
            "contoso", "box", blob, account_key=KEY, permission=BlobSasPermissions.from_string(permissions), **common
        )
    )
    version = theirs.partition("sv=")[2].partition("&")[0]
    ours = sas.service_sas(
        "contoso",
        KEY,
        "box",
        blob,
        permissions=permissions,
        starts=starts,
        expires=EXPIRES,
        ip=ip,
        protocol=protocol,
        policy_id=policy,
        version=version,
    )
    assert signature(ours) == signature(theirs)


def test_an_account_sas_is_the_sdks() -> None:
    theirs = generate_account_sas(
        "contoso",
        KEY,
        ResourceTypes(service=True, container=True, object=True),
        AccountSasPermissions(read=True, write=True, list=True),
        EXPIRES,
        start=STARTS,
    )
    version = theirs.partition("sv=")[2].partition("&")[0]
    ours = sas.account_sas(
        "contoso", KEY, permissions="lwr", expires=EXPIRES, starts=STARTS, protocol=None, version=version
    )
    assert signature(ours) == signature(theirs)


def test_unknown_permissions_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="no such SAS permission: q"):
        sas.service_sas("contoso", KEY, "box", permissions="rq", expires=EXPIRES)
