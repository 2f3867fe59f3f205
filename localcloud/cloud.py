"""The local cloud: everything put together, and the handles that tests and the demo hold."""

from __future__ import annotations

import contextlib
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterable
from functools import lru_cache
from pathlib import Path
from typing import cast

import aiohttp
import trustme

from localcloud.arm import ArmService
from localcloud.arm import activity as arm_activity
from localcloud.arm import authorization as arm_authorization
from localcloud.arm import reads as arm_reads
from localcloud.arm import settings as arm_settings
from localcloud.arm.pipelines import PipelineWrites
from localcloud.arm.runs import RunWrites
from localcloud.arm.trail import Trail
from localcloud.az.sign_in import AUDIENCES, SignIn
from localcloud.azurite import Azurite
from localcloud.blob_events import announce_blobs
from localcloud.blobs.azurite_client import AzuriteClient
from localcloud.blobs.service import BlobService
from localcloud.connection import Connection
from localcloud.core import Core
from localcloud.events import Callback, DeadLetter, Event, EventBus, Schema, Subscription
from localcloud.front import Front
from localcloud.graph import GraphService
from localcloud.identity import PATH as IDENTITY_PATH
from localcloud.identity import ManagedIdentityEndpoint
from localcloud.keyvault import KeyVaultService
from localcloud.names import NameServer
from localcloud.registry import RegistryService
from localcloud.run_helpers import RunHelpers
from localcloud.service import Fault, Origin, RequestLog, Service, ServiceFactory
from localcloud.storage_helpers import StorageHelpers
from localcloud.tokens import Secrets, Tokens
from localcloud.transfer import SourceTrigger, TransferEngine
from localcloud.world import World
from localcloud.world.world import STATE_ACCOUNT

CERTIFIED = (
    "management.azure.com",
    "graph.microsoft.com",
    "*.blob.core.windows.net",
    "*.vault.azure.net",
    "*.azurecr.io",
    "*.ingest.monitor.azure.com",
    "*.eastus-1.ingest.monitor.azure.com",
    "*.eastus-1.eventgrid.azure.net",
)


