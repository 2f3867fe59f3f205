"""docs/coverage.md names only rules and scenarios that exist, and every scenario proves what it says."""

from __future__ import annotations

import re
from pathlib import Path

from shared.rules.catalogue import CATALOGUE

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "coverage.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and "ACRT" in line
]


def _rules(cell: str) -> set[str]:
    """The ids in a cell; ``ACRT202-208`` is a range."""
    found: set[str] = set()
    for first, last in re.findall(r"ACRT(\d{3})(?:-(\d{3}))?", cell):
        wanted = {f"ACRT{number:03}" for number in range(int(first), int(last or first) + 1)}
        found |= wanted & set(CATALOGUE) if last else wanted
    return found


def test_the_page_has_a_row_for_each_point() -> None:
    assert len(ROWS) >= 30


def test_every_rule_and_scenario_exists() -> None:
    for _, rules, scenarios in ROWS:
        assert _rules(rules) <= set(CATALOGUE), rules
        assert _rules(rules), rules
        for name in re.findall(r"`([^`]+)`", scenarios):
            assert (ROOT / "tests" / "scenarios" / "cases" / f"{name}.toml").is_file(), name


def test_every_point_is_proved_by_a_scenario_that_expects_one_of_its_rules() -> None:
    for point, rules, scenarios in ROWS:
        texts = [
            (ROOT / "tests" / "scenarios" / "cases" / f"{name}.toml").read_text("utf-8")
            for name in re.findall(r"`([^`]+)`", scenarios)
        ]
        expected = {rule for text in texts for rule in re.findall(r"ACRT\d{3}", text)}
        assert expected & _rules(rules), point
