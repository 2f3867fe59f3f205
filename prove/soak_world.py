"""What is soaked: two transfers, one for each access mode, with runs and blobs that are well and some that are not.

Faulty runs fail because of the world and are really carried out. Of the runs that succeed one for each transfer is
carried out, and the others are copies of it under names of their own: what counts is how many there are to read.
"""

from __future__ import annotations

import asyncio
import copy
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from localcloud import LocalCloud
from localcloud.events import Event, Schema
from localcloud.scenario import CONTAINER, Scenario, transfer_between
from localcloud.world import Pipeline

RUN_FUNCTION: Final = "pipeline_run_completed"
BLOB_FUNCTION: Final = "transfer_blob_created"
# Of so many events one is about something faulty.
ONE_FAULTY_OF: Final = 10
_METADATA: Final = {"category": "acr-transfer-blob"}
_AT_ONCE: Final = 32
_OWN_CAUSE, _SHARED_CAUSE, _MISSING_BLOB = "ACRT601", {"SasToken": "ACRT201", "ManagedIdentity": "ACRT351"}, "ACRT402"
# Of the token in the vault the monitor reads no more than dates, so it does not vouch for what it permits.
_READY: Final = {"SasToken": "Unknown", "ManagedIdentity": "Pass"}
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Expected:
    """What has to be said about one run or blob: these rules, this one root cause or none, and nothing forbidden.

    ``outcome`` is that of the only rule of a blob that is well.
    """

    name: str
    rules: frozenset[str]
    root_cause: str = ""
    outcome: str = ""

    @property
    def is_faulty(self) -> bool:
        """Whether something is wrong with it."""
        return bool(self.root_cause) or len(self.rules) > 1


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event, the function that it goes to, and what is to come of it."""

    function: str
    event: dict[str, Any]
    expected: Expected


@dataclass(frozen=True, slots=True)
class _Transfer:
    """One of the two: its resources, its access mode, and a pipeline that was never given access."""

    scenario: Scenario
    mode: str
    broken: Pipeline


async def build(cloud: LocalCloud, events: int, progress: Progress) -> list[Delivery]:
    """Makes the world and gives its deliveries, blobs and runs in turn; the same count gives the same world."""
    transfers = [await _transfer(cloud, "SasToken"), await _transfer(cloud, "ManagedIdentity")]
    models = [await _model(cloud, transfer) for transfer in transfers]
    turns = asyncio.Semaphore(_AT_ONCE)
    made = 0

    async def one(number: int) -> Delivery:
        nonlocal made
        transfer, model = transfers[number // 2 % 2], models[number // 2 % 2]
        faulty = number // 2 % ONE_FAULTY_OF == 0
        async with turns:
            if number % 2 == 0:
                delivery = await _blob(cloud, transfer, f"blob{number:06}.tar", faulty=faulty)
            elif faulty:
                delivery = await _failing_run(cloud, transfer, number)
            else:
                delivery = _copied_run(transfer, model, f"good{number:06}")
        made += 1
        progress("preparing", made, events)
        return delivery

    return list(await asyncio.gather(*(one(number) for number in range(events))))


async def _transfer(cloud: LocalCloud, mode: str) -> _Transfer:
    if mode == "SasToken":
        scenario = await transfer_between(cloud, mode=mode)
    else:
        accounts = ("fabrikamstorage", "contosotransfer")
        scenario = await transfer_between(
            cloud, source="fabrikamhub", target="fabrikamedge", accounts=accounts, vault="fabrikamvault", mode=mode
        )
    pipe = scenario.export_pipeline
    broken = cloud.world.add_export_pipeline(scenario.source, "brokenpipe", pipe.container_url, pipe.secret_uri)
    return _Transfer(scenario, mode, broken)


async def _model(cloud: LocalCloud, transfer: _Transfer) -> Event:
    """The event of a run that was carried out."""
    scenario = transfer.scenario
    await cloud.put_run(scenario.source, "model", scenario.export_pipeline, artifacts=["hello-world"], blob="model.tar")
    return _last_about(cloud, f"{scenario.source.id}/pipelineRuns/model")


def _copied_run(transfer: _Transfer, model: Event, name: str) -> Delivery:
    registry = transfer.scenario.source
    run = copy.deepcopy(registry.runs["model"])
    run.name, run.id = name, f"{registry.id}/pipelineRuns/{name}"
    registry.runs[name] = run
    end = len("model")
    data = {**model.data, "resourceUri": f"{model.data['resourceUri'][:-end]}{name}"}
    event = replace(model, subject=f"{model.subject[:-end]}{name}", data=data, id=str(uuid.uuid4()))
    return _delivery(RUN_FUNCTION, event, Expected(name, frozenset({"ACRT100"})))


async def _failing_run(cloud: LocalCloud, transfer: _Transfer, number: int) -> Delivery:
    """Half of them fail on an artifact of their own, most others for the reason that their pipeline always has."""
    scenario, name = transfer.scenario, f"bad{number:06}"
    registry, kind = scenario.source, number // (4 * ONE_FAULTY_OF) % 8
    if kind == 7:
        registry, cause = scenario.target, _MISSING_BLOB
        await cloud.put_run(registry, name, scenario.import_pipeline, blob=f"never-{number}.tar")
    elif kind % 2:
        cause = _SHARED_CAUSE[transfer.mode]
        await cloud.put_run(registry, name, transfer.broken, artifacts=["hello-world"], blob=f"{name}.tar")
    else:
        cause = _OWN_CAUSE
        wanted = [f"missing/number{number}:1.0"]
        await cloud.put_run(registry, name, scenario.export_pipeline, artifacts=wanted, blob=f"{name}.tar")
    event = _last_about(cloud, f"{registry.id}/pipelineRuns/{name}")
    return _delivery(RUN_FUNCTION, event, Expected(name, frozenset({"ACRT101", cause}), cause))


async def _blob(cloud: LocalCloud, transfer: _Transfer, name: str, *, faulty: bool) -> Delivery:
    account = transfer.scenario.import_account.name
    metadata = {} if faulty else _METADATA
    await cloud.put_blob(account, CONTAINER, name, metadata=metadata, content_md5=not faulty)
    event = _last_about(cloud, f"/blobs/{name}")
    if faulty:
        return _delivery(BLOB_FUNCTION, event, Expected(name, frozenset({"ACRT505", "ACRT506", "ACRT701"})))
    return _delivery(BLOB_FUNCTION, event, Expected(name, frozenset({"ACRT510"}), outcome=_READY[transfer.mode]))


def _last_about(cloud: LocalCloud, end: str) -> Event:
    return next(event for event in reversed(cloud.events) if event.subject.lower().endswith(end.lower()))


def _delivery(function: str, event: Event, expected: Expected) -> Delivery:
    # Every other one comes as a CloudEvent.
    schema: Schema = "CloudEventSchemaV1_0" if sum(expected.name.encode()) % 2 else "EventGridSchema"
    return Delivery(function, event.in_schema(schema), expected)


def faulty_share(deliveries: Sequence[Delivery]) -> float:
    """The part of the deliveries that is about something faulty."""
    return sum(delivery.expected.is_faulty for delivery in deliveries) / len(deliveries)
