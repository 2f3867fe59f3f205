from __future__ import annotations

import pytest

from shared.rules.references import lacking

A = "sha256:" + "a" * 64
B = "sha256:" + "b" * 64


@pytest.mark.parametrize(
    ("asked", "done", "missing"),
    [
        ((), (), ()),
        (("repo",), ("repo:latest",), ()),
        (("repo:latest",), ("repo",), ()),
        (("repo:1",), ("contoso.azurecr.io/repo:1",), ()),
        (("localhost:5000/team/repo",), ("team/repo:latest",), ()),
        (("team/repo:1",), ("repo:1",), ("team/repo:1",)),
        (("docker.io/library/nginx:1",), ("docker.io/library/nginx:1",), ()),
        (("docker.io/library/nginx:1",), ("quay.io/library/nginx:1",), ("docker.io/library/nginx:1",)),
        (("no reference",), ("no reference",), ()),
        (("no reference", "repo"), ("other/thing", "repo"), ("no reference",)),
        (("Repo:1",), ("repo:1",), ()),
        (("repo:V1",), ("repo:v1",), ("repo:V1",)),
        ((f"repo@{A}",), (f"repo@{A.upper()}",), ()),
        ((f"repo@{A}",), (f"repo@{B}",), (f"repo@{A}",)),
        (("repo:1", "repo:2"), ("repo:2",), ("repo:1",)),
        (("a", "b", "c"), (), ("a", "b", "c")),
    ],
)
def test_lacking_names_what_did_not_arrive(
    asked: tuple[str, ...], done: tuple[str, ...], missing: tuple[str, ...]
) -> None:
    assert lacking(asked, done) == missing


@pytest.mark.parametrize(
    ("asked", "done"), [("repo:1", f"repo@{A}"), (f"repo@{A}", "repo:1"), (f"repo:1@{A}", "repo:1")]
)
def test_a_tag_may_be_a_digest(asked: str, done: str) -> None:
    assert lacking((asked,), (done,)) == ()


def test_one_digest_does_not_stand_for_two_tags() -> None:
    assert lacking(("repo:1", "repo:2"), (f"repo@{A}",)) == ("repo:2",)


def test_a_vague_match_leaves_the_exact_one_alone() -> None:
    assert lacking(("repo:1", f"repo@{A}"), (f"repo@{A}", f"repo@{B}")) == ()
