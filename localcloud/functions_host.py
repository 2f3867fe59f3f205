"""Runs the function app through Microsoft's own Python worker library, without the Functions host.

`azure-functions-runtime` is the library behind Functions on Python 3.13 and later. In Azure a small proxy
worker reads the host's gRPC messages and calls the library's handlers, handing over the protobuf classes as
`protos`; here this module does. So indexing, annotation checks, bindings and converters are real; the gRPC
framing, the Event Grid webhook, the timer's clock and scaling are not there.

The library keeps the app in module globals, and the app its modules in `sys.modules`: **one process holds one
app**. A stopped app can be started again in the same process (its `function_app` module is imported anew, the
modules that it imports are not); another one needs a process of its own.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import sys
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from localcloud import worker_protos as protos

if TYPE_CHECKING:
    from collections.abc import Mapping

SCRIPT = "function_app"


class HostError(Exception):
    """The app can't be run here: the message says why."""


class AppNotIndexed(HostError):
    """The worker library refused the app; in Azure it would show no functions at all."""


class InvocationFailed(Exception):
    """A function raised. `type` and `text` are its exception's, `trace` its traceback."""

    def __init__(self, function: str, exception: protos.RpcException) -> None:
        self.function = function
        self.type, _, self.text = exception.message.partition(": ")
        self.trace = exception.stack_trace
        super().__init__(f"{function} failed with {exception.message}")


@dataclass(frozen=True, slots=True)
class Function:
    """One function as the worker reports it to the host."""

    name: str
    id: str
    bindings: tuple[Mapping[str, Any], ...]
    retry: protos.RpcRetryOptions | None = field(default=None, repr=False)

    @property
    def trigger(self) -> Mapping[str, Any]:
        return next(binding for binding in self.bindings if binding["type"].endswith("Trigger"))


class FunctionsHost:
    """A started app. Made with `await FunctionsHost.start(...)`, ended with `await host.stop()`."""

    _app_of_this_process: ClassVar[Path | None] = None
    _running: ClassVar[bool] = False

    def __init__(self, directory: Path, saved_environment: dict[str, str], functions: list[Function]) -> None:
        self.directory = directory
        self.functions = {function.name: function for function in functions}
        self._saved_environment = saved_environment

    @classmethod
    async def start(cls, app_directory: str | Path, environment: Mapping[str, str]) -> Self:
        """Load and index the app in `app_directory` with `environment` as its app settings.

        The settings are laid over this process's environment until `stop`.
        """
        directory = _app_to_start(Path(app_directory))
        saved = dict(os.environ)
        os.environ.update(environment)
        # Set on Linux Consumption only, where the app waits in a placeholder.
        os.environ.pop("CONTAINER_NAME", None)
        sys.path.insert(0, str(directory))
        FunctionsHost._app_of_this_process, FunctionsHost._running = directory, True
        try:
            functions = await _index(directory)
        except BaseException:
            _restore(directory, saved)
            raise
        return cls(directory, saved, functions)

    async def deliver(self, function_name: str, event: Mapping[str, Any]) -> None:
        """Deliver one event to an Event Grid function, in Event Grid schema or as a CloudEvent 1.0."""
        function = self._function(function_name, "eventGridTrigger")
        data = protos.TypedData(json=json.dumps(event))
        await self._invoke(function, data, {"data": data})

    async def dequeue(self, function_name: str, text: str, *, message_id: str = "", tries: int = 1) -> None:
        """Hand one message to a queue function. `text` is what stands in the queue, `tries` its dequeue count.

        The host decodes base64 itself unless `host.json` says `"messageEncoding": "none"`.
        """
        function = self._function(function_name, "queueTrigger")
        if _queue_options(self.directory).get("messageEncoding", "base64") == "base64":
            text = base64.b64decode(text, validate=True).decode()
        now = datetime.now(UTC)
        metadata = {
            "Id": protos.TypedData(string=message_id or str(uuid.uuid4())),
            "DequeueCount": protos.TypedData(json=json.dumps(tries)),
            "InsertionTime": protos.TypedData(json=json.dumps(now.isoformat())),
            "ExpirationTime": protos.TypedData(json=json.dumps((now + timedelta(days=7)).isoformat())),
            "NextVisibleTime": protos.TypedData(json=json.dumps(now.isoformat())),
            "PopReceipt": protos.TypedData(string="receipt"),
        }
        await self._invoke(function, protos.TypedData(string=text), metadata)

    async def run_timer(self, function_name: str, *, past_due: bool = False) -> None:
        """Let a timer function run now."""
        now = datetime.now(UTC).isoformat()
        timer = {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": {"Last": now, "LastUpdated": now, "Next": now},
            "IsPastDue": past_due,
        }
        data = protos.TypedData(json=json.dumps(timer))
        await self._invoke(self._function(function_name, "timerTrigger"), data, {"data": data})

    async def stop(self) -> None:
        """Give the environment and the import path back."""
        _restore(self.directory, self._saved_environment)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _function(self, name: str, trigger: str) -> Function:
        function = self.functions.get(name)
        if function is None:
            raise HostError(f"the app has no function {name!r}, but {', '.join(sorted(self.functions))}")
        if function.trigger["type"] != trigger:
            raise HostError(f"{name} has a {function.trigger['type']}, not a {trigger}")
        return function

    async def _invoke(
        self, function: Function, data: protos.TypedData, metadata: Mapping[str, protos.TypedData]
    ) -> None:
        import azure_functions_runtime as runtime

        request = protos.InvocationRequest(
            invocation_id=str(uuid.uuid4()),
            function_id=function.id,
            input_data=[protos.ParameterBinding(name=function.trigger["name"], data=data)],
            trigger_metadata=dict(metadata),
        )
        response = await runtime.invocation_request(_request(invocation_request=request))
        if response.result.status != protos.StatusResult.Success:
            raise InvocationFailed(function.name, response.result.exception)


