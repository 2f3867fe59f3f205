"""The checker over Microsoft's parser finds what Log Analytics would refuse."""

from __future__ import annotations

from functools import cache

import pytest

from tools.kql import (
    CheckedQuery,
    CheckerUnavailableError,
    Function,
    Table,
    check_functions,
    check_queries,
)

T = "AcrTransferFindings_CL"
QUERIES = {
    "right": f"{T} | summarize arg_max(TimeGenerated, *) by FindingKey | project RuleId, SeverityRank, Evidence",
    "column": f"{T}\n| where Nope == 1",
    "case": f"{T} | where ruleid == 'ACRT301'",
    "syntax": f"{T} | wherex RuleId",
    "type": f"{T} | extend x = SeverityRank + RuleId",
    "table": "Elsewhere | take 1",
    "fuzzy": f"union isfuzzy=true (Elsewhere | take 1), ({T} | project RuleId)",
    "other-table": "DCRLogErrors | where TimeGenerated > ago(1h) | project InputStreamId",
    "call": "Recent(1d) | summarize Rows = count(), Sum = sum(DaysToExpiry) by SourceTriggered, bin(TimeGenerated, 1h)",
    "empty": "// nothing",
    # A keyword, although duckdb-kql takes it for a name.
    "keyword": f"let latest = {T} | take 1;\nlatest",
}
FUNCTIONS = [Function("Recent", f"{T} // note\n| where TimeGenerated > ago(lookback)", "(lookback:timespan=7d)")]
TABLES = [Table("DCRLogErrors", {"TimeGenerated": "datetime", "InputStreamId": "string"})]


@cache
def checked() -> dict[str, CheckedQuery]:
    answers = check_queries(QUERIES, tables=TABLES, functions=FUNCTIONS)
    assert [answer.name for answer in answers] == list(QUERIES)
    return {answer.name: answer for answer in answers}


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("right", (("RuleId", "string"), ("SeverityRank", "int"), ("Evidence", "dynamic"))),
        ("other-table", (("InputStreamId", "string"),)),
        (
            "call",
            (("SourceTriggered", "bool"), ("TimeGenerated", "datetime"), ("Rows", "long"), ("Sum", "real")),
        ),
    ],
)
def test_a_right_query_has_no_errors_and_names_its_columns(name: str, columns: tuple[tuple[str, str], ...]) -> None:
    query = checked()[name]
    assert (query.errors, query.warnings, query.columns) == ((), (), columns)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("column", "line 2, column 9: KS142 The name 'Nope' does not refer to any known column"),
        ("case", "column 32: KS142 The name 'ruleid'"),
        ("syntax", "Query operator expected"),
        ("type", "The operator '+' is not defined for the operand types int and string"),
        ("table", "The name 'Elsewhere' does not refer to any known table"),
        ("empty", "line 1, column 1: The query returns nothing."),
        ("keyword", "line 1, column 1: KS142 The name 'let'"),
    ],
)
def test_a_wrong_query_is_found_out(name: str, says: str) -> None:
    assert says in str(checked()[name].errors[0])


def test_a_table_that_may_be_missing_is_a_warning() -> None:
    query = checked()["fuzzy"]
    assert query.errors == ()
    assert "Elsewhere" in str(query.warnings[0])


def test_the_body_of_a_function_is_checked_on_its_own() -> None:
    wrong = Function("Wrong", f"{T}\n| where Nope > ago(lookback)", "(lookback:timespan)")
    calls = Function("Calls", "Recent(1d) | project RuleId")
    answers = check_functions([*FUNCTIONS, wrong, calls])
    assert [answer.name for answer in answers if not answer.errors] == ["Recent", "Calls"]
    [error] = answers[1].errors
    assert str(error).startswith("line 2, column 9: KS142 The name 'Nope' does not refer to any known column")


def test_a_machine_without_node_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CheckerUnavailableError, match="Node 20"):
        check_queries({})
