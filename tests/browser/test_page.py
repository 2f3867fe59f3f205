"""What a reader sees and does: tabs, items, parameters, drill-down, sorting, filter, following the store."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from playwright.async_api import Page

from acrtm.view import files
from acrtm.view.drawing import Drawing
from acrtm.view.server import Server
from embedded import EmbeddedStore
from embedded.workbook import Links
from shared.evidence.lookups import utc_now
from tests.browser.conftest import Opened, Serve, choose_tab, drawn

TABS = [
    link
    for item, _ in files.workbook().walk()
    if isinstance(item, Links) and item.style == "tabs"
    for link in item.links
]


def walked(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [found for item in items for found in (item, *walked(item.get("items", [])))]


async def test_every_item_of_every_tab_is_drawn_or_named(opened: Opened, served: Server, shown: EmbeddedStore) -> None:
    page = await opened(served.address)
    for tab in TABS:
        with shown.reading() as reader:
            wanted = Drawing(files.workbook(), reader, utc_now()).draw({tab.parameter: tab.value})
        await choose_tab(page, tab.label)
        await is_drawn(page, wanted)


async def is_drawn(page: Page, wanted: dict[str, Any]) -> None:
    for item in walked(wanted["items"]):
        place = page.locator(f"section[data-name='{item['name']}'][data-kind='{item['kind']}']")
        assert await place.count() == 1, item["name"]
        assert await place.is_visible(), item["name"]
        assert "error" not in item, item
        inside = {"grid": "table tbody tr", "tiles": ".tile", "chart": "canvas", "card": "p, h3, pre"}.get(item["kind"])
        if inside and item["rows"]:
            expected = len(item["rows"]) if item["kind"] in {"grid", "tiles"} else 1
            await place.locator(inside).first.wait_for()
            assert await place.locator(inside).count() >= expected, item["name"]
        elif inside:
            assert await place.locator(".no-data").inner_text(), item["name"]
    footer = await page.locator("#footer").inner_text()
    for left_out in wanted["notDrawn"]:
        assert left_out["name"] in footer


async def test_a_chart_is_painted_and_the_pages_numbers_are_there(opened: Opened, served: Server) -> None:
    page = await opened(served.address)
    canvas = page.locator("section.chart canvas").first
    await canvas.wait_for()
    colours = await canvas.evaluate(
        """(canvas) => {
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const seen = new Set();
          for (let at = 0; at < data.length; at += 4) {
            if (data[at + 3]) seen.add(`${data[at]},${data[at + 1]},${data[at + 2]}`);
          }
          return seen.size;
        }"""
    )
    assert colours > 3
    measured = json.loads(await page.evaluate("() => JSON.stringify(View.drawing)"))
    assert set(measured) == {"page", "server", "queries"}


async def test_a_chart_spans_the_chosen_time_with_each_bar_in_the_middle_of_its_bin(
    opened: Opened, served: Server
) -> None:
    page = await opened(served.address)
    await choose_tab(page, "Source trigger")
    place = page.locator("section[data-name='imports over time'] .plot")
    await place.locator("canvas").wait_for()
    bin_width = 4 * 60 * 60 * 1000
    seen = await place.evaluate(
        """(plot, bin) => {
          const chart = echarts.getInstanceByDom(plot);
          const { xAxis: [axis], series: [one, ...others], legend: [legend], tooltip: [tooltip] } = chart.getOption();
          const [[start, value]] = one.data;
          const at = (moment) => chart.convertToPixel({ xAxisIndex: 0 }, moment);
          const [min, max] = [axis.min, axis.max].map((moment) => Date.parse(moment));
          const point = { value: [start, value], marker: "", seriesName: one.name };
          return { min, max, others: others.length, legend: legend.show, words: tooltip.formatter([point]),
            width: (at(max) - at(min)) / plot.clientWidth,
            bar: chart.convertToPixel({ xAxisIndex: 1 }, start), middle: at(Date.parse(start) + bin / 2) };
        }""",
        bin_width,
    )
    now = utc_now().timestamp() * 1000
    week = 7 * 24 * 60 * 60 * 1000
    assert now - week - bin_width <= seen["min"] <= now - week
    assert now <= seen["max"] <= now + bin_width
    assert seen["width"] > 0.9
    assert abs(seen["bar"] - seen["middle"]) < 1
    # One series, and one has to know of what.
    assert seen["others"] == 0
    assert seen["legend"]
    # The pointer is told the whole bin.
    moment = r"\d{4}-\d\d-\d\d \d\d:00"
    assert re.fullmatch(rf"{moment} to {moment} UTC\nby the source trigger: 1", seen["words"])


async def test_a_parameter_changes_what_is_shown(opened: Opened, served: Server, shown: EmbeddedStore) -> None:
    page = await opened(served.address)
    grid = page.locator("section.grid").first
    before = await grid.locator("tbody tr").count()
    open_ = "AcrTransferFindings_CL | summarize arg_max(TimeGenerated, *) by FindingKey | where State == 'Open'"
    names = [row["RegistryName"] for row in shown.query(f"{open_} | where isnotempty(RegistryName)").dicts()]
    rarest = Counter(names).most_common()[-1][0]
    await page.locator(".parameter", has_text="Registry").locator("summary").click()
    await page.get_by_role("checkbox", name=rarest).check()
    await page.locator(".parameter", has_text="Registry").locator("summary", has_text=rarest).wait_for()
    await drawn(page)
    registries = await grid.locator("td[data-label=Registry]").all_inner_texts()
    assert set(registries) <= {rarest, ""}
    assert await grid.locator("tbody tr").count() < before


async def test_a_row_opens_its_evidence_run_and_a_fix_to_copy(
    opened: Opened, served: Server, shown: EmbeddedStore
) -> None:
    page = await opened(served.address)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    row = page.locator("section.grid").first.locator("tbody tr", has_text="ACRT").first
    rule = await row.locator("td[data-label=Rule]").inner_text()
    before = await page.locator("section.item").count()
    await row.press("Enter")
    await page.locator("tr[aria-selected=true]").wait_for()
    await drawn(page)
    assert await page.locator("section.item").count() > before
    found = shown.query(f"AcrTransferFindings_CL | where RuleId == '{rule}' and isnotempty(FixCommand)").dicts()
    shown_code = " ".join(await page.locator(".code code").all_inner_texts())
    assert found
    assert any(one["FixCommand"] in shown_code for one in found)
    code = page.locator(".code:has(button)").first
    await code.get_by_role("button", name="Copy").click()
    await code.get_by_role("button", name="Copied").wait_for()
    assert await page.evaluate("() => navigator.clipboard.readText()") == await code.locator("code").inner_text()
    # The same row once more closes it.
    await page.locator("tr[aria-selected=true]").press("Enter")
    await page.locator("tr[aria-selected=true]").wait_for(state="detached")


async def test_a_click_on_a_text_chooses_its_row_and_a_cut_one_is_shown_whole(opened: Opened, served: Server) -> None:
    page = await opened(served.address)
    chosen = page.locator("section[data-name='open findings'] tr[aria-selected=true]")
    text = page.locator("section[data-name='open findings'] .cut[role=button]").first
    whole = await text.inner_text()
    heading = await text.locator("xpath=..").get_attribute("data-label")
    await text.click()
    dialog = page.get_by_role("dialog")
    # Which of a row's texts is the first that is cut is a matter of the machine's fonts.
    assert heading
    assert await dialog.get_by_role("heading").inner_text() == heading
    assert await dialog.locator("code").inner_text() == whole
    await chosen.wait_for()
    await dialog.get_by_role("button", name="Close").click()
    await drawn(page)
    opened_part = page.locator("[data-shown-for=OpenFinding]").first
    await opened_part.wait_for()
    assert await page.evaluate("() => document.activeElement.ariaSelected") == "true"
    # Read once more, it does not close what it has opened.
    await chosen.locator(".cut[role=button]").first.click()
    await dialog.get_by_role("button", name="Close").click()
    assert await opened_part.is_visible()
    # What fits is no button, and a click on it is one on its row.
    short = page.locator("section[data-name='open findings'] .cut:not([role])")
    await page.evaluate("() => document.body.style.setProperty('font-size', '5px')")
    await short.first.wait_for()
    before = await chosen.get_attribute("data-focus")
    await page.locator("tr.choosable:not([aria-selected=true]) .cut:not([role])").first.click()
    await page.wait_for_function(
        "(before) => document.querySelector('tr[aria-selected=true]')?.dataset.focus !== before", arg=before
    )
    assert await dialog.count() == 0


async def test_what_a_row_opens_comes_into_the_window(opened: Opened, served: Server) -> None:
    page = await opened(served.address)
    row = page.locator("section[data-name='open findings'] tr.choosable").nth(1)
    await row.locator("td").first.click()
    await page.locator("section[data-name='open findings'] tr[aria-selected=true]").wait_for()
    await page.wait_for_function(
        """() => {
          const box = document.querySelector("[data-shown-for=OpenFinding]").getBoundingClientRect();
          return box.top < innerHeight - 200;
        }"""
    )


async def test_sorting_and_filter(opened: Opened, served: Server) -> None:
    page = await opened(served.address)
    grid = page.locator("section.grid").first
    rules = grid.locator("td[data-label=Rule]")
    heading = grid.get_by_role("columnheader", name="Rule").get_by_role("button")
    await heading.click()
    ascending = await rules.all_inner_texts()
    assert ascending == sorted(ascending)
    await heading.click()
    assert await rules.all_inner_texts() == sorted(ascending, reverse=True)
    await grid.get_by_role("searchbox").fill(ascending[0])
    assert set(await rules.all_inner_texts()) == {ascending[0]}


async def test_the_page_follows_the_store(opened: Opened, serve: Serve, tmp_path: Any) -> None:
    store = EmbeddedStore.open(tmp_path / "findings.duckdb")
    server = await serve(store)
    page = await opened(server.address)
    assert "no findings" in (await page.locator("#state").inner_text())
    texts = await page.locator(".no-data, .tile").all_inner_texts()
    assert all(text.strip() for text in texts)
    # Nothing known is not the same as nothing wrong.
    assert "unknown" in " ".join(texts).lower()
    now = utc_now().isoformat()
    common = {"TimeGenerated": now, "FindingId": "1", "FindingKey": "k", "RuleId": "ACRT301", "State": "Open"}
    store.append([{**common, "Severity": "High", "SeverityRank": 3, "Outcome": "Fail", "Summary": "It came."}])
    await page.get_by_text("It came.").first.wait_for(timeout=10_000)


async def test_the_choice_is_in_the_address(opened: Opened, served: Server) -> None:
    page = await opened(served.address)
    await choose_tab(page, TABS[1].label)
    again = await opened(page.url)
    assert await again.locator("[role=tab][aria-selected=true]").inner_text() == TABS[1].label
