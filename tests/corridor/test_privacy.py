"""What nobody may read afterwards: who wrote a run, from where, and every secret."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from typing import Any, Final

import pytest

from localcloud.service import Status
from shared.errors import MonitorError
from tests.corridor.conftest import Corridor, Raw, raw_event

RUN_FILES: Final = (
    "run-write-failure",
    "run-write-update",
    "run-write-failure-cloudevent",
    "run-write-cancel-cloudevent",
)


@pytest.fixture(autouse=True)
def every_line(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever level somebody may turn the log up to."""
    caplog.set_level(logging.DEBUG)


def texts_in(value: object) -> Iterator[str]:
    """Every text in ``value``."""
    if isinstance(value, dict):
        for item in value.values():
            yield from texts_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item)
    elif isinstance(value, str):
        yield value


def personal(raw: Raw) -> set[str]:
    """What an event tells of its caller; short words that stand everywhere are left out."""
    data = raw["data"]
    about = [data["claims"], data["authorization"]["evidence"], data.get("httpRequest", {}).get("clientIpAddress", "")]
    about.append(data.get("httpRequest", {}).get("clientRequestId", ""))
    public = {data["subscriptionId"], data["tenantId"], "/subscriptions/" + data["subscriptionId"]}
    return {text for item in about for text in texts_in(item) if len(text) > 6 and text not in public}


async def written(corridor: Corridor, caplog: pytest.LogCaptureFixture) -> str:
    """All that has come out of the monitor, as one text."""
    log = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    return json.dumps([corridor.ingestion.rows, corridor.alerts, await corridor.state()], ensure_ascii=False) + log


@pytest.mark.parametrize("ends", ["failed", "gone", "not-over", "denied"])
async def test_nothing_of_the_caller_is_repeated(
    corridor: Corridor, caplog: pytest.LogCaptureFixture, ends: str
) -> None:
    hidden = set(corridor.cloud.world.personal_data)
    for number, name in enumerate(RUN_FILES):
        run = f"transfer{number:02}"
        told = await corridor.failed_export(run)
        if ends == "gone":
            await corridor.cloud.delete_run(corridor.scenario.source, run)
        if ends == "not-over":
            corridor.scenario.source.runs[run].provisioning_state = "Creating"
            corridor.scenario.source.runs[run].response["status"] = "Running"
        if ends == "denied":
            corridor.break_down("arm", Status(403, body='{"error":{"code":"AuthorizationFailed"}}'), "/pipelineruns/")
        raw = corridor.file(name, run)
        hidden |= personal(raw)
        await corridor.run_event(raw)
        await corridor.run_event(told)
    await corridor.sweep()
    out = await written(corridor, caplog)
    assert ends == "not-over" or len(corridor.rows) >= len(RUN_FILES)
    for secret in hidden:
        assert secret not in out


def test_there_is_something_to_hide() -> None:
    for name in RUN_FILES:
        assert len(personal(raw_event(name))) >= 10
    assert "203.0.113.78" in personal(raw_event("run-write-update"))
    assert "fiona.fake@contoso.example" in personal(raw_event("run-write-update"))


@pytest.mark.parametrize("inspection", ["none", "metadata", "value"])
async def test_no_secret_is_written(corridor: Corridor, caplog: pytest.LogCaptureFixture, inspection: str) -> None:
    scenario, cloud = corridor.scenario, corridor.cloud
    cloud.world.allow_secret_reading(scenario.vault)
    token = cloud.sas(scenario.export_account.name, "transfer", "rl", protocol=None)
    scenario.vault.set_secret("exportsas", f"?{token}")
    raw = await corridor.export("transfer01")
    run = scenario.source.runs["transfer01"]
    # A service that repeats the token in its message, in every spelling that messages use.
    key = scenario.export_account.keys[1]
    jwt = await corridor.monitor.azure.connection.credential.get_token("https://management.azure.com/.default")
    run.response["pipelineRunErrorMessage"] = (
        f"Failed to access storage. GET https://contosoexport.blob.core.windows.net/transfer?{token} "
        f"url=https%3A%2F%2Fx%3F{token.replace('&', '%26').replace('=', '%3D')} "
        f"AccountKey={key};EndpointSuffix=core.windows.net Authorization: Bearer {jwt.token}"
    )
    # And another one that puts it into a name.
    scenario.export_pipeline.container_url = f"https://contosoexport.blob.core.windows.net/transfer?{token}"
    await corridor.run_event(raw, await corridor.another(SAS_INSPECTION=inspection))
    assert len(corridor.root_causes()) == 1
    assert "[redacted]" in corridor.root_causes()[0]["ErrorMessage"]
    out = await written(corridor, caplog)
    for secret in cloud.issued_secrets:
        assert secret not in out


async def test_no_token_is_written_that_a_message_carries_in_json(
    corridor: Corridor, caplog: pytest.LogCaptureFixture
) -> None:
    scenario, cloud = corridor.scenario, corridor.cloud
    raw = await corridor.export("failing01", "no/such:1.0")
    token = cloud.sas(scenario.export_account.name, "transfer", "rwla")
    [signature] = [part.removeprefix("sig=") for part in token.split("&") if part.startswith("sig=")]
    # As .NET writes it, and the registry is a .NET service.
    target = f"https://contosoexport.blob.core.windows.net/transfer?{token}".replace("&", "\\u0026")
    body = f'{{"error":{{"code":"AuthenticationFailed","target":"{target}","sas":{{"sig":"{signature}"}}}}}}'
    scenario.source.runs["failing01"].response["pipelineRunErrorMessage"] = (
        f"Failed to access storage. Service request failed. Status: 403. Content: {body}"
    )
    await corridor.run_event(raw)
    [cause] = corridor.root_causes()
    assert "\\u0026sig=[redacted]" in cause["ErrorMessage"]
    assert '"sig":"[redacted]"' in cause["ErrorMessage"]
    assert corridor.alerts
    out = await written(corridor, caplog)
    for secret in (signature, *cloud.issued_secrets):
        assert secret not in out


async def test_what_is_raised_holds_no_token(corridor: Corridor, caplog: pytest.LogCaptureFixture) -> None:
    raw = await corridor.failed_export("transfer01")
    for service in ("arm", "storage", "ingestion"):
        corridor.heal()
        corridor.break_down(service, Status(500, body="Bearer eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl sig=c2VjcmV0c2ln&x"))
        with pytest.raises(MonitorError) as raised:
            await corridor.run_event(raw)
        error = raised.value
        told = "".join(traceback.format_exception(error)) + repr(error) + str(error.__dict__)
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None
        for secret in (*corridor.cloud.issued_secrets, "c2lnbmF0dXJl", "c2VjcmV0c2ln"):
            assert secret not in told
            assert secret not in await log_of(caplog)


async def log_of(caplog: pytest.LogCaptureFixture) -> str:
    """The log as a handler would print it, exceptions included."""
    formatter = logging.Formatter("%(message)s")
    return "\n".join(formatter.format(record) for record in caplog.records)


async def test_azures_own_loggers_say_nothing_below_a_warning(
    corridor: Corridor, caplog: pytest.LogCaptureFixture
) -> None:
    await corridor.run_event(await corridor.failed_export("transfer01"))
    loud: list[Any] = [record for record in caplog.records if record.name.startswith("azure") and record.levelno < 30]
    assert loud == []
