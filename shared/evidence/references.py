"""References to artifacts as runs name them, and names that are close to them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

# As the OCI distribution specification has them; a repository is let through in capitals too, for the registry to
# say what it thinks of it. What does not fit can't exist, and is never put into a path.
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9]+(?:[._-]+[A-Za-z0-9]+)*(?:/[A-Za-z0-9]+(?:[._-]+[A-Za-z0-9]+)*)*")
_TAG: Final = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST: Final = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,128}")
_LONGEST: Final = 255
_MOST: Final = 3
_LIKE_A_TAG: Final = 0.6
_LIKE_A_REPOSITORY: Final = 0.7

Tags = Callable[[str], Awaitable[Sequence[str]]]
Repositories = Callable[[], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Reference:
    """A repository, and a tag or a digest in it."""

    repository: str
    reference: str

    @property
    def by_digest(self) -> bool:
        """Whether a digest is named."""
        return ":" in self.reference


@dataclass(frozen=True, slots=True)
class NotAReference:
    """A text that can name no artifact."""

    text: str


def read_reference(text: str) -> Reference | NotAReference:
    """Reads ``repo`` (``repo:latest``), ``repo:tag`` or ``repo@sha256:…``."""
    name, at, digest = text.strip().partition("@")
    folder, slash, last = name.rpartition("/")
    base, _, tag = last.partition(":")
    repository, reference = f"{folder}{slash}{base}", digest if at else tag or "latest"
    fits = _DIGEST.fullmatch(reference) if at else _TAG.fullmatch(reference)
    if not fits or len(repository) > _LONGEST or not _REPOSITORY.fullmatch(repository):
        return NotAReference(text)
    return Reference(repository, reference)


async def similar_names(text: str, tags: Tags, repositories: Repositories) -> tuple[str, ...]:
    """References that exist and are close to ``text``, the closest first."""
    asked = read_reference(text)
    if isinstance(asked, NotAReference) or asked.by_digest:
        return ()
    repository = _without_host(asked.repository)
    found = [f"{repository}:{tag}" for tag in _close_tags(asked.reference, await tags(repository))]
    if found:
        return tuple(found)
    known = await repositories()
    near = difflib.get_close_matches(repository.lower(), known, n=_MOST, cutoff=_LIKE_A_REPOSITORY)
    for candidate in near:
        if candidate != repository:
            found += [f"{candidate}:{tag}" for tag in _close_tags(asked.reference, await tags(candidate))]
    return tuple(found[:_MOST])


def _without_host(repository: str) -> str:
    """The repository without the registry's host, which does not belong there."""
    host, slash, rest = repository.partition("/")
    return rest if slash and "." in host else repository


def _close_tags(tag: str, known: Sequence[str]) -> list[str]:
    if tag in known:
        return [tag]
    same = [other for other in known if other.lower() == tag.lower()]
    close = difflib.get_close_matches(tag, known, n=_MOST, cutoff=_LIKE_A_TAG)
    # Without a tag "latest" is meant, and where there is one tag only it is the one that was wanted.
    only = list(known) if tag == "latest" and len(known) == 1 else []
    return list(dict.fromkeys([*same, *close, *only]))[:_MOST]
