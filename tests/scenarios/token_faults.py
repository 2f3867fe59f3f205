"""What can be wrong with a SAS token, and all the forms in which people store one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal
from urllib.parse import quote, unquote

from localcloud import sas
from localcloud.scenario import CONTAINER
from localcloud.world.clock import now
from tests.scenarios.operations import fault
from tests.scenarios.stage import Stage

Form = Literal["plain", "question mark", "quoted", "URL", "newline", "decoded", "half", "blank inside", "twice"]


@fault
async def token(
    stage: Stage,
    *,
    kind: Literal["service", "account", "user-delegation"] = "service",
    permissions: str | None = None,
    starts_in_days: float | None = None,
    expires_in_days: float = 90,
    protocol: str = "https",
    addresses: str = "",
    policy: str = "",
    container: str = CONTAINER,
    for_blob: str = "",
    account: str = "",
    services: str = "b",
    resource_types: str = "sco",
    key: int = 1,
    form: Form = "question mark",
    dated: bool = True,
    signed_by: str = "",
) -> None:
    """A new version of the pipeline's secret, with a token of this kind.

    ``policy`` leaves permissions and dates to the stored access policy unless they are given. ``dated`` gives the
    secret the token's expiry. ``signed_by`` is the user whose delegation a user-delegation token is.
    """
    account = account or stage.account.name
    expires = now() + timedelta(days=expires_in_days)
    starts = None if starts_in_days is None else now() + timedelta(days=starts_in_days)
    letters = stage.permissions if permissions is None else permissions
    if kind == "user-delegation":
        signer = None
        if signed_by:
            signer = stage.principal(signed_by)
            stage.cloud.world.access.assign(signer.id, "Storage Blob Data Contributor", stage.account.id)
        made = await stage.cloud.user_delegation_sas(
            account, container, letters, delegator=signer, expires_in=timedelta(days=expires_in_days)
        )
    elif kind == "account":
        made = stage.cloud.account_sas(
            account,
            letters,
            resource_types=resource_types,
            services=services,
            starts=starts,
            expires=expires,
            protocol=protocol or None,
            ip=addresses or None,
            key=key,
        )
    else:
        made = stage.cloud.sas(
            account,
            container,
            permissions if policy else letters,
            starts=starts,
            expires=None if policy else expires,
            blob=for_blob or None,
            protocol=protocol or None,
            ip=addresses or None,
            policy_id=policy or None,
            key=key,
        )
    store(stage, in_form(made, form, stage.account.name), expires if dated else None)


def store(stage: Stage, value: str, expires: datetime | None) -> None:
    """A new version of the pipeline's secret."""
    stage.vault.set_secret(stage.secret, value, expires=expires)


def in_form(made: str, form: Form, account: str) -> str:
    """A token as somebody has put it into the secret."""
    match form:
        case "plain":
            return made
        case "question mark":
            return f"?{made}"
        case "quoted":
            return f'"{made}"'
        case "URL":
            return f"https://{account}.blob.core.windows.net/{CONTAINER}?{made}"
        case "newline":
            return f"{made}\n"
        case "decoded":
            # Everything but the signature, whose plus signs and slashes would change their meaning.
            fields = [field.partition("=") for field in made.split("&")]
            return "&".join(f"{n}={v if n == 'sig' else unquote(v)}" for n, _, v in fields)
        case "half":
            return made[: len(made) // 2]
        case "blank inside":
            return made.replace("&sig", " &sig")
        case "twice":
            return f"{made}&{made}".replace("&se=", "&se=2031-01-01T00%3A00%3A00Z&x=", 1)


@fault
async def token_expiring_as_date(stage: Stage, *, in_days: int = 60, pattern: str = "%Y-%m-%d") -> None:
    """A token whose end is written in another of the forms that Azure takes: a day, or a time without seconds."""
    moment = now() + timedelta(days=in_days)
    made = stage.cloud.sas(stage.account.name, CONTAINER, stage.permissions, expires=moment.strftime(pattern))
    store(stage, f"?{made}", moment)


_VALUES: Final = {
    "connection string": "DefaultEndpointsProtocol=https;AccountName={account};AccountKey={key};"
    "EndpointSuffix=core.windows.net",
    "account key": "{key}",
    "empty": "",
    "prose": "ask Dana for the token",
    "JSON": '{{"sas": "see the other vault"}}',
}


@fault
async def secret_holds(
    stage: Stage, *, what: Literal["connection string", "account key", "empty", "prose", "JSON"]
) -> None:
    """The secret holds no token at all."""
    key = stage.account.keys[1]
    store(stage, _VALUES[what].format(account=stage.account.name, key=key), now() + timedelta(days=90))


@fault
async def key_rotated(stage: Stage, *, keys: list[int]) -> None:
    """These keys of the account were made anew."""
    for number in keys:
        stage.account.rotate_key(number)


@fault
async def stored_policy(
    stage: Stage, *, name: str = "transfer", permissions: str = "", expires_in_days: float = 90
) -> None:
    """A stored access policy on the container."""
    await stage.cloud.set_policy(
        stage.account.name, CONTAINER, name, permissions or stage.permissions, now() + timedelta(days=expires_in_days)
    )


@fault
async def stored_policies_removed(stage: Stage) -> None:
    """The container lost its stored access policies."""
    await stage.cloud.remove_policies(stage.account.name, CONTAINER)


@fault
async def signer_left(stage: Stage, *, who: str) -> None:
    """Whoever signed a user-delegation token lost their role."""
    stage.cloud.world.access.revoke(stage.principal(who).id, "Storage Blob Data Contributor")


@fault
async def shared_keys_off(stage: Stage) -> None:
    """The account takes nothing that an account key has signed."""
    stage.account.allow_shared_key_access = False


@fault
async def foreign_token(stage: Stage, *, version: str = "2019-12-12") -> None:
    """A good token of another version of Storage, with its fields in another order and their names in upper case."""
    fields = {
        "sp": "".join(letter for letter in "racwdxl" if letter in stage.permissions),
        "se": f"{now() + timedelta(days=80):%Y-%m-%dT%H:%M:%SZ}",
        "spr": "https",
        "sv": version,
        "sr": "c",
    }
    made = sas.sign(fields, stage.account.name, stage.account.keys[1], CONTAINER)
    stage.cloud.issued_secrets.add(made)
    turned = "&".join(reversed(made.split("&")))
    store(stage, turned.replace("%3A", quote(":")), now() + timedelta(days=80))
