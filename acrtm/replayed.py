"""What became of replayed events, before anybody prints it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from acrtm.exits import ExitCode
from acrtm.looked import Card, Looked
from shared.findings.finding import Finding


class Became(StrEnum):
    """What became of an event, in the words that are printed. Only the last three were not taken."""

    STORED = "stored"
    KNOWN = "known already"
    WAITING = "waits for the sweep"
    NOTHING = "nothing to say"
    NOT_OURS = "not ours"
    MALFORMED = "malformed"
    COMES_AGAIN = "comes again"
    UNREADABLE = "no event"
    FAILED = "failed"

    @property
    def taken(self) -> bool:
        """Whether Event Grid could forget the event now."""
        return self not in {Became.COMES_AGAIN, Became.UNREADABLE, Became.FAILED}


@dataclass(frozen=True, slots=True)
class Fate:
    """One event: where it stood, what it was about, and what became of it."""

    where: str
    event_id: str
    subject: str
    became: Became
    words: str = ""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Replayed:
    """All events, in the order in which they were found."""

    source: str
    fates: tuple[Fate, ...]

    @property
    def looked(self) -> Looked:
        """The findings, as a look has them."""
        findings = tuple(finding for fate in self.fates for finding in fate.findings)
        return Looked((Card("Replay", self.source, findings=findings),))

    @property
    def counts(self) -> dict[str, int]:
        """How many became what, without what none became."""
        counted = Counter(fate.became for fate in self.fates)
        return {str(became): counted[became] for became in Became if counted[became]}

    @property
    def exit_code(self) -> ExitCode:
        """What was not taken wins: it has to be replayed again, while findings are stored and told already."""
        became = {fate.became for fate in self.fates}
        if became & {Became.UNREADABLE, Became.FAILED}:
            return ExitCode.FAILED
        return ExitCode.NOT_CHECKED if Became.COMES_AGAIN in became else self.looked.exit_code
