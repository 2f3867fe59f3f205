"""The looks, through ``main`` and against the local cloud: what is found, kept, left alone and said when it fails."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from acrtm.problems import problem_of
from embedded import EmbeddedStore
from embedded.columns import findings_table
from localcloud.scenario import CONTAINER
from localcloud.service import Fault, Status
from shared.errors import Unreachable
from tests.acrtm.conftest import CommandLine

COLUMNS = [column.name for column in findings_table().columns]
MISSING = "00000000-0000-0000-0000-000000000000"


def pipeline_of(acrtm: CommandLine) -> str:
    return acrtm.scenario.export_pipeline.id


async def landed(acrtm: CommandLine, **changes: object) -> str:
    """The URL of an exported blob that was carried over."""
    await acrtm.succeeds("goodrun")
    return await acrtm.scenario.carry_over("goodrun.tar", **changes)  # type: ignore[arg-type]


# --- a failed run -------------------------------------------------------------------------------------------


async def test_a_failed_run_is_diagnosed(acrtm: CommandLine) -> None:
    ended = await acrtm("diagnose", await acrtm.fails())
    assert ended.code == 3
    assert "ACRT201 vault-access-denied" in ended.out
    assert "Root cause" in ended.out
    assert "az keyvault" in ended.out
    assert "\x1b" not in ended.out + ended.err


async def test_what_was_mended_since_is_told_as_that(acrtm: CommandLine) -> None:
    run = await acrtm.fails()
    acrtm.cloud.world.grant_secret_get(acrtm.scenario.vault, acrtm.scenario.export_pipeline)
    ended = await acrtm("diagnose", run)
    assert ended.code == 3
    words = " ".join(ended.out.split())
    assert "A look now finds this in order." in words
    assert "submit the run again" in words
    assert "no access policy of the vault" not in words
    assert "mended ACRT201" in words
    (cause,) = (
        row for row in (await acrtm("diagnose", run, "-o", "json")).document["findings"] if row["Role"] == "RootCause"
    )
    assert cause["Evidence"]["basis"].endswith("it has been mended since")


async def test_the_document_has_one_shape(acrtm: CommandLine) -> None:
    run = await acrtm.fails()
    ended = await acrtm("diagnose", run, "--output", "json")
    document = ended.document
    assert list(document) == ["findings", "passed", "notChecked", "leftOut", "exitCode"]
    assert document["exitCode"] == ended.code == 3
    assert all(list(row) == COLUMNS for row in document["findings"])
    assert {row["TriggeredBy"] for row in document["findings"]} == {"Cli"}
    assert [row["RuleId"] for row in document["findings"] if row["Role"] == "RootCause"] == ["ACRT201"]
    assert {"ruleId": "ACRT115", "ruleName": "registry-not-premium", "subject": run.lower()} in document["passed"]
    assert any("SAS_INSPECTION" in left["reason"] for left in document["leftOut"])


async def test_findings_are_kept_and_can_be_asked(acrtm: CommandLine) -> None:
    ended = await acrtm("diagnose", await acrtm.fails())
    assert str(acrtm.store) in ended.err
    answer = await acrtm("query", "AcrTransferFindings_CL | where Role == 'RootCause' | project RuleId", "-o", "json")
    assert answer.document == {"columns": [{"name": "RuleId", "type": "string"}], "rows": [{"RuleId": "ACRT201"}]}


async def test_no_store_writes_nothing(acrtm: CommandLine) -> None:
    ended = await acrtm("diagnose", await acrtm.fails(), "--no-store")
    assert ended.code == 3
    assert not acrtm.store.exists()


async def test_nothing_is_published_and_nothing_marked(acrtm: CommandLine) -> None:
    run = await acrtm.fails()
    acrtm.cloud.requests.clear()
    await acrtm("diagnose", run)
    await acrtm("sweep")
    await acrtm("check-pipeline", pipeline_of(acrtm))
    asked = acrtm.cloud.requests.matching(principal=acrtm.cloud.world.monitor.id)
    assert asked
    assert {record.method for record in asked} <= {"GET", "HEAD"}


async def test_no_setting_of_the_app_is_needed(acrtm: CommandLine) -> None:
    run = await acrtm.fails()
    for name in acrtm.cloud.environment:
        if not name.startswith(("IDENTITY_", "AZURE_")):
            acrtm.environment.delenv(name)
    assert (await acrtm("diagnose", run)).code == 3
    assert (await acrtm("check-pipeline", pipeline_of(acrtm))).code == 3
    ended = await acrtm("sweep")
    assert ended.code == 2
    assert "MONITORED_REGISTRIES" in ended.err


# --- runs that did not fail, and those that can't be had -----------------------------------------------------


async def test_a_run_that_succeeded_ends_well(acrtm: CommandLine) -> None:
    ended = await acrtm("diagnose", await acrtm.succeeds())
    assert ended.code == 0
    assert "succeeded" in ended.out


async def test_a_run_that_is_not_over_is_no_all_clear(acrtm: CommandLine) -> None:
    scenario = acrtm.scenario
    acrtm.cloud.hold_transfers()
    await acrtm.cloud.put_run(
        scenario.source, "slowrun", scenario.export_pipeline, artifacts=["app/web:1.0"], blob="slow.tar", wait=False
    )
    ended = await acrtm("diagnose", f"{scenario.source.id}/pipelineRuns/slowrun")
    acrtm.cloud.release_transfers()
    assert ended.code == 4
    assert "not over yet" in ended.out


async def test_a_run_that_is_gone_is_said_with_the_way_to_find_others(acrtm: CommandLine) -> None:
    ended = await acrtm("diagnose", f"{acrtm.scenario.source.id}/pipelineRuns/nosuchrun", "-o", "json")
    assert ended.code == 4
    assert ended.document["exitCode"] == 4
    assert "There is no run 'nosuchrun'" in ended.err
    assert f"az acr pipeline-run list --registry {acrtm.scenario.source.name}" in ended.err


@pytest.mark.parametrize("command", ["diagnose", "check-pipeline"])
async def test_a_refusal_is_no_all_clear(acrtm: CommandLine, command: str) -> None:
    subject = await acrtm.fails() if command == "diagnose" else pipeline_of(acrtm)
    acrtm.cloud.world.access.revoke(acrtm.cloud.world.monitor.id, "Reader")
    ended = await acrtm(command, subject)
    assert ended.code == 4
    assert "Reader" in ended.out
    assert "Nothing could be checked." in ended.out
    document = (await acrtm(command, subject, "--output", "json")).document
    assert [row["RuleId"] for row in document["findings"]] == ["ACRT901"]
    assert document["notChecked"][0]["right"].lower().startswith("microsoft.containerregistry/registries/")
    assert document["passed"] == []


async def test_a_service_that_fails_is_the_tools_failure(acrtm: CommandLine) -> None:
    run = await acrtm.fails()
    acrtm.cloud.faults.append(Fault("arm", action=Status(503)))
    ended = await acrtm("diagnose", run)
    assert ended.code == 1
    assert "try again" in ended.err
    assert "Traceback" not in ended.err


async def test_nobody_is_logged_in(acrtm: CommandLine) -> None:
    run = await acrtm.fails()
    acrtm.environment.setenv("AZURE_CLIENT_ID", MISSING)
    for arguments in (["diagnose", run], ["sweep"], ["check-pipeline", pipeline_of(acrtm)]):
        ended = await acrtm(*arguments)
        assert ended.code == 1
        assert "gives no token" in ended.err
        assert "AZURE_CLIENT_ID" in ended.err
        assert not ended.out


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("no token: DefaultAzureCredential failed to retrieve a token", "You are not logged in to Azure."),
        ("no token: AADSTS700082: The refresh token has expired.\nTrace ID: 1", "AADSTS700082: The refresh token"),
    ],
)
def test_on_a_laptop_the_remedy_is_to_log_in(monkeypatch: pytest.MonkeyPatch, said: str, told: str) -> None:
    for name in ("IDENTITY_ENDPOINT", "MSI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    problem = problem_of(Unreachable("Managed identity", "https://management.azure.com", said))
    assert problem is not None
    assert (problem.code, problem.command) == (1, "az login")
    assert told in problem.what
    assert "Trace ID" not in problem.what


# --- pipelines ----------------------------------------------------------------------------------------------


async def test_a_pipeline_that_works_ends_well(acrtm: CommandLine) -> None:
    ended = await acrtm("check-pipeline", pipeline_of(acrtm))
    assert ended.code == 0
    assert "Nothing wrong in what was checked." in ended.out
    assert "left out" in ended.out
    assert "SAS_INSPECTION is metadata" in ended.out


async def test_a_pipeline_that_would_fail_is_told_with_its_repair(acrtm: CommandLine) -> None:
    scenario = acrtm.scenario
    acrtm.cloud.world.revoke_secret_get(scenario.vault, scenario.export_pipeline)
    ended = await acrtm("check-pipeline", pipeline_of(acrtm))
    assert ended.code == 3
    assert "ACRT201 vault-access-denied" in ended.out


async def test_a_pipeline_that_is_gone(acrtm: CommandLine) -> None:
    ended = await acrtm("check-pipeline", f"{acrtm.scenario.source.id}/exportPipelines/nosuch")
    assert ended.code == 4
    assert "There is no export pipeline 'nosuch'" in ended.err
    assert "az acr export-pipeline list" in ended.err


# --- blobs --------------------------------------------------------------------------------------------------


async def test_a_blob_without_its_category_will_not_be_imported(acrtm: CommandLine) -> None:
    url = await landed(acrtm, metadata={})
    ended = await acrtm("check-blob", url)
    assert ended.code == 3
    assert "ACRT506" in ended.out
    assert acrtm.scenario.import_pipeline.name in ended.out


async def test_prerequisites_that_settings_leave_out_are_no_all_clear(acrtm: CommandLine) -> None:
    url = await landed(acrtm)
    assert (await acrtm("check-blob", url)).code == 4


async def test_a_blob_that_will_be_imported_ends_well(acrtm: CommandLine) -> None:
    url = await landed(acrtm)
    acrtm.environment.setenv("SAS_INSPECTION", "value")
    acrtm.cloud.world.allow_secret_reading(acrtm.scenario.vault)
    ended = await acrtm("check-blob", url)
    assert ended.code == 0
    assert "Expected" in ended.out


async def test_a_token_behind_the_url_is_dropped_and_never_shown(acrtm: CommandLine) -> None:
    url = await landed(acrtm, metadata={})
    for arguments in ([f"{url}?sv=2024&sig=TopSecretSignature%3D"], [f"{url}x?sig=TopSecretSignature%3D"]):
        for output in ("table", "json"):
            ended = await acrtm("check-blob", *arguments, "--output", output)
            assert ended.code in {3, 4}
            assert "TopSecret" not in ended.out + ended.err
    rows = EmbeddedStore.open(acrtm.store).query("AcrTransferFindings_CL").dicts()
    assert rows
    assert "TopSecret" not in str(rows)


async def test_without_a_registry_only_the_blob_itself_is_judged(acrtm: CommandLine) -> None:
    url = await landed(acrtm, content_md5=False)
    acrtm.environment.delenv("MONITORED_REGISTRIES")
    ended = await acrtm("check-blob", url, "-o", "json")
    assert ended.code in {3, 4}
    assert any("--registry" in entry["reason"] for entry in ended.document["notChecked"])
    listed = {rule for entry in ended.document["notChecked"] for rule in entry["rules"]}
    assert not listed & {entry["ruleId"] for entry in ended.document["passed"]}
    assert "ACRT508" not in {row["RuleId"] for row in ended.document["findings"]}


async def test_a_registry_on_the_command_line_is_enough(acrtm: CommandLine) -> None:
    url = await landed(acrtm, metadata={})
    acrtm.environment.delenv("MONITORED_REGISTRIES")
    ended = await acrtm("check-blob", url, "--registry", acrtm.scenario.target.id)
    assert ended.code == 3
    assert acrtm.scenario.import_pipeline.name in ended.out


async def test_a_blob_that_is_not_there(acrtm: CommandLine) -> None:
    account = acrtm.scenario.import_account.name
    ended = await acrtm("check-blob", f"https://{account}.blob.core.windows.net/{CONTAINER}/nothing.tar")
    assert (ended.code, ended.out) == (4, "")
    assert "There is no blob 'nothing.tar'" in ended.err
    ended = await acrtm("check-blob", f"https://{account}.blob.core.windows.net/nosuchplace/nothing.tar")
    assert "There is no container 'nosuchplace'" in ended.err
    ended = await acrtm("check-blob", "https://nosuchaccount.blob.core.windows.net/transfer/nothing.tar")
    assert ended.code == 4
    assert "There is no storage account 'nosuchaccount'" in ended.err


async def test_a_blob_that_may_not_be_read_is_no_all_clear(acrtm: CommandLine) -> None:
    url = await landed(acrtm)
    acrtm.cloud.world.access.revoke(acrtm.cloud.world.monitor.id, "Storage Blob Data Reader")
    for registries in (acrtm.cloud.environment["MONITORED_REGISTRIES"], ""):
        acrtm.environment.setenv("MONITORED_REGISTRIES", registries)
        ended = await acrtm("check-blob", url)
        assert ended.code == 4
        assert "Storage Blob Data Reader" in ended.out


# --- the sweep ----------------------------------------------------------------------------------------------


async def test_a_sweep_names_each_condition_once(acrtm: CommandLine) -> None:
    await acrtm.succeeds()
    for name in ("badrun1", "badrun2"):
        await acrtm.fails(name)
    ended = await acrtm("sweep")
    assert ended.code == 3
    assert ended.out.count("ACRT201 vault-access-denied") == 1
    assert "2 runs: badrun1, badrun2" in ended.out
    assert "acrtm diagnose /subscriptions/" in ended.out
    assert "registries: 2 of 2" in ended.err
    assert "\x1b" not in ended.out + ended.err


async def test_a_sweep_as_a_document(acrtm: CommandLine) -> None:
    await acrtm.fails()
    document = (await acrtm("sweep", "-o", "json")).document
    assert list(document) == ["findings", "passed", "notChecked", "leftOut", "sweep", "exitCode"]
    assert document["sweep"]["runsDiagnosed"] == 1
    assert "ACRT903" in {row["RuleId"] for row in document["findings"]}
    assert {row["TriggeredBy"] for row in document["findings"]} == {"Cli"}


async def test_a_sweep_by_hand_has_no_deadline(acrtm: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.sweep.SWEEP_SECONDS", 0.0)
    monkeypatch.setattr("shared.sweep.PIPELINE_SECONDS", 0.0)
    await acrtm.fails()
    document = (await acrtm("sweep", "-o", "json")).document
    assert document["sweep"]["finished"] is True
    assert document["sweep"]["problems"] == []
    assert (document["sweep"]["runsDiagnosed"], document["sweep"]["pipelinesLeft"]) == (1, 0)


async def test_a_sweep_that_finds_nothing_ends_well(acrtm: CommandLine) -> None:
    await acrtm.succeeds()
    ended = await acrtm("sweep")
    assert (ended.code, "Nothing wrong." in ended.out) == (0, True)


async def test_a_sweep_that_is_refused_is_no_all_clear(acrtm: CommandLine) -> None:
    await acrtm.fails()
    acrtm.cloud.world.access.revoke(acrtm.cloud.world.monitor.id, "Reader")
    ended = await acrtm("sweep")
    assert ended.code == 4
    assert "Could not be checked" in ended.out
    assert "Reader" in ended.out
    assert "Nothing wrong." not in ended.out


# --- the store ----------------------------------------------------------------------------------------------


async def test_a_store_that_is_none(acrtm: CommandLine, tmp_path: Path) -> None:
    run = await acrtm.fails()
    acrtm.store.write_bytes(b"this is no DuckDB file" * 1000)
    ended = await acrtm("diagnose", run)
    assert (ended.code, ended.out) == (1, "")
    assert "--no-store" in ended.err
    shutil.copy(acrtm.store, tmp_path / "other")
    assert (await acrtm("diagnose", run, "--no-store")).code == 3


@pytest.mark.parametrize("rules", [("ACRT101", "ACRT201"), ("ACRT201",)])
async def test_what_is_muted_is_shown_and_leaves_the_exit_code_alone(
    acrtm: CommandLine, rules: tuple[str, ...]
) -> None:
    run = await acrtm.fails()
    mutes = [{"rule": rule, "until": "2999-01-01", "reason": "known"} for rule in rules]
    acrtm.environment.setenv("MUTES", json.dumps(mutes))
    ended = await acrtm("diagnose", run)
    assert ended.code == 0
    assert "muted" in ended.out
    ended = await acrtm("sweep")
    assert ended.code == 0
    assert "Nothing wrong." in ended.out
    assert "muted by MUTES" in ended.out


async def test_a_failed_run_whose_cause_is_not_known_is_no_less_a_fault(acrtm: CommandLine) -> None:
    scenario = acrtm.scenario
    run = await acrtm.fails()
    acrtm.cloud.world.grant_secret_get(scenario.vault, scenario.export_pipeline)
    scenario.source.runs["badrun"].response["pipelineRunErrorMessage"] = "exited with code 7 at shard 3 of 12"
    acrtm.environment.setenv("MUTES", json.dumps([{"rule": "ACRT201", "until": "2999-01-01", "reason": "known"}]))
    ended = await acrtm("diagnose", run)
    assert ended.code == 3
    assert "ACRT199 cause-unknown" in ended.out
