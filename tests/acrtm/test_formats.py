"""SARIF and OCSF: what other tools read."""

from __future__ import annotations

import json
from typing import Any, cast

from tests.acrtm.conftest import CommandLine, Ended


def the_run(ended: Ended) -> dict[str, Any]:
    """The one run of a log, with what SARIF wants of it."""
    log = ended.document
    [run] = log["runs"]
    [invocation] = run["invocations"]
    rules = run["tool"]["driver"]["rules"]
    assert log["version"] == "2.1.0"
    assert invocation["exitCode"] == ended.code
    assert len({rule["id"] for rule in rules}) == len(rules)
    for result in run.get("results", []):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert (result["kind"] == "fail") == (result["level"] != "none"), "only a failure has a level"
        assert result["message"]["text"]
        assert all(place["fullyQualifiedName"] for place in result["locations"][0]["logicalLocations"])
    for notification in invocation.get("toolExecutionNotifications", []):
        assert notification["level"] == "error"
        assert notification["message"]["text"]
    return cast("dict[str, Any]", run)


def the_findings(ended: Ended) -> list[dict[str, Any]]:
    """The objects of the lines, with what OCSF requires of each."""
    found = [json.loads(line) for line in ended.out.splitlines()]
    for each in found:
        assert (each["category_uid"], each["class_uid"], each["type_uid"], each["activity_id"]) == (2, 2004, 200401, 1)
        assert each["time"] > 0
        assert each["severity_id"] in range(6)
        assert each["finding_info"]["uid"]
        assert each["finding_info"]["title"]
        assert each["metadata"]["product"]["name"]
    return found


async def test_sarif_has_a_result_for_each_finding_and_a_rule_for_each_result(acrtm: CommandLine) -> None:
    run_id = await acrtm.fails()
    rows = (await acrtm("diagnose", run_id, "--output", "json")).document["findings"]
    ended = await acrtm("diagnose", run_id, "--output", "sarif")
    run = the_run(ended)

    assert ended.code == 3
    assert [result["ruleId"] for result in run["results"]] == [row["RuleId"] for row in rows]
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
    found = {finding["finding_info"]["analytic"]["uid"]: finding for finding in the_findings(ended)}
    cause = found["ACRT201"]

    assert ended.code == 3
    assert (cause["severity_id"], cause["severity"]) == (4, "High")
    assert cause["status"] == "New"
    assert {resource["type"] for resource in cause["resources"]} >= {"Registry", "Pipeline", "PipelineRun"}
    assert cause["remediation"]["desc"]


async def test_what_the_look_itself_left_open_is_in_every_format(acrtm: CommandLine) -> None:
    await acrtm.succeeds("goodrun")
    url = await acrtm.scenario.carry_over("goodrun.tar")
    acrtm.environment.delenv("MONITORED_REGISTRIES")
    document = (await acrtm("check-blob", url, "-o", "json")).document
    (end,) = document["notChecked"]
    assert document["findings"] == []

    ended = await acrtm("check-blob", url, "-o", "sarif")
    results = the_run(ended)["results"]
    assert ended.code == 4
    assert [result["ruleId"] for result in results] == end["rules"]
    assert {result["kind"] for result in results} == {"open"}
    assert all("use --registry" in result["message"]["text"] for result in results)
    assert results[0]["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == url

    ended = await acrtm("check-blob", url, "-o", "ocsf")
    [found] = the_findings(ended)
    assert ended.code == 4
    assert (found["status_id"], found["status"]) == (0, "Unknown")
    assert "use --registry" in found["message"]
    assert [analytic["uid"] for analytic in found["finding_info"]["related_analytics"]] == end["rules"]
    [again] = the_findings(await acrtm("check-blob", url, "-o", "ocsf"))
    assert again["finding_info"]["uid"] == found["finding_info"]["uid"]


async def test_what_no_rule_stands_for_is_left_open_too(acrtm: CommandLine) -> None:
    run_id = await acrtm.succeeds()
    acrtm.scenario.source.runs["goodrun"].provisioning_state = "Creating"
    acrtm.scenario.source.runs["goodrun"].response["status"] = "Running"
    ended = await acrtm("diagnose", run_id, "-o", "sarif")
    run = the_run(ended)
    [notification] = run["invocations"][0]["toolExecutionNotifications"]
    assert ended.code == 4
    assert "not over yet" in notification["message"]["text"]
    assert run["invocations"][0]["executionSuccessful"] is True
    found = the_findings(await acrtm("diagnose", run_id, "-o", "ocsf"))
    assert [each["status"] for each in found if "not over yet" in each["message"]] == ["Unknown"]


async def test_prerequisites_that_were_not_all_judged_are_left_open(acrtm: CommandLine) -> None:
    await acrtm.succeeds("goodrun")
    url = await acrtm.scenario.carry_over("goodrun.tar")
    ended = await acrtm("check-blob", url, "-o", "sarif")
    kinds = {result["ruleId"]: result["kind"] for result in the_run(ended)["results"]}
    assert (ended.code, kinds["ACRT510"]) == (4, "open")
    found = the_findings(await acrtm("check-blob", url, "-o", "ocsf"))
    assert [each["status"] for each in found if each["finding_info"]["analytic"]["uid"] == "ACRT510"] == ["Unknown"]


async def test_a_problem_is_a_log_without_results(acrtm: CommandLine) -> None:
    run_id = (await acrtm.fails()).replace("badrun", "nosuchrun")
    ended = await acrtm("diagnose", run_id, "-o", "sarif")
    run = the_run(ended)
    [invocation] = run["invocations"]
    [notification] = invocation["toolExecutionNotifications"]
    assert ended.code == 4
    assert invocation["executionSuccessful"] is False
    assert "There is no run 'nosuchrun'" in notification["message"]["text"]
    assert "az acr pipeline-run list" in notification["message"]["text"]
    assert "There is no run 'nosuchrun'" in ended.err
    assert "results" not in run, "an empty list says that all is well"


async def test_a_format_that_does_not_fit_is_said(acrtm: CommandLine) -> None:
    ended = await acrtm("rules", "--output", "sarif")
    assert ended.code == 2
    assert "sarif does not fit" in ended.err
    assert "diagnose, check-blob, check-pipeline, sweep" in ended.err
