"""Dead-lettered events, handed to the app's own handlers by the command line."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acrtm.dead_letters import BlobFolder, read_letters, source_of
from acrtm.exits import WrongUsage
from localcloud.ingestion import LogsIngestion
from localcloud.service import Fault, Status
from localcloud.topic import AlertTopic
from shared.clouds import PUBLIC
from shared.events import PlatformEvent
from shared.monitor import Monitor
from shared.recorder import Recorded
from tests.acrtm.conftest import CommandLine

EVENTS: Final = Path(__file__).parents[1] / "events"
LETTERS: Final = "deadletters"
Raw = dict[str, Any]


@pytest.fixture(autouse=True)
def sinks(request: pytest.FixtureRequest) -> None:
    """The app's own sinks, in the cloud of a test that has one."""
    if "acrtm" in request.fixturenames:
        cloud = request.getfixturevalue("cloud")
        cloud.add_service(LogsIngestion.for_world(cloud.world))
        cloud.add_service(AlertTopic.for_world(cloud.world))


def dead_letter(event: Raw) -> Raw:
    """An event as Event Grid writes it when nobody has taken it."""
    return {
        **event,
        "deadLetterReason": "MaxDeliveryAttemptsExceeded",
        "deliveryAttempts": 30,
        "lastDeliveryOutcome": "GenericError",
        "publishTime": "2026-11-23T10:00:00Z",
        "lastDeliveryAttemptTime": "2026-11-24T10:00:00Z",
    }


async def dead_letters(acrtm: CommandLine, *, schema: Any = "EventGridSchema") -> list[Raw]:
    """A run fails while the app is down: the events that Event Grid gave up on."""

    async def down(_event: Raw) -> None:
        raise ConnectionError("the app is down")

    acrtm.cloud.subscribe(down, schema=schema)
    await acrtm.fails()
    await acrtm.cloud.events_settled()
    return [dead_letter(letter.event) for letter in acrtm.cloud.dead_letters]


def written(path: Path, events: object) -> str:
    path.write_text(json.dumps(events), "utf-8")
    return str(path)


def stored(acrtm: CommandLine) -> list[str]:
    """The rules of the rows that were stored where the app stores them."""
    ingestion = acrtm.cloud.service("ingestion")
    assert isinstance(ingestion, LogsIngestion)
    return sorted(str(row["RuleId"]) for row in ingestion.rows)


def became(document: Raw) -> list[str]:
    return [event["became"] for event in document["events"]]


@pytest.mark.parametrize("schema", ["EventGridSchema", "CloudEventSchemaV1_0"])
async def test_dead_letters_become_findings_once(acrtm: CommandLine, tmp_path: Path, schema: str) -> None:
    file = written(tmp_path / "letters.json", await dead_letters(acrtm, schema=schema))
    ended = await acrtm("replay", file)
    assert ended.code == 3
    assert "stored" in ended.out
    assert "ACRT201" in ended.out
    assert stored(acrtm) == ["ACRT101", "ACRT201"]
    topic: Any = acrtm.cloud.service("topic")
    assert len(topic.published) == 1, "the alert goes out where the app's go"
    again = await acrtm("replay", file, "-o", "json")
    assert set(became(again.document)) == {"known already"}
    assert again.code == again.document["exitCode"] == 0
    assert stored(acrtm) == ["ACRT101", "ACRT201"]


