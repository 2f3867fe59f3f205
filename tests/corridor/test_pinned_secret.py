"""A pipeline that names one version of its secret is judged by that one: the dates of another say nothing of it."""

from __future__ import annotations

from datetime import timedelta

from localcloud.scenario import CONTAINER
from localcloud.world.clock import now
from tests.corridor.conftest import Corridor
from tests.corridor.test_sweep_conditions import renew
from tests.corridor.time_travel import forget_rhythms, told


def pinned_to_a_token(corridor: Corridor, ends_in: timedelta) -> None:
    """The pipeline names the version that holds this token, and no newer one."""
    scenario, ends = corridor.scenario, now() + ends_in
    token = corridor.cloud.sas(scenario.export_account.name, CONTAINER, "rwla", expires=ends)
    version = scenario.vault.set_secret("exportsas", f"?{token}", expires=ends).version
    scenario.export_pipeline.secret_uri = scenario.vault.secret_uri("exportsas", version)


async def test_a_newer_version_does_not_renew_a_token_that_ends_soon(corridor: Corridor) -> None:
    pinned_to_a_token(corridor, timedelta(days=2))
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT303")]
    renew(corridor, timedelta(days=300))
    await forget_rhythms(corridor)
    await corridor.sweep()
    assert ("Opened", "ACRT206") in told(corridor)
    assert ("Resolved", "ACRT303") not in told(corridor)


async def test_nor_one_that_a_run_has_failed_on(corridor: Corridor) -> None:
    pinned_to_a_token(corridor, timedelta(days=-1))
    await corridor.run_event(await corridor.export("failing1"))
    renew(corridor, timedelta(days=300))
    await corridor.sweep()
    await corridor.run_event(await corridor.export("failing2"))
    assert [one for one in told(corridor) if one[1] == "ACRT301"] == [("Opened", "ACRT301")]


async def test_a_newer_version_that_has_ended_is_not_the_pipelines(corridor: Corridor) -> None:
    version = corridor.scenario.vault.secret("exportsas")
    assert version is not None
    corridor.scenario.export_pipeline.secret_uri = corridor.scenario.vault.secret_uri("exportsas", version.version)
    renew(corridor, timedelta(days=-1))
    await corridor.sweep()
    assert "ACRT301" not in corridor.rules
    assert not [row for row in corridor.rows if row["RuleId"] in {"ACRT303", "ACRT206"} and row["ExpiresOn"]]
