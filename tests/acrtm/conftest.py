"""The command line as a user meets it: in this process, or as a process of its own against the local cloud."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from acrtm.main import main
from localcloud import LocalCloud
from localcloud.scenario import Scenario, transfer_between
from shared.runtime import use_sessions

REPOSITORY = Path(__file__).parents[2]
_COMPILED = str(REPOSITORY / ".pytest_cache" / "compiled")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Standard output, which must be one JSON document and nothing else."""
        return cast("dict[str, Any]", json.loads(self.out))


@dataclass(frozen=True, slots=True)
class CommandLine:
    """``acrtm`` in this process, logged in to the local cloud."""

    cloud: LocalCloud
    scenario: Scenario
    store: Path
    read: Callable[[], tuple[str, str]]
    environment: pytest.MonkeyPatch

    async def __call__(self, *arguments: str) -> Ended:
        # In a thread, as a command has an event loop of its own.
        code = await asyncio.to_thread(main, arguments)
        return Ended(code, *self.read())

    async def fails(self, name: str = "badrun") -> str:
        """The id of an export that failed: its pipeline may not read the secret any more."""
        scenario = self.scenario
        self.cloud.world.revoke_secret_get(scenario.vault, scenario.export_pipeline)
        await self.cloud.put_run(
            scenario.source, name, scenario.export_pipeline, artifacts=["app/web:1.0"], blob=f"{name}.tar"
        )
        return f"{scenario.source.id}/pipelineRuns/{name}"

    async def succeeds(self, name: str = "goodrun") -> str:
        """The id of an export that succeeded, as ``<name>.tar``."""
        scenario = self.scenario
        await self.cloud.put_run(
            scenario.source, name, scenario.export_pipeline, artifacts=["app/web:1.0"], blob=f"{name}.tar"
        )
        return f"{scenario.source.id}/pipelineRuns/{name}"


@pytest.fixture
async def scenario(cloud: LocalCloud) -> Scenario:
    return await transfer_between(cloud)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Nothing set that would change what is printed, and a store of the test's own."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "ACRTM_TRACEBACK", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    store = tmp_path / "findings.duckdb"
    monkeypatch.setenv("ACRTM_STORE", str(store))
    return store


@pytest.fixture
async def acrtm(
    cloud: LocalCloud,
    scenario: Scenario,
    plain: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> AsyncIterator[CommandLine]:
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)

    def read() -> tuple[str, str]:
        captured = capsys.readouterr()
        return captured.out, captured.err

    use_sessions(cloud.client_session)
    yield CommandLine(cloud, scenario, plain, read, monkeypatch)
    use_sessions(None)


async def run_process(connection: Path, *arguments: str, environment: Mapping[str, str]) -> Ended:
    """``acrtm`` as a process of its own against a running local cloud."""
    words = [sys.executable, "-m", "localcloud", "exec", str(connection), "--", *arguments]
    process = await asyncio.create_subprocess_exec(
        *words,
        cwd=REPOSITORY,
        # Several processes one after the other: the first compiles for all of them.
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": _COMPILED, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return Ended(process.returncode or 0, out.decode(), err.decode())
