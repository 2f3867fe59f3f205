"""What the store of this machine calls open ends there too, once a command has looked again and found it gone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from localcloud.scenario import CONTAINER
from localcloud.service import Fault, Status
from tests.acrtm.conftest import CommandLine

OVER = "1 finding is over"


async def open_rules(acrtm: CommandLine) -> list[str]:
    """The rules that the store calls open, by the same summary that the shipped queries make."""
    asked = "AcrTransferFindings_CL | summarize arg_max(TimeGenerated, *) by FindingKey | where State == 'Open'"
    return sorted(row["RuleId"] for row in await rows(acrtm, asked))


async def carried(acrtm: CommandLine, name: str) -> str:
    """The URL of an exported blob that was carried over."""
    await acrtm.succeeds(name)
    return await acrtm.scenario.carry_over(f"{name}.tar")


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


async def test_a_blob_that_is_gone(acrtm: CommandLine) -> None:
    await acrtm.succeeds("goodrun")
    url = await acrtm.scenario.carry_over("goodrun.tar", metadata={})
    await acrtm("check-blob", url)
    assert "ACRT506" in await open_rules(acrtm)
    await acrtm.cloud.delete_blob(acrtm.scenario.import_account.name, CONTAINER, "goodrun.tar")
    assert (await acrtm("check-blob", url)).code == 4
    assert await open_rules(acrtm) == []
    assert {why for _, why in await resolved(acrtm)} == {"the blob is gone"}


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
    assert "2 findings are over" in (await acrtm("diagnose", run)).err
    assert sorted(rule for rule, _ in await resolved(acrtm)) == ["ACRT101", "ACRT201"]
    assert await open_rules(acrtm) == []


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
    assert await open_rules(acrtm) == ["ACRT101", "ACRT201"]
    acrtm.cloud.world.grant_secret_get(acrtm.scenario.vault, acrtm.scenario.export_pipeline)
    await acrtm.succeeds()
    await acrtm("sweep")
    assert await open_rules(acrtm) == []


async def test_a_sweep_ends_what_no_look_at_the_pipeline_tells_and_a_later_run_does(acrtm: CommandLine) -> None:
    scenario = acrtm.scenario
    await acrtm.cloud.put_run(
        scenario.source, "badrun", scenario.export_pipeline, artifacts=["app/wep:1.0"], blob="badrun.tar"
    )
    await acrtm.succeeds()
    for _ in range(2):
        await acrtm("sweep")
        assert await open_rules(acrtm) == []
    assert {rule for rule, _ in await resolved(acrtm)} == {"ACRT101", "ACRT601"}


async def test_runs_that_are_looked_at_backwards_end_nothing_that_a_later_one_has(acrtm: CommandLine) -> None:
    scenario, world = acrtm.scenario, acrtm.cloud.world
    first = await acrtm.fails("badrun1")
    world.grant_secret_get(scenario.vault, scenario.export_pipeline)
    between = await acrtm.succeeds("goodrun")
    last = await acrtm.fails("badrun2")
    for run in (last, first, between):
        await acrtm("diagnose", run)
    assert await open_rules(acrtm) == ["ACRT101", "ACRT201"]
    assert [rule for rule, _ in await resolved(acrtm)] == ["ACRT101"], "the first run's"
    await acrtm("check-pipeline", scenario.export_pipeline.id)
    for run in (first, between):
        await acrtm("diagnose", run)
    assert "ACRT201" in await open_rules(acrtm)


async def test_a_blob_that_is_in_order_says_nothing_of_another_one_that_waits(acrtm: CommandLine) -> None:
    scenario = acrtm.scenario
    scenario.import_pipeline.trigger_enabled = False
    waiting, imported = [await carried(acrtm, name) for name in ("first1", "second1")]
    acrtm.cloud.backdate_blob(scenario.import_account.name, CONTAINER, "first1.tar", timedelta(hours=3))
    await acrtm("check-blob", waiting)
    assert "ACRT501" in await open_rules(acrtm)
    await acrtm.cloud.put_run(scenario.target, "byhand", scenario.import_pipeline, blob="second1.tar")
    await acrtm("check-blob", imported)
    await acrtm("sweep")
    assert "ACRT501" in await open_rules(acrtm)
    scenario.import_pipeline.trigger_enabled = True
    await acrtm("sweep")
    assert "ACRT501" not in await open_rules(acrtm)


async def test_a_second_diagnosis_ends_what_the_first_could_not_check_or_took_for_the_cause(
    acrtm: CommandLine,
) -> None:
    run = await acrtm.fails()
    acrtm.scenario.source.runs["badrun"].response["pipelineRunErrorMessage"] = "The operation failed: 403 Forbidden."
    fault = Fault("arm", lambda request: "storageaccounts" in request.path.lower(), Status(403))
    acrtm.cloud.faults.append(fault)
    await acrtm("diagnose", run)
    assert await open_rules(acrtm) == ["ACRT101", "ACRT201", "ACRT901"]
    acrtm.cloud.faults.remove(fault)
    acrtm.cloud.world.grant_secret_get(acrtm.scenario.vault, acrtm.scenario.export_pipeline)
    assert "2 findings are over" in (await acrtm("diagnose", run)).err
    assert await open_rules(acrtm) == ["ACRT101", "ACRT199"]
    causes = "AcrTransferFindings_CL | where Role == 'RootCause' | summarize arg_max(TimeGenerated, *) by FindingId"
    assert [row["RuleId"] for row in await rows(acrtm, causes) if row["State"] == "Open"] == ["ACRT199"]


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
