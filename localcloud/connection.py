"""The local cloud from another process: a file says where it is and whom to trust."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from localcloud.names import ask_name_server, client_session


@dataclass(frozen=True, slots=True)
class Connection:
    """What another process needs of a local cloud."""

    front_port: int
    name_server_port: int
    authority_pem: str
    environment: dict[str, str]

    def client_session(self) -> aiohttp.ClientSession:
        """A session for azure-core's aiohttp transport. Whoever asks for it closes it."""
        authority = ssl.create_default_context(cadata=self.authority_pem)
        return client_session(self.front_port, ask_name_server(self.name_server_port), authority)

    def write(self, path: Path) -> None:
        document = {
            "front_port": self.front_port,
            "name_server_port": self.name_server_port,
            "authority_pem": self.authority_pem,
            "environment": self.environment,
        }
        path.write_text(json.dumps(document, indent=2), encoding="utf-8")


def connect(path: str | Path) -> Connection:
    """The local cloud that wrote this connection file."""
    return Connection(**json.loads(Path(path).read_text(encoding="utf-8")))
