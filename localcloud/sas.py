"""SAS tokens: made, signed and verified as Azure Storage does it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

VERSION = "2024-11-04"
_PERMISSION_ORDER = "racwdxyltfmeopi"


def service_sas(
    account: str,
    key: str,
    container: str,
    blob: str | None = None,
    *,
    permissions: str | None,
    expires: datetime | str | None,
    starts: datetime | str | None = None,
    protocol: str | None = "https",
    ip: str | None = None,
    policy_id: str | None = None,
    version: str = VERSION,
) -> str:
    """A token for a container (``sr=c``), or for one blob (``sr=b``)."""
    fields = _fields(
        sp=_ordered(permissions),
        st=_moment(starts),
        se=_moment(expires),
        spr=protocol,
        sip=ip,
        si=policy_id,
        sv=version,
        sr="c" if blob is None else "b",
    )
    return sign(fields, account, key, container, blob)


def account_sas(
    account: str,
    key: str,
    *,
    permissions: str,
    expires: datetime | str,
    starts: datetime | str | None = None,
    resource_types: str = "sco",
    services: str = "b",
    protocol: str | None = "https",
    ip: str | None = None,
    version: str = VERSION,
) -> str:
    """A token for the account (``ss``, ``srt``)."""
    fields = _fields(
        sv=version,
        ss=services,
        srt=resource_types,
        sp=_ordered(permissions),
        st=_moment(starts),
        se=_moment(expires),
        spr=protocol,
        sip=ip,
    )
    return sign(fields, account, key)


def sign(
    fields: Mapping[str, str], account: str, key: str, container: str | None = None, blob: str | None = None
) -> str:
    signed = {**fields, "sig": signature(key, string_to_sign(fields, account, container, blob))}
    return urlencode(signed, quote_via=quote, safe="")


def signature(key: str, text: str) -> str:
    return base64.b64encode(hmac.digest(base64.b64decode(key), text.encode(), hashlib.sha256)).decode()


def string_to_sign(
    fields: Mapping[str, str], account: str, container: str | None = None, blob: str | None = None
) -> str:
    """What the signature is over. User delegation tokens aren't covered."""

    def values(*names: str) -> list[str]:
        return [fields.get(name, "") for name in names]

    version = fields.get("sv", "")
    if "ss" in fields:
        parts = [account, *values("sp", "ss", "srt", "st", "se", "sip", "spr", "sv")]
        if version >= "2020-12-06":
            parts += values("ses")
        return "\n".join([*parts, ""])
    resource = f"/blob/{account}/{container}" + (f"/{blob}" if fields.get("sr") == "b" and blob else "")
    parts = [*values("sp", "st", "se"), resource, *values("si", "sip", "spr", "sv")]
    if version >= "2018-11-09":
        parts += [*values("sr"), ""]  # no snapshots here
    if version >= "2020-12-06":
        parts += values("ses")
    return "\n".join([*parts, *values("rscc", "rscd", "rsce", "rscl", "rsct")])


def shared_key(
    account: str,
    key: str,
    method: str,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    length: int,
) -> str:
    """The ``Authorization`` header of a request that is signed with the account key itself."""
    lower = {name.casefold(): value for name, value in headers.items()}
    standard = (
        *("content-encoding", "content-language"),
        *("content-length", "content-md5", "content-type", "date"),
        *("if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"),
    )
    lower["content-length"] = str(length) if length else ""
    lines = [method, *(lower.get(name, "") for name in standard)]
    lines += [f"{name}:{lower[name]}" for name in sorted(lower) if name.startswith("x-ms-")]
    lines.append(f"/{account}{path}")
    lines += [f"{name}:{query[name]}" for name in sorted(query)]
    return f"SharedKey {account}:{signature(key, chr(10).join(lines))}"


def moment_of(text: str | None) -> datetime | None:
    """One of the forms that Azure takes; None for anything else."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _fields(**fields: str | None) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value}


def _moment(moment: datetime | str | None) -> str | None:
    if moment is None or isinstance(moment, str):
        return moment
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _ordered(permissions: str | None) -> str | None:
    """Azure refuses letters in another order, so the order of the argument doesn't matter here."""
    if permissions is None:
        return None
    unknown = set(permissions) - set(_PERMISSION_ORDER)
    if unknown:
        raise ValueError(f"no such SAS permission: {', '.join(sorted(unknown))}")
    return "".join(letter for letter in _PERMISSION_ORDER if letter in permissions)
