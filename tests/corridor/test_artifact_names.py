"""Artifacts whose names begin like a host: nobody has written down whether the service takes one."""

from __future__ import annotations

import pytest

from localcloud.world.registries import foreign_layer, image
from shared.rules.model import Confidence
from tests.corridor.conftest import Corridor


@pytest.mark.parametrize("host", ["contosohub.azurecr.io", "localhost:5000"])
async def test_an_artifact_that_is_there_but_for_its_host_is_no_certain_cause(corridor: Corridor, host: str) -> None:
    run = corridor.scenario.source
    await corridor.export("hosted01", f"{host}/app/web:1.0")
    # As a message would be that says nothing of the artifact.
    run.runs["hosted01"].response["pipelineRunErrorMessage"] = "Something went wrong"
    await corridor.run_event(corridor.told("hosted01"))
    row = corridor.row("ACRT601")
    assert (row["Role"], row["Confidence"]) == ("RootCause", Confidence.LIKELY)
    assert f"'app/web:1.0' for '{host}/app/web:1.0'" in row["Recommendation"]
    assert "--repository app/web" in row["VerifyCommand"]


async def test_a_repository_that_is_called_like_a_host_is_a_repository(corridor: Corridor) -> None:
    source = corridor.scenario.source
    for name in ("docker.io/library/nginx:1", "contosohub.azurecr.io/app/old:1"):
        source.push(name, image(name, foreign_layer(name)))
    await corridor.run_event(
        await corridor.export("mirror01", "docker.io/library/nginx:1", "contosohub.azurecr.io/app/old:1")
    )
    row = corridor.row("ACRT604")
    assert row["Evidence"]["artifacts"] == ["docker.io/library/nginx:1", "contosohub.azurecr.io/app/old:1"]
    assert "ACRT601" not in corridor.rules
