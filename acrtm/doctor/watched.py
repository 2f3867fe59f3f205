"""What the monitor watches: whether it may read all that a diagnosis needs of each registry and pipeline."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Final

from acrtm.doctor.advice import failed, left_open
from acrtm.doctor.checks import Check, Ending
from shared.azure.activity_log import LOG_VERSIONS
from shared.azure.registries import listed_subscription
from shared.azure.registry_host import registry_host
from shared.diagnosis.diagnose import Diagnosis
from shared.errors import MonitorError, ServiceError, UntrustedAddress
from shared.evidence.lookups import utc_now
from shared.evidence.pieces import Unavailable
from shared.monitor import Monitor
from shared.records.json_fields import text
from shared.records.transfer import Direction, Pipeline, Registry
from shared.resource_ids import parse_resource_id
from shared.times import iso

REGISTRIES: Final = "Registries"
PIPELINES: Final = "Pipelines"
# Long enough for registries in use to be written in.
_LOOKED_BACK: Final = timedelta(days=7)
_MOST_PAGES: Final = 5


async def examine_watched(monitor: Monitor) -> AsyncIterator[Check]:
    """Every monitored registry, what lies in it, and every pipeline with its vault, secret, account and container."""
    listed = await monitor.gatherer.lookups.monitored_registries()
    for missing in listed.unlisted:
        yield left_open(monitor, REGISTRIES, f"Registries of {listed_subscription(missing.target)}", missing)
    registries = listed.known
    if not registries and not listed.unlisted:
        words = "MONITORED_REGISTRIES names none that the identity can see"
        yield Check(REGISTRIES, "Registries", Ending.WRONG, words, "Name registries, or grant Reader on them.")
    for registry_id in registries:
        async for check in _registry(monitor, registry_id):
            yield check
    for subscription in sorted({parse_resource_id(registry_id).subscription for registry_id in registries}):
        yield await _activity_log(monitor, subscription, registries)


async def _registry(monitor: Monitor, registry_id: str) -> AsyncIterator[Check]:
    name = registry_id.rsplit("/", 1)[-1]
    reader = monitor.azure.registries
    try:
        registry = await reader.registry(registry_id)
        # One page is enough to see the right.
        async for _ in reader.run_pages(registry_id):
            break
        pipelines = [pipeline for way in Direction for pipeline in await reader.pipelines(registry_id, way)]
    except ServiceError as error:
        yield failed(monitor, REGISTRIES, name, error)
        return
    yield Check(REGISTRIES, name, Ending.WELL, f"settings, runs and pipelines ({len(pipelines)}) can be read")
    yield await _content(monitor, registry)
    for pipeline in pipelines:
        async for check in _pipeline(monitor, pipeline):
            yield check


async def _content(monitor: Monitor, registry: Registry) -> Check:
    name = f"{registry.name}: repositories"
    try:
        found = await monitor.azure.content.repositories(registry_host(registry, monitor.settings.cloud))
    except UntrustedAddress as error:
        return Check(REGISTRIES, name, Ending.WRONG, str(error), "Set REGISTRY_DNS_SUFFIX to the suffix of the cloud.")
    except ServiceError as error:
        return failed(monitor, REGISTRIES, name, error)
    return Check(REGISTRIES, name, Ending.WELL, f"{len(found)} can be listed" if found else "there are none to list")


async def _pipeline(monitor: Monitor, pipeline: Pipeline) -> AsyncIterator[Check]:
    """The look of ``acrtm check-pipeline``, of which only the open ends matter here."""
    try:
        diagnosis: Diagnosis = await monitor.look_at_pipeline(pipeline.id)
    except ServiceError as error:
        yield failed(monitor, PIPELINES, pipeline.name, error)
        return
    except MonitorError as error:
        yield Check(PIPELINES, pipeline.name, Ending.UNKNOWN, str(error))
        return
    open_ends: dict[tuple[str, str], Unavailable] = {}
    for missing in diagnosis.open_rules:
        open_ends.setdefault((missing.target, missing.right), missing)
    for missing in open_ends.values():
        yield left_open(monitor, PIPELINES, pipeline.name, missing)
    if not open_ends:
        asked = len(diagnosis.passed) + len(diagnosis.results)
        yield Check(PIPELINES, pipeline.name, Ending.WELL, f"all {asked} rules that apply can be judged")


async def _activity_log(monitor: Monitor, subscription: str, registries: Sequence[str]) -> Check:
    """Without its right the log answers all the same, and is empty: only an entry shows that it can be read."""
    name = f"Activity log of {subscription}"
    try:
        shown = await _shows_any(monitor, subscription, registries)
    except ServiceError as error:
        return failed(monitor, REGISTRIES, name, error)
    if shown:
        return Check(REGISTRIES, name, Ending.WELL, "shows what was written in the registries, and why not")
    words = (
        "answers, and shows nothing of the registries in a week; without its right it answers in the same way, so "
        "whether it shows anything needs --identity"
    )
    return Check(REGISTRIES, name, Ending.LEFT_OUT, words)


async def _shows_any(monitor: Monitor, subscription: str, registries: Sequence[str]) -> bool:
    end = utc_now()
    span = f"eventTimestamp ge '{iso(end - _LOOKED_BACK)}' and eventTimestamp le '{iso(end)}'"
    wanted = {"$filter": f"{span} and resourceProvider eq 'Microsoft.ContainerRegistry'", "$select": "resourceId"}
    path = f"/subscriptions/{subscription}/providers/Microsoft.Insights/eventtypes/management/values"
    begins = tuple(f"{registry_id}/".lower() for registry_id in registries)
    left = _MOST_PAGES
    async for page in monitor.azure.arm.pages(path, LOG_VERSIONS, **wanted):
        if any(f"{text(entry, 'resourceId')}/".lower().startswith(begins) for entry in page):
            return True
        left -= 1
        if not left:
            break
    return False
