"""The doctor: every setting, right and path of the monitor itself, looked at one by one."""

from __future__ import annotations

import contextlib
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acrtm.doctor.given_settings import examine_settings, settings_in
from acrtm.exits import WrongUsage
from localcloud.az import CommandRunner
from localcloud.ingestion import LogsIngestion
from localcloud.service import Fault, Origin, Reset, Status
from localcloud.topic import AlertTopic
from localcloud.world import RoleDefinition
from localcloud.world.world import STATE_ACCOUNT
from shared.settings import setting_names
from tests.acrtm.conftest import CommandLine, Ended


@pytest.fixture
def ingestion(acrtm: CommandLine) -> LogsIngestion:
    service = LogsIngestion.for_world(acrtm.cloud.world)
    acrtm.cloud.add_service(service)
    return service


@pytest.fixture
def topic(acrtm: CommandLine) -> AlertTopic:
    service = AlertTopic.for_world(acrtm.cloud.world)
    acrtm.cloud.add_service(service)
    return service


def endings(ended: Ended) -> dict[str, str]:
    return {f"{check['area']}: {check['name']}": check["ending"] for check in ended.document["checks"]}


def named(ended: Ended, words: str) -> dict[str, Any]:
    found = [c for c in ended.document["checks"] if f"{c['area']}: {c['name']}".startswith(words)]
    return found[0]  # type: ignore[no-any-return]


def wrong(ended: Ended) -> list[dict[str, Any]]:
    return [check for check in ended.document["checks"] if check["ending"] == "wrong"]


async def test_a_deployment_that_is_well(acrtm: CommandLine, ingestion: LogsIngestion, topic: AlertTopic) -> None:
    principal = acrtm.cloud.world.monitor.id
    ended = await acrtm("doctor", "--identity", principal, "--output", "json")
    assert wrong(ended) == []
    assert ended.code == 0
    found = endings(ended)
    assert found["Pipelines: exportpipe"] == found["Pipelines: importpipe"] == "well"
    assert found["Registries: contosohub"] == found["Registries: contosoedge"] == "well"
    assert [name for name, ending in found.items() if name.startswith("State: ") and ending == "well"]
    # Nothing is sent that nobody has asked for, and what was not tried is not called well.
    # Nothing was written in the registries yet, so the activity log shows nothing either way.
    assert {name.split(":")[0] for name, ending in found.items() if ending == "left out"} == {
        *("Findings", "Alerts", "Roles of the app", "Registries"),
    }
    assert ingestion.rows == []
    assert topic.published == []


async def test_a_test_finding_and_a_test_alert_on_request(
    acrtm: CommandLine, ingestion: LogsIngestion, topic: AlertTopic
) -> None:
    ended = await acrtm("doctor", "--send-test")
    assert ended.code == 0
    [row] = ingestion.rows
    assert (row["RuleId"], row["State"], row["Severity"]) == ("ACRT904", "Info", "Info")
    assert "test" in row["Summary"]
    kinds = [event["type"] for event in topic.published]
    assert kinds == ["AcrTransfer.Finding.Opened", "AcrTransfer.Finding.Resolved"]
    assert len({event["id"] for event in topic.published}) == 2
    assert row["FindingId"] in ended.out


async def test_every_missing_role_is_named_with_the_command_that_grants_it(
    acrtm: CommandLine, ingestion: LogsIngestion, topic: AlertTopic
) -> None:
    world = acrtm.cloud.world
    world.access.assignments.clear()
    ended = await acrtm("doctor", "--send-test", "--output", "json")
    assert ended.code == 3
    commands = " ".join(check["command"] for check in wrong(ended))
    for role in (
        "Reader",
        "'Storage Blob Data Contributor'",
        "'Monitoring Metrics Publisher'",
        "'EventGrid Data Sender'",
    ):
        assert f"--role {role}" in commands, role
    granting = [check for check in wrong(ended) if check["command"].startswith("az role assignment create")]
    assert all("RoleAssignmentExists" in check["remedy"] for check in granting)
    assert world.monitor.client_id in commands
    assert "PLACEHOLDER" not in commands
    assert "\0" not in commands
    told = await acrtm("doctor")
    assert "What to do" in told.out
    assert "az role assignment create" in told.out


