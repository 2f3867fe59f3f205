"""Single pieces of evidence, cached for a short time where many events ask for the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from shared.addresses import ContainerAddress, SecretAddress
from shared.azure.readers import Azure
from shared.azure.registries import registry_list_path
from shared.cache import Cache
from shared.errors import Gone, ServiceError, UnknownHost
from shared.evidence.pieces import Missing, Piece, Unavailable
from shared.records.access import Grant
from shared.records.key_vault import SecretAttributes, Vault
from shared.records.storage import Container, StorageAccount
from shared.records.transfer import Direction, Pipeline, PipelineRun, Registry, RunOutcome
from shared.settings import Settings

Value = TypeVar("Value")

# Which registries a subscription holds changes rarely, and a new one is also found by its first event.
_KEEP_REGISTRY_LIST: Final = timedelta(minutes=10)


async def piece(asked: Awaitable[Value], what: str) -> Piece[Value]:
    """The answer, or :class:`Missing` where it is gone, or :class:`Unavailable` with the reason."""
    try:
        return await asked
    except (Gone, UnknownHost) as absent:
        return Missing(what, absent.code)
    except ServiceError as error:
        return Unavailable.because(error)


async def within(deadline: float, asked: Awaitable[Value], target: str) -> Value | Unavailable:
    """The answer, unless the event loop's clock passes ``deadline`` first."""
    try:
        async with asyncio.timeout_at(deadline):
            return await asked
    except TimeoutError:
        return Unavailable("there was no answer in the time that one event has", target, passing=True)


@dataclass(frozen=True, slots=True)
class RegistryList:
    """The registries that are monitored, as far as they are known.

    ``known`` are the ids of those that the settings name, and of all in ``subscriptions``, which were listed;
    ``unlisted`` says why other subscriptions could not be, each with the path of its list as the target.
    """

    known: tuple[str, ...]
    subscriptions: tuple[str, ...]
    unlisted: tuple[Unavailable, ...]


