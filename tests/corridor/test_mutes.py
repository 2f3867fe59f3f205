"""Mutes: written and not told, until the day that was named."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from localcloud.service import Status
from shared.findings.finding import Finding, State
from shared.monitor import Monitor
from shared.mutes import apply_mutes, matches, muted_by
from shared.settings import Mute
from tests.corridor.conftest import Corridor
from tests.corridor.time_travel import conditions_opened, forget_rhythms, mutes_ended, rows_of, told

NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
WHY: Final = "the vault moves this week"


def mute(**fields: Any) -> Mute:
    """A mute with these patterns."""
    patterns: dict[str, Any] = {
        "rule": "",
        "registry": "",
        "pipeline": "",
        "blob": "",
        "reason": WHY,
        "until": NOW + timedelta(days=1),
    }
    return Mute(**patterns | fields)


def finding(**fields: Any) -> Finding:
    """A finding about a pipeline."""
    source: dict[str, Any] = {
        "time_generated": NOW,
        "finding_id": "id",
        "finding_key": "key",
        "rule_id": "ACRT201",
        "rule_name": "vault-access-denied",
        "area": "KeyVault",
        "severity": "High",
        "severity_rank": 3,
        "outcome": "Fail",
        "state": State.OPEN,
        "role": "RootCause",
        "confidence": "Confirmed",
        "triggered_by": "Sweep",
        "summary": "denied",
        "registry_id": "/subscriptions/s/resourcegroups/g/providers/microsoft.containerregistry/registries/contosohub",
        "registry_name": "contosohub",
        "pipeline_name": "exportpipe",
    }
    return Finding(**source | fields)


@pytest.mark.parametrize(
    ("patterns", "fits"),
    [
        ({}, True),
        ({"rule": "acrt201"}, True),
        ({"rule": "vault-*"}, True),
        ({"rule": "ACRT2*", "registry": "ContosoHub"}, True),
        ({"registry": "*/registries/contosohub"}, True),
        ({"rule": "ACRT301"}, False),
        ({"rule": "ACRT201", "registry": "contosoedge"}, False),
        ({"pipeline": "import*"}, False),
        ({"blob": "*"}, False),
    ],
)
def test_every_pattern_has_to_fit(patterns: dict[str, str], fits: bool) -> None:
    assert matches(mute(**patterns), finding()) is fits


def test_blobs_are_named_with_their_container() -> None:
    about = finding(container_name="transfer", blob_name="a/b.log")
    assert matches(mute(blob="transfer/*.log"), about)
    assert not matches(mute(blob="b.log"), about)


def test_a_bracket_in_a_pattern_is_a_bracket() -> None:
    nightly = finding(container_name="in", blob_name="nightly[1].tar")
    other = finding(container_name="in", blob_name="nightly1.tar")
    for pattern in ("in/nightly[1].tar", "in/*[1].*"):
        assert matches(mute(blob=pattern), nightly)
        assert not matches(mute(blob=pattern), other)


def test_the_longest_mute_counts_and_none_that_has_ended() -> None:
    soon, late, over = (mute(until=NOW + timedelta(days=days)) for days in (1, 9, -1))
    assert muted_by(finding(), [soon, late, over], NOW) == late
    assert muted_by(finding(), [over, mute(until=NOW)], NOW) is None
    muted = apply_mutes(finding(), [late])
    assert (muted.state, muted.evidence["muteReason"]) == (State.MUTED, WHY)
    resolved = finding(state=State.RESOLVED)
    assert apply_mutes(resolved, [late]) is resolved


async def muting(corridor: Corridor, rule: str, until: str = "2035-01-01") -> Monitor:
    """A function app with a mute."""
    return await corridor.another(MUTES=json.dumps([{"rule": rule, "until": until, "reason": WHY}]))


async def test_what_is_muted_is_written_with_the_reason_and_told_after_its_end(corridor: Corridor) -> None:
    monitor = await muting(corridor, "vault-*")
    await corridor.run_event(await corridor.failed_export("failing"), monitor)
    [muted] = rows_of(corridor, "ACRT201")
    assert (muted["State"], muted["Evidence"]["muteReason"]) == ("Muted", WHY)
    await corridor.sweep(monitor)
    assert told(corridor) == []
    # The end of the mute in the settings is what counts.
    await mutes_ended(corridor)
    ended = await muting(corridor, "vault-*", "2020-01-01")
    await corridor.sweep(ended)
    await corridor.sweep(ended)
    assert told(corridor) == [("Opened", "ACRT201")]
    again = rows_of(corridor, "ACRT201")[-1]
    assert (again["State"], again["FindingId"]) == ("Open", muted["FindingId"])


async def test_a_mute_that_was_prolonged_goes_on(corridor: Corridor) -> None:
    monitor = await muting(corridor, "vault-*")
    await corridor.run_event(await corridor.failed_export("failing"), monitor)
    await mutes_ended(corridor)
    await corridor.sweep(monitor)
    assert told(corridor) == []
    assert {row["State"] for row in rows_of(corridor, "ACRT201")} == {"Muted"}
    [record] = [r for r in (await corridor.state("conditions/")).values() if r["ruleId"] == "ACRT201"]
    assert record["mutedUntil"].startswith("2035-01-01")


@pytest.mark.parametrize("other", ["", "ACRT301"])
async def test_a_mute_that_was_lifted_is_heard_of_at_the_next_sweep(corridor: Corridor, other: str) -> None:
    monitor = await muting(corridor, "vault-*")
    await corridor.run_event(await corridor.failed_export("failing"), monitor)
    await corridor.sweep(monitor)
    assert told(corridor) == []
    lifted = await muting(corridor, other) if other else corridor.monitor
    await corridor.sweep(lifted)
    await corridor.sweep(lifted)
    assert told(corridor) == [("Opened", "ACRT201")]
    last = rows_of(corridor, "ACRT201")[-1]
    assert last["State"] == "Open"
    assert "muteReason" not in last["Evidence"]


async def test_another_mute_that_fits_keeps_it_muted_and_is_read_once(corridor: Corridor) -> None:
    monitor = await muting(corridor, "vault-*")
    await corridor.run_event(await corridor.failed_export("failing"), monitor)
    changed = await muting(corridor, "ACRT201", "2036-01-01")
    await corridor.sweep(changed)
    assert told(corridor) == []
    [record] = [r for r in (await corridor.state("conditions/")).values() if r["ruleId"] == "ACRT201"]
    assert record["mutedUntil"].startswith("2036-01-01")
    corridor.cloud.requests.clear()
    await corridor.sweep(changed)
    paths = [request.path for request in corridor.cloud.requests if request.method == "GET"]
    assert not [path for path in paths if record["findingKey"] in path], "the list alone tells that it is muted"


async def test_what_is_over_while_it_is_muted_is_resolved_without_an_alert(corridor: Corridor) -> None:
    monitor = await muting(corridor, "vault-*")
    await corridor.run_event(await corridor.failed_export("failing"), monitor)
    corridor.cloud.world.grant_secret_get(corridor.scenario.vault, corridor.scenario.export_pipeline)
    await corridor.run_event(await corridor.export("working"), monitor)
    await corridor.sweep(monitor)
    assert rows_of(corridor, "ACRT201")[-1]["State"] == "Resolved"
    assert corridor.alerts == []
    assert await corridor.state("conditions/") == {}


async def test_a_missing_right_that_was_muted_is_told_after_the_mute(corridor: Corridor) -> None:
    monitor = await muting(corridor, "ACRT901")
    corridor.break_down("arm", Status(403), "contosoedge", "pipelineruns")
    await corridor.sweep(monitor)
    assert {row["State"] for row in rows_of(corridor, "ACRT901")} == {"Muted"}
    await conditions_opened(corridor, timedelta(hours=3))
    await corridor.sweep(monitor)
    assert told(corridor) == []
    await mutes_ended(corridor)
    for _ in range(2):
        await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT901")]


async def test_what_was_told_before_it_was_muted_is_shown_as_muted_and_told_no_more(corridor: Corridor) -> None:
    await corridor.run_event(await corridor.export("failing", "no/such:1.0"))
    monitor = await muting(corridor, "*")
    for _ in range(2):
        await corridor.sweep(monitor)
        assert [row["State"] for row in rows_of(corridor, "ACRT601")] == ["Open", "Muted"]
    assert rows_of(corridor, "ACRT601")[-1]["Evidence"]["muteReason"] == WHY
    await conditions_opened(corridor, timedelta(hours=13))
    await forget_rhythms(corridor)
    await corridor.sweep(monitor)
    assert [row["State"] for row in rows_of(corridor, "ACRT601")] == ["Open", "Muted", "Muted"]
    # Its end is written, and told to nobody.
    await corridor.run_event(await corridor.export("working"), monitor)
    await corridor.sweep(monitor)
    assert rows_of(corridor, "ACRT601")[-1]["State"] == "Resolved"
    assert told(corridor) == [("Opened", "ACRT601")]


async def test_what_was_muted_after_it_was_told_is_open_again_after_the_mute(corridor: Corridor) -> None:
    await corridor.run_event(await corridor.export("failing", "no/such:1.0"))
    await corridor.sweep(await muting(corridor, "ACRT601"))
    ended = await muting(corridor, "ACRT601", "2020-01-01")
    for _ in range(2):
        await corridor.sweep(ended)
    states = [row["State"] for row in rows_of(corridor, "ACRT601")]
    assert states == ["Open", "Muted", "Open"]
    assert "muteReason" not in rows_of(corridor, "ACRT601")[-1]["Evidence"]
    await corridor.run_event(await corridor.export("working"))
    await corridor.sweep(ended)
    assert told(corridor) == [("Opened", "ACRT601"), ("Resolved", "ACRT601")]


async def test_an_alert_that_waits_is_not_told_while_it_is_muted(corridor: Corridor) -> None:
    corridor.break_down("topic", Status(503))
    await corridor.run_event(await corridor.export("failing", "no/such:1.0"))
    corridor.heal()
    await conditions_opened(corridor, timedelta(minutes=5))
    await corridor.sweep(await muting(corridor, "ACRT601"))
    assert told(corridor) == []
    assert rows_of(corridor, "ACRT601")[-1]["State"] == "Muted"
    for _ in range(2):
        await corridor.sweep()
    assert told(corridor) == [("Opened", "ACRT601")]
    assert rows_of(corridor, "ACRT601")[-1]["State"] == "Open"
