"""Artifacts end to end: what an export was to carry, as the registry itself tells it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from localcloud.arm.registries import registry_json
from localcloud.service import Fault, Hang, Origin, Reset, Status
from localcloud.world import GIB, RoleDefinition, foreign_layer, image, index, layer
from shared import sweep_reach
from shared.azure import registry_host
from shared.evidence import contents, gather
from shared.rules.model import Confidence
from tests.corridor.conftest import Corridor, answers_within

NINE_GIB = 9 * GIB
REPOSITORY_READER = "Container Registry Repository Reader"


def asked(corridor: Corridor) -> int:
    return corridor.cloud.requests.count(service="registry", origin=Origin.MONITOR)


def arm_reads(corridor: Corridor) -> int:
    return corridor.cloud.requests.count(service="arm", origin=Origin.MONITOR)


@pytest.mark.parametrize(
    ("wanted", "close"),
    [
        ("app/wep:1.0", "app/web:1.0"),
        ("app/web:1.O", "app/web:1.0"),
        ("App/Web:1.0", "app/web:1.0"),
        ("app/web", "app/web:1.0"),
        ("contosohub.azurecr.io/app/worker:1.0", "app/worker:1.0"),
        ("hello-wrold", "hello-world:latest"),
    ],
)
async def test_a_misspelt_artifact_is_confirmed_with_a_close_name(corridor: Corridor, wanted: str, close: str) -> None:
    await corridor.run_event(await corridor.export("misspelt01", "hello-world", wanted))
    row = corridor.row("ACRT601")
    assert (row["Role"], row["Confidence"]) == ("RootCause", Confidence.CONFIRMED)
    assert f"'{close}' for '{wanted}'" in row["Recommendation"]
    assert close in row["FixCommand"]
    assert row["Evidence"]["missing"] == [wanted]
    assert [alert["type"] for alert in corridor.alerts] == ["AcrTransfer.Finding.Opened"]
    assert "ACRT901" not in corridor.rules


async def test_what_can_be_no_reference_is_never_asked_for(corridor: Corridor) -> None:
    await corridor.run_event(await corridor.export("nonsense01", "../../oauth2/token?x=y"))
    assert corridor.row("ACRT601")["Confidence"] == Confidence.CONFIRMED
    assert asked(corridor) == 0


async def test_a_digest_that_is_not_there_has_no_close_name(corridor: Corridor) -> None:
    await corridor.run_event(await corridor.export("bydigest01", f"hello-world@sha256:{'a' * 64}"))
    row = corridor.row("ACRT601")
    assert row["Confidence"] == Confidence.CONFIRMED
    assert not row["FixCommand"]


async def test_too_many_artifacts_need_no_look(corridor: Corridor) -> None:
    await corridor.run_event(await corridor.export("toomany01", *(f"app/web:{number}" for number in range(51))))
    row = corridor.row("ACRT602")
    assert (row["Role"], row["Confidence"]) == ("RootCause", Confidence.CONFIRMED)
    assert asked(corridor) == 0
    assert "ACRT901" not in corridor.rules


async def test_a_layer_that_is_too_large_is_found_in_its_manifest(corridor: Corridor) -> None:
    corridor.scenario.source.push("app/huge", index(image("small"), image("huge", layer("huge", size=NINE_GIB))))
    await corridor.run_event(await corridor.export("toolarge01", "app/huge"))
    row = corridor.row("ACRT605")
    assert (row["Role"], row["Confidence"]) == ("RootCause", Confidence.CONFIRMED)
    assert row["Evidence"]["size"] == NINE_GIB
    assert "9.0 GiB" in row["Summary"]


async def test_a_foreign_layer_is_found_when_it_is_exported(corridor: Corridor) -> None:
    source = corridor.scenario.source
    source.push("app/win", index(image("linux"), image("windows", foreign_layer("absent"))))
    await corridor.run_event(await corridor.export("foreign01", "hello-world", "app/win"))
    row = corridor.row("ACRT604")
    assert (row["Outcome"], row["State"], row["Role"]) == ("Fail", "Open", "Observation")
    assert row["Evidence"]["artifacts"] == ["app/win"]
    assert "ACRT100" in corridor.rules
    assert [alert["data"]["RuleId"] for alert in corridor.alerts] == ["ACRT604"]


async def test_a_foreign_layer_that_was_pushed_is_nothing(corridor: Corridor) -> None:
    corridor.scenario.source.push("app/win", image("windows", foreign_layer("present", pushed=True)))
    await corridor.run_event(await corridor.export("foreign02", "app/win"))
    assert corridor.rules == ["ACRT100"]
    assert not corridor.alerts


async def test_a_partial_export_names_what_was_left_out_and_what_was_meant(corridor: Corridor) -> None:
    corridor.scenario.export_pipeline.options.append("ContinueOnErrors")
    await corridor.run_event(await corridor.export("partial01", "hello-world", "app/wep:1.0"))
    assert corridor.row("ACRT103")["Evidence"]["missing"] == ["app/wep:1.0"]
    assert corridor.row("ACRT603")["Role"] == "Observation"
    absent = corridor.row("ACRT601")
    assert (absent["Confidence"], absent["Evidence"]["similar"]) == (Confidence.LIKELY, ["app/web:1.0"])


async def test_a_success_costs_no_more_arm_reads_and_asks_the_registry_once(corridor: Corridor) -> None:
    events = [await corridor.export(f"success{number:02}", "hello-world") for number in range(4)]
    costs: list[tuple[int, int]] = []
    for event in events:
        before = arm_reads(corridor), asked(corridor)
        await corridor.run_event(event)
        costs.append((arm_reads(corridor) - before[0], asked(corridor) - before[1]))
    # Four requests are one manifest: the challenge, two exchanges of tokens, the answer.
    assert costs == [(2, 4), (1, 0), (1, 0), (1, 0)]


async def test_a_domain_label_is_learnt_from_arm(corridor: Corridor) -> None:
    source = corridor.scenario.source
    source.domain_label = "a1b2"
    source.push("app/win", image("windows", foreign_layer("absent")))
    await corridor.run_event(await corridor.export("label01", "app/win"))
    assert corridor.row("ACRT604")["RunName"] == "label01"
    before = arm_reads(corridor)
    await corridor.run_event(await corridor.export("label02", "app/win"))
    assert arm_reads(corridor) - before == 1
    assert corridor.rules.count("ACRT604") == 2
    hosts = {record.host for record in corridor.cloud.requests if record.service == "registry"}
    assert hosts == {"contosohub-a1b2.azurecr.io"}


async def test_a_login_server_outside_the_cloud_is_not_asked(corridor: Corridor) -> None:
    corridor.cloud.world.add_registry("stranger", monitored=False)
    body = registry_json(corridor.scenario.source)
    body["properties"]["loginServer"] = "stranger.azurecr.us"
    event = await corridor.export("untrusted01", "app/wep:1.0")

    def of_registry(request: web.Request) -> bool:
        return request.path.lower().endswith("/registries/contosohub")

    corridor.cloud.faults.append(Fault("arm", of_registry, Status(200, {}, json.dumps(body)), origin=Origin.MONITOR))
    await corridor.run_event(event)
    assert corridor.row("ACRT601")["Confidence"] == Confidence.LIKELY
    assert "outside azurecr.io" in corridor.row("ACRT901")["Summary"]
    assert asked(corridor) == 0


def without_pull(corridor: Corridor) -> None:
    """The documented custom role instead of Reader, which lets pull too where registry permissions count."""
    access, monitor = corridor.cloud.world.access, corridor.cloud.world.monitor
    registries = "Microsoft.ContainerRegistry/registries"
    children = ("exportPipelines", "importPipelines", "pipelineRuns")
    actions = (f"{registries}/read", *(f"{registries}/{child}/read" for child in children))
    others = ("Microsoft.Storage/*/read", "Microsoft.KeyVault/*/read", "Microsoft.Authorization/*/read")
    role = RoleDefinition("ACR Transfer Monitor Reader", "3d0a4b3e-0000-4000-8000-000000000001", (*actions, *others))
    access.revoke(monitor.id, "AcrPull")
    access.revoke(monitor.id, "Reader")
    access.assign(monitor.id, role, f"/subscriptions/{corridor.cloud.world.subscription_id}")


@pytest.mark.parametrize(("by_repository", "role"), [(False, "AcrPull"), (True, REPOSITORY_READER)])
@pytest.mark.parametrize("wanted", ["hello-world", "app/wep:1.0"])
async def test_a_missing_right_is_named_by_the_mode_of_the_registry(
    corridor: Corridor, by_repository: bool, role: str, wanted: str
) -> None:
    if by_repository:
        corridor.cloud.world.use_repository_permissions(corridor.scenario.source, monitored=False)
    else:
        without_pull(corridor)
    await corridor.run_event(await corridor.export("noright01", wanted))
    row = corridor.row("ACRT901")
    assert f"the role {role} on the registry" in row["Recommendation"]
    assert row["FixCommand"].endswith(f"--scope {corridor.scenario.source.id.lower()}") or not row["FixCommand"]
    assert row["Evidence"]["target"] == corridor.scenario.source.login_server
    assert "ACRT604" in row["Evidence"]["rules"]
    # The run's own message still says what it was, without a live check.
    failed = wanted != "hello-world"
    assert [cause["RuleId"] for cause in corridor.root_causes()] == (["ACRT601"] if failed else [])
    if failed:
        assert corridor.row("ACRT601")["Confidence"] == Confidence.LIKELY
    # A second run is no second condition, and costs nothing more.
    before = asked(corridor)
    await corridor.run_event(await corridor.export("noright02", "hello-world"))
    assert asked(corridor) - before <= 4
    assert len({row["FindingKey"] for row in corridor.rows if row["RuleId"] == "ACRT901"}) == 1


async def test_a_missing_right_stays_open_until_it_is_there(
    corridor: Corridor, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, source = corridor.cloud.world, corridor.scenario.source
    world.use_repository_permissions(source, monitored=False)
    await corridor.run_event(await corridor.export("noright03", "hello-world"))
    await corridor.sweep()
    assert [row["State"] for row in corridor.rows if row["RuleId"] == "ACRT901"] == ["Open"]
    world.use_repository_permissions(source)
    # The next look is due after half an hour, in a process that remembers no refusal.
    monkeypatch.setattr(sweep_reach, "EVERY", timedelta(0))
    await corridor.sweep(await corridor.another())
    assert [row["State"] for row in corridor.rows if row["RuleId"] == "ACRT901"] == ["Open", "Resolved"]


async def test_a_right_in_part_leaves_the_rest_open(corridor: Corridor) -> None:
    """Repository conditions may let the monitor see one repository and not the other."""
    world, source = corridor.cloud.world, corridor.scenario.source
    world.use_repository_permissions(source)

    def of_worker(request: web.Request) -> bool:
        return "/app/worker/" in request.path

    refusal = Status(401, {"Content-Type": "application/json"}, '{"errors": [{"code": "UNAUTHORIZED"}]}')
    corridor.cloud.faults.append(Fault("registry", of_worker, refusal))
    await corridor.run_event(await corridor.export("inpart01", "app/worker:1.0", "app/wep:1.0"))
    assert corridor.row("ACRT601")["Confidence"] == Confidence.CONFIRMED
    assert sorted(corridor.row("ACRT901")["Evidence"]["rules"]) == ["ACRT604", "ACRT605"]


async def test_an_odd_answer_for_one_artifact_is_its_own(corridor: Corridor) -> None:
    def of_worker(request: web.Request) -> bool:
        return "/app/worker/" in request.path

    corridor.cloud.faults.append(Fault("registry", of_worker, Status(404, {}, "<html>somebody's proxy</html>")))
    await corridor.run_event(await corridor.export("odd01", "app/worker:1.0", "app/wep:1.0"))
    row = corridor.row("ACRT601")
    assert (row["Confidence"], row["Evidence"]["missing"]) == (Confidence.CONFIRMED, ["app/wep:1.0"])


async def test_a_closed_network_is_no_missing_role(corridor: Corridor) -> None:
    corridor.scenario.source.public_network_access = "Disabled"
    await corridor.run_event(await corridor.export("closed01", "hello-world"))
    row = corridor.row("ACRT901")
    assert "client with IP" in row["Summary"]
    assert "The network keeps the monitor out" in row["Recommendation"]
    assert not row["FixCommand"]


async def test_a_silent_registry_holds_nothing_up(corridor: Corridor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "FAILED_SECONDS", 0.5)
    # Were it not for its own limit, the handler's would end the wait, and that is raised.
    monkeypatch.setattr(gather, "SECONDARY_SECONDS", 3_600.0)
    answers_within(monkeypatch, 3_600.0, of=registry_host.SERVICE)
    failed = await corridor.failed_export("silent01")
    corridor.break_down("registry", Hang())
    await corridor.run_event(failed)
    assert [row["RuleId"] for row in corridor.root_causes()] == ["ACRT201"]
    assert "asks again by itself" in corridor.row("ACRT901")["Recommendation"]
    assert await corridor.run_states() == ["open"]
    corridor.heal()
    # The sweep runs in a process of its own, where no answer is waited for.
    await corridor.sweep(await corridor.another())
    assert await corridor.run_states() == ["done"]


async def test_after_a_silence_successes_do_not_wait(corridor: Corridor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "SUCCEEDED_SECONDS", 0.5)
    events = [await corridor.export(f"quiet{number:02}", "hello-world") for number in range(3)]
    # However long the machine takes for the others.
    monkeypatch.setattr(contents, "_SILENT_FOR", 3_600.0)
    silence = corridor.break_down("registry", Hang())
    await corridor.run_event(events[0])
    asked_before = silence.hits
    assert asked_before
    for event in events[1:]:
        await corridor.run_event(event)
    assert silence.hits == asked_before, "who does not ask does not wait"
    assert await corridor.run_states() == ["open"] * 3
    corridor.heal()
    await corridor.sweep(await corridor.another())
    assert await corridor.run_states() == ["done"] * 3


async def test_a_lost_connection_is_taken_up_again(corridor: Corridor) -> None:
    corridor.break_down("registry", Reset())
    await corridor.run_event(await corridor.export("lost01", "hello-world"))
    assert await corridor.run_states() == ["open"]
    corridor.heal()
    corridor.scenario.source.push("hello-world", image("windows", foreign_layer("absent")))
    await corridor.sweep()
    assert await corridor.run_states() == ["done"]
    assert corridor.row("ACRT604")["TriggeredBy"] == "Sweep"


async def test_an_answer_from_before_the_end_of_a_failed_run_does_not_count(corridor: Corridor) -> None:
    await corridor.run_event(await corridor.export("before01", "hello-world"))
    corridor.scenario.source.artifacts.clear()
    await corridor.run_event(await corridor.export("before02", "hello-world"))
    row = corridor.row("ACRT601")
    assert (row["RunName"], row["Confidence"]) == ("before02", Confidence.CONFIRMED)


@pytest.mark.parametrize("closed", [False, True])
async def test_a_registry_that_denies_the_transfer_itself(corridor: Corridor, closed: bool) -> None:
    source: Any = corridor.scenario.source
    source.denies_transfers = True
    if closed:
        source.public_network_access = "Disabled"
    await corridor.run_event(await corridor.export("denied01", "hello-world"))
    row = corridor.row("ACRT118")
    assert (row["Role"], row["Confidence"]) == ("RootCause", Confidence.LIKELY)
    assert f"public network access is {'disabled' if closed else 'enabled'}" in row["Summary"]
    assert corridor.rules.count("ACRT901") == int(closed)
