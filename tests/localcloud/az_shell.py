"""Runs command lines and says how they have to end."""

from __future__ import annotations

import json
from typing import Any

from localcloud.az import CommandRunner


async def done(shell: CommandRunner, command_line: str) -> str:
    """Its standard output; it must succeed."""
    completed = await shell.run(command_line)
    assert completed.exit_code == 0, f"{command_line}\n{completed.stderr}"
    return completed.stdout


async def result(shell: CommandRunner, command_line: str) -> Any:
    """What it prints as JSON."""
    return json.loads(await done(shell, command_line))


async def refused(shell: CommandRunner, command_line: str, exit_code: int = 1) -> str:
    """Its standard error; it must fail with this exit code and print nothing."""
    completed = await shell.run(command_line)
    assert completed.exit_code == exit_code, completed
    assert completed.stdout == ""
    return completed.stderr
