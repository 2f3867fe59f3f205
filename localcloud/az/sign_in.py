"""What ``az login`` leaves behind: where the cloud is, who has signed in, and the tokens for it.

The runner writes the file, each command reads it. Nothing but the standard library is imported here, because a
command line starts many of these processes.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

VARIABLE = "LOCALCLOUD_SIGN_IN"
ARM = "https://management.azure.com"
VAULTS = "https://vault.azure.net"
STORAGE = "https://storage.azure.com"
GRAPH = "https://graph.microsoft.com"
AUDIENCES = (ARM, VAULTS, STORAGE, GRAPH)


class SignIn:
    """A person at a local cloud. No data class: those take as long to import as all else here."""

    def __init__(
        self,
        *,
        front_port: int,
        name_server_port: int,
        authority_pem: str,
        subscription_id: str,
        tenant_id: str,
        headers: dict[str, str],
        tokens: dict[str, str],
    ) -> None:
        self.front_port = front_port
        self.name_server_port = name_server_port
        self.authority_pem = authority_pem
        self.subscription_id = subscription_id
        self.tenant_id = tenant_id
        self.headers = headers
        """What tells the front from which network a request comes."""
        self.tokens = tokens
        """By audience."""

    def write(self, path: Path) -> None:
        """For its owner's eyes only."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(vars(self)), encoding="utf-8")


def signed_in() -> SignIn | None:
    """Who has signed in, if anybody."""
    path = os.environ.get(VARIABLE)
    return SignIn(**json.loads(Path(path).read_text(encoding="utf-8"))) if path else None
