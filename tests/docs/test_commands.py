"""Every command that a page shows is one: of ``acrtm`` with its options, of make, of a Python module of ours."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from acrtm.main import app
from acrtm.output import FORMATS
from shared.addresses import BadAddress, read_blob_address
from shared.clouds import PUBLIC
from tests.docs.pages import PAGES, ROOT, code_of

COMMANDS: Any = getattr(typer.main.get_command(app), "commands")  # noqa: B009 - a group has them, Typer's type does not
OF_ALL = {"-h", "--help", "--install-completion", "--show-completion"}
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def shown(program: str) -> list[tuple[str, str]]:
    """The command lines of a program, by page."""
    return [
        (page.relative_to(ROOT).as_posix(), line)
        for page in PAGES
        for code in code_of(page.read_text("utf-8"))
        for line in command_lines(code, program)
    ]


def command_lines(code: str, program: str) -> Iterator[str]:
    """Each line that begins with the program, or calls it behind a pipe or another command."""
    for line in code.replace("\\\n", " ").splitlines():
        for part in re.split(r"\|\||&&|;", line):
            found = re.match(rf"\s*(?:\$ )?({re.escape(program)} .*)", part)
            if found:
                yield found[1].strip()


def options_of(command: Any) -> dict[str, Any]:
    return {name: option for option in command.params for name in (*option.opts, *option.secondary_opts)}


def wrong_with(line: str) -> str:
    """What is wrong with a command line of acrtm; empty if nothing is."""
    words = shlex.split(line, comments=True)[1:]
    if words and words[0] in OF_ALL:
        return ""
    command = COMMANDS.get(words[0]) if words else None
    if command is None:
        return f"there is no command '{words[0] if words else ''}'"
    known = options_of(command)
    for at, word in enumerate(words[1:], 1):
        if (
            words[0] == "check-blob"
            and word.startswith("https://")
            and isinstance(read_blob_address(word, PUBLIC), BadAddress)
        ):
            return f"{word} is no URL of a blob"
        if not word.startswith("-") or word in OF_ALL:
            continue
        name, _, value = word.partition("=")
        if name not in known:
            return f"{words[0]} has no option {name}"
        value = value or (words[at + 1] if at + 1 < len(words) else "")
        if name == "--output" and "FILE" not in str(known[name].metavar) and value and value not in FORMATS:
            return f"there is no output '{value}'"
    return ""


@pytest.mark.parametrize(("page", "line"), shown("acrtm"))
def test_a_command_of_acrtm_is_one(page: str, line: str) -> None:
    assert wrong_with(line) == "", page


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("acrtm diagnose ID --output sarif --no-store  # why", ""),
        ("acrtm view --output report.html", ""),
        ("acrtm check-blob https://contosotransfer.blob.core.windows.net/transfer/nightly7.tar", ""),
        (
            "acrtm check-blob https://contosotransfer.blob.core.windows.net/in/nightly7.tar",
            "https://contosotransfer.blob.core.windows.net/in/nightly7.tar is no URL of a blob",
        ),
        ("acrtm diagnoze ID", "there is no command 'diagnoze'"),
        ("acrtm diagnose ID --frobnicate", "diagnose has no option --frobnicate"),
        ("acrtm diagnose ID --output xml", "there is no output 'xml'"),
    ],
)
def test_what_is_wrong_with_a_command_is_told(line: str, wrong: str) -> None:
    assert wrong_with(line) == wrong


def test_every_command_is_shown_somewhere() -> None:
    assert {line.split()[1] for _, line in shown("acrtm")} >= set(COMMANDS)


@pytest.mark.parametrize(("page", "line"), shown("make"))
def test_make_knows_what_it_is_told(page: str, line: str) -> None:
    assert line.split()[1] in TARGETS, page


@pytest.mark.parametrize(("page", "line"), shown("python -m"))
def test_a_python_module_is_there(page: str, line: str) -> None:
    assert importlib.util.find_spec(line.split()[2]) is not None, page
