"""Takes a command line apart as az does, and refuses what az would refuse.

Stricter in one place: az accepts the beginning of a flag for the flag. A command that somebody is to paste
spells its flags out.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from localcloud.az.errors import AzError, UsageError

_FOLDER = Path(__file__).parent
_MOMENTS = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%HZ", "%Y-%m-%d")
_OUTPUTS = ["json", "jsonc", "yaml", "yamlc", "table", "tsv", "none"]


def commands() -> dict[str, list[dict[str, Any]]]:
    """Every command that az (with the extension acrtransfer) is known to have here, with its options."""
    core = json.loads((_FOLDER / "syntax.json").read_text(encoding="utf-8"))
    transfer = json.loads((_FOLDER / "syntax_acrtransfer.json").read_text(encoding="utf-8"))
    known: dict[str, list[dict[str, Any]]] = core["commands"]
    for command, groups in transfer["commands"].items():
        known[command] = [option for group in groups for option in transfer[group]]
    return known


def parse(words: Sequence[str]) -> tuple[str, argparse.Namespace]:
    """The command and its options."""
    known = commands()
    end = next((index for index, word in enumerate(words) if word.startswith("-")), len(words))
    command = next((" ".join(words[:size]) for size in range(end, 0, -1) if " ".join(words[:size]) in known), "")
    if not command:
        raise UsageError(f"az: '{' '.join(words[:end])}' is misspelled or not recognized by the system.")
    parser = _Parser(prog=f"az {command}", add_help=False, allow_abbrev=False)
    for option in known[command]:
        _add(parser, option)
    parser.add_argument("--output", "-o", dest="output", type=str.lower, choices=_OUTPUTS, default="json")
    parser.add_argument("--query", dest="query")
    parser.add_argument("--subscription", dest="subscription")
    for flag in ("--verbose", "--debug", "--only-show-errors"):
        parser.add_argument(flag, action="store_true", dest=f"log_{flag}")
    return command, parser.parse_args([_loaded(word) for word in words[len(command.split()) :]])


def _add(parser: argparse.ArgumentParser, option: dict[str, Any]) -> None:
    flags, kind = option["flags"], option.get("kind", "")
    if not flags:
        parser.add_argument(option["dest"], nargs=option.get("nargs"))
        return
    settings: dict[str, Any] = {"dest": option["dest"], "required": option.get("required", False)}
    if kind == "flag":
        parser.add_argument(*flags, action="store_true", **settings)
        return
    settings["type"] = _taker(option)
    if kind == "three-state":
        settings |= {"nargs": "?", "const": True}
    elif "nargs" in option:
        settings["nargs"] = option["nargs"]
    parser.add_argument(*flags, **settings)


def _taker(option: dict[str, Any]) -> Any:
    """What makes the option's value of its word, or raises ``ArgumentTypeError``."""
    choices: list[str] = option.get("choices", [])

    def take(word: str) -> Any:
        if option.get("kind") == "three-state" or choices == ["true", "false"]:
            if word.lower() not in {"true", "false", "yes", "no", "t", "f", "y", "n", "1", "0"}:
                raise argparse.ArgumentTypeError(f"'{word}' is neither true nor false.")
            return word.lower() in {"true", "yes", "t", "y", "1"}
        if choices:
            chosen = next((choice for choice in choices if choice.lower() == word.lower()), None)
            if chosen is None:
                raise argparse.ArgumentTypeError(f"'{word}' is not a valid value. Allowed values: {', '.join(choices)}")
            return chosen
        match option.get("type"):
            case "datetime":
                moment(word)
            case "int":
                return int(word)
        return word

    return take


def moment(word: str) -> datetime:
    """The time that an option names. Options keep the word itself, which storage signs as it is written."""
    for form in _MOMENTS:
        try:
            return datetime.strptime(word, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise argparse.ArgumentTypeError(f"Input '{word}' not valid. Valid example: 2000-12-31T12:59:59Z")


def _loaded(word: str) -> str:
    """az reads a file, or standard input, in place of a word that begins with ``@``."""
    if not word.startswith("@"):
        return word
    if word == "@-":
        return sys.stdin.read()
    try:
        return Path(word[1:]).expanduser().read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        raise AzError(f"Failed to open file '{word[1:]}': {error}") from None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: error: {message}")