async def test_roles_of_the_apps_identity_are_examined_from_anywhere(acrtm: CommandLine) -> None:
    world = acrtm.cloud.world
    world.access.revoke(world.monitor.id, "Storage Blob Data Reader", world.account("contosoexport").id)
    ended = await acrtm("doctor", "--identity", world.monitor.id, "--output", "json")
    lacking = named(ended, "Roles of the app: Storage Blob Data Reader on transfer")
    assert lacking["ending"] == "wrong"
    assert f"--assignee-object-id {world.monitor.id}" in lacking["command"]
    assert ended.code == 3


LOG_RIGHT = "Microsoft.Insights/eventtypes/values/read"
ALL_BUT_THE_LOG = RoleDefinition("All but the log", str(uuid.uuid4()), ("*/read",), (LOG_RIGHT,), custom=True)


@pytest.mark.parametrize("with_the_right", [True, False])
@pytest.mark.parametrize("in_use", [True, False])
async def test_an_empty_activity_log_is_not_called_well(acrtm: CommandLine, with_the_right: bool, in_use: bool) -> None:
    world = acrtm.cloud.world
    if not with_the_right:
        world.access.revoke(world.monitor.id, "Reader")
        world.access.assign(world.monitor.id, ALL_BUT_THE_LOG, f"/subscriptions/{world.subscription_id}")
    if in_use:
        await acrtm.succeeds()
    ended = await acrtm("doctor", "--output", "json")
    log = named(ended, "Registries: Activity log of ")
    assert log["ending"] == ("well" if with_the_right and in_use else "left out")
    assert ("--identity" in log["words"]) == (log["ending"] != "well")
    assert wrong(ended) == []


async def test_writes_of_others_do_not_show_that_the_log_can_be_read(acrtm: CommandLine) -> None:
    await acrtm.succeeds()
    acrtm.environment.setenv("MONITORED_REGISTRIES", acrtm.scenario.target.id)
    ended = await acrtm("doctor", "--output", "json")
    assert named(ended, "Registries: Activity log of ")["ending"] == "left out"


@pytest.mark.parametrize("granted_below", [True, False])
async def test_the_right_on_the_activity_log_is_examined_and_given_by_the_command(
    acrtm: CommandLine, granted_below: bool
) -> None:
    world, registry = acrtm.cloud.world, acrtm.scenario.source
    world.access.revoke(world.monitor.id, "Reader")
    world.access.assign(world.monitor.id, ALL_BUT_THE_LOG, f"/subscriptions/{world.subscription_id}")
    if granted_below:
        # The log shows this registry's writes then, but not those of deployments, nor of the other registry.
        world.access.assign(world.monitor.id, "Reader", registry.id)
    await acrtm.succeeds()
    ended = await acrtm("doctor", "--identity", world.monitor.id, "--output", "json")
    lacking = named(ended, f"Roles of the app: Reader on subscription {world.subscription_id}")
    assert lacking["ending"] == "wrong"
    assert lacking["words"] == f"the identity lacks {LOG_RIGHT}"
    assert "RoleAssignmentExists" in lacking["remedy"]
    assert ended.code == 3
    async with CommandRunner(acrtm.cloud) as shell:
        granted = await shell.run(lacking["command"])
    assert granted.exit_code == 0, granted.stderr
    ended = await acrtm("doctor", "--identity", world.monitor.id, "--output", "json")
    assert named(ended, "Roles of the app: Reader on subscription ")["ending"] == "well"
    assert named(ended, "Registries: Activity log of ")["ending"] == "well"
    assert ended.code == 0


