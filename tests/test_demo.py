"""The demo, as somebody who has just cloned the repository runs it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from embedded import EmbeddedStore
from tools.pictures import PICTURES
from tools.pictures.normal import differences, normalised
from tools.pictures.terminal import words_of

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.skipif(sys.version_info < (3, 13), reason="the worker library needs Python 3.13")


def _acrtm(*words: str, store: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ACRTM_STORE": str(store), "NO_COLOR": "1", "COLUMNS": "120"}
    return subprocess.run(
        [sys.executable, "-m", "acrtm", *words],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_demo_is_right_twice_and_leaves_a_store_to_ask(tmp_path: Path) -> None:
    store = tmp_path / "findings.duckdb"
    for _ in range(2):
        told = _acrtm("demo", store=store)
        assert told.returncode == 0, told.stdout + told.stderr
        assert "Every diagnosis was the right one" in told.stdout
        assert "\x1b" not in told.stdout
    picture = words_of((PICTURES / "demo.svg").read_text("utf-8"))
    assert differences(normalised(picture), normalised(told.stdout)) == [], "renew it: python -m tools.pictures demo"

    kql = "AcrTransferFindings_CL | where Role == 'RootCause' and State == 'Open' | project RuleId | sort by RuleId asc"
    asked = _acrtm("query", kql, "--output", "json", store=store)
    assert asked.returncode == 0, asked.stderr
    assert [row["RuleId"] for row in json.loads(asked.stdout)["rows"]] == ["ACRT201", "ACRT301", "ACRT405"]


def test_findings_that_are_no_demos_are_put_aside(tmp_path: Path) -> None:
    from acrtm.demo import _fresh_store

    path, told = tmp_path / "findings.duckdb", io.StringIO()
    console = Console(file=told, width=500)
    own = {"TimeGenerated": "2026-11-23T10:00:00Z", "RuleId": "ACRT301", "TriggeredBy": "Cli", "RegistryName": "mine"}
    _fresh_store(path, console).append([own | {"TriggeredBy": "Sweep", "RegistryName": "contosohub"}])
    assert _fresh_store(path, console).count() == 0
    assert list(tmp_path.iterdir()) == [path]
    assert told.getvalue() == ""

    EmbeddedStore.open(path).append([own])
    assert _fresh_store(path, console).count() == 0
    (aside,) = set(tmp_path.iterdir()) - {path}
    assert str(aside) in told.getvalue()
    assert EmbeddedStore.open(aside).count() == 1


def test_a_file_that_is_no_store_is_left_alone(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("what I must not forget")
    refused = _acrtm("demo", store=notes)
    assert refused.returncode == 1
    assert "can't be kept in" in refused.stderr
    assert "ACRTM_STORE=demo.duckdb acrtm demo" in refused.stderr
    assert notes.read_text() == "what I must not forget"


def test_a_wrong_diagnosis_is_not_overlooked() -> None:
    from acrtm.demo import Story

    unused: Any = SimpleNamespace()
    story = Story(Console(file=io.StringIO()), unused, unused, unused, unused)
    rows = [{"RuleId": "ACRT301", "Role": "RootCause"}]
    story.expect("a run", rows, ("ACRT301",), role="RootCause")
    assert story.wrong == []
    story.expect("a run", rows, ("ACRT201",), role="RootCause")
    assert story.wrong == ["a run: expected ACRT201, found ACRT301"]
