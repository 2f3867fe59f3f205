"""``acrtm doctor``: all checks, one after the other, each told as it comes."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

from acrtm.answering import answering
from acrtm.doctor.assigned import examine_assigned
from acrtm.doctor.checks import Check, Ending, Examined
from acrtm.doctor.given_settings import examine_settings, settings_in
from acrtm.doctor.own_paths import examine_ingestion, examine_queue, examine_state, examine_tokens, examine_topic
from acrtm.doctor.watched import examine_watched
from acrtm.exits import WrongUsage
from acrtm.kept import KeptFindings
from acrtm.looks import watching
from acrtm.output import Writer
from shared.monitor import Monitor

_OBJECT_ID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def doctor(*, settings_file: str, identity: str, send_test: bool, output: str) -> int:
    """``acrtm doctor``. ``identity`` is an object id whose assigned roles are examined as well."""
    with answering(output) as out:
        # The SDK's warnings say the same as the errors, in more words.
        logging.getLogger().addHandler(logging.NullHandler())
        if identity and not _OBJECT_ID.fullmatch(identity):
            raise WrongUsage(
                f"'{identity[:100]}' is no object id of an identity.",
                "The app's own is the principal id of its identity:",
                "az functionapp identity show --name APP --resource-group GROUP",
            )
        given: Mapping[str, str] = settings_in(Path(settings_file)) if settings_file else os.environ
        examined = asyncio.run(_examined(out, given, identity, send=send_test))
        out.examined(examined)
        return int(examined.exit_code)


async def _examined(out: Writer, given: Mapping[str, str], identity: str, *, send: bool) -> Examined:
    checks, settings = examine_settings(given)
    for check in checks:
        out.checked(check)
    if settings is None:
        return Examined(tuple(checks))
    async with watching(settings, KeptFindings(None)) as monitor:
        async for check in _asked(monitor, identity, send=send):
            out.checked(check)
            checks.append(check)
    return Examined(tuple(checks))


async def _asked(monitor: Monitor, identity: str, *, send: bool) -> AsyncIterator[Check]:
    tokens = 0
    async for check in examine_tokens(monitor):
        tokens += check.ending is Ending.WELL
        yield check
    if not tokens:
        # Every further check would say the same.
        return
    for checks in (
        examine_watched(monitor),
        examine_state(monitor),
        examine_ingestion(monitor, send=send),
        examine_topic(monitor, send=send),
        examine_queue(monitor),
        examine_assigned(monitor, identity),
    ):
        async for check in checks:
            yield check