async def test_the_apps_identity_can_examine_itself_with_no_more_than_its_roles(acrtm: CommandLine) -> None:
    """Assignments on the subscription are read at a registry: nothing lets it list them on the subscription."""
    world, scenario = acrtm.cloud.world, acrtm.scenario
    world.access.revoke(world.monitor.id, "Reader")
    actions = (LOG_RIGHT, "Microsoft.Authorization/roleDefinitions/read")
    of_the_subscription = RoleDefinition("Of the subscription", str(uuid.uuid4()), actions, custom=True)
    world.access.assign(world.monitor.id, of_the_subscription, f"/subscriptions/{world.subscription_id}")
    for one in (scenario.source, scenario.target, scenario.export_account, scenario.import_account, scenario.vault):
        world.access.assign(world.monitor.id, "Reader", one.id)
    world.access.assign(world.monitor.id, "Reader", world.account(STATE_ACCOUNT).id)
    ended = await acrtm("doctor", "--identity", world.monitor.id, "--output", "json")
    assert named(ended, "Roles of the app: Reader on subscription ")["ending"] == "well"
    assert ended.code == 0


async def test_where_roles_decide_their_definitions_are_read_in_the_vaults_subscription(acrtm: CommandLine) -> None:
    world, vault = acrtm.cloud.world, acrtm.scenario.vault
    vault.rbac, vault.subscription_id = True, world.add_subscription("Contoso Security")
    vault.id = world.resource_id("Microsoft.KeyVault/vaults", vault.name, vault.resource_group, vault.subscription_id)
    world.access.assign(world.monitor.id, "Reader", f"/subscriptions/{vault.subscription_id}")
    acrtm.environment.setenv("KEY_VAULTS", vault.id)
    app = str(uuid.uuid4())
    world.access.assign(app, "Reader", vault.id)
    place = f"Roles of the app: Reader on subscription {vault.subscription_id}"
    lacking = named(await acrtm("doctor", "--identity", app, "--output", "json"), place)
    assert lacking["ending"] == "wrong"
    assert lacking["words"] == "the identity lacks Microsoft.Authorization/roleDefinitions/read"
    async with CommandRunner(acrtm.cloud) as shell:
        assert (await shell.run(lacking["command"])).exit_code == 0
    assert named(await acrtm("doctor", "--identity", app, "--output", "json"), place)["ending"] == "well"


async def test_the_right_on_a_queue_is_examined_where_the_templates_put_it(acrtm: CommandLine) -> None:
    world = acrtm.cloud.world
    state = world.account(STATE_ACCOUNT).id
    acrtm.environment.setenv("EVENT_QUEUE", "transfer-events")
    # The state's account is seen from the registry's subscription, so its roles are read.
    lacking = named(
        await acrtm("doctor", "--identity", world.monitor.id, "--output", "json"),
        f"Roles of the app: Storage Queue Data Contributor on {STATE_ACCOUNT}",
    )
    # The queue may lie in another account, which no setting names: a role that is missing here proves nothing.
    assert lacking["ending"] == "unknown"
    assert "taken to lie there" in lacking["words"]
    assert "'Storage Queue Data Contributor'" in lacking["command"]
    world.access.assign(world.monitor.id, "Storage Queue Data Contributor", state)
    ended = await acrtm("doctor", "--identity", world.monitor.id, "--output", "json")
    assert named(ended, "Roles of the app: Storage Queue Data Contributor")["ending"] == "well"


@pytest.mark.parametrize("queue", ["", "transfer-events"])
async def test_what_is_not_looked_at_of_a_queue_is_said(acrtm: CommandLine, queue: str) -> None:
    acrtm.environment.setenv("EVENT_QUEUE", queue)
    ended = await acrtm("doctor", "--output", "json")
    told = {name: ending for name, ending in endings(ended).items() if name.startswith("Events: ")}
    wanted = {f"Events: Queue {name}": "left out" for name in (queue, f"{queue}-poison") if queue}
    assert told == wanted
    assert wrong(ended) == []


async def test_silence_is_unknown_and_not_well(acrtm: CommandLine) -> None:
    acrtm.cloud.faults.append(Fault("arm", None, Status(503), origin=Origin.MONITOR))
    ended = await acrtm("doctor", "--output", "json")
    assert named(ended, "Registries: contosohub")["ending"] == "unknown"
    assert wrong(ended) == []
    assert ended.code == 4


