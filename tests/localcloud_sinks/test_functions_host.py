"""The functions host runs a small app as Azure would: in a process of its own for each app."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.version_info < (3, 13), reason="azure-functions-runtime needs Python 3.13 or later")

REPOSITORY = Path(__file__).parents[2]

APP = """
import os
import azure.functions as func

app = func.FunctionApp()
seen = []


@app.event_grid_trigger(arg_name="event")
async def on_event(event: func.EventGridEvent) -> None:
    seen.append([type(event).__name__, event.id, event.get_json()])
    if event.id == "boom":
        raise LookupError("no run: gone")


@app.timer_trigger(arg_name="timer", schedule="%SWEEP_SCHEDULE%")
@app.retry(strategy="fixed_delay", max_retry_count="3", delay_interval="00:00:05")
async def on_time(timer: func.TimerRequest, context: func.Context) -> None:
    seen.append([type(timer).__name__, timer.past_due, context.function_name, os.environ["SETTING"]])


@app.queue_trigger(arg_name="message", queue_name="work", connection="AzureWebJobsStorage")
async def on_message(message: func.QueueMessage) -> None:
    seen.append([message.id, message.dequeue_count, message.get_body().decode()])


@app.timer_trigger(arg_name="timer", schedule="0 0 * * * *")
def in_a_thread(timer: func.TimerRequest) -> None:
    seen.append(["thread"])
"""

EVENT_GRID = {
    "id": "1", "topic": "/subscriptions/s", "subject": "/runs/one", "eventType": "Some.Type",
    "eventTime": "2026-11-23T12:00:00.1234567Z", "dataVersion": "2", "data": {"status": "Failed"},
}  # fmt: skip
CLOUD_EVENT = {
    "specversion": "1.0", "id": "2", "source": "/subscriptions/s", "subject": "/runs/one", "type": "Some.Type",
    "time": "2026-11-23T12:00:00.1234567Z", "data": {"status": "Failed"},
}  # fmt: skip

SCRIPT = """
import asyncio, json, os, sys
from localcloud.functions_host import *

async def main(app, events):
    out = {{}}
{body}
    print(json.dumps(out))

asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
"""


def run(app: Path, body: str) -> dict[str, Any]:
    """Run `body` (which fills `out`) in a process of its own, with warnings as errors as in every test."""
    indented = "".join(f"    {line}\n" for line in body.strip("\n").splitlines())
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT.format(body=indented), str(app),
         json.dumps([EVENT_GRID, CLOUD_EVENT])],
        capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "CONTAINER_NAME": "placeholder"},
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    result: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return result


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "function_app.py").write_text(APP)
    return tmp_path


def test_functions_are_indexed_and_run(app: Path) -> None:
    out = run(
        app,
        """
before = dict(os.environ)
async with await FunctionsHost.start(app, {"SETTING": "set"}) as host:
    out["bindings"] = {name: list(function.bindings) for name, function in host.functions.items()}
    out["retries"] = host.functions["on_time"].retry.max_retry_count
    out["container"] = os.environ.get("CONTAINER_NAME")
    for event in events:
        await host.deliver("on_event", event)
    await host.run_timer("on_time", past_due=True)
    await host.run_timer("in_a_thread")
    out["seen"] = sys.modules["function_app"].seen
