"""Registries and pipelines that can't be listed: the others are watched, and nothing is concluded from the silence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from localcloud.scenario import CONTAINER
from localcloud.service import Status
from shared.evidence.lookups import RegistryList
from shared.evidence.pieces import Unavailable
from shared.monitor import Monitor
from shared.sweep_cleaning import CleaningSweep, marks_kept_for
from shared.sweep_facts import SweepFacts
from tests.corridor.conftest import Corridor, Row, data_requests
from tests.corridor.time_travel import conditions_opened, expected_since, forget_rhythms, rows_of, told

CATEGORY: Final = {"category": "acr-transfer-blob"}
OTHER: Final = "11111111-2222-4333-8444-555555555555"
DENIED: Final = '{"error":{"code":"AuthorizationFailed","message":"The client has no authorization."}}'
LOST: Final = '{"error":{"code":"SubscriptionNotFound","message":"The subscription could not be found."}}'
UNLISTED: Final = {
    "403": Status(403, body=DENIED),
    "404": Status(404, body=LOST),
    "429": Status(429),
    "503": Status(503),
}


def list_of(subscription: str) -> str:
    """Where a subscription's registries are listed."""
    return f"/subscriptions/{subscription}/providers/Microsoft.ContainerRegistry/registries"


def unlist(corridor: Corridor, subscription: str, status: str = "403") -> None:
    """The registries of a subscription can't be listed; whatever else is in it answers."""
    corridor.break_down("arm", UNLISTED[status], list_of(subscription))


async def watching(corridor: Corridor, *names: str) -> Monitor:
    """An instance that watches these; another one, as a list that was read is kept for some minutes."""
    return await corridor.another(MONITORED_REGISTRIES=",".join(names))


async def watching_both(corridor: Corridor) -> Monitor:
    """One that is told of the source registry, and finds the target in its subscription."""
    return await watching(corridor, corridor.scenario.source.id, f"/subscriptions/{subscription_of(corridor)}")


def subscription_of(corridor: Corridor) -> str:
    """The one in which everything is."""
    return str(corridor.cloud.world.subscription_id)


def ends(corridor: Corridor, target: str) -> list[str]:
    """Why the conditions about a target were resolved."""
    return [row["Evidence"]["resolvedBecause"] for row in gaps(corridor, target, "Resolved")]


def gaps(corridor: Corridor, target: str, state: str = "") -> list[Row]:
    """What could not be checked on a target."""
    return [row for row in rows_of(corridor, "ACRT901", state) if row["Evidence"]["target"] == target]


@pytest.mark.parametrize("status", UNLISTED)
async def test_the_other_registries_are_swept(corridor: Corridor, status: str) -> None:
    monitor = await watching(
        corridor, corridor.scenario.source.id, f"/subscriptions/{OTHER}", f"/subscriptions/{subscription_of(corridor)}"
    )
    unlist(corridor, OTHER, status)
    await corridor.failed_export("losing")
    report = await corridor.sweep(monitor)
    assert report.registries == 2, "the one that is named, and the one in a subscription that was listed"
    assert rows_of(corridor, "ACRT101")
    [problem] = report.problems
    assert status in problem
    [row] = rows_of(corridor, "ACRT901")
    assert (row["Outcome"], row["State"]) == ("Unknown", "Open")
    assert row["Evidence"]["target"] == list_of(OTHER)
    assert row["Evidence"]["right"] == "read"
    assert {"ACRT101", "ACRT301", "ACRT507"} <= set(row["Evidence"]["rules"])
    assert (f"--scope /subscriptions/{OTHER}" in row["FixCommand"]) == (status in {"403", "404"})


async def test_a_gap_that_cannot_be_stored_keeps_the_sweep_from_nothing(corridor: Corridor) -> None:
    monitor = await watching(corridor, corridor.scenario.source.id, f"/subscriptions/{OTHER}")
    unlist(corridor, OTHER)
    await corridor.failed_export("losing")
    corridor.break_down("storage", Status(403), "/acr-transfer-monitor/conditions/", times=1)
    await corridor.sweep(monitor)
    assert rows_of(corridor, "ACRT101")


