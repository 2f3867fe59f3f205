"""Answers that look like the truth and are not: nothing may be concluded from them, and nothing may be silent."""

from __future__ import annotations

import json
import logging
from typing import Any, Final

import pytest

from localcloud.scenario import CONTAINER, transfer_between
from localcloud.service import MalformedJson, Status
from shared.errors import TransientError
from shared.monitor import Monitor
from tests.corridor.conftest import Corridor, Row

NOT_THERE: Final = Status(404, {"Content-Type": "application/json"}, '{"error":{"code":"ResourceNotFound"}}')
REFUSED: Final = Status(
    403, {"Content-Type": "application/json"}, '{"error":{"code":"AuthorizationFailed","message":"no"}}'
)
NAME: Final = "images.tar"


async def landed(corridor: Corridor, account: str = "") -> None:
    """A blob with all that the source trigger asks for."""
    where = account or corridor.scenario.import_account.name
    await corridor.cloud.put_blob(where, CONTAINER, NAME, metadata={"category": "acr-transfer-blob"})


async def reading_tokens(corridor: Corridor) -> Monitor:
    """A monitor that reads tokens, so that every prerequisite can be judged."""
    corridor.cloud.world.allow_secret_reading(corridor.scenario.vault)
    return await corridor.another(SAS_INSPECTION="value")


def left_open(corridor: Corridor) -> dict[str, list[str]]:
    """The rules that each ACRT901 leaves open, by its target."""
    found: dict[str, list[str]] = {}
    for row in corridor.rows:
        if row["RuleId"] == "ACRT901":
            found.setdefault(row["Evidence"]["target"].lower(), []).extend(row["Evidence"]["rules"])
    return found


def states(rows: list[Row], rule: str) -> list[str]:
    """In which states a rule was written, in order."""
    return [row["State"] for row in rows if row["RuleId"] == rule]


async def test_what_the_token_endpoint_answers_is_not_logged(
    corridor: Corridor, caplog: pytest.LogCaptureFixture
) -> None:
    raw = await corridor.failed_export()
    token = corridor.cloud.sas(corridor.scenario.export_account.name, CONTAINER, "rl")
    signature = token.partition("sig=")[2].partition("&")[0]
    body = json.dumps({"error": "invalid_request", "error_description": f"refused: https://a/b?{token}"})
    fault = corridor.break_down("identity", Status(400, {"Content-Type": "application/json"}, body))
    with caplog.at_level(logging.DEBUG), pytest.raises(TransientError) as raised:
        await corridor.run_event(raw)
    assert fault.hits
    assert len(signature) > 20
    assert signature not in caplog.text + str(raised.value)


async def test_only_the_vault_itself_says_that_a_secret_is_not_there(corridor: Corridor) -> None:
    await landed(corridor)
    monitor = await reading_tokens(corridor)
    fault = corridor.break_down("keyvault", NOT_THERE)
    await corridor.blob_event(corridor.file("blob-put-blob"), monitor)
    assert fault.hits
    assert corridor.row("ACRT510")["Outcome"] == "Unknown"
    assert "ACRT301" in left_open(corridor)["contosovault/importsas"]
    assert "ACRT204" not in corridor.rules


async def test_a_container_that_can_not_be_listed_is_not_called_repaired_by_the_same_sweep(corridor: Corridor) -> None:
    await landed(corridor)
    corridor.break_down("storage", REFUSED, f"/{CONTAINER}")
    for _ in range(2):
        await corridor.sweep()
    assert set(states(corridor.rows, "ACRT901")) == {"Open"}
    place = f"{corridor.scenario.import_account.name}/{CONTAINER}"
    assert {"ACRT503", "ACRT505", "ACRT506", "ACRT507", "ACRT510", "ACRT701"} <= set(left_open(corridor)[place])
    corridor.heal()
    await corridor.sweep()
    assert states(corridor.rows, "ACRT901")[-1] == "Resolved"