async def test_each_event_is_told_when_it_is_done(
    acrtm: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of one subject, so that they are handled one after the other.
    letters = [{**letter, "id": f"event{number}"} for letter in (await dead_letters(acrtm))[:1] for number in range(3)]
    printed_before: list[str] = []
    original = Monitor.run_event

    async def listening(monitor: Monitor, event: PlatformEvent) -> Recorded:
        printed_before.append(acrtm.read()[0])
        return await original(monitor, event)

    monkeypatch.setattr(Monitor, "run_event", listening)
    ended = await acrtm("replay", written(tmp_path / "letters.json", letters))
    first, second, third = printed_before
    assert first == ""
    assert second.startswith("stored ")
    assert third.startswith("known already ")
    assert ended.out.splitlines()[0].startswith("known already ")
    assert ended.out.splitlines()[-1] == "1 stored, 2 known already"


async def test_a_single_event_lines_and_a_folder(acrtm: CommandLine, tmp_path: Path) -> None:
    letters = await dead_letters(acrtm)
    folder = tmp_path / "letters" / "2026" / "11"
    folder.mkdir(parents=True)
    written(folder / "single.json", letters[0])
    (folder / "lines.jsonl").write_text("".join(json.dumps(letter) + "\n" for letter in letters), "utf-8")
    (folder / "readme.txt").write_text("not this one", "utf-8")
    ended = await acrtm("replay", str(tmp_path / "letters"), "-o", "json")
    assert len(ended.document["events"]) == 1 + len(letters)
    assert all(event["taken"] for event in ended.document["events"])
    assert stored(acrtm) == ["ACRT101", "ACRT201"]


async def test_a_container_is_read_and_left_as_it_is(acrtm: CommandLine) -> None:
    letters = await dead_letters(acrtm)
    account = acrtm.scenario.export_account.name
    url = await acrtm.cloud.create_container(account, LETTERS)
    for number, letter in enumerate(letters):
        await acrtm.cloud.put_blob(account, LETTERS, f"runs/2026/{number}.json", json.dumps([letter]).encode())
    await acrtm.cloud.put_blob(account, LETTERS, "other/image.tar", b"\0" * 10)
    await acrtm.cloud.put_blob(account, LETTERS, "other/broken.json", b"{")
    before = await acrtm.cloud.blob_names(account, LETTERS)
    ended = await acrtm("replay", f"{url}/runs/")
    assert ended.code == 3
    assert stored(acrtm) == ["ACRT101", "ACRT201"]
    whole = await acrtm("replay", url, "-o", "json")
    assert became(whole.document)[0] == "no event"
    assert set(became(whole.document)[1:]) == {"known already"}
    assert whole.code == 1
    assert await acrtm.cloud.blob_names(account, LETTERS) == before


async def test_a_container_that_may_not_be_read(acrtm: CommandLine) -> None:
    account = acrtm.scenario.export_account.name
    url = await acrtm.cloud.create_container(account, LETTERS)
    monitor = acrtm.cloud.world.monitor.id
    acrtm.cloud.world.access.revoke(monitor, "Storage Blob Data Reader")
    ended = await acrtm("replay", url)
    assert ended.code == 4
    assert "403" in ended.err


async def test_an_empty_container_is_well(acrtm: CommandLine) -> None:
    url = await acrtm.cloud.create_container(acrtm.scenario.export_account.name, LETTERS)
    ended = await acrtm("replay", url)
    assert ended.code == 0
    assert "There are no events" in ended.out


async def test_what_each_event_becomes(acrtm: CommandLine, tmp_path: Path) -> None:
    def event(name: str) -> Raw:
        return dead_letter(json.loads((EVENTS / f"{name}.json").read_text("utf-8")))

    names = ("run-delete-success", "run-write-failure", "malformed-run-subject", "blob-tier-changed-cloudevent")
    letters = [*(event(name) for name in names), event("blob-put-blob"), {"no": "event"}]
    ended = await acrtm("replay", written(tmp_path / "l.json", letters), "-o", "json")
    assert became(ended.document) == ["not ours", "not ours", "malformed", "not ours", "nothing to say", "no event"]
    assert "MONITORED_REGISTRIES" in ended.document["events"][1]["words"]
    assert ended.code == 1
    assert stored(acrtm) == ["ACRT902"]
    told = ended.out + ended.err
    for private in ("FAKE-", "nameidentifier", "Fake Pipeline Contributor"):
        assert private not in told


async def test_a_run_that_is_not_over_waits_for_the_sweep(acrtm: CommandLine, tmp_path: Path) -> None:
    scenario, letters = acrtm.scenario, await dead_letters(acrtm)
    acrtm.cloud.hold_transfers()
    await acrtm.cloud.put_run(
        scenario.source, "slowrun", scenario.export_pipeline, artifacts=["app/web:1.0"], blob="slow.tar", wait=False
    )
    slow = {**letters[0], "subject": f"{scenario.source.id}/pipelineRuns/slowrun", "id": "slow"}
    ended = await acrtm("replay", written(tmp_path / "l.json", slow), "-o", "json")
    acrtm.cloud.release_transfers()
    assert became(ended.document) == ["waits for the sweep"]
    assert ended.code == 0


async def test_an_event_that_is_not_taken_is_listed_and_can_be_replayed(acrtm: CommandLine, tmp_path: Path) -> None:
    letters = await dead_letters(acrtm)
    file = written(tmp_path / "letters.json", letters)
    fault = Fault("ingestion", action=Status(403))
    acrtm.cloud.faults.append(fault)
    ended = await acrtm("replay", file)
    assert ended.code == 4
    assert ended.out.count("comes again") == len(letters) + 1
    assert f"Not taken, replay again: {len(letters)}" in ended.out
    findings_only = await acrtm("replay", file, "-o", "sarif")
    assert findings_only.code == 4
    assert findings_only.err.count("comes again") == len(letters), "no format drops one silently"
    assert stored(acrtm) == []
    acrtm.cloud.faults.remove(fault)
    assert (await acrtm("replay", file)).code == 3
    assert stored(acrtm) == ["ACRT101", "ACRT201"]


async def test_a_defect_hides_nothing(acrtm: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = await dead_letters(acrtm)

    async def broken(*_: object) -> None:
        raise LookupError("oops ?sig=abcdefghij")

    monkeypatch.setattr("shared.monitor.Monitor.blob_event", broken)
    blob = {**letters[0], "eventType": "Microsoft.Storage.BlobCreated", "subject": "/blobServices/x"}
    ended = await acrtm("replay", written(tmp_path / "l.json", [blob, *letters]), "-o", "json")
    assert became(ended.document)[0] == "failed"
    assert ended.document["events"][0]["words"] == "LookupError: oops ?sig=[redacted]"
    assert ended.code == 1
    assert stored(acrtm) == ["ACRT101", "ACRT201"]


@pytest.mark.parametrize("name", ["MONITORED_REGISTRIES", "LOGS_INGESTION_ENDPOINT", "STATE_CONTAINER_URL"])
async def test_a_missing_setting_is_named(acrtm: CommandLine, tmp_path: Path, name: str) -> None:
    acrtm.environment.delenv(name)
    ended = await acrtm("replay", written(tmp_path / "l.json", []))
    assert ended.code == 2
    assert name in ended.err
    assert "app's required settings" in ended.err


async def test_help_tells_the_exit_codes(acrtm: CommandLine) -> None:
    ended = await acrtm("replay", "--help")
    assert "replayed again" in " ".join(ended.out.split())


# --- what is read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "https://store.blob.core.chinacloudapi.cn/c",
        "https://store.blob.core.windows.net.evil.example/c",
        "https://evil.example/c",
        "http://store.blob.core.windows.net/c",
        "https://me:pw@store.blob.core.windows.net/c",
        "no/such/file.json",
    ],
)
def test_no_other_place_is_asked(text: str) -> None:
    with pytest.raises(WrongUsage) as wrong:
        source_of(text, PUBLIC)
    assert "pw" not in str(wrong.value)


