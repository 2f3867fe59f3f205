"""Artifacts and their layers: what fails, what passes, and what can't be told."""

from __future__ import annotations

import shlex
from typing import Any, Final

import pytest

from shared.evidence.artifacts import GB, GIB, Artifact, ArtifactFacts, Layer
from shared.evidence.message import read_message
from shared.evidence.model import Look
from shared.evidence.pieces import Missing, Unavailable
from shared.records.transfer import Direction
from shared.rules import repairs
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Confidence, Outcome
from tests.rules.builders import after_run, described, evidence, pipeline, run

FAIL, PASS = Outcome.FAIL, Outcome.PASS
UNKNOWN, ELSEWHERE = Outcome.UNKNOWN, Outcome.NOT_APPLICABLE
EXPORT, IMPORT = Direction.EXPORT, Direction.IMPORT
FAILED, SUCCEEDED = Look.FAILED_RUN, Look.SUCCEEDED_RUN
DENIED: Final = Unavailable("the registry answered 401", "contoso.azurecr.io", "pull")
GONE: Final = Missing("it")
GOES_ON: Final = pipeline(direction=EXPORT, options=frozenset({"continueonerrors"}))
OVERWRITES: Final = pipeline(options=frozenset({"overwritetags"}))
TAG_EXISTS: Final = read_message("Failed to import. TAG_ALREADY_EXISTS")
ORDINARY: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
FOREIGN: Final = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
DIGEST: Final = f"sha256:{'a' * 64}"


def facts(*artifacts: Artifact) -> dict[str, Any]:
    return {"artifacts": ArtifactFacts(artifacts)}


def layer(size: int = 1000, *urls: str, there: bool | None = None) -> Layer:
    return Layer(DIGEST, size, FOREIGN if urls else ORDINARY, urls, there)


def artifact(*layers: Layer, reference: str = "app:v1", found: bool | None = True, similar: str = "") -> Artifact:
    return Artifact(reference, found, layers, (similar,) if similar else ())


def asked(*artifacts: str, arrived: tuple[str, ...] | None = None, direction: Direction = EXPORT) -> dict[str, Any]:
    return {"run": run(direction=direction, artifacts=artifacts, imported_artifacts=arrived)}


ABSENT: Final = facts(artifact(found=False, similar="app:v10"))
UNTOLD: Final = facts(artifact(found=None))
WINDOWS: Final = "https://mcr.microsoft.com/v2/windows/blobs/sha256:aa"
MANY: Final = tuple(f"app:v{number}" for number in range(1, 52))