async def test_roles_that_are_not_there_are_no_missing_roles_and_no_pass(corridor: Corridor) -> None:
    scenario = await transfer_between(
        corridor.cloud,
        source="fabrikamhub",
        target="fabrikamedge",
        accounts=("pool1storage", "pool2storage"),
        vault="fabrikamvault",
        mode="ManagedIdentity",
    )
    settings = {"MONITORED_REGISTRIES": f"{scenario.source.id},{scenario.target.id}"}
    monitor = await corridor.another(**settings)
    await landed(corridor, scenario.import_account.name)
    told = corridor.cloud.events[-1].in_schema("EventGridSchema")
    fault = corridor.break_down("arm", NOT_THERE, "/microsoft.authorization/")
    await corridor.blob_event(told, monitor)
    assert fault.hits
    assert corridor.row("ACRT510")["Outcome"] == "Unknown"
    assert "ACRT351" not in corridor.rules
    [rules] = [rules for target, rules in left_open(corridor).items() if "pool2storage" in target]
    assert "ACRT351" in rules


async def test_a_run_that_was_not_to_be_seen_for_a_moment_has_one_root_cause(corridor: Corridor) -> None:
    raw = await corridor.failed_export("transfer01")
    corridor.break_down("arm", NOT_THERE, "/pipelineruns/transfer01")
    await corridor.run_event(raw)
    corridor.heal()
    for _ in range(2):
        await corridor.sweep()
    of_run = [row for row in corridor.root_causes() if row["RunName"] == "transfer01"]
    last = {row["FindingId"]: (row["RuleId"], row["State"]) for row in of_run}
    assert sorted(last.values()) == [("ACRT110", "Resolved"), ("ACRT201", "Open")]
    assert [alert["data"]["RuleId"] for alert in corridor.alerts if alert["type"].endswith("Opened")].count(
        "ACRT201"
    ) == 1


async def test_a_registry_that_is_said_not_to_be_there_leaves_its_tier_open(corridor: Corridor) -> None:
    await landed(corridor)
    monitor = await reading_tokens(corridor)
    registry = corridor.scenario.target
    corridor.break_down("arm", NOT_THERE, f"/registries/{registry.name}", method="GET")
    corridor.cloud.faults[-1].match = lambda request: request.path.lower().endswith(f"/registries/{registry.name}")
    await corridor.blob_event(corridor.file("blob-put-blob"), monitor)
    assert corridor.row("ACRT510")["Outcome"] == "Unknown"
    assert "ACRT115" in left_open(corridor)[registry.id.lower()]


async def test_an_answer_that_describes_no_blob_is_no_blob_without_metadata(corridor: Corridor) -> None:
    await landed(corridor)
    corridor.break_down("storage", MalformedJson(), f"/{CONTAINER}/{NAME}")
    with pytest.raises(TransientError, match="describes no blob"):
        await corridor.blob_event(corridor.file("blob-put-blob"))
    assert corridor.rows == []


@pytest.mark.parametrize(
    "answer",
    [
        MalformedJson(),
        MalformedJson(b""),
        Status(403, {"x-ms-error-code": "AuthorizationFailed"}),
        Status(409, {"x-ms-error-code": "Conflict"}),
        Status(412),
    ],
    ids=repr,
)
async def test_a_token_is_judged_by_nothing_but_what_comes_after_its_signature(corridor: Corridor, answer: Any) -> None:
    await landed(corridor)
    monitor = await reading_tokens(corridor)
    corridor.break_down("storage", answer)
    corridor.cloud.faults[-1].match = lambda request: "sig" in request.query
    await corridor.blob_event(corridor.file("blob-put-blob"), monitor)
    assert corridor.row("ACRT510")["Outcome"] == "Unknown"
    assert "ACRT304" in left_open(corridor)[f"{corridor.scenario.import_account.name}/{CONTAINER}"]
    assert "ACRT304" not in corridor.rules


@pytest.mark.parametrize("answer", [NOT_THERE, REFUSED], ids=repr)
async def test_pipelines_that_the_sweep_can_not_list_are_said(corridor: Corridor, answer: Status) -> None:
    await landed(corridor)
    corridor.break_down("arm", answer)
    corridor.cloud.faults[-1].match = lambda request: request.path.lower().endswith("/importpipelines")
    report = await corridor.sweep()
    assert report.problems
    assert set(states(corridor.rows, "ACRT901")) == {"Open"}
    rules = {rule for rules in left_open(corridor).values() for rule in rules}
    assert {"ACRT301", "ACRT505", "ACRT507", "ACRT510"} <= rules
    corridor.heal()
    assert (await corridor.sweep()).problems == []
    assert states(corridor.rows, "ACRT901")[-1] == "Resolved"
    assert corridor.rules.count("ACRT510") == 1