def _queue_options(directory: Path) -> Mapping[str, Any]:
    """What `host.json` says about queues."""
    file = directory / "host.json"
    host: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    options: Mapping[str, Any] = host.get("extensions", {}).get("queues", {})
    return options


def _app_to_start(app_directory: Path) -> Path:
    directory = app_directory.resolve()
    if sys.version_info < (3, 13):
        raise HostError("azure-functions-runtime, Microsoft's worker library, needs Python 3.13 or later")
    if FunctionsHost._running:
        raise HostError("a function app is running in this process already; start another one in its own")
    if FunctionsHost._app_of_this_process not in {None, directory}:
        raise HostError(
            f"this process has had the app in {FunctionsHost._app_of_this_process}; "
            "the worker library keeps it, so start another app in a process of its own"
        )
    if not (directory / f"{SCRIPT}.py").is_file():
        raise AppNotIndexed(f"there is no {SCRIPT}.py in {directory}")
    return directory


async def _index(directory: Path) -> list[Function]:
    import azure_functions_runtime as runtime

    runtime.start_threadpool_executor()
    init = protos.WorkerInitRequest(function_app_directory=str(directory))
    answer = await runtime.worker_init_request(_request(worker_init_request=init))
    if answer.result.status != protos.StatusResult.Success:
        raise AppNotIndexed(f"the app can't be indexed: {answer.result.exception.message}")
    metadata = await runtime.functions_metadata_request(_request())
    functions = [
        Function(
            name=entry.name,
            id=entry.function_id,
            bindings=tuple(json.loads(binding) for binding in entry.raw_bindings),
            retry=entry.retry_options,
        )
        for entry in metadata.function_metadata_results or ()
    ]
    if not functions:
        raise AppNotIndexed("the app has no functions")
    for function in functions:
        load = protos.FunctionLoadRequest(function_id=function.id)
        await runtime.function_load_request(_request(function_load_request=load))
    return functions


def _request(**content: object) -> SimpleNamespace:
    """What the proxy worker hands to the library: the message, and the classes to answer with."""
    return SimpleNamespace(request=SimpleNamespace(**content), properties={"host": "127.0.0.1", "protos": protos})


def _restore(directory: Path, environment: dict[str, str]) -> None:
    import azure_functions_runtime as runtime

    runtime.stop_threadpool_executor()
    # The next start indexes anew, and a function that has gone since must not linger.
    handlers = importlib.import_module("azure_functions_runtime.handle_event")
    handlers._functions._functions.clear()
    sys.modules.pop(SCRIPT, None)
    if str(directory) in sys.path:
        sys.path.remove(str(directory))
    os.environ.clear()
    os.environ.update(environment)
    FunctionsHost._running = False
