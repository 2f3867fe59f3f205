"""A rule's page taken apart: its docstring has fixed headings."""

from __future__ import annotations

import difflib
import re
from typing import Final

from acrtm.exits import WrongUsage
from shared.rules.catalogue import CATALOGUE, find_rule
from shared.rules.model import HEADINGS, Rule

_HEADING: Final = re.compile(rf"({'|'.join(HEADINGS)}):\s*", re.IGNORECASE)
_ID_WITHOUT_PREFIX: Final = re.compile(r"\d{3}")


def sections(rule: Rule) -> list[tuple[str, str]]:
    """The page by headings, each paragraph in one line; what has no heading belongs to the one before."""
    found: list[tuple[str, str]] = []
    for paragraph in re.split(r"\n\s*\n", rule.page)[1:]:
        text = " ".join(paragraph.split())
        heading = _HEADING.match(text)
        if heading:
            found.append((heading[1].capitalize(), _sentence(text[heading.end() :])))
        elif found:
            found[-1] = (found[-1][0], f"{found[-1][1]}\n{text}")
        else:
            found.append(("", text))
    return found


def known_rule(id_or_name: str) -> Rule:
    """The rule with this id (``ACRT301``, ``301``) or name. Raises :class:`~acrtm.exits.WrongUsage`."""
    wanted = id_or_name.strip()
    rule = find_rule(f"ACRT{wanted}" if _ID_WITHOUT_PREFIX.fullmatch(wanted) else wanted)
    if rule is not None:
        return rule
    names = [name for known in CATALOGUE.values() for name in (known.id, known.name)]
    by_case = {name.lower(): name for name in names}
    close = [by_case[name] for name in difflib.get_close_matches(wanted.lower(), by_case, n=3)]
    meant = f"Did you mean {', '.join(close)}? " if close else ""
    raise WrongUsage(f"There is no rule '{wanted[:80]}'.", f"{meant}All rules:", "acrtm rules")


def _sentence(text: str) -> str:
    """A docstring goes on after its heading in lower case; under a heading of its own it is a sentence."""
    return text[:1].upper() + text[1:]
