"""Stand-ins for the protobuf classes of the Functions host's RPC contract, as far as triggers need them.

The worker library is handed these classes (`protos`) and makes its answers of them. The real ones come with
the worker in Azure and are no package of their own. Names, numbers and defaults are those of
`FunctionRpc.proto`; a field that the contract lacks is a TypeError here, as it is an error there.
HTTP's messages are left out: the app has no HTTP function.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from datetime import timedelta


class _Oneof:
    """What `WhichOneof` needs: at most one of the named fields is set."""

    _oneofs: ClassVar[dict[str, tuple[str, ...]]]

    def __post_init__(self) -> None:
        for group in self._oneofs:
            self.WhichOneof(group)

    def WhichOneof(self, group: str) -> str | None:  # noqa: N802 - protobuf's name
        filled = [name for name in self._oneofs[group] if getattr(self, name) is not None]
        if len(filled) > 1:
            raise ValueError(f"only one of {', '.join(filled)} may be set")
        return filled[0] if filled else None


@dataclass(kw_only=True)
class TypedData(_Oneof):
    """A value on its way to or from a function."""

    _oneofs: ClassVar = {"data": ("string", "json", "bytes", "int", "double")}

    string: str | None = None
    json: str | None = None
    bytes: Any = None
    int: Any = None
    double: float | None = None


@dataclass(kw_only=True)
class ParameterBinding(_Oneof):
    """One argument of an invocation, or one output."""

    _oneofs: ClassVar = {"rpc_data": ("data",)}

    name: str = ""
    data: TypedData | None = None


@dataclass(kw_only=True)
class RpcException:
    source: str = ""
    stack_trace: str = ""
    message: str = ""
    is_user_exception: bool = False
    type: str = ""


@dataclass(kw_only=True)
class StatusResult:
    Failure: ClassVar[int] = 0
    Success: ClassVar[int] = 1
    Cancelled: ClassVar[int] = 2

    status: int = 0
    result: str = ""
    exception: RpcException = field(default_factory=RpcException)


@dataclass(kw_only=True)
class WorkerMetadata:
    runtime_name: str = ""
    runtime_version: str = ""
    worker_version: str = ""
    worker_bitness: str = ""
    custom_properties: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class WorkerInitRequest:
    host_version: str = ""
    capabilities: dict[str, str] = field(default_factory=dict)
    worker_directory: str = ""
    function_app_directory: str = ""


@dataclass(kw_only=True)
class WorkerInitResponse:
    capabilities: dict[str, str] = field(default_factory=dict)
    worker_metadata: WorkerMetadata = field(default_factory=WorkerMetadata)
    result: StatusResult = field(default_factory=StatusResult)


# `in` is a keyword, so the input direction is set under its own name afterwards, as protobuf does.
@dataclass(kw_only=True)
class BindingInfo:
    inout: ClassVar[int] = 2
    out: ClassVar[int] = 1
    undefined: ClassVar[int] = 0
    string: ClassVar[int] = 1
    binary: ClassVar[int] = 2
    stream: ClassVar[int] = 3

    type: str = ""
    direction: int = 0
    data_type: int | None = 0
    properties: dict[str, str] = field(default_factory=dict)


setattr(BindingInfo, "in", 0)


@dataclass(kw_only=True)
class RpcRetryOptions:
    exponential_backoff: ClassVar[int] = 0
    fixed_delay: ClassVar[int] = 1

    max_retry_count: int = 0
    delay_interval: timedelta | None = None
    minimum_interval: timedelta | None = None
    maximum_interval: timedelta | None = None
    retry_strategy: str = "exponential_backoff"


@dataclass(kw_only=True)
class RpcFunctionMetadata:
    name: str = ""
    directory: str = ""
    script_file: str = ""
    entry_point: str = ""
    bindings: dict[str, BindingInfo] = field(default_factory=dict)
    is_proxy: bool = False
    status: StatusResult = field(default_factory=StatusResult)
    language: str = ""
    raw_bindings: list[str] = field(default_factory=list)
    function_id: str = ""
    managed_dependency_enabled: bool = False
    retry_options: RpcRetryOptions | None = None
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class FunctionMetadataResponse:
    function_metadata_results: list[RpcFunctionMetadata] | None = None
    result: StatusResult = field(default_factory=StatusResult)
    use_default_metadata_indexing: bool = False


@dataclass(kw_only=True)
class FunctionLoadRequest:
    function_id: str = ""
    metadata: RpcFunctionMetadata | None = None
    managed_dependency_enabled: bool = False


@dataclass(kw_only=True)
class FunctionLoadResponse:
    function_id: str = ""
    result: StatusResult = field(default_factory=StatusResult)
    is_dependency_downloaded: bool = False


@dataclass(kw_only=True)
class RpcTraceContext:
    trace_parent: str = ""
    trace_state: str = ""
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class RetryContext:
    retry_count: int = 0
    max_retry_count: int = 0
    exception: RpcException = field(default_factory=RpcException)


@dataclass(kw_only=True)
class InvocationRequest:
    invocation_id: str = ""
    function_id: str = ""
    input_data: list[ParameterBinding] = field(default_factory=list)
    trigger_metadata: dict[str, TypedData] = field(default_factory=dict)
    trace_context: RpcTraceContext = field(default_factory=RpcTraceContext)
    retry_context: RetryContext = field(default_factory=RetryContext)


@dataclass(kw_only=True)
class InvocationResponse:
    invocation_id: str = ""
    output_data: list[ParameterBinding] = field(default_factory=list)
    return_value: TypedData | None = None
    result: StatusResult = field(default_factory=StatusResult)