@pytest.mark.parametrize(
    ("rule_id", "direction", "look", "changes", "outcome"),
    [
        ("ACRT601", EXPORT, FAILED, facts(artifact(layer())), PASS),
        ("ACRT601", EXPORT, FAILED, ABSENT, FAIL),
        ("ACRT601", EXPORT, FAILED, UNTOLD, UNKNOWN),
        ("ACRT601", EXPORT, FAILED, {"artifacts": DENIED}, UNKNOWN),
        ("ACRT601", EXPORT, FAILED, {"artifacts": GONE}, ELSEWHERE),
        ("ACRT601", EXPORT, SUCCEEDED, ABSENT, ELSEWHERE),
        ("ACRT601", EXPORT, SUCCEEDED, {**ABSENT, "pipeline": GOES_ON}, FAIL),
        ("ACRT601", IMPORT, FAILED, ABSENT, ELSEWHERE),
        ("ACRT602", EXPORT, FAILED, asked(*MANY), FAIL),
        ("ACRT602", EXPORT, FAILED, asked(*MANY[:50]), PASS),
        ("ACRT602", IMPORT, FAILED, {}, ELSEWHERE),
        ("ACRT603", EXPORT, SUCCEEDED, asked("app:v1", "web", arrived=("app:v1", "web:latest")), PASS),
        ("ACRT603", EXPORT, SUCCEEDED, asked("app:v1", "web", arrived=("app:v1",)), FAIL),
        ("ACRT603", EXPORT, FAILED, asked("app:v1", arrived=()), FAIL),
        ("ACRT603", EXPORT, SUCCEEDED, asked("app:v1"), ELSEWHERE),
        ("ACRT603", IMPORT, SUCCEEDED, asked("app:v1", arrived=(), direction=IMPORT), FAIL),
        ("ACRT604", EXPORT, FAILED, facts(artifact(layer(1, WINDOWS, there=False))), FAIL),
        ("ACRT604", IMPORT, SUCCEEDED, facts(artifact(layer(1, WINDOWS, there=False))), FAIL),
        ("ACRT604", EXPORT, SUCCEEDED, facts(artifact(layer(1, WINDOWS, there=True))), PASS),
        ("ACRT604", EXPORT, SUCCEEDED, facts(artifact(layer(1, WINDOWS))), UNKNOWN),
        ("ACRT604", EXPORT, SUCCEEDED, facts(artifact(layer())), PASS),
        ("ACRT604", EXPORT, SUCCEEDED, UNTOLD, UNKNOWN),
        ("ACRT604", EXPORT, SUCCEEDED, {"artifacts": DENIED}, UNKNOWN),
        ("ACRT605", EXPORT, FAILED, facts(artifact(layer(8 * GIB + 1))), FAIL),
        ("ACRT605", EXPORT, FAILED, facts(artifact(layer(8 * GIB))), FAIL),
        ("ACRT605", EXPORT, FAILED, facts(artifact(layer(8 * GB))), PASS),
        ("ACRT605", EXPORT, FAILED, UNTOLD, UNKNOWN),
        ("ACRT605", EXPORT, FAILED, {"artifacts": DENIED}, UNKNOWN),
        ("ACRT605", EXPORT, SUCCEEDED, facts(artifact(layer(9 * GIB))), ELSEWHERE),
        ("ACRT606", IMPORT, FAILED, {"message": TAG_EXISTS}, FAIL),
        ("ACRT606", IMPORT, FAILED, {"message": TAG_EXISTS, "pipeline": OVERWRITES}, PASS),
        ("ACRT606", IMPORT, FAILED, {"message": TAG_EXISTS, "pipeline": DENIED}, UNKNOWN),
        ("ACRT606", IMPORT, FAILED, {"message": TAG_EXISTS, "pipeline": GONE}, ELSEWHERE),
        ("ACRT606", IMPORT, FAILED, {}, ELSEWHERE),
        ("ACRT606", EXPORT, FAILED, {"message": TAG_EXISTS}, ELSEWHERE),
    ],
)
def test_what_the_rule_finds(
    rule_id: str, direction: Direction, look: Look, changes: dict[str, Any], outcome: Outcome
) -> None:
    seen = after_run(direction, look, **changes)
    assert CATALOGUE[rule_id](seen).outcome is outcome
    if outcome is FAIL:
        said = described(CATALOGUE[rule_id], seen)
        assert f"{direction.lower()} run 'nightly' of pipeline" in said.summary.lower()


@pytest.mark.parametrize("rule_id", ["ACRT601", "ACRT604", "ACRT605"])
def test_what_the_registry_did_not_say_asks_for_its_right(rule_id: str) -> None:
    missing = CATALOGUE[rule_id](after_run(EXPORT, **UNTOLD)).missing
    assert missing is not None
    assert missing.target == "contoso.azurecr.io"
    assert missing.right.endswith("/pull/read")


def words_after(command: str, option: str) -> list[str]:
    words = shlex.split(command)
    return words[words.index(option) + 1 :]


def test_a_misspelt_artifact_is_replaced_by_its_close_name_and_the_others_stay() -> None:
    found = facts(artifact(reference="ap:v1", found=False, similar="app:v1"), artifact(reference="web"))
    seen = after_run(EXPORT, **{**found, **asked("ap:v1", "web")})
    said = described(CATALOGUE["ACRT601"], seen)
    assert "artifact 'ap:v1', which the registry does not hold" in said.summary
    assert "'app:v1' for 'ap:v1'" in said.recommendation
    assert words_after(said.fix_command, "--artifacts") == ["app:v1", "web"]
    assert said.verify_command == "az acr repository show-tags --name contoso --repository ap --output table"


def test_without_a_close_name_nothing_is_run() -> None:
    seen = after_run(EXPORT, **facts(artifact(found=False)))
    assert described(CATALOGUE["ACRT601"], seen).fix_command == ""


def test_what_a_run_that_succeeded_left_out_is_likely() -> None:
    assert (
        CATALOGUE["ACRT601"](after_run(EXPORT, SUCCEEDED, pipeline=GOES_ON, **ABSENT)).confidence is Confidence.LIKELY
    )


def test_too_many_artifacts_are_shared_out_over_blobs_of_their_own() -> None:
    said = described(CATALOGUE["ACRT602"], after_run(EXPORT, **asked(*MANY)))
    assert "51 artifacts" in said.summary
    first, second = said.fix_command.split(" && ")
    assert words_after(first, "--artifacts") == list(MANY[:50])
    assert words_after(second, "--artifacts") == ["app:v51"]
    assert {words_after(part, "--storage-blob")[0] for part in (first, second)} == {
        "part1-images.tar.gz",
        "part2-images.tar.gz",
    }


