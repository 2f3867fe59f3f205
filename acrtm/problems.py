"""Expected errors as problems: what went wrong in the user's words, and the command that repairs it."""

from __future__ import annotations

import os
import re
import shlex
from typing import Final

from acrtm.exits import ExitCode, Problem, WrongUsage
from embedded.errors import EmbeddedError, QueryError, StoreBusyError
from shared.addresses import BlobAddress
from shared.errors import MonitorError, ServiceError, SettingsError, TransientError
from shared.redaction import redact
from shared.resource_ids import ResourceId

IDENTITY: Final = "Managed identity"
_ENTRA: Final = re.compile(r"AADSTS\d{1,8}:[^\n]{1,300}")


class NoSuchBlob(Problem):
    """The blob at ``address`` is not there; ``code`` is what Storage answered."""

    def __init__(self, address: BlobAddress, code: str) -> None:
        missing = f"container '{address.container}'" if code == "ContainerNotFound" else f"blob '{address.name}'"
        inside = "" if code == "ContainerNotFound" else f" in container '{address.container}'"
        super().__init__(
            f"There is no {missing}{inside} of storage account '{address.account}'.",
            "Check the URL: names of blobs are case-sensitive. An import with DeleteSourceBlobOnSuccess deletes its "
            "blob.",
            code=ExitCode.NOT_CHECKED,
        )
        self.address = address


def problem_of(error: BaseException) -> Problem | None:
    """The problem that an exception stands for; ``None`` for one that nobody expected."""
    match error:
        case Problem():
            return error
        case SettingsError():
            return WrongUsage(str(error), f"Correct the environment variable {error.setting}, or unset it.")
        case QueryError():
            return WrongUsage(str(error))
        case StoreBusyError():
            return Problem(f"{error}.", "Wait until the other command is done, or look without keeping: --no-store.")
        case EmbeddedError():
            return Problem(
                f"The findings on this machine can't be used: {error}.",
                "Name another file in ACRTM_STORE, or look without keeping: --no-store.",
            )
        case ServiceError():
            return not_answered(error)
        case MonitorError():
            return Problem(f"{error}.")
        case _:
            return None


def not_answered(error: ServiceError) -> Problem:
    """A service that gave no answer to the first question of a command."""
    if error.service == IDENTITY:
        return not_logged_in(error.detail)
    if isinstance(error, TransientError):
        return Problem(f"{error}.", "It may work in a moment: try again. Behind a proxy, set HTTPS_PROXY.")
    return Problem(f"{error}.", code=ExitCode.NOT_CHECKED)


def not_logged_in(detail: str) -> Problem:
    """No token could be had."""
    if os.environ.get("IDENTITY_ENDPOINT") or os.environ.get("MSI_ENDPOINT"):
        return Problem(
            f"The managed identity of this machine gives no token: {detail}.",
            "Check that the identity is assigned, and that AZURE_CLIENT_ID names it.",
        )
    # The SDK lists every credential that it has tried, in a page of text that hides the one remedy. What Entra ID
    # itself says (an expired login, a tenant that wants more) is the only part of it that tells more.
    refusal = _ENTRA.search(detail)
    what = f"Azure gives no token: {refusal[0]}" if refusal else "You are not logged in to Azure."
    return Problem(what, "Log in, then run the command again.", "az login")


def no_such_run(run_id: ResourceId, error: ServiceError) -> Problem:
    """The run is not there, or its registry is not."""
    return _not_there(f"There is no run '{run_id.name}'", run_id, "pipeline-run", error)


def no_such_pipeline(pipeline_id: ResourceId, error: ServiceError) -> Problem:
    """The pipeline is not there, or its registry is not."""
    kind = "export-pipeline" if pipeline_id.types[1] == "exportpipelines" else "import-pipeline"
    return _not_there(f"There is no {kind.replace('-', ' ')} '{pipeline_id.name}'", pipeline_id, kind, error)


def _not_there(what: str, resource: ResourceId, kind: str, error: ServiceError) -> Problem:
    registry = resource.parent
    words = ["az", "acr", kind, "list", "--registry", registry.name, "--resource-group", registry.resource_group]
    command = " ".join(shlex.quote(word) for word in [*words, "--subscription", registry.subscription])
    said = f" ({error.code})" if error.code else ""
    return Problem(
        f"{what} in registry '{registry.name}'{said}.",
        "Check the name, or whether it was deleted since. What there is:",
        command,
        code=ExitCode.NOT_CHECKED,
    )


def unexpected(error: BaseException) -> Problem:
    """A mistake of ours: said in a line, with a way to see more."""
    words = " ".join(redact(str(error)).split())[:300]
    return Problem(
        f"acrtm failed: {type(error).__name__}{': ' if words else ''}{words}",
        "This is a defect. ACRTM_TRACEBACK=1 shows where.",
    )
