"""Which blobs the source trigger takes up, and which it leaves without a word."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from localcloud import LocalCloud
from localcloud.scenario import Scenario, transfer_between
from localcloud.world import AccessMode

BLOB = "a.tar"


@pytest.fixture
async def landed(scenario: Scenario) -> Scenario:
    """A blob has been exported and copied, and waits in the import container."""
    await scenario.cloud.put_run(scenario.source, "export01", "exportpipe", artifacts=["hello-world"], blob=BLOB)
    await scenario.carry_over(BLOB)
    return scenario


async def test_a_good_blob_is_imported_once(landed: Scenario) -> None:
    cloud = landed.cloud
    landed.import_pipeline.options.clear()
    events = len(cloud.events)
    [name] = await cloud.poll_source_triggers()
    assert "_" in name
    run = await cloud.get_run(landed.target, name)
    assert run["properties"]["provisioningState"] == "Succeeded"
    assert run["properties"]["response"]["trigger"]["sourceTrigger"]["timestamp"]
    assert run["properties"]["response"]["source"]["uri"].endswith(f"/transfer/{BLOB}")
    assert landed.target.find("hello-world")
    assert len(cloud.events) == events, "no event tells of a run that the service started"
    assert await cloud.poll_source_triggers() == []
    await landed.carry_over(BLOB)
    assert len(await cloud.poll_source_triggers()) == 1, "new content under the old name is a new version"


Change = Callable[[Scenario], Awaitable[object] | None]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda s: s.carry_over(BLOB, content_md5=False), id="no-md5"),
        pytest.param(
            lambda s: s.cloud.put_blob(
                "contosoimport", "transfer", BLOB, metadata={"category": "acr-transfer-blob"}, content_md5=b"bad"
            ),
            id="bad-md5",
        ),
        pytest.param(lambda s: s.carry_over(BLOB, metadata={}), id="no-category"),
        pytest.param(lambda s: s.carry_over(BLOB, metadata={"category": "other"}), id="other-category"),
        pytest.param(
            lambda s: s.cloud.backdate_blob("contosoimport", "transfer", BLOB, timedelta(days=61)), id="too-old"
        ),
        pytest.param(
            lambda s: s.cloud.disguise_blob("contosoimport", "transfer", BLOB, {"x-ms-copy-status": "pending"}),
            id="copy-pending",
        ),
        pytest.param(lambda s: setattr(s.import_pipeline, "trigger_enabled", False), id="disabled"),
        pytest.param(lambda s: s.cloud.world.revoke_secret_get(s.vault, s.import_pipeline), id="no-vault"),
        pytest.param(lambda s: s.cloud.world.close_firewall(s.import_account), id="firewall"),
        pytest.param(
            lambda s: s.vault.set_secret("importsas", s.cloud.sas("contosoimport", "transfer", "rd")) and None,
            id="no-list",
        ),
    ],
)
async def test_what_the_rules_leave_out(landed: Scenario, change: Change) -> None:
    done = change(landed)
    if done is not None:
        await done
    assert await landed.cloud.poll_source_triggers() == []
    assert landed.target.runs == {}


async def test_page_blobs_are_left_out(landed: Scenario) -> None:
    cloud = landed.cloud
    await cloud.delete_blob("contosoimport", "transfer", BLOB)
    await cloud.put_blob(
        "contosoimport", "transfer", BLOB, metadata={"category": "acr-transfer-blob"}, blob_type="PageBlob"
    )
    assert await cloud.poll_source_triggers() == []


async def test_the_59th_day_is_early_enough(landed: Scenario) -> None:
    landed.cloud.backdate_blob("contosoimport", "transfer", BLOB, timedelta(days=59))
    assert len(await landed.cloud.poll_source_triggers()) == 1


async def test_a_manual_import_needs_none_of_it(landed: Scenario) -> None:
    await landed.carry_over(BLOB, content_md5=False, metadata={})
    landed.cloud.backdate_blob("contosoimport", "transfer", BLOB, timedelta(days=400))
    run = await landed.cloud.put_run(landed.target, "import01", "importpipe", blob=BLOB)
    assert run["properties"]["provisioningState"] == "Succeeded"


async def test_failed_imports_are_tried_again_if_the_world_says_so(landed: Scenario) -> None:
    cloud = landed.cloud
    landed.target.denies_transfers = True
    assert len(await cloud.poll_source_triggers()) == 1
    assert await cloud.poll_source_triggers() == []
    cloud.world.behaviour.retries_failed_sources = True
    await landed.carry_over(BLOB)
    assert len(await cloud.poll_source_triggers()) == 1
    assert len(await cloud.poll_source_triggers()) == 1


async def test_managed_identities_list_with_their_role(cloud: LocalCloud) -> None:
    scenario = await transfer_between(cloud, mode=AccessMode.MANAGED_IDENTITY)
    await cloud.put_run(scenario.source, "export01", "exportpipe", artifacts=["hello-world"], blob=BLOB)
    await scenario.carry_over(BLOB)
    assert scenario.import_pipeline.identity is not None
    cloud.world.access.revoke(scenario.import_pipeline.identity.id, "Storage Blob Data Contributor")
    assert await cloud.poll_source_triggers() == []
    cloud.world.grant_storage(scenario.import_account, scenario.import_pipeline)
    assert len(await cloud.poll_source_triggers()) == 1


async def test_polling_goes_on_in_the_background(landed: Scenario) -> None:
    landed.cloud.keep_polling(0.01)
    async with asyncio.timeout(60):
        while not landed.target.runs:  # noqa: ASYNC110  (no event tells of such a run)
            await asyncio.sleep(0.01)
