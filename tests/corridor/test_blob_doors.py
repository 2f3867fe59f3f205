"""An event about a blob: whose accounts are asked, what is written, and what is remembered."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from localcloud.service import Fault, FaultAction, MalformedJson, Reset, Status, Truncate
from shared.errors import NotStored, TransientError
from shared.times import iso, parse_time
from tests.corridor.conftest import Corridor, Raw, data_requests

BLOB_FILES: Final = (
    "blob-put-blob",
    "blob-put-block-list",
    "blob-copy-blob",
    "blob-flush-with-close",
    "blob-sftp-commit",
    "blob-put-block-list-cloudevent",
    "blob-copy-blob-cloudevent",
    "blob-put-blob-cloudevent-topic",
)


async def landed(corridor: Corridor, name: str = "images.tar", **options: Any) -> None:
    """Puts a blob where the import pipeline watches, with all that it needs."""
    metadata = options.pop("metadata", {"category": "acr-transfer-blob"})
    account = corridor.scenario.import_account.name
    await corridor.cloud.put_blob(account, "transfer", name, metadata=metadata, **options)


@pytest.mark.parametrize("name", BLOB_FILES)
async def test_a_blob_with_all_its_prerequisites_is_expected(corridor: Corridor, name: str) -> None:
    await landed(corridor)
    corridor.cloud.world.allow_secret_reading(corridor.scenario.vault)
    monitor = await corridor.another(SAS_INSPECTION="value")
    await corridor.blob_event(corridor.file(name), monitor)
    ready = corridor.row("ACRT510")
    assert (ready["Outcome"], ready["State"], ready["TriggeredBy"]) == ("Pass", "Info", "BlobEvent")
    assert ready["BlobETag"], "the blob's own, not the event's"
    assert ready["BlobETag"] not in json.dumps(corridor.file(name))
    [expected] = (await corridor.state("expectations/")).values()
    assert (expected["account"], expected["container"], expected["blob"]) == ("contosoimport", "transfer", "images.tar")
    assert expected["etag"] == ready["BlobETag"]
    assert corridor.alerts == []


async def test_what_is_left_out_by_choice_is_no_pass(corridor: Corridor) -> None:
    await landed(corridor)
    await corridor.blob_event(corridor.file("blob-put-blob"))
    ready = corridor.row("ACRT510")
    assert (ready["Outcome"], ready["State"]) == ("Unknown", "Info")
    assert "ACRT901" not in corridor.rules, "SAS_INSPECTION leaves it out by choice"


@pytest.mark.parametrize(
    "name",
    ["blob-create-file", "blob-sftp-create", "blob-deleted", "blob-tier-changed-cloudevent", "run-write-success"],
)
async def test_a_foreign_event_asks_and_writes_nothing(corridor: Corridor, name: str) -> None:
    await landed(corridor)
    before = len(corridor.cloud.requests)
    assert (await corridor.blob_event(corridor.file(name))).findings == ()
    assert len(corridor.cloud.requests) == before


async def test_a_blob_that_lost_its_metadata_is_told_once_however_often_it_is_delivered(corridor: Corridor) -> None:
    await landed(corridor, metadata={}, content_md5=False)
    raw = corridor.file("blob-put-block-list")
    for _ in range(3):
        await corridor.blob_event(raw)
    # The copy explains both, and only the explaining one is published.
    roles = {row["RuleId"]: row["Role"] for row in corridor.rows}
    assert roles == {"ACRT701": "Observation", "ACRT505": "Contributing", "ACRT506": "Contributing"}
    assert [alert["data"]["RuleId"] for alert in corridor.alerts] == ["ACRT701"]
    assert corridor.alerts[0]["subject"].endswith("contosoimport/transfer/images.tar")
    assert len({row["FindingId"] for row in corridor.rows}) == 3
    await landed(corridor, metadata={}, content_md5=False)
    await corridor.blob_event(raw)
    assert len({row["FindingId"] for row in corridor.rows}) == 6, "written anew, it is another occurrence"
    assert len(corridor.alerts) == 1, "and the same condition"


async def test_odd_names_lead_to_their_own_blob(corridor: Corridor) -> None:
    raw = corridor.file("blob-put-blob-odd-name")
    name = raw["subject"].partition("/blobs/")[2]
    await landed(corridor, name)
    await corridor.blob_event(raw)
    assert corridor.row("ACRT510")["BlobName"] == name


# --- who is asked -------------------------------------------------------------------------------------------


def of_account(raw: Raw, account: str) -> Raw:
    """The same event from another account."""
    key = "topic" if "topic" in raw else "source"
    return {**raw, key: raw[key].replace("contosoimport", account)}


async def test_an_account_that_no_pipeline_uses_is_not_asked(corridor: Corridor) -> None:
    cloud = corridor.cloud
    cloud.world.add_storage_account("fabrikamstorage")
    await cloud.create_container("fabrikamstorage", "transfer")
    await cloud.put_blob("fabrikamstorage", "transfer", "images.tar")
    raw = of_account(corridor.file("blob-put-blob"), "fabrikamstorage")
    assert (await corridor.blob_event(raw)).findings == ()
    assert data_requests(cloud, "fabrikamstorage") == []
    assert await corridor.state() == {}
    # Named in STORAGE_ACCOUNTS it is.
    account = cloud.world.storage_accounts["fabrikamstorage"]
    monitor = await corridor.another(STORAGE_ACCOUNTS=account.id)
    await corridor.blob_event(raw, monitor)
    assert data_requests(cloud, "fabrikamstorage") == ["/transfer/images.tar"]


async def test_the_same_account_name_in_another_group_is_not_named(corridor: Corridor) -> None:
    cloud = corridor.cloud
    account = cloud.world.add_storage_account("fabrikamstorage")
    monitor = await corridor.another(STORAGE_ACCOUNTS=account.id.replace("/transfer/", "/elsewhere/"))
    await corridor.blob_event(of_account(corridor.file("blob-put-blob"), "fabrikamstorage"), monitor)
    assert data_requests(cloud, "fabrikamstorage") == []


async def test_nothing_in_an_event_is_an_address(corridor: Corridor) -> None:
    await landed(corridor)
    raw = corridor.file("blob-put-blob")
    raw["data"]["url"] = "https://fabrikamstorage.blob.core.windows.net/other/evil.tar"
    corridor.cloud.world.add_storage_account("fabrikamstorage")
    await corridor.blob_event(raw)
    assert data_requests(corridor.cloud, "fabrikamstorage") == []
    assert data_requests(corridor.cloud, "contosoimport")[0] == "/transfer/images.tar"
    run = await corridor.export("transfer01")
    run["data"]["resourceUri"] = run["data"]["authorization"]["scope"] = f"{run['subject']}else"
    await corridor.run_event(run)
    assert corridor.rows[-1]["RunName"] == "transfer01"
    assert not [request for request in corridor.cloud.requests if request.path.endswith("transfer01else")]


async def test_a_blob_that_is_gone_is_no_fault(corridor: Corridor) -> None:
    assert (await corridor.blob_event(corridor.file("blob-put-blob"))).findings == ()
    await corridor.cloud.delete_container("contosoimport", "transfer")
    assert (await corridor.blob_event(corridor.file("blob-put-blob"))).findings == ()
    assert corridor.rows == []
    assert await corridor.state() == {}


async def test_a_late_event_of_an_earlier_form_makes_the_present_one_no_older(corridor: Corridor) -> None:
    late = corridor.file("blob-put-blob") | {"eventTime": iso(datetime.now(UTC) - timedelta(hours=2))}
    await landed(corridor)
    await corridor.blob_event(late)
    assert "ACRT507" not in corridor.rules
    [expected] = (await corridor.state("expectations/")).values()
    written = parse_time(corridor.row("ACRT510")["BlobLastModified"])
    assert parse_time(expected["waitingSince"]) == written
    assert corridor.alerts == []


async def test_a_container_that_nobody_watches(corridor: Corridor) -> None:
    cloud = corridor.cloud
    await cloud.create_container("contosoimport", "elsewhere")
    raw = corridor.file("blob-put-blob")
    raw["subject"] = raw["subject"].replace("/transfer/", "/elsewhere/")
    await cloud.put_blob("contosoimport", "elsewhere", "images.tar")
    await corridor.blob_event(raw)
    assert corridor.rules == [], "it does not say that it is a transfer"
    await cloud.put_blob("contosoimport", "elsewhere", "images.tar", metadata={"category": "acr-transfer-blob"})
    await corridor.blob_event(raw)
    assert corridor.rules == ["ACRT508"]
    assert await corridor.state("expectations/") == {}


# --- trouble ------------------------------------------------------------------------------------------------

TRANSIENT: Final[dict[str, FaultAction]] = {
    "429": Status(429),
    "500": Status(500),
    "503": Status(503, {"x-ms-error-code": "ServerBusy"}),
    "reset": Reset(),
}


@pytest.mark.parametrize("name", TRANSIENT)
async def test_a_blob_that_cannot_be_had_for_now_raises(corridor: Corridor, name: str) -> None:
    await landed(corridor)
    corridor.break_down("storage", TRANSIENT[name], "/transfer/images.tar")
    with pytest.raises(TransientError):
        await corridor.blob_event(corridor.file("blob-put-blob"))
    assert corridor.rows == []
    assert await corridor.state() == {}
    corridor.heal()
    await corridor.blob_event(corridor.file("blob-put-blob"))
    assert corridor.rules == ["ACRT510"]


async def test_a_blob_that_may_not_be_read_is_said(corridor: Corridor) -> None:
    await landed(corridor)
    world = corridor.cloud.world
    world.access.revoke(world.monitor.id, "Storage Blob Data Reader")
    await corridor.blob_event(corridor.file("blob-put-blob"))
    missing = corridor.row("ACRT901")
    assert missing["Evidence"]["right"].endswith("/containers/blobs/read")
    assert missing["Evidence"]["target"] == "contosoimport/transfer/images.tar"
    assert {"ACRT503", "ACRT505", "ACRT506"} <= set(missing["Evidence"]["rules"])
    assert corridor.row("ACRT510")["Outcome"] == "Unknown", "never a pass"


async def test_pipelines_that_cannot_be_listed_are_an_open_end_and_no_all_clear(corridor: Corridor) -> None:
    await landed(corridor)
    corridor.break_down("arm", Status(403, body='{"error":{"code":"AuthorizationFailed"}}'), "/importpipelines")
    corridor.cloud.faults.append(
        Fault("arm", lambda request: request.path.lower().endswith("/exportpipelines"), Status(403))
    )
    await corridor.blob_event(corridor.file("blob-put-blob"))
    assert set(corridor.rules) == {"ACRT901"}
    assert data_requests(corridor.cloud, "contosoimport") == [], "no known pipeline uses the account"


@pytest.mark.parametrize("answer", [MalformedJson(b'{"nothing": 1}'), MalformedJson(), Truncate()], ids=repr)
async def test_a_list_that_is_none_is_no_empty_list(corridor: Corridor, answer: FaultAction) -> None:
    await landed(corridor)
    corridor.break_down("arm", answer, "pipelines")
    await corridor.blob_event(corridor.file("blob-put-blob"))
    assert set(corridor.rules) == {"ACRT901"}


@pytest.mark.parametrize("path", ["/acr-transfer-monitor/expectations/", "/acr-transfer-monitor/conditions/"])
async def test_a_blob_whose_findings_or_import_cannot_be_remembered_raises(corridor: Corridor, path: str) -> None:
    await landed(corridor, metadata={})
    corridor.break_down("storage", Status(403), path)
    with pytest.raises(NotStored):
        await corridor.blob_event(corridor.file("blob-put-blob"))
    corridor.heal()
    await corridor.blob_event(corridor.file("blob-put-blob"))
    assert len(await corridor.state("expectations/")) == 1
    assert len(corridor.alerts) == 1


async def test_no_row_is_stored_of_a_blob_whose_condition_can_not_be_kept(corridor: Corridor) -> None:
    await landed(corridor, metadata={}, content_md5=False)
    corridor.break_down("storage", Status(503), "conditions/")
    with pytest.raises(TransientError):
        await corridor.blob_event(corridor.file("blob-put-blob"))
    # Replaced by a good one before the event comes again, it would stay open for ever.
    assert corridor.rows == []
    corridor.heal()
    await landed(corridor)
    await corridor.blob_event(corridor.file("blob-put-blob"))
    assert corridor.rules == ["ACRT510"]
    assert corridor.alerts == []
