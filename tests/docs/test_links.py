"""Every link between pages leads to a file, and to a heading where it names one."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, without_code

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
# In the order in which they are to be read.
READING = ("get-started", "findings", "deploy", "operate", "extend", "design")


@cache
def anchors_of(page: Path) -> frozenset[str]:
    """The anchors that GitHub makes of a page's headings."""
    fenceless = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return frozenset(
        re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in _HEADING.findall(fenceless)
    )


def wrong_with(page: Path, link: str) -> str:
    """Why a link leads nowhere; empty if it leads somewhere, or out of the repository."""
    if re.match(r"[a-z]+:", link):
        return "" if link.startswith(("https://", "http://127.0.0.1", "mailto:")) else "no https"
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return "no such file"
    if not target.is_relative_to(ROOT):
        return "outside of the repository"
    return "no such heading" if anchor and anchor not in anchors_of(target) else ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    links = _LINK.findall(without_code(page.read_text("utf-8")))
    assert {link: wrong for link in links if (wrong := wrong_with(page, link))} == {}


@pytest.mark.parametrize(
    ("link", "wrong"),
    [
        ("docs/design.md", ""),
        ("docs/operate.md#mutes", ""),
        ("#deploy", ""),
        ("docs/designs.md", "no such file"),
        ("docs/operate.md#moots", "no such heading"),
        ("../elsewhere.md", "no such file"),
        ("http://example.com", "no https"),
    ],
)
def test_a_link_that_leads_nowhere_is_told(link: str, wrong: str) -> None:
    assert wrong_with(ROOT / "README.md", link) == wrong


@pytest.mark.parametrize("index", ["README.md", "docs/README.md"])
def test_the_index_names_the_pages_in_reading_order(index: str) -> None:
    links = _LINK.findall(
        (ROOT / index).read_text("utf-8").partition("## Documentation")[2] or (ROOT / index).read_text("utf-8")
    )
    named = [Path(link).stem for link in links]
    assert [name for name in named if name in READING] == list(READING)


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        links = _LINK.findall(without_code(page.read_text("utf-8")))
        waiting += [
            (page.parent / link.partition("#")[0]).resolve() for link in links if not re.match(r"[a-z]+:", link)
        ]
    docs = {page for page in PAGES if page.is_relative_to(ROOT / "docs")}
    assert {page.name for page in docs - reached} == set()
