"""The picture of a card: what ``acrtm diagnose`` answers about a run that failed."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
from collections.abc import Iterator, Mapping
from typing import Final

from rich.text import Text

from acrtm.main import main
from localcloud import Azurite, LocalCloud
from localcloud.scenario import transfer_between
from shared.runtime import use_sessions
from tools.pictures.terminal import drawn, recording

_WIDTH: Final = 120
_RUN: Final = "nightly7"


async def card_picture(azurite: Azurite | None = None) -> str:
    """Lets an export fail in the local cloud, asks the command line about it, and draws the answer."""
    async with LocalCloud.start(azurite) as cloud:
        scenario = await transfer_between(cloud)
        cloud.world.revoke_secret_get(scenario.vault, scenario.export_pipeline)
        await cloud.put_run(
            scenario.source, _RUN, scenario.export_pipeline, artifacts=["app/web:1.0"], blob=f"{_RUN}.tar"
        )
        use_sessions(cloud.client_session)
        try:
            answer = await asyncio.to_thread(_answer, f"{scenario.source.id}/pipelineRuns/{_RUN}", cloud.environment)
        finally:
            use_sessions(None)
    console = recording(_WIDTH)
    console.print(Text.from_ansi(answer))
    return drawn(console, f"acrtm diagnose /subscriptions/…/pipelineRuns/{_RUN}")


def _answer(run_id: str, environment: Mapping[str, str]) -> str:
    """What the command prints in a terminal with colours."""
    out = io.StringIO()
    terminal = {"FORCE_COLOR": "1", "COLUMNS": str(_WIDTH), "TERM": "xterm-256color"}
    with _environment({**environment, **terminal}), contextlib.redirect_stdout(out):
        main(["diagnose", run_id, "--no-store"])
    return out.getvalue()


@contextlib.contextmanager
def _environment(changed: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in (*changed, "NO_COLOR")}
    os.environ.pop("NO_COLOR", None)
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