async def test_a_subscription_that_cannot_be_listed_keeps_from_no_other_registry(acrtm: CommandLine) -> None:
    other = "11111111-2222-4333-8444-555555555555"
    acrtm.environment.setenv("MONITORED_REGISTRIES", f"{acrtm.scenario.source.id},/subscriptions/{other}")
    refused = Fault("arm", lambda request: other in request.path, Status(403), origin=Origin.MONITOR)
    acrtm.cloud.faults.append(refused)
    ended = await acrtm("doctor", "--identity", acrtm.cloud.world.monitor.id, "--output", "json")
    unlisted = named(ended, f"Registries: Registries of {other}")
    assert unlisted["ending"] == "wrong"
    assert f"--scope /subscriptions/{other}" in unlisted["command"]
    assert named(ended, f"Roles of the app: Registries of {other}")["ending"] == "wrong"
    assert {"Registries: contosohub", "Pipelines: exportpipe"} <= {n for n, e in endings(ended).items() if e == "well"}
    assert ended.code == 3


async def test_a_state_store_that_resets_is_unknown(acrtm: CommandLine) -> None:
    acrtm.cloud.faults.append(Fault("storage", lambda request: request.method == "PUT", Reset(), origin=Origin.MONITOR))
    ended = await acrtm("doctor", "--output", "json")
    assert named(ended, "State: ")["ending"] == "unknown"
    assert ended.code == 4


async def test_settings_come_from_a_file_of_the_deployed_app(acrtm: CommandLine, tmp_path: Path) -> None:
    settings = {**acrtm.cloud.environment, "IMPORT_GRACE_MINUTES": "soon", "LOGS_DCR_IMMUTABLE_ID": ""}
    listed = [{"name": name, "value": value, "slotSetting": False} for name, value in settings.items()]
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(listed))
    ended = await acrtm("doctor", "--settings", str(path), "--output", "json")
    assert named(ended, "Settings: IMPORT_GRACE_MINUTES")["ending"] == "wrong"
    assert "required" in named(ended, "Settings: LOGS_DCR_IMMUTABLE_ID")["words"]
    assert named(ended, "Settings: STATE_CONTAINER_URL")["ending"] == "well"
    # The rest is examined all the same.
    assert named(ended, "Registries: contosohub")["ending"] == "well"
    assert ended.code == 3


async def test_wrong_usage(acrtm: CommandLine, tmp_path: Path) -> None:
    missing = await acrtm("doctor", "--settings", str(tmp_path / "none.json"))
    assert missing.code == 2
    assert "none.json" in missing.err
    assert (await acrtm("doctor", "--identity", "somebody")).code == 2
    assert (await acrtm("doctor", "--output", "sarif")).code == 2


def test_every_mistake_in_the_settings_is_named_at_once() -> None:
    given_ = {"AZURE_CLOUD": "Atlantis", "RUN_STUCK_MINUTES": "-1", "MUTES": "{", "STATE_CONTAINER_URL": "http://x/y"}
    checks, usable = examine_settings(given_)
    wrong_names = {check.name for check in checks if check.ending == "wrong"}
    assert wrong_names == {*given_, "MONITORED_REGISTRIES", "LOGS_INGESTION_ENDPOINT", "LOGS_DCR_IMMUTABLE_ID"}
    assert usable is not None


def test_a_custom_cloud_without_its_values_can_not_be_used() -> None:
    checks, usable = examine_settings({"AZURE_CLOUD": "Custom"})
    assert usable is None
    assert "ARM_ENDPOINT" in {check.name for check in checks if check.ending == "wrong"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from([*setting_names(), "name", "value", "Values", "x"]), inner, max_size=5)
        ),
        max_leaves=12,
    )
)
def test_a_settings_file_is_read_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, document: object
) -> None:
    path = tmp_path_factory.getbasetemp() / "settings.json"
    path.write_text(json.dumps(document))
    with contextlib.suppress(WrongUsage):
        read = settings_in(path)
        assert set(read) <= set(setting_names())
        assert all(isinstance(value, str) for value in read.values())
        examine_settings(read)


@pytest.mark.parametrize("text", ["", "{", "7", "[1]", '[{"name": 7}]'])
def test_a_file_that_is_none_of_settings_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "settings.json"
    path.write_text(text)
    with pytest.raises(WrongUsage, match="is no file of app settings"):
        settings_in(path)
