"""``acrtm demo``: the whole product on this machine, and one story told with it.

Nothing is scripted but the faults: they are put into the local cloud's world, the transfers run against it for
real, and what is printed is what the function app wrote. The demo checks each diagnosis against the fault that
it put there, and fails if one is wrong.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from acrtm.exits import Problem
from acrtm.severity import severity_style
from embedded import EmbeddedError, EmbeddedStore, default_path
from localcloud import LocalCloud
from localcloud.az import CommandRunner
from localcloud.functions_host import FunctionsHost
from localcloud.ingestion import LogsIngestion
from localcloud.scenario import CONTAINER, Scenario, transfer_between
from localcloud.topic import AlertTopic
from shared.runtime import close_monitor, use_sessions

ROOT: Final = Path(__file__).resolve().parent.parent
QUERIES: Final = ("open-findings", "failed-runs-by-cause", "transfer-timeline", "monitor-health")
# How long the token of the story still lives when it is stored: long enough to be seen alive.
LAST_SECONDS: Final = 3
_BLOB: Final = "webshop.tar"
_ARTIFACTS: Final = ("app/web:1.0", "app/worker:1.0")
_IMPORTED: Final = ("ACRT100",)
_SOURCE, _TARGET = "contosohub", "contosoedge"
_NOT_OF_A_DEMO: Final = (
    "AcrTransferFindings_CL"
    f" | where TriggeredBy == 'Cli' or RegistryName !in ('{_SOURCE}', '{_TARGET}', '') | summarize Count = count()"
)

Row = dict[str, Any]


@dataclass(slots=True)
class Story:
    """The running demo: the world, the app, what it has written so far, and what went wrong in the telling."""

    console: Console
    cloud: LocalCloud
    host: FunctionsHost
    scenario: Scenario
    shell: CommandRunner
    seen: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def rows(self) -> Sequence[Row]:
        """Every row that the app has written."""
        ingestion = self.cloud.service("ingestion")
        return list(getattr(ingestion, "rows"))  # noqa: B009 - the service is known by its name only

    @property
    def alerts(self) -> Sequence[Row]:
        """Every alert that the app has published."""
        return list(getattr(self.cloud.service("topic"), "published"))  # noqa: B009

    def new_rows(self) -> list[Row]:
        """What was written since the last look."""
        rows = self.rows[self.seen :]
        self.seen += len(rows)
        return [row for row in rows if row["RuleId"] != "ACRT903"]

    def chapter(self, title: str) -> None:
        """Says what happens next."""
        self.console.print()
        self.console.print(Text(title, style="bold"))

    def say(self, text: str, style: str = "") -> None:
        """One line of the story."""
        self.console.print(Padding(Text(text, style=style), (0, 0, 0, 2)))

    def show(self, row: Row) -> None:
        """One finding, with its cause's fix."""
        mark = {"Fail": "✗", "Warn": "!", "Unknown": "?", "Pass": "✓"}.get(row["Outcome"], "·")
        role = "  root cause, " + row["Confidence"].lower() if row["Role"] == "RootCause" else ""
        style = severity_style(row["Severity"])
        head = Text.assemble((f"{mark} {row['RuleId']} {row['RuleName']}", style), (role, "bold"))
        lines: list[Any] = [head, Padding(Text(row["Summary"]), (0, 0, 0, 2))]
        if row["FixCommand"] and row["Role"] != "Contributing":
            lines.append(Padding(Text(f"fix  {row['FixCommand']}", style="cyan", overflow="fold"), (0, 0, 0, 2)))
        self.console.print(Padding(Group(*lines), (0, 0, 0, 2)))

    def expect(self, what: str, rows: Sequence[Row], expected: Sequence[str], *, role: str = "") -> None:
        """Holds what was found against the fault that is in the world."""
        found = sorted({row["RuleId"] for row in rows if not role or row["Role"] == role})
        if found == sorted(expected):
            self.say(f"as it should be: {', '.join(expected)}", "green")
            return
        self.wrong.append(f"{what}: expected {', '.join(expected)}, found {', '.join(found) or 'nothing'}")
        self.say(self.wrong[-1], "bold red")

    async def repair(self, row: Row) -> bool:
        """Runs a finding's own fix command in a real shell against the local cloud."""
        done = await self.shell.run(row["FixCommand"])
        if done.exit_code == 0:
            self.say("the fix command was run as it stands", "green")
            return True
        self.wrong.append(f"the fix of {row['RuleId']} failed: {done.stderr.strip()}")
        self.say(self.wrong[-1], "bold red")
        return False


def run_demo(console: Console) -> int:
    """Tells the story. 0 if every diagnosis was the right one, 1 otherwise."""
    if sys.version_info < (3, 13):
        console.print("The demo runs the function app in Microsoft's worker library, which needs Python 3.13.")
        return 1
    return asyncio.run(_run(console))