def test_a_command_that_nobody_could_paste_is_left_out() -> None:
    long = tuple(f"{'team/' * 30}app:v{number}" for number in range(60))
    assert described(CATALOGUE["ACRT602"], after_run(EXPORT, **asked(*long))).fix_command == ""


def test_what_did_not_arrive_is_named_and_exported_alone() -> None:
    seen = after_run(EXPORT, SUCCEEDED, **asked("app:v1", "web", "db@sha256:aa", arrived=("app:v1",)))
    said = described(CATALOGUE["ACRT603"], seen)
    assert "artifacts 'web', 'db@sha256:aa'" in said.summary
    assert words_after(said.fix_command, "--artifacts") == ["web", "db@sha256:aa"]
    assert words_after(said.fix_command, "--storage-blob")[0] == "rest-images.tar.gz"


def test_many_names_are_not_all_listed() -> None:
    seen = after_run(EXPORT, SUCCEEDED, **asked(*MANY[:9], arrived=()))
    assert "'app:v5' and 4 more" in described(CATALOGUE["ACRT603"], seen).summary


def test_foreign_layers_name_the_artifact_and_the_registry_to_allow() -> None:
    seen = after_run(EXPORT, **facts(artifact(layer(1, WINDOWS, there=False), reference="windows/nano")))
    said = described(CATALOGUE["ACRT604"], seen)
    assert "'windows/nano'" in said.summary
    assert '["contoso.azurecr.io"]' in said.recommendation
    assert "--name windows/nano:latest" in said.verify_command


@pytest.mark.parametrize(("size", "sure"), [(8 * GIB + 1, Confidence.CONFIRMED), (8 * GB + 1, Confidence.POSSIBLE)])
def test_between_8_gb_and_8_gib_the_verdict_is_only_possible(size: int, sure: Confidence) -> None:
    seen = after_run(EXPORT, **facts(artifact(layer(), layer(size))))
    assert CATALOGUE["ACRT605"](seen).confidence is sure
    assert "artifact 'app:v1'" in described(CATALOGUE["ACRT605"], seen).summary


def test_overwriting_tags_is_switched_on() -> None:
    said = described(CATALOGUE["ACRT606"], after_run(IMPORT, message=TAG_EXISTS))
    assert "import pipeline 'inward' of registry 'contoso' lacks the option OverwriteTags" in said.summary
    assert 'properties.options=["OverwriteTags"]' in said.fix_command
    there = CATALOGUE["ACRT606"].describe(after_run(IMPORT, pipeline=OVERWRITES), {})
    assert "although" in there.summary
    assert there.fix_command == ""


@pytest.mark.parametrize(
    ("others", "look", "sure"),
    [
        ((), FAILED, Confidence.LIKELY),
        ((), SUCCEEDED, Confidence.POSSIBLE),
        ((artifact(found=False),), FAILED, Confidence.CONFIRMED),
        ((artifact(found=False),), SUCCEEDED, Confidence.LIKELY),
        ((artifact(),), FAILED, Confidence.LIKELY),
    ],
)
def test_a_host_in_front_is_no_certain_fault(others: tuple[Artifact, ...], look: Look, sure: Confidence) -> None:
    hosted = Artifact("contoso.azurecr.io/app:v1", found=False, similar=("app:v1",), but_for_host=True)
    seen = after_run(EXPORT, look, pipeline=GOES_ON, **facts(hosted, *others))
    assert CATALOGUE["ACRT601"](seen).confidence is sure
    assert "'app:v1' for 'contoso.azurecr.io/app:v1'" in described(CATALOGUE["ACRT601"], seen).recommendation


@pytest.mark.parametrize(
    ("reference", "repository", "tagged"),
    [
        ("app", "app", "app:latest"),
        ("team/app:v1", "team/app", "team/app:v1"),
        (f"team/app@{DIGEST}", "team/app", f"team/app@{DIGEST}"),
        (f"app:v1@{DIGEST}", "app", f"app@{DIGEST}"),
        ("contoso.azurecr.io/team/app", "team/app", "contoso.azurecr.io/team/app:latest"),
        ("localhost:5000/app:v1", "app", "app:v1"),
        ("docker.io/library/nginx", "docker.io/library/nginx", "docker.io/library/nginx:latest"),
        ("", "", ""),
        ("../../oauth2/token?x=y", "", ""),
    ],
)
def test_references_are_taken_apart(reference: str, repository: str, tagged: str) -> None:
    assert repairs.repository_of(reference) == repository
    assert repairs.with_tag(reference) == tagged


def test_a_run_is_not_needed_to_describe() -> None:
    for rule_id in ("ACRT601", "ACRT602", "ACRT603", "ACRT604", "ACRT605", "ACRT606"):
        assert CATALOGUE[rule_id].describe(evidence(), {}).summary