async def test_it_is_told_once_and_ends_when_the_list_answers(corridor: Corridor) -> None:
    monitor = await watching_both(corridor)
    unlist(corridor, subscription_of(corridor))
    for _ in range(3):
        await corridor.sweep(monitor)
        await conditions_opened(corridor, timedelta(hours=2))
    assert told(corridor) == [("Opened", "ACRT901")]
    assert len(corridor.alerts) == 1
    corridor.heal()
    report = await corridor.sweep(monitor)
    assert report.registries == 2
    assert report.problems == []
    assert told(corridor) == [("Opened", "ACRT901"), ("Resolved", "ACRT901")]
    assert not await corridor.state("conditions/")


async def test_each_list_ends_its_own(corridor: Corridor) -> None:
    own = subscription_of(corridor)
    monitor = await watching(corridor, f"/subscriptions/{OTHER}", f"/subscriptions/{own}")
    unlist(corridor, own)
    unlist(corridor, OTHER)
    report = await corridor.sweep(monitor)
    assert report.registries == 0
    assert len(report.problems) == 2
    corridor.heal()
    unlist(corridor, OTHER)
    await corridor.sweep(monitor)
    assert ends(corridor, list_of(own)) == ["a later look was not kept from it"]
    assert ends(corridor, list_of(OTHER)) == []


async def test_a_subscription_that_is_watched_no_more_ends_its_own(corridor: Corridor) -> None:
    unlist(corridor, OTHER)
    await corridor.sweep(await watching(corridor, corridor.scenario.source.id, f"/subscriptions/{OTHER}"))
    await corridor.sweep(await watching(corridor, corridor.scenario.source.id))
    assert ends(corridor, list_of(OTHER)) == ["MONITORED_REGISTRIES does not name the subscription any more"]


async def test_nothing_is_gone_because_it_was_not_listed(corridor: Corridor) -> None:
    cloud, scenario = corridor.cloud, corridor.scenario
    await cloud.put_blob(scenario.import_account.name, CONTAINER, "images.tar")
    cloud.world.revoke_secret_get(scenario.vault, scenario.import_pipeline)
    await corridor.blob_event(corridor.file("blob-put-blob"))
    await corridor.sweep()
    before = {record["ruleId"] for record in (await corridor.state("conditions/")).values()}
    assert {"ACRT201", "ACRT506"} <= before
    unlist(corridor, subscription_of(corridor))
    monitor = await watching_both(corridor)
    # It is asked of ARM itself only where the whole list does not name it.
    del cloud.world.registries[scenario.target.name.casefold()]
    for _ in range(2):
        await forget_rhythms(corridor)
        await corridor.sweep(monitor)
    assert [row["RuleId"] for row in corridor.ingestion.rows if row["State"] == "Resolved"] == []
    assert await corridor.state("expectations/")
    corridor.heal()
    await corridor.sweep(monitor)
    assert rows_of(corridor, "ACRT201", "Resolved")[-1]["Evidence"]["resolvedBecause"] == "the registry is gone"


async def test_marks_are_kept_while_a_list_is_missing(corridor: Corridor) -> None:
    await corridor.run_event(await corridor.failed_export("losing"))
    now, old = datetime.now(UTC), marks_kept_for(corridor.monitor)
    await CleaningSweep(corridor.monitor, SweepFacts(), now).sweep()
    unlisted = Unavailable("ARM answered 403", list_of(OTHER), "read")
    for missing, day, left in (((unlisted,), 2, 1), ((), 4, 0)):
        facts = SweepFacts()
        facts.add_registries(RegistryList((corridor.scenario.target.id.lower(),), (), missing))
        await CleaningSweep(corridor.monitor, facts, now + old + timedelta(days=day)).sweep()
        assert len(await corridor.state("runs/")) == left


async def test_a_blob_is_judged_by_the_pipelines_that_are_known(corridor: Corridor) -> None:
    cloud, scenario = corridor.cloud, corridor.scenario
    monitor = await watching(corridor, scenario.target.id, f"/subscriptions/{OTHER}")
    unlist(corridor, OTHER)
    await cloud.put_blob(scenario.import_account.name, CONTAINER, "images.tar")
    await corridor.blob_event(corridor.file("blob-put-blob"), monitor)
    assert corridor.row("ACRT506")["PipelineName"] in {"", scenario.import_pipeline.name}
    assert data_requests(cloud, scenario.import_account.name)


