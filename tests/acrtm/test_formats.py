"""SARIF and OCSF: what other tools read."""

from __future__ import annotations

import json

from tests.acrtm.conftest import CommandLine


async def test_sarif_has_a_result_for_each_finding_and_a_rule_for_each_result(acrtm: CommandLine) -> None:
    run_id = await acrtm.fails()
    rows = (await acrtm("diagnose", run_id, "--output", "json")).document["findings"]
    ended = await acrtm("diagnose", run_id, "--output", "sarif")
    log = ended.document
    [run] = log["runs"]
    rules = run["tool"]["driver"]["rules"]

    assert ended.code == 3
    assert log["version"] == "2.1.0"
    assert [result["ruleId"] for result in run["results"]] == [row["RuleId"] for row in rows]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert (result["kind"] == "fail") == (result["level"] != "none"), "only a failure has a level"
        assert result["locations"][0]["logicalLocations"]
    cause = next(result for result in run["results"] if result["ruleId"] == "ACRT201")
    assert (cause["kind"], cause["level"]) == ("fail", "error")
    assert "az keyvault set-policy" in cause["properties"]["FixCommand"]


async def test_sarif_says_what_could_not_be_checked(acrtm: CommandLine) -> None:
    run_id = await acrtm.fails()
    acrtm.environment.setenv("SAS_INSPECTION", "value")
    log = (await acrtm("diagnose", run_id, "--output", "sarif")).document
    kinds = {result["ruleId"]: result["kind"] for result in log["runs"][0]["results"]}
    assert kinds["ACRT901"] == "open"


async def test_ocsf_is_a_detection_finding_a_line(acrtm: CommandLine) -> None:
    run_id = await acrtm.fails()
    ended = await acrtm("diagnose", run_id, "--output", "ocsf")
    found = {finding["finding_info"]["analytic"]["uid"]: finding for finding in map(json.loads, ended.out.splitlines())}
    cause = found["ACRT201"]

    assert ended.code == 3
    assert (cause["class_uid"], cause["type_uid"], cause["activity_id"]) == (2004, 200401, 1)
    assert (cause["severity_id"], cause["severity"]) == (4, "High")
    assert cause["status"] == "New"
    assert {resource["type"] for resource in cause["resources"]} >= {"Registry", "Pipeline", "PipelineRun"}
    assert cause["remediation"]["desc"]


async def test_a_format_that_does_not_fit_is_said(acrtm: CommandLine) -> None:
    ended = await acrtm("rules", "--output", "sarif")
    assert ended.code == 2
    assert "sarif does not fit" in ended.err
    assert "diagnose, check-blob, check-pipeline, sweep" in ended.err
