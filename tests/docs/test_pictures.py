"""The pictures of the documentation: true to what is shown now, small, and without anything that is nobody's business.

The page itself is compared in ``tests/browser/test_pictures.py``, the demo's words in ``tests/test_demo.py``.
"""

from __future__ import annotations

import getpass
import re
import socket
from pathlib import Path

import pytest

from localcloud import Azurite
from tools.pictures import PICTURES
from tools.pictures.card import card_picture
from tools.pictures.normal import differences, normalised
from tools.pictures.page import WIDTH, shows, width_of, with_words
from tools.pictures.terminal import drawn, recording, words_of

_OF_THE_PAGE = ("page.png", "finding.png")
_LARGEST = 300_000
_LOCAL = re.compile(r"(?<![\w./])/(?:home|Users|root|tmp|work)/|[A-Z]:\\\\|sig=(?!\w*…)|AccountKey=|Bearer ")


async def test_the_card_says_what_its_picture_says(azurite: Azurite) -> None:
    made = normalised(words_of(await card_picture(azurite)))
    committed = normalised(words_of((PICTURES / "card.svg").read_text("utf-8")))
    assert differences(committed, made) == [], "renew and look at it: python -m tools.pictures card"
    assert "ACRT201 vault-access-denied" in made


@pytest.mark.parametrize("name", _OF_THE_PAGE)
def test_a_picture_of_the_page_was_taken_with_its_words(name: str) -> None:
    png = (PICTURES / name).read_bytes()
    assert shows(png, (PICTURES / "page.txt").read_text("utf-8")), "renew them together: python -m tools.pictures page"
    assert width_of(png) == WIDTH
    assert len(png) < _LARGEST


def test_a_picture_with_other_words_is_told_apart() -> None:
    png = (PICTURES / "page.png").read_bytes()
    bare = png[:33] + png[33 + 12 + 6 + 64 :]
    assert not shows(bare, "other words\n")
    assert shows(with_words(bare, "other words\n"), "other words\n")


@pytest.mark.parametrize("name", ["page.txt", "card.svg", "demo.svg"])
def test_nothing_of_a_machine_or_a_secret_is_shown(name: str) -> None:
    text = (PICTURES / name).read_text("utf-8")
    words = words_of(text) if name.endswith(".svg") else text
    assert _LOCAL.findall(words) == []
    assert str(Path.home()) not in words
    # A user or a host that is called like something of the product proves nothing.
    for mine in {getpass.getuser(), socket.gethostname()} - {"root", "localhost"}:
        assert not re.search(rf"\b{re.escape(mine)}\b", words)


def test_every_picture_is_shown_somewhere() -> None:
    pages = [path.read_text("utf-8") for path in (*PICTURES.parent.glob("*.md"), PICTURES.parents[1] / "README.md")]
    for picture in PICTURES.iterdir():
        if picture.suffix != ".txt":
            assert any(f"pictures/{picture.name})" in page for page in pages), picture.name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("on 2026-11-23 17:10 UTC", "on 2027-01-02 03:04 UTC"),
        ("id 5a0bc796-e757-4abc-88d8-86ecd247aebd", "id 98318cf3-f7eb-4215-9959-\nf01f52425e60"),
        ("run importpipe_6826cde69388", "run importpipe_12f3cab626ac"),
        ("right one (14 s).", "right one (9 s)."),
        ("Minutes since the monitor reported\n0", "Minutes since the monitor reported\n12"),
        ("\t2026-11-23 17:12:07 UTC\t0", "\t2026-11-23 17:12:07 UTC\t0.1"),
        ("sha256:" + "0" * 64, "sha256:" + "a" * 64),
    ],
)
def test_what_changes_each_time_counts_for_nothing(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


def test_what_is_said_counts() -> None:
    before, after = normalised("11 rows\nHigh  ACRT201\napp/web:1.0"), normalised("12 rows\nHigh ACRT201\napp/web:1.0")
    assert differences(before, after) == ["no more: 11 rows", "new: 12 rows"]


def test_the_words_of_a_terminal_are_read_from_its_picture() -> None:
    console = recording(40)
    console.print("one [bold]two[/bold]three    four")
    console.print("<five> & six")
    assert normalised(words_of(drawn(console, "title"))) == "one twothree four\n<five> & six\n"
