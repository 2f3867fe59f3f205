"""What the monitor itself lacks: the command of ACRT901 gives it exactly that, and the check is carried out."""

from __future__ import annotations

import pytest

from localcloud import LocalCloud
from localcloud.scenario import CONTAINER
from shared.findings.builder import FindingBuilder, Occasion, TriggeredBy
from shared.findings.finding import Finding
from tests.rules.fix_bench import BLOB, At, Bench, Case, bench_for

CATEGORY = {"category": "acr-transfer-blob"}


async def may_not_read_blobs(bench: Bench) -> None:
    world = bench.cloud.world
    world.access.revoke(world.monitor.id, "Storage Blob Data Reader", bench.account.id)
    await bench.cloud.put_blob(bench.account.name, CONTAINER, BLOB, metadata=CATEGORY)


async def may_not_pull(bench: Bench) -> None:
    """In this mode Reader is no right to pull."""
    world = bench.cloud.world
    bench.registry.role_assignment_mode = "AbacRepositoryPermissions"
    world.access.revoke(world.monitor.id, "AcrPull", bench.registry.id)
    await bench.run("hello-world", "app/web:1.00")


async def open_ends(bench: Bench) -> list[Finding]:
    """What could not be checked."""
    occasion = Occasion(TriggeredBy.CLI)
    return [
        finding
        for diagnosis in await bench.look()
        for finding in FindingBuilder(diagnosis, occasion).findings()
        if finding.rule_id == "ACRT901"
    ]


@pytest.mark.parametrize(
    "case",
    [
        Case("ACRT901", At.BLOB, may_not_read_blobs),
        Case("ACRT901", At.EXPORT_RUN, may_not_pull),
    ],
    ids=lambda case: case.label,
)
async def test_the_monitor_is_given_what_it_lacks(case: Case, cloud: LocalCloud) -> None:
    async with bench_for(case, cloud) as bench:
        missing = await open_ends(bench)
        assert missing
        for finding in missing:
            assert finding.fix_command
            completed = await bench.shell.run(finding.fix_command)
            assert completed.exit_code == 0, f"{finding.fix_command}\n{completed.stderr}"
        assert not [finding.summary for finding in await open_ends(bench)]
