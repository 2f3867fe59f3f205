"""The corpus itself: what it covers, and what is said of a file that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from shared.rules.catalogue import CATALOGUE
from tests.scenarios.loading import ScenarioFile, all_scenarios, load
from tests.scenarios.operations import ScenarioError, vocabulary

# A heartbeat is written in every sweep, and a test on request: neither is about a world.
NOT_LABELLED: Final = frozenset({"ACRT903", "ACRT904"})
# The headings of the troubleshooting guide.
GUIDE: Final = (
    "Template deployment failures or errors",
    "Problems accessing Key Vault",
    "Problems accessing storage",
    "Problems with export or import of storage blobs",
    "Problems with Source Trigger Imports",
    "AzCopy issues",
    "Artifacts transfer problems",
    "Problems pulling the image in a physically isolated environment",
)


@pytest.fixture(scope="module")
def corpus() -> list[ScenarioFile]:
    return all_scenarios()


def test_every_rule_has_a_scenario(corpus: list[ScenarioFile]) -> None:
    named: set[str] = set()
    for scenario in corpus:
        expect = scenario.expect
        named |= {expect.root_cause, *expect.findings, *(note.split()[0] for note in expect.notes)}
        named |= {"ACRT901"} if expect.unchecked else set()
    assert named - set(CATALOGUE) == {""}
    assert set(CATALOGUE) - named == NOT_LABELLED


def test_every_heading_of_the_guide_has_a_scenario(corpus: list[ScenarioFile]) -> None:
    guides = {scenario.guide.partition(":")[0] for scenario in corpus} - {""}
    assert guides == set(GUIDE)


def test_the_corpus_is_balanced(corpus: list[ScenarioFile]) -> None:
    assert len(corpus) >= 120
    assert sum(scenario.expect.healthy for scenario in corpus) * 3 >= len(corpus)
    # Faults are put into the world; texts that no world can say are a minority, and stand by themselves.
    texts = [scenario for scenario in corpus if scenario.sets_message]
    assert len(texts) * 8 <= len(corpus)
    for wanted in ("export", "import", "SasToken", "ManagedIdentity", "none", "value"):
        assert any(
            wanted in {scenario.world.direction, scenario.world.mode, scenario.world.inspection} for scenario in corpus
        )


def test_every_operation_is_used_and_explained(corpus: list[ScenarioFile]) -> None:
    used = {step.name for scenario in corpus for step in (*scenario.faults, *scenario.actions)}
    assert set(vocabulary()) == used
    assert all(function.__doc__ for function in vocabulary().values())


RIGHT: Final = 'about = "A run."\nactions = [{ do = "run" }]\n[expect]\nhealthy = true\n'


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("about = ", "no TOML"),
        (RIGHT.replace("A run.", "a run"), "one sentence"),
        (RIGHT.replace("actions", "action"), "there is no 'action' in a scenario"),
        (RIGHT.replace('[{ do = "run" }]', "[]"), "nothing is done"),
        (RIGHT.replace('"run"', '"rum"'), r"actions, line 1: there is no operation 'rum'; did you mean 'run'\?"),
        (RIGHT.replace('"run" }', '"run", artefacts = [] }'), r"run takes no 'artefacts'; did you mean 'artifacts'\?"),
        (RIGHT.replace('"run" }', '"run", many = "51" }'), "many of run can't be '51': it is a whole number"),
        (RIGHT.replace('"run" }', '"vault_closed", by = "wall" }'), "it is one of firewall, public access"),
        (RIGHT.replace("actions =", 'faults = [{ do = "sweep" }]\nactions ='), "it is an action"),
        (RIGHT.replace('"run" }', '"secret_uri" }'), "secret_uri needs uri"),
        (RIGHT.replace('{ do = "run" }', '"run"'), "a line looks like"),
        (RIGHT.replace("[expect]", '[world]\nmode = "Sas"\n[expect]'), r"mode of \[world\] can't be 'Sas'"),
        (RIGHT.replace("[expect]", '[world]\nmood = "x"\n[expect]'), r"\[world\] has no 'mood'"),
        (RIGHT.replace("healthy = true", ""), "says what must be found"),
        (RIGHT.replace("healthy = true", "healthy = false"), "names nothing that must be found"),
        (RIGHT + 'root_cause = "ACRT301"\n', "neither a root cause nor findings"),
        (RIGHT + 'notes = ["ACRT301", 7]\n', r"notes of \[expect\] can't be"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path: Path, wrong: str, said: str) -> None:
    path = tmp_path / "wrong-one.toml"
    path.write_text(wrong, encoding="utf-8")
    with pytest.raises(ScenarioError, match=f"^wrong-one: .*{said}"):
        load(path)


def test_a_right_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "right-one.toml"
    path.write_text(RIGHT, encoding="utf-8")
    assert load(path).label == "healthy"
