"""The workbook over findings that the product's own handlers wrote, read as a person reads it: look, click, read on."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from embedded import EmbeddedStore, QueryResult
from embedded.workbook import Query, Settled, Tiles, fill, read_workbook, settle
from tools.workbook import WORKBOOK

BOOK = read_workbook((Path(__file__).parents[2] / WORKBOOK).read_text("utf-8"))
QUERIES = {item.name: item for item, _ in BOOK.walk() if isinstance(item, Query)}


class Reader:
    """Somebody in front of the page, a minute after the newest finding."""

    def __init__(self, store: EmbeddedStore) -> None:
        newest = store.newest()
        assert newest is not None
        self.store = store
        self.now: datetime = newest + timedelta(minutes=1)
        self.chosen: dict[str, str] = {}

    def settled(self) -> Settled:
        return settle(BOOK, self.chosen, lambda kql: self.store.query(kql, self.now).dicts(), now=self.now)

    def sees(self, settled: Settled, *names: str) -> dict[str, QueryResult]:
        texts = {name: fill(QUERIES[name].kql, settled.values, now=self.now) for name in names or QUERIES}
        return {name: self.store.query(text, self.now) for name, text in texts.items()}

    def clicks(self, name: str, result: QueryResult) -> None:
        """The first row of a list."""
        for export in QUERIES[name].exports:
            self.chosen[export.parameter] = str(result.dicts()[0][export.column])


@pytest.fixture(scope="module")
def read(shown: EmbeddedStore) -> dict[str, list[dict[str, Any]]]:
    """What is to be seen after a click on the first row of each list, and then of what that opened."""
    reader = Reader(shown)
    lists = [name for name, query in QUERIES.items() if query.exports]
    for name in lists:
        reader.clicks(name, reader.sees(reader.settled(), name)[name])
    return {name: result.dicts() for name, result in reader.sees(reader.settled()).items()}


@pytest.mark.parametrize("name", QUERIES)
def test_every_item_has_something_to_show(read: dict[str, list[dict[str, Any]]], name: str) -> None:
    assert read[name], name
    if isinstance(QUERIES[name].shown_as, Tiles):
        assert len(read[name]) == 1


def test_the_drop_downs_offer_what_is_watched(shown: EmbeddedStore) -> None:
    options = Reader(shown).settled().options
    registries = {row[0] for row in shown.query("AcrTransferFindings_CL | distinct RegistryName").rows} - {""}
    assert {option.value for option in options["Registry"]} == registries
    assert len(registries) == 2


def test_a_registry_hides_the_other_ones_findings_and_keeps_the_monitors(shown: EmbeddedStore) -> None:
    reader = Reader(shown)
    for registry in (option.value for option in reader.settled().options["Registry"]):
        reader.chosen["Registry"] = registry
        found = reader.sees(reader.settled(), "open findings", "monitor health", "tile-monitor")
        assert {row["RegistryName"] for row in found["open findings"].dicts()} <= {registry, ""}
        assert "ACRT903" in {row["RuleId"] for row in found["monitor health"].dicts()}
        assert found["tile-monitor"].dicts()[0]["Status"] == "fine"


def test_the_list_of_findings_begins_with_the_worst_and_each_says_what_to_do(
    read: dict[str, list[dict[str, Any]]],
) -> None:
    ranks = [row["SeverityRank"] for row in read["open findings"]]
    assert ranks == sorted(ranks, reverse=True)
    assert all(row["Recommendation"] and row["HelpUri"].startswith("https://") for row in read["open findings"])


def test_the_tiles_count_what_the_lists_hold(read: dict[str, list[dict[str, Any]]]) -> None:
    [tile] = read["tile-open-findings"]
    severe = [row for row in read["open findings"] if row["SeverityRank"] >= 3]
    assert (tile["Value"], tile["Detail"]) == (len(read["open findings"]), f"{len(severe)} of them high or critical")
    bad = [row for row in read["runs"] if row["Status"] in {"failed", "partial"}]
    assert read["tile-failed-runs"][0]["Value"] == len(bad)
    assert read["tile-next-expiry"][0]["Value"] == min(row["DaysLeft"] for row in read["expiring credentials"])


def test_what_a_click_opens_is_about_what_was_clicked(read: dict[str, list[dict[str, Any]]]) -> None:
    steps = {row["What"]: row["Text"] for row in read["OpenFinding steps"]}
    first = read["open findings"][0]
    assert steps["What happened"] == first["Summary"]
    assert steps["What to do"] == first["Recommendation"]
    assert read["OpenFinding fix"][0]["Command"] == (
        first["FixCommand"] or "# No command is safe here: follow what to do above."
    )
    assert {row["BlobName"] for row in read["blob time line"]} == {read["blobs waiting"][0]["BlobName"]}
