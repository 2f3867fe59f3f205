"""The walk through a new rule in docs/extend.md: its code is taken out of the page and run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from shared.rules.catalogue import CATALOGUE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extend.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
# What every rule is held to; the example has to stand it as well.
EVERY_RULE = """
from tests.rules.test_catalogue import (
    test_a_description_needs_no_facts,
    test_a_page_has_a_title_and_every_heading_in_order,
    test_a_rule_can_be_asked_where_nothing_is_known,
)
"""


def written(folder: Path, rule: str) -> Path:
    """The example in a folder of its own, beside the rules that there are."""
    (folder / "example_rule.py").write_text(rule, "utf-8")
    (folder / "conftest.py").write_text("import example_rule\n", "utf-8")
    (folder / "test_example.py").write_text(BLOCKS[1], "utf-8")
    (folder / "test_every_rule.py").write_text(EVERY_RULE, "utf-8")
    return folder


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:asyncio"]
    words += ["-k", "not ACRT or ACRT410", "--rootdir", str(folder), "-c", os.devnull, str(folder)]
    inherited = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    environment = {**inherited, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
    return subprocess.run(words, cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=120)


def test_the_example_does_what_the_page_says(tmp_path: Path) -> None:
    ended = run(written(tmp_path, BLOCKS[0]))
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("old", "new"),
    [('== "FileStorage"', '== "BlobStorage"'), ("unknown(account)", "passed()"), ("How to fix:", "To fix it:")],
)
def test_an_example_that_is_wrong_is_told(tmp_path: Path, old: str, new: str) -> None:
    assert old in BLOCKS[0]
    assert run(written(tmp_path, BLOCKS[0].replace(old, new))).returncode == 1


def test_its_id_is_free() -> None:
    assert "ACRT410" not in CATALOGUE


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:shared|tests|infra|tools)/[\w./-]+)`", PAGE))))
def test_what_it_names_is_there(path: str) -> None:
    assert (ROOT / path).exists()
