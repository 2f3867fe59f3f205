"""Scenario files: TOML, checked whole before anything runs."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, get_type_hints

from tests.scenarios.operations import ScenarioError, Step, describe, fits, read_step
from tests.scenarios.stage import WorldSpec

CASES: Final = Path(__file__).parent / "cases"


@dataclass(frozen=True, slots=True)
class Expected:
    """What must be found, and what must not: the table ``[expect]``.

    ``findings`` are all that may raise an alert by itself (open, failed or warned, medium or higher, more than
    possible) beside the root cause and the failed run's own row: no other may be there. ``notes`` are rows that
    must be there, by id, with words that their columns hold behind it (``ACRT510 Unknown``). ``says`` stands in
    the text of the root cause, or of any row without one. ``unchecked`` are targets of ``ACRT901``; there are no
    others. ``alerts`` are the ids that are published, each as often as it is: the root cause, unless told.
    ``unwritten`` must stand in no row and no alert, as no secret may that the cloud has issued.
    """

    healthy: bool = False
    root_cause: str = ""
    confidence: str = ""
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    alerts: tuple[str, ...] | None = None
    raises: bool = False
    unwritten: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScenarioFile:
    """One scenario."""

    name: str
    about: str
    guide: str
    world: WorldSpec
    faults: tuple[Step, ...]
    actions: tuple[Step, ...]
    expect: Expected
    sets_message: bool

    @property
    def label(self) -> str:
        """What a monitor should answer, in one word: the root cause, else the findings, else ``healthy``."""
        return self.expect.root_cause or "+".join(sorted(self.expect.findings)) or "healthy"


def load(path: Path) -> ScenarioFile:
    """Reads one file. Raises :class:`ScenarioError`, which names it."""
    name = str(path.relative_to(CASES).with_suffix("")) if path.is_relative_to(CASES) else path.stem
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{name}: it is no TOML: {error}") from None
    known = {"about", "guide", "world", "faults", "actions", "expect"}
    unknown = sorted(set(document) - known)
    if unknown:
        raise ScenarioError(f"{name}: there is no {unknown[0]!r} in a scenario; there are {', '.join(sorted(known))}")
    about = document.get("about")
    if not isinstance(about, str) or not about.endswith("."):
        raise ScenarioError(f"{name}: about has to be one sentence")
    world = _table(name, "world", document.get("world", {}), WorldSpec)
    faults = _steps(name, "faults", document.get("faults", []), is_action=False)
    actions = _steps(name, "actions", document.get("actions", []), is_action=True)
    if not actions:
        raise ScenarioError(f'{name}: nothing is done: actions = [{{ do = "run" }}]')
    expect = _expected(name, document.get("expect"))
    sets_message = any("message" in step.arguments for step in actions if step.name.startswith("run"))
    return ScenarioFile(
        name, about, str(document.get("guide", "")), WorldSpec(**world), faults, actions, expect, sets_message
    )


def _steps(name: str, where: str, lines: object, *, is_action: bool) -> tuple[Step, ...]:
    if not isinstance(lines, list):
        raise ScenarioError(f"{name}: {where} is a list of lines")
    return tuple(
        read_step(line, f"{name}: {where}, line {number}", is_action=is_action)
        for number, line in enumerate(lines, start=1)
    )


def _table(name: str, where: str, table: object, kind: type[Any]) -> dict[str, Any]:
    if not isinstance(table, Mapping):
        raise ScenarioError(f"{name}: [{where}] is a table")
    hints = get_type_hints(kind)
    for key, value in table.items():
        if key not in hints:
            known = ", ".join(field.name for field in fields(kind))
            raise ScenarioError(f"{name}: [{where}] has no {key!r}; it has {known}")
        if not fits(value, hints[key]):
            raise ScenarioError(f"{name}: {key} of [{where}] can't be {value!r}: it is {describe(hints[key])}")
    return dict(table)


def _expected(name: str, table: object) -> Expected:
    if not isinstance(table, Mapping) or not table:
        raise ScenarioError(f"{name}: [expect] says what must be found; healthy = true if nothing")
    given: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in table.items()}
    expect = Expected(**_table(name, "expect", given, Expected))
    if expect.healthy and (expect.root_cause or expect.findings or expect.alerts):
        raise ScenarioError(f"{name}: a healthy scenario has neither a root cause nor findings nor alerts")
    if not (expect.healthy or expect.root_cause or expect.findings or expect.notes or expect.unchecked):
        raise ScenarioError(f"{name}: [expect] names nothing that must be found")
    return expect


def all_files() -> list[Path]:
    """Every scenario file, in the order of their names."""
    return sorted(CASES.rglob("*.toml"))


def all_scenarios() -> list[ScenarioFile]:
    """Every scenario."""
    return [load(path) for path in all_files()]
