"""Findings hold text that others wrote: on the page it is text, and nothing of it runs, loads or leads anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from playwright.async_api import Page

from acrtm.view import files
from acrtm.view.report import report
from embedded import EmbeddedStore
from shared.evidence.lookups import utc_now
from tests.browser.conftest import Opened, Serve, choose_first_row, choose_tab, open_queries, written

SCRIPT: Final = "<script>window.broken = 1</script>"
PICTURE: Final = "<img src=x onerror='window.broken = 2'>"
LINK: Final = "javascript:window.broken=3"
TOKENS: Final = "{Registry} [click](javascript:alert(1)) ![x](https://elsewhere.invalid/x.png) </script>"
TURNED: Final = "safe\u202egpj.exe\x1b[2J\x00"


def hostile_rows() -> list[dict[str, object]]:
    now = utc_now().isoformat()
    common: dict[str, object] = {
        "TimeGenerated": now, "State": "Open", "Outcome": "Fail", "Severity": "High", "SeverityRank": 3,
        "RegistryName": SCRIPT, "PipelineName": PICTURE, "RegistryId": "/r", "PipelineId": "/p", "Direction": "Import",
        "RunName": SCRIPT, "RunId": "/runs/1", "RunStartTime": now, "RunFinishTime": now, "RunStatus": "Failed",
        "ContainerName": PICTURE, "BlobName": f"{TOKENS}{TURNED}", "StorageAccount": SCRIPT, "SecretName": PICTURE,
        "KeyVaultName": SCRIPT, "ExpiresOn": now, "Summary": f"{SCRIPT} {PICTURE} {TOKENS} {TURNED}",
        "Recommendation": f"{PICTURE} {TOKENS}", "FixCommand": f"{LINK} {SCRIPT}", "VerifyCommand": PICTURE,
        "ErrorMessage": f"{SCRIPT}{PICTURE}{TOKENS}", "HelpUri": LINK, "Evidence": {SCRIPT: [PICTURE, LINK]},
        "CorrelationId": SCRIPT,
    }  # fmt: skip
    rules = (
        ("ACRT101", "Run", "Observation"),
        ("ACRT301", "Sas", "RootCause"),
        ("ACRT507", "SourceTrigger", "Observation"),
    )
    return [
        {
            **common,
            "RuleId": rule,
            "RuleName": SCRIPT,
            "Area": area,
            "Role": role,
            "FindingId": rule,
            "FindingKey": f"{rule}'\"\\",
        }
        for rule, area, role in rules
    ]


async def test_everywhere_on_the_live_page(opened: Opened, serve: Serve, tmp_path: Path) -> None:
    store = EmbeddedStore.open(tmp_path / "findings.duckdb")
    store.append(hostile_rows())
    server = await serve(store)
    page = await opened(server.address)
    for label in await page.get_by_role("tab").all_inner_texts():
        await choose_tab(page, label)
        await choose_first_row(page)
        for buttons in (page.locator("button.link:visible"), page.locator(".cut[role=button]:visible")):
            for at in range(await buttons.count()):
                await buttons.nth(at).click()
                await page.get_by_role("dialog").get_by_role("button", name="Close").click()
        assert await page.evaluate("() => window.broken") is None
        assert await page.locator("main script, main img, main iframe, a[href^='javascript']").count() == 0
    await choose_tab(page, "Overview")
    text = await page.locator("#workbook").inner_text()
    assert "<script>window.broken" in text
    assert "\u202e" not in text
    await is_text_in_the_answer_to_a_query(page)


async def is_text_in_the_answer_to_a_query(page: Page) -> None:
    await open_queries(page)
    await page.get_by_role("button", name="Run", exact=True).click()
    await page.locator(".result table").wait_for()
    assert await page.evaluate("() => window.broken") is None
    assert "<script>window.broken" in await page.locator(".result").inner_text()


async def test_in_a_report(opened: Opened, tmp_path: Path) -> None:
    store = EmbeddedStore.open(":memory:")
    store.append(hostile_rows())
    page = await opened(written(tmp_path / "report.html", report(files.workbook(), store)))
    await page.locator("tr.choosable").first.press("Enter")
    await page.locator("tr[aria-selected=true]").wait_for()
    assert await page.evaluate("() => window.broken") is None
    assert "<script>window.broken" in await page.locator("#workbook").inner_text()
    assert await page.locator("main script, main img, a[href^='javascript']").count() == 0
