"""Why a write was rejected: what the log says, in all the forms in which it says it, and nothing about who wrote."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from localcloud import LocalCloud
from localcloud.run_helpers import WriteRejectedError
from localcloud.scenario import Scenario, transfer_between
from localcloud.service import Origin
from shared.azure.activity_log import READ_RIGHT, can_be_looked_up, read_status_message
from shared.azure.readers import Azure
from shared.errors import AccessDenied
from shared.rules.monitor import role_for

DENIED = "does not have authorization to perform action 'x' over scope 'y' or the scope is invalid."


@pytest.fixture
async def scenario(cloud: LocalCloud) -> Scenario:
    scenario = await transfer_between(cloud)
    world = cloud.world
    world.access.revoke(world.operator.id, "Container Registry Transfer Pipeline Contributor")
    return scenario


async def rejected(scenario: Scenario, run: str = "export01", deployment: str | None = None) -> WriteRejectedError:
    with pytest.raises(WriteRejectedError) as refusal:
        await scenario.cloud.put_run(
            scenario.source,
            run,
            scenario.export_pipeline,
            artifacts=["hello-world"],
            blob="a.tar",
            deployment=deployment,
        )
    return refusal.value


async def test_the_log_tells_what_arm_answered(azure: Azure, scenario: Scenario) -> None:
    refusal = await rejected(scenario, deployment="nightly")
    world, now = scenario.cloud.world, datetime.now(UTC)
    await rejected(scenario, "export02")
    run_id = f"{scenario.source.id}/pipelineRuns/export01"
    failure = await azure.activity_log.failure(world.subscription_id, refusal.correlation_id, run_id, now)
    assert failure is not None
    assert (failure.code, failure.own) == ("AuthorizationFailed", True)
    assert "does not have authorization to perform action" in failure.text
    assert "export01" in failure.text
    assert not any(personal in str(failure) for personal in world.personal_data)
    # The deployment's own entry tells it too, as long as the other is not there yet.
    world.activity = [entry for entry in world.activity if "deployments" in entry.resource_id.lower()]
    failure = await azure.activity_log.failure(world.subscription_id, refusal.correlation_id, run_id, now)
    assert failure is not None
    assert not failure.own
    assert "AuthorizationFailed" in failure.text


async def test_only_what_is_needed_is_asked_for(azure: Azure, scenario: Scenario) -> None:
    refusal = await rejected(scenario)
    world = scenario.cloud.world
    since = datetime.now(UTC)
    await azure.activity_log.failure(world.subscription_id, refusal.correlation_id, "/any", since)
    [asked] = [r for r in scenario.cloud.requests if "eventtypes" in r.path and r.origin is Origin.MONITOR]
    assert asked.query["api-version"] == "2015-04-01"
    assert asked.query["$filter"].endswith(f"correlationId eq '{refusal.correlation_id}'")
    selected = asked.query["$select"].split(",")
    assert not {"caller", "claims", "httpRequest", "authorization"} & set(selected)


async def test_a_log_that_is_late_says_nothing_yet(azure: Azure, scenario: Scenario) -> None:
    scenario.cloud.world.behaviour.activity_log_delay = timedelta(minutes=5)
    refusal = await rejected(scenario)
    subscription, now = scenario.cloud.world.subscription_id, datetime.now(UTC)
    assert await azure.activity_log.failure(subscription, refusal.correlation_id, "/any", now) is None
    assert await azure.activity_log.failure(subscription, "another", "/any", now) is None


async def test_a_missing_right_is_named(azure: Azure, scenario: Scenario) -> None:
    world = scenario.cloud.world
    refusal = await rejected(scenario)
    stranger = world.add_subscription("elsewhere")
    with pytest.raises(AccessDenied):
        await azure.activity_log.failure(stranger, refusal.correlation_id, "/any", datetime.now(UTC))
    role = role_for(READ_RIGHT)
    assert role is not None
    assert role.name == "Reader"


@pytest.mark.parametrize(
    ("raw", "code", "text"),
    [
        ({"error": {"code": "AuthorizationFailed", "message": DENIED}}, "AuthorizationFailed", DENIED),
        ({"code": "InvalidRequest", "message": "artifacts cannot be null"}, "InvalidRequest", "artifacts cannot"),
        ({"Code": "InvalidRequest", "Message": "older spelling"}, "InvalidRequest", "older spelling"),
        (
            {
                "status": "Failed",
                "error": {
                    "code": "DeploymentFailed",
                    "message": "At least one resource deployment operation failed.",
                    "details": [
                        {
                            "code": "Conflict",
                            "message": json.dumps({"error": {"code": "ExportPolicyDisabled", "message": "no exports"}}),
                        }
                    ],
                },
            },
            "Conflict",
            "ExportPolicyDisabled: no exports",
        ),
        (
            {"error": {"code": "DeploymentFailed", "message": "m", "details": f"AuthorizationFailed: {DENIED}"}},
            "DeploymentFailed",
            DENIED,
        ),
        ("a plain sentence", "", "a plain sentence"),
        ("{broken", "", "{broken"),
        ({"error": "only words"}, "", "only words"),
    ],
)
def test_every_form_of_a_status_message_is_read(raw: Any, code: str, text: str) -> None:
    said = read_status_message(raw if isinstance(raw, str) else json.dumps(raw))
    assert said is not None
    assert said[0] == code
    assert text in said[1]


@pytest.mark.parametrize("raw", [None, "", " ", 7, "{}", "[]", "null", json.dumps({"error": {}}), "[" * 5_000])
def test_what_says_nothing_is_nothing_or_harmless(raw: object) -> None:
    said = read_status_message(raw)
    assert said is None or said[1]


def test_secrets_and_names_stay_out_of_the_text() -> None:
    message = (
        "The client 'dana@contoso.example' with object id '11111111-2222-3333-4444-555555555555' may not, "
        "see https://x.blob.core.windows.net/c?sv=1&sig=c2VjcmV0"
    )
    said = read_status_message(json.dumps({"error": {"code": "AuthorizationFailed", "message": message}}))
    assert said is not None
    assert "dana" not in said[1]
    assert "c2VjcmV0" not in said[1]
    assert "object id '11111111-2222-3333-4444-555555555555'" in said[1]
    deep: Any = "end"
    for _ in range(50):
        deep = {"error": {"code": "c", "details": [deep]}}
    assert read_status_message(json.dumps(deep)) == ("c", "c")


@pytest.mark.parametrize(
    ("correlation_id", "allowed"),
    [("5a5a5a5a-0000-4000-8000-000000000001", True), ("", False), ("x' or 1 eq 1", False), ("a" * 65, False)],
)
def test_what_an_event_says_is_no_filter(correlation_id: str, allowed: bool) -> None:
    assert can_be_looked_up(correlation_id) is allowed
