"""The roles of ``infra/roles.bicep``, given in the local cloud as the template gives them: enough, and none too many.

The local cloud judges each request by actions and scopes as Azure RBAC does. So this holds the template against
what the code really asks for, not against a list of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from localcloud import LocalCloud
from localcloud.ingestion import LogsIngestion
from localcloud.run_helpers import WriteRejectedError
from localcloud.scenario import CONTAINER, Scenario, transfer_between
from localcloud.topic import AlertTopic
from localcloud.world import AccessMode, RoleDefinition
from shared import runtime
from shared.errors import MonitorError
from shared.events import read_event
from shared.monitor import Monitor
from shared.settings import read_settings
from shared.sweep import Sweep
from tests.infra.planning import Planned, Scope, plan, role_of

ROLES: Final = Path(__file__).parents[2] / "infra" / "roles.bicep"
CONTRIBUTOR: Final = "Container Registry Transfer Pipeline Contributor"
OWN_PLACES: Final = {"Monitoring Metrics Publisher", "EventGrid Data Sender", "Storage Blob Data Contributor"}
Seen = frozenset[tuple[str, str, str]]


@dataclass
class World:
    """Transfers of both kinds: tokens in a vault that uses roles, and managed identities."""

    cloud: LocalCloud
    ingestion: LogsIngestion
    by_token: Scenario
    by_identity: Scenario

    def lists(self) -> dict[str, list[str]]:
        """The lists of resource ids that whoever deploys the roles gives."""
        scenarios = (self.by_token, self.by_identity)
        accounts = [account for s in scenarios for account in (s.export_account, s.import_account)]
        return {
            "registryIds": [registry.id for s in scenarios for registry in (s.source, s.target)],
            "containerIds": [f"{account.id}/blobServices/default/containers/{CONTAINER}" for account in accounts],
            "vaultIds": [s.vault.id for s in scenarios],
        }


@pytest.fixture
async def world(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> World:
    ingestion, topic = LogsIngestion.for_world(cloud.world), AlertTopic.for_world(cloud.world)
    cloud.add_service(ingestion)
    cloud.add_service(topic)
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, cloud.environment[name])
    by_token = await transfer_between(cloud, rbac_vault=True)
    by_identity = await transfer_between(
        cloud,
        source="contosowest",
        target="contosoeast",
        accounts=("pool1storage", "pool2storage"),
        vault="contosowestvault",
        mode=AccessMode.MANAGED_IDENTITY,
    )
    return World(cloud, ingestion, by_token, by_identity)


def give(world: World, planned: Sequence[Planned], *, without: str = "") -> None:
    """Takes from the monitor all that it may read, and gives it what was planned; ``without`` leaves an action out."""
    access, monitor = world.cloud.world.access, world.cloud.world.monitor
    access.assignments = [a for a in access.assignments if a.principal_id != monitor.id or a.role.name in OWN_PLACES]
    custom = {
        definition.name: RoleDefinition(
            definition.body["properties"]["roleName"],
            definition.name,
            tuple(action for action in permissions["actions"] if action != without),
            tuple(permissions["notActions"]),
            tuple(permissions["dataActions"]),
            tuple(permissions["notDataActions"]),
            custom=True,
        )
        for definition in planned
        if definition.type.endswith("/roleDefinitions")
        for permissions in definition.body["properties"]["permissions"]
    }
    for assignment in planned:
        if assignment.type.endswith("/roleAssignments"):
            role = role_of(assignment)
            properties = assignment.body["properties"]
            access.assign(properties["principalId"], custom.get(role, role), assignment.scope)


def planned_for(world: World, **parameters: Any) -> list[Planned]:
    principal = world.cloud.world.monitor.id
    return plan(
        ROLES, {"principalId": principal, **world.lists(), **parameters}, Scope(world.cloud.world.subscription_id)
    )


@asynccontextmanager
async def monitoring(world: World, **settings: str) -> AsyncIterator[Monitor]:
    runtime.use_sessions(world.cloud.client_session)
    try:
        monitor = runtime.make_monitor(read_settings({**world.cloud.environment, **settings}))
    finally:
        runtime.use_sessions(None)
    try:
        yield monitor
    finally:
        await monitor.close()


async def a_day(world: World, **settings: str) -> Seen:
    """Runs that fail, a rejected write, blobs, pipelines and a sweep: what was found, and what could not be."""
    cloud = world.cloud
    for scenario in (world.by_token, world.by_identity):
        name = scenario.source.name
        await cloud.put_run(
            scenario.source, f"{name}good", scenario.export_pipeline, artifacts=["hello-world"], blob="a.tar"
        )
        await cloud.put_run(
            scenario.source, f"{name}bad", scenario.export_pipeline, artifacts=["not-there:1"], blob="b.tar"
        )
        await scenario.carry_over("a.tar", metadata={})
    cloud.world.access.revoke(cloud.world.operator.id, CONTRIBUTOR)
    with pytest.raises(WriteRejectedError):
        await cloud.put_run(
            world.by_token.source, "refused", world.by_token.export_pipeline, artifacts=["x"], blob="c.tar"
        )
    troubles = set()
    async with monitoring(world, **settings) as monitor:
        for scenario in (world.by_token, world.by_identity):
            name = scenario.source.name
            for run in (f"{name}good", f"{name}bad"):
                try:
                    await monitor.run_event(read_event(_told(cloud, run)))
                except MonitorError as error:
                    troubles.add(("raised", type(error).__name__, ""))
        await monitor.run_event(read_event(_told(cloud, "refused")))
        report = await Sweep(monitor).run()
    rows = [row for row in world.ingestion.rows if row["RuleId"] != "ACRT903"]
    found = {(row["RuleId"], row["Outcome"], row["State"]) for row in rows}
    left_open = {
        ("left open", rule, "") for row in rows if row["RuleId"] == "ACRT901" for rule in row["Evidence"]["rules"]
    }
    return frozenset(found | left_open | troubles | {("problem", problem, "") for problem in report.problems})


def _told(cloud: LocalCloud, run: str) -> dict[str, Any]:
    about = [event for event in cloud.events if event.subject.lower().endswith(f"/pipelineruns/{run}")]
    return about[-1].in_schema("EventGridSchema")


# What the day has in it, seen with every right: nothing in it is ACRT901.
EVERYTHING: Final = frozenset(
    {
        ("ACRT100", "Pass", "Info"),
        ("ACRT101", "Fail", "Open"),
        ("ACRT110", "Fail", "Open"),
        ("ACRT110", "Fail", "Resolved"),
        ("ACRT111", "Fail", "Open"),
        ("ACRT506", "Fail", "Open"),
        ("ACRT601", "Fail", "Open"),
        ("ACRT701", "Fail", "Open"),
    }
)


@pytest.mark.parametrize("custom", [True, False])
async def test_the_roles_leave_nothing_open(world: World, custom: bool) -> None:
    give(world, planned_for(world, customRoles=custom))
    assert await a_day(world) == EVERYTHING


async def test_a_whole_subscription_is_covered(world: World) -> None:
    subscription = f"/subscriptions/{world.cloud.world.subscription_id}"
    give(world, planned_for(world, registryIds=[subscription]))
    assert await a_day(world, MONITORED_REGISTRIES=subscription) == EVERYTHING


async def test_repository_permissions_are_enough_where_only_they_count(world: World) -> None:
    registries = [world.by_token.source, world.by_identity.source]
    for registry in registries:
        world.cloud.world.use_repository_permissions(registry, monitored=False)
    give(world, planned_for(world, repositoryPermissionRegistryIds=[registry.id for registry in registries]))
    assert await a_day(world) == EVERYTHING


async def test_what_is_left_out_by_choice_is_said(world: World) -> None:
    give(world, planned_for(world, readBlobs=False, readArtifacts=False))
    seen = await a_day(world)
    assert ("ACRT901", "Unknown", "Open") in seen
    assert {("left open", rule, "") for rule in ("ACRT506", "ACRT604")} <= seen, sorted(seen)


async def test_secrets_are_read_only_where_the_setting_asks_for_it(world: World) -> None:
    secrets = [f"{world.by_token.vault.id}/secrets/{name}" for name in ("exportsas", "importsas")]
    planned = planned_for(world, secretIds=secrets)
    assert not [one for one in planned if one.scope.rpartition("/secrets/")[1]]
    give(world, planned)
    assert ("ACRT901", "Unknown", "Open") in await a_day(world, SAS_INSPECTION="value")
    planned = planned_for(world, secretIds=secrets, sasInspection="value")
    assert sorted(one.scope.lower() for one in planned if "/secrets/" in one.scope) == sorted(map(str.lower, secrets))


async def test_with_the_right_on_single_secrets_the_tokens_are_judged(world: World) -> None:
    secrets = [f"{world.by_token.vault.id}/secrets/{name}" for name in ("exportsas", "importsas")]
    give(world, planned_for(world, secretIds=secrets, sasInspection="value"))
    assert await a_day(world, SAS_INSPECTION="value") == EVERYTHING


def actions() -> list[str]:
    return [
        action
        for definition in plan(ROLES, {"principalId": "p", "registryIds": []}, Scope("s"))
        if definition.type.endswith("/roleDefinitions")
        for permissions in definition.body["properties"]["permissions"]
        for action in permissions["actions"]
    ]


# Storage Blob Data Reader holds this one too: it counts where blobs are left out.
@pytest.mark.parametrize(
    "action", sorted(set(actions()) - {"Microsoft.Storage/storageAccounts/blobServices/containers/read"})
)
async def test_each_action_is_needed(world: World, action: str) -> None:
    give(world, planned_for(world), without=action)
    seen = await a_day(world)
    assert seen != EVERYTHING, f"nothing is missed without {action}"
    # The activity log is the exception: without the right it answers, and is empty.
    said = {entry[0] for entry in seen} & {"ACRT901", "problem", "raised"}
    assert said or action == "Microsoft.Insights/eventtypes/values/read"


@pytest.mark.parametrize("given", [True, False])
async def test_containers_are_read_where_blobs_are_not(world: World, given: bool) -> None:
    action = "Microsoft.Storage/storageAccounts/blobServices/containers/read"
    give(world, planned_for(world, readBlobs=False), without="" if given else action)
    assert (("left open", "ACRT401", "") in await a_day(world)) != given
