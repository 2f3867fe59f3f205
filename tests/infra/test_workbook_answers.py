"""The workbook's queries, filled as a reader fills them, through Microsoft's parser and the embedded store."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from embedded import EmbeddedStore, QueryResult
from embedded.workbook import (
    AxisChart,
    Card,
    Formatter,
    Grid,
    ParameterKind,
    Plain,
    Query,
    Settled,
    Text,
    Tiles,
    TimeRange,
    fill,
    is_visible,
    read_workbook,
    settle,
)
from tests.infra.workbook_rows import FINDINGS, HEARTBEATS, NOW, Row, heartbeat
from tools.kql import CheckedQuery, check_queries
from tools.workbook import WORKBOOK

BOOK = read_workbook((Path(__file__).parents[2] / WORKBOOK).read_text("utf-8"))
QUERIES = {item.name: item for item, _ in BOOK.walk() if isinstance(item, Query)}
SPANS = [span for p in BOOK.parameters() if p.kind is ParameterKind.TIME_RANGE for span in p.durations]
CUSTOM = TimeRange.between(NOW - timedelta(days=21), NOW - timedelta(days=19))
# States whose texts differ in a literal only are one state here: ranges of one unit (`test_every_time_range` has all of
# them), registries by name (one alone stands beside a pipeline that it doesn't have), keys of findings.
STATES: dict[str, dict[str, Any]] = {
    "hours": {"TimeRange": TimeRange(timedelta(hours=1))},
    "days": {"TimeRange": TimeRange(timedelta(days=7))},
    "custom time": {"TimeRange": CUSTOM},
    "one pipeline": {"Pipeline": "in"},
    "several of both": {"Registry": ("edge", "hub"), "Pipeline": ("in", "out")},
    "a registry and another's pipeline": {"Registry": "edge", "Pipeline": "out"},
    "a registry that is gone": {"Registry": "gone"},
    "clicked": {
        **dict.fromkeys(
            ("OpenFinding", "RunFinding", "TriggerFinding", "CredentialFinding", "MonitorFinding"), "token"
        ),
        "Run": "/runs/export1", "Blob": "blob",
    },
}  # fmt: skip


def store_of(*rows: Row) -> EmbeddedStore:
    store = EmbeddedStore.open(":memory:")
    store.append(rows)
    return store


@pytest.fixture(scope="module")
def store() -> Iterator[EmbeddedStore]:
    with store_of(*FINDINGS, *HEARTBEATS) as store:
        yield store


@pytest.fixture(scope="module")
def empty() -> Iterator[EmbeddedStore]:
    with EmbeddedStore.open(":memory:") as store:
        yield store


@cache
def _settled(store: EmbeddedStore, chosen: tuple[tuple[str, Any], ...]) -> Settled:
    return settle(BOOK, dict(chosen), lambda kql: answered(store, kql).dicts(), now=NOW)


def settled(store: EmbeddedStore, chosen: dict[str, Any]) -> Settled:
    return _settled(store, tuple(sorted(chosen.items())))


def filled(store: EmbeddedStore, name: str, **chosen: Any) -> str:
    return fill(QUERIES[name].kql, settled(store, chosen).values, now=NOW)


@cache
def answered(store: EmbeddedStore, text: str) -> QueryResult:
    """What a store, which nobody writes to any more, says to a text: many items and states lead to the same one."""
    return store.query(text, NOW)


def ask(store: EmbeddedStore, name: str, **chosen: Any) -> list[Row]:
    return answered(store, filled(store, name, **chosen)).dicts()


def cells(rows: list[Row], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


@cache
def checked() -> dict[str, CheckedQuery]:
    """What Microsoft's parser says of every text that the tests lead to. It takes long to start, so once."""
    with store_of(*FINDINGS, *HEARTBEATS) as store:
        texts = {text for state in STATES.values() for text in texts_of(store, state).values()}
        texts |= {*ranged(store).values(), *unset(store).values()}
    return {query.name: query for query in check_queries({text: text for text in sorted(texts)})}


def problems(text: str) -> list[str]:
    return [str(problem) for problem in checked()[text].errors + checked()[text].warnings]


def texts_of(store: EmbeddedStore, chosen: dict[str, Any]) -> dict[str, str]:
    """All queries, those of parameters included, as `chosen` fills them."""
    values = settled(store, chosen).values
    kql = {name: query.kql for name, query in QUERIES.items()}
    kql |= {parameter.name: parameter.kql for parameter in BOOK.parameters() if parameter.kql}
    return {name: fill(text, values, now=NOW) for name, text in kql.items()}


