"""The command of each finding is run as it stands, and the finding has to be gone.

Nothing is taken from a list of what should be found: the monitor looks at a world with a fault in it, says what it
finds, and a shell carries out what it says. Then the transfer itself is tried.
"""

from __future__ import annotations

import pytest

from localcloud import LocalCloud
from localcloud.scenario import CONTAINER
from shared.rules.catalogue import CATALOGUE
from tests.rules.fix_bench import At, Bench, Case, bench_for, described, found
from tests.rules.fix_faults import CASES, source_stays
from tests.rules.fix_runs import MAKES_READY, RUNS_AGAIN

STAYS = Case("ACRT404", At.IMPORT_RUN, source_stays, inspection="value")
# Why no command is run for these.
NO_COMMAND = {
    "ACRT100": "nothing is wrong",
    "ACRT104": "a run that hangs is looked at first",
    "ACRT106": "the run is gone",
    "ACRT110": "what was rejected is known to its sender alone",
    "ACRT111": "who lacked the right is not known",
    "ACRT112": "who lacked the right is not known",
    "ACRT113": "a pipeline that is gone has no settings to write again",
    "ACRT116": "whether images may leave is not for a command to decide",
    "ACRT118": "the registry's owner has to open it",
    "ACRT199": "nothing is known",
    "ACRT205": "the right address is not known",
    "ACRT210": "the vault has to be moved",
    "ACRT313": "nothing is wrong",
    "ACRT407": "the right address is not known",
    "ACRT409": "a lease or a hold is somebody's",
    "ACRT508": "where the blob belongs is not known",
    "ACRT509": "the blob has to be uploaded anew",
    "ACRT510": "nothing is wrong",
    "ACRT604": "the image has to be pushed anew",
    "ACRT605": "the image has to be built anew",
    "ACRT702": "the copy's source is not known with its token",
    "ACRT902": "the event is somebody else's",
    "ACRT903": "nothing is wrong",
    "ACRT904": "nothing is wrong",
}
# Why the command is not run here: the local cloud can't hold the fault, or not where this look would see it.
NOT_RUN = {
    "ACRT901": "in a file of its own: it is not about a transfer",
    "ACRT105": "it follows from an event that is minutes younger than its run; the command is that of ACRT101",
}


async def repaired(bench: Bench, rule_id: str) -> None:
    """Finds the fault, runs the command against it, and then what shows that it worked."""
    finding = found(await bench.look(), rule_id)
    assert finding is not None, "the monitor does not find the fault"
    words = described(finding)
    assert words.fix_command, "the finding has no command"
    completed = await bench.shell.run(words.fix_command)
    assert completed.exit_code == 0, f"{words.fix_command}\n{completed.stderr}"
    if words.verify_command.startswith("az "):
        shown = await bench.shell.run(words.verify_command)
        assert shown.exit_code == 0, f"{words.verify_command}\n{shown.stderr}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
async def test_the_fix_removes_the_finding(case: Case, cloud: LocalCloud) -> None:
    async with bench_for(case, cloud) as bench:
        await repaired(bench, case.rule)
        left = found(await bench.look(), case.rule)
        assert left is None, described(left).summary
        if case.works:
            assert await bench.transfers() == "Succeeded"


@pytest.mark.parametrize("case", MAKES_READY, ids=lambda case: case.label)
async def test_the_fix_lets_the_next_transfer_succeed(case: Case, cloud: LocalCloud) -> None:
    """What a run's own message says stays as it is: it is the next run that shows the repair."""
    async with bench_for(case, cloud) as bench:
        await repaired(bench, case.rule)
        assert await bench.transfers() == "Succeeded"


@pytest.mark.parametrize("case", RUNS_AGAIN, ids=lambda case: case.label)
async def test_the_fix_makes_a_run_that_succeeds(case: Case, cloud: LocalCloud) -> None:
    async with bench_for(case, cloud) as bench:
        before = set(bench.registry.runs)
        await repaired(bench, case.rule)
        new = set(bench.registry.runs) - before
        assert new
        for name in new:
            bench.run_name = name
            assert bench.registry.runs[name].provisioning_state == "Succeeded"
            assert found(await bench.look(), case.rule) is None


async def test_a_blob_that_was_left_behind_is_not_left_behind_again(cloud: LocalCloud) -> None:
    async with bench_for(STAYS, cloud) as bench:
        await repaired(bench, STAYS.rule)
        assert await bench.cloud.blob_names(bench.account.name, CONTAINER)
        assert await bench.transfers() == "Succeeded"
        assert not await bench.cloud.blob_names(bench.account.name, CONTAINER)


def test_every_rule_is_here() -> None:
    run = {case.rule for case in (*CASES, *MAKES_READY, *RUNS_AGAIN, STAYS)}
    assert run.isdisjoint(NO_COMMAND)
    assert set(CATALOGUE) == run | set(NO_COMMAND) | set(NOT_RUN)
