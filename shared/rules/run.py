"""Rules about the runs themselves: how each ended, and those that did not end or were never begun."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from shared.evidence.model import Evidence, Look
from shared.evidence.pieces import Unavailable
from shared.records.transfer import PipelineRun, RunOutcome
from shared.rules import remedies
from shared.rules.model import (
    Area,
    Description,
    Severity,
    Step,
    Subject,
    Verdict,
    failed,
    not_applicable,
    passed,
    rule,
    unknown,
    warned,
)
from shared.rules.references import lacking
from shared.rules.words import moment, run_words, sentence, shortened

ANY_RUN: Final = frozenset({Look.FAILED_RUN, Look.SUCCEEDED_RUN, Look.OTHER_RUN})
# A write that is reported later than this after its run's end is another one: it did nothing, or left no run.
RESUBMITTED_AFTER: Final = timedelta(minutes=5)


def _run_facts(run: PipelineRun) -> dict[str, Any]:
    took = run.finish_time - run.start_time if run.finish_time and run.start_time else None
    return {
        "provisioningState": run.provisioning_state,
        "responseStatus": run.status,
        "startTime": run.start_time,
        "finishTime": run.finish_time,
        "minutes": round(took / timedelta(minutes=1), 1) if took is not None else None,
        "artifacts": list(run.artifacts),
        "importedArtifacts": list(run.imported_artifacts) if run.imported_artifacts is not None else None,
        "catalogDigest": run.catalog_digest or None,
        "forceUpdateTag": run.force_update_tag or None,
    }


def _not_arrived(run: PipelineRun) -> tuple[str, ...]:
    """What was asked for and is not in the list of what was done; a list that is absent says nothing."""
    return lacking(run.artifacts, run.imported_artifacts) if run.imported_artifacts is not None else ()


def _took(facts: Mapping[str, object]) -> str:
    minutes = facts.get("minutes")
    if not isinstance(minutes, int | float):
        return ""
    return f" after {minutes:g} minutes" if minutes > 1 else " within a minute"


@rule(
    *("ACRT100", "run-succeeded"),
    area=Area.RUN,
    severity=Severity.INFO,
    subject=Subject.RUN,
    step=Step.AFTERWARDS,
    looks=ANY_RUN,
    causes=False,
)
def run_succeeded(evidence: Evidence) -> Verdict:
    """The run succeeded.

    What it checks: that both states of the run say so, ``provisioningState`` and ``response.status``, and that
    no artifact is known to be left out.

    Why it matters: it is the row that shows that transfers work, and that closes what an earlier failed run
    of the pipeline has opened.

    How we know: from the run itself, which is read again after every event.

    How to fix: nothing is wrong.

    What can make it wrong: a run with ``ContinueOnErrors`` may succeed and leave artifacts out without naming
    them.

    References: ACR Transfer, "Create PipelineRun"; REST reference, "Pipeline Runs - Get".
    """
    run = evidence.run
    if run is None or run.outcome is not RunOutcome.SUCCEEDED or _not_arrived(run):
        return not_applicable()
    return passed(**_run_facts(run))


@run_succeeded.described_by
def _run_succeeded(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    return Description(
        f"{sentence(run_words(evidence))} succeeded{_took(facts)}.",
        "Nothing has to be done.",
        "",
        remedies.show_run(evidence.names),
    )


@rule(
    *("ACRT101", "run-failed"),
    area=Area.RUN,
    severity=Severity.HIGH,
    subject=Subject.RUN,
    step=Step.AFTERWARDS,
    looks=ANY_RUN,
    causes=False,
)
def run_failed(evidence: Evidence) -> Verdict:
    """The run did not fail.

    What it checks: that neither state of the run says ``Failed``.

    Why it matters: what the run was to carry has not arrived, or only in part.

    How we know: from the run itself. Its cause stands in a row of its own, marked as the root cause.

    How to fix: repair the root cause, then run the transfer again. A run is only taken up again with a new
    name or a new ``forceUpdateTag``.

    What can make it wrong: nothing known.

    References: ACR Transfer troubleshooting, "Template deployment failures or errors".
    """
    run = evidence.run
    if run is None or run.outcome is not RunOutcome.FAILED:
        return not_applicable()
    return failed(**_run_facts(run))


@run_failed.described_by
def _run_failed(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    said = shortened(evidence.message.text).rstrip(".")
    return Description(
        f"{sentence(run_words(evidence))} failed{_took(facts)}{f': {said}' if said else ' without a message'}.",
        "Repair the root cause, which stands in a row of its own, then run the transfer again.",
        remedies.run_again(evidence),
        remedies.show_run(evidence.names),
    )


@rule(
    *("ACRT102", "run-canceled"),
    area=Area.RUN,
    severity=Severity.MEDIUM,
    subject=Subject.RUN,
    step=Step.AFTERWARDS,
    looks=ANY_RUN,
    causes=False,
)
def run_canceled(evidence: Evidence) -> Verdict:
    """The run was not canceled.

    What it checks: that neither state of the run says ``Canceled``.

    Why it matters: what the run was to carry has not arrived, or only in part, and nobody may know that it
    was stopped.

    How we know: from the run itself.

    How to fix: ask who stopped it and why; the activity log of the registry names the caller. Then run the
    transfer again.

    What can make it wrong: nothing known.

    References: REST reference, "Pipeline Runs - Get", on provisioning states.
    """
    run = evidence.run
    if run is None or run.outcome is not RunOutcome.CANCELED:
        return not_applicable()
    return warned(**_run_facts(run))


@run_canceled.described_by
def _run_canceled(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    return Description(
        f"{sentence(run_words(evidence))} was canceled{_took(facts)}.",
        "Ask who canceled it and why (the activity log of the registry names the caller), then run the transfer again.",
        remedies.run_again(evidence),
        remedies.show_run(evidence.names),
    )


@rule(
    *("ACRT103", "run-partial"),
    area=Area.RUN,
    severity=Severity.HIGH,
    subject=Subject.RUN,
    step=Step.AFTERWARDS,
    looks=ANY_RUN,
    causes=False,
)
def run_partial(evidence: Evidence) -> Verdict:
    """A run that succeeded carried every artifact that it was asked for.

    What it checks: the artifacts that the run was asked for against those that it lists as done. ``repo``
    means ``repo:latest``.

    Why it matters: with ``ContinueOnErrors`` a run goes on past an artifact that it can't carry, and still
    ends as a success.

    How we know: from the run's own list. A run without such a list says nothing either way.

    How to fix: look at the artifacts that are named as missing, then run the transfer again.

    What can make it wrong: an artifact that was asked for by tag and is listed by digest is taken for the
    same.

    References: ACR Transfer, on the option ContinueOnErrors; REST reference, "Pipeline Runs - Get".
    """
    run = evidence.run
    missing = _not_arrived(run) if run is not None and run.outcome is RunOutcome.SUCCEEDED else ()
    if run is None or not missing:
        return not_applicable()
    return failed(missing=list(missing), **_run_facts(run))


_NAMED_AT_MOST: Final = 5


@run_partial.described_by
def _run_partial(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    told = facts.get("missing")
    missing = [str(item) for item in told] if isinstance(told, list | tuple) else []
    some = ", ".join(missing[:_NAMED_AT_MOST])
    more = f" and {len(missing) - _NAMED_AT_MOST} more" if len(missing) > _NAMED_AT_MOST else ""
    asked = f"{len(evidence.run.artifacts)} artifacts" if evidence.run else "artifacts"
    return Description(
        f"{sentence(run_words(evidence))} succeeded without {len(missing) or 'some'} of its {asked}"
        f"{f': {some}{more}' if some else ''}.",
        "Check that these artifacts exist under exactly these names and that no tag of theirs was there already, then "
        "run the transfer again.",
        remedies.run_again(evidence),
        remedies.show_run(evidence.names),
    )


@rule(
    *("ACRT104", "run-stuck"),
    area=Area.RUN,
    severity=Severity.HIGH,
    subject=Subject.RUN,
    step=Step.AFTERWARDS,
    looks=frozenset({Look.OTHER_RUN}),
    causes=False,
)
def run_stuck(evidence: Evidence) -> Verdict:
    """The run ends in good time.

    What it checks: a run that is not over against its age, which may be ``RUN_STUCK_MINUTES`` at most. A
    state that nobody knows counts as not over.

    Why it matters: a transfer that hangs fails nowhere, so nobody is told.

    How we know: from the run's start, or from the time at which its resource was made.

    How to fix: look at its progress twice. If it stands still, start the transfer under a new name and write
    the blob under a new name too, so that the two do not meet.

    What can make it wrong: very large artifacts over a slow way: raise ``RUN_STUCK_MINUTES`` then.

    References: ACR Transfer troubleshooting, "Artifacts transfer problems".
    """
    run = evidence.run
    if run is None or run.outcome is not RunOutcome.NOT_OVER:
        return not_applicable()
    if run.began is None:
        return unknown(Unavailable("the run says neither when it started nor when it was made", by_choice=True))
    age = evidence.now - run.began
    if age <= evidence.limits.run_stuck_after:
        return passed(began=run.began)
    return failed(
        began=run.began,
        minutes=round(age / timedelta(minutes=1)),
        provisioningState=run.provisioning_state,
        responseStatus=run.status,
        progress=run.progress or None,
    )


@run_stuck.described_by
def _run_stuck(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    minutes, began, progress = facts.get("minutes"), moment(facts.get("began")), facts.get("progress")
    age = f" for {minutes} minutes (since {began})" if minutes and began else " for too long"
    done = f", at {progress} %" if progress else ""
    state = facts.get("responseStatus") or facts.get("provisioningState")
    return Description(
        f"{sentence(run_words(evidence))} has been running{age} and is not over{done}"
        f"{f', in state {state}' if state else ''}.",
        "Look at its progress now and in ten minutes. If it does not move, start the transfer as a new run with "
        "another blob name. If it moves, its artifacts are large: RUN_STUCK_MINUTES may be raised.",
        "",
        remedies.show_run(evidence.names),
    )


@rule(
    *("ACRT105", "run-not-resubmitted"),
    area=Area.RUN,
    severity=Severity.LOW,
    subject=Subject.RUN,
    step=Step.AFTERWARDS,
    looks=ANY_RUN,
    causes=False,
)
def run_not_resubmitted(evidence: Evidence) -> Verdict:
    """A run that was written again has run again.

    What it checks: whether an event of a write is more than five minutes younger than the end of a run that
    was diagnosed already.

    Why it matters: a write with the same properties and no new ``forceUpdateTag`` does nothing and reports
    success. Whoever wrote it believes that the transfer was repeated.

    How we know: from the time of the event and the end of the run.

    How to fix: run the transfer under a new name, or with a new ``forceUpdateTag``.

    What can make it wrong: an event that was delivered hours late; a write that only changed tags.

    References: ACR Transfer, "Redeploy PipelineRun resource".
    """
    written, ended = evidence.event_time, evidence.diagnosed_until
    if evidence.run is None or written is None or ended is None:
        return not_applicable()
    if written - ended <= RESUBMITTED_AFTER:
        return passed(writtenAt=written)
    return warned(writtenAt=written, endedAt=ended)


@run_not_resubmitted.described_by
def _run_not_resubmitted(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    written = moment(facts.get("writtenAt") or evidence.event_time)
    ended = moment(facts.get("endedAt") or evidence.diagnosed_until)
    return Description(
        f"{sentence(run_words(evidence))} was written again{f' at {written}' if written else ''} and did not run again"
        f"{f': it is still the run that ended at {ended}' if ended else ''}.",
        "If the transfer was to be repeated, run it under a new name or with a new forceUpdateTag; a write without "
        "either does nothing.",
        remedies.run_again(evidence),
        remedies.show_run(evidence.names),
    )


@rule(
    *("ACRT106", "run-gone"),
    area=Area.RUN,
    severity=Severity.LOW,
    subject=Subject.RUN,
    step=Step.AFTERWARDS,
    looks=ANY_RUN,
    causes=False,
)
def run_gone(evidence: Evidence) -> Verdict:
    """The run could be read before it was deleted.

    What it checks: whether a run whose write succeeded is still there when the monitor reads it.

    Why it matters: a failed run takes its message along when it is deleted, and its cause can't be told any
    more.

    How we know: Azure Resource Manager answers that there is no such run, although its write was reported.

    How to fix: nothing, for this run. Clean-up that deletes failed runs should wait until they were looked
    at.

    What can make it wrong: nothing known.

    References: ACR Transfer, "Delete ACR Transfer resources"; ``az acr pipeline-run clean``.
    """
    lost = evidence.lost_write
    if lost is None or lost.rejected:
        return not_applicable()
    return warned(correlationId=lost.correlation_id)


@run_gone.described_by
def _run_gone(evidence: Evidence, _facts: Mapping[str, object]) -> Description:
    return Description(
        f"{sentence(run_words(evidence))} was deleted before it could be read, so nothing is known of how it ended.",
        "If runs are deleted by a job, let it wait for a few minutes after they end: what went wrong stands in the run "
        "and nowhere else.",
        "",
        remedies.list_runs(evidence.names),
    )
