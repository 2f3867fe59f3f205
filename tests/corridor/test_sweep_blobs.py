"""The sweep and blobs: the backlog, what waits too long, and what waits no more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import pytest

from localcloud.scenario import CONTAINER
from localcloud.service import Status
from shared.errors import NotStored
from tests.corridor.conftest import Corridor
from tests.corridor.time_travel import expected_since, forget_rhythms, reads, rhythms_noted, rows_of, told

NAME: Final = "images.tar"
CATEGORY: Final = {"category": "acr-transfer-blob"}
LONG: Final = timedelta(hours=2)


async def landed(corridor: Corridor, name: str = NAME, ago: timedelta | None = None, **options: Any) -> None:
    """A blob in the container that the import pipeline watches."""
    account = corridor.scenario.import_account.name
    await corridor.cloud.put_blob(account, CONTAINER, name, **{"metadata": CATEGORY} | options)
    if ago is not None:
        corridor.cloud.backdate_blob(account, CONTAINER, name, ago)


async def expected(corridor: Corridor) -> list[str]:
    """The blobs that the state store knows to wait."""
    return sorted(record["blob"] for record in (await corridor.state("expectations/")).values())


async def test_a_backlog_from_before_the_monitor_is_judged(corridor: Corridor) -> None:
    await landed(corridor, "ancient.tar", timedelta(days=61))
    await landed(corridor, "naked.tar", metadata={}, content_md5=False)
    await landed(corridor, "fresh.tar")
    assert (await corridor.sweep()).problems == []
    found = {(row["RuleId"], row["BlobName"]) for row in corridor.rows if row["State"] == "Open"}
    assert {("ACRT503", "ancient.tar"), ("ACRT701", "naked.tar")} <= found
    assert not [rule for rule, name in found if name == "fresh.tar"]
    assert sorted(told(corridor)) == [("Opened", "ACRT503"), ("Opened", "ACRT701")]
    assert await expected(corridor) == ["ancient.tar", "fresh.tar", "naked.tar"]


async def test_a_blob_that_is_not_imported_is_said_once(corridor: Corridor) -> None:
    await landed(corridor)
    await corridor.blob_event(corridor.file("blob-put-blob"))
    assert await expected(corridor) == [NAME]
    await corridor.sweep()
    assert rows_of(corridor, "ACRT507") == []
    await expected_since(corridor, timedelta(minutes=31))
    report = await corridor.sweep()
    assert report.oldest_expectation is not None
    [late] = rows_of(corridor, "ACRT507")
    assert (late["State"], late["BlobName"], late["Role"]) == ("Open", NAME, "Observation")
    await corridor.sweep()
    assert len(rows_of(corridor, "ACRT507")) == 1
    await forget_rhythms(corridor)
    await corridor.sweep()
    assert len({row["FindingId"] for row in rows_of(corridor, "ACRT507")}) == 1
    assert told(corridor) == [("Opened", "ACRT507")]


async def test_a_short_grace_is_kept(corridor: Corridor) -> None:
    monitor = await corridor.another(IMPORT_GRACE_MINUTES="5")
    await landed(corridor, "early.tar")
    await corridor.sweep(monitor)
    assert rows_of(corridor, "ACRT507") == []
    # Six minutes later: what was judged before its grace was over, and what has landed since and nobody told of.
    await rhythms_noted(corridor, timedelta(minutes=6))
    await expected_since(corridor, timedelta(minutes=6))
    await landed(corridor, "untold.tar", timedelta(minutes=5, seconds=30))
    await corridor.sweep(monitor)
    assert sorted(row["BlobName"] for row in rows_of(corridor, "ACRT507")) == ["early.tar", "untold.tar"]
    await corridor.sweep(monitor)
    assert len(rows_of(corridor, "ACRT507")) == 2, "what was said is not said at every sweep"


async def test_what_arrives_where_runs_can_not_be_listed_is_looked_at_all_the_same(corridor: Corridor) -> None:
    scenario = corridor.scenario
    for number in range(3):
        await landed(corridor, f"waiting{number}.tar", LONG)
    corridor.break_down("arm", Status(403), "contosoedge", "pipelineruns")
    report = await corridor.sweep()
    assert report.pipelines_looked_at == 2
    assert await expected(corridor) == [f"waiting{number}.tar" for number in range(3)]
    assert rows_of(corridor, "ACRT507") == [], "a run may name them"
    listed = [path for path in reads(corridor) if "contosoedge/pipelineruns" in path.lower()]
    assert len(listed) == 1, "it is not asked again for each blob"
    corridor.cloud.world.revoke_secret_get(scenario.vault, scenario.import_pipeline)
    await forget_rhythms(corridor)
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT201")]


async def containers_are_due(corridor: Corridor) -> None:
    """Containers are listed again by the next sweep, and pipelines are not looked at before their hour is over."""
    state = corridor.monitor.state
    for entry in [entry async for entry in state.entries("rhythms/containers")]:
        await state.delete(entry.key, entry.etag)


async def test_what_was_read_before_the_sweep_resolves_nothing(corridor: Corridor) -> None:
    cloud, scenario = corridor.cloud, corridor.scenario
    timer = await corridor.another()
    await corridor.sweep(timer)
    await landed(corridor)
    await corridor.blob_event(corridor.file("blob-put-blob"), timer)
    # That instance knows the vault as it was, and another one hears of the failure.
    cloud.world.revoke_secret_get(scenario.vault, scenario.import_pipeline)
    await cloud.put_run(scenario.target, "byhand", scenario.import_pipeline, blob=NAME)
    await corridor.run_event(corridor.told("byhand"))
    assert told(corridor) == [("Opened", "ACRT201")]
    for number in range(3):
        await landed(corridor, f"waiting{number}.tar")
    await containers_are_due(corridor)
    asked = len(reads(corridor))
    await corridor.sweep(timer)
    assert told(corridor) == [("Opened", "ACRT201")]
    assert rows_of(corridor, "ACRT201", "Resolved") == []
    of_vault = [path for path in reads(corridor)[asked:] if path.lower().endswith("/vaults")]
    assert len(of_vault) == 1, "one read serves all blobs of a sweep"


@pytest.mark.parametrize("known_by", ["event", "listing"])
@pytest.mark.parametrize("ended_by", ["import", "removal", "import of a blob that stays"])
async def test_an_expectation_ends_when_the_blob_is_imported_or_gone(
    corridor: Corridor, known_by: str, ended_by: str
) -> None:
    cloud, scenario = corridor.cloud, corridor.scenario
    await corridor.sweep()
    await cloud.put_run(scenario.source, "exported", scenario.export_pipeline, artifacts=("hello-world",), blob=NAME)
    if ended_by == "import of a blob that stays":
        scenario.import_pipeline.options.clear()
    await scenario.carry_over(NAME)
    if known_by == "event":
        await corridor.blob_event(corridor.file("blob-put-blob"))
    else:
        await forget_rhythms(corridor)
        await corridor.sweep()
    assert await expected(corridor) == [NAME]
    await expected_since(corridor, LONG)
    await forget_rhythms(corridor)
    await corridor.sweep()
    assert told(corridor)[-1] == ("Opened", "ACRT507")
    if ended_by == "removal":
        await cloud.delete_blob(scenario.import_account.name, CONTAINER, NAME)
    else:
        await cloud.put_run(scenario.target, "byhand", scenario.import_pipeline, blob=NAME)
    await corridor.sweep()
    assert await expected(corridor) == []
    assert told(corridor) == [("Opened", "ACRT507"), ("Resolved", "ACRT507")]
    assert (await corridor.sweep()).oldest_expectation is None


async def test_a_repaired_blob_is_resolved_with_one_alert(corridor: Corridor) -> None:
    await landed(corridor, metadata={})
    await corridor.blob_event(corridor.file("blob-put-blob"))
    opened = {row["RuleId"]: row for row in corridor.rows if row["State"] == "Open"}
    assert {"ACRT701", "ACRT506"} <= opened.keys()
    await corridor.cloud.set_blob_metadata(corridor.scenario.import_account.name, CONTAINER, NAME, CATEGORY)
    await corridor.sweep()
    resolved = {row["RuleId"]: row for row in corridor.rows if row["State"] == "Resolved"}
    assert resolved.keys() == opened.keys()
    for rule, row in resolved.items():
        assert (row["FindingId"], row["FindingKey"]) == (opened[rule]["FindingId"], opened[rule]["FindingKey"])
        assert row["Outcome"] == "Pass"
    assert told(corridor) == [("Opened", "ACRT701"), ("Resolved", "ACRT701")]
    assert len({alert["id"] for alert in corridor.alerts}) == 2
    await forget_rhythms(corridor)
    await corridor.sweep()
    assert len(corridor.alerts) == 2


@pytest.mark.parametrize("told_of", [True, False], ids=["told of", "found by the listing"])
async def test_a_blob_that_is_written_again_is_not_gone(corridor: Corridor, told_of: bool) -> None:
    await landed(corridor, metadata={}, content_md5=False)
    await corridor.blob_event(corridor.file("blob-put-blob"))
    faults = {row["RuleId"] for row in corridor.rows if row["State"] == "Open"}
    assert faults == {"ACRT505", "ACRT506", "ACRT701"}
    await landed(corridor, metadata={}, content_md5=False, data=b"another form, as bad")
    if told_of:
        await corridor.blob_event(corridor.file("blob-put-blob"))
        assert await expected(corridor) == [NAME, NAME]
    await corridor.sweep()
    assert await expected(corridor) == [NAME]
    assert [row for row in corridor.rows if row["State"] == "Resolved"] == []
    assert told(corridor) == [("Opened", "ACRT701")]
    # A good form ends it at once, although it has not waited for its grace.
    await landed(corridor, data=b"a good one")
    if told_of:
        await corridor.blob_event(corridor.file("blob-put-blob"))
    await forget_rhythms(corridor)
    await corridor.sweep()
    resolved = [row for row in corridor.rows if row["State"] == "Resolved"]
    assert {row["RuleId"] for row in resolved} == faults
    assert {row["Evidence"]["resolvedBecause"] for row in resolved} == {"a later look finds it gone"}
    assert told(corridor) == [("Opened", "ACRT701"), ("Resolved", "ACRT701")]


async def test_what_waits_where_the_trigger_is_off_is_said_after_the_grace(corridor: Corridor) -> None:
    corridor.scenario.import_pipeline.trigger_enabled = False
    await landed(corridor)
    await landed(corridor, "unheard.tar")
    await corridor.blob_event(corridor.file("blob-put-blob"))
    await corridor.sweep()
    assert rows_of(corridor, "ACRT501") == []
    await expected_since(corridor, LONG)
    await corridor.sweep()
    [off] = rows_of(corridor, "ACRT501")
    assert (off["State"], off["PipelineName"]) == ("Open", "importpipe")
    # What nobody told of, where no trigger is on, is nobody's transfer.
    assert await expected(corridor) == [NAME]
    await corridor.cloud.delete_blob(corridor.scenario.import_account.name, CONTAINER, NAME)
    await corridor.sweep()
    assert await expected(corridor) == []


async def waits_in_vain(corridor: Corridor, *names: str) -> None:
    """Blobs that are overdue where the only trigger is off."""
    corridor.scenario.import_pipeline.trigger_enabled = False
    for name in names:
        await landed(corridor, name)
        raw = corridor.cloud.events[-1].in_schema("EventGridSchema")
        await corridor.blob_event(raw)
    await expected_since(corridor, LONG)
    await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT501")]


@pytest.mark.parametrize("ended_by", ["removal", "trigger", "removal, and a sweep that falls"])
async def test_a_trigger_that_is_off_is_over_when_nothing_waits_for_it(corridor: Corridor, ended_by: str) -> None:
    await waits_in_vain(corridor, NAME)
    if "removal" in ended_by:
        await corridor.cloud.delete_blob(corridor.scenario.import_account.name, CONTAINER, NAME)
    if ended_by == "removal, and a sweep that falls":
        # It forgets what was expected, and does not come to what is open.
        corridor.break_down("ingestion", Status(503))
        with pytest.raises(NotStored):
            await corridor.sweep()
        corridor.heal()
        assert await expected(corridor) == []
    if ended_by == "trigger":
        corridor.scenario.import_pipeline.trigger_enabled = True
    await corridor.sweep()
    assert [row["State"] for row in rows_of(corridor, "ACRT501")][-1] == "Resolved"
    assert ("Resolved", "ACRT501") in told(corridor)
    assert not [key for key, record in (await corridor.state("conditions/")).items() if record["ruleId"] == "ACRT501"]


@pytest.mark.parametrize("how_far", ["under way", "done"])
async def test_a_trigger_that_is_off_is_not_over_while_another_blob_waits(corridor: Corridor, how_far: str) -> None:
    cloud, scenario = corridor.cloud, corridor.scenario
    await waits_in_vain(corridor, "forgotten.tar")
    await landed(corridor, "byhand.tar")
    await corridor.blob_event(cloud.events[-1].in_schema("EventGridSchema"))
    if how_far == "under way":
        cloud.hold_transfers()
    done = how_far == "done"
    await cloud.put_run(scenario.target, "byhand", scenario.import_pipeline, blob="byhand.tar", wait=done)
    await expected_since(corridor, LONG)
    await corridor.sweep()
    await rhythms_noted(corridor, timedelta(minutes=20))
    await corridor.sweep()
    assert rows_of(corridor, "ACRT501", "Resolved") == []
    cloud.release_transfers()
    await cloud.put_run(scenario.target, "byhand2", scenario.import_pipeline, blob="forgotten.tar")
    await corridor.sweep()
    assert [rule for kind, rule in told(corridor) if kind == "Resolved"] == ["ACRT501"]


@pytest.mark.parametrize("mark", [{"hdi_isfolder": "true"}, {"Hdi_isfolder": "True"}], ids=["lower", "upper"])
async def test_a_directory_is_no_blob(corridor: Corridor, mark: dict[str, str]) -> None:
    # As accounts with a hierarchical namespace list them.
    await landed(corridor, "2026", data=b"", metadata=mark, content_md5=False)
    await corridor.blob_event(corridor.cloud.events[-1].in_schema("EventGridSchema"))
    await landed(corridor, "2026/images.tar")
    await corridor.sweep()
    assert {row["BlobName"] for row in corridor.rows if row["BlobName"]} == {"2026/images.tar"}
    assert await expected(corridor) == ["2026/images.tar"]
    assert corridor.alerts == []


HELD: Final = [
    {"x-ms-legal-hold": "true"},
    {"x-ms-immutability-policy-until-date": "Fri, 01 Jan 2038 00:00:00 GMT", "x-ms-immutability-policy-mode": "locked"},
]


@pytest.mark.parametrize("refused", [False, True], ids=["listed", "refused"])
@pytest.mark.parametrize("headers", HELD, ids=["legal hold", "immutable"])
async def test_a_hold_that_was_not_looked_for_is_not_over(
    corridor: Corridor, headers: dict[str, str], refused: bool
) -> None:
    cloud, account = corridor.cloud, corridor.scenario.import_account.name
    await landed(corridor)
    cloud.disguise_blob(account, CONTAINER, NAME, headers)
    await corridor.blob_event(corridor.file("blob-put-blob"))
    assert told(corridor) == [("Opened", "ACRT409")]
    if refused:
        fault = corridor.break_down("storage", Status(400, {"x-ms-error-code": "InvalidQueryParameterValue"}, ""))
        fault.match = lambda request: "legalhold" in request.query.get("include", "")
    await expected_since(corridor, LONG)
    await forget_rhythms(corridor)
    assert (await corridor.sweep()).problems == []
    assert rows_of(corridor, "ACRT409", "Resolved") == []
    assert ("Resolved", "ACRT409") not in told(corridor)
    assert rows_of(corridor, "ACRT901") == [], "there is no right that would help"
    if not refused:
        cloud.world.storage_accounts[account].appearances.clear()
        await forget_rhythms(corridor)
        await corridor.sweep()
        assert told(corridor)[-1] == ("Resolved", "ACRT409")


async def test_one_account_that_is_down_keeps_nobody_from_the_others(corridor: Corridor) -> None:
    cloud, scenario = corridor.cloud, corridor.scenario
    world = cloud.world
    world.add_storage_account("fabrikamstorage")
    url = await cloud.create_container("fabrikamstorage", CONTAINER)
    until = "2031-01-01T00:00:00Z"
    scenario.vault.set_secret("othersas", "?" + cloud.sas("fabrikamstorage", CONTAINER, "rld", expires=until))
    other = world.add_import_pipeline(scenario.target, "otherpipe", url, scenario.vault.secret_uri("othersas"))
    world.grant_secret_get(scenario.vault, other)
    for account in ("fabrikamstorage", scenario.import_account.name):
        await cloud.put_blob(account, CONTAINER, "naked.tar", metadata={}, content_md5=False)
    hosts = {"fabrikamstorage": scenario.import_account.name, scenario.import_account.name: "fabrikamstorage"}
    for down, up in hosts.items():
        fault = corridor.break_down("storage", Status(503))
        fault.match = lambda request, down=down: request.host.startswith(f"{down}.blob.")
        report = await corridor.sweep()
        assert any(down in problem for problem in report.problems), report.problems
        assert up in {row["StorageAccount"] for row in rows_of(corridor, "ACRT701")}
        corridor.heal()
        await forget_rhythms(corridor)
