"""The rooms of the house, held against what their modules import."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOORS = ("function_app", "acrtm")
BESIDE = ("embedded", "localcloud", "tools", "bench", "prove", "tests")
CORRIDOR = ("evidence", "rules", "diagnosis", "findings", "sinks")
# What a room must not import, by the beginnings of modules' names.
CLOSED = {
    "": (*DOORS, *BESIDE),
    "azure": tuple(f"shared.{room}" for room in CORRIDOR),
    "evidence": ("azure", "shared.rules", "shared.diagnosis", "shared.sinks"),
    "rules": ("azure", "aiohttp", "shared.azure", "shared.diagnosis", "shared.sinks"),
    "diagnosis": ("azure", "aiohttp", "shared.azure", "shared.sinks"),
    "findings": ("azure", "aiohttp", "shared.azure", "shared.sinks"),
    "sinks": ("azure", "aiohttp"),
    "records": ("azure", "aiohttp", "shared.azure", *(f"shared.{room}" for room in CORRIDOR)),
}


def imported(module: Path) -> set[str]:
    """The names of all modules that ``module`` imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def through(name: str, closed: tuple[str, ...]) -> bool:
    return any(name == door or name.startswith(f"{door}.") for door in closed)


@pytest.mark.parametrize("room", CLOSED)
def test_nothing_comes_through_a_closed_door(room: str) -> None:
    modules = list((ROOT / "shared" / room).rglob("*.py"))
    assert modules
    wrong = {module.stem: [name for name in imported(module) if through(name, CLOSED[room])] for module in modules}
    assert {module: names for module, names in wrong.items() if names} == {}


def test_the_sdks_are_imported_in_one_room() -> None:
    users = {
        module.relative_to(ROOT / "shared").parts[0]
        for module in (ROOT / "shared").rglob("*.py")
        if any(through(name, ("azure",)) for name in imported(module))
    }
    assert users == {"azure"}
