"""Compares the artifacts that a run was asked for with those that it names as done.

``repo`` means ``repo:latest``; a registry's host in front and the case of the repository do not count.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from shared.evidence.references import NotAReference, Reference, read_reference


def _read(text: str) -> Reference | NotAReference:
    read = read_reference(text)
    if isinstance(read, NotAReference):
        return read
    return replace(read, host="", repository=read.repository.lower(), digest=read.digest.lower())


def _same(asked: Reference | NotAReference, done: Reference | NotAReference) -> bool:
    if isinstance(asked, NotAReference) or isinstance(done, NotAReference) or asked.repository != done.repository:
        return False
    if asked.digest and done.digest:
        return asked.digest == done.digest
    # One names a tag and the other a digest: they may well be the same, and nothing here tells.
    return not (asked.tag and done.tag) or asked.tag == done.tag


def lacking(asked: Iterable[str], done: Iterable[str]) -> tuple[str, ...]:
    """Those of ``asked`` that nothing in ``done`` stands for, as they were written.

    What is done counts once: two tags of a repository are not both covered by one digest of it.
    """
    left = [_read(text) for text in done]
    wanted = [(text, _read(text)) for text in asked]
    # Exact matches first, so that a vague one does not take what belongs to another.
    for exact in (True, False):
        open_ends = []
        for text, reference in wanted:
            found = next((d for d in left if d == reference or (not exact and _same(reference, d))), None)
            if found is None:
                open_ends.append((text, reference))
            else:
                left.remove(found)
        wanted = open_ends
    return tuple(text for text, _ in wanted)
