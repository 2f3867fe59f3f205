"""``python -m prove.soak``: ten thousand events, a tenth of them about something faulty, every answer late.

The local cloud is in this process, the function app in one of its own, so its memory is its own. Events come out of
order and some twice; reads, uploads and writes fail for a moment, and what is raised comes again. At the end every
run and blob must have its rows, and the app's memory must not have grown.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from bench.resident import most_resident_megabytes, resident_megabytes
from localcloud import Azurite, LocalCloud
from localcloud.ingestion import LogsIngestion
from localcloud.topic import AlertTopic
from prove import soak_judging
from prove.soak_delivery import AppProcess, Delivered, deliver
from prove.soak_judging import MOST_GROWTH, MOST_LEFT_OPEN, Sample
from prove.soak_world import Delivery, build, faulty_share
from prove.soak_world import Progress as Told

EVENTS: Final = 10_000
LATENCY_MS: Final = 20
_SAMPLES: Final = 40
_MOST_SHOWN: Final = 20
# So many times as many events, where the memory grew.
_LONGER: Final = 3
# Below this the imports of a first time are still most of what there is to see.
FEWEST_FOR_MEMORY: Final = 4_000


@dataclass(frozen=True, slots=True)
class Soaked:
    """What came of it: how it was delivered, the memory meanwhile, and a sentence for everything that is wrong.

    ``samples`` are what the app keeps: what is resident after its garbage was collected. ``most`` is what was ever
    resident. Python collects cycles when it sees fit, and of the Azure SDK's there are many, so that what is resident
    at any moment goes up and down by some megabytes.
    """

    delivered: Delivered
    samples: list[Sample]
    most: float
    wrongs: list[str]
    faulty: float
    left_open: int

    @property
    def growth(self) -> float:
        """By how many megabytes a thousand events the memory grew in the second half."""
        return soak_judging.growth(self.samples)

    @property
    def events_per_second(self) -> float:
        """Different events that were done in a second, repetitions not counted."""
        return self.delivered.taken / self.delivered.seconds


async def soak(azurite: Azurite, events: int, latency: float, seed: int, told: Told) -> Soaked:
    """Builds the world, delivers its events at ``latency`` seconds for each answer, and judges what was written."""
    async with LocalCloud.start(azurite) as cloud:
        ingestion, topic = LogsIngestion.for_world(cloud.world), AlertTopic.for_world(cloud.world)
        cloud.add_service(ingestion)
        cloud.add_service(topic)
        deliveries = await build(cloud, events, told)
        cloud.latency = latency
        delivered, samples, most = await _delivered(cloud, deliveries, seed, told)
        expected = [delivery.expected for delivery in deliveries]
        wrongs = soak_judging.wrongs(expected, delivered, ingestion.rows, topic.published)
        left_open = soak_judging.left_open(expected, ingestion.rows)
        return Soaked(delivered, samples, most, wrongs, faulty_share(deliveries), left_open)


async def _delivered(
    cloud: LocalCloud, deliveries: Sequence[Delivery], seed: int, told: Told
) -> tuple[Delivered, list[Sample], float]:
    every = max(1, len(deliveries) // _SAMPLES)
    async with AppProcess.started(cloud) as app:
        samples = [(0, resident_megabytes(app.pid))]

        async def done(count: int) -> None:
            told("delivering", count, len(deliveries))
            if count % every == 0:
                await app.collect_garbage()
                samples.append((count, resident_megabytes(app.pid)))

        delivered = await deliver(app, cloud, deliveries, seed, done)
        # One that waited for the app may have been overtaken.
        return delivered, sorted(samples), most_resident_megabytes(app.pid)


def report(soaked: Soaked, *, at_length: bool) -> list[str]:
    """Prints the figures; gives a sentence for all that is wrong but the memory. A short soak is no test of time."""
    delivered, samples, wrongs = soaked.delivered, soaked.samples, list(soaked.wrongs)
    raised = ", ".join(f"{kind} {count}" for kind, count in delivered.raised.most_common()) or "none"
    print(f"{delivered.taken:,} events, {soaked.faulty:.0%} of them about something faulty, {delivered.seconds:.0f} s")
    print(f"  {soaked.events_per_second:.0f} events per second")
    print(f"  delivered twice {delivered.twice:,}; again after an exception {delivered.again:,} ({raised})")
    print(f"  lost or false {len(wrongs):,} of {delivered.taken:,}")
    print(f"  left to the sweep, as an answer came too late for the event {soaked.left_open:,}")
    print(f"memory that the app's process keeps  {soak_judging.sparkline(samples)}")
    print(soak_judging.memory_table(samples))
    print(f"  at most {soaked.most:.1f} MB at any moment, garbage included")
    print(f"  growth in the second half {soaked.growth:+.2f} MB per 1,000 events, at most {MOST_GROWTH} allowed")
    if not at_length:
        print(f"  not judged with fewer than {FEWEST_FOR_MEMORY:,} events")
        return wrongs
    if soaked.left_open > MOST_LEFT_OPEN * delivered.taken:
        wrongs.append(f"{soaked.left_open:,} looks were left to the sweep")
    return wrongs


async def _main(events: int, latency: float, seed: int) -> Soaked:
    columns = (TextColumn("{task.description:12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def told(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=of)
            progress.update(tasks[what], completed=done)

        async with Azurite.start() as azurite:
            return await soak(azurite, events, latency, seed, told)


def judged(run: Callable[[int], Soaked], events: int) -> list[str]:
    """Soaks, once more and longer if the memory grew: an allocator that settles does so once, a leak goes on."""
    at_length = events >= FEWEST_FOR_MEMORY
    soaked = run(events)
    wrongs = report(soaked, at_length=at_length)
    if not at_length or soaked.growth <= MOST_GROWTH:
        return wrongs
    print(f"the memory grew: once more with {_LONGER} times the events, to tell a leak from what settles")
    soaked = run(_LONGER * events)
    wrongs += report(soaked, at_length=True)
    if soaked.growth > MOST_GROWTH:
        wrongs.append(f"memory grew by {soaked.growth:.2f} MB per 1,000 events")
    return wrongs


def main() -> int:
    """Soaks and prints; 1 if anything was lost or false, or memory grew."""
    words = argparse.ArgumentParser(prog="python -m prove.soak", description="Many events, at length.")
    words.add_argument("--events", type=int, default=EVENTS, help=f"how many ({EVENTS})")
    words.add_argument("--latency-ms", type=int, default=LATENCY_MS, help=f"added to every answer ({LATENCY_MS})")
    words.add_argument("--seed", type=int, default=1, help="another order of the events")
    wanted = words.parse_args()
    if wanted.events < 100:
        words.error("a soak needs at least 100 events")
    latency = wanted.latency_ms / 1000
    wrongs = judged(lambda events: asyncio.run(_main(events, latency, wanted.seed)), wanted.events)
    for wrong in wrongs[:_MOST_SHOWN]:
        print(f"  {wrong}")
    if len(wrongs) > _MOST_SHOWN:
        print(f"  and {len(wrongs) - _MOST_SHOWN} more")
    print("FAILED" if wrongs else "nothing lost, memory flat" if wanted.events >= FEWEST_FOR_MEMORY else "nothing lost")
    return 1 if wrongs else 0


if __name__ == "__main__":
    sys.exit(main())
