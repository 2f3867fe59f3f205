"""Runs that did not do what they were to do, and whose finding's command makes a new one, or readies the pipeline."""

from __future__ import annotations

from typing import Final

from localcloud.scenario import CONTAINER
from localcloud.service import Fault, Origin, Status
from localcloud.world.registries import image, layer
from tests.rules.fix_bench import BLOB, At, Bench, Case

CATEGORY: Final = {"category": "acr-transfer-blob"}


async def _outward(bench: Bench, blob: str = BLOB) -> None:
    """A blob of the other side's, in the container that imports come from."""
    scenario = bench.scenario
    await bench.cloud.put_run(
        scenario.source, "outward", scenario.export_pipeline, artifacts=["hello-world"], blob=blob
    )
    await scenario.carry_over(blob)


# -- the command runs the transfer again -------------------------------------------------------------------------


async def failed_for_a_reason_that_is_gone(bench: Bench) -> None:
    bench.cloud.world.revoke_secret_get(bench.scenario.vault, bench.pipeline)
    await bench.run("hello-world")
    bench.cloud.world.grant_secret_get(bench.scenario.vault, bench.pipeline)


async def canceled(bench: Bench) -> None:
    bench.cloud.hold_transfers()
    await bench.cloud.put_run(
        bench.registry, bench.run_name, bench.pipeline, artifacts=["hello-world"], blob=BLOB, wait=False
    )
    await bench.cloud.cancel_run(bench.registry, bench.run_name)
    bench.cloud.release_transfers()


async def one_was_missing(bench: Bench) -> None:
    bench.pipeline.options.append("ContinueOnErrors")
    await bench.run("hello-world", "late/app:1.0")
    bench.registry.push("late/app:1.0")


async def throttled(bench: Bench) -> None:
    busy = Status(503, {"x-ms-error-code": "ServerBusy"}, "<Error><Code>ServerBusy</Code></Error>")
    bench.cloud.faults.append(Fault("storage", action=busy, times=1, origin=Origin.REGISTRY_SERVICE))
    await bench.run("hello-world")


async def misspelt_blob(bench: Bench) -> None:
    await _outward(bench, "nightly.tar")
    await bench.run(blob="nightyl.tar")


async def misspelt_artifact(bench: Bench) -> None:
    await bench.run("hello-world", "app/web:1.00")


async def too_many(bench: Bench) -> None:
    names = [f"many/app{number}:1" for number in range(51)]
    for name in names:
        bench.registry.push(name)
    await bench.run(*names)


# -- the command readies what is there ---------------------------------------------------------------------------


async def blob_was_there(bench: Bench) -> None:
    bench.pipeline.options.clear()
    await bench.cloud.put_blob(bench.account.name, CONTAINER, BLOB, metadata=CATEGORY)
    await bench.run("hello-world")


async def blob_vanished(bench: Bench) -> None:
    await bench.run("hello-world")
    await bench.cloud.delete_blob(bench.account.name, CONTAINER, BLOB)


async def tag_was_there(bench: Bench) -> None:
    bench.pipeline.options.clear()
    bench.registry.push("hello-world", image("another", layer("another content")))
    await _outward(bench)
    await bench.run()


RUNS_AGAIN: Final = (
    Case("ACRT101", At.EXPORT_RUN, failed_for_a_reason_that_is_gone),
    Case("ACRT102", At.EXPORT_RUN, canceled),
    Case("ACRT103", At.EXPORT_RUN, one_was_missing),
    Case("ACRT117", At.EXPORT_RUN, throttled),
    Case("ACRT408", At.EXPORT_RUN, blob_vanished),
    Case("ACRT402", At.IMPORT_RUN, misspelt_blob),
    Case("ACRT601", At.EXPORT_RUN, misspelt_artifact),
    Case("ACRT602", At.EXPORT_RUN, too_many),
    Case("ACRT603", At.EXPORT_RUN, one_was_missing),
)
MAKES_READY: Final = (
    Case("ACRT403", At.EXPORT_RUN, blob_was_there),
    Case("ACRT606", At.IMPORT_RUN, tag_was_there),
)
