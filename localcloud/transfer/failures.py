"""How a run says what went wrong: its own sentence, and the .NET exception of the call that was refused.

One message of a real run is public: ``Failed to access storage.  Service request failed.  Status: 403 (This request
is not authorized to perform this operation)``. The styles keep that one, all that the exception knows, or nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from xml.etree import ElementTree as ET

from localcloud.world import MessageStyle


class Step(StrEnum):
    VAULT = "Failed to access key vault."
    STORAGE = "Failed to access storage."


class TransferFailure(Exception):
    """A run ends here, with this message."""

    def message(self, style: MessageStyle) -> str:  # noqa: ARG002  (most have one message)
        return str(self)


class Misconfigured(TransferFailure):
    """A step couldn't even be tried."""

    def __init__(self, step: Step, why: str) -> None:
        super().__init__(f"{step}  {why}")


class Unreachable(TransferFailure):
    """The host's name doesn't resolve, or nobody answers there."""

    def __init__(self, step: Step, host: str, why: str) -> None:
        super().__init__(f"{step}  {why} ({host}:443)")
        self.step = step
        self.cause = f"{why} ({host}:443)"

    def message(self, style: MessageStyle) -> str:
        if style is not MessageStyle.DETAILED:
            return str(self)
        tries = " ".join(f"({self.cause})" for _ in range(4))
        settings = "Retry settings can be adjusted in ClientOptions.Retry"
        return f"{self.step}  Retry failed after 4 tries. {settings}. {tries}"


@dataclass(eq=False)
class Refused(TransferFailure):
    """A service has answered, and it was no."""

    step: Step
    status: int
    reason: str
    code: str | None
    body: str
    headers: dict[str, str] = field(default_factory=dict)

    def message(self, style: MessageStyle) -> str:
        if style is MessageStyle.BARE:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        if style is MessageStyle.PLAIN:
            reason = self.reason.rstrip(".")
            return f"{self.step}  Service request failed.  Status: {self.status} ({reason})"
        parts = [f"{self.step}  {self._said()}", f"Status: {self.status} ({self.reason})"]
        if self.code:
            parts.append(f"ErrorCode: {self.code}")
        detail = self._detail()
        if detail:
            parts += ["", "Additional Information:", f"AuthenticationErrorDetail: {detail}"]
        if self.body:
            parts += ["", "Content:", self.body]
        if self.headers:
            parts += ["", "Headers:", *(f"{name}: {value}" for name, value in self.headers.items())]
        return "\n".join(parts)

    def __str__(self) -> str:
        return self.message(MessageStyle.DETAILED)

    def _said(self) -> str:
        if self.step is Step.VAULT:
            return str(_vault_error(self.body).get("message") or "Service request failed.")
        error = _storage_error(self.body)
        return (error.findtext("Message") if error is not None else None) or "Service request failed."

    def _detail(self) -> str | None:
        error = _storage_error(self.body) if self.step is Step.STORAGE else None
        return error.findtext("AuthenticationErrorDetail") if error is not None else None


class ArtifactFailure(TransferFailure):
    """An artifact that can't be transferred; ``ContinueOnErrors`` leaves it out."""


def _storage_error(body: str) -> ET.Element | None:
    try:
        return ET.fromstring(body.lstrip("\ufeff"))
    except ET.ParseError:
        return None


def _vault_error(body: str) -> dict[str, Any]:
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}
