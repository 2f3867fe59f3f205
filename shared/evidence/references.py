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
_DIGEST: Final = re.compile(r"[A-Za-z0-9]+(?:[.+_-][A-Za-z0-9]+)*:[0-9a-fA-F]{32,128}")
_HOST: Final = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?::\d{1,5})?", re.ASCII)
# The registry suffix of every cloud of Azure begins with it.
_AZURES: Final = ".azurecr."
_LONGEST: Final = 255
_MOST: Final = 3
_LIKE_A_TAG: Final = 0.6
_LIKE_A_REPOSITORY: Final = 0.7

Tags = Callable[[str], Awaitable[Sequence[str]]]
Repositories = Callable[[], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Reference:
    """A repository, and a tag or a digest in it, or both. ``tag`` is ``latest`` where neither is named."""

    host: str
    repository: str
    tag: str
    digest: str

    @property
    def named(self) -> str:
        """What names the artifact in its repository: the digest, if there is one."""
        return self.digest or self.tag

    @property
    def repositories(self) -> tuple[str, ...]:
        """Where it may be: a repository can be called like a host without a port, and is looked for as written."""
        if not self.host:
            return (self.repository,)
        return (self.repository,) if ":" in self.host else (f"{self.host}/{self.repository}", self.repository)

    def of(self, repository: str) -> str:
        """The same tag or digest of ``repository``."""
        return f"{repository}@{self.digest}" if self.digest else f"{repository}:{self.tag}"


@dataclass(frozen=True, slots=True)
class NotAReference:
    """A text that can name no artifact."""

    text: str


def read_reference(text: str) -> Reference | NotAReference:
    """Reads ``repo`` (``repo:latest``), ``repo:tag``, ``repo@sha256:…`` or ``repo:tag@sha256:…``.

    The part before the first slash is a host, and none of the repository, if it has a port, is ``localhost`` or is
    that of an Azure registry (``contoso.azurecr.io``). Any other dot makes no host, whatever container tools think:
    what was copied from elsewhere often lies in repositories like ``docker.io/library/nginx``.
    """
    name, at, digest = text.strip().partition("@")
    host, slash, path = name.partition("/")
    if not slash or not _is_host(host):
        host, path = "", name
    folder, slash, last = path.rpartition("/")
    base, _, tag = last.partition(":")
    repository = f"{folder}{slash}{base}"
    tag = tag or ("" if at else "latest")
    fits = (not tag or _TAG.fullmatch(tag)) and (not at or _DIGEST.fullmatch(digest))
    if not fits or (host and not _HOST.fullmatch(host)):
        return NotAReference(text)
    if len(repository) > _LONGEST or not _REPOSITORY.fullmatch(repository):
        return NotAReference(text)
    return Reference(host, repository, tag, digest)


def _is_host(first: str) -> bool:
    return ":" in first or first.lower() == "localhost" or _AZURES in first.lower()


async def similar_names(text: str, tags: Tags, repositories: Repositories) -> tuple[str, ...]:
    """References that exist and are close to ``text``, the closest first."""
    asked = read_reference(text)
    if isinstance(asked, NotAReference) or asked.digest:
        return ()
    for repository in asked.repositories:
        found = [f"{repository}:{tag}" for tag in _close_tags(asked.tag, await tags(repository))]
        if found:
            return tuple(found)
    repository = asked.repository
    known = await repositories()
    near = difflib.get_close_matches(repository.lower(), known, n=_MOST, cutoff=_LIKE_A_REPOSITORY)
    for candidate in near:
        if candidate != repository:
            found += [f"{candidate}:{tag}" for tag in _close_tags(asked.tag, await tags(candidate))]
    return tuple(found[:_MOST])


def _close_tags(tag: str, known: Sequence[str]) -> list[str]:
    if tag in known:
        return [tag]
    same = [other for other in known if other.lower() == tag.lower()]
    close = difflib.get_close_matches(tag, known, n=_MOST, cutoff=_LIKE_A_TAG)
    # Without a tag "latest" is meant, and where there is one tag only it is the one that was wanted.
    only = list(known) if tag == "latest" and len(known) == 1 else []
    return list(dict.fromkeys([*same, *close, *only]))[:_MOST]