async def _run(console: Console) -> int:
    began = time.monotonic()
    async with _started(console) as story:
        await _export_succeeds(story)
        await _blob_arrives_stripped(story)
        await _blob_is_repaired(story)
        await _token_expires(story)
        await _policy_is_removed(story)
        await _firewall_closes(story)
        await _all_is_well_again(story)
        _summary(story)
        wrong = list(story.wrong)
    console.print()
    if wrong:
        console.print(Text(f"{len(wrong)} diagnosis was wrong:" if len(wrong) == 1 else f"{len(wrong)} were wrong:"))
        for line in wrong:
            console.print(Text(f"  {line}", style="red"))
        return 1
    seconds = time.monotonic() - began
    console.print(Text(f"Every diagnosis was the right one ({seconds:.0f} s).", style="bold green"))
    return 0


def _fresh_store(path: Path, console: Console) -> EmbeddedStore:
    """An empty store: what the last demo wrote is deleted, anybody else's findings are put aside.

    Raises :class:`~acrtm.exits.Problem` for a file that is no store of findings.
    """
    if path.exists():
        try:
            found = EmbeddedStore.open(path).query(_NOT_OF_A_DEMO).dicts()
        except EmbeddedError as error:
            raise Problem(
                f"The demo's findings can't be kept in {path}: {error}.",
                "Name another file:",
                "ACRTM_STORE=demo.duckdb acrtm demo",
            ) from None
        if found[0]["Count"]:
            aside = path.with_stem(f"{path.stem}.{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
            path.rename(aside)
            console.print(f"The findings that were in {path} are in {aside} now.", style="yellow", soft_wrap=True)
        else:
            path.unlink()
    return EmbeddedStore.open(path)


@asynccontextmanager
async def _started(console: Console) -> AsyncIterator[Story]:
    # azure-functions warns on the root logger that an app without HTTP functions has no HTTP functions.
    logging.getLogger().addHandler(logging.NullHandler())
    store = _fresh_store(default_path(), console)

    def ingestion(core: Any) -> LogsIngestion:
        return LogsIngestion.for_world(core, store=store)

    with console.status("Starting Azurite and the local cloud"):
        cloud_context = LocalCloud.start(services=(ingestion, AlertTopic.for_world))
        cloud = await cloud_context.__aenter__()
    try:
        scenario = await transfer_between(cloud, source=_SOURCE, target=_TARGET, vault="contosovault")
        cloud.world.allow_secret_reading(scenario.vault)
        use_sessions(cloud.client_session)
        environment = {**cloud.environment, "SAS_INSPECTION": "value", "IMPORT_GRACE_MINUTES": "1"}
        async with await FunctionsHost.start(ROOT, environment) as host, CommandRunner(cloud) as shell:
            story = Story(console, cloud, host, scenario, shell)
            cloud.subscribe(lambda event: _deliver(story, event))
            _introduce(story)
            try:
                yield story
            finally:
                await close_monitor()
    finally:
        use_sessions(None)
        await cloud_context.__aexit__(None, None, None)


async def _deliver(story: Story, event: Row) -> None:
    """What the event subscriptions of infra/ do: they filter, and hand over one event at a time."""
    container = f"/containers/{CONTAINER}/"
    if event["eventType"] == "Microsoft.Storage.BlobCreated" and container in event["subject"]:
        await story.host.deliver("transfer_blob_created", event)
    elif event["data"].get("operationName", "").lower().endswith("/pipelineruns/write"):
        await story.host.deliver("pipeline_run_completed", event)


def _introduce(story: Story) -> None:
    functions = ", ".join(f"{name} ({f.trigger['type']})" for name, f in story.host.functions.items())
    story.chapter("ACR Transfer on this machine")
    story.say("Azurite holds the blobs; a local cloud is the rest of Azure, and transfers for real.")
    story.say(f"The function app is loaded by Microsoft's worker library: {functions}.")


async def _export(story: Story, name: str) -> list[Row]:
    scenario = story.scenario
    body = await story.cloud.put_run(scenario.source, name, scenario.export_pipeline, artifacts=_ARTIFACTS, blob=_BLOB)
    await story.cloud.events_settled()
    state = body["properties"]["provisioningState"]
    story.say(f"pipeline run {name}: {state}", "" if state == "Succeeded" else "red")
    rows = story.new_rows()
    for row in rows:
        if row["Role"] == "RootCause" or row["RuleId"] == "ACRT100":
            story.show(row)
    return rows


async def _export_succeeds(story: Story) -> None:
    story.chapter("1  An export succeeds")
    rows = await _export(story, "export1")
    story.expect("the successful export", rows, ("ACRT100",))


async def _blob_arrives_stripped(story: Story) -> None:
    story.chapter("2  The blob is carried across by an upload that loses its MD5 and its metadata")
    await story.scenario.carry_over(_BLOB, content_md5=False, metadata={})
    await story.cloud.events_settled()
    rows = [row for row in story.new_rows() if row["Outcome"] in {"Fail", "Warn"}]
    for row in rows:
        story.show(row)
    story.expect("the stripped blob", rows, ("ACRT701",), role="Observation")
    runs = await story.cloud.poll_source_triggers()
    story.say(f"the source trigger polls: {len(runs)} imports. It says nothing; the findings were there before.")


async def _blob_is_repaired(story: Story) -> None:
    story.chapter("3  It is repaired with the command that the finding gave, and imported")
    finding = next((row for row in reversed(story.rows) if row["RuleId"] == "ACRT701"), None)
    if finding is None or not await story.repair(finding):
        story.wrong.append("there was no finding to repair the blob with")
        return
    runs = await story.cloud.poll_source_triggers()
    story.say(f"the source trigger polls: {len(runs)} import, {', '.join(runs)}. No event tells of it.")
    for run in runs:
        await story.cloud.wait_for_run(story.scenario.target, run)
    await story.host.run_timer("sweep")
    rows = story.new_rows()
    for row in rows:
        if row["RuleId"] == "ACRT100":
            story.show(row)
    story.expect("the import that the sweep found", [row for row in rows if row["RunId"]], _IMPORTED)


async def _token_expires(story: Story) -> None:
    story.chapter("4  The token expires")
    end = datetime.now(UTC) + timedelta(seconds=LAST_SECONDS)
    account, vault = story.scenario.export_account, story.scenario.vault
    vault.set_secret("exportsas", f"?{story.cloud.sas(account.name, CONTAINER, 'rwla', expires=end)}", expires=end)
    with story.console.status("Waiting for the token's last seconds"):
        # A token's end has whole seconds, so it has passed by then.
        await asyncio.sleep((end - datetime.now(UTC)).total_seconds())
    await _break_and_mend(story, "export2", "ACRT301")


async def _policy_is_removed(story: Story) -> None:
    story.chapter("5  Somebody removes the vault's access policy")
    story.cloud.world.revoke_secret_get(story.scenario.vault, story.scenario.export_pipeline)
    await _break_and_mend(story, "export3", "ACRT201")


async def _firewall_closes(story: Story) -> None:
    story.chapter("6  The storage account's firewall closes")
    story.cloud.world.close_firewall(story.scenario.export_account)
    await _break_and_mend(story, "export4", "ACRT405")


async def _all_is_well_again(story: Story) -> None:
    story.chapter("7  The sweep closes what has been repaired")
    await story.host.run_timer("sweep")
    opened, resolved = (
        sorted({alert["data"]["RuleId"] for alert in story.alerts if alert["type"].endswith(kind)})
        for kind in (".Opened", ".Resolved")
    )
    if opened == resolved:
        story.say(f"every alert that went out was taken back: {', '.join(resolved)}", "green")
    else:
        story.wrong.append(f"opened {', '.join(opened)}, but resolved {', '.join(resolved) or 'nothing'}")
        story.say(story.wrong[-1], "bold red")


async def _break_and_mend(story: Story, run: str, cause: str) -> None:
    """A run fails, its root cause is named, the fix command is run, and the next run succeeds."""
    alerts_before = len(story.alerts)
    rows = await _export(story, run)
    story.expect(run, rows, (cause,), role="RootCause")
    alerts = story.alerts[alerts_before:]
    if [alert["data"]["RuleId"] for alert in alerts] == [cause]:
        story.say(f"alert {alerts[0]['type']} about {cause} went out", "green")
    else:
        story.wrong.append(f"{run}: expected one alert about {cause}, {len(alerts)} went out")
    finding = next((row for row in rows if row["RuleId"] == cause), None)
    if finding is not None and await story.repair(finding):
        again = await _export(story, f"{run}again")
        story.expect(f"{run} after the fix", again, ("ACRT100",))


def _summary(story: Story) -> None:
    console = story.console
    story.chapter("What the app has written")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("Rule", "Name", "Severity", "State", "Role", "About"):
        table.add_column(column, overflow="fold")
    for row in story.rows:
        about = row["RunName"] or row["BlobName"] or "the monitor"
        cells = (row["RuleId"], row["RuleName"], row["Severity"], row["State"], row["Role"], about)
        style = {"Open": severity_style(row["Severity"]), "Resolved": "green"}.get(row["State"], "dim")
        table.add_row(*(Text(cell) for cell in cells), style=style)
    console.print(Padding(table, (0, 0, 0, 2)))
    story.chapter("The alerts that went out")
    for alert in story.alerts:
        story.say(f"{alert['type']}  {alert['data']['RuleId']} {alert['data']['RuleName']}  id {alert['id']}")
    story.chapter("Ask the findings, in the KQL that Log Analytics speaks")
    for name in QUERIES:
        story.say(f"acrtm query infra/queries/{name}.kql", "cyan")
    story.say("acrtm query 'AcrTransferFindings_CL | where Role == \"RootCause\" | project RuleId, Summary'", "cyan")
    story.say("acrtm explain ACRT301", "cyan")
    story.chapter("Look at them in the workbook that is deployed")
    story.say("acrtm view", "cyan")
