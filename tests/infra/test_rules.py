"""What all Bicep files keep to; and that each rule can tell when one does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tools.bicep import BicepFile, parse, read
from tools.bicep.rules import PER_FILE, several_versions

ROOT = Path(__file__).resolve().parents[2]
FILES = [read(path) for path in sorted((ROOT / "infra").rglob("*.bicep"))]
Rule = Callable[[BicepFile], Iterator[str]]
RULES: dict[str, Rule] = {rule.__name__: rule for rule in PER_FILE}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path.relative_to(ROOT / "infra").as_posix())
@pytest.mark.parametrize("rule", PER_FILE, ids=lambda rule: rule.__name__)
def test_every_file_keeps_to_the_rules(file: BicepFile, rule: Rule) -> None:
    assert list(rule(file)) == []


def test_a_resource_type_has_one_version_everywhere() -> None:
    assert list(several_versions(FILES)) == []


def test_two_versions_of_a_type_are_seen() -> None:
    files = [parse(f"resource a 'N.S/as@20{year}-01-01' = {{\n  name: 'a'\n}}\n") for year in ("20", "21")]
    assert list(several_versions(files)) == ["n.s/as is taken in several versions: 2020-01-01, 2021-01-01"]


_ASSIGNMENT = "resource a 'Microsoft.Authorization/roleAssignments@2022-04-01' = {{\n  properties: {{ {why} }}\n}}\n"


_OTHER = "resource a 'N.S/as@2020-01-01' existing = {\n  name: 'a'\n}\n"


@pytest.mark.parametrize(
    "source",
    [
        f"{_OTHER}resource b 'N.S/bs@2020-01-01' = {{\n  name: guid(a.id)\n  scope: a\n  properties: a.tags\n}}\n",
        f"{_OTHER}module b 'm.bicep' = {{\n  name: uniqueString(a.id)\n  params: {{ x: a.location }}\n}}\n",
    ],
)
def test_what_is_known_at_the_start_may_stand_anywhere(source: str) -> None:
    assert list(RULES["late_values"](parse(source))) == []


@pytest.mark.parametrize(
    ("rule", "source", "named"),
    [
        ("undocumented", "param a string\n", "a"),
        ("undocumented", "@description(' ')\noutput a string = ''\n", "a"),
        ("undocumented", "@description('T.')\ntype T = {\n  one: string\n}\n", "one"),
        ("unused", "param a string\nvar b = 1\noutput c int = b\n", "a"),
        ("unused", "var a = 1\n", "a"),
        ("unused", "import { T } from 'types.bicep'\n", "T"),
        ("undeclared", "output a string = b.c\n", "b"),
        ("undeclared", "var a = [for b in [1]: c]\n", "c"),
        ("undeclared", "var a = map([1], b => c)\n", "c"),
        ("undeclared", "var a = {\n  '${b}': 1\n}\n", "b"),
        ("preview_versions", "resource a 'N.S/as@2024-01-01-preview' = {\n  name: 'a'\n}\n", "a"),
        ("preview_versions", "resource a 'Microsoft.Insights/diagnosticSettings@2017-05-01-preview' = {}\n", "a"),
        ("secrets", "var a = s.listKeys().keys[0].value\n", "s.listKeys"),
        ("secrets", "var a = listKeys('x', '2020-01-01').key1\n", "listKeys"),
        ("secrets", "var a = vault.getSecret('x')\n", "vault.getSecret"),
        ("secrets", "output a string = i.properties.ConnectionString\n", "a"),
        ("secrets", "@secure()\noutput a string = 'x'\n", "a"),
        ("secrets", "output accountKey string = 'x'\n", "accountKey"),
        ("built_hosts", "var a = 'https://${b}/x'\n", "https://"),
        ("built_hosts", "var a = '${b}.blob.core.windows.net'\n", "windows.net"),
        ("built_hosts", "var a = '${b}.blob.${environment().suffixes.storage}'\n", "builds"),
        ("written_ids", "var a = 'acdd72a7-3385-48ef-bd42-f606fba81ae7'\n", "acdd72a7"),
        ("unexplained_roles", _ASSIGNMENT.format(why="principalId: 'x'"), "a"),
        ("unexplained_roles", _ASSIGNMENT.format(why="description: ''"), "a"),
        ("missing_files", "var a = loadTextContent('none.kql')\n", "none.kql"),
        ("missing_files", "module a 'none.bicep' = {\n  name: 'a'\n}\n", "none.bicep"),
        ("late_values", f"{_OTHER}resource b 'N.S/bs@2020-01-01' = {{\n  location: a.location\n}}\n", "a.location"),
        (
            "late_values",
            f"{_OTHER}var c = a.properties.x\nresource b 'N.S/bs@2020-01-01' = {{\n  name: c\n}}\n",
            "and c is",
        ),
        ("late_values", f"{_OTHER}resource b 'N.S/bs@2020-01-01' = if (a.tags.x == 1) {{\n  name: 'b'\n}}\n", "a.tags"),
        ("late_values", "module a 'm.bicep' = {}\nmodule b 'm.bicep' = {\n  name: a.outputs.b\n}\n", "a.outputs"),
        (
            "late_values",
            "module a 'm.bicep' = [for i in [1]: {}]\nmodule b 'm.bicep' = {\n  name: a[0].outputs.b\n}\n",
            "b",
        ),
        ("long_names", "param a string\nmodule b 'm.bicep' = {\n  name: 'x-${a}'\n}\n", "b"),
        ("long_names", f"module b 'm.bicep' = {{\n  name: '{'x' * 65}'\n}}\n", "b"),
        ("unguarded_reads", "module a 'm.bicep' = if (b) {}\noutput c string = a.outputs.d\n", "c"),
    ],
)
def test_each_rule_can_fail(rule: str, source: str, named: str, tmp_path: Path) -> None:
    found = list(RULES[rule](parse(source, tmp_path / "snippet.bicep")))
    assert len(found) == 1
    assert named in found[0]


_MODULE = (
    "@minLength(3)\nparam name string\nparam sku 'a' | 'b'\nparam tags object = {}\nparam size int = 1\n"
    "output id string = name\n"
)


@pytest.mark.parametrize(
    ("call", "wrong"),
    [
        ("params: { name: 'abc', sku: 'a' }", None),
        ("params: { name: p, sku: q ? 'a' : 'b' }", None),
        ("params: { sku: 'a' }", "does not give name"),
        ("params: { name: 'abc', sku: 'a', other: 1 }", "gives other"),
        ("params: { name: 'abc', sku: 'c' }", "gives sku"),
        ("params: { name: 'abc', sku: q ? 'a' : 'c' }", "gives sku"),
        ("params: { name: 3, sku: 'a' }", "gives name"),
        ("params: { name: 'ab', sku: 'a' }", "gives name"),
        ("params: { name: 'abc', sku: 'a', tags: [] }", "gives tags"),
        ("params: { name: 'abc', sku: 'a', size: p }", "gives size"),
    ],
)
def test_a_module_is_called_as_it_declares(call: str, wrong: str | None, tmp_path: Path) -> None:
    (tmp_path / "m.bicep").write_text(_MODULE, "utf-8")
    source = f"param p string\nparam q bool\nmodule m 'm.bicep' = {{\n  name: 'm'\n  {call}\n}}\n"
    found = list(RULES["misfits"](parse(source, tmp_path / "snippet.bicep")))
    assert len(found) == (0 if wrong is None else 1)
    assert wrong is None or wrong in found[0]


def test_outputs_scopes_and_imports_that_are_not_there_are_seen(tmp_path: Path) -> None:
    (tmp_path / "m.bicep").write_text(f"type T = string\n{_MODULE}", "utf-8")
    source = (
        "targetScope = 'subscription'\nimport { T } from 'm.bicep'\n"
        "module m 'm.bicep' = {\n  params: { name: 'abc', sku: 'a' }\n}\noutput x string = m.outputs.none\n"
    )
    found = " ".join(RULES["misfits"](parse(source, tmp_path / "snippet.bicep")))
    for wrong in ("does not export T", "without a scope", "no output none"):
        assert wrong in found
