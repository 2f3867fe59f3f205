"""Names and times as they stand in sentences."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from shared.evidence.model import Evidence
from shared.rules.remedies import direction_of

PERIMETER: Final = "a network security perimeter decides, whose rules can't be seen from here"


def named(kind: str, name: str) -> str:
    """``key vault 'contosokv'``, or ``the key vault`` where its name is not known."""
    return f"{kind} '{name}'" if name else f"the {kind}"


def sentence(text: str) -> str:
    """``text`` with a capital letter at its beginning."""
    return text[:1].upper() + text[1:]


def pipeline_words(evidence: Evidence) -> str:
    """``import pipeline 'inward' of registry 'contoso'``."""
    direction = direction_of(evidence)
    kind = f"{direction.lower()} pipeline" if direction else "pipeline"
    return f"{named(kind, evidence.names.pipeline)} of {named('registry', evidence.names.registry)}"


def run_words(evidence: Evidence) -> str:
    """``import run 'nightly' of pipeline 'inward' of registry 'contoso'``."""
    direction = direction_of(evidence)
    kind = f"{direction.lower()} run" if direction else "pipeline run"
    whose = f" of pipeline '{evidence.names.pipeline}'" if evidence.names.pipeline else ""
    return f"{named(kind, evidence.names.run)}{whose} of {named('registry', evidence.names.registry)}"


def moment(time: object) -> str:
    """``2026-11-23 10:00 UTC``; empty if it is no time."""
    return f"{time:%Y-%m-%d %H:%M} UTC" if isinstance(time, datetime) else ""


def shortened(text: str, longest: int = 300) -> str:
    """Somebody's text in one line, cut if it is long."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def container_words(evidence: Evidence) -> str:
    """``container 'transfer' of storage account 'contosostore'``."""
    names = evidence.names
    return f"{named('container', names.container)} of {named('storage account', names.account)}"


def blob_words(evidence: Evidence) -> str:
    """``blob 'images.tar.gz' in container 'transfer' of storage account 'contosostore'``."""
    return f"{named('blob', evidence.names.blob)} in {container_words(evidence)}"