def test_a_token_behind_the_url_is_dropped() -> None:
    place = source_of("https://store.blob.core.windows.net/letters/a%20b/?sv=1&sig=abcdefgh", PUBLIC)
    assert isinstance(place, BlobFolder)
    assert (place.container.account, place.container.container, place.prefix) == ("store", "letters", "a b/")


EVENT_TEXTS: Final = st.lists(
    st.fixed_dictionaries({"subject": st.text(min_size=1), "id": st.text(), "eventType": st.text(min_size=1)}),
    min_size=2,
    max_size=5,
)


@given(EVENT_TEXTS, st.sampled_from(["\n", "\r\n", "\n\n"]), st.booleans())
def test_a_list_and_lines_are_the_same(events: Sequence[Raw], between: str, marked: bool) -> None:
    mark = b"\xef\xbb\xbf" if marked else b""
    listed = read_letters("f", mark + json.dumps(events).encode())
    lines = read_letters("f", mark + between.join(json.dumps(event) for event in events).encode())
    assert [letter.event for letter in listed] == [letter.event for letter in lines] == events


@given(st.binary())
def test_any_content_is_read(content: bytes) -> None:
    for letter in read_letters("f", content):
        assert (letter.event is None) == bool(letter.problem)


@given(EVENT_TEXTS, st.booleans())
def test_messages_of_a_queue_are_the_events_in_them(events: Sequence[Raw], encoded: bool) -> None:
    """As ``az storage message get`` prints them; what is not decoded there is decoded here."""

    def content(event: Raw) -> str:
        text = json.dumps(event)
        return base64.b64encode(text.encode()).decode() if encoded else text

    messages = [
        {
            "id": str(number),
            "content": content(event),
            "dequeueCount": 288,
            "insertionTime": "2026-11-23T10:00:00+00:00",
        }
        for number, event in enumerate(events)
    ]
    assert [letter.event for letter in read_letters("f", json.dumps(messages).encode())] == events


def test_a_message_without_an_event_is_told_of() -> None:
    contents = ["no JSON", base64.b64encode(b"[1]").decode(), "{}"]
    letters = read_letters("f", json.dumps([{"id": "1", "content": content} for content in contents]).encode())
    assert [letter.problem for letter in letters] == [
        "the message's content can't be read: it is no JSON",
        "it is no event",
        "it is no event",
    ]


def test_one_broken_line_does_not_hide_the_others() -> None:
    good = '{"eventType":"a","subject":"s"}'
    letters = read_letters("f", f"{good}\n{{broken\n{good}\n".encode())
    assert [(letter.where, letter.problem) for letter in letters] == [
        ("f:1", ""),
        ("f:2", "it is no JSON"),
        ("f:3", ""),
    ]


def test_json_that_is_nested_too_deeply_is_no_json() -> None:
    assert read_letters("f", b"[" * 200_000)[0].problem == "it is no JSON"
