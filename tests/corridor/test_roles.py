"""Custom roles are rewritten in place: what was read before a run ended says nothing about why it failed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import pytest

from localcloud.scenario import CONTAINER, Scenario, transfer_between
from localcloud.world import MessageStyle
from localcloud.world.access import RoleDefinition
from shared.evidence.lookups import Lookups
from shared.monitor import Monitor
from shared.records.access import Grant
from tests.corridor.conftest import Corridor
from tests.corridor.time_travel import reads

_BLOBS: Final = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
READ: Final = f"{_BLOBS}/read"
ALL: Final = (READ, f"{_BLOBS}/write", f"{_BLOBS}/add/action")


async def with_custom_role(corridor: Corridor, *actions: str) -> tuple[Scenario, Monitor, RoleDefinition]:
    """Pipelines with identities, of which the exporting one has a custom role and no other."""
    world = corridor.cloud.world
    world.behaviour.message_style = MessageStyle.BARE
    scenario = await transfer_between(
        corridor.cloud,
        source="fabrikamhub",
        target="fabrikamedge",
        accounts=("pool1storage", "pool2storage"),
        vault="fabrikamvault",
        mode="ManagedIdentity",
    )
    identity = scenario.export_pipeline.identity
    assert identity is not None
    world.access.assignments = [a for a in world.access.assignments if a.principal_id != identity.id]
    role = RoleDefinition("Transfer Blobs", "5b9c0f57-6b0a-4c06-9f2f-2a0fd8ed0aa1", data_actions=actions, custom=True)
    world.access.assign(identity.id, role, scenario.export_account.id)
    monitor = await corridor.another(MONITORED_REGISTRIES=f"{scenario.source.id},{scenario.target.id}")
    return scenario, monitor, role


async def cause_of(corridor: Corridor, scenario: Scenario, monitor: Monitor, run: str) -> str:
    """What is said to have let an export fail."""
    await corridor.cloud.put_run(
        scenario.source, run, scenario.export_pipeline, artifacts=["hello-world"], blob=f"{run}.tar"
    )
    await corridor.run_event(corridor.told(run), monitor)
    [cause] = [row["RuleId"] for row in corridor.root_causes() if row["RunName"] == run]
    return str(cause)


async def test_a_custom_role_that_was_repaired_is_not_the_cause_of_the_next_failure(corridor: Corridor) -> None:
    scenario, monitor, role = await with_custom_role(corridor, READ)
    assert await cause_of(corridor, scenario, monitor, "first") == "ACRT351"
    role.data_actions = ALL
    corridor.cloud.world.close_firewall(scenario.export_account)
    corridor.cloud.world.allow_monitor(scenario.export_account)
    assert await cause_of(corridor, scenario, monitor, "second") == "ACRT405"
    assert not [row for row in corridor.rows if row["RunName"] == "second" and row["RuleId"] == "ACRT351"]


async def test_a_custom_role_that_was_narrowed_is_the_cause_of_the_next_failure(corridor: Corridor) -> None:
    scenario, monitor, role = await with_custom_role(corridor, *ALL)
    corridor.cloud.world.close_firewall(scenario.export_account)
    corridor.cloud.world.allow_monitor(scenario.export_account)
    assert await cause_of(corridor, scenario, monitor, "first") == "ACRT405"
    role.data_actions = (READ,)
    corridor.cloud.world.open_firewall(scenario.export_account)
    assert await cause_of(corridor, scenario, monitor, "second") == "ACRT351"


@pytest.fixture
def lookups(corridor: Corridor) -> Lookups:
    return corridor.monitor.gatherer.lookups


def definitions_read(corridor: Corridor) -> list[str]:
    """The paths of the role definitions that were asked for."""
    return [path for path in reads(corridor) if "/roledefinitions/" in path.lower()]


def allowed(grants: object) -> bool:
    """Whether blobs may be read."""
    assert isinstance(grants, tuple)
    return any(isinstance(grant, Grant) and grant.allows(READ) for grant in grants)


async def test_one_definition_serves_all_who_hold_the_role(corridor: Corridor, lookups: Lookups) -> None:
    world, account = corridor.cloud.world, corridor.scenario.export_account
    role = RoleDefinition("Transfer Blobs", "5b9c0f57-6b0a-4c06-9f2f-2a0fd8ed0aa1", data_actions=ALL, custom=True)
    scopes = (account.id, account.container_id(CONTAINER))
    principals = ("11111111-0000-4000-8000-000000000001", "11111111-0000-4000-8000-000000000002")
    for principal in principals:
        for scope in scopes:
            world.access.assign(principal, role, scope)
    after = datetime.now(UTC)
    for _ in range(2):
        for scope in scopes:
            assert allowed(await lookups.grants(scope, principals, after))
    assert len(definitions_read(corridor)) == 1


async def test_a_fresh_list_of_assignments_makes_no_old_definition_young(corridor: Corridor, lookups: Lookups) -> None:
    world, account = corridor.cloud.world, corridor.scenario.export_account
    role = RoleDefinition("Transfer Blobs", "5b9c0f57-6b0a-4c06-9f2f-2a0fd8ed0aa1", data_actions=ALL, custom=True)
    principal = ("11111111-0000-4000-8000-000000000001",)
    above, below = account.id, account.container_id(CONTAINER)
    world.access.assign(principal[0], role, above)
    assert allowed(await lookups.grants(above, principal))
    role.data_actions = ()
    changed = datetime.now(UTC)
    # Read after the change, while what the role allows is known from before it, which is good enough for this look.
    assert allowed(await lookups.grants(below, principal))
    assert not allowed(await lookups.grants(below, principal, changed))
    assert len(definitions_read(corridor)) == 2
