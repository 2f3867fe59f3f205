"""Which open conditions a sweep may have learnt the end of, as far as the labels in their listing tell.

Only their records are read, so that some thousand conditions that nothing has happened to cost one list.
"""

from __future__ import annotations

from datetime import datetime

from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Rule, Subject
from shared.sinks.condition_records import Condition, fails_runs, is_seen_by_a_blob, short, short_name
from shared.sweep_facts import SweepFacts
from shared.sweep_runs import STUCK
from shared.times import parse_time


class Touched:
    """What the sweep has learnt, by what labels have of it."""

    def __init__(self, facts: SweepFacts) -> None:
        self._facts = facts
        self._looked = {short(pipeline) for pipeline in facts.looked_pipelines}
        self._swept = {short(registry) for registry in facts.swept_registries}
        self._renewed = {short(pipeline) for pipeline in facts.renewed_secrets}
        self._successes = {short(pipeline): moment for pipeline, moment in facts.last_success.items()}
        self._succeeded = {short(run): moment for run, moment in facts.succeeded_runs.items()}
        self._failed = {short(run): short(pipeline) for run, pipeline in facts.failed_runs.items()}
        self._gone_blobs = {short_name(place.split("/", 2)[-1]) for place in facts.gone_blobs}
        self._imported = {
            (short(pipeline), short_name(name))
            for (pipeline, name), runs in facts.blob_runs.items()
            if any(run.succeeded for run in runs)
        }

    def may_have_ended(self, condition: Condition) -> bool:
        """Whether something was seen that may end the condition; what its label leaves out may have been."""
        if condition.finding_key in self._facts.healthy:
            return True
        rule = CATALOGUE.get(condition.rule_id)
        if rule is None or rule.subject is Subject.MONITOR:
            return self._has_an_open_path(condition)
        if is_seen_by_a_blob(rule):
            return self._is_settled(condition)
        return condition.pipeline in self._renewed or (fails_runs(rule) and self._has_succeeded(condition, rule))

    def _has_an_open_path(self, condition: Condition) -> bool:
        if condition.pipeline:
            return condition.pipeline in self._looked
        if condition.registry:
            return condition.registry in self._swept
        lists = self._facts.knows_all_pipelines or bool(self._facts.listed_subscriptions)
        return lists or bool(self._looked or self._swept)

    def _is_settled(self, condition: Condition) -> bool:
        if condition.blob is None:
            return bool(self._gone_blobs or self._imported)
        return condition.blob in self._gone_blobs or (condition.pipeline, condition.blob) in self._imported

    def _has_succeeded(self, condition: Condition, rule: Rule) -> bool:
        if condition.run is None:
            return bool(self._succeeded)
        again = self._succeeded.get(condition.run)
        # Of a write that left no run only a later run of its name may tell the pipeline.
        success = self._successes.get(condition.pipeline or self._failed.get(condition.run, ""))
        since = parse_time(condition.failed_at) or condition.opened_at
        return (again is not None and rule.id == STUCK) or _is_later(again, since) or _is_later(success, since)


def _is_later(moment: datetime | None, since: datetime | None) -> bool:
    return moment is not None and since is not None and moment > since
