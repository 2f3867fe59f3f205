"""The commands that ask nobody: rules, pages, queries, and what a wrong command line is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from acrtm.main import main
from acrtm.pages import sections
from embedded import EmbeddedStore
from shared.rules.catalogue import CATALOGUE
from shared.rules.model import HEADINGS
from tests.acrtm.conftest import Ended
from tests.acrtm.findings import finding

RUN = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/r/pipelineRuns/run1"
Run = Callable[..., Ended]


@pytest.fixture
def run(plain: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.delenv("MONITORED_REGISTRIES", raising=False)

    def run(*arguments: str) -> Ended:
        code = main(arguments)
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return run


@pytest.fixture
def stored(plain: Path) -> Path:
    EmbeddedStore.open(plain).append([finding().to_row(), finding(severity="Low", rule_id="ACRT307").to_row()])
    return plain


# --- rules --------------------------------------------------------------------------------------------------


def test_all_rules_are_listed(run: Run) -> None:
    ended = run("rules")
    assert ended.code == 0
    assert all(rule_id in ended.out and rule.name in ended.out for rule_id, rule in CATALOGUE.items())


def test_rules_as_a_document(run: Run) -> None:
    rules = run("rules", "--output", "json").document["rules"]
    assert [rule["id"] for rule in rules] == list(CATALOGUE)
    assert all(
        list(rule) == ["id", "name", "area", "severity", "subject", "modes", "title", "helpUri"] for rule in rules
    )


def test_rules_by_area_and_severity(run: Run) -> None:
    ids = {rule["id"] for rule in run("rules", "--area", "sas", "--severity", "medium", "-o", "json").document["rules"]}
    assert "ACRT301" in ids
    assert ids <= {rule.id for rule in CATALOGUE.values() if rule.area == "Sas"}
    assert "ACRT307" not in ids
    assert run("rules", "--area", "nowhere").code == 2
    assert run("rules", "--severity", "huge").code == 2


@pytest.mark.parametrize("named", ["ACRT301", "acrt301", "301", "sas-expired", "SAS-Expired"])
def test_a_rule_is_explained(run: Run, named: str) -> None:
    ended = run("explain", named)
    assert ended.code == 0
    assert "ACRT301  sas-expired" in ended.out
    assert all(heading in ended.out for heading in HEADINGS)
    assert "``" not in ended.out


def test_every_page_has_its_headings() -> None:
    for rule in CATALOGUE.values():
        assert [heading for heading, _ in sections(rule)] == list(HEADINGS), rule.id


def test_a_page_as_a_document(run: Run) -> None:
    document = run("explain", "301", "-o", "json").document
    assert (document["id"], [part["heading"] for part in document["page"]]) == ("ACRT301", list(HEADINGS))


def test_an_unknown_rule_gets_a_suggestion(run: Run) -> None:
    ended = run("explain", "sas-expird", "--output", "json")
    assert ended.code == ended.document["exitCode"] == 2
    assert "sas-expired" in ended.err
    assert "sas-expired" in ended.document["error"]["remedy"]


# --- queries ------------------------------------------------------------------------------------------------


def test_a_query_from_a_file_and_from_the_command_line(run: Run, stored: Path, tmp_path: Path) -> None:
    kql = "AcrTransferFindings_CL | summarize Rows = count() by RuleId | order by RuleId asc"
    file = tmp_path / "rules.kql"
    file.write_text(kql, encoding="utf-8")
    for given in (kql, str(file)):
        ended = run("query", given)
        assert ended.code == 0
        assert ended.out.splitlines() == ["RuleId\tRows", "ACRT301\t1", "ACRT307\t1"]
    document = run("query", kql, "--output", "json").document
    assert document["columns"] == [{"name": "RuleId", "type": "string"}, {"name": "Rows", "type": "long"}]
    assert document["rows"][0] == {"RuleId": "ACRT301", "Rows": 1}


def test_a_whole_row_is_json(run: Run, stored: Path) -> None:
    (row,) = run("query", "AcrTransferFindings_CL | where RuleId == 'ACRT301'", "-o", "json").document["rows"]
    assert row["TimeGenerated"] == "2026-11-23T10:00:00.000000Z"
    assert row["Evidence"] == {"basis": "a live check"}
    json.dumps(row, allow_nan=False)


@pytest.mark.parametrize(
    ("kql", "said"),
    [
        ("AcrTransferFindings_CL | wher Severity == 'High'", "line 1, column"),
        ("AcrTransferFindings_CL | where Nothing == 1", "Nothing"),
        ("OtherTable | take 1", "OtherTable"),
        ("", "empty"),
        ("missing.kql", "There is no file missing.kql"),
        ("missing-query", "There is no query 'missing-query', but blobs-waiting,"),
    ],
)
def test_a_wrong_query_is_wrong_usage(run: Run, stored: Path, kql: str, said: str) -> None:
    ended = run("query", kql)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_a_shipped_query_is_asked_by_its_name(run: Run, stored: Path) -> None:
    by_file = run("query", "infra/queries/failed-runs-by-cause.kql", "-o", "json")
    by_name = run("query", "failed-runs-by-cause", "-o", "json")
    assert by_name.document["rows"] == by_file.document["rows"] != []


def test_a_store_without_findings_says_what_to_run_first(run: Run, plain: Path) -> None:
    ended = run("query", "AcrTransferFindings_CL | take 1")
    assert (ended.code, ended.out) == (4, "")
    assert "acrtm sweep" in ended.err
    assert not plain.exists()
    EmbeddedStore.open(plain)
    assert run("query", "AcrTransferFindings_CL | take 1").code == 4


# --- wrong usage --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["diagnose"],
        ["diagnose", RUN, "more"],
        ["rules", "--output", "xml"],
        ["rules", "--nonsense"],
        ["sweep"],
        ["diagnose", "not an id"],
        ["diagnose", RUN.replace("pipelineRuns", "exportPipelines")],
        ["check-pipeline", RUN],
        ["check-blob", "http://a.blob.core.windows.net/c/b"],
        ["check-blob", "https://account.blob.core.chinacloudapi.cn/container/blob"],
        ["check-blob", "https://account.blob.core.windows.net/container/blob", "--registry", "contoso"],
        ["check-blob", "https://account.blob.core.windows.net/container"],
    ],
)
def test_wrong_usage_is_two_and_says_so(run: Run, plain: Path, arguments: list[str]) -> None:
    ended = run(*arguments)
    assert ended.code == 2
    assert ended.err.startswith("error: ") or not arguments
    assert "Traceback" not in ended.err
    assert not plain.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["check-blob", "https://a.blob.core.windows.net/c?sig=TopSecret%3D"],
        ["check-blob", "https://x.example/c/b?sv=1&sig=TopSecret%3D"],
        ["check-blob", "one", "https://a.blob.core.windows.net/c/b?sv=1&sig=TopSecret%3D"],
        ["https://a.blob.core.windows.net/c/b?sv=1&sig=TopSecret%3D"],
        ["diagnose", f"{RUN}?sig=TopSecret%3D"],
        ["rules", "--output", "https://a.blob.core.windows.net/c/b?sig=TopSecret%3D"],
        ["explain", "https://a.blob.core.windows.net/c/b?sig=TopSecret%3D"],
        ["query", "x | where Uri == 'https://a.blob.core.windows.net/c/b?sig=TopSecret%3D'"],
    ],
)
def test_a_pasted_token_is_never_echoed(run: Run, stored: Path, arguments: list[str]) -> None:
    ended = run(*arguments)
    assert ended.code == 2
    assert "TopSecret" not in ended.out + ended.err


def test_a_wrong_setting_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUN_STUCK_MINUTES", "soon")
    ended = run("diagnose", RUN, "--output", "json")
    assert ended.code == ended.document["exitCode"] == 2
    assert "RUN_STUCK_MINUTES" in ended.err


def test_a_mistake_of_ours_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_name: str) -> None:
        raise LookupError("oops &sig=TopSecret&")

    monkeypatch.setattr("acrtm.rulebook.known_rule", broken)
    ended = run("explain", "301")
    assert ended.code == 1
    assert "LookupError: oops" in ended.err
    assert "Traceback" not in ended.err
    assert "TopSecret" not in ended.err
    monkeypatch.setenv("ACRTM_TRACEBACK", "1")
    assert "Traceback" in run("explain", "301").err


def test_help_tells_the_exit_codes(run: Run) -> None:
    for arguments in (["--help"], ["diagnose", "-h"], ["sweep", "--help"]):
        ended = run(*arguments)
        assert ended.code == 0
        assert "Exit code: 0 nothing wrong" in " ".join(ended.out.split())
