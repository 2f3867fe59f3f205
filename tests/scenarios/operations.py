"""The vocabulary of the scenario files: named operations on a stage, each a typed function.

A line such as ``{ do = "token", permissions = "rl" }`` calls the operation ``token`` with these arguments. What is
misspelt or mistyped is said when the file is loaded, before anything runs.
"""

from __future__ import annotations

import difflib
import inspect
import types
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from tests.scenarios.stage import Stage

Function = Callable[..., Awaitable[None]]
Named = TypeVar("Named", bound=Function)

_FAULTS: Final[dict[str, Function]] = {}
_ACTIONS: Final[dict[str, Function]] = {}


class ScenarioError(Exception):
    """A scenario file is wrong. The message names the file, the place and the remedy."""


def fault(function: Named) -> Named:
    """Decorator: a change of the world, made before anybody looks. It may also stand among the actions."""
    _FAULTS[function.__name__] = function
    return function


def action(function: Named) -> Named:
    """Decorator: something that is done, and that the monitor sees as it would in Azure."""
    _ACTIONS[function.__name__] = function
    return function


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a scenario file."""

    name: str
    function: Function
    arguments: Mapping[str, Any]

    async def take(self, stage: Stage) -> None:
        """Does it."""
        await self.function(stage, **self.arguments)


def read_step(line: object, where: str, *, is_action: bool) -> Step:
    """The operation that a line names, with its arguments checked against the function's own types."""
    _load_all()
    known = {**_FAULTS, **_ACTIONS} if is_action else _FAULTS
    if not isinstance(line, dict) or not isinstance(line.get("do"), str):
        raise ScenarioError(f'{where}: a line looks like {{ do = "token", permissions = "rl" }}, not like {line!r}')
    name = line["do"]
    function = known.get(name)
    if function is None:
        hint = " (it is an action, and stands under actions)" if name in _ACTIONS else _close(name, known)
        raise ScenarioError(f"{where}: there is no operation {name!r}{hint}")
    arguments = {key: value for key, value in line.items() if key != "do"}
    hints = get_type_hints(function)
    parameters = [p for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    allowed = {parameter.name: hints[parameter.name] for parameter in parameters}
    for key, value in arguments.items():
        if key not in allowed:
            raise ScenarioError(f"{where}: {name} takes no {key!r}{_close(key, allowed)}")
        if not fits(value, allowed[key]):
            raise ScenarioError(f"{where}: {key} of {name} can't be {value!r}: it is {describe(allowed[key])}")
    lacking = [p.name for p in parameters if p.default is p.empty and p.name not in arguments]
    if lacking:
        raise ScenarioError(f"{where}: {name} needs {', '.join(lacking)}")
    return Step(name, function, arguments)


def vocabulary() -> dict[str, Function]:
    """Every operation by its name."""
    _load_all()
    return {**_FAULTS, **_ACTIONS}


def _load_all() -> None:
    """Entering the operations here and not at the top keeps their modules free to import this one."""
    import tests.scenarios.blob_actions
    import tests.scenarios.blob_faults
    import tests.scenarios.pipeline_faults
    import tests.scenarios.run_actions
    import tests.scenarios.storage_faults
    import tests.scenarios.token_faults
    import tests.scenarios.vault_faults  # noqa: F401


def _close(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(sorted(known))}"


def fits(value: object, wanted: Any) -> bool:
    """Whether a value out of TOML has the type that a function asks for."""
    origin = get_origin(wanted)
    if origin is Literal:
        return value in get_args(wanted)
    if origin in {Union, types.UnionType}:
        return any(fits(value, choice) for choice in get_args(wanted))
    if origin is list:
        return isinstance(value, list) and all(fits(item, get_args(wanted)[0]) for item in value)
    if origin is tuple:
        return isinstance(value, tuple) and all(fits(item, get_args(wanted)[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(fits(item, get_args(wanted)[1]) for item in value.values())
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, wanted)


def describe(wanted: Any) -> str:
    """The type in words."""
    origin = get_origin(wanted)
    if origin is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(wanted))
    if origin in {Union, types.UnionType}:
        return " or ".join(describe(choice) for choice in get_args(wanted) if choice is not type(None))
    if origin in {list, tuple}:
        return f"a list of {describe(get_args(wanted)[0])}"
    if origin is dict:
        return "a table"
    words = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}
    return words.get(wanted, str(wanted))
