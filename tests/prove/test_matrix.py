"""A small diagonal of the fault matrix; ``make prove`` plays all of it."""

from __future__ import annotations

import pytest

from localcloud import Azurite
from prove.cells import DEPENDENCIES, FAULTS, Door
from prove.judging import Cell, live_causes
from prove.limits import limits
from prove.matrix import all_cells, captured_log, diagonal, play_cell
from prove.table import holes, table


async def test_no_dependency_of_a_small_diagonal_loses_falsifies_or_leaks(
    azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, "set by each world")
    cells = diagonal([dependency for dependency in DEPENDENCIES if dependency.door is not Door.SWEEP][::3])
    with captured_log(), limits(short=True) as allowed:
        for cell in cells:
            await play_cell(azurite, cell, allowed)
    assert not holes(cells), table(cells)


def test_the_whole_matrix_has_every_fault_and_the_quick_one_some_of_each() -> None:
    assert len(all_cells()) == len(DEPENDENCIES) * len(FAULTS)
    quick = diagonal(each=3)
    assert {cell.fault for cell in quick} == set(FAULTS)
    assert {cell.dependency for cell in quick} == set(DEPENDENCIES)
    assert len({(cell.dependency, cell.fault) for cell in quick}) == 3 * len(DEPENDENCIES)


def test_a_cause_that_was_taken_back_does_not_count() -> None:
    row = {"RunName": "a", "Role": "RootCause", "FindingId": "1", "State": "Open"}
    other = {**row, "FindingId": "2"}
    assert live_causes([row, row, {**row, "State": "Resolved"}, other, {**other, "RunName": "b"}], "a") == [other]


def test_a_hole_is_said_and_shown() -> None:
    cell = Cell(DEPENDENCIES[0], "500", word="again", holes=["lost"])
    assert holes([cell]) == [f"{DEPENDENCIES[0].label}, 500: lost"]
    assert "HOLE" in table([cell])
