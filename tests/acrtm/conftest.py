"""The command line as a user meets it: in this process, or as a process of its own against the local cloud.

Either way all that a command writes is searched for the secrets of the cloud, and the test that ran it fails.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from acrtm.main import main
from localcloud import LocalCloud
from localcloud.scenario import Scenario, transfer_between
from shared.runtime import use_sessions
from tests.leaks import outputs, searched

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
    capture: Callable[[], tuple[str, str]]
    environment: pytest.MonkeyPatch
    printed: list[tuple[str, str]] = field(default_factory=list)

    async def __call__(self, *arguments: str) -> Ended:
        self.printed.clear()
        with searched(self.cloud, self.store.parent) as written:
            # In a thread, as a command has an event loop of its own.
            code = await asyncio.to_thread(main, arguments)
            out, err = self.read()
            all_out, all_err = ("".join(parts) for parts in zip(*self.printed, strict=True))
            written.update(outputs(all_out, all_err))
        return Ended(code, out, err)

    def read(self) -> tuple[str, str]:
        """What was printed since it was last read, also by a command that is not over yet."""
        self.printed.append(self.capture())
        return self.printed[-1]

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


async def run_process(cloud: LocalCloud, store: Path, *arguments: str, **environment: str) -> Ended:
    """``acrtm`` as a process of its own against a running local cloud. No other writes beside its store meanwhile."""
    words = [sys.executable, "-m", "localcloud", "exec", str(cloud.connection_file), "--", *arguments]
    # Several processes one after the other: the first compiles for all of them.
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": _COMPILED}
    with searched(cloud, store.parent) as written:
        process = await asyncio.create_subprocess_exec(
            *words,
            cwd=REPOSITORY,
            env={**os.environ, **compiled, "ACRTM_STORE": str(store), **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = (output.decode() for output in await process.communicate())
        written.update(outputs(out, err))
    return Ended(process.returncode or 0, out, err)
