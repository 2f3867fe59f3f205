"""All that a command writes is searched for secrets, whichever way it is run: each one planted here is found."""

from __future__ import annotations

import io
import json
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from rich.console import Console

from acrtm.output.pieces import pairs, paragraph
from tests.acrtm.conftest import CommandLine, run_process
from tests.leaks import SecretWritten, search

OUTPUT, ERROR, STORE, REPORT = "standard output", "standard error", "findings.duckdb", "report.html"


@pytest.fixture
def secret(acrtm: CommandLine) -> str:
    """A signature without anything by which the product could know it."""
    [signature] = parse_qs(acrtm.cloud.sas(acrtm.scenario.export_account.name, "transfer", "rwla"))["sig"]
    return signature


def reason(secret: str) -> str:
    """The setting by which somebody makes a secret the reason of a mute: that is shown, and kept with the finding."""
    return json.dumps([{"rule": rule, "until": "2999-01-01", "reason": secret} for rule in ("ACRT101", "ACRT201")])


def places(leak: pytest.ExceptionInfo[SecretWritten]) -> set[str]:
    return {place for place in (OUTPUT, ERROR, STORE, REPORT) if place in str(leak.value)}


async def test_a_secret_in_the_output_is_found(acrtm: CommandLine, secret: str) -> None:
    run = await acrtm.fails()
    acrtm.environment.setenv("MUTES", reason(secret))
    for output in ("table", "json", "sarif", "ocsf"):
        with pytest.raises(SecretWritten) as leak:
            await acrtm("diagnose", run, "--no-store", "--output", output)
        assert places(leak) == {OUTPUT}, output
    assert secret not in str(leak.value)


async def test_a_secret_on_standard_error_is_found(acrtm: CommandLine, secret: str) -> None:
    with pytest.raises(SecretWritten) as leak:
        await acrtm("explain", secret)
    assert places(leak) == {ERROR}


async def test_a_secret_that_was_read_before_the_command_was_over_is_found(
    acrtm: CommandLine, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reading(_name: str) -> None:
        print(secret)
        assert secret in acrtm.read()[0]
        raise LookupError("whatever it was")

    monkeypatch.setattr("acrtm.rulebook.known_rule", reading)
    with pytest.raises(SecretWritten) as leak:
        await acrtm("explain", "301")
    assert places(leak) == {OUTPUT}


@pytest.mark.parametrize("width", [20, 30, 40])
async def test_a_secret_that_a_narrow_terminal_breaks_is_found(acrtm: CommandLine, secret: str, width: int) -> None:
    paper = io.StringIO()
    console = Console(file=paper, width=width)
    paragraph(console, f"The service said: no {secret} here.")
    pairs(console, (("Said", f"No {secret} here."), ("By", "the service")))
    assert secret not in paper.getvalue()
    with pytest.raises(SecretWritten):
        search(acrtm.cloud, {OUTPUT: paper.getvalue()})


async def test_a_secret_in_the_store_and_in_a_report_is_found(acrtm: CommandLine, secret: str) -> None:
    await acrtm.fails()
    acrtm.environment.setenv("MUTES", reason(secret))
    with pytest.raises(SecretWritten) as leak:
        await acrtm("sweep")
    assert STORE in places(leak)
    # It was written before: a later command is not blamed for it, but for what it makes of it.
    assert (await acrtm("query", "AcrTransferFindings_CL | count")).code == 0
    with pytest.raises(SecretWritten) as leak:
        await acrtm("view", "--output", str(acrtm.store.with_name(REPORT)))
    assert places(leak) == {REPORT}


async def test_a_secret_that_another_process_writes_is_found(acrtm: CommandLine, secret: str, tmp_path: Path) -> None:
    run = await acrtm.fails()
    with pytest.raises(SecretWritten) as leak:
        await run_process(acrtm.cloud, tmp_path / "mine" / STORE, "diagnose", run, MUTES=reason(secret))
    assert places(leak) == {OUTPUT, STORE}
    with pytest.raises(SecretWritten) as leak:
        await run_process(acrtm.cloud, tmp_path / "other" / STORE, "explain", secret)
    assert places(leak) == {ERROR}
