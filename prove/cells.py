"""What can fail, and how: the rows and the columns of the matrix."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from typing import Any, Final

from aiohttp import web

from localcloud.service import FaultAction, Hang, MalformedJson, Reset, Status, Truncate
from prove.stage import Trouble

Match = Callable[[web.Request], bool]


class Door(StrEnum):
    """What comes in while the dependency fails."""

    RUN = "run"
    BLOB = "blob"
    SWEEP = "sweep"


@dataclass(frozen=True, slots=True)
class Dependency:
    """One dependency behind one door.

    ``pieces`` are the fields of the evidence that nothing can be known of while it fails. ``judged`` says that a
    prerequisite of an import rests on them. ``targets`` are words of which one stands in the target of an ACRT901
    about it, or in what a heartbeat complains of: no other complaint excuses what it leaves open. ``is_the_thing``
    that is looked at: if it is said to be gone, that is believed. A request is for it if its path holds all of
    ``path`` and ends with one of ``last``.
    """

    name: str
    door: Door
    service: str
    trouble: Trouble = Trouble.VAULT
    _: KW_ONLY
    targets: tuple[str, ...]
    path: tuple[str, ...] = ()
    last: tuple[str, ...] = ("",)
    pieces: frozenset[str] = frozenset()
    judged: bool = True
    is_the_thing: bool = False

    @property
    def label(self) -> str:
        """As the table has it."""
        return f"{self.door}: {self.name}"

    def match(self, request: web.Request) -> bool:
        """Whether a request is for this dependency."""
        path = request.path.lower()
        return all(part in path for part in self.path) and path.endswith(self.last)

    def is_named_in(self, text: str) -> bool:
        """Whether a complaint is one about this dependency."""
        return any(word in text.lower() for word in self.targets)


_VAULT_SETTINGS: Final = frozenset({"vault", "vault_grants", "secret"})
_TOKEN: Final = frozenset({"sas", "probe", "vault_refusal"})
_ROLES: Final = frozenset({"storage_grants", "vault_grants"})
_ACCOUNT: Final = frozenset({"account", "container"})
_BLOB: Final = frozenset({"blob", "similar_blobs", "probe"})
_RUNS: Final = frozenset({"runs_of_blob", "last_success"})
_ARM: Final = frozenset({"pipeline", "registry", "watchers", "writers"}) | _VAULT_SETTINGS | _ROLES | _ACCOUNT | _RUNS
_EVERYTHING: Final = _ARM | _TOKEN | _BLOB | frozenset({"artifacts"})


def _each_door(name: str, service: str, trouble: Trouble = Trouble.VAULT, **more: Any) -> tuple[Dependency, ...]:
    return tuple(Dependency(name, door, service, trouble, **more) for door in Door)


DEPENDENCIES: Final[tuple[Dependency, ...]] = (
    *_each_door("token", "identity", pieces=_EVERYTHING, targets=("managed identity", "/.default")),
    Dependency(
        *("ARM: the run", Door.RUN, "arm"),
        path=("/pipelineruns/",),
        targets=("/registries/contosohub",),
        is_the_thing=True,
    ),
    Dependency(
        *("ARM: the pipeline", Door.RUN, "arm"),
        path=("/exportpipelines/",),
        pieces=frozenset({"pipeline"}),
        targets=("/exportpipelines/",),
    ),
    # Who writes a container, and which runs there were, is no prerequisite of an import.
    Dependency(
        *("ARM: list of exports", Door.BLOB, "arm"),
        last=("/exportpipelines",),
        pieces=frozenset({"writers"}),
        judged=False,
        targets=("/exportpipelines",),
    ),
    Dependency(
        *("ARM: list of imports", Door.BLOB, "arm"),
        last=("/importpipelines",),
        pieces=frozenset({"watchers"}),
        targets=("/importpipelines", "/registries/"),
    ),
    Dependency(
        *("ARM: list of runs", Door.BLOB, "arm"),
        last=("/pipelineruns",),
        pieces=_RUNS,
        judged=False,
        targets=("/pipelineruns", "/registries/"),
    ),
    Dependency(
        *("ARM: list of pipelines", Door.SWEEP, "arm"),
        last=("/exportpipelines", "/importpipelines"),
        pieces=frozenset({"watchers", "writers"}),
        targets=("pipelines", "/registries/"),
    ),
    Dependency(
        *("ARM: list of runs", Door.SWEEP, "arm"),
        last=("/pipelineruns",),
        pieces=_RUNS,
        judged=False,
        targets=("/pipelineruns", "/registries/"),
    ),
    *_each_door(
        *("ARM: the registry", "arm"),
        last=("/registries/contosohub", "/registries/contosoedge"),
        pieces=frozenset({"registry"}),
        targets=("/registries/",),
    ),
    *_each_door(
        *("vault settings", "arm"),
        path=("/microsoft.keyvault/",),
        pieces=_VAULT_SETTINGS,
        targets=("microsoft.keyvault", "contosovault"),
    ),
    *_each_door("vault itself", "keyvault", pieces=_TOKEN, targets=("contosovault",)),
    *_each_door(
        *("roles", "arm", Trouble.ROLES),
        path=("/microsoft.authorization/",),
        pieces=_ROLES,
        targets=("microsoft.authorization", "contosoexport", "contosoimport"),
    ),
    *_each_door(
        *("storage settings", "arm", Trouble.FIREWALL),
        path=("/microsoft.storage/",),
        pieces=_ACCOUNT,
        targets=("microsoft.storage", "contosoexport", "contosoimport"),
    ),
    *_each_door(
        *("blob", "storage", Trouble.BLOB),
        path=("/transfer",),
        pieces=_BLOB,
        targets=("contosoexport/transfer", "contosoimport/transfer"),
        is_the_thing=True,
    ),
    Dependency(
        *("registry", Door.RUN, "registry", Trouble.ARTIFACT),
        pieces=frozenset({"artifacts"}),
        targets=("contosohub",),
    ),
    *_each_door("ingestion", "ingestion", judged=False, targets=("logs ingestion",)),
    *_each_door("topic", "topic", judged=False, targets=("event grid topic",)),
    *_each_door("state store", "storage", path=("/acr-transfer-monitor",), judged=False, targets=("state store",)),
)
_CODES: Final = {
    401: "InvalidAuthenticationToken",
    403: "AuthorizationFailed",
    404: "ResourceNotFound",
    409: "Conflict",
    412: "PreconditionFailed",
    413: "RequestEntityTooLarge",
    429: "TooManyRequests",
    500: "InternalServerError",
    503: "ServiceUnavailable",
}
FAULTS: Final = (*map(str, _CODES), "hang", "reset", "json", "cut")
# What the service itself says for good, and may be believed; after any other answer the truth is the same as before.
GONE: Final = "404"
# These may be over in a moment, so that a sweep has to complete what they left open; a refusal lasts.
PASSING: Final = frozenset({"429", "500", "503", "hang", "reset", "json", "cut"})


def action_of(fault: str, secret: str) -> FaultAction:
    """The fault. Whatever is answered holds a token, as the texts of real services sometimes do."""
    address = f"https://contosoexport.blob.core.windows.net/transfer?{secret}"
    other: dict[str, FaultAction] = {
        "hang": Hang(),
        "reset": Reset(),
        "json": MalformedJson(f'{{"value": "{address}", }}'.encode()),
        "cut": Truncate(f'{{"value": "{address}", "rest": "{"." * len(address)}"}}'.encode()),
    }
    if fault in other:
        return other[fault]
    status = int(fault)
    message = f"The request to {address} was refused."
    body = json.dumps({"error": {"code": _CODES[status], "message": message}})
    headers = {"Content-Type": "application/json"} | ({"Retry-After": "30"} if status == 429 else {})
    return Status(status, headers, body)
