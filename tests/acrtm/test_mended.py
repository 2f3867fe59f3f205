"""What the store of this machine calls open ends there too, once a command has looked again and found it gone."""

from __future__ import annotations

from typing import Any

from localcloud.scenario import CONTAINER
from localcloud.service import Fault, Status
from tests.acrtm.conftest import CommandLine

OVER = "1 finding is over"


async def open_rules(acrtm: CommandLine) -> list[str]:
    """The rules that the store calls open, by the same summary that the shipped queries make."""
    asked = "AcrTransferFindings_CL | summarize arg_max(TimeGenerated, *) by FindingKey | where State == 'Open'"
    return [row["RuleId"] for row in await rows(acrtm, asked) if row["RuleId"] != "ACRT101"]


async def rows(acrtm: CommandLine, kql: str) -> list[dict[str, Any]]:
    answer = await acrtm("query", kql, "-o", "json")
    return list(answer.document["rows"])


async def resolved(acrtm: CommandLine) -> list[tuple[str, str]]:
    found = await rows(acrtm, "AcrTransferFindings_CL | where State == 'Resolved'")
    return [(row["RuleId"], row["Evidence"]["resolvedBecause"]) for row in found]


async def test_a_pipeline_that_is_in_order_again(acrtm: CommandLine) -> None:
    scenario, world = acrtm.scenario, acrtm.cloud.world
    pipeline = scenario.export_pipeline
    world.revoke_secret_get(scenario.vault, pipeline)
    assert (await acrtm("check-pipeline", pipeline.id)).code == 3
    again = await acrtm("check-pipeline", pipeline.id)
    assert " over" not in again.err
    assert "ACRT201" in await open_rules(acrtm)
    world.grant_secret_get(scenario.vault, pipeline)
    mended = await acrtm("check-pipeline", pipeline.id)
    assert mended.code == 0
    assert OVER in mended.err
    assert await open_rules(acrtm) == []
    assert await resolved(acrtm) == [("ACRT201", "a later look finds it gone")]
    assert " over" not in (await acrtm("check-pipeline", pipeline.id)).err, "it is said once"


async def test_a_blob_that_has_its_category_again(acrtm: CommandLine) -> None:
    await acrtm.succeeds("goodrun")
    url = await acrtm.scenario.carry_over("goodrun.tar", metadata={})
    await acrtm("check-blob", url)
    assert "ACRT506" in await open_rules(acrtm)
    account = acrtm.scenario.import_account.name
    await acrtm.cloud.set_blob_metadata(account, CONTAINER, "goodrun.tar", {"category": "acr-transfer-blob"})
    mended = await acrtm("check-blob", url, "-o", "json")
    assert ("ACRT506", "a later look finds it gone") in await resolved(acrtm)
    assert "ACRT506" not in await open_rules(acrtm)
    assert mended.document["exitCode"] == mended.code == 4
    assert mended.err == ""


async def test_a_run_that_was_written_again(acrtm: CommandLine) -> None:
    run = await acrtm.fails()
    assert (await acrtm("diagnose", run)).code == 3
    acrtm.cloud.world.grant_secret_get(acrtm.scenario.vault, acrtm.scenario.export_pipeline)
    assert "ACRT201" in await open_rules(acrtm)
    scenario = acrtm.scenario
    await acrtm.cloud.put_run(
        scenario.source,
        "badrun",
        scenario.export_pipeline,
        artifacts=["app/web:1.0"],
        blob="badrun.tar",
        force_update_tag="again",
    )
    assert OVER in (await acrtm("diagnose", run)).err
    assert [rule for rule, _ in await resolved(acrtm)] == ["ACRT201"]


async def test_a_sweep_ends_what_is_over_and_nothing_else(acrtm: CommandLine) -> None:
    scenario = acrtm.scenario
    acrtm.cloud.world.revoke_secret_get(scenario.vault, scenario.export_pipeline)
    await acrtm("check-pipeline", scenario.export_pipeline.id)
    acrtm.cloud.world.grant_secret_get(scenario.vault, scenario.export_pipeline)
    acrtm.environment.setenv("MONITORED_REGISTRIES", scenario.target.id)
    assert " over" not in (await acrtm("sweep")).err, "the registry is not looked at"
    assert await open_rules(acrtm) == ["ACRT201"]
    acrtm.environment.setenv("MONITORED_REGISTRIES", scenario.source.id)
    assert OVER in (await acrtm("sweep")).err
    assert await resolved(acrtm) == [("ACRT201", "a later look finds it gone")]


async def test_a_sweep_ends_what_it_diagnoses_once_more_and_is_over(acrtm: CommandLine) -> None:
    await acrtm.fails()
    await acrtm("sweep")
    assert await open_rules(acrtm) == ["ACRT201"]
    acrtm.cloud.world.grant_secret_get(acrtm.scenario.vault, acrtm.scenario.export_pipeline)
    await acrtm.succeeds()
    await acrtm("sweep")
    assert await open_rules(acrtm) == []


async def test_what_is_about_a_pipeline_that_is_gone(acrtm: CommandLine) -> None:
    scenario = acrtm.scenario
    acrtm.cloud.world.revoke_secret_get(scenario.vault, scenario.export_pipeline)
    await acrtm("check-pipeline", scenario.export_pipeline.id)
    del scenario.source.export_pipelines[scenario.export_pipeline.name]
    assert " over" in (await acrtm("sweep")).err
    assert await open_rules(acrtm) == []
    assert {why for _, why in await resolved(acrtm)} == {"the pipeline is gone"}


async def test_a_look_that_is_refused_ends_nothing(acrtm: CommandLine) -> None:
    scenario = acrtm.scenario
    pipeline = scenario.export_pipeline
    acrtm.cloud.world.revoke_secret_get(scenario.vault, pipeline)
    await acrtm("check-pipeline", pipeline.id)
    acrtm.cloud.world.grant_secret_get(scenario.vault, pipeline)
    acrtm.cloud.faults.append(Fault("arm", lambda request: "vaults" in request.path, Status(403)))
    await acrtm("check-pipeline", pipeline.id)
    assert "ACRT201" in await open_rules(acrtm)
    assert await resolved(acrtm) == []


async def test_without_the_store_nothing_is_ended(acrtm: CommandLine) -> None:
    scenario = acrtm.scenario
    pipeline = scenario.export_pipeline
    acrtm.cloud.world.revoke_secret_get(scenario.vault, pipeline)
    await acrtm("check-pipeline", pipeline.id)
    acrtm.cloud.world.grant_secret_get(scenario.vault, pipeline)
    assert " over" not in (await acrtm("check-pipeline", pipeline.id, "--no-store")).err
    assert "ACRT201" in await open_rules(acrtm)
