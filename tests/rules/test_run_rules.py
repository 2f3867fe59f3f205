"""Runs, and the pipeline and registry behind them: what fails, what passes, and what can't be told."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from shared.evidence.message import read_message
from shared.evidence.model import Evidence, Limits, Look, LostWrite
from shared.evidence.pieces import Missing, Unavailable
from shared.records.transfer import Direction, Identity, PipelineRun
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Confidence, Outcome
from tests.rules.builders import (
    NOW,
    REGISTRY_ID,
    SIGNATURE,
    assert_pasteable,
    described,
    evidence,
    pipeline,
    registry,
    run,
)

FAIL, WARN, PASS = Outcome.FAIL, Outcome.WARN, Outcome.PASS
UNKNOWN, ELSEWHERE = Outcome.UNKNOWN, Outcome.NOT_APPLICABLE
MINUTE: Final = timedelta(minutes=1)
DENIED: Final = Unavailable("not allowed", REGISTRY_ID, "Microsoft.ContainerRegistry/registries/read")
OUTWARD: Final = pipeline(direction=Direction.EXPORT)
FAILED: Final[dict[str, Any]] = {"provisioning_state": "Failed", "status": "Failed"}
RUNNING: Final[dict[str, Any]] = {"provisioning_state": "Succeeded", "status": "Running", "finish_time": None}
ROWS: Final = ("ACRT100", "ACRT101", "ACRT102", "ACRT103")
LOOK_OF: Final = {"ACRT101": Look.FAILED_RUN, "ACRT102": Look.OTHER_RUN}
DIGEST: Final = "sha256:" + "a" * 64


def of_run(known: PipelineRun, look: Look = Look.SUCCEEDED_RUN, **changes: Any) -> Evidence:
    found = pipeline(direction=known.direction) if known.direction else pipeline()
    changes = {"pipeline": found, "direction": known.direction, **changes}
    return evidence(look=look, run=known, message=read_message(known.error_message), **changes)


@pytest.mark.parametrize(
    ("known", "row", "outcome"),
    [
        (run(), "ACRT100", PASS),
        (run(status=""), "ACRT100", PASS),
        (run(artifacts=("app",)), "ACRT100", PASS),
        (run(artifacts=("app",), imported_artifacts=("app:latest",)), "ACRT100", PASS),
        (run(artifacts=("app:1",), imported_artifacts=(f"app@{DIGEST}",)), "ACRT100", PASS),
        (run(imported_artifacts=("app:1",)), "ACRT100", PASS),
        (run(**FAILED), "ACRT101", FAIL),
        (run(provisioning_state="Failed", status="Succeeded"), "ACRT101", FAIL),
        (run(**FAILED, artifacts=("app",), imported_artifacts=()), "ACRT101", FAIL),
        (run(provisioning_state="Canceled", status="Running"), "ACRT102", WARN),
        (run(artifacts=("app:1", "base"), imported_artifacts=("app:1",)), "ACRT103", FAIL),
        (run(artifacts=("app:1",), imported_artifacts=()), "ACRT103", FAIL),
    ],
)
def test_every_ended_run_has_exactly_one_row(known: PipelineRun, row: str, outcome: Outcome) -> None:
    seen = of_run(known, LOOK_OF.get(row, Look.SUCCEEDED_RUN))
    verdicts = {rule_id: CATALOGUE[rule_id](seen).outcome for rule_id in ROWS}
    assert verdicts == {rule_id: outcome if rule_id == row else ELSEWHERE for rule_id in ROWS}
    description = described(CATALOGUE[row], seen)
    assert "'nightly'" in description.summary
    assert "'inward'" in description.summary
    assert "'contoso'" in description.summary


@pytest.mark.parametrize("known", [run(**RUNNING), run(status="Verifying"), run(provisioning_state="")])
def test_a_run_that_is_not_over_has_no_row(known: PipelineRun) -> None:
    assert {CATALOGUE[rule_id](of_run(known, Look.OTHER_RUN)).outcome for rule_id in ROWS} == {ELSEWHERE}


def test_what_is_missing_is_named_and_not_without_end() -> None:
    asked = tuple(f"app{number}:1" for number in range(8))
    seen = of_run(run(direction=Direction.EXPORT, artifacts=asked, imported_artifacts=()))
    summary = described(CATALOGUE["ACRT103"], seen).summary
    assert "without 8 of its 8 artifacts: app0:1, app1:1, app2:1, app3:1, app4:1 and 3 more." in summary


def test_a_failed_run_shows_its_message_without_secrets_and_can_be_run_again() -> None:
    text = f"Failed to access storage.\n https://x/y?sv=1&sig={SIGNATURE}&se=2  403 Forbidden."
    known = run(**FAILED, error_message=text, direction=Direction.EXPORT, artifacts=("app:1", "base"))
    seen = of_run(known, Look.FAILED_RUN)
    description = CATALOGUE["ACRT101"].describe(seen, CATALOGUE["ACRT101"](seen).facts)
    assert "failed after 10 minutes: Failed to access storage. https://x/y" in description.summary
    assert SIGNATURE not in f"{description}"
    words = shlex.split(description.fix_command)
    assert words[words.index("--artifacts") + 1 :] == ["app:1", "base"]
    assert "--force-redeploy" in words
    silent = described(CATALOGUE["ACRT101"], of_run(run(**FAILED), Look.FAILED_RUN))
    assert "without a message" in silent.summary


@pytest.mark.parametrize(
    ("known", "outcome"),
    [
        (run(**RUNNING, start_time=NOW - 121 * MINUTE), FAIL),
        (run(**RUNNING, start_time=NOW - 120 * MINUTE), PASS),
        (run(**RUNNING, start_time=None, created_at=NOW - 121 * MINUTE), FAIL),
        (run(**RUNNING, start_time=None, created_at=None), UNKNOWN),
        (run(start_time=NOW - 500 * MINUTE), ELSEWHERE),
        (run(provisioning_state="Canceled", start_time=NOW - 500 * MINUTE), ELSEWHERE),
    ],
)
def test_stuck_runs(known: PipelineRun, outcome: Outcome) -> None:
    seen = of_run(known, Look.OTHER_RUN)
    verdict = CATALOGUE["ACRT104"](seen)
    assert verdict.outcome is outcome
    if outcome is FAIL:
        description = described(CATALOGUE["ACRT104"], seen)
        assert "'nightly'" in description.summary
        assert "for 121 minutes (since 2026-11-23 07:59 UTC)" in description.summary
        assert description.fix_command == ""
    if verdict.missing:
        assert verdict.missing.by_choice


def test_how_long_a_run_may_take_is_a_setting() -> None:
    seen = of_run(run(**RUNNING), Look.OTHER_RUN, limits=Limits(run_stuck_after=30 * MINUTE))
    assert CATALOGUE["ACRT104"](seen).outcome is FAIL


@pytest.mark.parametrize(
    ("written", "ended", "outcome"),
    [
        (NOW, NOW - 6 * MINUTE, WARN),
        (NOW, NOW - 5 * MINUTE, PASS),
        (NOW - MINUTE, NOW, PASS),
        (None, NOW, ELSEWHERE),
        (NOW, None, ELSEWHERE),
    ],
)
def test_writes_that_ran_nothing(written: Any, ended: Any, outcome: Outcome) -> None:
    seen = of_run(run(), event_time=written, diagnosed_until=ended)
    assert CATALOGUE["ACRT105"](seen).outcome is outcome
    if outcome is WARN:
        description = described(CATALOGUE["ACRT105"], seen)
        assert "'nightly'" in description.summary
        assert "09:54 UTC" in description.summary
        assert "--force-redeploy" in description.fix_command


@pytest.mark.parametrize(
    ("lost", "gone", "rejected"),
    [
        (None, ELSEWHERE, ELSEWHERE),
        (LostWrite(False, "c0ffee", run_name="Nightly"), WARN, ELSEWHERE),
        (LostWrite(True, "c0ffee", "InvalidTemplate", run_name="Nightly"), ELSEWHERE, FAIL),
    ],
)
def test_writes_that_left_no_run(lost: LostWrite | None, gone: Outcome, rejected: Outcome) -> None:
    seen = Evidence(NOW, Look.OTHER_RUN, registry_id=REGISTRY_ID, lost_write=lost)
    assert CATALOGUE["ACRT106"](seen).outcome is gone
    assert CATALOGUE["ACRT110"](seen).outcome is rejected
    if gone is WARN:
        assert "'Nightly' of registry 'contoso'" in described(CATALOGUE["ACRT106"], seen).summary
    if rejected is FAIL:
        description = described(CATALOGUE["ACRT110"], seen)
        assert "'Nightly' of registry 'contoso'" in description.summary
        assert "correlation id c0ffee): InvalidTemplate." in description.summary
        assert "--correlation-id c0ffee" in description.verify_command


@pytest.mark.parametrize(
    ("rule_id", "changes", "outcome"),
    [
        ("ACRT113", {}, PASS),
        ("ACRT113", {"pipeline": Missing("it")}, FAIL),
        ("ACRT113", {"pipeline": DENIED}, UNKNOWN),
        ("ACRT114", {}, PASS),
        ("ACRT114", {"pipeline": pipeline(provisioning_state="succeeded")}, PASS),
        ("ACRT114", {"pipeline": pipeline(provisioning_state="Failed")}, FAIL),
        ("ACRT114", {"pipeline": pipeline(provisioning_state="Canceled")}, FAIL),
        ("ACRT114", {"pipeline": pipeline(provisioning_state="Deleting")}, FAIL),
        ("ACRT114", {"pipeline": pipeline(provisioning_state="Updating")}, WARN),
        ("ACRT114", {"pipeline": pipeline(provisioning_state="")}, UNKNOWN),
        ("ACRT114", {"pipeline": DENIED}, UNKNOWN),
        ("ACRT114", {"pipeline": Missing("it")}, ELSEWHERE),
        ("ACRT115", {}, PASS),
        ("ACRT115", {"registry": registry(sku="premium")}, PASS),
        ("ACRT115", {"registry": registry(sku="Standard")}, FAIL),
        ("ACRT115", {"registry": registry(sku="")}, UNKNOWN),
        ("ACRT115", {"registry": DENIED}, UNKNOWN),
        ("ACRT115", {"registry": Missing("it")}, ELSEWHERE),
        ("ACRT116", {"registry": registry(export_policy="disabled")}, ELSEWHERE),
        ("ACRT116", {"pipeline": OUTWARD}, PASS),
        ("ACRT116", {"pipeline": OUTWARD, "registry": registry(export_policy="")}, PASS),
        ("ACRT116", {"pipeline": OUTWARD, "registry": registry(export_policy="Disabled")}, FAIL),
        ("ACRT116", {"pipeline": OUTWARD, "registry": DENIED}, UNKNOWN),
        ("ACRT116", {"pipeline": DENIED, "direction": None}, UNKNOWN),
        ("ACRT116", {"pipeline": Missing("it"), "direction": Direction.EXPORT}, PASS),
    ],
)
def test_pipelines_and_registries(rule_id: str, changes: dict[str, Any], outcome: Outcome) -> None:
    seen = evidence(look=Look.FAILED_RUN, run=run(**FAILED), **changes)
    verdict = CATALOGUE[rule_id](seen)
    assert verdict.outcome is outcome
    assert (verdict.missing is not None) == (outcome is UNKNOWN)
    if outcome in {FAIL, WARN}:
        summary = described(CATALOGUE[rule_id], seen).summary
        assert "'inward'" in summary or "'outward'" in summary
        assert "'contoso'" in summary


def test_a_pipeline_that_is_not_ready_is_a_likely_cause_and_written_again_only_if_that_is_safe() -> None:
    rule = CATALOGUE["ACRT114"]
    seen = evidence(pipeline=replace(OUTWARD, provisioning_state="Failed"))
    assert rule(seen).confidence is Confidence.LIKELY
    fix = shlex.split(described(rule, seen).fix_command)
    assert fix[:4] == ["az", "acr", "export-pipeline", "create"]
    assert "--source-trigger-enabled" not in fix
    for known in (
        replace(OUTWARD, provisioning_state="Deleting"),
        replace(OUTWARD, provisioning_state="Updating"),
        replace(OUTWARD, provisioning_state="Failed", identity=Identity("userAssigned", "", ("x",))),
    ):
        assert described(rule, evidence(pipeline=known)).fix_command == ""


@pytest.mark.parametrize("rule_id", ["ACRT111", "ACRT112", "ACRT117", "ACRT118", "ACRT199"])
def test_what_only_a_message_tells_has_no_live_check(rule_id: str) -> None:
    assert CATALOGUE[rule_id](of_run(run(**FAILED), Look.FAILED_RUN)).outcome is ELSEWHERE


CALLER: Final = "cccccccc-0000-0000-0000-000000000003"
IDENTITY_ID: Final = (
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/transfer"
)
NOT_AUTHORIZED: Final = (
    f"AuthorizationFailed: The client 'x' with object id '{CALLER}' does not have authorization to perform action "
    "'Microsoft.ContainerRegistry/registries/pipelineRuns/write' over scope '/s' or the scope is invalid."
)
LINKED: Final = (
    f"LinkedAuthorizationFailed: The client 'x' with object id '{CALLER}' has permission to perform action "
    "'Microsoft.ContainerRegistry/registries/importPipelines/write' on scope '/s'; however, it does not have "
    "permission to perform action 'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action' on the linked "
    f"scope(s) '{IDENTITY_ID}'."
)


@pytest.mark.parametrize(
    ("rule_id", "message", "said"),
    [
        ("ACRT111", NOT_AUTHORIZED, f"The caller (object id {CALLER}) of import run 'nightly'"),
        (
            "ACRT112",
            LINKED,
            f"lacks the action Microsoft.ManagedIdentity/userAssignedIdentities/assign/action on {IDENTITY_ID}",
        ),
        ("ACRT112", "LinkedAuthorizationFailed", "lacks a right on a resource"),
        ("ACRT117", "Failed to access storage. ServerBusy (503)", "was busy"),
        ("ACRT118", "Access to contoso.azurecr.io was denied", "registry 'contoso', whose public network access is"),
        ("ACRT199", "Something went sideways", "for a cause that neither"),
    ],
)
def test_messages_in_words(rule_id: str, message: str, said: str) -> None:
    seen = of_run(run(**FAILED, error_message=message), Look.FAILED_RUN)
    description = CATALOGUE[rule_id].describe(seen, {})
    assert_pasteable(description)
    assert said in description.summary
    assert "nightly" in description.summary


def test_no_command_grants_anything_to_whom_a_message_names() -> None:
    for rule_id, message in (("ACRT111", NOT_AUTHORIZED), ("ACRT112", LINKED)):
        seen = of_run(run(**FAILED, error_message=message), Look.FAILED_RUN)
        description = CATALOGUE[rule_id].describe(seen, {})
        assert description.fix_command == ""
        assert " list " in description.verify_command
    assert "Managed Identity Operator" in description.recommendation


def test_an_unknown_cause_is_handed_on_with_all_that_is_needed() -> None:
    known = run(**FAILED, error_message="Something went sideways.")
    seen = of_run(known, Look.FAILED_RUN)
    rule = CATALOGUE["ACRT199"]
    asks = rule.describe(seen, {"ruledOut": ["ACRT201", "ACRT301"], "correlationId": "c0ffee"}).recommendation
    for part in ("Something went sideways.", "ACRT201, ACRT301", "correlation id c0ffee", known.id):
        assert part in asks
    assert "the correlation id of this finding" in rule.describe(seen, {}).recommendation
    assert "left no message" in rule.describe(of_run(run(**FAILED), Look.FAILED_RUN), {}).recommendation
