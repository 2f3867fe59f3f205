"""The embedded store: what goes in comes out typed, files are shared, old files grow."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedded import EmbeddedStore, QueryError, RowError, StoreBusyError, StoreError, default_path
from embedded.columns import Column, findings_table, stored_value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOON = "2026-11-23T12:00:00Z"
NOW = datetime(2026, 11, 23, 13, tzinfo=UTC)

SHARED = EmbeddedStore.open(":memory:")
"""For examples by the dozen: opening costs more than they do."""


@pytest.fixture
def store() -> Iterator[EmbeddedStore]:
    with EmbeddedStore.open(":memory:") as store:
        yield store


def row(**columns: object) -> dict[str, object]:
    return {"TimeGenerated": NOON, "RuleId": "ACRT301", "FindingId": "f1", "FindingKey": "k1", **columns}


def test_values_come_back_in_their_types(store: EmbeddedStore) -> None:
    evidence = {
        "se": "2026-11-20",
        "permissions": ["r", "l"],
        "nested": {"none": None, "text": "quo\"te's \u00e9"},
    }
    given_row = row(
        SeverityRank=3,
        SourceTriggered=True,
        DaysToExpiry=-2.5,
        ExpiresOn="2026-11-20T10:00:00.1234567+02:00",
        Evidence=evidence,
    )
    assert store.append([given_row]) == 1

    result = store.query(
        "AcrTransferFindings_CL | project TimeGenerated, RuleId, SeverityRank, SourceTriggered, "
        "DaysToExpiry, ExpiresOn, Evidence, First = Evidence.permissions[0], Age = now() - TimeGenerated",
        now=NOW,
    )

    assert result.columns == [
        ("TimeGenerated", "datetime"), ("RuleId", "string"), ("SeverityRank", "int"),
        ("SourceTriggered", "bool"), ("DaysToExpiry", "real"), ("ExpiresOn", "datetime"),
        ("Evidence", "dynamic"), ("First", "dynamic"),
        ("Age", "timespan"),
    ]  # fmt: skip
    assert result.rows == [
        (
            datetime(2026, 11, 23, 12, tzinfo=UTC), "ACRT301", 3, True, -2.5,
            datetime(2026, 11, 20, 8, 0, 0, 123456, tzinfo=UTC), evidence, "r", timedelta(hours=1),
        )
    ]  # fmt: skip
    assert result.dicts()[0]["RuleId"] == "ACRT301"


def test_a_missing_string_is_empty_and_other_missing_values_are_null(store: EmbeddedStore) -> None:
    store.append([row(Summary=None)])
    result = store.query(
        "AcrTransferFindings_CL | where Summary == '' and BlobName == ''| project Summary, ExpiresOn, Evidence"
    )
    assert result.rows == [("", None, None)]


def test_count_and_newest(store: EmbeddedStore) -> None:
    assert (store.count(), store.newest()) == (0, None)
    store.append([row(), row(TimeGenerated="2026-11-23T12:30:00Z")])
    assert (store.count(), store.newest()) == (2, datetime(2026, 11, 23, 12, 30, tzinfo=UTC))
    assert store.append([]) == 0


def test_now_is_what_the_caller_says(store: EmbeddedStore) -> None:
    store.append([row()])
    query = "AcrTransferFindings_CL | where TimeGenerated > ago(2h) | count"
    assert store.query(query, now=NOW).rows == [(1,)]
    assert store.query(query, now=NOW + timedelta(hours=2)).rows == [(0,)]
    assert store.query(query, now=NOW.replace(tzinfo=None)).rows == [(1,)], "a naive time is UTC"


def test_stored_functions_can_be_called(store: EmbeddedStore) -> None:
    store.append([row(), row(TimeGenerated="2026-11-01T00:00:00Z")])
    recent = "function Recent(lookback:timespan=7d) { AcrTransferFindings_CL | where TimeGenerated > ago(lookback) }"
    assert store.query("Recent() | count", NOW, functions=[recent]).rows == [(1,)]
    assert store.query("Recent(90d) | count", NOW, functions=[recent]).rows == [(2,)]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("Nope", "x"), ("RuleId", 7), ("SeverityRank", "3"), ("SeverityRank", True), ("SeverityRank", 2**31),
        ("SourceTriggered", "true"), ("TimeGenerated", "yesterday"), ("TimeGenerated", 1763899200),
        ("DaysToExpiry", float("nan")), ("DaysToExpiry", 10**400), ("Evidence", {"when": datetime.now(UTC)}),
    ],
)  # fmt: skip
def test_a_row_that_does_not_fit_is_refused_by_column_and_nothing_of_the_batch_is_kept(
    store: EmbeddedStore, column: str, value: object
) -> None:
    with pytest.raises(RowError, match=column):
        store.append([row(), row(**{column: value})])
    assert store.count() == 0


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(value=_JSON)
def test_any_json_value_fits_a_column_or_is_a_row_error_that_names_it(value: Any) -> None:
    for column in findings_table().columns:
        try:
            stored_value(column, value)
        except RowError as error:
            named = str(error)
        else:
            continue
        assert named.startswith(column.name)


@settings(max_examples=50, deadline=None)
@given(text=st.text(), evidence=_JSON)
def test_texts_and_json_survive_the_way_through_duckdb(text: str, evidence: Any) -> None:
    example = str(uuid.uuid4())
    SHARED.append([row(FindingId=example, Summary=text, Evidence={"value": evidence})])
    query = f"AcrTransferFindings_CL | where FindingId == '{example}' | project Summary, Evidence"
    assert SHARED.query(query).rows == [(text, {"value": evidence})]


def test_a_lone_surrogate_becomes_readable_instead_of_breaking_the_batch() -> None:
    assert stored_value(Column("Summary", "string"), "a\ud800b") == "a?b"
    assert stored_value(Column("Evidence", "dynamic"), {"k": "\ud800"}) == {"k": "?"}


class TestFiles:
    def test_is_made_with_its_folder_and_kept(self, tmp_path: Path) -> None:
        path = tmp_path / "a" / "b" / "findings.duckdb"
        EmbeddedStore.open(path).append([row()])
        assert EmbeddedStore.open(path).count() == 1

    def test_default_path(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.delenv("ACRTM_STORE", raising=False)
        assert default_path().as_posix() == ".acrtm/findings.duckdb"
        monkeypatch.setenv("ACRTM_STORE", str(tmp_path / "x.duckdb"))
        assert EmbeddedStore.open().path == tmp_path / "x.duckdb"

    def test_an_older_file_gets_the_new_columns(self, tmp_path: Path) -> None:
        path = tmp_path / "old.duckdb"
        with duckdb.connect(str(path)) as connection:
            connection.execute('CREATE TABLE "AcrTransferFindings_CL" ("TimeGenerated" TIMESTAMP, "Retired" VARCHAR)')
            connection.execute("INSERT INTO \"AcrTransferFindings_CL\" VALUES ('2026-11-01', 'kept')")

        store = EmbeddedStore.open(path)
        store.append([row()])

        result = store.query("AcrTransferFindings_CL | project Retired, RuleId, SeverityRank | order by RuleId asc")
        assert result.rows == [("kept", "", None), (None, "ACRT301", None)]

    def test_a_file_that_is_no_database(self, tmp_path: Path) -> None:
        path = tmp_path / "notes.txt"
        path.write_text("not a database" * 1000)
        with pytest.raises(StoreError, match=r"notes\.txt"):
            EmbeddedStore.open(path)
        with pytest.raises(StoreError, match="can't be made"):
            EmbeddedStore.open(path / "findings.duckdb")

    def test_many_threads_share_a_file(self, tmp_path: Path) -> None:
        stores = [EmbeddedStore.open(tmp_path / "f.duckdb") for _ in range(4)]
        failures: list[BaseException] = []

        def work(store: EmbeddedStore) -> None:
            try:
                for _ in range(3):
                    store.append([row()])
                    store.query("AcrTransferFindings_CL | count")
            except BaseException as error:  # noqa: BLE001 - shown by the main thread
                failures.append(error)

        threads = [threading.Thread(target=work, args=(store,)) for store in stores]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert stores[0].count() == 12

    def test_another_process_writes_while_this_one_reads(self, tmp_path: Path) -> None:
        path = tmp_path / "f.duckdb"
        store = EmbeddedStore.open(path)
        script = (
            "import json, sys\n"
            "from embedded import EmbeddedStore\n"
            "for _ in range(8):\n"
            "    EmbeddedStore.open(sys.argv[1]).append([json.loads(sys.argv[2])])\n"
        )
        command = [sys.executable, "-c", script, str(path), json.dumps(row())]
        with subprocess.Popen(command) as writer:
            while writer.poll() is None:
                assert store.query("AcrTransferFindings_CL | count").rows[0][0] <= 8
        assert writer.returncode == 0
        assert store.count() == 8

    def test_a_file_that_stays_locked_is_an_error_within_the_patience(self, tmp_path: Path) -> None:
        path = tmp_path / "f.duckdb"
        store = EmbeddedStore.open(path, patience=0.2)
        script = (
            "import duckdb, sys\n"
            "connection = duckdb.connect(sys.argv[1])\n"
            "print('locked', flush=True)\n"
            "sys.stdin.read()\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", script, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "locked\n"
            with pytest.raises(StoreBusyError, match=r"another process kept .* for 0\.2 s"):
                store.count()
            other.communicate("")
        assert store.count() == 0

    def test_a_writer_that_died_in_the_middle_costs_its_own_rows_only(self, tmp_path: Path) -> None:
        path = tmp_path / "f.duckdb"
        EmbeddedStore.open(path).append([row()])
        script = (
            "import duckdb, os, sys\n"
            "connection = duckdb.connect(sys.argv[1])\n"
            "connection.execute('INSERT INTO \"AcrTransferFindings_CL\" (\"RuleId\") VALUES (?)', ['kept'])\n"
            "connection.begin()\n"
            "connection.execute('INSERT INTO \"AcrTransferFindings_CL\" (\"RuleId\") VALUES (?)', ['lost'])\n"
            "os._exit(9)\n"
        )
        assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == 9
        store = EmbeddedStore.open(path)
        assert store.query("AcrTransferFindings_CL | project RuleId | order by RuleId asc").rows == [
            ("ACRT301",), ("kept",),
        ]  # fmt: skip
        assert store.append([row()]) == 1

    def test_a_query_cannot_read_files_or_write(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret.csv"
        secret.write_text("a,b\n1,2\n")
        store = EmbeddedStore.open(tmp_path / "f.duckdb")
        for query in (f"['{secret}'] | take 1", ".set Copy <| AcrTransferFindings_CL", "store | take 1"):
            with pytest.raises(QueryError):
                store.query(query)


@pytest.mark.parametrize("path", [":memory:", "findings.duckdb"])
def test_a_time_range_limits_one_question_and_not_the_next(path: str, tmp_path: Path) -> None:
    store = EmbeddedStore.open(path if path == ":memory:" else tmp_path / path)
    store.append([row(TimeGenerated=f"2026-11-23T{hour:02}:00:00Z", FindingId=str(hour)) for hour in (1, 2, 3)])
    wanted = "AcrTransferFindings_CL | project FindingId | order by FindingId asc"
    first, last = (datetime(2026, 11, 23, hour, tzinfo=UTC) for hour in (2, 3))
    with store.reading() as reader:
        assert reader.query(wanted, between=(first, last)).rows == [("2",), ("3",)]
        assert reader.query(wanted, between=(first, first)).rows == [("2",)]
        assert reader.query(wanted).rows == [("1",), ("2",), ("3",)]
        reader.query(wanted, between=(first, first))
        assert reader.newest() == last
        assert reader.query(wanted, between=(first, first)).rows == [("2",)]
    assert len(store.query(wanted).rows) == 3


def test_the_moment_of_a_question_is_not_kept_with_its_translation() -> None:
    store = EmbeddedStore.open(":memory:")
    asked = [datetime(2026, 11, day, tzinfo=UTC) for day in (1, 2)]
    assert [store.query("print At = now()", moment).rows for moment in asked] == [[(moment,)] for moment in asked]
    before = datetime.now(UTC)
    [(now,)] = store.query("print At = now()").rows
    assert before <= now <= datetime.now(UTC)
