"""What lies in the registry of the artifacts that an export was to carry, in few requests and bounded time.

A failed export is looked at with answers from after its end. One that succeeded is looked at for layers that
will be missed when the image is pulled elsewhere; that look may cost no ARM read, so it asks the host that the
registry's name gives, and asks ARM for the real one only where that does not lead to the artifacts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from shared.azure.readers import Azure
from shared.azure.registry_host import RegistryHost, registry_host, usual_host
from shared.cache import Cache
from shared.clouds import Cloud
from shared.errors import AccessDenied, Gone, Refused, ServiceError, UnknownHost, UntrustedAddress
from shared.evidence.artifacts import MOST_ARTIFACTS, Artifact, ArtifactFacts, Layer
from shared.evidence.lookups import Lookups, within
from shared.evidence.pieces import NOT_ASKED, Missing, Piece, Unavailable
from shared.evidence.references import NotAReference, read_reference, similar_names
from shared.records.manifests import LayerEntry, Manifest
from shared.records.transfer import PipelineRun, Registry
from shared.resource_ids import parse_resource_id

Value = TypeVar("Value")

FAILED_SECONDS: Final = 4.0
SUCCEEDED_SECONDS: Final = 2.5
_AT_ONCE: Final = 8
# An index of more platforms, and a run of more foreign layers, are not worth an event's time.
MOST_CHILDREN: Final = 24
_MOST_FOREIGN: Final = 100
_MOST_SUGGESTIONS: Final = 10
# A registry that was silent is left alone by those that succeed meanwhile: the sweep takes them up.
_SILENT_FOR: Final = 20.0
_KEEP_HOST_SECONDS: Final = 3_600.0
# What has a digest never changes; a day is for the memory's sake.
_KEEP_BY_DIGEST: Final = timedelta(hours=24)
_NOT_THERE: Final = frozenset({"MANIFEST_UNKNOWN", "NAME_UNKNOWN", "TAG_UNKNOWN", "NAME_INVALID", "TAG_INVALID"})
# The code with which a registry's network rules refuse, whatever is asked for.
_NETWORK_RULES: Final = "DENIED"
_TOO_MANY: Final = Unavailable("the run names more artifacts than one run may carry", by_choice=True)
_NO_LAYERS: Final = Unavailable("its manifest is of a form that does not list layers with their sizes", by_choice=True)
_LARGE_INDEX: Final = Unavailable(f"its index is nested, or lists over {MOST_CHILDREN} manifests", by_choice=True)
_MANY_FOREIGN: Final = Unavailable(f"the run has over {_MOST_FOREIGN} foreign layers", by_choice=True)


class Contents:
    """Looks at artifacts, and remembers what does not change."""

    def __init__(self, azure: Azure, lookups: Lookups, cloud: Cloud) -> None:
        self._azure = azure
        self._lookups = lookups
        self._cloud = cloud
        self.answers: Cache[Any] = Cache()
        self.by_digest: Cache[Any] = Cache(_KEEP_BY_DIGEST)
        self._hosts: dict[str, tuple[float, RegistryHost]] = {}
        self._silent_until: dict[str, float] = {}

    async def of_failed(
        self, run: PipelineRun, registry: Piece[Registry], after: datetime | None, deadline: float
    ) -> Piece[ArtifactFacts]:
        """The artifacts of an export that failed, from answers after ``after``."""
        if not isinstance(registry, Registry):
            return registry
        if not run.artifacts or len(run.artifacts) > MOST_ARTIFACTS:
            return _TOO_MANY if run.artifacts else NOT_ASKED
        place = self._named_by(registry)
        if isinstance(place, Unavailable):
            return place
        look = _Look(self, self._azure, place, after, _sooner(deadline, FAILED_SECONDS))
        return await look.artifacts(run)

    async def of_succeeded(self, run: PipelineRun, deadline: float) -> Piece[ArtifactFacts]:
        """The artifacts of an export that succeeded."""
        if not run.artifacts or len(run.artifacts) > MOST_ARTIFACTS:
            return NOT_ASKED
        deadline = _sooner(deadline, SUCCEEDED_SECONDS)
        made, known = self._hosts.get(run.registry_id, (0.0, None))
        if known is not None and _clock() - made < _KEEP_HOST_SECONDS:
            return await self._gently(known, run, deadline)
        usual = usual_host(parse_resource_id(run.registry_id).name, self._cloud)
        facts = await self._gently(usual, run, deadline)
        if not _doubtful(facts):
            return facts
        registry = await within(deadline, self._lookups.registry(run.registry_id), run.registry_id)
        place = self._named_by(registry) if isinstance(registry, Registry) else registry
        return place if isinstance(place, Missing | Unavailable) else await self._gently(place, run, deadline)

    async def _gently(self, place: RegistryHost, run: PipelineRun, deadline: float) -> Piece[ArtifactFacts]:
        """A look that leaves a registry alone which has just been silent."""
        if self._silent_until.get(place.host, 0.0) > _clock():
            return Unavailable("the registry has just been silent", place.host, passing=True)
        look = _Look(self, self._azure, place, None, deadline)
        facts = await look.artifacts(run)
        if look.silent:
            self._silent_until[place.host] = _clock() + _SILENT_FOR
        return facts

    def _named_by(self, registry: Registry) -> RegistryHost | Unavailable:
        try:
            place = registry_host(registry, self._cloud)
        except ServiceError as error:
            return Unavailable.because(error)
        self._hosts[registry.id] = (_clock(), place)
        return place


def _clock() -> float:
    return asyncio.get_running_loop().time()


def _sooner(deadline: float, seconds: float) -> float:
    return min(deadline, _clock() + seconds)


def _doubtful(facts: Piece[ArtifactFacts]) -> bool:
    """Whether an answer may come from another registry than the run's own."""
    if isinstance(facts, ArtifactFacts):
        return any(artifact.found is False for artifact in facts.artifacts)
    return isinstance(facts, Missing) or not facts.passing


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A lasting refusal; ``everywhere`` says that it would meet every other question to the registry too."""

    why: Unavailable
    everywhere: bool


@dataclass
class _Look:
    """One look at one registry."""

    contents: Contents
    azure: Azure
    place: RegistryHost
    after: datetime | None
    deadline: float
    suggestions: int = _MOST_SUGGESTIONS
    foreign: int = _MOST_FOREIGN
    silent: bool = False
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    closed: Unavailable | None = None

    async def artifacts(self, run: PipelineRun) -> ArtifactFacts | Unavailable:
        """All that the run was asked for, or why nothing could be had."""
        artifacts = await asyncio.gather(*(self._artifact(reference) for reference in run.artifacts))
        first = artifacts[0].unavailable
        if first is not None and all(artifact.found is None for artifact in artifacts):
            return first
        return ArtifactFacts(tuple(artifacts))

    async def _artifact(self, reference: str) -> Artifact:
        """One artifact with all its layers."""
        read = read_reference(reference)
        if isinstance(read, NotAReference):
            return Artifact(reference, found=False)
        for repository in read.repositories:
            manifest = await self._manifest(repository, read.named)
            if isinstance(manifest, Unavailable):
                return Artifact(reference, found=None, unavailable=manifest)
            if isinstance(manifest, Missing):
                continue
            if read.host and repository == read.repository:
                return Artifact(reference, found=False, similar=(read.of(repository),), but_for_host=True)
            entries, missing = await self._entries(repository, manifest)
            layers = await asyncio.gather(*(self._layer(repository, entry) for entry in entries))
            return Artifact(reference, found=True, layers=tuple(layers), unavailable=missing)
        return Artifact(reference, found=False, similar=await self._similar(reference))

    async def _entries(self, repository: str, manifest: Manifest) -> tuple[list[LayerEntry], Unavailable | None]:
        """The layers of a manifest and of those that it lists, each once, and why some are not known."""
        if manifest.layers is None:
            return [], _NO_LAYERS
        missing = _LARGE_INDEX if len(manifest.children) > MOST_CHILDREN else None
        members: list[Manifest] = [manifest]
        wanted = manifest.children[:MOST_CHILDREN]
        for child in await asyncio.gather(*(self._child(repository, digest) for digest in wanted)):
            # One that is listed and not there has no layers to miss.
            if isinstance(child, Manifest) and not child.children and child.layers is not None:
                members.append(child)
            elif isinstance(child, Manifest):
                missing = _LARGE_INDEX if child.children else _NO_LAYERS
            elif isinstance(child, Unavailable):
                missing = child
        entries = {entry.digest: entry for member in members for entry in member.layers or ()}
        return list(entries.values()), missing

    async def _layer(self, repository: str, entry: LayerEntry) -> Layer:
        layer = Layer(entry.digest, entry.size, entry.media_type, entry.urls)
        if not entry.urls:
            return layer
        self.foreign -= 1
        if self.foreign < 0:
            return replace(layer, unavailable=_MANY_FOREIGN)
        reader = self.azure.content
        found = await self._ask(
            ("layer", repository, entry.digest), lambda: reader.has_layer(self.place, repository, entry.digest)
        )
        if isinstance(found, bool):
            return replace(layer, in_registry=found)
        return replace(layer, unavailable=found if isinstance(found, Unavailable) else None)

    async def _manifest(self, repository: str, reference: str) -> Piece[Manifest]:
        reader = self.azure.content
        return await self._ask(
            ("manifest", repository, reference), lambda: reader.manifest(self.place, repository, reference)
        )

    async def _child(self, repository: str, digest: str) -> Piece[Manifest]:
        reader = self.azure.content
        return await self._ask(
            ("manifest", repository, digest), lambda: reader.manifest(self.place, repository, digest), lasting=True
        )

    async def _similar(self, reference: str) -> tuple[str, ...]:
        if self.suggestions <= 0:
            return ()
        self.suggestions -= 1
        reader = self.azure.content

        async def tags(repository: str) -> tuple[str, ...]:
            found = await self._ask(("tags", repository), lambda: reader.tags(self.place, repository))
            return found if isinstance(found, tuple) else ()

        async def repositories() -> tuple[str, ...]:
            found = await self._ask(("catalog",), lambda: reader.repositories(self.place))
            return found if isinstance(found, tuple) else ()

        return await similar_names(reference, tags, repositories)

    async def _ask(
        self, key: tuple[str, ...], load: Callable[[], Awaitable[Value]], *, lasting: bool = False
    ) -> Piece[Value]:
        """One answer. For a short time "not there" and "not allowed" are kept too; ``lasting`` answers for long."""

        async def settled() -> Value | Missing | _Refusal:
            try:
                return await load()
            except ServiceError as error:
                trouble = _piece_of(error)
                if isinstance(trouble, Missing):
                    return trouble
                if trouble.passing:
                    raise
                return _Refusal(trouble, self._meets_all(error))

        async def in_turn() -> Value | Missing | Unavailable | _Refusal:
            async with self.turns:
                if self.closed is not None:
                    return self.closed
                known = (self.place, *key)
                answer: Value | Missing | _Refusal
                if lasting:
                    answer = await self.contents.by_digest.get(known, load)
                else:
                    answer = await self.contents.answers.get(known, settled, read_after=self.after)
                return answer

        try:
            found = await within(self.deadline, in_turn(), self.place.host)
        except ServiceError as error:
            return _piece_of(error)
        if isinstance(found, _Refusal):
            self.closed = found.why if found.everywhere else self.closed
            return found.why
        if isinstance(found, Unavailable):
            self.silent = self.silent or found.passing
        return found

    def _meets_all(self, error: ServiceError) -> bool:
        """A host that does not resolve, network rules, or a missing right where no role is for one repository."""
        if isinstance(error, AccessDenied):
            return error.code == _NETWORK_RULES or not self.place.by_repository
        return isinstance(error, UnknownHost | UntrustedAddress)


def _piece_of(error: ServiceError) -> Missing | Unavailable:
    """What a failure says of the thing that was asked for: it is not there only if the registry says so itself."""
    if isinstance(error, Gone | Refused) and error.code in _NOT_THERE:
        return Missing(error.detail, error.code)
    return Unavailable.because(error)