class Lookups:
    """Asks for one piece at a time. ``read_after`` makes a cached answer count only if it is younger."""

    def __init__(self, azure: Azure, settings: Settings) -> None:
        self._azure = azure
        self._settings = settings
        self._cache: Cache[Any] = Cache()
        self._registry_lists: Cache[tuple[str, ...]] = Cache(_KEEP_REGISTRY_LIST)

    async def _cached(
        self, key: tuple[str, ...], load: Callable[[], Awaitable[Value]], after: datetime | None
    ) -> Value:
        answer: Value = await self._cache.get(key, load, read_after=after)
        return answer

    async def pipeline(self, pipeline_id: str, after: datetime | None = None) -> Piece[Pipeline]:
        """A pipeline."""
        reader = self._azure.registries
        asked = self._cached(("pipeline", pipeline_id.lower()), lambda: reader.pipeline(pipeline_id), after)
        return await piece(asked, f"pipeline {pipeline_id}")

    async def registry(self, registry_id: str, after: datetime | None = None) -> Piece[Registry]:
        """A registry. Something of it was read a moment ago, so that it is not there says nothing about it."""
        reader = self._azure.registries
        asked = self._cached(("registry", registry_id), lambda: reader.registry(registry_id), after)
        found = await piece(asked, f"registry {registry_id}")
        if isinstance(found, Missing):
            right = "Microsoft.ContainerRegistry/registries/read"
            return Unavailable(f"{found.what} is not there ({found.code})", registry_id, right)
        return found

    async def vault(self, name: str, subscription: str, after: datetime | None = None) -> Piece[Vault]:
        """A vault by its name: a configured one, or one that the monitor sees in the registry's subscription."""

        async def find() -> Vault | Missing | Unavailable:
            reader = self._azure.vaults
            known = next((i for i in self._settings.key_vaults if i.endswith(f"/{name.lower()}")), "")
            asked = reader.vault(known) if known else _by_name(reader.vaults(subscription), name)
            found = await _found(asked, f"key vault '{name}'")
            if not isinstance(found, Missing) or not await reader.exists(name):
                return found
            return _not_visible("key vault", name, subscription, "KEY_VAULTS", "Microsoft.KeyVault/vaults/read")

        # Outside the cache: a look that failed is not kept.
        return await piece(self._cached(("vault", name, subscription), find, after), f"key vault '{name}'")

    async def account(self, name: str, subscription: str, after: datetime | None = None) -> Piece[StorageAccount]:
        """A storage account by its name, found like a vault."""

        async def find() -> StorageAccount | Missing | Unavailable:
            reader = self._azure.storage_accounts
            known = next((i for i in self._settings.storage_accounts if i.endswith(f"/{name.lower()}")), "")
            asked = reader.account(known) if known else _by_name(reader.accounts(subscription), name)
            found = await _found(asked, f"storage account '{name}'")
            if not isinstance(found, Missing) or not await reader.exists(name):
                return found
            right = "Microsoft.Storage/storageAccounts/read"
            return _not_visible("storage account", name, subscription, "STORAGE_ACCOUNTS", right)

        return await piece(self._cached(("account", name, subscription), find, after), f"storage account '{name}'")

    async def secret(
        self, vault: Vault, address: SecretAddress, after: datetime | None = None
    ) -> Piece[SecretAttributes]:
        """A secret's attributes."""
        reader = self._azure.vaults
        key = ("secret", vault.id, address.secret)
        asked = self._cached(key, lambda: reader.secret_attributes(vault.id, address.secret), after)
        return await piece(asked, f"secret '{address.secret}' of key vault '{vault.name}'")

    async def container(
        self, account: StorageAccount, address: ContainerAddress, after: datetime | None = None
    ) -> Piece[Container]:
        """A container's settings."""
        reader = self._azure.storage_accounts
        key = ("container", account.id, address.container)
        asked = self._cached(key, lambda: reader.container(account.id, address.container), after)
        return await piece(asked, f"container '{address.container}' of storage account '{account.name}'")

    async def grants(
        self, scope: str, principals: tuple[str, ...], after: datetime | None = None
    ) -> Piece[tuple[Grant, ...]]:
        """The roles that any of a pipeline's identities holds at ``scope``."""
        reader = self._azure.access

        async def grants_to(principal: str) -> tuple[Grant, ...]:
            # Put together anew each time: what a role allows may be older than who was given it.
            key = ("assignments", scope, principal)
            assignments = await self._cached(key, lambda: reader.assignments(scope, principal), after)
            return await reader.grants_of(assignments, after)

        found: list[Grant] = []
        for principal in principals:
            grants = await piece(grants_to(principal), f"scope {scope}")
            if isinstance(grants, Missing):
                # The scope itself was read a moment ago: that its roles are not there says nothing about them.
                right = "Microsoft.Authorization/roleAssignments/read"
                return Unavailable(f"the roles at {scope} are not there ({grants.code})", scope, right)
            if not isinstance(grants, tuple):
                return grants
            found += grants
        return tuple(found)

    async def runs_of(self, registry_id: str, after: datetime | None = None) -> Piece[tuple[PipelineRun, ...]]:
        """The import runs of a registry."""

        async def load() -> tuple[PipelineRun, ...]:
            pages = self._azure.registries.run_pages(registry_id)
            return tuple([run async for page in pages for run in page if run.direction is Direction.IMPORT])

        return await piece(self._cached(("runs", registry_id), load, after), f"registry {registry_id}")

    async def last_success(self, pipeline: Pipeline, after: datetime | None = None) -> Piece[datetime | None]:
        """When the pipeline's latest run began that succeeded."""

        async def load() -> dict[str, datetime]:
            latest: dict[str, datetime] = {}
            async for page in self._azure.registries.run_pages(pipeline.registry_id):
                for run in page:
                    if run.outcome is RunOutcome.SUCCEEDED and run.began is not None:
                        key = run.pipeline_id.lower()
                        latest[key] = max(run.began, latest.get(key, run.began))
            return latest

        key = ("successes", pipeline.registry_id)
        successes = await piece(self._cached(key, load, after), f"registry {pipeline.registry_id}")
        return successes.get(pipeline.id) if isinstance(successes, dict) else successes

    async def monitored_registries(self) -> RegistryList:
        """The registries that the settings name, those of whole subscriptions included.

        A subscription that can't be listed keeps nobody from the others.
        """
        wanted = self._settings.subscriptions
        # Side by side, as an event has no time for one silence after the other.
        answers = await asyncio.gather(*(self._registries_of(subscription) for subscription in wanted))
        found = [registry for answer in answers if isinstance(answer, tuple) for registry in answer]
        return RegistryList(
            known=tuple(dict.fromkeys((*self._settings.registries, *found))),
            subscriptions=tuple(s for s, answer in zip(wanted, answers, strict=True) if isinstance(answer, tuple)),
            unlisted=tuple(answer for answer in answers if isinstance(answer, Unavailable)),
        )

    async def _registries_of(self, subscription: str) -> tuple[str, ...] | Unavailable:
        async def load() -> tuple[str, ...]:
            return tuple(registry.id for registry in await self._azure.registries.registries(subscription))

        try:
            return await self._registry_lists.get(subscription, load)
        except ServiceError as error:
            # Whatever page of the list it was, one condition tells of it.
            return replace(Unavailable.because(error), target=registry_list_path(subscription))

    async def pipelines_of(
        self, registry_id: str, direction: Direction, after: datetime | None = None
    ) -> Piece[tuple[Pipeline, ...]]:
        """A registry's pipelines of one direction."""
        reader = self._azure.registries
        key = ("pipelines", registry_id, str(direction))
        asked = self._cached(key, lambda: reader.pipelines(registry_id, direction), after)
        return await piece(asked, f"registry {registry_id}")

    async def all_pipelines(self, after: datetime | None = None) -> tuple[tuple[Pipeline, ...], Unavailable | None]:
        """Every pipeline of every monitored registry, and the first reason why some could not be read."""
        registries = await self.monitored_registries()
        answers = await asyncio.gather(
            *(self.pipelines_of(registry, direction, after) for registry in registries.known for direction in Direction)
        )
        pipelines = tuple(pipeline for answer in answers if isinstance(answer, tuple) for pipeline in answer)
        unavailable = (answer for answer in (*registries.unlisted, *answers) if isinstance(answer, Unavailable))
        open_ends = next(unavailable, None)
        gone = next((answer for answer in answers if isinstance(answer, Missing)), None)
        if open_ends is None and gone is not None:
            open_ends = Unavailable(
                f"{gone.what} is not there", gone.what, "Microsoft.ContainerRegistry/registries/read"
            )
        return pipelines, open_ends


async def _found(asked: Awaitable[Value], what: str) -> Value | Missing:
    """The answer, or :class:`Missing`; any other failure is raised."""
    try:
        return await asked
    except (Gone, UnknownHost) as absent:
        return Missing(what, absent.code)


async def _by_name(asked: Awaitable[tuple[Any, ...]], name: str) -> Any:
    items = await asked
    found = next((item for item in items if item.name.lower() == name.lower()), None)
    return found if found is not None else Missing(name)


def _not_visible(kind: str, name: str, subscription: str, setting: str, right: str) -> Unavailable:
    return Unavailable(
        f"{kind} '{name}' exists, but the monitor does not see it in subscription {subscription}: grant it Reader "
        f"there, or name its resource id in {setting}",
        name,
        right,
    )


def utc_now() -> datetime:
    """The one clock of the gathering."""
    return datetime.now(UTC)
