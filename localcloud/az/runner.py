"""Runs a command line as a person would who pastes it: in bash, with az, azcopy and acrtm in the path."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from localcloud.az.product import VARIABLE as CONNECTION
from localcloud.az.sign_in import VARIABLE as SIGN_IN
from localcloud.cloud import LocalCloud

SECONDS = 30.0
TIMED_OUT = 124
"""As timeout(1) has it."""
_MODULES = os.pathsep.join((str(Path(__file__).resolve().parents[2]), sysconfig.get_path("purelib")))


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command line ended."""

    exit_code: int
    stdout: str
    stderr: str


class CommandRunner:
    """A shell of the operator's, signed in at a local cloud. Close it, or use it as a context manager."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._folder = tempfile.TemporaryDirectory(prefix="localcloud-az-")
        self._path = Path(self._folder.name)
        for name, words in (("az", ()), ("azcopy", ("--azcopy",)), ("acrtm", ("--acrtm",))):
            self._add_command(name, *words)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Removes the commands and the sign-in."""
        self._folder.cleanup()

    async def run(self, command_line: str, *, seconds: float = SECONDS) -> Completed:
        """Run it with the world as it is now. After ``seconds`` it is killed, with everything that it started."""
        sign_in = self._path / "sign-in.json"
        self._cloud.sign_in().write(sign_in)
        environment = {
            **os.environ,
            "PATH": f"{self._path}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "HOME": str(self._path),
            SIGN_IN: str(sign_in),
            CONNECTION: str(self._cloud.connection_file),
            "PYTHONUTF8": "1",
        }
        process = await asyncio.create_subprocess_exec(
            "bash",
            "-c",
            command_line,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            cwd=self._path,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(seconds):
                stdout, stderr = await process.communicate()
        except TimeoutError:
            await _kill(process)
            return Completed(TIMED_OUT, "", f"killed after {seconds:g} s")
        except BaseException:
            await _kill(process)
            raise
        return Completed(process.returncode or 0, stdout.decode(errors="replace"), stderr.decode(errors="replace"))

    def _add_command(self, name: str, *words: str) -> None:
        # Without the site module a process starts in half the time; what it would find is in the path below.
        line = shlex.join([sys.executable, "-S", "-m", "localcloud.az", *words])
        script = self._path / name
        script.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(_MODULES)} exec {line} "$@"\n', encoding="utf-8")
        script.chmod(0o700)


async def _kill(process: asyncio.subprocess.Process) -> None:
    """The whole group: bash alone would leave its children behind."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.communicate()
