"""Which blob a run or a condition is about: the whole name counts, with its folders, its characters and its case."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from localcloud.scenario import CONTAINER
from shared.addresses import BlobAddress
from shared.clouds import PUBLIC
from shared.diagnosis.diagnose import diagnose_run
from shared.findings.builder import FindingBuilder, Occasion, TriggeredBy
from shared.records.transfer import Direction
from shared.sinks.rhythms import Rhythms
from tests.corridor.conftest import Corridor, Raw
from tests.corridor.time_travel import expected_since, forget_rhythms, rows_of, told
from tests.rules.builders import NOW, after_run, pipeline, run

LONG: Final = timedelta(hours=2)
# Two blobs of one container.
ALIKE: Final = ("images.tar", "Images.tar")
ADDRESS: Final = BlobAddress("contosoimport", "transfer", "daily/my images.tar")


async def carried(corridor: Corridor, name: str, metadata: dict[str, str] | None = None) -> Raw:
    """A blob of an export has landed where the import pipeline reads; the event that tells of it."""
    cloud, scenario = corridor.cloud, corridor.scenario
    name_of_run = f"export{len(scenario.source.runs)}"
    await cloud.put_run(scenario.source, name_of_run, scenario.export_pipeline, artifacts=("hello-world",), blob=name)
    await scenario.carry_over(name, metadata=metadata)
    return cloud.events[-1].in_schema("EventGridSchema")


async def imported_by_trigger(corridor: Corridor) -> None:
    """The trigger imports what waits and leaves it there; its runs tell the blob by its address alone."""
    corridor.scenario.import_pipeline.options.clear()
    await corridor.cloud.poll_source_triggers()
    for made in corridor.scenario.target.runs.values():
        made.request["source"].pop("name")
        address = made.response["source"]
        address["uri"] = address["uri"].replace(" ", "%20")


@pytest.mark.parametrize("name", ["images.tar", "daily/images.tar", "my images.tar"])
async def test_a_run_that_gives_only_the_address_names_its_blob(corridor: Corridor, name: str) -> None:
    await corridor.blob_event(await carried(corridor, name))
    await imported_by_trigger(corridor)
    await expected_since(corridor, LONG)
    await corridor.sweep()
    assert rows_of(corridor, "ACRT507") == []
    assert await corridor.state("expectations/") == {}


async def test_an_event_that_comes_late_finds_the_run_by_the_address_alone(corridor: Corridor) -> None:
    event = await carried(corridor, "my images.tar")
    await imported_by_trigger(corridor)
    await corridor.blob_event(event)
    assert corridor.rows == []
    assert await corridor.state("expectations/") == {}


async def test_a_blob_is_not_imported_because_one_of_its_name_in_a_folder_is(corridor: Corridor) -> None:
    # Without the category no trigger takes it.
    await corridor.blob_event(await carried(corridor, "images.tar", metadata={}))
    await corridor.blob_event(await carried(corridor, "daily/images.tar"))
    await imported_by_trigger(corridor)
    opened = told(corridor)
    await expected_since(corridor, LONG)
    await forget_rhythms(corridor)
    await corridor.sweep()
    assert told(corridor) == opened == [("Opened", "ACRT701")]
    [waits] = (await corridor.state("expectations/")).values()
    assert waits["blob"] == "images.tar"


@pytest.mark.parametrize(
    ("requested", "uri", "is_meant"),
    [
        ("daily/my images.tar", "", True),
        ("my images.tar", "", False),
        ("Daily/my images.tar", "", False),
        ("another.tar", ADDRESS.url(PUBLIC), False),
        ("", ADDRESS.url(PUBLIC), True),
        ("", "https://contosoimport.blob.core.windows.net/transfer/daily/my images.tar?sv=1", True),
        ("", "https://contosoimport.blob.core.windows.net/transfer/my%20images.tar", False),
        ("", "https://contosoimport.blob.core.windows.net/earlier/daily/my%20images.tar", False),
        ("", "https://contosoexport.blob.core.windows.net/transfer/daily/my%20images.tar", False),
        ("", "https://contosoimport.blob.example.com/transfer/daily/my%20images.tar", False),
        ("", "https://contosoimport.blob.core.windows.net/transfer/", False),
        ("", "", False),
    ],
)
def test_a_run_means_the_blob_that_was_asked_for_or_else_the_one_at_its_address(
    requested: str, uri: str, is_meant: bool
) -> None:
    named = run(requested_blob=requested, blob_uri=uri).named_blob(PUBLIC)
    assert (named is not None and named.may_be(ADDRESS)) is is_meant


async def alike_landed(corridor: Corridor, **options: Any) -> None:
    """Two blobs whose names differ in nothing but case, and the events of them."""
    for name in ALIKE:
        await corridor.cloud.put_blob(corridor.scenario.import_account.name, CONTAINER, name, name.encode(), **options)
        await corridor.blob_event(corridor.cloud.events[-1].in_schema("EventGridSchema"))


async def test_names_that_differ_in_case_alone_are_two_conditions(corridor: Corridor) -> None:
    await alike_landed(corridor, metadata={})
    assert {alert["data"]["BlobName"] for alert in corridor.alerts} == set(ALIKE)
    await corridor.cloud.delete_blob(corridor.scenario.import_account.name, CONTAINER, "images.tar")
    await forget_rhythms(corridor)
    await corridor.sweep()
    assert {row["BlobName"] for row in corridor.ingestion.rows if row["State"] == "Resolved"} == {"images.tar"}
    left = {record["row"]["BlobName"] for record in (await corridor.state("conditions/")).values()}
    assert left == {"Images.tar"}


async def test_that_one_can_be_read_again_says_nothing_of_the_other(corridor: Corridor) -> None:
    world = corridor.cloud.world
    world.access.revoke(world.monitor.id, "Storage Blob Data Reader")
    await alike_landed(corridor)
    missing = rows_of(corridor, "ACRT901")
    assert {row["Evidence"]["target"].rpartition("/")[2] for row in missing} == set(ALIKE)
    assert len({row["FindingKey"] for row in missing}) == 2


async def test_the_turn_of_one_is_not_the_turn_of_the_other(corridor: Corridor) -> None:
    turns = Rhythms(corridor.monitor.state, "blobs")
    await turns.note("account/container/images.tar|etag", NOW)
    await turns.load()
    assert turns.last("account/container/images.tar|etag") == NOW
    assert turns.last("account/container/Images.tar|etag") is None


def test_a_resource_id_is_one_subject_in_whatever_case_it_is_written() -> None:
    failed = {"direction": Direction.IMPORT, "provisioning_state": "Failed", "status": "Failed"}
    gone = pipeline(provisioning_state="Failed")
    plain = after_run(Direction.IMPORT, run=run(**failed), pipeline=gone, blob_address=None)
    shouting = replace(plain, run=run(**failed, id=run().id.upper()), pipeline=replace(gone, id=gone.id.upper()))
    first, second = (
        FindingBuilder(diagnose_run(evidence), Occasion(TriggeredBy.SWEEP)).findings() for evidence in (plain, shouting)
    )
    assert {finding.rule_id for finding in first} >= {"ACRT101", "ACRT114"}
    assert [(f.finding_key, f.finding_id) for f in first] == [(f.finding_key, f.finding_id) for f in second]
