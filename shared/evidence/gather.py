"""Gathers the evidence for one look: once, what can run together runs together, in bounded time.

What was read before a run failed proves nothing about the failure, so a cached answer only counts if it was
read after the run ended.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from shared.addresses import (
    BadAddress,
    BlobAddress,
    ContainerAddress,
    SecretAddress,
    read_blob_address,
    read_container_address,
    read_secret_address,
)
from shared.azure.readers import Azure
from shared.errors import AccessDenied, Gone, ServiceError, UnknownHost
from shared.evidence.artifacts import ArtifactFacts
from shared.evidence.contents import Contents
from shared.evidence.lookups import Lookups, piece, utc_now, within
from shared.evidence.message import read_message
from shared.evidence.model import Evidence, Limits, Look, Malformed, ProbeResult
from shared.evidence.pieces import NOT_ASKED, Missing, Piece, Unavailable
from shared.records.key_vault import SecretAttributes, Vault
from shared.records.storage import Blob, StorageAccount
from shared.records.transfer import Direction, Pipeline, PipelineRun, RunOutcome
from shared.resource_ids import parse_resource_id
from shared.sas_token import SasMalformed, SasToken, parse_sas_token
from shared.settings import SasInspection, Settings

# What all secondary look-ups of one event may take together; the rest of its 25 s is for reading the run
# before and storing the findings afterwards.
SECONDARY_SECONDS: Final = 7.0
_CLOSE_NAMES: Final = 3
# What an export's message may say that only the blob it writes can explain: it exists, or it is locked.
_ABOUT_TARGET: Final = frozenset({"ACRT403", "ACRT409"})


class Gatherer:
    """Makes :class:`Evidence` for runs, blobs and pipelines."""

    def __init__(self, azure: Azure, settings: Settings, lookups: Lookups | None = None) -> None:
        self._azure = azure
        self._settings = settings
        self.lookups = lookups or Lookups(azure, settings)
        self._contents = Contents(azure, self.lookups, settings.cloud)

    def blank(self, look: Look, registry_id: str) -> Evidence:
        """Evidence of nothing but the settings and the time."""
        return Evidence(
            now=utc_now(),
            look=look,
            cloud=self._settings.cloud,
            limits=Limits.of(self._settings),
            sas_inspection=self._settings.sas_inspection,
            registry_id=registry_id,
            monitor_client_id=self._settings.client_id,
        )

    async def run(self, run: PipelineRun) -> Evidence:
        """Evidence for a run: everything about a failed one, the blob alone about one that succeeded."""
        look = _LOOK_OF_OUTCOME.get(run.outcome, Look.OTHER_RUN)
        evidence = replace(
            self.blank(look, run.registry_id),
            run=run,
            direction=run.direction,
            message=read_message(run.error_message),
        )
        if look is Look.OTHER_RUN:
            return evidence
        deadline = asyncio.get_running_loop().time() + SECONDARY_SECONDS
        # A run that failed early may not say when; then only what is read from now on is surely from afterwards.
        after = (run.finish_time or evidence.now) if look is Look.FAILED_RUN else None
        pipeline: Piece[Pipeline] = Missing("the run names no pipeline")
        if run.direction is not None:
            pipeline = await within(deadline, self.lookups.pipeline(run.pipeline_id, after), run.pipeline_id)
        evidence = replace(evidence, pipeline=pipeline)
        if isinstance(pipeline, Pipeline):
            evidence = self._addressed(evidence, pipeline)
        evidence = replace(evidence, blob_address=self._blob_of(run, evidence.container_address))
        if look is Look.FAILED_RUN:
            return await self._everything(evidence, after, deadline)
        return await self._afterwards(evidence, deadline)

    async def pipeline(self, pipeline_id: str) -> Evidence:
        """Evidence about a pipeline, before anything fails. Raises if the pipeline can't be read."""
        found = await self._azure.registries.pipeline(pipeline_id)
        return await self.known_pipeline(found, Look.PIPELINE)

    async def known_pipeline(
        self, pipeline: Pipeline, look: Look, *, about: Mapping[str, Any] | None = None, after: datetime | None = None
    ) -> Evidence:
        """Evidence about a pipeline that has been read already, with what is known ``about`` its blob."""
        known = about or {}
        evidence = replace(
            self.blank(look, pipeline.registry_id), pipeline=pipeline, direction=pipeline.direction, **known
        )
        deadline = asyncio.get_running_loop().time() + SECONDARY_SECONDS
        return await self._everything(self._addressed(evidence, pipeline), after, deadline)

    async def blob(self, address: BlobAddress) -> Blob:
        """The blob itself. Raises a :class:`~shared.errors.ServiceError`."""
        return await self._azure.blobs.properties(address)

    def _addressed(self, evidence: Evidence, pipeline: Pipeline) -> Evidence:
        cloud = self._settings.cloud
        return replace(
            evidence,
            container_address=read_container_address(pipeline.container_uri, cloud),
            secret_address=read_secret_address(pipeline.key_vault_uri, cloud) if pipeline.uses_sas else None,
        )

    def _blob_of(self, run: PipelineRun, place: ContainerAddress | BadAddress | None) -> BlobAddress | None:
        """Where the run's blob is: the pipeline's container and the name asked for, else what the run says."""
        if isinstance(place, ContainerAddress) and run.requested_blob:
            return BlobAddress(place.account, place.container, run.requested_blob)
        named = read_blob_address(run.blob_uri, self._settings.cloud)
        if isinstance(named, BadAddress):
            return None
        # A run may outlive a change of its pipeline, but never names a host that no pipeline uses.
        same_place = isinstance(place, ContainerAddress) and named.in_container == place
        return named if same_place or place is None else None

    async def _everything(self, evidence: Evidence, after: datetime | None, deadline: float) -> Evidence:
        """Vault, token, account, container, registry and blob, side by side."""
        vault_side, storage_side, registry, blob = await asyncio.gather(
            self._vault_side(evidence, after, deadline),
            self._storage_side(evidence, after, deadline),
            self._registry_side(evidence, after, deadline),
            self._blob_side(evidence, deadline),
        )
        evidence = replace(evidence, **registry, **vault_side, **storage_side, **blob)
        return replace(evidence, probe=await self._probe(evidence, deadline))

    async def _afterwards(self, evidence: Evidence, deadline: float) -> Evidence:
        """What can still be wrong after a success: a blob that should be there, or be gone, and missing layers."""
        blob, artifacts = await asyncio.gather(
            self._blob_side(evidence, deadline), self._artifacts_of_succeeded(evidence, deadline)
        )
        evidence = replace(evidence, **blob, artifacts=artifacts)
        if evidence.direction is Direction.EXPORT and isinstance(evidence.blob, Missing) and evidence.blob_address:
            place = evidence.blob_address.in_container
            pipelines, open_ends = await self.lookups.all_pipelines()
            readers = tuple(p for p in pipelines if self.reads(p, place))
            return replace(evidence, watchers=readers if readers or open_ends is None else open_ends)
        return evidence

    def reads(self, pipeline: Pipeline, place: ContainerAddress) -> bool:
        """Whether an import pipeline takes its blobs from ``place``."""
        return pipeline.direction is Direction.IMPORT and self._touches(pipeline, place)

    def writes(self, pipeline: Pipeline, place: ContainerAddress) -> bool:
        """Whether an export pipeline puts its blobs into ``place``."""
        return pipeline.direction is Direction.EXPORT and self._touches(pipeline, place)

    def uses_account(self, pipeline: Pipeline, account: str) -> bool:
        """Whether a pipeline reads from or writes to a storage account."""
        place = read_container_address(pipeline.container_uri, self._settings.cloud)
        return isinstance(place, ContainerAddress) and place.account == account

    def _touches(self, pipeline: Pipeline, place: ContainerAddress) -> bool:
        return read_container_address(pipeline.container_uri, self._settings.cloud) == place

    async def _vault_side(self, evidence: Evidence, after: datetime | None, deadline: float) -> dict[str, Any]:
        pipeline, address = evidence.known_pipeline, evidence.secret_address
        if pipeline is None or not isinstance(address, SecretAddress):
            return {}
        subscription = parse_resource_id(evidence.registry_id).subscription
        vault, token = await asyncio.gather(
            within(deadline, self.lookups.vault(address.vault, subscription, after), address.vault),
            within(deadline, self._token(address), str(address)),
        )
        found: dict[str, Any] = {"vault": vault, **(token if isinstance(token, dict) else {"sas": token})}
        if not isinstance(vault, Vault):
            attributes = vault if isinstance(vault, Unavailable) else NOT_ASKED
            return {**found, "secret": attributes}
        principals = pipeline.identity.principals if pipeline.identity else ()
        secret_scope = f"{vault.id}/secrets/{address.secret}"
        secret, grants = await asyncio.gather(
            self._secret(vault, address, after, deadline),
            within(deadline, self.lookups.grants(secret_scope, principals, after), vault.name)
            if vault.uses_rbac
            else _nothing(),
        )
        if evidence.look is not Look.FAILED_RUN and vault.may_admit_by_group(principals):
            success = await within(deadline, self.lookups.last_success(pipeline, after), evidence.registry_id)
            found["last_success"] = success if isinstance(success, datetime) else None
        return {**found, "secret": secret, "vault_grants": grants}

    async def _secret(
        self, vault: Vault, address: SecretAddress, after: datetime | None, deadline: float
    ) -> Piece[SecretAttributes]:
        """The secret's attributes, if the settings allow the monitor to look at them."""
        if self._settings.sas_inspection is SasInspection.NONE:
            return Unavailable("SAS_INSPECTION is none, so the secret is not looked at", by_choice=True)
        return await within(deadline, self.lookups.secret(vault, address, after), str(address))

    async def _token(self, address: SecretAddress) -> dict[str, Any]:
        """The token, if the settings allow the monitor to read it. Only the parsed form is kept."""
        inspection = self._settings.sas_inspection
        if inspection is not SasInspection.VALUE:
            return {"sas": Unavailable(f"SAS_INSPECTION is {inspection}, so the token is not read", by_choice=True)}
        try:
            value = await self._azure.vaults.secret_value(address)
        except UnknownHost as unknown:
            return {"sas": Missing(f"secret {address}", unknown.code)}
        except Gone as gone:
            # Only the vault's own word says that a secret is not there; a bare 404 comes from something before it.
            if gone.code != "SecretNotFound":
                return {"sas": Unavailable.because(gone)}
            return {"sas": Missing(f"secret {address}", gone.code)}
        except AccessDenied as denied:
            if denied.code == "SecretDisabled":
                return {"sas": Missing(f"secret {address}", denied.code), "vault_refusal": denied.code}
            return {"sas": Unavailable.because(denied)}
        except ServiceError as error:
            return {"sas": Unavailable.because(error)}
        try:
            return {"sas": parse_sas_token(value.reveal())}
        except SasMalformed as malformed:
            return {"sas": Malformed(str(malformed))}

    async def _storage_side(self, evidence: Evidence, after: datetime | None, deadline: float) -> dict[str, Any]:
        pipeline, place = evidence.known_pipeline, evidence.container_address
        if pipeline is None or not isinstance(place, ContainerAddress):
            return {}
        subscription = parse_resource_id(evidence.registry_id).subscription
        account = await within(deadline, self.lookups.account(place.account, subscription, after), place.account)
        if not isinstance(account, StorageAccount):
            rest = account if isinstance(account, Unavailable) else NOT_ASKED
            return {"account": account, "container": rest, "storage_grants": NOT_ASKED if pipeline.uses_sas else rest}
        principals = pipeline.identity.principals if pipeline.identity else ()
        scope = f"{account.id}/blobServices/default/containers/{place.container}"
        container, grants = await asyncio.gather(
            within(deadline, self.lookups.container(account, place, after), str(place)),
            _nothing()
            if pipeline.uses_sas
            else within(deadline, self.lookups.grants(scope, principals, after), account.name),
        )
        return {"account": account, "container": container, "storage_grants": grants}

    async def _registry_side(self, evidence: Evidence, after: datetime | None, deadline: float) -> dict[str, Any]:
        registry = await within(deadline, self.lookups.registry(evidence.registry_id, after), evidence.registry_id)
        run = evidence.run
        if evidence.look is not Look.FAILED_RUN or evidence.direction is not Direction.EXPORT or run is None:
            return {"registry": registry}
        return {"registry": registry, "artifacts": await self._contents.of_failed(run, registry, after, deadline)}

    async def _artifacts_of_succeeded(self, evidence: Evidence, deadline: float) -> Piece[ArtifactFacts]:
        if evidence.direction is not Direction.EXPORT or evidence.run is None:
            return NOT_ASKED
        return await self._contents.of_succeeded(evidence.run, deadline)

    async def _blob_side(self, evidence: Evidence, deadline: float) -> dict[str, Any]:
        address = evidence.blob_address
        if address is None or evidence.look is Look.BLOB or _says_enough(evidence):
            return {}
        blob = await within(deadline, piece(self._azure.blobs.properties(address), f"blob {address}"), str(address))
        failed_import = evidence.look is Look.FAILED_RUN and evidence.direction is Direction.IMPORT
        if not isinstance(blob, Missing) or not failed_import:
            return {"blob": blob}
        return {"blob": blob, "similar_blobs": await self._similar(address, deadline)}

    async def _similar(self, address: BlobAddress, deadline: float) -> tuple[str, ...]:
        """Blobs with nearly the same name, from the first page of the container."""

        async def first_page() -> tuple[str, ...]:
            async for page in self._azure.blobs.pages(address.in_container):
                return tuple(blob.address.name for blob in page)
            return ()

        names = await within(deadline, piece(first_page(), str(address.in_container)), str(address))
        if not isinstance(names, tuple):
            return ()
        return tuple(difflib.get_close_matches(address.name, names, n=_CLOSE_NAMES, cutoff=0.7))

    async def _probe(self, evidence: Evidence, deadline: float) -> Piece[ProbeResult]:
        token, place = evidence.sas, evidence.container_address
        if not isinstance(token, SasToken) or not isinstance(place, ContainerAddress):
            return NOT_ASKED
        asked = piece(self._azure.blobs.try_token(place, token.signed), f"storage account '{place.account}'")
        answer = await within(deadline, asked, str(place))
        if isinstance(answer, Missing | Unavailable):
            return answer
        return ProbeResult(answer.status, answer.code, answer.detail)


_LOOK_OF_OUTCOME: Final = {RunOutcome.FAILED: Look.FAILED_RUN, RunOutcome.SUCCEEDED: Look.SUCCEEDED_RUN}


def _says_enough(evidence: Evidence) -> bool:
    """Whether a failed export's message names a cause that its target blob can add nothing to."""
    decided = any(claim.decides and claim.rules[0] not in _ABOUT_TARGET for claim in evidence.message.claims)
    return decided and evidence.look is Look.FAILED_RUN and evidence.direction is Direction.EXPORT


async def _nothing() -> Unavailable:
    return NOT_ASKED