out["restored"] = dict(os.environ) == before
""",
    )
    assert out["bindings"] == {
        "on_event": [{"direction": "IN", "type": "eventGridTrigger", "name": "event"}],
        "on_time": [{"direction": "IN", "type": "timerTrigger", "name": "timer", "schedule": "%SWEEP_SCHEDULE%"}],
        "on_message": [
            {
                "direction": "IN",
                "type": "queueTrigger",
                "name": "message",
                "queueName": "work",
                "connection": "AzureWebJobsStorage",
            }
        ],
        "in_a_thread": [{"direction": "IN", "type": "timerTrigger", "name": "timer", "schedule": "0 0 * * * *"}],
    }
    assert (out["retries"], out["container"], out["restored"]) == (3, None, True)
    assert out["seen"] == [
        # The class follows the delivery, not the annotation.
        ["EventGridEvent", "1", {"status": "Failed"}],
        ["CloudEvent", "2", {"status": "Failed"}],
        ["TimerRequest", True, "on_time", "set"],
        ["thread"],
    ]


@pytest.mark.parametrize(("encoding", "arrives"), [(None, "hello"), ("base64", "hello"), ("none", "aGVsbG8=")])
def test_the_host_decodes_messages_as_host_json_says(app: Path, encoding: str | None, arrives: str) -> None:
    if encoding is not None:
        settings = {"version": "2.0", "extensions": {"queues": {"messageEncoding": encoding}}}
        (app / "host.json").write_text(json.dumps(settings))
    out = run(
        app,
        """
async with await FunctionsHost.start(app, {}) as host:
    await host.dequeue("on_message", "aGVsbG8=", message_id="m1", tries=3)
    out["seen"] = sys.modules["function_app"].seen
""",
    )
    assert out["seen"] == [["m1", 3, arrives]]


def test_a_failure_tells_the_exception(app: Path) -> None:
    out = run(
        app,
        """
async with await FunctionsHost.start(app, {}) as host:
    try:
        await host.deliver("on_event", {**events[0], "id": "boom"})
    except InvocationFailed as failure:
        out |= {"function": failure.function, "type": failure.type, "text": failure.text, "trace": failure.trace}
    try:
        await host.deliver("on_time", events[0])
    except HostError as error:
        out["trigger"] = str(error)
    try:
        await host.run_timer("nope")
    except HostError as error:
        out["unknown"] = str(error)
""",
    )
    assert (out["function"], out["type"], out["text"]) == ("on_event", "LookupError", "no run: gone")
    assert "function_app.py" in out["trace"]
    assert out["trigger"] == "on_time has a timerTrigger, not a eventGridTrigger"
    assert "no function 'nope', but in_a_thread, on_event, on_message, on_time" in out["unknown"]


def test_one_process_is_one_app(app: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "function_app.py").write_text(APP)
    out = run(
        app,
        f"""
async def refused(directory):
    try:
        await FunctionsHost.start(directory, {{}})
    except HostError as error:
        return str(error)

async with await FunctionsHost.start(app, {{}}) as host:
    await host.run_timer("in_a_thread")
    out["second"] = await refused(app)
out["other"] = await refused({str(other)!r})
async with await FunctionsHost.start(app, {{}}) as host:
    await host.run_timer("in_a_thread")
    out["seen"] = sys.modules["function_app"].seen
""",
    )
    assert "running in this process already" in out["second"]
    assert "start another app in a process of its own" in out["other"]
    assert out["seen"] == [["thread"]], "the app is imported anew"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        pytest.param(None, "there is no function_app.py", id="missing"),
        pytest.param("import azure.functions as func\napp = func.FunctionApp()\n", "no functions", id="empty"),
        pytest.param("x = 1\n", "Could not find top level function app", id="no-app"),
        pytest.param("import nowhere_at_all\n", "ModuleNotFoundError", id="import"),
        pytest.param(APP + "other = func.FunctionApp()\n", "More than one", id="two-apps"),
        pytest.param(
            APP.replace("event: func.EventGridEvent", "event: func.EventGridEvent | func.CloudEvent"),
            "the on_event function", id="union",
        ),
        pytest.param(APP.replace("on_event(event:", "on_event(evnt:"), "'evnt'", id="argument-name"),
    ],
)  # fmt: skip
def test_an_app_that_azure_would_not_index_says_why(tmp_path: Path, source: str | None, says: str) -> None:
    if source is not None:
        (tmp_path / "function_app.py").write_text(source)
    out = run(
        tmp_path,
        """
try:
    await FunctionsHost.start(app, {"SETTING": "set"})
except AppNotIndexed as error:
    out["error"] = str(error)
out["left"] = os.environ.get("SETTING")
""",
    )
    assert says in out["error"]
    assert out["left"] is None
