"""The SAS token: what it allows and until when, without ever showing its signature.

Three kinds look alike and are judged differently (REST reference, "Delegate access with a shared access
signature"): an **account** SAS has ``ss`` and ``srt``, a **service** SAS has ``sr`` and may lean on a stored
access policy (``si``), a **user-delegation** SAS carries the key's own dates and dies with that key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from urllib.parse import unquote

from shared.redaction import Secret
from shared.times import parse_time

# Nothing longer is a SAS token: a user-delegation token with every field stays below 1,000 characters.
_LONGEST_TOKEN: Final = 8192


_BLANK: Final = re.compile(r"[\x00-\x20\x7f]")


class SasKind(StrEnum):
    """What signed the token and what it is for."""

    ACCOUNT = "account"
    SERVICE = "service"
    USER_DELEGATION = "user-delegation"


class SasMalformed(ValueError):
    """The text is no SAS token. The message says why and shows nothing of the text."""


@dataclass(frozen=True, slots=True)
class SasToken:
    """One parsed token.

    ``permissions`` is ``None`` when they live in a stored access policy; so may be both dates. ``expires_on``
    is the earlier of the token's end and, for a user-delegation SAS, its key's end; ``starts_on`` the later of
    their starts. ``signed`` is the whole token, for the one live List that proves what it is good for.
    """

    kind: SasKind
    version: str
    permissions: frozenset[str] | None
    starts_on: datetime | None
    expires_on: datetime | None
    protocol: str
    resource: str
    services: frozenset[str]
    resource_types: frozenset[str]
    ip_range: str
    policy_id: str
    signed: Secret = field(repr=False, compare=False)

    @property
    def https_only(self) -> bool:
        """``spr=https``; without ``spr`` both protocols are allowed."""
        return self.protocol == "https"

    def facts(self) -> dict[str, object]:
        """What may be stored about the token: everything but the signature."""
        return {
            "kind": str(self.kind),
            "version": self.version,
            "permissions": "".join(sorted(self.permissions)) if self.permissions is not None else None,
            "startsOn": self.starts_on.isoformat() if self.starts_on else None,
            "expiresOn": self.expires_on.isoformat() if self.expires_on else None,
            "protocol": self.protocol or None,
            "resource": self.resource or None,
            "services": "".join(sorted(self.services)) or None,
            "resourceTypes": "".join(sorted(self.resource_types)) or None,
            "ipRange": self.ip_range or None,
            "policyId": self.policy_id or None,
        }

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a SAS token cannot be pickled or copied")


def parse_sas_token(text: str) -> SasToken:
    """Reads a token as a Key Vault secret holds it, with or without the leading ``?``.

    Raises :class:`SasMalformed`.
    """
    fields = _fields(text)
    if not fields.get("sig"):
        raise SasMalformed("it has no signature (sig)")
    if not fields.get("sv"):
        raise SasMalformed("it has no version (sv)")
    kind = _kind(fields)
    policy_id = fields.get("si", "")
    expires_on = _time(fields, "se")
    key_expires_on = _time(fields, "ske")
    if not policy_id and expires_on is None:
        raise SasMalformed("it has no expiry (se) and names no stored access policy (si)")
    if not policy_id and "sp" not in fields:
        raise SasMalformed("it has no permissions (sp) and names no stored access policy (si)")
    ends = [end for end in (expires_on, key_expires_on) if end is not None]
    starts = [start for start in (_time(fields, "st"), _time(fields, "skt")) if start is not None]
    return SasToken(
        kind=kind,
        version=fields["sv"],
        permissions=frozenset(fields["sp"].lower()) if "sp" in fields else None,
        starts_on=max(starts, default=None),
        expires_on=min(ends, default=None),
        protocol=fields.get("spr", "").lower(),
        resource=fields.get("sr", "").lower(),
        services=frozenset(fields.get("ss", "").lower()),
        resource_types=frozenset(fields.get("srt", "").lower()),
        ip_range=fields.get("sip", ""),
        policy_id=policy_id,
        signed=Secret(text.strip().removeprefix("?")),
    )


_KNOWN_FIELDS: Final = frozenset(
    "sv sp st se spr sip sig sr ss srt si skoid sktid skt ske sks skv saoid suoid scid ses sdd tn epk erk "
    "spk srk rscc rscd rsce rscl rsct sduoid skdutid".split()
)


def _fields(text: str) -> Mapping[str, str]:
    stripped = text.strip()
    if not stripped:
        raise SasMalformed("it is empty")
    if len(stripped) > _LONGEST_TOKEN:
        raise SasMalformed("it is far longer than any SAS token")
    if stripped[0] in "\"'" or stripped[-1] in "\"'":
        raise SasMalformed("it is wrapped in quotation marks")
    if "://" in stripped[:12]:
        raise SasMalformed("it is a whole URL; only the part behind the '?' is the token")
    if _BLANK.search(stripped):
        raise SasMalformed("there are blanks or line breaks inside it")
    fields: dict[str, str] = {}
    for part in stripped.removeprefix("?").split("&"):
        name, equals, value = part.partition("=")
        if not equals or name.lower() not in _KNOWN_FIELDS:
            continue
        # Not unquote_plus: a '+' in a signature or an offset is a plus.
        decoded = unquote(value)
        if fields.setdefault(name.lower(), decoded) != decoded:
            raise SasMalformed(f"it has {name.lower()} twice, with different values")
    if not fields:
        raise SasMalformed("it has none of a SAS token's fields")
    return fields


def _kind(fields: Mapping[str, str]) -> SasKind:
    if fields.get("ss") or fields.get("srt"):
        return SasKind.ACCOUNT
    if fields.get("skoid"):
        return SasKind.USER_DELEGATION
    if fields.get("sr"):
        return SasKind.SERVICE
    raise SasMalformed("it has neither sr (service SAS) nor ss and srt (account SAS)")


def _time(fields: Mapping[str, str], name: str) -> datetime | None:
    text = fields.get(name, "")
    if not text:
        return None
    parsed = parse_time(text)
    if parsed is None:
        raise SasMalformed(f"{name} is no time")
    return parsed
