"""The exceptions of the corridor, and what to do about each branch.

::

    MonitorError
    ├── SettingsError         start-up stops; the message names the setting
    ├── TransientError        raise it out of the handler: Event Grid delivers the event again
    │   ├── Unreachable       429, 5xx, time-out, lost connection, unreadable answer
    │   ├── NotStored         a finding or a mark could not be written, whatever the reason
    │   └── AlreadyInProgress another handler holds the claim on the same run
    └── PermanentError        a finding says so, and the event is done
        ├── Gone              404: the thing is not there
        ├── AccessDenied      401/403: a right or a network path is missing for the monitor
        ├── UnknownHost       the name of a vault or storage account does not resolve
        ├── Refused           any other 4xx
        └── UntrustedAddress  outside the cloud's suffixes: never asked

No message ever holds a token, a signature or a key: everything that came from outside goes through
:func:`shared.redaction.redact` first.
"""

from __future__ import annotations


class MonitorError(Exception):
    """The root of everything that the monitor raises itself."""


class SettingsError(MonitorError):
    """A setting is missing or malformed.

    ``setting`` is the name of the app setting, ``problem`` what is wrong with it.
    """

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"Setting {setting}: {problem}")
        self.setting = setting
        self.problem = problem


class ServiceError(MonitorError):
    """A service could not be asked, or said no.

    ``service`` is the kind of dependency ("ARM", "Key Vault", "Storage" …), ``target`` the resource or
    host that was asked, ``detail`` what it said (redacted), ``status`` the HTTP status or ``None``,
    ``code`` the service's error code or ``""``, ``right`` the action that was tried.
    """

    def __init__(
        self,
        service: str,
        target: str,
        detail: str,
        *,
        status: int | None = None,
        code: str = "",
        right: str = "",
    ) -> None:
        answered = f" answered {status}" if status is not None else ""
        named = f" {code}" if code else ""
        super().__init__(f"{service}{answered}{named} for {target}: {detail}")
        self.service = service
        self.target = target
        self.detail = detail
        self.status = status
        self.code = code
        self.right = right


class TransientError(MonitorError):
    """It may work in a moment. Raised out of a handler so that the event comes again."""


class Unreachable(ServiceError, TransientError):
    """The service is throttling, failing, silent or answering what cannot be read."""


class NotStored(TransientError):
    """Rows, a mark or an expectation could not be written; nothing may be acknowledged."""


class AlreadyInProgress(TransientError):
    """Another handler is diagnosing the same run at this moment."""


class PermanentError(MonitorError):
    """Asking again would give the same answer: it becomes a finding."""


class Gone(ServiceError, PermanentError):
    """The thing that was asked for does not exist."""


class AccessDenied(ServiceError, PermanentError):
    """The monitor's own identity lacks a right, or its network path is closed."""


class UnknownHost(ServiceError, PermanentError):
    """The host name of a vault or a storage account does not resolve."""


class Refused(ServiceError, PermanentError):
    """The service refused the request for a reason of its own (4xx)."""


class UntrustedAddress(ServiceError, PermanentError):
    """An address from a pipeline lies outside the cloud's suffixes, so the monitor does not ask it."""