async def test_a_blob_that_no_known_pipeline_reads_is_an_open_end(corridor: Corridor) -> None:
    cloud, scenario = corridor.cloud, corridor.scenario
    monitor = await watching(corridor, scenario.source.id, f"/subscriptions/{OTHER}")
    unlist(corridor, OTHER)
    await cloud.put_blob(scenario.import_account.name, CONTAINER, "images.tar")
    await corridor.blob_event(corridor.file("blob-put-blob"), monitor)
    assert corridor.rules == ["ACRT901"]
    assert gaps(corridor, list_of(OTHER))


# --- pipelines that are not known -------------------------------------------------------------------------------


async def waits(corridor: Corridor, *, metadata: dict[str, str] | None = None, off: bool = True) -> None:
    """A blob has waited for two hours where the source registry's pipeline reads as well, with its trigger on."""
    cloud, scenario = corridor.cloud, corridor.scenario
    own = scenario.import_pipeline
    own.trigger_enabled = not off
    other = cloud.world.add_import_pipeline(scenario.source, "otherimport", own.container_url, own.secret_uri)
    cloud.world.grant_secret_get(scenario.vault, other)
    await cloud.put_blob(
        scenario.import_account.name, CONTAINER, "images.tar", metadata=CATEGORY if metadata is None else metadata
    )
    await corridor.blob_event(corridor.file("blob-put-blob"))
    await expected_since(corridor, timedelta(hours=2))


def unlist_pipelines(corridor: Corridor) -> None:
    """The import pipelines of the source registry can't be listed."""
    corridor.break_down("arm", Status(403, body=DENIED), corridor.scenario.source.name, "importpipelines")


@pytest.mark.parametrize("off", [True, False])
async def test_a_pipeline_that_is_not_known_may_import_the_blob(corridor: Corridor, off: bool) -> None:
    await waits(corridor, off=off)
    unlist_pipelines(corridor)
    await corridor.sweep()
    rule = "ACRT501" if off else "ACRT507"
    assert rows_of(corridor, rule) == []
    assert told(corridor) == []
    found = rows_of(corridor, "ACRT901")
    assert len({row["FindingKey"] for row in found}) == 1, "it is the one gap that is said anyway"
    assert any(rule in row["Evidence"]["rules"] for row in found)
    corridor.heal()
    del corridor.scenario.source.import_pipelines["otherimport"]
    await forget_rhythms(corridor)
    await corridor.sweep()
    assert [row["Outcome"] for row in rows_of(corridor, rule)] == ["Fail"]
    assert rows_of(corridor, "ACRT901")[-1]["State"] == "Resolved"


async def test_an_event_of_a_blob_that_has_waited_concludes_as_little(corridor: Corridor) -> None:
    await waits(corridor)
    unlist_pipelines(corridor)
    corridor.cloud.backdate_blob(corridor.scenario.import_account.name, CONTAINER, "images.tar", timedelta(hours=3))
    moment = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    # Another instance, as what was read of pipelines is known for some minutes.
    await corridor.blob_event(corridor.file("blob-put-blob") | {"eventTime": moment}, await corridor.another())
    assert rows_of(corridor, "ACRT501") == []
    assert "ACRT501" in rows_of(corridor, "ACRT901")[0]["Evidence"]["rules"]


async def test_what_only_an_unknown_trigger_makes_matter_does_not_end(corridor: Corridor) -> None:
    await waits(corridor, metadata={})
    assert rows_of(corridor, "ACRT506", "Open")
    unlist_pipelines(corridor)
    await corridor.sweep()
    assert rows_of(corridor, "ACRT506", "Resolved") == []


async def test_a_trigger_that_is_on_has_no_open_ends(corridor: Corridor) -> None:
    cloud, scenario = corridor.cloud, corridor.scenario
    unlist_pipelines(corridor)
    await cloud.put_blob(scenario.import_account.name, CONTAINER, "images.tar", metadata=CATEGORY)
    await corridor.blob_event(corridor.file("blob-put-blob"))
    assert corridor.rules == ["ACRT510"]
    await cloud.poll_source_triggers()
    await expected_since(corridor, timedelta(hours=2))
    await corridor.sweep()
    assert {"ACRT501", "ACRT507"}.isdisjoint(corridor.rules)
    [gap] = rows_of(corridor, "ACRT901")
    assert gap["RegistryId"] == scenario.source.id.lower(), "the one that is said anyway"
