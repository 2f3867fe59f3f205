"""What Azure refuses of a SAS token before it looks at permissions, which Azurite judges.

Azurite folds most faults into one code and knows neither rotated keys, nor ``sip``, nor accounts that refuse
shared keys. So the signature and the times are judged here, against the keys that the account has now.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from localcloud import sas
from localcloud.blobs.errors import (
    StorageError,
    authentication_failed,
    mismatch,
    outside_time_frame,
    permission_mismatch,
)
from localcloud.blobs.targets import Target
from localcloud.service import Caller
from localcloud.world import StorageAccount, World
from localcloud.world.clock import now
from localcloud.world.network import address_in

Policies = dict[str, tuple[datetime | None, datetime | None]]
"""Stored access policies: start and expiry by identifier."""

_SIGNATURE = re.compile(r"(?<=[?&]sig=)[^&]*")
_WRONG_LEVEL = "The specified signed resource is not allowed for the this resource level"  # sic
_NO_SIGNATURE_MATCH = "Signature did not match. String to sign used was {}"


def authenticate(account: StorageAccount, target: Target, fields: Mapping[str, str]) -> None:
    """The token is signed with a key that still holds, and it is now within its times."""
    if "skoid" in fields:
        _check_times(fields)
        _check_key_times(fields)
        return
    if "ss" not in fields and target.container is None:
        raise authentication_failed(_WRONG_LEVEL)
    if fields.get("sr") == "b" and target.blob is None:
        raise authentication_failed(_WRONG_LEVEL)
    text = sas.string_to_sign(fields, account.name, target.container, target.blob)
    if _signing_key(account, text, fields["sig"]) is None:
        raise authentication_failed(_NO_SIGNATURE_MATCH.format(text))
    _check_times(fields)
    if account.allow_shared_key_access is False:
        raise StorageError(
            403,
            "KeyBasedAuthenticationNotPermitted",
            "Key based authentication is not permitted on this storage account.",
        )


def authorize(world: World, account: StorageAccount, target: Target, fields: Mapping[str, str], caller: Caller) -> None:
    """Restrictions that the token brings along and Azurite doesn't enforce."""
    address = fields.get("sip")
    if address and not address_in(caller.address, [address]):
        raise mismatch("AuthorizationSourceIPMismatch", f"source IP {caller.address}")
    if "ss" in fields and "b" not in fields["ss"]:
        raise mismatch("AuthorizationServiceMismatch", "service")
    delegator = fields.get("skoid")
    if delegator is not None:
        # A user delegation token is worth what its signer may do at this moment.
        scope = account.container_id(target.container) if target.container else account.id
        right = target.right
        if not any(world.access.allows(delegator, action, scope, right.data) for action in right.actions):
            raise permission_mismatch()


def for_azurite(account: StorageAccount, target: Target, fields: Mapping[str, str], url: str) -> str:
    """The same request signed with a key that Azurite knows: the account's key may be a newer one."""
    if "skoid" in fields or account.keys == account.azurite_keys:
        return url
    text = sas.string_to_sign(fields, account.name, target.container, target.blob)
    return _SIGNATURE.sub(quote(sas.signature(account.azurite_keys[1], text), safe=""), url)


def _signing_key(account: StorageAccount, text: str, given: str) -> str | None:
    return next((key for key in account.keys.values() if hmac.compare_digest(sas.signature(key, text), given)), None)


def _check_times(fields: Mapping[str, str]) -> None:
    starts, expires, current = sas.moment_of(fields.get("st")), sas.moment_of(fields.get("se")), now()
    if fields.get("st") and starts is None:
        raise authentication_failed("st is invalid.")
    if fields.get("se") and expires is None:
        raise authentication_failed("se is invalid.")
    if expires is None:
        if "si" not in fields:
            raise authentication_failed("se is mandatory. Cannot be empty")
        return  # in the stored access policy
    if current >= expires or (starts is not None and current < starts):
        raise outside_time_frame(starts, expires, current)


def _check_key_times(fields: Mapping[str, str]) -> None:
    starts, expires, current = sas.moment_of(fields.get("skt")), sas.moment_of(fields.get("ske")), now()
    if starts is None or expires is None:
        raise authentication_failed("ske is mandatory. Cannot be empty")
    if not starts <= current < expires:
        raise outside_time_frame(starts, expires, current, key=True)


def policy_refusal(policies: Policies, identifier: str) -> StorageError:
    """What Azure says where Azurite says ``AuthorizationFailure`` to a token with a stored access policy."""
    if identifier not in policies:
        return authentication_failed("SAS identifier not found for specified signed identifier")
    starts, expires = policies[identifier]
    current = now()
    if expires is not None and (current >= expires or (starts is not None and current < starts)):
        return outside_time_frame(starts, expires, current)
    return permission_mismatch()
