"""The labelled corpus: what the monitor concludes in each scenario of ``cases/``."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud import LocalCloud
from tests.scenarios.loading import CASES, all_files, load
from tests.scenarios.playing import play, problems


def _name(path: Path) -> str:
    return str(path.relative_to(CASES).with_suffix(""))


@pytest.mark.parametrize("path", all_files(), ids=_name)
async def test_scenario(path: Path, cloud: LocalCloud) -> None:
    scenario = load(path)
    wrong = problems(scenario, await play(scenario, cloud))
    assert not wrong, "\n".join([scenario.about, *wrong])
