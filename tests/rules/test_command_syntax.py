"""Every command that any rule gives is one that az takes, down to its last flag; those that verify a repair too."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any, Final

import pytest

from localcloud.az.output import check_query
from localcloud.az.syntax import parse
from shared.evidence.model import Evidence, Look
from shared.records.transfer import Direction, StorageAccessMode
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import Rule
from tests.rules import builders

# What the shell would put there, in a form that every option takes.
_INSIDE: Final = "2030-01-01"
_SUBSTITUTION: Final = re.compile(r"\$\(([^()]*)\)")
_VARIABLE: Final = re.compile(r"\$[a-z0-9_]+")
_FACTS: Final[dict[str, Any]] = {
    "ACRT204": {"versionOnly": True},
    "ACRT404": {"deletes": True},
    "ACRT601": {"missing": ["app/wbe:1.0"], "similar": ["app/web:1.0"]},
    "ACRT603": {"missing": ["app/web:1.0"]},
    "ACRT901": {"principal": builders.PRINCIPAL, "target": builders.ACCOUNT_ID, "right": "read"},
}


def az_commands(line: str) -> Iterator[list[str]]:
    """The words of each az command in a shell line, in the order in which the shell comes to them."""
    while inner := _SUBSTITUTION.search(line):
        yield from az_commands(inner[1])
        line = line[: inner.start()] + _INSIDE + line[inner.end() :]
    lexer = shlex.shlex(_VARIABLE.sub(_INSIDE, line), posix=True, punctuation_chars="|&;")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set("|&;"):
            if words[:1] == ["az"]:
                yield words[1:]
            words = []
        else:
            words.append(word)


def _evidence(direction: Direction, mode: StorageAccessMode) -> Evidence:
    artifacts = tuple(f"app{number}:1" for number in range(60)) if direction is Direction.EXPORT else ()
    pipeline = builders.pipeline(direction=direction, storage_access_mode=mode)
    return builders.evidence(
        look=Look.FAILED_RUN,
        direction=direction,
        pipeline=pipeline,
        run=builders.run(direction=direction, artifacts=artifacts, provisioning_state="Failed", status="Failed"),
        blob_address=builders.BLOB_ADDRESS,
        blob=builders.blob(metadata={"note": "it's $(id)"}, content_md5=b""),
        container=builders.container(),
        watchers=(pipeline,),
        similar_blobs=("images.tar",),
    )


@pytest.mark.parametrize("rule", CATALOGUE.values(), ids=lambda rule: rule.id)
def test_its_commands_are_commands_of_az(rule: Rule) -> None:
    for direction in Direction:
        for mode in StorageAccessMode:
            evidence = _evidence(direction, mode)
            # Facts about artifacts are only found where a run was asked for some.
            known = {} if rule.id.startswith("ACRT6") and direction is Direction.IMPORT else _FACTS.get(rule.id, {})
            for words in (rule.describe(evidence, {}), rule.describe(evidence, known)):
                for command in (*az_commands(words.fix_command), *az_commands(words.verify_command)):
                    _, options = parse(command)
                    check_query(options.query)


def test_the_commands_of_a_line_are_found() -> None:
    line = """end="$(date -u)" && az a --b "?$(az c --d "$end" | tr x y)" | az e 'f && az g $(h)'"""
    assert list(az_commands(line)) == [
        ["c", "--d", _INSIDE],
        ["a", "--b", f"?{_INSIDE}"],
        ["e", f"f && az g {_INSIDE}"],
    ]
