"""One sweep over the monitored registries, with its progress on standard error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from acrtm.kept import KeptFindings
from acrtm.learnt import Learnt, triggered
from acrtm.looked import Card, Looked, OpenEnd
from acrtm.looks import require_token
from acrtm.progress import shown_progress
from shared.addresses import BlobAddress
from shared.clouds import Cloud
from shared.findings.builder import TriggeredBy
from shared.findings.finding import Finding
from shared.monitor import Monitor
from shared.rules.commands import shell
from shared.sweep import Sweep, SweepReport


async def sweep(monitor: Monitor, log: KeptFindings) -> Looked:
    """Sweeps everything within the look-back: this machine has no marks of what was diagnosed before."""
    await require_token(monitor)
    with shown_progress("registries") as progress:
        whole = Sweep(monitor, progress)
        report = await whole.run(TriggeredBy.CLI)
    cloud = monitor.settings.cloud
    closer = {finding.finding_key: _closer_look(finding, cloud) for finding in reversed(log.findings)}
    return Looked(
        (_card(report, log.findings, closer),), report.facts(), Learnt(whole.facts, triggered(whole.pipelines))
    )


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
