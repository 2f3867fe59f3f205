"""The sweep's look at containers that import pipelines watch: blobs that nobody told of, or that still wait.

A listing shows every blob with its metadata, so a backlog costs pages and not a request for each blob. What
waits has an expectation (:mod:`shared.sinks.expectations`), which closes when a run names the blob or when the
blob is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from shared.addresses import BlobAddress, ContainerAddress, read_container_address
from shared.azure.state_listing import Entry
from shared.diagnosis.diagnose import Diagnosis
from shared.errors import Gone, ServiceError, TransientError
from shared.findings.builder import Occasion
from shared.findings.finding import finding_key
from shared.monitor import Monitor
from shared.recorder import Recorded
from shared.records.storage import Blob
from shared.records.transfer import Direction, Pipeline
from shared.sinks.expectations import PREFIX, expectation_key, opened_by_label
from shared.sinks.rhythms import Rhythms
from shared.sweep_facts import SweepFacts

# Without a waiting blob a container is listed at this rhythm; with one that is overdue, at every sweep.
EVERY: Final = timedelta(minutes=15)
# A blob that was judged and still waits is judged again at this rhythm: a repair raises no event.
AGAIN: Final = timedelta(minutes=15)
# What was expected in a container is forgotten when no import pipeline has read it for this long.
UNREAD_FOR: Final = timedelta(days=1)
# The one rule that is about a pipeline and answered by the blobs that wait for it.
_TRIGGER_OFF: Final = "ACRT501"
_PAGE: Final = 1_000
_AT_ONCE: Final = 8


class BlobSweep:
    """Looks at the containers of all enabled import pipelines."""

    def __init__(self, monitor: Monitor, facts: SweepFacts, now: datetime) -> None:
        self._monitor = monitor
        self._facts = facts
        self._now = now
        self._containers = Rhythms(monitor.state, "containers")
        self._judged = Rhythms(monitor.state, "blobs")
        self._expectations: dict[str, Entry] = {}
        self._looked_at: set[str] = set()
        self._taken: set[str] = set()
        self.forgotten = 0
        self.problems: list[str] = []

    async def load(self) -> None:
        """Reads which blobs are waited for, and when each container was listed."""
        self._expectations = {entry.key: entry async for entry in self._monitor.state.entries(PREFIX)}
        await self._containers.load()
        await self._judged.load()
        self._note_oldest(self._expectations.values())

    async def sweep(self, pipelines: list[Pipeline], occasion: Occasion) -> Recorded:
        """Lists the containers that are due and judges what waits there."""
        cloud = self._monitor.settings.cloud
        watched: dict[ContainerAddress, list[Pipeline]] = {}
        for pipeline in pipelines:
            place = read_container_address(pipeline.container_uri, cloud)
            if isinstance(place, ContainerAddress) and pipeline.direction is Direction.IMPORT:
                watched.setdefault(place, []).append(pipeline)
        recorded = Recorded()
        for place, readers in watched.items():
            if self._is_watched(place, readers) and self._is_due(place):
                try:
                    found = await self._container(place, readers, occasion)
                    recorded = Recorded(recorded.findings + found.findings, recorded.alerts + found.alerts)
                except ServiceError as error:
                    # One account that is throttled keeps nobody from the others.
                    self.problems.append(str(error))
            self._judge_triggers(place, readers)
        await self._forget_what_nobody_reads({str(place) for place in watched})
        return recorded

    def _judge_triggers(self, place: ContainerAddress, readers: list[Pipeline]) -> None:
        """Whether blobs wait in vain where every trigger is off. One blob's look says nothing of the others."""
        in_vain = not _is_on(readers) and any(
            self._is_overdue(entry)
            for key, entry in self._expectations.items()
            if entry.label.endswith(f"|{place}") and key not in self._taken
        )
        keys = {finding_key(_TRIGGER_OFF, reader.id) for reader in readers}
        if in_vain:
            self._facts.unhealthy |= keys
        else:
            self._facts.healthy |= keys

    async def _forget_what_nobody_reads(self, watched: set[str]) -> None:
        """Nothing is expected where no import pipeline reads the container any more; the oldest of the rest is told.

        A pipeline may be made anew, so what was expected there is kept for a while.
        """
        expected = []
        for key, entry in list(self._expectations.items()):
            place = entry.label.rpartition("|")[2]
            if place in watched or not self._facts.knows_all_pipelines:
                expected.append(entry)
            elif self._now - (self._containers.last(place) or entry.written) > UNREAD_FOR:
                self.forgotten += await self._close(key)
        self._note_oldest(expected)

    def _note_oldest(self, expected: Iterable[Entry]) -> None:
        opened = (opened_by_label(entry.label) for entry in expected)
        self._facts.oldest_expectation = min((moment for moment in opened if moment is not None), default=None)

    def _is_watched(self, place: ContainerAddress, readers: list[Pipeline]) -> bool:
        """Whether a trigger is on, or a blob is known to wait where all of them are off."""
        return _is_on(readers) or any(entry.label.endswith(f"|{place}") for entry in self._expectations.values())

    def _is_due(self, place: ContainerAddress) -> bool:
        # A blob that nobody told of has to be seen before its grace is over.
        if self._containers.is_due(str(place), min(EVERY, self._monitor.settings.import_grace), self._now):
            return True
        return any(
            self._is_overdue(entry) for entry in self._expectations.values() if entry.label.endswith(f"|{place}")
        )

    def _is_overdue(self, entry: Entry) -> bool:
        opened = opened_by_label(entry.label)
        return opened is not None and self._now - opened >= self._monitor.settings.import_grace

    async def _container(self, place: ContainerAddress, readers: list[Pipeline], occasion: Occasion) -> Recorded:
        present: set[str] = set()
        names: set[str] = set()
        findings: list[Recorded] = []
        try:
            async for page in self._monitor.azure.blobs.pages(place, _PAGE):
                present |= {expectation_key(blob.address, blob.etag) for blob in page}
                names |= {blob.address.name for blob in page}
                findings += await self._page(page, readers, occasion)
        except ServiceError as error:
            if isinstance(error, TransientError):
                raise
            if isinstance(error, Gone):
                # No container, no blob in it.
                for key, address in await self._absent(place, set()):
                    await self._forget(key, address)
            # The pipelines' own looks say what is missing on the container; here nothing may be concluded.
            recorded = await self._monitor.cannot_list(place, readers, error, occasion)
            # Known to be wrong in this sweep, so that its own last step does not call it resolved.
            self._facts.add_findings(recorded.findings)
            return recorded
        for key, address in await self._absent(place, present):
            if address is not None and address.name in names:
                findings += await self._written_again(key, address, readers, occasion)
            else:
                await self._forget(key, address)
        await self._containers.note(str(place), self._now)
        return Recorded(
            tuple(f for recorded in findings for f in recorded.findings),
            tuple(a for recorded in findings for a in recorded.alerts),
        )

    async def _page(self, page: tuple[Blob, ...], readers: list[Pipeline], occasion: Occasion) -> list[Recorded]:
        ids = [pipeline.id for pipeline in readers]
        waiting = []
        for blob in page:
            key = expectation_key(blob.address, blob.etag)
            run = self._facts.run_after(ids, blob.address, blob.last_modified)
            if run is not None:
                self._taken.add(key)
            if run is not None and run.succeeded:
                await self._close(key)
            elif (_is_on(readers) or key in self._expectations) and self._wants_a_look(key, blob):
                waiting.append(blob)
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(blob: Blob) -> Recorded:
            async with turns:
                return await self._look(blob, readers, occasion)

        return list(await asyncio.gather(*(one(blob) for blob in waiting)))

    def _wants_a_look(self, key: str, blob: Blob) -> bool:
        entry = self._expectations.get(key)
        if entry is None:
            return True
        opened = opened_by_label(entry.label)
        due_at = opened + self._monitor.settings.import_grace if opened is not None else None
        if due_at is not None and self._now < due_at:
            return False
        judged = self._judged.last(f"{blob.address}|{blob.etag}")
        # What was said before its grace was over was not yet said about that.
        return judged is None or (due_at is not None and judged < due_at) or self._now - judged >= AGAIN

    async def _look(self, blob: Blob, readers: list[Pipeline], occasion: Occasion) -> Recorded:
        key = expectation_key(blob.address, blob.etag)
        entry = self._expectations.get(key)
        since = opened_by_label(entry.label) if entry is not None else blob.last_modified
        # Asked for each blob again, runs that can't be listed would take the sweep's whole time.
        unlisted = (self._facts.unlisted_runs.get(pipeline.registry_id) for pipeline in readers)
        runs = next((reason for reason in unlisted if reason is not None), None)
        # What another look has read before this sweep says nothing about a condition that was opened since.
        diagnoses = await self._monitor.look_at_listed_blob(
            blob, readers, since, runs, open_ends=self._facts.open_ends, after=self._now
        )
        recorded = await self._monitor.recorder.record(diagnoses, occasion)
        self._learn(diagnoses, recorded)
        for diagnosis in diagnoses:
            await self._monitor.expectations.expect(diagnosis.evidence)
        await self._judged.note(f"{blob.address}|{blob.etag}", self._now)
        self._looked_at.add(key)
        return recorded

    def _learn(self, diagnoses: tuple[Diagnosis, ...], recorded: Recorded) -> None:
        self._facts.add_findings(recorded.findings)
        for diagnosis in diagnoses:
            self._facts.add_look(diagnosis)

    async def _absent(self, place: ContainerAddress, present: set[str]) -> list[tuple[str, BlobAddress | None]]:
        """What was expected there and is not listed in that form, with the blob's address if its record tells it."""
        absent: list[tuple[str, BlobAddress | None]] = []
        for key, entry in list(self._expectations.items()):
            if entry.label.endswith(f"|{place}") and key not in present:
                stored = await self._monitor.state.read(key)
                name = str(stored.record.get("blob") or "") if stored is not None else ""
                absent.append((key, BlobAddress(place.account, place.container, name) if name else None))
        return absent

    async def _forget(self, key: str, address: BlobAddress | None) -> None:
        """A blob that is gone waits no more."""
        if address is not None:
            self._facts.gone_blobs.add(str(address))
        await self._close(key)

    async def _written_again(
        self, key: str, address: BlobAddress, readers: list[Pipeline], occasion: Occasion
    ) -> list[Recorded]:
        """The earlier form waits no more. Whether what was wrong with it is over, the present one tells."""
        try:
            blob = await self._monitor.gatherer.blob(address)
        except Gone:
            # Since it was listed: the next sweep finds that.
            return []
        looked_at = expectation_key(blob.address, blob.etag) in self._looked_at
        recorded = [] if looked_at else [await self._look(blob, readers, occasion)]
        await self._close(key)
        return recorded

    async def _close(self, key: str) -> bool:
        entry = self._expectations.pop(key, None)
        return entry is not None and await self._monitor.state.delete(key, entry.etag)


def _is_on(readers: list[Pipeline]) -> bool:
    return any(pipeline.source_trigger_enabled for pipeline in readers)
