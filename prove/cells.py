"""What can fail, and how: the rows and the columns of the matrix."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

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
    """One dependency behind one door. ``judged`` says that a blob's or a pipeline's verdict rests on it."""

    name: str
    door: Door
    service: str
    trouble: Trouble = Trouble.VAULT
    path: tuple[str, ...] = ()
    last: str = ""
    judged: bool = True

    @property
    def label(self) -> str:
        """As the table has it."""
        return f"{self.door}: {self.name}"

    def match(self, request: web.Request) -> bool:
        """Whether a request is for this dependency."""
        path = request.path.lower()
        return all(part in path for part in self.path) and path.endswith(self.last)


def _each_door(
    name: str,
    service: str,
    trouble: Trouble = Trouble.VAULT,
    *path: str,
    judged: bool = True,
    doors: tuple[Door, ...] = tuple(Door),
) -> tuple[Dependency, ...]:
    return tuple(Dependency(name, door, service, trouble, path, judged=judged) for door in doors)


_ROLES: Final = "/microsoft.authorization/"
_PIPELINES: Final = "pipelines"
_RUNS: Final = "/pipelineruns"
DEPENDENCIES: Final[tuple[Dependency, ...]] = (
    *_each_door("token", "identity"),
    Dependency("ARM: the run", Door.RUN, "arm", path=("/pipelineruns/",)),
    Dependency("ARM: the pipeline", Door.RUN, "arm", path=("/exportpipelines/",)),
    # Who writes a container, and which runs there were, is no prerequisite of an import.
    Dependency("ARM: list of exports", Door.BLOB, "arm", last="/exportpipelines", judged=False),
    Dependency("ARM: list of imports", Door.BLOB, "arm", last="/importpipelines"),
    Dependency("ARM: list of runs", Door.BLOB, "arm", last=_RUNS, judged=False),
    Dependency("ARM: list of pipelines", Door.SWEEP, "arm", last=_PIPELINES),
    Dependency("ARM: list of runs", Door.SWEEP, "arm", last=_RUNS),
    *_each_door("vault settings", "arm", Trouble.VAULT, "/microsoft.keyvault/"),
    *_each_door("vault itself", "keyvault"),
    *_each_door("roles", "arm", Trouble.ROLES, _ROLES),
    *_each_door("storage settings", "arm", Trouble.FIREWALL, "/microsoft.storage/"),
    *_each_door("blob", "storage", Trouble.BLOB, "/transfer"),
    Dependency("registry", Door.RUN, "registry", Trouble.ARTIFACT),
    *_each_door("ingestion", "ingestion", judged=False),
    *_each_door("topic", "topic", judged=False),
    *_each_door("state store", "storage", Trouble.VAULT, "/acr-transfer-monitor", judged=False),
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
# What the service itself says for good; anything else may be over in a moment.
GONE: Final = "404"


def action_of(fault: str, secret: str) -> FaultAction:
    """The fault. A refusal's text holds a token, as the texts of real services sometimes do."""
    other: dict[str, FaultAction] = {"hang": Hang(), "reset": Reset(), "json": MalformedJson(), "cut": Truncate()}
    if fault in other:
        return other[fault]
    status = int(fault)
    message = f"The request to https://contosoexport.blob.core.windows.net/transfer?{secret} was refused."
    body = json.dumps({"error": {"code": _CODES[status], "message": message}})
    headers = {"Content-Type": "application/json"} | ({"Retry-After": "30"} if status == 429 else {})
    return Status(status, headers, body)
