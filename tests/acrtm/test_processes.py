"""The command line as a process of its own: real pipes, real exit codes, a light start."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud import LocalCloud
from localcloud.scenario import Scenario
from tests.acrtm.conftest import REPOSITORY, CommandLine, run_process


async def test_the_same_answers_through_pipes(acrtm: CommandLine, tmp_path: Path) -> None:
    good, bad = await acrtm.succeeds(), await acrtm.fails()
    mine, other = (tmp_path / name / "findings.duckdb" for name in ("mine", "other"))
    well = await run_process(acrtm.cloud, mine, "diagnose", good, "--no-store")
    failed, gone = await asyncio.gather(
        run_process(acrtm.cloud, mine, "diagnose", bad, "--output", "json"),
        run_process(acrtm.cloud, other, "diagnose", f"{bad}x", "--no-store"),
    )
    assert [well.code, failed.code, gone.code] == [0, 3, 4]
    assert failed.document["exitCode"] == 3
    assert gone.out == ""
    for ended in (well, failed, gone):
        assert "\x1b" not in ended.out + ended.err
        assert "Traceback" not in ended.err
    asked = await run_process(acrtm.cloud, mine, "query", "AcrTransferFindings_CL | distinct TriggeredBy")
    assert asked.out.split() == ["TriggeredBy", "Cli"]


async def test_settings_of_the_caller_win_over_those_of_the_connection_file(
    cloud: LocalCloud, scenario: Scenario, plain: Path
) -> None:
    ended = await run_process(cloud, plain, "sweep", MONITORED_REGISTRIES="")
    assert ended.code == 2
    assert "MONITORED_REGISTRIES" in ended.err


def started(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "acrtm", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_no_color_is_honoured_where_a_terminal_is_forced(plain: Path) -> None:
    coloured = started("rules", FORCE_COLOR="1", TERM="xterm-256color").stdout
    assert "\x1b[31m" in coloured
    quiet = started("rules", FORCE_COLOR="1", TERM="xterm-256color", NO_COLOR="1").stdout
    assert "\x1b[3" not in quiet


@pytest.mark.parametrize("arguments", [["rules"], ["explain", "ACRT301"], ["--help"], ["rules", "--output", "json"]])
def test_what_needs_no_azure_does_not_wait_for_it(plain: Path, arguments: list[str]) -> None:
    script = (
        "import sys\nfrom acrtm.main import main\ncode = main(sys.argv[1:])\n"
        "heavy = sorted({m.split('.')[0] for m in sys.modules} & {'aiohttp', 'azure', 'duckdb', 'localcloud'})\n"
        "print(code, heavy, file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert ended.stderr.strip() == "0 []"


def test_a_pipe_that_closes_early_is_no_error(plain: Path) -> None:
    command = f"{sys.executable} -m acrtm rules | head -1"
    ended = subprocess.run(["bash", "-c", command], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert "Traceback" not in ended.stderr
    assert "error" not in ended.stderr.lower()


def test_the_shell_completes_commands_and_rules(plain: Path) -> None:
    def completed(words: str, at: int) -> list[str]:
        given = {"_ACRTM_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(at)}
        return started(**given).stdout.split()

    assert "check-blob" in completed("acrtm ch", 1)
    assert completed("acrtm explain ACRT30", 2) == [f"ACRT30{n}" for n in range(1, 10)]
    assert completed("acrtm rules --output ", 3) == ["table", "json", "sarif", "ocsf"]


def test_a_terminal_that_knows_no_unicode_gets_an_answer(plain: Path) -> None:
    ended = started("explain", "301", PYTHONIOENCODING="ascii")
    assert ended.returncode == 0
    json.loads(started("rules", "-o", "json", PYTHONIOENCODING="ascii").stdout)
