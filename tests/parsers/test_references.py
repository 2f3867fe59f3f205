"""References to artifacts: one reading, whatever asks."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.evidence.references import NotAReference, Reference, read_reference

DIGEST: Final = f"sha256:{'0123456789abcdef' * 4}"
HOSTS: Final = (
    "contoso.azurecr.io",
    "contoso-a1b2.azurecr.cn",
    "Contoso.AzureCR.us",
    "localhost",
    "localhost:5000",
    "h:1",
)

_words: Final = st.from_regex(r"[a-z0-9]{1,8}([._-][a-z0-9]{1,8})?", fullmatch=True)
_references: Final = st.builds(
    Reference,
    host=st.sampled_from(("", *HOSTS)),
    # The first part is no host by itself.
    repository=st.lists(_words, min_size=1, max_size=4).map("/".join).filter(lambda r: not r.startswith("localhost/")),
    tag=st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True),
    digest=st.sampled_from(("", DIGEST)),
)


@pytest.mark.parametrize(
    ("text", "host", "repository", "named"),
    [
        ("hello-world", "", "hello-world", "latest"),
        (" hello-world:1.0 ", "", "hello-world", "1.0"),
        ("team/app:V1", "", "team/app", "V1"),
        (f"team/app@{DIGEST}", "", "team/app", DIGEST),
        (f"team/app:v1@{DIGEST}", "", "team/app", DIGEST),
        ("Team/App", "", "Team/App", "latest"),
        ("contoso.azurecr.io/app/web:1.0", "contoso.azurecr.io", "app/web", "1.0"),
        ("contoso-a1b2.azurecr.us/app", "contoso-a1b2.azurecr.us", "app", "latest"),
        ("localhost:5000/app", "localhost:5000", "app", "latest"),
        ("localhost/app", "localhost", "app", "latest"),
        ("registry.example:443/app:1", "registry.example:443", "app", "1"),
        ("docker.io/library/nginx:1", "", "docker.io/library/nginx", "1"),
        ("contoso.azurecr.io", "", "contoso.azurecr.io", "latest"),
        ("app:5000", "", "app", "5000"),
    ],
)
def test_what_is_a_host_and_what_is_not(text: str, host: str, repository: str, named: str) -> None:
    read = read_reference(text)
    assert isinstance(read, Reference)
    assert (read.host, read.repository, read.named) == (host, repository, named)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("team/app", ("team/app",)),
        ("contoso.azurecr.io/app", ("contoso.azurecr.io/app", "app")),
        ("localhost:5000/app", ("app",)),
    ],
)
def test_a_name_that_may_be_a_repositorys_is_looked_for_as_written_first(text: str, places: tuple[str, ...]) -> None:
    read = read_reference(text)
    assert isinstance(read, Reference)
    assert read.repositories == places


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "/app", "app/", "../app", "app/../web", "a?b", "a" * 256),
        *("app:v 1", "app:-1", "app@", "app@sha256:12", f"app:v 1@{DIGEST}"),
        *("localhost:x/app", ".azurecr./app", "localhost:5000/"),
    ],
)
def test_what_can_name_no_artifact(text: str) -> None:
    assert read_reference(text) == NotAReference(text)


@given(_references)
def test_what_is_written_is_read_again(reference: Reference) -> None:
    front = f"{reference.host}/" if reference.host else ""
    behind = f"@{reference.digest}" if reference.digest else ""
    assert read_reference(f"{front}{reference.repository}:{reference.tag}{behind}") == reference
    assert read_reference(reference.of(reference.repository)) in {
        Reference("", reference.repository, reference.tag, ""),
        Reference("", reference.repository, "", DIGEST),
    }


@given(st.text(st.sampled_from("aZ0._-/:@ ~%?#\n") | st.characters()) | st.text().map(lambda text: f"h:1/{text}"))
def test_nothing_that_leads_elsewhere_becomes_a_repository(text: str) -> None:
    read = read_reference(text)
    if isinstance(read, NotAReference):
        assert read.text == text
        return
    for repository in read.repositories:
        assert all(part and set(part) - set(".-_") for part in repository.split("/"))
        assert repository.replace("/", "").replace(".", "").replace("_", "").replace("-", "").isalnum()
    assert read.named
    assert not set(read.named) & set("/@? \n")
