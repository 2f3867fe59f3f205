"""``acrtm replay``: dead-lettered events through the handlers of the function app, with its own sinks."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from acrtm.answering import answering
from acrtm.dead_letters import BlobFolder, Letter, letters_in, letters_of, source_of
from acrtm.exits import WrongUsage
from acrtm.looks import require_token
from acrtm.progress import Progress, shown_progress
from acrtm.replayed import Became, Fate, Replayed
from shared.errors import MonitorError, SettingsError, TransientError
from shared.events import (
    BlobArrived,
    Foreign,
    Malformed,
    PipelineRejected,
    PlatformEvent,
    RunWritten,
    as_blob_arrived,
    as_pipeline_rejected,
    as_run_written,
    read_event,
)
from shared.log_redaction import without_secrets
from shared.monitor import Monitor
from shared.recorder import Recorded
from shared.redaction import redact
from shared.runtime import make_monitor
from shared.settings import Settings, read_settings
from shared.sinks.run_marks import RunMark, run_key

# A function instance handles more at once; this one shares the state store with the app.
_AT_ONCE: Final = 8

Ours = RunWritten | PipelineRejected | BlobArrived


def replay(source: str, *, output: str) -> int:
    """``acrtm replay``."""
    with answering(output) as out:
        settings = _settings(os.environ)
        place = source_of(source, settings.cloud)
        # The SDK's warnings say the same as the errors, in more words.
        logging.getLogger().addHandler(logging.NullHandler())
        replayed = asyncio.run(_replayed(settings, place, out.became))
        out.replayed(replayed)
        return int(replayed.exit_code)


def _settings(environment: Mapping[str, str]) -> Settings:
    try:
        return read_settings(environment)
    except SettingsError as error:
        raise WrongUsage(
            str(error),
            "Replay writes where the function app writes, so it needs the app's required settings. They are:",
            "az functionapp config appsettings list --name APP --resource-group GROUP --output table",
        ) from None


async def _replayed(settings: Settings, place: Path | BlobFolder, told: Callable[[Fate], None]) -> Replayed:
    monitor = make_monitor(settings)
    try:
        await require_token(monitor)
        if isinstance(place, BlobFolder):
            source = f"{place.container}/{place.prefix}"
            letters = await letters_of(monitor.azure.connection, place)
        else:
            source, letters = str(place), await asyncio.to_thread(letters_in, place)
        with shown_progress("events") as progress:
            return Replayed(source, await replay_letters(monitor, letters, progress, told))
    finally:
        await monitor.close()


async def replay_letters(
    monitor: Monitor, letters: Sequence[Letter], progress: Progress, told: Callable[[Fate], None]
) -> tuple[Fate, ...]:
    """Hands every event to its handler: several at once, but those of one subject one after the other.

    ``told`` is told of each as soon as it is done; what is given back is in the order of the letters.
    """
    fates: dict[int, Fate] = {}
    at_once = asyncio.Semaphore(_AT_ONCE)
    by_subject: dict[str, list[int]] = {}
    for number, letter in enumerate(letters):
        by_subject.setdefault(str((letter.event or {}).get("subject") or number).lower(), []).append(number)

    async def one_subject(numbers: Sequence[int]) -> None:
        for number in numbers:
            async with at_once:
                fates[number] = await _fate(monitor, letters[number])
            with progress.aside():
                told(fates[number])
            progress("events", len(fates), len(letters))

    async with asyncio.TaskGroup() as tasks:
        for numbers in by_subject.values():
            tasks.create_task(one_subject(numbers))
    return tuple(fates[number] for number in range(len(letters)))


async def _fate(monitor: Monitor, letter: Letter) -> Fate:
    if letter.event is None:
        return Fate(letter.where, "", "", Became.UNREADABLE, letter.problem)
    event = read_event(letter.event)
    findings = Recorded()
    try:
        findings = await monitor.event(event)
        became, words = await _became(monitor, _read(event), findings)
    except TransientError as error:
        became, words = Became.COMES_AGAIN, str(without_secrets(error))
    except MonitorError as error:
        became, words = Became.FAILED, str(without_secrets(error))
    except Exception as error:  # noqa: BLE001 - one event that fails must not hide what became of the others
        clean = without_secrets(error)
        became, words = Became.FAILED, str(clean) if clean is not error else f"{type(error).__name__}: {error}"
    return Fate(
        letter.where,
        redact(event.id)[:200],
        redact(event.subject)[:1_000],
        became,
        " ".join(words.split())[:1_000],
        findings.findings,
    )


def _read(event: PlatformEvent) -> Ours | Foreign | Malformed:
    if event.about_blob:
        return as_blob_arrived(event)
    return as_pipeline_rejected(event) or as_run_written(event)


async def _became(monitor: Monitor, read: Ours | Foreign | Malformed, recorded: Recorded) -> tuple[Became, str]:
    match read:
        case Foreign():
            return Became.NOT_OURS, redact(read.why)
        case Malformed():
            return Became.MALFORMED, redact(read.why)
    if recorded.findings:
        rules = ", ".join(dict.fromkeys(finding.rule_id for finding in recorded.findings))
        count = len(recorded.findings)
        return Became.STORED, f"{count} finding{'s' if count > 1 else ''}: {rules}"
    match read:
        case BlobArrived():
            return Became.NOTHING, "the blob is gone, or no known pipeline uses its account"
        case PipelineRejected(pipeline_id=resource) | RunWritten(run_id=resource):
            if not monitor.settings.monitors(str(resource.parent)):
                return Became.NOT_OURS, f"registry {resource.parent.name} is not among MONITORED_REGISTRIES"
    if isinstance(read, RunWritten) and not await _is_done(monitor, read):
        return Became.WAITING, "the run is not over"
    return Became.KNOWN, ""


async def _is_done(monitor: Monitor, read: RunWritten) -> bool:
    """Whether the run was diagnosed, as far as it could be; one without a record was never there, told once as well."""
    stored: Any = await monitor.state.read(run_key(str(read.run_id), str(read.run_id.parent)))
    mark = RunMark.of(stored) if stored is not None else None
    return mark is None or mark.is_done or mark.is_left_open