class LocalCloud(StorageHelpers, RunHelpers):
    """A running local cloud. Make one with ``LocalCloud.start()``."""

    def __init__(
        self,
        core: Core,
        identity: ManagedIdentityEndpoint,
        identity_port: int,
        name_server_port: int,
        folder: Path,
    ) -> None:
        self._core = core
        self._identity = identity
        self._identity_port = identity_port
        self._name_server_port = name_server_port
        self._folder = folder
        self._engine = TransferEngine(core)
        self._trigger = SourceTrigger(core, self._engine)
        self._trail = Trail(core.world, core.bus)
        self._pollers = []

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls,
        azurite: Azurite | None = None,
        latency: float = 0.0,
        services: Iterable[Service | ServiceFactory] = (),
    ) -> AsyncIterator[LocalCloud]:
        """A fresh world on a clean Azurite; ``services`` may be factories, which are given the world."""
        async with contextlib.AsyncExitStack() as stack:
            if azurite is None:
                azurite = await stack.enter_async_context(Azurite.start())
            await azurite.wipe()
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="localcloud-")))
            core = _core(azurite)
            stack.push_async_callback(core.front.close)
            stack.push_async_callback(core.close)
            names = NameServer(core.name_exists)
            stack.push_async_callback(names.close)
            core.front_port = await core.front.listen(None, _server_context(azurite.authority))
            identity = ManagedIdentityEndpoint(core.world, core.tokens)
            cloud = cls(
                core,
                identity,
                await core.front.listen([identity], None),
                await names.listen(),
                folder,
            )
            for service in services:
                cloud.add_service(service)
            stack.push_async_callback(cloud._close)
            core.front.services += cloud._own_services()
            core.front.latency = latency
            yield cloud
            if core.front.broken:
                first = core.front.broken[0]
                raise RuntimeError(f"the local cloud itself is broken: {first!r}") from first

    async def _close(self) -> None:
        await self._core.bus.close()
        await self._stop_polling()
        await self._engine.close()

    def _own_services(self) -> list[Service]:
        core = self._core
        routes = [
            *arm_reads.routes(core.azurite),
            *arm_authorization.routes(),
            *arm_activity.routes(),
            *arm_settings.routes(),
            *RunWrites(self._engine, self._trail).routes(),
            *PipelineWrites(self._trail).routes(),
        ]
        return [
            ArmService(core.world, routes),
            GraphService(core.world),
            KeyVaultService(core.world),
            BlobService(core.world, core.azurite, announce_blobs(core.bus)),
            RegistryService(core.world, core.tokens),
        ]

    # -- what the world is and what happened in it -----------------------------------------------------------

    @property
    def world(self) -> World:
        return self._core.world

    @property
    def requests(self) -> RequestLog:
        return self._core.front.requests

    @property
    def faults(self) -> list[Fault]:
        return self._core.front.faults

    @property
    def latency(self) -> float:
        """Seconds added to every answer."""
        return self._core.front.latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self._core.front.latency = seconds

    @property
    def issued_secrets(self) -> set[str]:
        """Every secret that was ever handed out, keys of the accounts in use included."""
        keys = {
            key
            for account in self.world.storage_accounts.values()
            for key in (*account.keys.values(), *account.azurite_keys.values())
        }
        for vault in (*self.world.vaults.values(), *self.world.deleted_vaults.values()):
            for version in (version for versions in vault.secrets.values() for version in versions):
                if "sig=" in version.value:  # a command line signs tokens of its own
                    self._core.secrets.add_sas(version.value.strip().removeprefix("?"))
        return self._core.secrets.issued | keys | {self._identity.header}

    @property
    def identity_endpoint(self) -> ManagedIdentityEndpoint:
        return self._identity

    def add_service(self, service: Service | ServiceFactory) -> Service:
        """One more service; it comes before the local cloud's own."""
        if isinstance(service, type) or not hasattr(service, "handle"):
            service = cast("ServiceFactory", service)(self.world)
        added = cast("Service", service)
        self._core.front.services.insert(0, added)
        return added

    def service(self, name: str) -> Service:
        return next(service for service in self._core.front.services if service.name == name)

    # -- the app's side --------------------------------------------------------------------------------------

    @property
    def environment(self) -> dict[str, str]:
        """The app's settings for the world as it is now."""
        world = self.world
        registries = ",".join(registry.id for registry in world.registries.values())
        return {
            "MONITORED_REGISTRIES": registries or f"/subscriptions/{world.subscription_id}",
            "LOGS_INGESTION_ENDPOINT": f"https://{world.ingestion_host}",
            "LOGS_DCR_IMMUTABLE_ID": world.dcr_immutable_id,
            "ALERT_TOPIC_ENDPOINT": f"https://{world.topic_host}/api/events",
            "STATE_CONTAINER_URL": f"https://{STATE_ACCOUNT}.blob.core.windows.net/acr-transfer-monitor",
            "AZURE_CLIENT_ID": world.monitor.client_id,
            "AZURE_CLOUD": "AzureCloud",
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{self._identity_port}{IDENTITY_PATH}",
            "IDENTITY_HEADER": self._identity.header,
        }

    def client_session(self) -> aiohttp.ClientSession:
        """A session for azure-core's aiohttp transport. Whoever asks for it closes it."""
        return self._core.new_session()

    @property
    def authority_pem(self) -> str:
        """The certificate of the authority that signed the front's."""
        return self._core.azurite.azurite.authority.cert_pem.bytes().decode()

    @property
    def connection(self) -> Connection:
        return Connection(self._core.front_port, self._name_server_port, self.authority_pem, self.environment)

    @property
    def connection_file(self) -> Path:
        """Written anew each time it is asked for, with the settings of that moment."""
        path = self._folder / "connection.json"
        self.connection.write(path)
        return path

    def sign_in(self) -> SignIn:
        """What ``az login`` of the operator leaves behind."""
        world, core = self.world, self._core
        return SignIn(
            front_port=core.front_port,
            name_server_port=self._name_server_port,
            authority_pem=self.authority_pem,
            subscription_id=world.subscription_id,
            tenant_id=world.tenant_id,
            headers=core.tokens.origin_header(Origin.OPERATOR),
            tokens={audience: core.tokens.issue(world.operator, audience)[0] for audience in AUDIENCES},
        )

    # -- events ----------------------------------------------------------------------------------------------

    def subscribe(self, callback: Callback, *, schema: Schema = "EventGridSchema") -> Subscription:
        """Have ARM and blob events delivered to ``callback``, at least once each."""
        return self._core.bus.subscribe(callback, schema)

    def unsubscribe(self, subscription: Subscription) -> None:
        self._core.bus.unsubscribe(subscription)

    @property
    def dead_letters(self) -> list[DeadLetter]:
        return self._core.bus.dead_letters

    @property
    def events(self) -> list[Event]:
        """Everything that was published, whether anybody subscribed or not."""
        return self._core.bus.published

    async def events_settled(self) -> None:
        """Every delivery has been taken or dead-lettered."""
        await self._core.bus.settled()


def _core(azurite: Azurite) -> Core:
    world = World(azurite.account_keys)
    secrets = Secrets()
    tokens = Tokens(world, secrets)
    client, bus = AzuriteClient(azurite), EventBus(world.behaviour)
    return Core(world, client, azurite.trust(), secrets, tokens, Front(tokens), bus)


@lru_cache(maxsize=1)
def _server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Nobody here resumes a session, and each ticket costs as much as a small request.
    context.num_tickets = 0
    authority.issue_cert(*CERTIFIED, key_type=trustme.KeyType.ECDSA).configure_cert(context)
    return context
