"""What raises, so that the event comes again, and what becomes a finding instead."""

from __future__ import annotations

from typing import Final

import pytest

from localcloud.service import Fault, FaultAction, Hang, MalformedJson, Reset, Status, Truncate
from shared.azure import arm
from shared.errors import NotStored, TransientError, Unreachable
from tests.corridor.conftest import Corridor, answers_within

# What comes back as an answer of ARM and says nothing about the run.
TRANSIENT: Final[dict[str, FaultAction]] = {
    "429": Status(429, {"Retry-After": "3600"}, '{"error":{"code":"TooManyRequests","message":"slow down"}}'),
    "429-without-a-time": Status(429),
    "408": Status(408),
    "500": Status(500, body='{"error":{"code":"InternalServerError","message":"oops"}}'),
    "502-html": Status(502, {"Content-Type": "text/html"}, "<html>bad gateway</html>"),
    "503": Status(503),
    "504": Status(504),
    "reset": Reset(),
    "malformed": MalformedJson(),
    "no-object": MalformedJson(b"[1, 2]"),
    "empty": MalformedJson(b""),
    "another-resource": MalformedJson(b'{"id": "/subscriptions/1", "name": "x"}'),
    "truncated": Truncate(),
    "redirect": Status(307, {"Location": "https://elsewhere.example/"}),
    "no-content": Status(204),
}


def revoke_reading(corridor: Corridor) -> None:
    """The monitor may read nothing through ARM any more."""
    world = corridor.cloud.world
    world.access.revoke(world.monitor.id, "Reader", f"/subscriptions/{world.subscription_id}")


def grant_reading(corridor: Corridor) -> None:
    """The monitor may read again."""
    world = corridor.cloud.world
    world.access.assign(world.monitor.id, "Reader", f"/subscriptions/{world.subscription_id}")


@pytest.mark.parametrize("name", TRANSIENT)
async def test_a_run_that_cannot_be_had_for_now_raises_and_nothing_is_done(corridor: Corridor, name: str) -> None:
    raw = await corridor.failed_export("transfer01")
    fault = corridor.break_down("arm", TRANSIENT[name], "/pipelineruns/transfer01")
    with pytest.raises(TransientError) as raised:
        await corridor.run_event(raw)
    assert isinstance(raised.value, Unreachable)
    # One more try at most, each of which aiohttp repeats by itself if a connection that it had open breaks.
    assert 1 <= fault.hits <= 4
    assert corridor.rows == []
    assert await corridor.state() == {}
    corridor.heal()
    await corridor.run_event(raw)
    assert corridor.rules == ["ACRT201", "ACRT101"]
    assert len(corridor.alerts) == 1


async def test_one_bad_answer_is_tried_again_at_once(corridor: Corridor) -> None:
    raw = await corridor.failed_export("transfer01")
    corridor.break_down("arm", Status(503), "/pipelineruns/transfer01", times=1)
    await corridor.run_event(raw)
    assert corridor.rules == ["ACRT201", "ACRT101"]


