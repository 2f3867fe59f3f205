"""Registries, their pipelines and their runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from shared.azure.arm import SERVICE, ArmReader
from shared.errors import Unreachable
from shared.records.json_fields import Json
from shared.records.transfer import Direction, Pipeline, PipelineRun, Registry

# Newest first. The shapes are the same back to 2019; 2025-06-01-preview adds storageAccessMode.
FALLBACK_VERSIONS: Final = (
    "2025-06-01-preview",
    "2025-03-01-preview",
    "2024-11-01-preview",
    "2023-11-01-preview",
    "2023-06-01-preview",
    "2022-02-01-preview",
    "2021-08-01-preview",
    "2020-11-01-preview",
    "2019-12-01-preview",
)
# The registry itself is in stable versions; roleAssignmentMode came with the newer one.
REGISTRY_VERSIONS: Final = ("2025-04-01", "2023-07-01", "2022-12-01", "2019-05-01")


def transfer_versions(wanted: str) -> tuple[str, ...]:
    """The api-versions to try for pipelines and runs: the configured one, then older ones."""
    return (wanted, *(version for version in FALLBACK_VERSIONS if version < wanted))


# With ARM's own upper and lower case, as it is part of what a condition is about.
_LIST_BEGINS: Final = "/subscriptions/"
_LIST_ENDS: Final = "/providers/Microsoft.ContainerRegistry/registries"


def registry_list_path(subscription: str) -> str:
    """Where a subscription's registries are listed."""
    return f"{_LIST_BEGINS}{subscription}{_LIST_ENDS}"


def listed_subscription(path: str) -> str:
    """The subscription whose registries are listed at ``path``; empty for any other path."""
    subscription = path.removeprefix(_LIST_BEGINS).removesuffix(_LIST_ENDS)
    return subscription if path == registry_list_path(subscription) and "/" not in subscription else ""


class RegistryReader:
    """Reads what ``Microsoft.ContainerRegistry`` holds. Ids are ARM resource ids."""

    def __init__(self, arm: ArmReader, api_version: str) -> None:
        self._arm = arm
        self._versions = transfer_versions(api_version)

    async def run(self, run_id: str) -> PipelineRun:
        """One pipeline run."""
        return _parsed_run(await self._arm.get(run_id, self._versions), run_id)

    async def pipeline(self, pipeline_id: str) -> Pipeline:
        """One export or import pipeline."""
        return _parsed_pipeline(await self._arm.get(pipeline_id, self._versions), pipeline_id)

    async def registry(self, registry_id: str) -> Registry:
        """One registry."""
        return Registry.from_json(await self._arm.get(registry_id, REGISTRY_VERSIONS))

    async def run_pages(self, registry_id: str) -> AsyncIterator[tuple[PipelineRun, ...]]:
        """The registry's runs, a page at a time, in no order that could be relied upon."""
        path = f"{registry_id}/pipelineRuns"
        async for page in self._arm.pages(path, self._versions):
            yield tuple(_parsed_run(item, path) for item in page)

    async def pipelines(self, registry_id: str, direction: Direction) -> tuple[Pipeline, ...]:
        """The registry's pipelines of one direction."""
        kind = "exportPipelines" if direction is Direction.EXPORT else "importPipelines"
        path = f"{registry_id}/{kind}"
        items = await self._arm.everything(path, self._versions)
        return tuple(_parsed_pipeline(item, path) for item in items)

    async def registries(self, subscription: str) -> tuple[Registry, ...]:
        """Every registry of a subscription that the monitor may see."""
        items = await self._arm.everything(registry_list_path(subscription), REGISTRY_VERSIONS)
        return tuple(Registry.from_json(item) for item in items)


def _parsed_run(item: Json, path: str) -> PipelineRun:
    try:
        return PipelineRun.from_json(item)
    except ValueError as error:
        raise Unreachable(SERVICE, path, f"the answer is no pipeline run: {error}") from None


def _parsed_pipeline(item: Json, path: str) -> Pipeline:
    try:
        return Pipeline.from_json(item)
    except ValueError as error:
        raise Unreachable(SERVICE, path, f"the answer is no pipeline: {error}") from None
