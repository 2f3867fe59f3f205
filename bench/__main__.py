"""``python -m bench``: all benchmarks, each as a ratio within this run."""

from __future__ import annotations

import asyncio
import sys

from bench import answers, arm_reads, diagnosis, hangs, imports, paint, sweep, throughput
from bench.sweep_world import REGISTRIES


def main() -> int:
    """Prints the figures; 1 if one misses its mark."""
    missed: list[str] = []
    asyncio.run(_throughput(missed))
    asyncio.run(_arm_reads(missed))
    _imports(missed)
    asyncio.run(_hangs(missed))
    _diagnosis(missed)
    asyncio.run(_sweep(missed))
    asyncio.run(_answers(missed))
    asyncio.run(_paint(missed))
    print()
    print("all marks met" if not missed else f"missed: {'; '.join(missed)}")
    return 1 if missed else 0


async def _throughput(missed: list[str]) -> None:
    print(
        f"(a) events per second, {throughput.AT_ONCE} at once, {throughput.LATENCY * 1000:.0f} ms on every dependency"
    )
    print(f"    {'':10}{'product':>22}{'bare, same requests':>24}{'ratio':>7}{'bare, one state write':>26}{'ratio':>7}")
    for kind, found in (await throughput.measure()).items():
        product, same, least = found.product, found.same, found.least
        against_same = product.per_second / same.per_second
        against_least = product.per_second / least.per_second
        paces = f"{_pace(product):>22}{_pace(same):>24}{against_same:7.2f}{_pace(least):>26}{against_least:7.2f}"
        print(f"    {kind:10}{paces}")
        if against_same < 0.6:
            missed.append(f"throughput of {kind} runs")


def _pace(pace: throughput.Pace) -> str:
    return f"{pace.per_second:.0f}/s, {pace.requests_per_event:.2f} req"


async def _arm_reads(missed: list[str]) -> None:
    reads = await arm_reads.measure()
    print(f"(b) ARM reads per event of a run that succeeded: {reads[0]} first, then {', '.join(map(str, reads[1:]))}")
    if reads[0] > 2 or max(reads[1:]) > 1:
        missed.append("ARM reads")


def _imports(missed: list[str]) -> None:
    app, alone = imports.measure()
    print(f"(c) import function_app {app:.3f} s, import azure.functions {alone:.3f} s: {app / alone:.2f}x")
    first = asyncio.run(imports.first_event())
    print(f"    the first event after it, every SDK imported and every token fetched: {first:.3f} s")
    if app / alone > 1.5:
        missed.append("import time")


async def _hangs(missed: list[str]) -> None:
    print("(d) a failed run's event while one dependency hangs")
    for hung in await hangs.measure():
        print(f"    {hung.dependency:24}{hung.seconds:6.1f} s  {hung.became}")
        if hung.seconds >= 25:
            missed.append(f"{hung.dependency} hangs")


def _diagnosis(missed: list[str]) -> None:
    pace = diagnosis.measure()
    print(f"(e) diagnoses per second in one process without I/O (message, token and rules): {pace:.0f}")
    if pace < diagnosis.WANTED:
        missed.append("diagnoses per second")


async def _sweep(missed: list[str]) -> None:
    found = await sweep.measure()
    memory = _mark(
        found.peak_megabytes <= sweep.MOST_MEGABYTES, f"{sweep.MOST_MEGABYTES} MB", "memory of a sweep", missed
    )
    pace = _mark(found.times_bare <= sweep.MOST_TIMES_BARE, f"{sweep.MOST_TIMES_BARE:g}x", "time of a sweep", missed)
    print(f"(f) a sweep of {REGISTRIES} registries with {found.runs} known runs, in a process of its own")
    print(f"    {found.seconds:.1f} s, the bare list calls {found.bare_seconds:.1f} s: {found.times_bare:.2f}x  {pace}")
    peak, imported = found.peak_megabytes, found.imported_megabytes
    print(f"    resident memory at most {peak:.0f} MB, {imported:.0f} MB after imports  {memory}")
    print(f"    ARM reads {found.arm_reads}, bare {found.bare_reads}")
    if found.arm_reads > sweep.LISTS or found.diagnosed or found.problems:
        missed.append("ARM reads of a sweep")


async def _answers(missed: list[str]) -> None:
    print(f"(g) the command line's answer, its process included, {answers.LATENCY * 1000:.0f} ms on every dependency")
    for answer in await answers.measure():
        met = answer.seconds <= answers.WANTED_SECONDS
        mark = _mark(met, f"{answers.WANTED_SECONDS:g} s", f"answer of {answer.command}", missed)
        print(f"    {answer.command:16}{answer.seconds:5.1f} s  {mark}")


async def _paint(missed: list[str]) -> None:
    print(f"(h) first paint of the local page over {paint.FINDINGS:,} findings, from the navigation on")
    found = await paint.measure()
    if found is None:
        print("    not measured: no Chromium is installed (make browser)")
        missed.append("first paint was not measured")
        return
    mark = _mark(found.first <= paint.WANTED_SECONDS, f"{paint.WANTED_SECONDS:g} s", "first paint", missed)
    print(f"    {found.first:.2f} s  {mark}")
    print(f"    of it queries {found.queries:.2f} s (asked bare {found.bare:.2f} s), drawing {found.page:.2f} s,")
    print(f"    server, loading and the browser's own work {found.first - found.queries - found.page:.2f} s")


def _mark(met: bool, limit: str, what: str, missed: list[str]) -> str:
    """Whether a mark was met, in words; what was missed is noted."""
    if not met:
        missed.append(what)
    return f"{'ok' if met else 'over'} (at most {limit})"


if __name__ == "__main__":
    sys.exit(main())