async def test_a_run_that_is_never_answered_raises(corridor: Corridor, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = await corridor.failed_export("transfer01")
    corridor.break_down("arm", Hang(), "/pipelineruns/transfer01")
    answers_within(monkeypatch, 0.3, of=arm.SERVICE)
    with pytest.raises(Unreachable, match=r"no answer within 0\.3 s"):
        await corridor.run_event(raw)
    assert corridor.rows == []
    assert await corridor.state() == {}


NO_TOKEN: Final[dict[str, FaultAction]] = {
    "400": Status(400, body='{"error":"invalid_request","error_description":"Identity not found"}'),
    "403": Status(403, body="{}"),
    "malformed": MalformedJson(),
}


@pytest.mark.parametrize("name", NO_TOKEN)
async def test_no_token_raises_and_blames_nobody_else(corridor: Corridor, name: str) -> None:
    raw = await corridor.failed_export("transfer01")
    corridor.break_down("identity", NO_TOKEN[name])
    with pytest.raises(TransientError, match=r"^Managed identity for https://management\S+: no token"):
        await corridor.run_event(raw)
    assert corridor.rows == []


@pytest.mark.parametrize("audience", ["https://storage.azure.com", "https://monitor.azure.com"])
async def test_no_token_for_a_sink_raises(corridor: Corridor, audience: str) -> None:
    raw = await corridor.failed_export("transfer01")
    corridor.cloud.faults.append(
        Fault("identity", lambda request: request.query.get("resource") == audience, NO_TOKEN["403"])
    )
    with pytest.raises(NotStored, match="Managed identity"):
        await corridor.run_event(raw)
    assert corridor.rows == []
    corridor.heal()
    await corridor.run_event(raw)
    assert corridor.rules == ["ACRT201", "ACRT101"]


async def test_a_run_that_may_not_be_read_is_a_finding_and_the_event_is_done(corridor: Corridor) -> None:
    raw = await corridor.failed_export("transfer01")
    revoke_reading(corridor)
    for _ in range(2):
        await corridor.run_event(raw)
    assert set(corridor.rules) == {"ACRT901"}
    assert len({row["FindingId"] for row in corridor.rows}) == 1
    row = corridor.rows[0]
    assert (row["Outcome"], row["State"], row["Role"]) == ("Unknown", "Open", "Observation")
    assert row["Evidence"]["right"] == "Microsoft.ContainerRegistry/registries/pipelineRuns/read"
    assert row["Evidence"]["target"] == row["RegistryId"]
    assert row["RegistryName"] == "contosohub"
    assert {"ACRT100", "ACRT101"} <= set(row["Evidence"]["rules"])
    assert not corridor.alerts
    # Once the right is there, the sweep finds what the event could not tell.
    grant_reading(corridor)
    await corridor.sweep()
    assert [row["RuleId"] for row in corridor.root_causes()] == ["ACRT201"]


async def test_two_who_may_not_read_the_same_registry_ran_into_one_condition(corridor: Corridor) -> None:
    first, second = await corridor.failed_export("transfer01"), await corridor.export("transfer02")
    revoke_reading(corridor)
    await corridor.run_event(first)
    await corridor.run_event(second)
    assert len({row["FindingKey"] for row in corridor.rows}) == 1
    assert len(await corridor.state("conditions/")) == 1


# --- secondary look-ups -------------------------------------------------------------------------------------

SECONDARY: Final = {
    "vaults": ("arm", ("/microsoft.keyvault/vaults",), "ACRT202", "read"),
    "storage accounts": ("arm", ("/microsoft.storage/storageaccounts",), "ACRT405", "read"),
}


@pytest.mark.parametrize("name", SECONDARY)
async def test_a_secondary_look_up_that_fails_leaves_the_rest_standing(corridor: Corridor, name: str) -> None:
    raw = await corridor.failed_export("transfer01")
    service, path, rule, right = SECONDARY[name]
    corridor.break_down(service, Status(503, body='{"error":{"code":"ServerBusy","message":"x"}}'), *path)
    await corridor.run_event(raw)
    # The message itself names the cause; what could not be looked at is said beside it.
    assert [row["RuleId"] for row in corridor.root_causes()] == ["ACRT201"]
    missing = corridor.row("ACRT901")
    assert missing["Outcome"] == "Unknown"
    assert rule in missing["Evidence"]["rules"]
    assert rule in missing["Summary"] + missing["Recommendation"]
    assert missing["Evidence"]["right"] == right
    assert missing["Evidence"]["passing"] is True
    assert "503" in missing["Evidence"]["reason"]
    assert rule not in corridor.row("ACRT201")["Evidence"]["passed"], "what was not looked at is never well"
    assert rule in corridor.row("ACRT201")["Evidence"]["notChecked"]
    assert await corridor.run_states() == ["open"]
    await corridor.sweep()
    assert await corridor.run_states() == ["open"], "still out"
    corridor.heal()
    seen = len(corridor.rows)
    await corridor.sweep()
    assert await corridor.run_states() == ["done"]
    again = corridor.rows[seen:]
    assert [row["RuleId"] for row in again if row["Role"] == "RootCause"] == ["ACRT201"]
    assert "ACRT901" not in [row["RuleId"] for row in again if row["State"] == "Open"]
    assert len({row["FindingId"] for row in corridor.root_causes()}) == 1, "event and sweep give the same"
    assert len([alert for alert in corridor.alerts if alert["data"]["RuleId"] == "ACRT201"]) == 1


async def test_a_pipeline_that_cannot_be_had_leaves_the_message_to_name_the_cause(corridor: Corridor) -> None:
    raw = await corridor.failed_export("transfer01")
    corridor.break_down("arm", Status(500), "/exportpipelines/exportpipe")
    await corridor.run_event(raw)
    [cause] = corridor.root_causes()
    assert (cause["RuleId"], cause["Confidence"]) == ("ACRT201", "Likely")
    assert cause["PipelineName"] == "exportpipe"
    assert await corridor.run_states() == ["open"]
    corridor.heal()
    await corridor.sweep()
    assert await corridor.run_states() == ["done"]
    assert corridor.root_causes()[-1]["Confidence"] == "Confirmed"


@pytest.mark.parametrize("pattern", ["Microsoft.KeyVault", "Microsoft.Storage"])
async def test_a_right_that_is_missing_is_named(corridor: Corridor, pattern: str) -> None:
    world = corridor.cloud.world
    raw = await corridor.failed_export("transfer01")
    # Reader on the registries alone: vaults and accounts of the subscription are not seen.
    revoke_reading(corridor)
    for registry in world.registries.values():
        world.access.assign(world.monitor.id, "Reader", registry.id)
    await corridor.run_event(raw)
    assert [row["RuleId"] for row in corridor.root_causes()] == ["ACRT201"]
    missing = [row for row in corridor.rows if row["RuleId"] == "ACRT901"]
    [row] = [row for row in missing if pattern.lower() in row["Evidence"]["right"].lower()]
    assert row["Evidence"]["rules"]
    assert row["Evidence"]["passing"] is False
    assert ("KEY_VAULTS" if "KeyVault" in pattern else "STORAGE_ACCOUNTS") in row["Evidence"]["reason"]
    assert not [alert for alert in corridor.alerts if alert["data"]["RuleId"] == "ACRT901"]


async def test_a_vault_that_is_gone_is_no_trouble_of_the_monitor(corridor: Corridor) -> None:
    corridor.cloud.world.delete_vault(corridor.scenario.vault)
    raw = await corridor.export("transfer01")
    await corridor.run_event(raw)
    [cause] = corridor.root_causes()
    assert cause["RuleId"] == "ACRT207"
    assert "ACRT901" not in corridor.rules
    assert await corridor.run_states() == ["done"]


async def test_a_name_of_azure_itself_that_does_not_resolve_is_transient(corridor: Corridor) -> None:
    raw = await corridor.failed_export("transfer01")
    corridor.cloud.world.unresolvable.add("management.azure.com")
    with pytest.raises(TransientError):
        await corridor.run_event(raw)
    corridor.cloud.world.unresolvable = {corridor.cloud.world.ingestion_host}
    # The connections that are open already do not ask for names again.
    with pytest.raises(NotStored):
        await corridor.run_event(raw, await corridor.another())
    corridor.cloud.world.unresolvable.clear()
    assert corridor.rows == []


# --- a response without times -------------------------------------------------------------------------------


async def test_what_was_read_before_a_failure_without_a_time_is_read_again(corridor: Corridor) -> None:
    await corridor.sweep()
    # The sweep has just seen the grant, and its answer is kept.
    raw = await corridor.failed_export("failing01")
    response = corridor.scenario.source.runs["failing01"].response
    response["pipelineRunErrorMessage"] = ""
    del response["finishTime"]
    await corridor.run_event(raw)
    [cause] = corridor.root_causes()
    assert cause["RuleId"] == "ACRT201"
    assert "ACRT201" not in cause["Evidence"].get("passed", [])


@pytest.mark.parametrize("by", ["event", "sweep"])
@pytest.mark.parametrize("missing", [["startTime"], ["startTime", "finishTime"]])
async def test_a_new_start_that_fails_without_times_is_not_taken_for_the_success_before(
    corridor: Corridor, by: str, missing: list[str]
) -> None:
    await corridor.run_event(await corridor.export("nightly01", "hello-world", force_update_tag="1"))
    assert corridor.rules == ["ACRT100"]
    raw = await corridor.export("nightly01", "no/such:1.0", force_update_tag="2")
    for name in missing:
        del corridor.scenario.source.runs["nightly01"].response[name]
    await (corridor.run_event(raw) if by == "event" else corridor.sweep())
    assert [row["RuleId"] for row in corridor.root_causes()] == ["ACRT601"]
    assert [alert["data"]["RuleId"] for alert in corridor.alerts] == ["ACRT601"]
    rows = len(corridor.rows)
    await corridor.run_event(raw)
    await corridor.sweep()
    assert len(corridor.rows) == rows, "and it is told once"
