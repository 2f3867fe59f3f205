"""The ways in which an answer can be printed. A new one is one line here and a module with a writer.

A writer says what it can print by overriding the method for it; for the rest the command is told that this
format does not fit.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from acrtm.exits import Problem, WrongUsage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from acrtm.doctor.checks import Check, Examined
    from acrtm.looked import Looked
    from acrtm.replayed import Fate, Replayed
    from embedded.result import QueryResult
    from shared.rules.model import Rule

# By name: the module that is imported when the format is asked for, and its writer.
FORMATS: Final = {
    "table": ("acrtm.output.text", "TextWriter"),
    "json": ("acrtm.output.document", "JsonWriter"),
    "sarif": ("acrtm.output.sarif", "SarifWriter"),
    "ocsf": ("acrtm.output.ocsf", "OcsfWriter"),
}
DEFAULT_FORMAT: Final = "table"


class Writer:
    """Prints answers on standard output, and problems where they belong."""

    name = ""

    def looked(self, _looked: Looked, /) -> None:
        """What a look has found."""
        raise self._does_not_fit()

    def became(self, _fate: Fate, /) -> None:
        """What became of one replayed event, as soon as it is known; nothing where there is one document at the end."""

    def replayed(self, replayed: Replayed, /) -> None:
        """What became of replayed events; where a format knows findings only, those, and the rest beside it."""
        from acrtm.terminal import console, one_line

        self.looked(replayed.looked)
        for fate in replayed.fates:
            if not fate.became.taken:
                words = one_line(f"not taken: {fate.where}: {fate.became}: {fate.words}")
                console(stderr=True).print(words, soft_wrap=True)

    def checked(self, _check: Check, /) -> None:
        """One check of the doctor, as soon as it has ended."""
        raise self._does_not_fit()

    def examined(self, _examined: Examined, /) -> None:
        """All checks of the doctor, after each was told."""
        raise self._does_not_fit()

    def rules(self, _rules: Sequence[Rule], /) -> None:
        """A part of the catalogue."""
        raise self._does_not_fit()

    def page(self, _rule: Rule, /) -> None:
        """One rule with its page."""
        raise self._does_not_fit()

    def answer(self, _result: QueryResult, /) -> None:
        """The answer to a query."""
        raise self._does_not_fit()

    def problem(self, problem: Problem) -> None:
        """An error on standard error, with what to do about it."""
        from acrtm.output.errors import print_problem

        print_problem(problem)

    def _does_not_fit(self) -> WrongUsage:
        return WrongUsage(
            f"--output {self.name} does not fit this command: it is for findings.",
            "Take table or json, or ask one of: diagnose, check-blob, check-pipeline, sweep.",
        )


def writer(name: str) -> Writer:
    """The writer of a format. Raises :class:`~acrtm.exits.WrongUsage` for a format that there is not."""
    if name not in FORMATS:
        raise WrongUsage(f"There is no output '{name}', but {', '.join(FORMATS)}.")
    module, kind = FORMATS[name]
    made: Writer = getattr(importlib.import_module(module), kind)()
    made.name = name
    return made
