"""One sweep over the monitored registries, with its progress on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from acrtm.kept import KeptFindings
from acrtm.looked import Card, Looked, OpenEnd
from acrtm.looks import require_token
from acrtm.terminal import console
from shared.addresses import BlobAddress
from shared.clouds import Cloud
from shared.findings.builder import TriggeredBy
from shared.findings.finding import Finding
from shared.monitor import Monitor
from shared.rules.commands import shell
from shared.sweep import Sweep, SweepReport

Progress = Callable[[str, int, int], None]

_SECONDS_BETWEEN_LINES: Final = 2.0


async def sweep(monitor: Monitor, log: KeptFindings) -> Looked:
    """Sweeps everything within the look-back: this machine has no marks of what was diagnosed before."""
    await require_token(monitor)
    with _shown_progress() as progress:
        report = await Sweep(monitor, progress).run(TriggeredBy.CLI)
    cloud = monitor.settings.cloud
    closer = {finding.finding_key: _closer_look(finding, cloud) for finding in reversed(log.findings)}
    return Looked((_card(report, log.findings, closer),), report.facts())


def _card(report: SweepReport, findings: Sequence[Finding], closer: Mapping[str, str]) -> Card:
    facts = [
        ("Registries", str(report.registries)),
        ("Runs", f"{report.runs_seen} seen, {report.runs_diagnosed} diagnosed, {report.runs_open} not over"),
        ("Took", f"{report.seconds:.1f} s, {report.arm_reads} requests to ARM"),
    ]
    return Card(
        "Sweep",
        "",
        tuple(facts),
        findings=tuple(findings),
        passed=_passed(findings),
        open_ends=tuple(OpenEnd(problem) for problem in report.problems),
        closer=closer,
    )


def _closer_look(finding: Finding, cloud: Cloud) -> str:
    if finding.run_id:
        return shell("acrtm", "diagnose", finding.run_id)
    if finding.storage_account and finding.container_name and finding.blob_name:
        address = BlobAddress(finding.storage_account, finding.container_name, finding.blob_name)
        return shell("acrtm", "check-blob", address.url(cloud))
    if finding.pipeline_id:
        return shell("acrtm", "check-pipeline", finding.pipeline_id)
    return shell("acrtm", "explain", finding.rule_id)


def _passed(findings: Sequence[Finding]) -> tuple[str, ...]:
    """The rules that passed wherever they were asked: no finding of the sweep has them."""
    passed: list[str] = []
    for finding in findings:
        listed = finding.evidence.get("passed")
        if isinstance(listed, list | tuple):
            passed += (str(rule) for rule in listed)
    found = {finding.rule_id for finding in findings}
    return tuple(sorted(set(passed) - found))


@contextmanager
def _shown_progress() -> Iterator[Progress]:
    """A bar on a terminal, a line now and then elsewhere."""
    err = console(stderr=True)
    if not err.is_terminal:
        yield _Lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, TimeElapsedColumn(), console=err, transient=True) as bars:
        tasks = {"registries": bars.add_task("registries", total=None)}

        def show(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=of)
            bars.update(tasks[what], completed=done, total=of)

        yield show


class _Lines:
    """Progress for a log: the end of each part, and what lies between at most every two seconds."""

    def __init__(self) -> None:
        self._err = console(stderr=True)
        self._last = time.monotonic()

    def __call__(self, what: str, done: int, of: int) -> None:
        now = time.monotonic()
        if done < of and now - self._last < _SECONDS_BETWEEN_LINES:
            return
        self._last = now
        self._err.print(f"{what}: {done} of {of}", soft_wrap=True)
