"""What the embedded store says of queries that it can't answer, or that Log Analytics would refuse."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedded import EmbeddedStore, QueryError

T = "AcrTransferFindings_CL"


@pytest.fixture(scope="module")
def store() -> EmbeddedStore:
    store = EmbeddedStore.open(":memory:")
    store.append([{"TimeGenerated": "2026-11-23T12:00:00Z", "RuleId": "ACRT301", "SeverityRank": 3}])
    return store


@pytest.mark.parametrize(
    ("query", "line", "says"),
    [
        pytest.param("", None, "empty", id="empty"),
        pytest.param(f"{T}\n| wherex RuleId", 2, "syntax error", id="syntax"),
        pytest.param(f"{T}\n| where RuleId == '", 2, "syntax error", id="open-string"),
        pytest.param(f"{T}\n| where Nope == 1", 2, "no column 'Nope'", id="column"),
        pytest.param(f"{T}\n| project Nope", 2, "no column 'Nope'", id="column-project"),
        pytest.param(f"{T}\n| project RuleId\n| project State", 3, "no column 'State'", id="column-gone"),
        pytest.param(f"{T}\n| distinct Nope", 2, "no column 'Nope'", id="column-distinct"),
        pytest.param(f"{T}\n| summarize count() by Nope", 2, "no column 'Nope'", id="column-by"),
        pytest.param(f"{T}\n| summarize count() by bin(Nope, 1d)", 2, "no column 'Nope'", id="column-bin"),
        pytest.param(f"{T}\n| summarize arg_max(Nope, *) by RuleId", 2, "no column 'Nope'", id="column-arg-max"),
        pytest.param(f"{T}\n| project-away Nope", 2, "no column 'Nope'", id="column-away"),
        pytest.param(f"{T}\n| lookup ({T}) on Nope", 2, "no column 'Nope'", id="column-lookup"),
        pytest.param(
            "// one\nAppRequests | take 1", 2, "no table 'AppRequests'.*workspace may have more", id="table"
        ),
        pytest.param(
            f"{T}\n| make-series n = count() on TimeGenerated step 1h", 2,
            "'make-series' is not supported by the embedded store; Log Analytics has it", id="operator",
        ),
        pytest.param(
            f"{T}\n| extend\n x = bag_keys(Evidence)", 3, "function 'bag_keys' is not", id="function"
        ),
        pytest.param(f"{T}\n| extend x = RuleId + SeverityRank", None, "types don't fit", id="types"),
        pytest.param(f"{T} | where RuleId == 1", None, "Could not convert", id="conversion"),
        pytest.param("// note\n.show tables", None, "management commands", id="command"),
        pytest.param("(" * 3000, None, "nested too deeply|syntax error", id="depth"),
        # DuckDB folds case where Kusto doesn't: silently right here, an error in Log Analytics.
        pytest.param(f"{T}\n| where ruleid == 'x'", 2, "no 'ruleid', but 'RuleId'", id="case-column"),
        pytest.param(f"{T}\n| project ruleid", 2, "no 'ruleid', but 'RuleId'", id="case-project"),
        pytest.param(f"{T} | summarize n = count() | project N", 1, "no 'N', but 'n'", id="case-computed"),
        pytest.param(f"{T.lower()} | take 1", 1, f"no '{T.lower()}', but '{T}'", id="case-table"),
    ],
)  # fmt: skip
def test_the_error_names_the_line_and_the_trouble(
    store: EmbeddedStore, query: str, line: int | None, says: str
) -> None:
    with pytest.raises(QueryError, match=says) as caught:
        store.query(query)
    assert caught.value.line == line
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "query",
    [
        f"{T} | project ruleid = RuleId | where ruleid == 'ACRT301'",
        f"{T} | where 'ruleid' != RuleId and Summary != '\"ruleid\"'",
        f"let wanted = 'ACRT301'; {T} | where RuleId == wanted",
        f"{T} | project-rename RULEID = RuleId | project RULEID",
    ],
)
def test_names_that_the_query_makes_itself_are_fine(store: EmbeddedStore, query: str) -> None:
    assert len(store.query(query).rows) == 1


@settings(max_examples=40, deadline=None)
@given(text=st.text(max_size=60) | st.text(alphabet=f"|()'\"=. \n,1-{T}where", max_size=60))
def test_any_text_is_answered_or_refused(store: EmbeddedStore, text: str) -> None:
    for query in (text, f"{T} | {text}"):
        with contextlib.suppress(QueryError):
            store.query(query)