def ranged(store: EmbeddedStore) -> dict[timedelta, str]:
    """A query that asks for the time and its grain, in every range that the workbook offers."""
    return {span: filled(store, "runs over time", TimeRange=TimeRange(span)) for span in SPANS}


def unset(store: EmbeddedStore) -> dict[str, str]:
    values = {**settled(store, {}).values, "Registry": Plain(""), "Pipeline": Plain("")}
    return {name: fill(QUERIES[name].kql, values, now=NOW) for name in ("open findings", "runs", "tile-open-findings")}


@pytest.mark.parametrize("state", STATES)
def test_both_tools_agree_on_every_query_in_every_state(store: EmbeddedStore, state: str) -> None:
    for name, text in texts_of(store, STATES[state]).items():
        assert problems(text) == [], name
        assert answered(store, text).columns == list(checked()[text].columns), name


def test_every_time_range(store: EmbeddedStore) -> None:
    assert {"{TimeRange}", "{TimeRange:grain}"} <= set(re.findall(r"{\S+?}", QUERIES["runs over time"].kql))
    texts = ranged(store)
    assert len(set(texts.values())) == len(SPANS) > 1
    for span, text in texts.items():
        assert problems(text) == [], span
        assert answered(store, text).columns == list(checked()[text].columns), span


def test_an_unset_drop_down_narrows_nothing(store: EmbeddedStore) -> None:
    """Before there are findings, a drop-down has no choices; Azure may then put nothing in its place."""
    for name, text in unset(store).items():
        assert problems(text) == []
        assert answered(store, text).dicts() == ask(store, name)


@pytest.mark.parametrize("name", QUERIES)
def test_what_an_item_names_is_a_column_of_its_query(store: EmbeddedStore, name: str) -> None:
    query = QUERIES[name]
    columns = [column for column, _ in checked()[filled(store, name)].columns]
    named = [export.column for export in query.exports]
    shown = query.shown_as
    if isinstance(shown, Grid):
        formatted = [column.name for column in shown.columns]
        assert len(set(formatted)) == len(formatted)
        named += [*formatted, *shown.labels, *(column.link_column for column in shown.columns if column.link_column)]
        hidden = {column.name for column in shown.columns if column.formatter is Formatter.HIDDEN}
        assert not hidden & shown.labels.keys()
        assert set(columns) - hidden, "something is left to see"
    elif isinstance(shown, Tiles):
        named += [part.name for part in (shown.title, shown.left, shown.subtitle, shown.secondary) if part]
        assert len(named) == len(columns) == 4
    elif isinstance(shown, AxisChart):
        named += [shown.x, *shown.y, *([shown.group] if shown.group else list(shown.colors))]
        assert dict(checked()[filled(store, name)].columns)[shown.x] == "datetime"
    else:
        assert isinstance(shown, Card)
        assert len(columns) == 1
    assert set(named) <= set(columns)


@pytest.mark.parametrize("name", QUERIES)
def test_colors_are_for_series_that_the_query_can_make(store: EmbeddedStore, name: str) -> None:
    shown = QUERIES[name].shown_as
    if isinstance(shown, AxisChart) and shown.group:
        made = {row[shown.group] for row in ask(store, name, TimeRange=TimeRange(timedelta(days=90)))}
        assert made
        assert made <= shown.colors.keys()


