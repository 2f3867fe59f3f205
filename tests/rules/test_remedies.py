"""The repairs, run by a real shell with an ``az`` that only notes how it was called."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from shared.rules import remedies
from tests.rules.builders import SIGNATURE, evidence

_AZ = f"""#!/bin/sh
echo "$*" >> "$CALLS"
case "$*" in
  *generate-sas*) [ -z "$SIGNING_FAILS" ] || exit 1; echo "sv=2024&se=x&sig={SIGNATURE}";;
  *"secret show"*) echo "$SECRET";;
esac
"""


def _run(command: str, folder: Path, **environment: str) -> tuple[int, list[str]]:
    az = folder / "az"
    az.write_text(_AZ)
    az.chmod(0o755)
    calls = folder / "calls"
    known = {"PATH": f"{folder}:/usr/bin:/bin", "CALLS": str(calls), **environment}
    done = subprocess.run(["/bin/sh", "-c", command], env=known, capture_output=True, text=True, check=False)
    assert SIGNATURE not in done.stdout + done.stderr
    return done.returncode, calls.read_text().splitlines()


NEW_TOKENS = [remedies.new_token(evidence()), remedies.new_user_delegation_token(evidence())]


@pytest.mark.parametrize("command", NEW_TOKENS)
def test_a_new_token_is_signed_and_stored(command: str, tmp_path: Path) -> None:
    code, calls = _run(command, tmp_path)
    assert code == 0
    assert len(calls) == 2
    assert calls[1].endswith(f"--value ?sv=2024&se=x&sig={SIGNATURE}")


@pytest.mark.parametrize("command", NEW_TOKENS)
def test_a_signature_that_fails_leaves_the_secret_alone(command: str, tmp_path: Path) -> None:
    code, calls = _run(command, tmp_path, SIGNING_FAILS="yes")
    assert code != 0
    assert [call for call in calls if "secret set" in call] == []


@pytest.mark.parametrize(
    ("secret", "end"),
    [
        (f"?sv=2024&se=2026-12-01T10%3A00Z&sig={SIGNATURE}", "2026-12-01T10:00Z"),
        (f"se=2026-12-01&ske=2026-11-30&sig={SIGNATURE}", "2026-12-01"),
        (f"sv=2024&si=transfers&ske=2026-11-30&sig={SIGNATURE}", ""),
        ("", ""),
    ],
)
def test_a_secret_gets_the_date_of_its_token(secret: str, end: str, tmp_path: Path) -> None:
    _, calls = _run(remedies.match_secret_expiry(evidence().names), tmp_path, SECRET=secret)
    written = [call.rpartition(" ")[2] for call in calls if "set-attributes" in call]
    assert written == ([end] if end else [])
