"""Whether what a condition is about is still there, and still watched: a pipeline, a registry or a blob that is gone
raises nothing any more, and without this its conditions would stay open for ever.

A list that does not name a thing concludes nothing alone: the thing itself is asked for, and only the answer that it
is not there counts. So in a sweep in which everything is there a pipeline costs no read, and a blob one an hour. A
blob that waits for its import is judged where its container is listed (:mod:`shared.sweep_blobs`), any other one here:
one that a run has stumbled over, and a transfer blob that no pipeline reads.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from shared.addresses import BlobAddress
from shared.azure.registries import listed_subscription
from shared.errors import Gone, ServiceError, TransientError, UnknownHost
from shared.evidence.pieces import Missing
from shared.findings.builder import FindingBuilder, Occasion, TriggeredBy
from shared.findings.finding import Row
from shared.monitor import Monitor
from shared.resource_ids import (
    REGISTRY_PROVIDER,
    ResourceId,
    parse_pipeline_id,
    parse_registry_id,
    parse_resource_id,
)
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Rule, Subject
from shared.sinks.condition_records import Condition, is_seen_by_a_blob, last_failed, row_of, short
from shared.sinks.expectations import expectation_key
from shared.sinks.rhythms import Rhythms
from shared.sweep_facts import SweepFacts
from shared.times import parse_time

# A blob is asked for at this rhythm.
EVERY: Final = timedelta(hours=1)
# Pipelines, registries and blobs that are asked for in one sweep, and for how long. What is left comes first next time.
MOST_READS: Final = 100
SECONDS: Final = 30.0
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
# That the pipeline is gone is what it says.
_PIPELINE_MISSING: Final = "ACRT113"
# That the blob is not there is what it says.
BLOB_MISSING: Final = "ACRT402"
# ARM's words for a resource that is not there. An identity that has lost its rights in a whole subscription is told
# that the subscription is not there, which says nothing about the registry.
_NOT_THERE: Final = frozenset({"resourcenotfound", "resourcegroupnotfound"})


class Targets:
    """What conditions are about, asked for as far as one sweep may.

    ``watches_all`` says that what ``MONITORED_REGISTRIES`` does not name is watched no more. On the command line
    somebody may look at one registry today and at another one tomorrow.
    """

    def __init__(self, monitor: Monitor, facts: SweepFacts, now: datetime, *, watches_all: bool) -> None:
        self._monitor = monitor
        self._facts = facts
        self._now = now
        self._watches_all = watches_all
        self._rhythms = Rhythms(monitor.state, "targets")
        self._reads = 0
        self._until = 0.0
        self._there: set[str] = set()
        self._lost: set[str] = set()
        self._listed: set[str] = set()
        self._pipelines: set[str] = set()
        self._gone: dict[ResourceId, bool] = {}
        self._silent: set[str] = set()

    async def in_turn(self, conditions: Iterable[Condition]) -> list[Condition]:
        """The conditions, those first whose blob was not asked for the longest. Begins the time that looks may take."""
        waiting = list(conditions)
        if waiting:
            await self._rhythms.load()
        facts = self._facts
        there = set(facts.monitored_registries or ()) - facts.gone_registries
        self._there = {short(registry) for registry in there}
        self._lost = {short(registry) for registry in facts.gone_registries}
        self._listed = {short(registry) for registry in there - facts.unlisted_pipelines}
        self._pipelines = {short(pipeline) for pipeline in facts.listed_pipelines}
        self._until = time.monotonic() + SECONDS
        return sorted(waiting, key=lambda condition: self._rhythms.last(condition.finding_key) or _NEVER)

    def may_be_over(self, condition: Condition) -> bool:
        """Whether its record is worth reading, as far as the listing and the looks that are left tell."""
        if self._seems_gone(condition):
            return True
        rule = CATALOGUE.get(condition.rule_id)
        about_blob = rule is None or rule.subject is Subject.MONITOR or is_seen_by_a_blob(rule)
        return about_blob and not self._is_spent() and self._rhythms.is_due(condition.finding_key, EVERY, self._now)

    def _seems_gone(self, condition: Condition) -> bool:
        """Whether its registry is not monitored or gone, or its pipeline is not in the list of its registry's."""
        if not condition.registry:
            return False
        if condition.registry not in self._there:
            return self._facts.knows_all_registries or condition.registry in self._lost
        listed = condition.registry in self._listed
        return listed and bool(condition.pipeline) and condition.pipeline not in self._pipelines

    async def why_over(self, record: Mapping[str, Any], key: str) -> str:
        """Why a condition is over although nothing was repaired; empty if it is not known to be."""
        row = row_of(record)
        moments = (last_failed(record), parse_time(record.get("openedAt")))
        if any(moment is not None and moment > self._now for moment in moments):
            return ""
        registry_id = str(row.get("RegistryId") or "")
        if self._watches_all and registry_id and not self._monitor.settings.monitors(registry_id):
            return "MONITORED_REGISTRIES does not name its registry any more"
        subscription = listed_subscription(target_of(row))
        if self._watches_all and subscription and subscription not in self._monitor.settings.subscriptions:
            return "MONITORED_REGISTRIES does not name the subscription any more"
        rule = CATALOGUE.get(str(record.get("ruleId")))
        if registry_id and await self._registry_is_gone(registry_id):
            return "the registry is gone"
        if rule is None or rule.subject is not Subject.BLOB:
            if registry_id and _ends_with_its_pipeline(row) and await self._pipeline_is_gone(row, registry_id):
                return "the pipeline is gone"
            if not is_kept_from_blob(row) and (rule is None or not is_seen_by_a_blob(rule)):
                return ""
        return await self._of_blob(row, rule, key)

    # --- registries and pipelines ---------------------------------------------------------------------------

    async def _registry_is_gone(self, registry_id: str) -> bool:
        facts = self._facts
        unlisted = facts.knows_all_registries and registry_id not in (facts.monitored_registries or ())
        if not unlisted and registry_id not in facts.gone_registries:
            return False
        return await self._is_gone(parse_registry_id(registry_id))

    async def _pipeline_is_gone(self, row: Row, registry_id: str) -> bool:
        facts = self._facts
        try:
            pipeline_id = parse_pipeline_id(str(row.get("PipelineId")))
        except ValueError:
            # None is known, or a run names something else as its pipeline.
            return False
        listed = registry_id in (facts.monitored_registries or ()) and registry_id not in facts.unlisted_pipelines
        if not listed or str(pipeline_id.parent) != registry_id or str(pipeline_id) in facts.listed_pipelines:
            return False
        return await self._is_gone(pipeline_id)

    async def _is_gone(self, resource: ResourceId) -> bool:
        """Whether ARM says of the resource itself that it is not there."""
        if resource not in self._gone:
            if not self._may_read("ARM"):
                return False
            self._gone[resource] = await self._is_not_there(resource)
        return self._gone[resource]

    async def _is_not_there(self, resource: ResourceId) -> bool:
        registries = self._monitor.azure.registries
        is_registry = resource.resource_type == f"{REGISTRY_PROVIDER}/registries"
        try:
            await (registries.registry(str(resource)) if is_registry else registries.pipeline(str(resource)))
        except Gone as gone:
            return not is_registry or gone.code.lower() in _NOT_THERE
        except ServiceError as error:
            self._note_silence(error, "ARM")
        return False

    # --- blobs ----------------------------------------------------------------------------------------------

    async def _of_blob(self, row: Row, rule: Rule | None, key: str) -> str:
        """Why a condition of a blob is over."""
        parts = [str(row.get(name) or "") for name in ("StorageAccount", "ContainerName", "BlobName")]
        if not all(parts):
            return ""
        address = BlobAddress(*parts)
        if not self._may_ask_account(address.account):
            unused = self._watches_all and self._facts.knows_all_pipelines
            return "no pipeline that is known uses its storage account any more" if unused else ""
        if not self._rhythms.is_due(key, EVERY, self._now) or not self._may_read(address.account):
            return ""
        try:
            why = await self._look(address, rule, row, key)
        except ServiceError as error:
            self._note_silence(error, address.account)
            why = ""
        if address.account not in self._silent:
            await self._rhythms.note(key, self._now)
        return why

    async def _look(self, address: BlobAddress, rule: Rule | None, row: Row, key: str) -> str:
        says_it_is_missing = rule is not None and rule.id == BLOB_MISSING
        try:
            blob = await self._monitor.gatherer.blob(address)
        except Gone:
            return "" if says_it_is_missing else "the blob is gone"
        except UnknownHost:
            gone = not says_it_is_missing and await self._account_is_gone(address.account, row)
            return "the blob's storage account is gone" if gone else ""
        if says_it_is_missing:
            return "the blob is there now"
        if rule is None or not is_seen_by_a_blob(rule):
            return "a later look was not kept from it"
        if await self._monitor.state.read(expectation_key(address, blob.etag)) is not None:
            # It waits for its import, and who lists its container looks at it.
            return ""
        return await self._look_again(address, key)

    async def _look_again(self, address: BlobAddress, key: str) -> str:
        """Whether the blob as it is, with the pipelines that there are now, would still say so."""
        seen = SweepFacts()
        for diagnosis in await self._monitor.look_at_blob(address, trusted=True, after=self._now):
            seen.add_look(diagnosis)
            seen.add_findings(FindingBuilder(diagnosis, Occasion(TriggeredBy.SWEEP)).findings())
        return "a later look finds it gone" if key in seen.healthy - seen.unhealthy else ""

    def _may_ask_account(self, account: str) -> bool:
        """Whether a known pipeline uses the account, or ``STORAGE_ACCOUNTS`` names it."""
        if account in self._facts.accounts:
            return True
        return any(known.endswith(f"/{account}") for known in self._monitor.settings.storage_accounts)

    async def _account_is_gone(self, account: str, row: Row) -> bool:
        """A name that does not resolve may be a broken DNS: ARM has to know no such account either."""
        registry_id = str(row.get("RegistryId") or "") or next(iter(self._facts.monitored_registries or ()), "")
        if not registry_id:
            return False
        subscription = parse_resource_id(registry_id).subscription
        found = await self._monitor.gatherer.lookups.account(account, subscription, after=self._now)
        return isinstance(found, Missing)

    # --- what one sweep may ask -----------------------------------------------------------------------------

    def _may_read(self, service: str) -> bool:
        if service in self._silent or self._is_spent():
            return False
        self._reads += 1
        return True

    def _is_spent(self) -> bool:
        return self._reads >= MOST_READS or time.monotonic() > self._until

    def _note_silence(self, error: ServiceError, service: str) -> None:
        """Asked for each condition again, a service that does not answer would take the whole time."""
        if isinstance(error, TransientError):
            self._silent.add(service)


def _ends_with_its_pipeline(row: Row) -> bool:
    """Whether there is nothing left to fail when the pipeline is gone.

    Not so where that is the fault itself, and where a write was rejected: perhaps it was to make the pipeline.
    """
    rejected = row.get("Role") == "RootCause" and not row.get("RunStartTime")
    return row.get("RuleId") != _PIPELINE_MISSING and not rejected


def is_kept_from_blob(row: Row) -> bool:
    """Whether a row says that one blob could not be read, which no look at a pipeline would come across."""
    blob = f"{row.get('StorageAccount')}/{row.get('ContainerName')}/{row.get('BlobName')}"
    return bool(row.get("BlobName")) and target_of(row) == blob


def target_of(row: Row) -> str:
    """What a row says that the monitor could not look at; empty for any other row."""
    evidence = row.get("Evidence")
    return str(evidence.get("target") or "") if isinstance(evidence, Mapping) else ""