@pytest.mark.parametrize(
    ("rows", "state", "monitor", "findings", "expiry"),
    [
        (
            [], "never", (None, "unknown", "no heartbeat seen: the monitor isn't running or not deployed"),
            (0, "unknown", "nothing is known: no heartbeat for an hour"),
            (None, "unknown", "nothing is known: no heartbeat for an hour"),
        ),
        (
            [heartbeat("old", 1, hours=3)], "silent",
            (180, "act now", "the monitor is silent: nobody has looked since"),
            (0, "unknown", "nothing is known: no heartbeat for an hour"),
            (None, "unknown", "nothing is known: no heartbeat for an hour"),
        ),
        (
            HEARTBEATS, "alive", (5, "fine", "the monitor is alive"), (0, "fine", "nothing is open"),
            (None, "fine", "none that the monitor can see ends soon"),
        ),
        (
            [*FINDINGS, *HEARTBEATS], "alive", (5, "fine", "the monitor is alive"),
            (5, "act now", "4 of them high or critical"), (-1.3, "act now", "a credential has expired"),
        ),
        (
            FINDINGS, "never", (None, "unknown", "no heartbeat seen: the monitor isn't running or not deployed"),
            (5, "act now", "4 of them high or critical"), (-1.3, "act now", "a credential has expired"),
        ),
    ],
    ids=["nothing at all", "silent and empty", "alive and empty", "alive and open", "open and no heartbeat"],
)  # fmt: skip
def test_silence_never_looks_like_all_is_well(
    rows: list[Row], state: str, monitor: tuple[Any, ...], findings: tuple[Any, ...], expiry: tuple[Any, ...]
) -> None:
    with store_of(*rows) as store:
        for name, expected in (
            ("tile-monitor", monitor), ("tile-open-findings", findings), ("tile-next-expiry", expiry),
        ):  # fmt: skip
            assert cells(ask(store, name), "Value", "Status", "Detail") == [expected]
        values = settled(store, {}).values
        warned = [item.name for item, needs in BOOK.walk() if isinstance(item, Text) and is_visible(needs, values)]
    banner = {"never": "no heartbeat", "silent": "silent"}.get(state)
    assert [name for name in warned if name in {"no heartbeat", "silent"}] == ([banner] if banner else [])


@pytest.mark.parametrize(
    ("chosen", "tile"),
    [
        ({}, (1, "look", "of 3 runs in this time")),
        ({"TimeRange": TimeRange(timedelta(hours=1))}, (0, "unknown", "no run was seen in this time")),
        ({"TimeRange": CUSTOM}, (1, "look", "of 1 runs in this time")),
        ({"Registry": "edge"}, (0, "fine", "of 1 runs in this time")),
    ],
)
def test_the_tile_of_failed_runs(store: EmbeddedStore, chosen: dict[str, Any], tile: tuple[Any, ...]) -> None:
    assert cells(ask(store, "tile-failed-runs", **chosen), "Value", "Status", "Detail") == [tile]


_OPEN = ["run-failed old", "run-failed export1", "token", "blob", "blind"]


@pytest.mark.parametrize(
    ("chosen", "keys"),
    [
        ({}, _OPEN),
        # What is open stays in the list whatever the time range; the monitor's own finding whatever the registry.
        ({"TimeRange": TimeRange(timedelta(hours=1))}, _OPEN),
        ({"Registry": "edge"}, ["blob", "blind"]),
        ({"Pipeline": "out"}, ["run-failed old", "run-failed export1", "token", "blind"]),
        ({"Registry": "edge", "Pipeline": "out"}, ["blob", "blind"]),
    ],
)  # fmt: skip
def test_open_findings(store: EmbeddedStore, chosen: dict[str, Any], keys: list[str]) -> None:
    assert [row["FindingKey"] for row in ask(store, "open findings", **chosen)] == keys


def test_a_clicked_finding_says_what_happened_and_what_to_do(store: EmbeddedStore) -> None:
    def about(part: str) -> list[Row]:
        return ask(store, f"OpenFinding {part}", OpenFinding="token")

    assert cells(about("steps"), "What", "Text") == [
        ("What happened", "about token"), ("What to do", "Sign a new token."),
        ("Rule", "ACRT301 sas-expired, High, Confirmed, Open"), ("Registry / pipeline / run", "hub / out / export1"),
        ("Credential", "vault / token"), ("The service says", "403 <script>alert(1)</script>"),
        ("Correlation id", "c-1"), ("Read more", "https://help.example/ACRT301"),
    ]  # fmt: skip
    assert about("fix") == [{"Command": "az fix 'it'"}]
    assert about("verify") == [{"Command": "az verify"}]
    assert cells(about("evidence"), "Fact", "Value") == [("expiredOn", "yesterday"), ("passed", '["ACRT201"]')]
    assert cells(about("history"), "State", "RunName") == [("Open", "export1"), ("Open", "export1")]


def test_a_finding_without_a_safe_command_says_so(store: EmbeddedStore) -> None:
    [fix] = ask(store, "MonitorFinding fix", MonitorFinding="blind")
    [verify] = ask(store, "MonitorFinding verify", MonitorFinding="blind")
    assert fix["Command"].startswith("# No command is safe here")
    assert verify["Command"].startswith("# Run the transfer again")
    assert cells(ask(store, "MonitorFinding steps", MonitorFinding="blind"), "What") == [
        ("What happened",), ("What to do",), ("Rule",), ("Read more",),
    ]  # fmt: skip


def test_details_are_hidden_until_a_row_is_clicked(store: EmbeddedStore) -> None:
    needs = {item.name: conditions for item, conditions in BOOK.walk()}

    def shown(**chosen: str) -> set[str]:
        values = settled(store, chosen).values
        return {name for name, conditions in needs.items() if is_visible(conditions, values)}

    opened = shown(OpenFinding="token") - shown()
    assert opened == {
        "OpenFinding details",
        *(f"OpenFinding {p}" for p in ("steps", "fix", "verify", "evidence", "history")),
    }
    assert not shown(OpenFinding="token", selectedTab="runs") & opened
    assert "runs" in shown(selectedTab="runs") - shown()


def test_runs_and_what_was_found_for_one(store: EmbeddedStore) -> None:
    assert cells(ask(store, "runs"), "RunName", "Status", "Cause", "Minutes", "SourceTriggered") == [
        ("import_1", "succeeded", "", 10.0, True), ("export2", "succeeded", "", 20.0, False),
        ("export1", "failed", "ACRT301 sas-expired", 10.0, False),
    ]  # fmt: skip
    assert cells(ask(store, "runs", TimeRange=CUSTOM), "RunName", "Cause") == [
        ("old", "ACRT405 storage-network-blocked")
    ]
    assert cells(ask(store, "run findings", Run="/runs/export1"), "Role", "RuleId") == [
        ("RootCause", "ACRT301"), ("Observation", "ACRT101"),
    ]  # fmt: skip
    assert ask(store, "run findings") == []


def test_charts_over_time(store: EmbeddedStore) -> None:
    day = NOW - timedelta(days=1)
    assert cells(ask(store, "runs over time"), "Time", "Result", "Runs") == [
        (day - timedelta(hours=4), "Failed", 1), (day - timedelta(hours=4), "Succeeded", 2),
    ]  # fmt: skip
    # The token's condition was written twice and counts once, when it came.
    assert sum(row["Findings"] for row in ask(store, "findings over time")) == 4
    assert cells(ask(store, "findings over time", TimeRange=CUSTOM), "Severity", "Findings") == [("High", 2)]
    assert cells(ask(store, "imports over time"), "Started", "Imports") == [("by the source trigger", 1)]
    assert cells(ask(store, "sweeps"), "Sweeps", "LongestSeconds", "ArmReads") == [(2, 2.5, 12)]


def test_the_other_tabs(store: EmbeddedStore) -> None:
    assert cells(ask(store, "blobs waiting"), "BlobName", "Status") == [('it\'s "odd".tar', "Overdue")]
    [waiting] = ask(store, "blobs waiting")
    line = ask(store, "blob time line", Blob=waiting["FindingKey"])
    assert cells(line, "RuleId", "BlobName") == [("ACRT507", 'it\'s "odd".tar')]
    assert ask(store, "blob time line", Blob="a key of the past") == []
    assert cells(ask(store, "trigger findings"), "FindingKey") == [("blob",)]
    assert cells(ask(store, "credential findings"), "FindingKey") == [("token",)]
    assert cells(ask(store, "expiring credentials"), "SecretName", "DaysLeft") == [("token", -1.3)]
    assert cells(ask(store, "cannot check"), "FindingKey") == [("blind",)]
    assert cells(ask(store, "mutes"), "Reason", "DaysLeft") == [("known", 10.0)]
    assert cells(ask(store, "monitor health"), "RuleId") == [("ACRT903",), ("ACRT901",)]
    assert cells(ask(store, "failed runs by cause"), "RuleId", "FailedRuns") == [("ACRT301", 1)]
    assert cells(ask(store, "success rate"), "PipelineName", "Runs", "SuccessPercent") == [
        ("out", 2, 50.0),
        ("in", 1, 100.0),
    ]
    assert cells(ask(store, "time to finding"), "FoundBy", "FailedRuns", "MedianMinutes") == [("Sweep", 1, 6.0)]


def test_no_list_has_rows_where_there_is_nothing(empty: EmbeddedStore) -> None:
    tiles = {name for name, query in QUERIES.items() if isinstance(query.shown_as, Tiles)}
    assert {name for name in QUERIES if ask(empty, name)} == tiles
